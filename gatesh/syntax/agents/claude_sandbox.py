r"""Claude Code's sandbox on Linux (recorded with 2.1.197).

Four starts of the shell, each the text of the one before, unquoted once:

    bwrap OPTIONS -- SHELL -c "SHELL -c \"PROXIES…\""     outside
    SHELL -c "PROXIES…"                                   inside, and so the rest
    socat … &\nsocat … &\ntrap …\nSECCOMP SHELL -c "WRAPPER"
    WRAPPER                                               see `claude_code`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from gatesh.model import Span
from gatesh.syntax.agents import claude_code
from gatesh.syntax.agents.preamble import Call, Preamble
from gatesh.syntax.agents.quoting import is_path, read_argument, read_arguments

_SHELLS = rb"(?:(?:/[A-Za-z0-9_@%+.-]+)+/)?(?:bash|zsh|sh)"
_SHELL = re.compile(_SHELLS)
_STARTS = re.compile(_SHELLS + rb" -c ")
_PROXIES = re.compile(
    rb"socat TCP-LISTEN:3128,fork,reuseaddr UNIX-CONNECT:(?P<http>[A-Za-z0-9_/.-]+)"
    rb" >/dev/null 2>&1 &\n"
    rb"socat TCP-LISTEN:1080,fork,reuseaddr UNIX-CONNECT:(?P<socks>[A-Za-z0-9_/.-]+)"
    rb" >/dev/null 2>&1 &\n"
    rb'trap "kill %1 %2 2>/dev/null; exit" EXIT\n'
    rb"(?:eval |ARGV0=apply-seccomp (?P<seccomp>/proc/self/fd/[0-9]+) (?P<shell>"
    + _SHELLS
    + rb") -c )"
)
_SOCKET = re.compile(rb".+/claude-(?:http|socks)-[0-9a-f]+\.sock")
_EMPTY = re.compile(rb".+/claude-empty-[A-Za-z0-9]+")

_FLAGS = {b"--new-session", b"--die-with-parent", b"--unshare-net", b"--unshare-pid"}
_ONE_PATH = {b"--dev", b"--proc", b"--tmpfs"}
_TWO_PATHS = {b"--bind", b"--ro-bind"}
_VARIABLE = re.compile(
    rb"SANDBOX_RUNTIME|TMPDIR|(?:[A-Z]+_)*PROXY|[a-z]+_proxy|CLOUDSDK_PROXY_[A-Z]+"
    rb"|CLAUDE_CODE_HOST_(?:HTTP|SOCKS)_PROXY_PORT"
)
_SSH = re.compile(
    rb"ssh -o ControlMaster=no -o ControlPath=none -o ProxyCommand='socat - "
    rb"PROXY:localhost:%h:%p,proxyport=[0-9]+(?:,proxyauth=[A-Za-z0-9:]+)?'"
)


def recognise(call: Call) -> Preamble | None:
    """Take off as many layers of the sandbox as are left, then the wrapper."""
    script = call.script
    if script.startswith(b"bwrap "):
        words = read_arguments(script)
        if words is None or not _sandboxes([text for text, _, _ in words]):
            return None
        word, start, end = words[-1]
        return _shown(script, start, end, _in_shell(word), words[-3][0])
    if script.startswith(b"socat "):
        return _in_proxies(script)
    return _in_shell(script)


def _in_shell(script: bytes) -> Preamble | None:
    """Read `SHELL -c WORD`."""
    words = read_arguments(script) if _STARTS.match(script) else None
    if words is None or len(words) != 3:
        return None
    word, start, end = words[2]
    return _shown(script, start, end, _in_proxies(word), words[0][0])


def _in_proxies(script: bytes) -> Preamble | None:
    """Read the start of the two proxies, then `SECCOMP SHELL -c WORD` or `eval WORD`."""
    match = _PROXIES.match(script)
    if match is None or not all(_is(_SOCKET, match[which]) for which in ("http", "socks")):
        return None
    word = read_argument(script, match.end())
    if word is None or word[1] != len(script):
        return None
    programs = [program for program in (match["seccomp"], match["shell"]) if program]
    return _shown(script, match.end(), word[1], claude_code.unwrap(word[0]), *programs)


def _shown(
    script: bytes, start: int, end: int, within: Preamble | None, *programs: bytes
) -> Preamble | None:
    """Return *within* as seen from *script*: the span is that of the quoted layer."""
    if within is None:
        return None
    sources = (*within.sources, *(p for p in programs if p not in within.sources))
    rest = (script[:start], script[end:])
    return replace(within, span=Span(start, end), outer_rest=rest, sources=sources)


def _is(shape: re.Pattern[bytes], path: bytes) -> bool:
    return is_path(path) and shape.fullmatch(path) is not None


def _sandboxes(words: Sequence[bytes]) -> bool:
    """Say whether `bwrap` is told only what the client tells it.

    A bind of another file over a program, or a variable that names code, would
    make the command do something else than it says.
    """
    at = 1
    while at < len(words) and words[at] != b"--":
        option, one, two = (*words[at : at + 3], b"", b"")[:3]
        if option in _FLAGS:
            at += 1
        elif option in _ONE_PATH and _is_tree(one):
            at += 2
        elif (option in _TWO_PATHS and _hides_or_stays(option, one, two)) or (
            option == b"--setenv" and _harmless(one, two)
        ):
            at += 3
        else:
            return False
    shell = words[at + 1 :]
    return len(shell) == 3 and _SHELL.fullmatch(shell[0]) is not None and shell[1] == b"-c"


def _is_tree(path: bytes) -> bool:
    return path == b"/" or is_path(path.removesuffix(b"/"))


def _hides_or_stays(option: bytes, source: bytes, target: bytes) -> bool:
    if not _is_tree(target):
        return False
    empty = source == b"/dev/null" or _is(_EMPTY, source)
    return source == target or (option == b"--ro-bind" and empty)


def _harmless(name: bytes, value: bytes) -> bool:
    if name == b"GIT_SSH_COMMAND":
        return _SSH.fullmatch(value) is not None
    if name == b"GIT_CONFIG_PARAMETERS":
        return value == b"'http.proxyAuthMethod=basic'"
    return _VARIABLE.fullmatch(name) is not None
