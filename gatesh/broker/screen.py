"""What a typed session shows: passed on and recorded, without the marks of its shell.

The shell's report stands among what its commands show, so the record of a command ends
exactly there.  What follows a report up to the end of a line that is not ended is, when
the shell is back, its prompt: held back, so that E can show it once it is ready for keys.
"""

from __future__ import annotations

import fcntl
import io
import os
import termios
import time
from collections.abc import Callable

from gatesh.broker.relay import Relay
from gatesh.transcript.recorder import Recorder

LINE = 4096  # bytes of an unfinished line that are remembered
MOST = 1 << 16  # bytes of a mark
NAMES = b"\x1b]633;E;"
HELD_S = 0.05  # for how long what may be a prompt is held back,
SURE_S = 2.0  # and once the shell has said that the command is over


class Screen(Relay):
    """The terminal of a session.  *told* is called with what stands in each mark, at once."""

    begins = ends = b""
    shell = 0
    between = False  # two commands: what comes next is a prompt
    mute = True  # for a prompt that nobody is to see: the first one comes before the start-up files
    told: Callable[[bytes], None]

    def __init__(
        self,
        letter: str,
        sink: int,
        recorder: Recorder,
        broken: Callable[[OSError], None],
        source: int | None = None,
        lifeline: int | None = None,
    ) -> None:
        super().__init__(letter, sink, recorder, broken, source, lifeline)
        self.part = b""  # of a mark
        self.tail = b""  # held back
        self.line = b""  # shown since the last newline
        self.since = 0.0
        # Closed with the last who knows it: children may write after the session's end.
        self.news = io.FileIO(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        self.told = lambda _: None
        self.command: bytes | None = None  # typed, for a terminal that wants to know
        self.naming = b""  # the beginning of what names it

    def _pass_on(self, data: memoryview) -> bool:
        rest = self.part + bytes(data)
        self.part = b""
        going = True
        while going and rest:
            before, mark, after = rest.partition(self.begins) if self.begins else (rest, b"", b"")
            if not mark:
                self.part = _beginning(rest, self.begins)
                return self._line(rest[: len(rest) - len(self.part)])
            told, end, after = after.partition(self.ends)
            if not end and len(told) < MOST:
                self.part = mark + told
                return self._line(before)
            going = self._line(before) and self._flush()
            self.told(told)
            self._ring()
            rest = after
        return going

    def _line(self, data: bytes) -> bool:
        """Show *data*, but for an unfinished line that the shell itself may have written."""
        data, self.tail = self.tail + data, b""
        if not data or self.mute:
            return True  # it is nothing but prompts
        at = data.rfind(b"\n") + 1
        if at < len(data) and len(data) - at <= LINE and self._in_front():
            data, self.tail = data[:at], data[at:]
            self.since = time.monotonic()
            self._ring()
        return self._show(data)

    def _show(self, data: bytes) -> bool:
        if self.command is not None or self.naming:
            data = self._named(data)
        if not data:
            return True
        self.line = (self.line + data).rpartition(b"\n")[2][-LINE:]
        return super()._pass_on(memoryview(data))

    def _named(self, data: bytes) -> bytes:
        """Return *data* with the command as it was typed, where the shell names it (OSC 633 ; E).

        VS Code's script asks bash for it, and bash knows of our own line only.
        """
        data, self.naming = self.naming + data, b""
        before, mark, after = data.partition(NAMES)
        told, end, rest = after.partition(b"\x07")
        if self.command is None:
            return data
        if end:
            _, semicolon, nonce = told.rpartition(b";")
            name, self.command = _escaped(self.command), None
            return before + mark + name + semicolon + nonce + end + rest
        if mark and len(told) < MOST:
            self.naming = mark + told
            return before
        self.naming = b"" if mark else _beginning(data, NAMES)
        return data[: len(data) - len(self.naming)]

    def _flush(self) -> bool:
        tail, self.tail = self.tail, b""
        return self._show(tail)

    def _end(self) -> None:
        # Nobody writes any more: what was held back was no prompt.
        self.tail, self.part = self.tail + self.part, b""
        self._flush()
        super()._end()

    def _in_front(self) -> bool:
        """Tell whether the shell itself has the terminal, and none of its jobs or E."""
        try:
            found = fcntl.ioctl(self.source, termios.TIOCGPGRP, bytes(4))
        except OSError:
            return False
        return int.from_bytes(found, "little") == self.shell

    def _ring(self) -> None:
        os.eventfd_write(self.news.fileno(), 1)

    # ---- for the session's own thread -------------------------------------------------

    def settle(self) -> None:
        """Show what has been held back for too long to be a prompt."""
        with self.busy:
            patience = SURE_S if self.between else HELD_S
            if self.tail and time.monotonic() - self.since > patience and not self.ended.is_set():
                self._flush()

    def prompt(self) -> tuple[bytes, bool]:
        """Return the unfinished line of a shell that is back, and whether it is shown already."""
        with self.busy:
            tail, self.tail = self.tail, b""
            return (tail, False) if tail else (self.line, True)

    def emit(self, data: bytes) -> None:
        """Record and show *data*, words of our own."""
        with self.busy:
            if not self.ended.is_set():
                self._flush()
                self._show(data)


def _escaped(command: bytes) -> bytes:
    """Return *command* as VS Code's script would spell it.

    >>> _escaped(b"a; b\\n")
    b'a\\\\x3b b\\\\x0a'
    """
    return b"".join(
        b"\\\\"
        if byte == 0x5C
        else b"\\x%02x" % byte
        if byte < 32 or byte == 0x3B
        else bytes([byte])
        for byte in command
    )


def _beginning(data: bytes, mark: bytes) -> bytes:
    """Return the end of *data* that may be the beginning of *mark*."""
    at = data.rfind(mark[:1], max(0, len(data) - len(mark) + 1)) if mark else -1
    return data[at:] if at >= 0 and mark.startswith(data[at:]) else b""
