r"""What backslashes mean in `$'…'`, `echo -e` and `printf` formats."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:([abeEfnrtv\\'\"?])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|x\{([0-9A-Fa-f]+)\}"
    r"|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|c(.))",
    re.DOTALL,
)
_LETTER = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r",
    "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip


def ansi_c(text: str, *, nul: bool = False) -> str:
    r"""Return what bash makes of the inside of `$'…'`.

    With *nul* a NUL is kept as one, else it ends the text as it does in bash's own strings.
    A byte above 127 that stands alone becomes U+FFFD; bytes that form UTF-8 are joined.

    >>> ansi_c(r"r\155\x20-\u0072f")
    'rm -rf'
    """
    out: list[bytes] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        out.append(text[at : found.start()].encode("utf-8", "surrogatepass"))
        at = found.end()
        letter, octal, hexa, braced, small, large, control = found.groups()
        if letter is not None:
            piece = _LETTER[letter].encode()
        elif octal is not None:
            piece = bytes([int(octal, 8) & 0xFF])
        elif hexa is not None or braced is not None:
            piece = bytes([int(hexa or braced[-2:], 16)])
        elif control is not None:
            piece = bytes([ord(control) & 0x1F]) if control.isascii() else control.encode()
        else:
            code = int(small or large, 16)
            valid = code < 0x110000 and not 0xD800 <= code < 0xE000
            piece = (chr(code) if valid else "\ufffd").encode()
        if piece == b"\0" and not nul:  # bash ends the string here
            at = len(text)
            break
        out.append(piece)
    out.append(text[at:].encode("utf-8", "surrogatepass"))
    return b"".join(out).decode("utf-8", "replace")


def echo_e(text: str) -> str:
    r"""Return what `echo -e` and `printf %b` make of *text* (octal there is `\0ooo`)."""
    text = text.split("\\c", 1)[0]
    return ansi_c(re.sub(r"\\0([0-7]{1,3})", r"\\\1", text), nul=True)
