"""The ways in which clients quote, read strictly.

A reader takes one word that cannot mean anything but itself: no substitution,
glob or tilde is left active, and no quote ends early.  What it returns is what
bash makes of the word, not what the client may have meant.
"""

from __future__ import annotations

import re

# Possessive (*+, ++) where a text that does not fit must be given up at once.
_PLAIN = re.compile(rb"[A-Za-z0-9_@%+=:,./-]+")
_SINGLE = re.compile(rb"'[^']*'(?:\"'\"'[^']*')*")
_DOUBLE = re.compile(rb'"(?:[^"\\$`]++|\\["\\$`!])*+"')
_BARE = re.compile(rb"(?:[A-Za-z0-9_%+./-]++|\\[#!$&()*,:;<=>?@\[\\\]^`{|}])++")
_PACKED = re.compile(rb"'(?:[^'\\]++|\\\\)*+'")
_ACTIVE = frozenset(b"$`\\\"'*?[](){}<>|&;!#~")
_BLANK = re.compile(rb'["\s]')
_ESCAPE = re.compile(rb"\\([\"\\$`])")


def single(text: bytes) -> bytes:
    r"""Return *text* in single quotes, as codex and Python's `shlex` write it.

    >>> print(single(b"it's").decode())
    'it'"'"'s'
    """
    return b"'" + text.replace(b"'", b"'\"'\"'") + b"'"


def read_single(script: bytes, at: int) -> tuple[bytes, int] | None:
    r"""Read what `single` wrote at *at*; return the text and where it ends.

    >>> read_single(b"eval 'a b' x", 5)
    (b'a b', 10)
    """
    match = _SINGLE.match(script, at)
    if match is None:
        return None
    return match[0][1:-1].replace(b"'\"'\"'", b"'"), match.end()


def read_word(script: bytes, at: int) -> tuple[bytes, int] | None:
    """Read a text that is single-quoted, or needs no quotes and has none."""
    if (match := _PLAIN.match(script, at)) is not None:
        return match[0], match.end()
    return read_single(script, at)


def read_double(script: bytes, at: int) -> tuple[bytes, int] | None:
    r"""Read a double-quoted text in which nothing is left to expand.

    >>> read_double(b'"a \\"b\\" \\$c"', 0)
    (b'a "b" $c', 13)
    >>> read_double(b'"$(id)"', 0) is None
    True
    """
    match = _DOUBLE.match(script, at)
    # bash keeps the backslash of \! in double quotes, so it stays here too.
    return (_ESCAPE.sub(rb"\1", match[0][1:-1]), match.end()) if match else None


def read_argument(script: bytes, at: int) -> tuple[bytes, int] | None:
    r"""Read one word as the npm package shell-quote writes it.

    In double quotes if it has a single quote, in single quotes if it has a blank
    or a double quote, and with backslashes otherwise; never a mixture, and with
    no backslash more than needed.  (Only `!` is taken with or without: the package
    escapes it where bash keeps the backslash, so each layer adds some.)

    >>> read_argument(b"http\\://h\\:1 x", 0)
    (b'http://h:1', 12)
    """
    match script[at : at + 1]:
        case b"'":
            packed = _PACKED.match(script, at)
            if packed is None or not _BLANK.search(packed[0]):
                return None
            return packed[0][1:-1], packed.end()
        case b'"':
            double = read_double(script, at)
            if double is None or b"'" not in double[0]:
                return None
            return double
    bare = _BARE.match(script, at)
    return (re.sub(rb"\\(.)", rb"\1", bare[0]), bare.end()) if bare else None


def read_arguments(script: bytes) -> list[tuple[bytes, int, int]] | None:
    """Read *script* as words parted by single spaces: (text, start, end) of each."""
    words = []
    at = 0
    while (word := read_argument(script, at)) is not None:
        words.append((word[0], at, word[1]))
        at = word[1]
        if at == len(script):
            return words
        if script[at : at + 1] != b" ":
            return None
        at += 1
    return None


def is_path(text: bytes) -> bool:
    """Say whether *text* is an absolute path that only goes down.

    >>> is_path(b"/home/me/x.sh"), is_path(b"/tmp/../etc/x"), is_path(b"/tmp/$(id)")
    (True, False, False)
    """
    if not text.startswith(b"/") or any(c < 0x20 or c == 0x7F for c in text):
        return False
    return not {b"", b".", b".."} & set(text.split(b"/")[1:]) and not _ACTIVE & set(text)
