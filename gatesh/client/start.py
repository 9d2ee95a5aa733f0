"""Starting a broker when nobody listens: one, whatever the race.

Fifty first clients queue on a lock file; the one that holds it starts the
broker and waits until it listens, the others find it listening.
"""

import fcntl
import posix
import sys
from _socket import socket

from gatesh.client.ask import TROUBLE, Trouble
from gatesh.socketpath import GUARDED, check, connect, show

# What the broker needs of the agent's environment: where the person's files are, nothing else.
KEEP = (b"HOME", b"GATESH_HOME", b"XDG_CONFIG_HOME", b"XDG_STATE_HOME", b"XDG_RUNTIME_DIR")


def start(place: bytes, environ: "dict[bytes, bytes]") -> socket:
    """Start a broker that listens in *place* and return a connection to it.

    Raises `Trouble` with the broker's own words when it cannot start.
    """
    if place == GUARDED:
        raise Trouble(b"the guarded broker is not running", b"ask an administrator to start it")
    try:
        make(place)
        check(place)
        lock = posix.open(
            place + b"/start.lock", posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600
        )
    except OSError as problem:
        raise Trouble(
            b"%s cannot be used: %s" % (show(place).encode(), (problem.strerror or "").encode()),
            b"set GATESH_HOME or XDG_RUNTIME_DIR to a directory of your own",
        ) from None
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        return connect(place)  # somebody was quicker
    except (ConnectionRefusedError, FileNotFoundError):
        launch(environ)
        return connect(place)
    finally:
        posix.close(lock)


def make(place: bytes) -> None:
    """Create *place*, for this account alone; parents that exist are left as they are."""
    missing = []
    while True:
        try:
            posix.mkdir(place, 0o700)
        except FileExistsError:
            pass
        except FileNotFoundError:
            missing.append(place)
            place = place.rsplit(b"/", 1)[0]
            continue
        if not missing:
            return
        place = missing.pop()


def launch(environ: "dict[bytes, bytes]") -> None:
    """Start the broker and return when it listens."""
    ready, told = posix.pipe2(posix.O_CLOEXEC)
    wanted = {name: environ[name] for name in KEEP if environ.get(name)}
    if wanted.get(b"GATESH_HOME", b"/")[:1] != b"/":
        wanted[b"GATESH_HOME"] = posix.getcwdb() + b"/" + wanted[b"GATESH_HOME"]
    wanted[b"PATH"] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    wanted[b"LANG"] = b"C.UTF-8"
    child = posix.fork()
    if child == 0:
        try:
            posix.setsid()
            if posix.fork():  # an orphan: it outlives whoever started it
                posix._exit(0)
            null = posix.open(b"/dev/null", posix.O_RDWR)
            posix.dup2(told, 3, True)
            for fd in (0, 1):
                posix.dup2(null, fd, True)
            posix.dup2(told, 2, True)  # what Python says when it cannot even begin
            posix.closerange(4, 1 << 16)
            posix.umask(0o077)
            posix.execve(
                sys.executable,
                [sys.executable, "-I", "-m", "gatesh", "broker", "run", "--notify", "3"],
                wanted,
            )
        finally:
            posix._exit(127)
    posix.close(told)
    posix.waitpid(child, 0)
    words = b""
    while True:
        part = posix.read(ready, 4096)
        if not part:
            break
        words += part
    posix.close(ready)
    if words != b"ready\n":
        status, _, rest = words.partition(b"\n")
        hint, _, what = rest.partition(b"\n")
        if not status.isdigit():  # not its own words: the last line of a traceback
            status, hint, what = b"", b"", words.strip().rpartition(b"\n")[2]
        raise Trouble(
            b"the broker could not start: " + (what.strip() or b"it stopped without a word"),
            hint.strip() or b"run `gatesh broker run` to see why",
            int(status or TROUBLE),
        )
