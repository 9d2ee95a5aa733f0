"""Making untrusted text safe to look at: what cannot be seen, or lies, becomes a token.

Commands, reasons, names and paths come from agents and strangers.  A terminal
that is handed them raw can be made to hide, overwrite or reorder what a person
is about to sign.  Here every control, format, bidirectional, zero-width, tag,
private-use, unassigned and look-alike-space character becomes `⟨U+202E⟩` (or
`\\x1b`, `\\n` for the ones with short names), and nothing is cut.
"""

from __future__ import annotations

import functools
import unicodedata

_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Invisible, though their category says letter, symbol or mark.
_BLANK = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159, 0x16FE4)
).union(range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_HIDDEN = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"])


@functools.lru_cache(maxsize=4096)
def _token(character: str) -> str:
    point = ord(character)
    if character == " " or 0x21 <= point < 0x7F:
        return character
    if character in _SHORT:
        return _SHORT[character]
    if point < 0x20 or point == 0x7F:
        return f"\\x{point:02x}"
    if 0xDC80 <= point <= 0xDCFF:  # a byte that was not UTF-8, as Python carries it
        return f"\\x{point - 0xDC00:02x}"
    if point in _BLANK or unicodedata.category(character) in _HIDDEN:
        return f"⟨U+{point:04X}⟩"
    return character


def visible(text: str, *, lines: bool = False) -> str:
    """Return *text* with every character that could deceive replaced by a token.

    Line breaks and tabs stay when *lines* is true (each line then has to be set
    apart by whoever prints it).

    >>> visible("rm -rf /\\r\\x1b[2Kls \\u202e")
    'rm -rf /\\\\r\\\\x1b[2Kls ⟨U+202E⟩'
    """
    if text.isascii() and text.isprintable():
        return text
    keep = ("\n", "\t") if lines else ()
    return "".join(c if c in keep else _token(c) for c in text)


def ascii_line(text: str, most: int = 200) -> str:
    """Return *text* as one plain ASCII line for an agent, at most *most* characters long.

    What is left out is counted: a request shows the whole, this is its mention.
    """
    line = "".join(c if c.isascii() else f"<U+{ord(c):04X}>" for c in visible(text))
    if len(line) <= most:
        return line
    return f"{line[:most]}... ({len(line) - most} more characters)"
