"""gemini-cli (recorded with 0.61.0): the command in a subshell that notes its jobs."""

from __future__ import annotations

import re

from gatesh.model import Span
from gatesh.syntax.agents.preamble import Call, Preamble, wrapped
from gatesh.syntax.agents.quoting import is_path, read_word

NAME = "gemini-cli"

_GUARD = b"shopt -u promptvars nullglob extglob nocaseglob dotglob; "
_ASSIGN = b"_bgpids_file="
_OPEN = b"\n(\n  trap 'jobs -p > \"$_bgpids_file\"' EXIT\n"
_CLOSE = b"\n)\n__code=$?\nexit $__code"
_FILE = re.compile(rb".+/gemini-shell-[A-Za-z0-9]+/bgpids\.tmp")


def recognise(call: Call) -> Preamble | None:
    """Take off the subshell.

    The command is not quoted, so it may close the subshell itself.  That hides
    nothing: whatever stands between the first and the last line of the wrapping
    is shown as the command, and only these are left out.
    """
    script = call.script
    at = len(_GUARD) if script.startswith(_GUARD) else 0
    if not script.startswith(_ASSIGN, at):
        return None
    file = read_word(script, at + len(_ASSIGN))
    if file is None or not is_path(file[0]) or _FILE.fullmatch(file[0]) is None:
        return None
    if not script.startswith(_OPEN, file[1]) or not script.endswith(_CLOSE):
        return None
    span = Span(file[1] + len(_OPEN), len(script) - len(_CLOSE))
    inner = script[span.start : span.end]
    if not inner or inner != inner.strip(b" \t\n") + b" " * inner.endswith(b"\\ "):
        return None  # the client trims it: somebody else wrote this
    return wrapped(NAME, script, inner, span, writes=(file[0],))
