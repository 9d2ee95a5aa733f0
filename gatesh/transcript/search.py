"""Searching what commands printed: on which stream, in which line, when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import re2

from gatesh.transcript.player import play

Matches = Callable[[str], bool]

# Colours and the like stand in the middle of words; nobody searches for them.
_UNSEEN: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_LONGEST: Final = 1 << 16  # bytes of a line that are looked at together


@dataclass(frozen=True, slots=True)
class Found:
    """A line that matched.

    `line` counts from 1 on its stream; None behind a part that was not kept, where nobody
    knows.  `at` is when its first byte came, in seconds since the command began.
    """

    stream: str
    line: int | None
    at: float
    text: str


def matcher(pattern: str) -> Matches:
    """Return what tells whether a text matches the RE2 *pattern*.

    Without a capital letter in it, case does not matter.  Raises ValueError.
    """
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = pattern != pattern.lower()
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as problem:
        said = problem.args[0] if problem.args else problem
        raise ValueError(
            said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        ) from None
    return lambda text: compiled.search(text) is not None


def search(
    streams: Mapping[str, Any], blob: Callable[[str], bytes], matches: Matches
) -> Iterator[Found]:
    """Yield each line of what was recorded that *matches*; *blob* returns bytes by digest."""
    lines = {name: _Lines(name) for name in streams if name != "timing"}
    for chunk in play(streams, blob):
        stream = lines[chunk.stream]
        for found in stream.gap(chunk.at) if chunk.gap else stream.take(chunk.at, chunk.data):
            if matches(found.text):
                yield found
    for stream in lines.values():
        for found in stream.rest():
            if matches(found.text):
                yield found


class _Lines:
    """The lines of one stream, as its chunks come."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.number: int | None = 1
        self.begun, self.at = b"", 0.0

    def take(self, at: float, data: bytes) -> Iterator[Found]:
        if not self.begun:
            self.at = at
        *whole, last = (self.begun + data).split(b"\n")
        for line in whole:
            yield self._line(line)
            self.number = None if self.number is None else self.number + 1
            self.at = at
        self.begun = last
        if len(self.begun) > _LONGEST:
            yield from self.rest()

    def gap(self, at: float) -> Iterator[Found]:
        yield from self.rest()
        self.number, self.at = None, at

    def rest(self) -> Iterator[Found]:
        if self.begun:
            yield self._line(self.begun)
        self.begun = b""

    def _line(self, line: bytes) -> Found:
        if b"\x1b" in line:
            line = _UNSEEN.sub(b"", line)
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        return Found(self.stream, self.number, self.at, text)
