"""Claude Code (recorded with 2.1.197).

    source SNAPSHOT 2>/dev/null || true && shopt -u extglob 2>/dev/null || true
        && eval 'COMMAND' < /dev/null && pwd -P >| CWDFILE

on one line.  Without a snapshot the first part is missing, with a
here-document `< /dev/null` is; in prefix mode the `shopt` part also speaks zsh.
"""

from __future__ import annotations

import re

from gatesh.model import Span
from gatesh.syntax.agents.preamble import Call, Preamble, own_call, wrapped
from gatesh.syntax.agents.quoting import is_path, read_word

NAME = "claude-code"

_SNAPSHOT = re.compile(rb".+/shell-snapshots/snapshot-(?:bash|zsh)-[0-9]+-[a-z0-9]+\.sh")
_CWDFILE = re.compile(rb".+/(?:claude-[0-9a-f]+-cwd|claude-[0-9]+/cwd-[0-9a-f]+)")
_SOURCED = b" 2>/dev/null || true && "
_OPTIONS = (
    b"shopt -u extglob 2>/dev/null || true && eval ",
    b"{ shopt -u extglob || setopt NO_EXTENDED_GLOB NO_BARE_GLOB_QUAL; } >/dev/null 2>&1"
    b" || true && eval ",
)
_STDIN = b" < /dev/null"
_TRAILER = b" && pwd -P >| "
_HARNESS = re.compile(rb"claude-code_[0-9A-Za-z.-]+_harness")


def recognise(call: Call) -> Preamble | None:
    """Take off the wrapper of a command, or know the probe of the environment."""
    if call.script == b"env":
        # `env` is what anybody might type; only the mark of the harness, which
        # anybody might set too, tells them apart.  It changes nothing but a word.
        mark = call.env.get(b"AI_AGENT", b"")
        return own_call(NAME, call.script) if _HARNESS.fullmatch(mark) else None
    return unwrap(call.script)


def unwrap(script: bytes) -> Preamble | None:
    """Read *script* as the wrapper, all of it."""
    at = 0
    sources: tuple[bytes, ...] = ()
    if script.startswith(b"source "):
        snapshot = read_word(script, len(b"source "))
        if snapshot is None or not _known(snapshot[0], _SNAPSHOT):
            return None
        sources, at = (snapshot[0],), snapshot[1]
        if not script.startswith(_SOURCED, at):
            return None
        at += len(_SOURCED)
    options = next((o for o in _OPTIONS if script.startswith(o, at)), None)
    if options is None:
        return None
    at += len(options)
    command = read_word(script, at)
    if command is None:
        return None
    span, at = Span(at, command[1]), command[1]
    if script.startswith(_STDIN, at):
        at += len(_STDIN)
    if not script.startswith(_TRAILER, at):
        return None
    cwdfile = read_word(script, at + len(_TRAILER))
    if cwdfile is None or cwdfile[1] != len(script) or not _known(cwdfile[0], _CWDFILE):
        return None
    return wrapped(NAME, script, command[0], span, sources=sources, writes=(cwdfile[0],))


def _known(path: bytes, shape: re.Pattern[bytes]) -> bool:
    # Anywhere else, the wrapper would read or overwrite a file of the agent's
    # choosing behind the command that people are shown.
    return is_path(path) and shape.fullmatch(path) is not None
