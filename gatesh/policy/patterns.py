"""Patterns: RE2, how one may be written, and one `Set` for many.

RE2 is linear in the text whatever the pattern, so a rule author cannot hang
the gate and neither can the line being judged.  `.` matches newlines too: an
argument that contains one must not hide what follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import re2

# A `Set` that runs out of memory while matching answers "nothing matched".
# 64 MiB is six times what 5,000 rules need.
MAX_MEM = 64 << 20
# One pattern alone gets by with RE2's own default.
ONE_MEM = 8 << 20
LONGEST = 4096  # characters of one pattern
# Matches every text.  Its absence from an answer means the engine gave up.
_CANARY = "(?s)."


class BadPattern(ValueError):
    """RE2 refuses the pattern; the message says why and what to write instead."""


class EngineFailed(Exception):
    """RE2 could not answer.  Whoever asked must not read that as "no match"."""


def _options(memory: int) -> Any:
    options = re2.Options()
    options.max_mem = memory
    options.dot_nl = True
    options.log_errors = False
    return options


_OPTIONS = _options(MAX_MEM)
_ALONE = _options(ONE_MEM)

# What people bring from other engines, and what to write here.
_HINTS = (
    ("(?=", "there is no lookahead; describe what may follow, or use `except:`"),
    ("(?!", "there is no lookahead; use `except:`"),
    ("(?<=", "there is no lookbehind; describe what comes before, or use `except:`"),
    ("(?<!", "there is no lookbehind; use `except:`"),
    ("(?>", "there are no atomic groups; matching is linear anyway, write (?:…)"),
    ("(?x", "there is no verbose mode; split the pattern into a list"),
    ("(?P=", "there are no backreferences; write the alternatives out"),
    ("\\Z", "write \\z or $ for the end of the text"),
    ("\\h", "write [ \\t] for a blank"),
    ("bad repetition operator", "there are no possessive quantifiers; drop the last +, ? or *"),
    ("invalid repetition size", "a repetition may not exceed {1000}"),
    ("missing )", "a parenthesis is not closed; write \\( for a literal one"),
    ("missing ]", "a bracket is not closed; write \\[ for a literal one"),
)


@lru_cache(maxsize=8192)  # RE2's own cache holds 128
def compile(pattern: str) -> Any:
    """Return *pattern* compiled by RE2; raise `BadPattern` when it cannot be used."""
    if not pattern:
        raise BadPattern("is empty, which would match everything; say what it should match")
    if len(pattern) > LONGEST:
        raise BadPattern(f"is longer than {LONGEST} characters; split it into a list")
    try:
        return re2.compile(pattern, options=_ALONE)
    except UnicodeEncodeError:
        raise BadPattern("contains a lone surrogate, which is not text") from None
    except re2.error as problem:
        said = problem.args[0] if problem.args else b"refused"
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise BadPattern(f"RE2 refuses it ({words}){_hint(pattern, words)}") from None


def escape(text: str) -> str:
    """Return a pattern that matches exactly *text*."""
    return str(re2.escape(text))


def _hint(pattern: str, words: str) -> str:
    if words.startswith("invalid escape sequence: \\") and words[-1].isdigit():
        return "; there are no backreferences; write the alternatives out"
    for mark, hint in _HINTS:
        if mark in words or (mark[0] in "(\\" and mark in pattern):
            return f"; {hint}"
    return ""


class PatternSet:
    """Many patterns, matched in one pass.

    `match` returns the values whose patterns occur in the text, once each, in
    the order they were given.
    """

    __slots__ = ("_owners", "_set")

    def __init__(self, patterns: Iterable[tuple[str, int]]) -> None:
        """Compile (pattern, owner) pairs; raise `EngineFailed` if they do not fit."""
        self._owners: list[int] = [-1]
        self._set = re2.Set.SearchSet(_OPTIONS)
        try:
            self._set.Add(_CANARY)
            for pattern, owner in patterns:
                self._set.Add(pattern)
                self._owners.append(owner)
            self._set.Compile()
        except re2.error as problem:
            raise EngineFailed(f"the rules do not fit into RE2: {problem}") from None

    def match(self, text: bytes) -> Sequence[int]:
        """Return the owners whose patterns occur in *text* (UTF-8); `EngineFailed` if unsure."""
        if not text:
            return ()
        hits = self._set.Match(text)
        if hits is None or 0 not in hits:
            raise EngineFailed("RE2 did not find what is always there")
        if len(hits) == 1:
            return ()
        owners = self._owners
        return sorted({owners[hit] for hit in hits if hit})
