"""Brace expansion: `{a,b}` and `{1..3}`, before anything else is expanded."""

from __future__ import annotations

import re

from gatesh.syntax.nodes import Lit, Part, Word

MAX_BRACES = 60  # in one word; each is searched for its partner
MAX_WORDS = 256  # more words from one word are not expanded; the word counts as unknown

_RANGE = re.compile(r"(-?[0-9]{1,9})\.\.(-?[0-9]{1,9})(?:\.\.(-?[0-9]{1,9}))?$")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?[0-9]{1,9}))?$")


class TooMany(Exception):
    """The braces make more words than are worth looking at."""


def expand(word: Word) -> list[tuple[Part, ...]]:
    """Return the parts of every word that *word* becomes; raise `TooMany`."""
    items = _split(word.pieces())
    if items.count("{") > MAX_BRACES:
        raise TooMany
    return [tuple(_merge(made)) for made in _expand(items)]


def has_braces(parts: tuple[Part, ...]) -> bool:
    """Whether brace expansion could do anything to a word of *parts*."""
    return any(isinstance(p, Lit) and not p.quoted and "{" in p.text for p in parts)


def _split(parts: tuple[Part, ...]) -> list[str | Part]:
    """Flatten to single unquoted brace characters, and everything else."""
    items: list[str | Part] = []
    for part in parts:
        if isinstance(part, Lit) and not part.quoted:
            items += [
                piece if piece in "{,}" else Lit(piece, False)
                for piece in re.split(r"([{},])", part.text)
                if piece
            ]
        else:
            items.append(part)
    return items


def _merge(items: list[str | Part]) -> list[Part]:
    out: list[Part] = []
    for item in items:
        lit = Lit(item, False) if isinstance(item, str) else item
        if out and isinstance(lit, Lit) and not lit.quoted:
            last = out[-1]
            if isinstance(last, Lit) and not last.quoted:
                out[-1] = Lit(last.text + lit.text, False)
                continue
        out.append(lit)
    return out


def _expand(items: list[str | Part]) -> list[list[str | Part]]:
    for at, item in enumerate(items):
        if item != "{":
            continue
        found = _alternatives(items, at)
        if found is None:
            continue
        alternatives, close = found
        rest = _expand(items[close + 1 :])
        middle = [made for alternative in alternatives for made in _expand(alternative)]
        if len(rest) * len(middle) > MAX_WORDS:
            raise TooMany
        return [[*items[:at], *m, *r] for m in middle for r in rest]
    return [items]


def _alternatives(items: list[str | Part], start: int) -> tuple[list[list[str | Part]], int] | None:
    """Return what stands between the brace at *start* and its partner, and where that is."""
    level = 0
    found: list[list[str | Part]] = [[]]
    for at in range(start + 1, len(items)):
        item = items[at]
        if item == "}" and level == 0:
            if len(found) > 1:
                return found, at
            made = _range(found[0])
            return (made, at) if made is not None else None
        if item == "," and level == 0:
            found.append([])
            continue
        level += (item == "{") - (item == "}")
        found[-1].append(item)
    return None


def _range(items: list[str | Part]) -> list[list[str | Part]] | None:
    if len(items) != 1 or not isinstance(items[0], Lit) or items[0].quoted:
        return None
    text = items[0].text
    if (found := _RANGE.match(text)) is not None:
        first, last = int(found[1]), int(found[2])
        width = max(len(found[1]), len(found[2])) if re.match(r"-?0[0-9]", text) else 0
        return [[Lit(f"{n:0{width}}", False)] for n in _count(first, last, found[3])]
    if (found := _LETTERS.match(text)) is not None:
        return [[Lit(chr(n), False)] for n in _count(ord(found[1]), ord(found[2]), found[3])]
    return None


def _count(first: int, last: int, step: str | None) -> range:
    by = abs(int(step or 1)) or 1
    numbers = range(first, last + 1, by) if first <= last else range(first, last - 1, -by)
    if len(numbers) > MAX_WORDS:
        raise TooMany
    return numbers
