"""Recorded output for a terminal: what only shows stays, what would make it act is left out."""

from __future__ import annotations

import re
from typing import BinaryIO, Final

# Sequences that make a terminal answer, print, reset, or change its title, clipboard or alphabet.
# 8-bit controls (here as UTF-8) begin the same ones.
_ACTING: Final = re.compile(
    rb"\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[cinpqtux]|\x1b[Zc]"
    rb"|[\x05\x0e\x0f]|\xc2[\x80-\x9f]"
)
_BEGUN: Final = re.compile(rb"(?:\x1b(?:\[[0-?]*[ -/]*)?|\xc2)\Z")
_LONGEST: Final = 256  # bytes of a sequence that is waited for


class Calm:
    """Writes to *out*, calmed when it is a terminal, else byte for byte.

    A sequence may come in two writes: its beginning is held back until it is whole.
    """

    def __init__(self, out: BinaryIO, *, raw: bool = False) -> None:
        self.out = out
        self.calms = not raw and out.isatty()
        self.begun = b""

    def write(self, data: bytes) -> None:
        """Write *data* at once, but for what may become a sequence."""
        self.out.write(self.calmed(data) if self.calms else data)
        self.out.flush()

    def calmed(self, data: bytes) -> bytes:
        """Return what of *data*, and of what was held back before, can be shown now.

        >>> calm = Calm(__import__("io").BytesIO())
        >>> calm.calmed(b"a\\x1b"), calm.calmed(b"]0;title\\x07b"), calm.calmed(b"\\x1b[1mc")
        (b'a', b'b', b'\\x1b[1mc')
        """
        calm = _ACTING.sub(b"", self.begun + data)
        found = _BEGUN.search(calm)
        self.begun = b"" if found is None else found[0][:_LONGEST]
        return calm if found is None else calm[: found.start()]
