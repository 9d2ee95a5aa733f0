"""Ask the broker what to do with this call, do it, leave with its status.

The client knows nothing: no rules, no keys, no shell syntax.  It sends what it
was given and prints what it is told.  Whatever goes wrong ends in status 125
with a line that says so; it never ends in a shell nobody judged.
"""

import errno
import posix
from _socket import socket

from gatesh.socketpath import Unsafe, connect, directory
from gatesh.wire import EXIT, TERMINAL, WireError, read_run, receive, send, submit

TROUBLE = 125
TRIES = 5  # a broker may be stopped and started under us; each try asks again from the start


def main(argv: "list[bytes]", ignored: "int | None") -> None:
    """Be the shell that *argv* calls.  Does not return."""
    _die_by_interrupt()
    descriptors = plug()
    try:
        environment = exact_environment()
        how, value = ask(argv, environment, descriptors, ignored)
    except Trouble as trouble:
        say(b"gatesh: error: %s\n" % trouble.args[0])
        say(b"gatesh: hint: %s; the command was not run\n" % trouble.args[1])
        how, value = EXIT, trouble.status
    except (Exception, MemoryError) as bug:
        # Never a traceback and on: an agent must not get past gatesh by breaking it.
        say(b"gatesh: error: the client failed: %s\n" % ascii(bug).encode())
        say(b"gatesh: hint: this is a bug in gatesh; the command may not have run\n")
        how, value = EXIT, TROUBLE
    leave(how, value)


class Trouble(Exception):
    """(what is wrong, what to do), both bytes: gatesh could not do its work."""

    def __init__(self, what: bytes, hint: bytes, status: int = TROUBLE) -> None:
        super().__init__(what, hint)
        self.status = status


def ask(
    argv: "list[bytes]", environment: "list[bytes]", descriptors: int, ignored: "int | None"
) -> "tuple[int, int]":
    """Return how the command ended: (EXIT or SIGNAL, value)."""
    try:
        cwd = posix.getcwdb()
    except OSError:
        cwd = b""  # deleted: the broker sees the same through /proc
    frame = submit(argv, cwd, environment, descriptors)
    lend = tuple(fd for fd in (0, 1, 2) if descriptors & 1 << fd)
    for _ in range(TRIES):
        sock = reach(environment)
        try:
            send(sock, b"C", frame, lend)
            answer = obey(sock, environment, descriptors, ignored)
        except (WireError, ConnectionError) as problem:
            answer = None
            why = str(problem)
        else:
            why = "it closed the connection"
        sock.close()
        if answer is not None:
            return answer
    raise Trouble(b"the broker did not answer: %s" % why.encode(), b"see `gatesh broker status`")


def obey(
    sock: socket, environment: "list[bytes]", descriptors: int, ignored: "int | None"
) -> "tuple[int, int] | None":
    """Do what the broker says until it says how to leave; None if it is gone before a run."""
    while True:
        frame = receive(sock)
        if frame is None:
            return None
        kind, body, fds = frame
        if kind == b"S":
            say(body)
        elif kind == b"X":
            return body[0], body[1]
        elif kind in (b"R", b"I"):
            return carry_out(sock, kind, body, fds, environment, descriptors, ignored)
        else:
            raise WireError("a frame this client does not know: install gatesh again")


def carry_out(
    sock: socket,
    kind: bytes,
    body: bytes,
    fds: "list[int]",
    environment: "list[bytes]",
    descriptors: int,
    ignored: "int | None",
) -> "tuple[int, int]":
    """Run what the R or I frame *body* says, whatever comes; never to be asked for again."""
    plan = read_run(body)
    try:
        if TERMINAL in plan[0]:
            from gatesh.client import terminal

            editor = socket(fileno=fds.pop()) if kind == b"I" else None
            return terminal.run(sock, plan, fds, environment, descriptors, ignored, editor)
        from gatesh.client.run import run

        return run(sock, plan, fds, environment, descriptors, ignored)
    except (WireError, ConnectionError) as problem:
        # Not for `ask` to try once more: the command may have run.
        say(b"gatesh: error: the broker stopped: %s\n" % str(problem).encode())
        say(b"gatesh: hint: the command was stopped; see `gatesh broker status`\n")
        return EXIT, TROUBLE


def reach(environment: "list[bytes]") -> socket:
    """Return a connection to the broker, starting one when there is none."""
    environ = dict(e.split(b"=", 1) for e in reversed(environment) if b"=" in e)
    place = directory(environ)
    try:
        try:
            return connect(place)
        except (ConnectionRefusedError, FileNotFoundError):
            from gatesh.client.start import start

            return start(place, environ)
    except Unsafe as problem:
        raise Trouble(str(problem).encode(), b"see `gatesh doctor`") from None
    except OSError as problem:
        if problem.errno in (errno.EPERM, errno.EACCES):
            # No word here that an agent takes for its own container's refusal (it would offer
            # to run the command again without one): agent-shells notes, section 5.
            raise Trouble(
                b"this process may not talk to the gatesh broker over its Unix socket",
                b"allow local Unix sockets in the agent's settings (Claude Code:"
                b" network.allowAllUnixSockets, codex: network_access = true)",
            ) from None
        raise Trouble(
            b"the broker cannot be reached: %s" % (problem.strerror or "no answer").encode(),
            b"see `gatesh broker status`",
        ) from None


def plug() -> int:
    """Return the mask of open descriptors among 0, 1, 2; fill the gaps.

    A closed descriptor must not be given by accident to something opened later;
    the placeholders are close-on-exec, so the shell finds them closed again.
    """
    mask = 0
    for fd in (0, 1, 2):
        try:
            posix.fstat(fd)
            mask |= 1 << fd
        except OSError:
            while posix.open(b"/dev/null", posix.O_RDWR | posix.O_CLOEXEC) < fd:
                pass
    return mask


def exact_environment() -> "list[bytes]":
    """Return the environment as the kernel handed it over.

    Not `environ`: Python adds LC_CTYPE in the C locale (PEP 538), and a mapping
    loses entries that are given twice.
    """
    fd = posix.open(b"/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
    parts = []
    while True:
        part = posix.read(fd, 1 << 18)
        if not part:
            break
        parts.append(part)
    posix.close(fd)
    data = b"".join(parts)
    return data.split(b"\0")[:-1] if data else []


def say(text: bytes) -> None:
    """Write *text* to standard error, if there is one."""
    try:
        while text:
            text = text[posix.write(2, text) :]
    except OSError:
        pass


def _die_by_interrupt() -> None:
    """Give SIGINT back its ordinary meaning: a waiting shell dies of Ctrl-C, silently."""
    import _signal

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def leave(how: int, value: int) -> None:
    """End this process the way the command ended."""
    if how != EXIT:
        import _signal
        import resource

        # The command has left its core already; ours would only overwrite it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if value not in (_signal.SIGKILL, _signal.SIGSTOP):
            _signal.signal(value, _signal.SIG_DFL)
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [value])
        posix.kill(posix.getpid(), value)
        value += 128
    posix._exit(value)
