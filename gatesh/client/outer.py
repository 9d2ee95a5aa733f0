"""The caller's terminal: whether it is ours now, its modes and its size."""

import posix
import select
import stat
import termios
from fcntl import ioctl
from typing import Any

from gatesh.wire import TERMINAL

IFLAG, OFLAG, CFLAG, LFLAG, CC = 0, 1, 2, 3, 6  # places in what tcgetattr returns
FLAGS = posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC | posix.O_NONBLOCK


class Outer:
    """The terminal that *places* say is to be replaced by a new one."""

    def __init__(self, places: "tuple[int, int, int]") -> None:
        lent = places.index(TERMINAL)
        self.job_control = True
        try:
            posix.tcgetpgrp(lent)
            path = b"/dev/tty"
        except OSError:  # a terminal, but not the one that controls us
            self.job_control = False
            path = b"/proc/self/fd/%d" % lent
        # A description of our own: its O_NONBLOCK disturbs nobody.
        self.fd = posix.open(path, FLAGS)
        self.leader = posix.getsid(0) == posix.getpid()
        self.pipeline = any(
            place != TERMINAL and _is_pipe(target) for target, place in enumerate(places[:2])
        )
        # Others in the pipeline show theirs while we have the keys: it must stay readable.
        self.shared = places[1] != TERMINAL
        self.saved = termios.tcgetattr(self.fd)
        self.size = self._size()
        self.raw = False

    def foreground(self) -> bool:
        """Tell whether our group may read the terminal now."""
        if not self.job_control:
            return True
        try:
            return posix.tcgetpgrp(self.fd) == posix.getpgrp()
        except OSError:
            return False

    def hung_up(self) -> bool:
        """Tell whether there is no terminal any more."""
        poll = select.poll()
        poll.register(self.fd, 0)
        return bool(poll.poll(0))

    def make_raw(self) -> bytes:
        """Pass every key on as it is; return what had been typed, and echoed, before."""
        self.saved = termios.tcgetattr(self.fd)
        typed = b""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while self.saved[LFLAG] & termios.ICANON and poll.poll(0):
            # An empty line is a Ctrl-D; once the terminal is raw, it would be read as NUL.
            line = self.read()
            if line is None:
                break
            typed += line or self.saved[CC][termios.VEOF]
        modes = list(self.saved)
        modes[CC] = list(self.saved[CC])
        modes[IFLAG] &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR
            | termios.IGNCR | termios.ICRNL | termios.IXON | termios.IXANY
        )  # fmt: skip
        if not self.shared:
            modes[OFLAG] &= ~termios.OPOST
        modes[LFLAG] &= ~(
            termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN
        )
        modes[CFLAG] = modes[CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        modes[CC][termios.VMIN], modes[CC][termios.VTIME] = 1, 0
        termios.tcsetattr(self.fd, termios.TCSADRAIN, modes)
        self.raw = True
        if poll.poll(0):
            typed += self.read() or b""
        return typed

    def read(self) -> "bytes | None":
        """Return some keys; None when there are none after all."""
        try:
            return posix.read(self.fd, 4096)
        except BlockingIOError:
            return None

    def restore(self, modes: "list[Any] | None" = None) -> None:
        """Put the terminal back as it was, or to *modes*, if we had changed it."""
        if not self.raw:
            return
        self.raw = False
        if self.foreground():  # else whoever has it now has set it up for itself
            try:
                termios.tcsetattr(self.fd, termios.TCSADRAIN, modes or self.saved)
            except termios.error:
                pass  # hung up

    def resized(self) -> bool:
        """Tell whether the window has another size than last time; `size` is the new one."""
        before, self.size = self.size, self._size()
        return self.size != before

    def _size(self) -> bytes:
        try:
            return ioctl(self.fd, termios.TIOCGWINSZ, bytes(8))
        except OSError:
            return bytes(8)


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(posix.fstat(fd).st_mode)
    except OSError:
        return False
