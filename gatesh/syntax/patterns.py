"""Shell patterns as regular expressions, for `${x#…}`, `${x/…}` and globs."""

from __future__ import annotations

import re

_CLASS = re.compile(r"\[([!^]?)(\]?(?:\[:[a-z]+:\]|[^\]])*)\]")
_NAMED = {
    "alpha": "A-Za-z", "digit": "0-9", "alnum": "A-Za-z0-9", "upper": "A-Z", "lower": "a-z",
    "space": r"\s", "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "word": r"\w",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip


def regex(pattern: str, *, greedy: bool = True, path: bool = False) -> str:
    """Return the regular expression of a shell pattern; with *path*, `*` stops at a slash.

    A backslash takes the meaning of the next character away.
    """
    out: list[str] = []
    any_one = "[^/]" if path else "."
    at = 0
    while at < len(pattern):
        c = pattern[at]
        if c == "*":
            while pattern[at : at + 1] == "*":  # several say what one says, and cost more
                at += 1
            out.append(any_one + ("*" if greedy else "*?"))
            continue
        if c == "?":
            out.append(any_one)
        elif c == "[" and (found := _CLASS.match(pattern, at)) is not None:
            out.append(_bracket(found))
            at = found.end()
            continue
        elif c == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(c))
        at += 1
    return "(?s:" + "".join(out) + ")"


def _bracket(found: re.Match[str]) -> str:
    inner = re.sub(
        r"\[:([a-z]+):\]|([\[\]\\^&~|])",
        lambda m: _NAMED.get(m[1], "") if m[1] else "\\" + m[2],
        found[2],
    )
    made = "[" + ("^" if found[1] else "") + inner + "]"
    try:
        re.compile(made)
    except re.error:
        return "."
    return made


def quote(text: str) -> str:
    """Return *text* as a pattern that matches only itself."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
