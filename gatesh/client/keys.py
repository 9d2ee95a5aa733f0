"""What W does while the command runs: keys in, signals both ways, stops and continues."""

import _signal
import posix
import select
import termios
from _socket import socket
from fcntl import ioctl

from gatesh.client.outer import CC, LFLAG, OFLAG, Outer
from gatesh.client.run import Canary, nothing
from gatesh.wire import SIGNAL, WireError, receive, send, u32

AHEAD = 1 << 16  # keys taken from the caller that the new terminal has not taken
WANTS = (_signal.SIGTTIN, _signal.SIGTTOU)


class Keys:
    """One command on the terminal *master*; *pair* leads to its monitor."""

    def __init__(
        self,
        sock: socket,
        pair: socket,
        master: int,
        outer: Outer,
        canary: Canary,
        watched: "list[int]",
        woken: int,
        *,
        session: bool = False,
    ) -> None:
        self.sock = sock
        self.pair = pair
        self.master = master
        self.outer = outer
        self.canary = canary
        self.watched = watched
        self.woken = woken
        self.session = session
        self.shell = 0
        self.typed = b""
        self.given = list(outer.saved)
        self.plain = False  # the new terminal's output processing is off, the caller's does it
        self.hung_up = False
        self.alone = False  # the broker is gone
        # In a pipeline others read the terminal too: only when the shell wants it.
        self.wants = not outer.pipeline or _signal.getsignal(WANTS[0]) == _signal.SIG_IGN
        self.poll = select.poll()

    # ---- the life of the command --------------------------------------------------

    def start(self) -> None:
        """Set the terminal up like the caller's and start the shell on it."""
        posix.set_blocking(self.master, False)
        termios.tcsetattr(self.master, termios.TCSANOW, self.given)
        ioctl(self.master, termios.TIOCSWINSZ, self.outer.size)
        front = self._take_terminal()
        self._tell(b"g" + bytes([front]))  # which is also an r
        told = self.pair.recv(16)
        if told[:1] != b"p":
            raise OSError("the command's terminal could not be set up")
        self.shell = int.from_bytes(told[1:5], "big")
        send(self.sock, b"P", u32(self.shell))

    def wait(self) -> "tuple[int, int]":
        """Return how the shell ended."""
        for fd in (self.woken, self.sock.fileno(), self.pair.fileno()):
            self.poll.register(fd, select.POLLIN)
        while True:
            self._register()
            for fd, event in self.poll.poll():
                if fd == self.woken:
                    self._signals()
                elif fd == self.pair.fileno():
                    told = self._told()
                    if told[:1] == b"e":
                        return told[1], told[2]
                    if told[:1] != b"t":
                        return self._without_monitor()
                    self._stopped(told[1])
                elif fd == self.sock.fileno():
                    self._broker()
                elif fd == self.master:
                    self._type()
                elif event & (select.POLLHUP | select.POLLERR):
                    self._hang_up()
                else:
                    self._keys()

    def _tell(self, order: bytes) -> None:
        try:
            self.pair.send(order)
        except OSError:
            pass  # the shell has just ended, and M with it: its last word waits for us

    def _told(self) -> bytes:
        try:
            return self.pair.recv(16)
        except ConnectionResetError:
            # M has left with an order of ours unread; what it said before is still there.
            return self.pair.recv(16)

    def hand_back(self) -> None:
        """Give the caller its terminal: as it was, or as the command has left its own."""
        try:
            left = termios.tcgetattr(self.master)
        except termios.error:
            return self.outer.restore()
        if self.plain:
            left[OFLAG] |= termios.OPOST
        else:
            self._process_output(False)  # what children in the background still show
        # `stty -echo` as a command of its own is meant for those that come after it.
        self.outer.restore(left if left != self.given else None)

    def _register(self) -> None:
        if not self.hung_up:
            reads = self.outer.raw and len(self.typed) < AHEAD
            self.poll.register(self.outer.fd, select.POLLIN if reads else 0)
        if self.typed and not self.hung_up:
            self.poll.register(self.master, select.POLLOUT)
        else:
            try:
                self.poll.unregister(self.master)
            except KeyError:
                pass

    def _without_monitor(self) -> "tuple[int, int]":
        try:
            posix.kill(self.shell, _signal.SIGKILL)
        except ProcessLookupError:
            pass
        return SIGNAL, _signal.SIGKILL

    def _broker(self) -> None:
        try:
            frame = receive(self.sock)
        except (OSError, WireError):
            frame = None
        if frame is None:
            # Nobody records any more: what cannot be recorded does not go on.
            self.alone = True
            self.poll.unregister(self.sock.fileno())
            self._pass_on(_signal.SIGKILL, True)
        elif frame[0] == b"K":
            self._pass_on(frame[1][0], True)

    def _pass_on(self, signal: int, group: bool) -> None:
        self._tell(b"s" + bytes([signal, group]))

    # ---- keys ----------------------------------------------------------------------

    def _keys(self) -> None:
        try:
            keys = self.outer.read()
        except OSError:
            keys = b""
        if keys == b"":
            return self._hang_up()
        if keys:
            self._signal_callers(keys)
            self.typed += keys
            self._type()

    def _type(self) -> None:
        try:
            while self.typed:
                self.typed = self.typed[posix.write(self.master, self.typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self.typed = b""

    def _signal_callers(self, keys: bytes) -> None:
        """Let Ctrl-C and Ctrl-\\ reach who shares our group, as it would with no terminal between.

        Otherwise a script or a make that called us would go on after a Ctrl-C.  Not from an
        interactive shell: that has a group of its own, and who called it never hears of them.
        """
        if self.session:
            return
        modes = termios.tcgetattr(self.master)
        if not modes[LFLAG] & termios.ISIG:
            return
        for place, signal in (
            (termios.VINTR, _signal.SIGINT),
            (termios.VQUIT, _signal.SIGQUIT),
        ):
            key = modes[CC][place]
            if key != b"\0" and key in keys and posix.tcgetpgrp(self.master) == self.shell:
                handler = _signal.signal(signal, _signal.SIG_IGN)
                posix.kill(0, signal)
                _signal.signal(signal, handler)
                self.canary.saw(signal)  # it was us

    def _take_terminal(self) -> bool:
        """Make the caller's terminal raw if the command is to have it now; tell whether."""
        if self.hung_up or not (self.wants and self.outer.foreground()):
            self._process_output(False)
            return False
        if not self.outer.raw:
            if self.shell:
                self._tell(b"r\1")
            self._process_output(not self.outer.shared)
            try:
                self._type_silently(self.outer.make_raw())
            except (OSError, termios.error):
                pass  # hung up just now: SIGHUP is on its way
        return True

    def _process_output(self, on: bool) -> None:
        """Turn newlines into what a screen needs on one of the two terminals, never on both."""
        modes = termios.tcgetattr(self.master)
        if on and self.plain:
            modes[OFLAG] |= termios.OPOST
        elif not on and modes[OFLAG] & termios.OPOST:
            modes[OFLAG] &= ~termios.OPOST
            self.plain = True
        else:
            return
        self.plain = not on
        termios.tcsetattr(self.master, termios.TCSANOW, modes)

    def _type_silently(self, typed: bytes) -> None:
        """Type what was typed ahead: the caller's terminal has shown it already."""
        if not typed:
            return
        modes = termios.tcgetattr(self.master)
        silent = list(modes)
        silent[LFLAG] &= ~(termios.ECHO | termios.ECHONL)
        termios.tcsetattr(self.master, termios.TCSANOW, silent)
        self.typed += typed
        self._type()
        slave = posix.open(_slave(self.master), posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC)
        look = select.poll()
        look.register(slave, select.POLLIN)
        look.poll(0)  # makes the kernel deliver what was typed, before echo is on again
        posix.close(slave)
        termios.tcsetattr(self.master, termios.TCSANOW, modes)

    # ---- signals, stops ----------------------------------------------------------------

    def _signals(self, but: int = 0) -> None:
        try:
            signals = set(posix.read(self.woken, 4096)) - {_signal.SIGCHLD, but}
        except BlockingIOError:
            return
        for signal in signals:
            if signal == _signal.SIGCONT:
                self._go_on()
            elif signal == _signal.SIGWINCH and self.outer.resized():
                ioctl(self.master, termios.TIOCSWINSZ, self.outer.size)  # signals by itself
            elif signal == _signal.SIGHUP and not self.hung_up and self.outer.hung_up():
                self._hang_up()
            else:
                self._pass_on(signal, self.canary.saw(signal))

    def _hang_up(self) -> None:
        self.hung_up = True
        self.typed = b""
        self.outer.raw = False
        self.poll.unregister(self.outer.fd)
        self._tell(b"r\0")
        self._tell(b"h")

    def _stopped(self, signal: int) -> None:
        """The shell was stopped: for the terminal, which it may have, or we stop as well."""
        if signal in WANTS and not self.outer.raw and self.outer.foreground():
            self.wants = True
            return self._go_on()
        self._drain()
        self.outer.restore()
        self._tell(b"r\0")
        if signal == _signal.SIGSTOP:
            posix.kill(posix.getpid(), signal)
        else:
            # Our group, as the key would have: a caller such as make is stopped too.
            _signal.signal(signal, _signal.SIG_DFL)
            posix.kill(0, signal)
            _signal.signal(signal, nothing)
            self.canary.saw(signal)
        self._go_on()
        self._signals(but=_signal.SIGCONT)

    def _go_on(self) -> None:
        if not self.hung_up and self.outer.resized():
            ioctl(self.master, termios.TIOCSWINSZ, self.outer.size)
        self._tell(b"c" + bytes([self._take_terminal()]))

    def _drain(self) -> None:
        """Wait until all that was written is shown: the caller's prompt comes after it."""
        if self.alone:
            return
        send(self.sock, b"D")
        while True:
            frame = receive(self.sock)
            if frame is None or frame[0] == b"D":
                return
            if frame[0] == b"K":
                self._pass_on(frame[1][0], True)


def _slave(master: int) -> bytes:
    number = ioctl(master, 0x80045430, bytes(4))  # TIOCGPTN
    return b"/dev/pts/%d" % int.from_bytes(number, "little")
