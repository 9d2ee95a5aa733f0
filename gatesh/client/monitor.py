"""The leader of the command's own terminal, between the client and the shell.

    client W ── in its caller's group, on its caller's terminal
      └─ monitor M ── leads the session of the new terminal
           ├─ shell B ── a group of its own there
           └─ editor E ── another, when commands are typed to the shell (`editor.py`)

Without M the shell's group would be an orphan, and Ctrl-Z would do nothing.  M
starts the shell, passes signals on to it, and tells W what became of it.  When W
is killed, M kills the shell and puts the caller's terminal back as it was.

    W → M   g start (in the foreground?)     s signal (number, to the whole group?)
            c continue (in the foreground?)  r the caller's terminal is raw (or not)
            h hang up
    M → W   p pid (4)   t stopped (signal)   e ended (how, value)
"""

import _signal
import posix
import select
import termios
import time
from _socket import socket
from collections.abc import Callable
from typing import Any

from gatesh.client.run import ALL, close_all_but
from gatesh.wire import EXIT, SIGNAL, u32

OURS = 0  # ptyprocess has put the new terminal there


class Monitor:
    """M.  *become* execs the shell, *edit* is E; *outer* is to be put back to *saved*.

    *leader*: W leads the caller's session, so its end hangs up whatever is left in
    the foreground.  Else children in the background live on, and M with them until
    *lifeline* says that nobody has the terminal open any more.
    """

    def __init__(
        self,
        pair: socket,
        become: Callable[[], None],
        outer: int,
        saved: "list[Any]",
        lifeline: int,
        leader: bool,
        edit: "Callable[[int], None] | None" = None,
    ) -> None:
        self.pair = pair
        self.become = become
        self.edit = edit
        self.editor = 0
        self.outer = outer
        self.saved = saved
        self.lifeline = lifeline
        self.leader = leader
        self.raw = False
        self.shell = 0
        self.front = 0  # the group that was in the foreground before all went behind

    def run(self) -> None:
        """Be the monitor.  Does not return."""
        try:
            woken, alarm = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
            _signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
            # Only SIGCHLD gets through: not even SIGTTOU when we hand the terminal over.
            _signal.pthread_sigmask(_signal.SIG_SETMASK, ALL - {_signal.SIGCHLD})
            if self._start():
                close_all_but({OURS, self.pair.fileno(), self.outer, self.lifeline, woken, alarm})
                self._watch(woken)
                self._linger()
        except OSError:
            self._abandon()
        finally:
            posix._exit(0)

    def _start(self) -> bool:
        order = self.pair.recv(16)
        if order[:1] != b"g":
            return False
        self.raw = bool(order[1])
        self.shell = posix.fork()
        if self.shell == 0:
            posix.setpgid(0, 0)
            if order[1]:
                posix.tcsetpgrp(OURS, posix.getpid())
            self.become()
        try:
            posix.setpgid(self.shell, self.shell)  # both of us: whoever is first
        except OSError:
            pass
        if self.edit is not None:
            self.editor = posix.fork()
            if self.editor == 0:
                self.edit(self.shell)
        self.pair.send(b"p" + u32(self.shell))
        return True

    def _watch(self, woken: int) -> None:
        """Return when the shell has ended and W knows."""
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        poll.register(self.pair.fileno(), select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd != woken:
                    self._obey(self.pair.recv(16))
                    continue
                posix.read(woken, 4096)
                pid, status = posix.waitpid(self.shell, posix.WNOHANG | posix.WUNTRACED)
                if pid and posix.WIFSTOPPED(status):
                    self.pair.send(b"t" + bytes([posix.WSTOPSIG(status)]))
                elif pid:
                    return self._report(status)

    def _obey(self, order: bytes) -> None:
        kind = order[:1]
        if kind == b"s":
            self._kill(order[1], bool(order[2]))
        elif kind == b"c":
            now, own = posix.tcgetpgrp(OURS), posix.getpgrp()
            if order[1] and now == own:
                posix.tcsetpgrp(OURS, self.front or self.shell)
            elif not order[1] and now != own:
                self.front = now
                posix.tcsetpgrp(OURS, own)
            self._kill(_signal.SIGCONT, True)
        elif kind == b"r":
            self.raw = bool(order[1])
        elif kind == b"h":
            for group in {self.shell, posix.tcgetpgrp(OURS)} - {posix.getpgrp()}:
                for signal in (_signal.SIGHUP, _signal.SIGCONT):
                    try:
                        posix.kill(-group, signal)
                    except ProcessLookupError:
                        pass
        else:
            self._abandon()

    def _abandon(self) -> None:
        """W is gone: so is the shell, as bash's own death would end it."""
        if self.shell:
            self._kill(_signal.SIGKILL, False)
        if self.raw:
            termios.tcsetattr(self.outer, termios.TCSANOW, self.saved)
        posix._exit(0)  # a leader's exit hangs up its foreground group

    def _kill(self, signal: int, group: bool) -> None:
        try:
            posix.kill(-self.shell if group else self.shell, signal)
        except ProcessLookupError:
            pass

    def _end_editor(self) -> None:
        """Have E give the terminal its modes back, and leave."""
        try:
            posix.kill(self.editor, _signal.SIGHUP)
            for _ in range(200):
                if posix.waitpid(self.editor, posix.WNOHANG)[0]:
                    return
                time.sleep(0.005)
            posix.kill(self.editor, _signal.SIGKILL)  # somebody has stopped it
            posix.waitpid(self.editor, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def _report(self, status: int) -> None:
        if self.editor:
            self._end_editor()
        if not self.leader:
            posix.tcsetpgrp(OURS, posix.getpgrp())  # whoever reads now finds itself behind
        # Before W knows: our own copy would look like a child that may still write.
        posix.close(OURS)
        if posix.WIFSIGNALED(status):
            self.pair.send(b"e" + bytes([SIGNAL, posix.WTERMSIG(status)]))
        else:
            self.pair.send(b"e" + bytes([EXIT, posix.WEXITSTATUS(status)]))

    def _linger(self) -> None:
        if self.leader:
            return
        close_all_but({self.lifeline})
        poll = select.poll()
        poll.register(self.lifeline, 0)
        poll.poll()
