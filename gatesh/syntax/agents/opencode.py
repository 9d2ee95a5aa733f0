"""opencode's `!` mode (recorded with 1.18.33): a login shell, start-up files, `eval "…"`."""

from __future__ import annotations

from gatesh.model import Span
from gatesh.syntax.agents.preamble import Call, Preamble, wrapped
from gatesh.syntax.agents.quoting import is_path, read_double

NAME = "opencode"

_BASH = (
    b"\n        shopt -s expand_aliases"
    b"\n        [[ -f ~/.bashrc ]] && source ~/.bashrc >/dev/null 2>&1 || true"
    b'\n        cd -- "$1"\n        eval '
)
_ZSH = (
    b"\n        [[ -f ~/.zshenv ]] && source ~/.zshenv >/dev/null 2>&1 || true"
    b'\n        [[ -f "${ZDOTDIR:-$HOME}/.zshrc" ]]'
    b' && source "${ZDOTDIR:-$HOME}/.zshrc" >/dev/null 2>&1 || true'
    b'\n        cd -- "$1"\n        eval '
)
_END = b"\n      "


def recognise(call: Call) -> Preamble | None:
    """Take off the login script.

    The client writes the command as JSON, which is not how a shell quotes: a
    `$` or a backquote would be expanded before `eval`, a newline would come out
    as `n`.  Such a command is left whole, since it is not what would run.
    """
    if call.zero != b"opencode" or len(call.positionals) != 1 or not is_path(call.positionals[0]):
        return None
    script = call.script
    head = next((h for h in (_BASH, _ZSH) if script.startswith(h)), None)
    if head is None:
        return None
    command = read_double(script, len(head))
    if command is None or script[command[1] :] != _END:
        return None
    quoted = script[len(head) + 1 : command[1] - 1]
    if any(c < 0x20 for c in quoted) or b"\\" in quoted.replace(b"\\\\", b"").replace(b'\\"', b""):
        return None  # an escape that JSON does not know, or a control it would have escaped
    sources = (b"~/.bashrc",) if head is _BASH else (b"~/.zshenv", b"~/.zshrc")
    span = Span(len(head), command[1])
    return wrapped(NAME, script, command[0], span, by="user", sources=sources)
