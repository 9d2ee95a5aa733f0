"""Collecting subjects, with limits that end in an `opaque` finding."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import accumulate

from gatesh.model import CodeFile, Kind, Span, Subject

MAX_SUBJECTS = 4_000
MAX_SIZE = 8_000_000  # characters of all subjects
MAX_COMMANDS = 6_000  # simple commands followed, loops and calls included


# kind, text, span in characters, also, inside, program, detail
Key = tuple[Kind, str, tuple[int, int], tuple[str, ...], tuple[str, ...], str, str]


class Exhausted(Exception):
    """The line would take more work to follow than a line may."""


class Collector:
    """Subjects in the order they were found, without repetitions."""

    def __init__(self) -> None:
        self.found: dict[Key, None] = {}
        self.files: dict[str, CodeFile] = {}
        self.commands = 0
        self.size = 0
        self.budget = [0]  # what is left for reading nested texts, shared with the readers

    def step(self) -> None:
        """Count one simple command."""
        self.commands += 1
        if self.commands > MAX_COMMANDS:
            raise Exhausted(f"more than {MAX_COMMANDS} commands")

    def add(self, key: Key) -> None:
        """Add one subject, unless it is known; spans count characters of the outermost script."""
        if key not in self.found:
            self.size += len(key[1])
            if key[0] is not Kind.FINDING:
                if len(self.found) >= MAX_SUBJECTS:
                    raise Exhausted(f"more than {MAX_SUBJECTS} subjects")
                if self.size > MAX_SIZE:
                    raise Exhausted(f"more than {MAX_SIZE} characters of subjects")
            self.found[key] = None

    def finding(self, word: str, span: tuple[int, int], detail: str) -> None:
        """Add a finding about the script as a whole."""
        self.add((Kind.FINDING, word, span, (), (), "", detail))

    def subjects(self, script: bytes) -> tuple[Subject, ...]:
        """Return the subjects, their spans counted in bytes of *script*."""
        where = None if script.isascii() else [0, *accumulate(_widths(script))]
        out = []
        for kind, text, span, also, inside, program, detail in self.found:
            start, end = span
            if where is not None:
                start = where[min(start, len(where) - 1)]
                end = where[min(end, len(where) - 1)]
            out.append(Subject(kind, text, Span(start, end), also, inside, program, detail))
        return tuple(out)


def _widths(script: bytes) -> Iterator[int]:
    """Yield how many bytes each character of `script.decode("utf-8", "replace")` stands for."""
    for c in script.decode("utf-8", _WIDTH):
        yield ord(c) - 0xD800 if "\ud800" < c < "\ud804" else len(c.encode())


def _width(bad: UnicodeError) -> tuple[str, int]:
    """Put a surrogate where `replace` puts U+FFFD: it says how many bytes, 1 to 3, are meant."""
    assert isinstance(bad, UnicodeDecodeError)
    return chr(0xD800 + bad.end - bad.start), bad.end


_WIDTH = "gatesh-width"
codecs.register_error(_WIDTH, _width)
