"""The operators of `${name op word}` on values that are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.syntax import patterns
from gatesh.syntax.nodes import Lit, Param, Sum, Word
from gatesh.syntax.state import hole
from gatesh.syntax.values import Array, Choice, Text

if TYPE_CHECKING:
    from gatesh.syntax.expand import Expander

# Python's engine backtracks: longer values and richer patterns count as unknown.
MAX_VALUE = 500
MAX_STARS = 3


def operate(op: str, value: Choice, arg: Word, expander: Expander, part: Param) -> Choice:
    """Return `${value op arg}`; a hole where that cannot be known."""
    unknown = hole(part.raw, one=_surely_one(value))
    if op.endswith("?") or op in ("*",):
        expander.visit(arg)
        return value
    if op == "@":
        letter = "".join(p.text for p in arg.parts if isinstance(p, Lit))
        return _transform(letter, value, expander, unknown)
    if op == ":":
        expander.sum(Sum(arg.parts, True, part.raw))  # `${x:y}` evaluates what y holds
    pattern = _pattern(arg, expander)
    if isinstance(value, Array) and all(item.known for item in value.items):
        return _slice_array(value, pattern, unknown) if op == ":" else unknown
    if value is None:
        value = ""
    if not isinstance(value, str) or pattern is None or len(value) > MAX_VALUE:
        return unknown
    if op == ":":
        return _slice(value, pattern, unknown)
    if pattern.count("*") > MAX_STARS:
        return unknown
    if op in ("#", "##", "%", "%%"):
        return _strip(op, value, pattern)
    if op[0] == "/":
        return _replace(op, value, arg, expander, unknown)
    return _case(op, value)


def _surely_one(value: Choice) -> bool:
    if isinstance(value, str):
        return False
    return isinstance(value, tuple) and all(isinstance(p, str) or p.one for p in value)


def _pattern(arg: Word, expander: Expander) -> str | None:
    """Return *arg* as a pattern in which quoted characters are escaped."""
    out: list[str] = []
    for part in arg.parts:
        if isinstance(part, Lit):
            out.append(patterns.quote(part.text) if part.quoted else part.text)
            continue
        text = expander.text(Word((part,), arg.start, arg.end))
        if not isinstance(text, str):
            return None
        out.append(patterns.quote(text) if part.quoted else text)
    return "".join(out)


def _strip(op: str, value: str, pattern: str) -> str:
    longest = len(op) == 2
    made = re.compile(patterns.regex(pattern))
    lengths = range(len(value) + 1)
    ends = reversed(lengths) if longest else lengths
    for n in ends:
        if op[0] == "#" and made.fullmatch(value, 0, n):
            return value[n:]
        if op[0] == "%" and made.fullmatch(value, len(value) - n):
            return value[: len(value) - n]
    return value


def _replace(op: str, value: str, arg: Word, expander: Expander, unknown: Text) -> Choice:
    split = _split_at_slash(arg)
    pattern = _pattern(split[0], expander)
    new = expander.text(split[1])
    if not isinstance(new, str) or pattern is None:
        return unknown
    if not pattern:
        return value
    made = patterns.regex(pattern)
    if op == "/#":
        made = r"\A" + made
    elif op == "/%":
        made += r"\Z"
    return re.sub(made, lambda _: new, value, count=0 if op == "//" else 1)


def _split_at_slash(arg: Word) -> tuple[Word, Word]:
    for at, part in enumerate(arg.parts):
        if isinstance(part, Lit) and not part.quoted and "/" in part.text:
            before, _, after = part.text.partition("/")
            return (
                Word((*arg.parts[:at], Lit(before, False)), arg.start, arg.end),
                Word((Lit(after, False), *arg.parts[at + 1 :]), arg.start, arg.end),
            )
    return arg, Word((), arg.end, arg.end)


def _slice(value: str, arg: str, unknown: Text) -> Choice:
    found = re.fullmatch(r"\s*(-?\d+)\s*(?::\s*(-?\d+)\s*)?", arg)
    if found is None:
        return unknown
    start = int(found[1])
    start = max(0, len(value) + start) if start < 0 else start
    if found[2] is None:
        return value[start:]
    length = int(found[2])
    return value[start:length] if length < 0 else value[start : start + length]


def _slice_array(value: Array, arg: str | None, unknown: Text) -> Choice:
    found = re.fullmatch(r"\s*(\d+)\s*(?::\s*(\d+)\s*)?", arg or "")
    if found is None or any(item.wild or item.glob for item in value.items):
        return unknown
    start = max(0, int(found[1]) - 1)  # "${@:2}": positions count from 1
    end = None if found[2] is None else start + int(found[2])
    return Array(value.items[start:end])


def _case(op: str, value: str) -> str:
    if op[0] == "^":
        return value.upper() if len(op) == 2 else value[:1].upper() + value[1:]
    return value.lower() if len(op) == 2 else value[:1].lower() + value[1:]


def _transform(letter: str, value: Choice, expander: Expander, unknown: Text) -> Choice:
    if not isinstance(value, str):
        return unknown
    if letter == "P" and ("$(" in value or "`" in value):
        expander.host.hidden_code(value, "a prompt string is expanded")
    if letter == "U":
        return value.upper()
    if letter == "L":
        return value.lower()
    if letter == "u":
        return value[:1].upper() + value[1:]
    return value if letter == "Q" and re.fullmatch(r"[\w./-]+", value) else unknown
