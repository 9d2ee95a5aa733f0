"""Run the real shell as the broker says, and wait for it as faithfully as it would wait itself.

Three processes share the caller's process group:

    W  this one, whose pid the caller knows: waits, passes signals on, leaves last
    B  the real shell, with its output on the broker's pipes
    K  a canary: when a signal reaches W, K tells whether the whole group got it
       (then B has it too, and a second copy would run its trap twice)

W lends everything and keeps nothing: after the fork it closes every inherited
descriptor, or callers would wait for an end of file that bash would have given.
"""

import _signal
import posix
import select
from _socket import socket

from gatesh.wire import EXIT, SIGNAL, WireError, receive, send, u32

# What somebody may send to "the shell" and mean the shell.  SIGCONT comes with every resume.
PASSED_ON = [
    _signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGUSR1,
    _signal.SIGUSR2, _signal.SIGALRM, _signal.SIGVTALRM, _signal.SIGPROF, _signal.SIGXCPU,
    _signal.SIGWINCH, _signal.SIGIO, _signal.SIGPWR, _signal.SIGTSTP, _signal.SIGTTIN,
    _signal.SIGTTOU, _signal.SIGCONT,
]  # fmt: skip
ALL = _signal.valid_signals()

# Places of descriptors 0, 1 and 2; the shell's path; its arguments from argv[0] on.
Plan = tuple[tuple[int, int, int], bytes, list[bytes]]


def run(
    sock: socket,
    plan: Plan,
    fds: "list[int]",
    environment: "list[bytes]",
    descriptors: int,
    ignored: "int | None",
) -> "tuple[int, int]":
    """Start the shell, tell the broker, and return how to leave."""
    keep = sock.fileno()
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, ALL)
    woken, alarm = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
    watched = watch(alarm)
    # Not by posix_spawn, which is quicker: of glibc's it leaves two signals ignored in the shell.
    shell = posix.fork()
    if shell == 0:
        become(plan, fds, environment, descriptors, ignored, watched, before)
    send(sock, b"P", u32(shell))
    canary = Canary()
    close_all_but({keep, woken, alarm, *canary.ends})
    _signal.pthread_sigmask(_signal.SIG_SETMASK, before)

    how, value = _wait(sock, shell, woken, canary)
    for signal in watched:
        _signal.signal(signal, _signal.SIG_DFL)  # nothing left to pass it on to: die of it
    canary.let_go()
    send(sock, b"F", bytes([how, value]))
    while True:
        frame = receive(sock)
        if frame is None or frame[0] == b"X":
            canary.bury()
            return leave_with(frame)


def leave_with(last: "tuple[bytes, bytes, list[int]] | None") -> "tuple[int, int]":
    """Return how to leave, from the broker's *last* frame."""
    if last is None:
        raise WireError("it stopped before the record was complete")
    return last[1][0], last[1][1]


def watch(alarm: int) -> "list[int]":
    """Note signals on *alarm* from now on; return those that are not ignored."""
    _signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    watched = [s for s in PASSED_ON if _signal.getsignal(s) != _signal.SIG_IGN]
    for signal in [*watched, _signal.SIGCHLD]:
        _signal.signal(signal, nothing)
    return watched


def nothing(_number: int, _frame: object) -> None:
    """A handler, so that the wake-up descriptor is written; `_wait` does the work."""


def become(
    plan: Plan,
    fds: "list[int]",
    environment: "list[bytes]",
    descriptors: int,
    ignored: "int | None",
    watched: "list[int]",
    mask: "set[int]",
) -> None:
    """In the child: put descriptors and signals as bash would have found them; exec."""
    try:
        places, path, argv = plan
        _signal.set_wakeup_fd(-1)
        for signal in [*watched, _signal.SIGCHLD]:
            _signal.signal(signal, _signal.SIG_DFL)
        for signal in (_signal.SIGPIPE, _signal.SIGXFSZ):
            # Python ignores both; with them ignored `yes | head -1` prints "Broken pipe".
            if not (ignored or 0) & 1 << signal - 1:
                _signal.signal(signal, _signal.SIG_DFL)
        for target, place in enumerate(places):
            if place:
                posix.dup2(fds[place - 1], target, True)
            elif not descriptors & 1 << target:
                posix.close(target)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        posix.execve(path, argv, _mapping(environment))
    except OSError as problem:
        say(b"gatesh: error: %s: %s\n" % (path, (problem.strerror or "?").encode()))
    finally:
        posix._exit(125)


def _mapping(environment: "list[bytes]") -> "dict[bytes, bytes]":
    """Return what `execve` takes.  The first of two entries wins, as with getenv."""
    found: dict[bytes, bytes] = {}
    for entry in environment:
        name, equals, value = entry.partition(b"=")
        if equals:
            found.setdefault(name, value)
    return found


