"""Run the real shell on a terminal of its own, which the broker watches and records.

    caller's terminal ── keys ──→ W ──→ new terminal ──→ shell
                      ←── broker, recording ←────────────┘

W only types; what the command shows goes through the broker alone.  While the
command is in the foreground the caller's terminal is raw, so every key means
what the new terminal says it means.  In a pipeline or in the background it stays
as it is, and W keeps its hands off, until the shell is stopped for wanting it.
"""

import _signal
import posix
import sys
from _socket import AF_UNIX, SOCK_SEQPACKET, socket, socketpair
from collections.abc import Callable
from fcntl import F_DUPFD_CLOEXEC, fcntl
from functools import partial

from gatesh.client.keys import Keys
from gatesh.client.monitor import Monitor
from gatesh.client.outer import Outer
from gatesh.client.run import ALL, Canary, Plan, become, close_all_but, leave_with, watch
from gatesh.wire import TERMINAL, receive, send


def run(
    sock: socket,
    plan: Plan,
    fds: "list[int]",
    environment: "list[bytes]",
    descriptors: int,
    ignored: "int | None",
    editor: "socket | None" = None,
) -> "tuple[int, int]":
    """Start the shell, tell the broker, and return how to leave.

    *editor* leads from E to the broker, when commands are typed to the shell.
    """
    places, path, argv = plan
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, ALL)
    woken, alarm = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
    watched = watch(alarm)
    outer = Outer(places)
    pair, other = socketpair(AF_UNIX, SOCK_SEQPACKET)
    lifeline, held = posix.pipe2(posix.O_CLOEXEC)
    inner = len(fds) + 1  # the place of the new terminal, when there is one
    own = {
        target: fcntl(target, F_DUPFD_CLOEXEC, 3)
        for target in (0, 1, 2)
        if places[target] == 0 and descriptors & 1 << target
    }

    def shell() -> None:
        terminal = fcntl(0, F_DUPFD_CLOEXEC, 3)
        for target, fd in own.items():
            posix.dup2(fd, target, True)
        exact = [inner if place == TERMINAL else place for place in places]
        inside = (exact[0], exact[1], exact[2]), path, argv
        become(inside, [*fds, terminal], environment, descriptors, ignored, watched, before)

    def monitor() -> None:
        pair.close()
        posix.close(held)
        edit = None
        if editor is not None:
            from gatesh.client.editor import serve

            edit = partial(serve, editor, close_all_but)
        Monitor(other, shell, outer.fd, outer.saved, lifeline, outer.leader, edit).run()

    master = spawn(monitor)
    other.close()
    send(sock, b"T", fds=(master, held))
    canary = Canary()
    close_all_but({sock.fileno(), pair.fileno(), master, outer.fd, woken, alarm, *canary.ends})
    posix.dup2(outer.fd, 2, False)  # for our own last words
    keys = Keys(sock, pair, master, outer, canary, watched, woken, session=editor is not None)
    try:
        keys.start()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
        how, value = keys.wait()
        for signal in watched:
            _signal.signal(signal, _signal.SIG_DFL)  # nothing left to pass it on to: die of it
        canary.dismiss()
        send(sock, b"F", bytes([how, value]))
        frame = receive(sock)
        while frame is not None and frame[0] != b"X":
            frame = receive(sock)
        keys.hand_back()
    finally:
        outer.restore()
    return leave_with(frame)


def spawn(monitor: "Callable[[], None]") -> int:
    """Start *monitor* as the leader of a new session and terminal; return the terminal's master."""
    from ptyprocess import PtyProcess

    inherited = descriptors_open()

    def first() -> None:
        for fd in descriptors_open() - inherited:
            posix.close(fd)  # on which ptyprocess waits for a program to be started
        monitor()

    # The program is never started: *monitor* does not return.
    process = PtyProcess.spawn([sys.executable], preexec_fn=first, pass_fds=inherited)
    process.closed = True  # it is not ptyprocess that ends it
    return fcntl(process.fd, F_DUPFD_CLOEXEC, 3)


def descriptors_open() -> "set[int]":
    """Return the open descriptors above 2."""
    found = set()
    for name in posix.listdir("/proc/self/fd"):
        try:
            posix.fstat(int(name))
        except OSError:
            continue  # it was that of the listing
        found.add(int(name))
    return found - {0, 1, 2}
