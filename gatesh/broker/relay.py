"""Passing a command's output on through the descriptors its caller lent, recording it first.

One thread per stream with output, and blocking writes: `O_NONBLOCK` would be set on the
caller's own description of the file, and a reader that has stopped reading must
hold up this command and no other.

Bytes are copied, not moved from pipe to pipe (splice, tee): a page that the command
has lent to a pipe (vmsplice) can still be changed by it, and then what is shown
would not be what was recorded.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import threading
from collections.abc import Callable

from gatesh.broker import hands
from gatesh.transcript.recorder import Recorder

CHUNK = 1 << 16
ROOM = 1 << 20  # what a pipe may hold, asked for once it has been full


class Relay:
    """One pipe, or one terminal, from the command to one descriptor of the caller.

    One thread starts and drains it, at any time when there is something to pass on: before
    `start` nobody reads.
    A terminal is given as *source*, its master; *lifeline* is closed with it.
    """

    def __init__(
        self,
        letter: str,
        sink: int,
        recorder: Recorder,
        broken: Callable[[OSError], None],
        source: int | None = None,
        lifeline: int | None = None,
    ) -> None:
        self.letter = letter
        self.sink = sink
        self.recorder = recorder
        self.broken = broken
        self.lifeline = lifeline
        self.inlet = -1
        if source is None:
            self.source, self.inlet = os.pipe2(os.O_CLOEXEC)
        else:
            self.source = source
        self.passed = 0
        self.busy = threading.Lock()
        self.ended = threading.Event()
        self.roomy = False
        self.begun = False
        self.pump = 0  # the thread that reads, and holds `busy` when it writes

    def start(self) -> None:
        """Begin to pass on.  The broker's copy of the inlet must be closed by then."""
        self.begun = True
        hands.do(self._pump)

    def close_inlet(self) -> None:
        """Close our end of what the command writes to; its own copies keep the pipe open."""
        os.close(self.inlet)

    def _pump(self) -> None:
        self.pump = threading.get_ident()
        wait = select.poll()
        wait.register(self.source, select.POLLIN)
        buffer = memoryview(bytearray(CHUNK))  # the recorder has a larger one for long streams
        try:
            while True:
                wait.poll()
                # Held from reading to writing, so that `drained` never sees a chunk in between.
                with self.busy:
                    space = self.recorder.space(self.letter)
                    if space is None:
                        space = buffer
                    try:
                        count = os.readv(self.source, [space])
                    except BlockingIOError:
                        continue
                    except OSError:
                        return  # EIO: nobody has the terminal open any more
                    if count == 0:
                        return
                    if not self._pass_on(space[:count]):
                        return
                    self.passed += count
                if count >= CHUNK and not self.roomy:
                    self._make_room()
        finally:
            with self.busy:  # or `drain` could look at a number that is another's by now
                self._end()

    def _end(self) -> None:
        os.close(self.source)
        os.close(self.sink)
        if self.lifeline is not None:
            os.close(self.lifeline)
        self.ended.set()

    def _pass_on(self, data: memoryview) -> bool:
        """Record *data*, then write it; False when nobody can be written to any more."""
        try:
            self.recorder.write(self.letter, data)
        except OSError as problem:
            # What cannot be recorded is not shown and does not go on.
            self.broken(problem)
            return False
        while data:
            try:
                data = data[os.write(self.sink, data) :]
            except BlockingIOError:
                # The caller made its description non-blocking (Node does): wait for room.
                ready = select.poll()
                ready.register(self.sink, select.POLLOUT)
                ready.poll()
            except OSError:
                # The reader is gone: closing our end gives the command the SIGPIPE that
                # it would have had from bash.
                return False
        return True

    def record_with(self, recorder: Recorder) -> None:
        """Record what is passed on from now with *recorder*."""
        with self.busy:
            self.recorder = recorder

    def emit(self, data: bytes) -> None:
        """Record and show *data*, words of our own, between what the command shows."""
        with self.busy:
            if not self.ended.is_set():
                self._pass_on(memoryview(data))

    def tell(self, data: bytes) -> None:
        """Show *data* without recording it: the record is what has just broken."""
        own = threading.get_ident() == self.pump  # which holds `busy` already
        if not own and not self.busy.acquire(timeout=0.2):
            return  # its reader has stopped reading
        try:
            if not self.ended.is_set():
                os.write(self.sink, data)
        except OSError:
            pass  # nobody reads it any more
        finally:
            if not own:
                self.busy.release()

    def silence(self) -> None:
        """Show nothing any more, so that the caller sees the end whoever still writes."""
        own = threading.get_ident() == self.pump  # which holds `busy` already
        if not own and not self.busy.acquire(timeout=0.2):
            return  # its reader has stopped reading: nobody waits for the end
        try:
            if not self.ended.is_set():
                null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
                os.dup2(null, self.sink, inheritable=False)
                os.close(null)
        finally:
            if not own:
                self.busy.release()

    def held(self) -> bool:
        """Tell whether somebody can still write to what is passed on here, as far as is known."""
        if not self.busy.acquire(timeout=0.2):
            return True
        try:
            if self.ended.is_set():
                return False
            look = select.poll()
            look.register(self.source, 0)
            return not any(event & select.POLLHUP for _, event in look.poll(0))
        finally:
            self.busy.release()

    def _make_room(self) -> None:
        self.roomy = True
        try:
            fcntl.fcntl(self.source, fcntl.F_SETPIPE_SZ, ROOM)
        except OSError:
            pass  # over the account's quota of pipe memory: the usual 64 KiB works too

    def drain(self) -> bool:
        """Wait until all that is in the pipe now is passed on; True when no writer is left.

        Called when the shell has ended: what it wrote is then in the pipe.  What
        background children write from now on is not waited for.
        """
        look = select.poll()
        until = None
        if not self.begun:
            look.register(self.source, select.POLLIN)
            if look.poll(0) == [(self.source, select.POLLHUP)]:
                with self.busy:
                    self.begun = True
                    self._end()  # nobody has written anything, and nobody will
                return True
            self.start()
        while not self.ended.is_set():
            with self.busy:
                if self.ended.is_set():
                    break
                if until is None:
                    until = self.passed + self._unread()
                    look.register(self.source, select.POLLIN)
                events = [event for _, event in look.poll(0)]
                # Asking for input makes the kernel deliver what a terminal still holds back.
                empty = not any(event & select.POLLIN for event in events)
                if empty and any(event & select.POLLHUP for event in events):
                    break
                if empty or self.passed >= until:
                    return False
            # The lock is not fair: give the pump a moment to take it.
            self.ended.wait(0.0002)
        # No writer is left and nothing is in the pipe: the pump ends by itself.
        self.ended.wait()
        return True

    def _unread(self) -> int:
        """Return how many bytes wait to be read, at most."""
        if self.inlet < 0:
            return 4 * CHUNK  # what a terminal can hold, counting the kernel's own buffers
        waiting = array.array("i", [0])
        fcntl.ioctl(self.source, termios.FIONREAD, waiting)
        return waiting[0]


def sealed(data: bytes) -> int:
    """Return a descriptor on *data* that nobody can change any more, at its start."""
    fd = os.memfd_create("gatesh-stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
    os.lseek(fd, 0, os.SEEK_SET)
    # From <linux/fcntl.h>, absent from Python's module: F_ADD_SEALS, all four seals.
    fcntl.fcntl(fd, 1033, 0x1 | 0x2 | 0x4 | 0x8)
    return fd