def _wait(sock: socket, shell: int, woken: int, canary: "Canary") -> "tuple[int, int]":
    """Wait for the shell to end; pass signals, stops and the broker's kills on to it."""
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(sock.fileno(), select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == woken:
                _pass_on(woken, canary, shell)
            else:
                frame = receive(sock)
                if frame is None:
                    # Nobody records any more: what cannot be recorded does not go on.
                    posix.kill(shell, _signal.SIGKILL)
                    poll.unregister(sock.fileno())
                elif frame[0] == b"K":
                    posix.kill(shell, frame[1][0])
        # After the signals: a shell that has been told to go on is not seen stopped any more.
        pid, status = posix.waitpid(shell, posix.WNOHANG | posix.WUNTRACED)
        if pid and posix.WIFEXITED(status):
            return EXIT, posix.WEXITSTATUS(status)
        if pid and posix.WIFSIGNALED(status):
            return SIGNAL, posix.WTERMSIG(status)
        if pid and posix.WIFSTOPPED(status):
            posix.kill(posix.getpid(), _signal.SIGSTOP)  # our caller sees what bash's caller would
            posix.kill(shell, _signal.SIGCONT)


def _pass_on(woken: int, canary: "Canary", shell: int) -> None:
    """Pass on what reached us and not the whole group."""
    got = set(posix.read(woken, 4096)) - {_signal.SIGCHLD}
    early: set[int] = set()
    while got:
        group = canary.ask() | canary.ahead
        canary.ahead = group - got  # told of by the canary before they have reached us
        try:
            more = set(posix.read(woken, 4096)) - {_signal.SIGCHLD}
        except BlockingIOError:
            more = set()
        for signal in got - group - early:
            posix.kill(shell, signal)
        # One more of the same, come since: the canary told of both at once.
        early = group & more
        got = more


class Canary:
    """A process in our group that remembers what the group got: blocked, so it stays pending."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self.ahead: set[int] = set()
        ask, self._ask = posix.pipe2(posix.O_CLOEXEC)
        self._answer, answer = posix.pipe2(posix.O_CLOEXEC)
        self._pid = posix.fork()
        if self._pid == 0:
            try:
                _signal.set_wakeup_fd(-1)
                _signal.pthread_sigmask(_signal.SIG_BLOCK, ALL)
                close_all_but({ask, answer})
                while posix.read(ask, 1):
                    seen = []
                    while found := _signal.sigtimedwait(ALL, 0):
                        seen.append(found.si_signo)
                    posix.write(answer, bytes([*seen, 0]))
            finally:
                posix._exit(0)
        posix.close(ask)
        posix.close(answer)
        self.ends = {self._ask, self._answer}

    def ask(self) -> "set[int]":
        """Return the signals that reached the whole group since the last time."""
        woken = set()
        seen = b""
        poll = select.poll()
        poll.register(self._answer, select.POLLIN)
        try:
            posix.write(self._ask, b"?")
            while not seen.endswith(b"\0"):
                # Only SIGSTOP stops it.  What goes to a group reaches it before us, being younger:
                # when it still stands, the SIGCONT that woke us was for us alone.  Looked at again
                # and again: on a busy machine it may come to its stop after we are back.
                pid, status = posix.waitpid(self._pid, posix.WNOHANG | posix.WUNTRACED)
                if pid and posix.WIFSTOPPED(status):
                    posix.kill(self._pid, _signal.SIGCONT)
                    woken = {int(_signal.SIGCONT)}
                if not poll.poll(5):
                    continue
                part = posix.read(self._answer, 128)
                if not part:
                    return set(map(int, ALL))  # killed with the group
                seen += part
        except OSError:
            return set(map(int, ALL))
        return set(seen) - woken

    def saw(self, signal: int) -> bool:
        """Tell whether *signal*, which just reached us, reached the whole group."""
        self._seen |= self.ask()
        found = signal in self._seen
        self._seen.discard(signal)
        return found

    def let_go(self) -> None:
        """Let it leave: it does when it finds the pipe closed."""
        for fd in self.ends:
            posix.close(fd)

    def bury(self) -> None:
        """Wait until it has left."""
        posix.waitpid(self._pid, 0)

    def dismiss(self) -> None:
        """Let it leave, and wait for that."""
        self.let_go()
        self.bury()


def close_all_but(keep: "set[int]") -> None:
    last = -1
    for fd in sorted(keep):
        if fd > last + 1:  # an empty range that starts at 0 would close everything
            posix.closerange(last + 1, fd)
        last = fd
    posix.closerange(last + 1, 1 << 16)


def say(text: bytes) -> None:
    try:
        posix.write(2, text)
    except OSError:
        pass
