"""What agents put around a command, taken off for the people who must read it.

Clients rarely hand the agent's command to the shell as it is: they source a
snapshot before, note the directory behind, wrap it in a subshell or a sandbox.
`recognise` knows these shapes, one module each, by structure: the whole script
must be what the client writes, with nothing before, behind or in between.

An agent can print the same shapes.  So recognition is for display and for the
waiting budget, and never lowers safety: the whole outer script is judged as
well as the inner command, the strictest verdict wins, and the files that a
wrapping sources (`Preamble.sources`) are code to be pinned or judged.  Nor does
`harness` prove who called: it says that the text is one that does no more than
a client's own probe, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from gatesh.syntax.agents import (
    claude_code,
    claude_sandbox,
    codex,
    gemini,
    opencode,
    snapshots,
)
from gatesh.syntax.agents.clients import UNKNOWN, Client, by_environment, mark_of
from gatesh.syntax.agents.preamble import Call, Preamble

__all__ = ["UNKNOWN", "Client", "Preamble", "by_environment", "mark_of", "recognise"]

_RECOGNISERS: tuple[Callable[[Call], Preamble | None], ...] = (
    claude_code.recognise,
    claude_sandbox.recognise,
    codex.recognise,
    gemini.recognise,
    opencode.recognise,
    snapshots.recognise,
)
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*")


def recognise(
    script: bytes,
    *,
    argv: Sequence[bytes],
    zero: bytes | None,
    positionals: Sequence[bytes],
    env: Mapping[bytes, bytes],
) -> Preamble | None:
    """Return the client's wrapping of *script* taken apart, or None.

    The arguments are those of `model.Invocation` and the environment of the
    call.  Never raises; takes time in proportion to the script.
    """
    if b"\0" in script:
        return None  # no argument can hold one
    call = Call(bytes(script), tuple(argv), zero, tuple(positionals), env)
    for recogniser in _RECOGNISERS:
        found = recogniser(call)
        if found is not None:
            return found if _honest(found, call) else None
    return None


def _honest(found: Preamble, call: Call) -> bool:
    """Say whether the wrapping means what it says in this call.

    Two things could give its plain words another meaning: `$1` in a command
    that is shown without its arguments, and an exported function that is called
    `eval` or `pwd`.
    """
    if call.positionals and found.agent != opencode.NAME:
        return False
    words = call.script if found.harness else b" ".join(found.outer_rest)
    exported = {
        name.removeprefix(b"BASH_FUNC_").removesuffix(b"%%")
        for name in call.env
        if name.startswith(b"BASH_FUNC_")
    }
    return not exported or exported.isdisjoint(_NAME.findall(words))
