"""What the commands before may have left behind in a session's shell, as text.

`alias g=git` and then `g push --force`; `x=sudo` and then `$x true`: the second line
alone says nothing.  So it is read behind those that may have defined something, and
what only both together would do counts as its doing.
"""

from __future__ import annotations

import re

_DEFINES = re.compile(
    rb"\w(\[[^\]\n]*\])?\+?=|\(\)|\(\(|\$'|\$\{[^}\n]*="
    rb"|\b(alias|unalias|read|mapfile|readarray|getopts|export|declare|typeset|readonly|source|eval"
    rb"|set|shopt|hash|enable|unset|trap|for|select|coproc|let|function|printf|builtin|command)\b"
    rb"|(^|[\s;&|({!])\.\s"
)


class Earlier:
    """The commands of one session that may have defined something, oldest first.

    >>> earlier = Earlier()
    >>> for text in (b"x=sudo", b"ls -l", b"f() { ls; }", b"x=sudo"):
    ...     earlier.add(text)
    >>> earlier.text
    b'f() { ls; }\\nx=sudo\\n'
    """

    def __init__(self, text: bytes = b"") -> None:
        self._texts: dict[bytes, None] = {text: None} if text else {}
        self.text = text

    def add(self, text: bytes) -> None:
        """Note that *text* has run."""
        # Without quotes: `re\ad x` and `"read" x` read as well.
        if not _DEFINES.search(text.translate(None, b"'\"\\")):
            return
        self._texts.pop(text, None)
        self._texts[text] = None
        self.text = b"".join(one + b"\n" for one in self._texts)
