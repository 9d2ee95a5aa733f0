"""What a recogniser is given, and what it may answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gatesh.model import Span


@dataclass(frozen=True, slots=True)
class Call:
    """One start of a shell as the client made it: the script and all that came along."""

    script: bytes
    argv: tuple[bytes, ...] = ()
    zero: bytes | None = None
    positionals: tuple[bytes, ...] = ()
    env: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preamble:
    """A client's wrapping, taken off.

    `inner` is the command that people care about, as the innermost shell will
    read it.  `span` is where it stands in the outer script, quotes and all, and
    `outer_rest` what stands before and after: the three are the whole script.

    `by` says who asked: `agent`, `user`, or `harness` for a call that the
    client makes for itself; then `harness` is true and `inner` the whole script.

    `sources` are what the wrapping itself takes code from: files it reads,
    programs it hands the command to, directories it puts in front of PATH.
    `writes` are the files it writes.  Whoever lets a preamble pass must still
    pin or judge the sources: an agent can write there, or print a shape that
    names its own.
    """

    agent: str
    inner: bytes
    span: Span
    harness: bool
    by: str
    outer_rest: tuple[bytes, bytes]
    sources: tuple[bytes, ...] = ()
    writes: tuple[bytes, ...] = ()


def wrapped(
    agent: str,
    script: bytes,
    inner: bytes,
    span: Span,
    *,
    by: str = "agent",
    sources: tuple[bytes, ...] = (),
    writes: tuple[bytes, ...] = (),
) -> Preamble:
    """Return the preamble of *script*, whose command stands at *span*."""
    rest = (script[: span.start], script[span.end :])
    return Preamble(agent, inner, span, False, by, rest, sources, writes)


def own_call(
    agent: str, script: bytes, *, sources: tuple[bytes, ...] = (), writes: tuple[bytes, ...] = ()
) -> Preamble:
    """Return the preamble of a call that the client makes for itself."""
    span = Span(0, len(script))
    return Preamble(agent, script, span, True, "harness", (b"", b""), sources, writes)
