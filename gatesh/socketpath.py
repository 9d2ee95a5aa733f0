"""Where the broker listens, and connecting there only if it is safe.

    /run/gatesh/broker.sock         when the machine has a guarded broker; nothing overrides it
    $GATESH_HOME/run/broker.sock
    $XDG_RUNTIME_DIR/gatesh/broker.sock, or /run/user/UID/…, or /tmp/gatesh-UID/…

The last line keeps working for agents that strip the environment (codex with
`inherit = "none"` leaves not even HOME).
"""

import posix
import sys
from _socket import AF_UNIX, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, socket

GUARDED = b"/run/gatesh"


class Unsafe(Exception):
    """The place of the socket belongs to somebody else."""


def directory(environ: "dict[bytes, bytes]") -> bytes:
    """Return the directory of the broker's socket for this environment."""
    if exists(GUARDED + b"/broker.sock"):
        return GUARDED
    home = environ.get(b"GATESH_HOME")
    if home:
        return posix.getcwdb() + b"/" + home + b"/run" if home[:1] != b"/" else home + b"/run"
    runtime = environ.get(b"XDG_RUNTIME_DIR", b"")
    if runtime[:1] == b"/":
        return runtime + b"/gatesh"
    user = b"%d" % posix.geteuid()
    if exists(b"/run/user/" + user):
        return b"/run/user/" + user + b"/gatesh"
    return b"/tmp/gatesh-" + user


def exists(path: bytes) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def check(place: bytes) -> None:
    """Refuse a directory in which another account could have put its own socket.

    Raises `Unsafe`, or OSError when there is no such directory.
    """
    found = posix.lstat(place)
    if found.st_mode & 0o170000 != 0o040000:
        raise Unsafe("%s is not a directory" % show(place))
    if found.st_uid not in (0, posix.geteuid()) and place != GUARDED:
        raise Unsafe("%s belongs to another account" % show(place))
    if found.st_mode & 0o022:
        raise Unsafe("%s can be written by others: chmod 700 it" % show(place))


def connect(place: bytes) -> socket:
    """Return a socket connected to the broker in *place*.

    Raises OSError when nobody listens, `Unsafe` when somebody else does.
    """
    check(place)
    sock = socket(AF_UNIX, SOCK_STREAM)
    path = place + b"/broker.sock"
    if len(path) < 108:
        sock.connect(path)
    else:  # longer than the kernel's sun_path: go through the directory's descriptor
        fd = posix.open(place, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            sock.connect(b"/proc/self/fd/%d/broker.sock" % fd)
        finally:
            posix.close(fd)
    peer = int.from_bytes(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[4:8], sys.byteorder)
    if peer not in (0, posix.geteuid()) and place != GUARDED:
        raise Unsafe("the broker in %s belongs to another account" % show(place))
    return sock


def show(path: bytes) -> str:
    return ascii(path.decode("utf-8", "replace"))[1:-1]
