"""Frames between client and broker, version 1.

    frame   = length (4 bytes, big-endian, of what follows) kind (1 byte) body
    field   = length (4 bytes, big-endian) bytes

    client → broker
      C  submit    version(1) fds(1: bit n set = descriptor n is attached) argc(4) envc(4),
                   then fields: working directory, argv[0…], each environment string
      P  started   process id of the shell (4)
      T  terminal  the master of the command's terminal, and a pipe's end that the broker
                   keeps open for as long as it relays
      D  drained?  have all that was written so far passed on, and answer D
      F  finished  how(1: 0 exit, 1 signal) value(1)
      J  a people's question, one JSON object
    broker → client
      S  say       text for standard error
      R  run       stdin(1) stdout(1) stderr(1) argc(4), then fields: path, argv[0…];
                   each of the three is 0 (the caller's own), n (the n-th descriptor attached)
                   or 255 (a new terminal, which the client makes and sends back as T)
      I  converse  as R, for a shell whose commands are typed: the last descriptor attached leads to
                   its editor (`client/editor.py` says what is spoken there)
      D  drained   the answer to D
      K  kill      send this signal(1) to the shell
      X  leave     how(1) value(1), as in F
      J  the answer to a people's question, one JSON object

S, X and the first byte of C never change in any version, so a peer of another
version can always be told so.  Descriptors travel with the first byte of their
frame (SCM_RIGHTS).  Standard library only, and only its cheapest modules: every
command an agent runs pays for this import.
"""

from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket

VERSION = 1
MAX_FRAME = 32 * 1024 * 1024  # two whole argument areas of the kernel, and then some
MAX_FDS = 3

EXIT, SIGNAL = 0, 1
TERMINAL = 255  # the place of a descriptor that is to be a new terminal


class WireError(Exception):
    """The peer does not speak this protocol, or stopped in the middle of a frame."""


def u32(number: int) -> bytes:
    """Return *number* as four bytes, big-endian."""
    return number.to_bytes(4, "big")


def field(data: bytes) -> bytes:
    """Return *data* with its length in front."""
    return len(data).to_bytes(4, "big") + data


def fields(data: bytes, at: int, count: int) -> "list[bytes]":
    """Return *count* fields that fill *data* from *at* to its end exactly."""
    found = []
    for _ in range(count):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if at + 4 > len(data) or end > len(data):
            raise WireError("a field is longer than its frame")
        found.append(data[at + 4 : end])
        at = end
    if at != len(data):
        raise WireError("bytes after the last field")
    return found


def send(sock: socket, kind: bytes, body: bytes = b"", fds: "tuple[int, ...]" = ()) -> None:
    """Send one whole frame, with *fds* attached."""
    data = memoryview(u32(len(body) + 1) + kind + body)
    if fds:
        rights = b"".join(fd.to_bytes(4, "little") for fd in fds)
        sent = sock.sendmsg([data], [(SOL_SOCKET, SCM_RIGHTS, rights)])
        data = data[sent:]
    if data:
        sock.sendall(data)


def receive(sock: socket) -> "tuple[bytes, bytes, list[int]] | None":
    """Return (kind, body, descriptors) of the next frame, or None at the end.

    Raises `WireError` for a frame that is cut short, empty or too long.  The
    caller owns the descriptors; they are close-on-exec.
    """
    received: list[int] = []
    data = _exactly(sock, 4, received)
    if not data:
        return None
    length = int.from_bytes(data, "big")
    if not 0 < length <= MAX_FRAME:
        raise WireError(f"a frame of {length} bytes")
    body = _exactly(sock, length, received)
    if len(data) < 4 or len(body) < length:
        raise WireError("the peer stopped in the middle of a frame")
    return body[:1], body[1:], received


_CLOEXEC = 0x40000000  # MSG_CMSG_CLOEXEC: nothing received may leak into a shell


def _exactly(sock: socket, count: int, received: "list[int]") -> bytes:
    parts = []
    while count:
        data, ancillary, _, _ = sock.recvmsg(min(count, 1 << 20), CMSG_LEN(4 * MAX_FDS), _CLOEXEC)
        for level, kind, rights in ancillary:
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
                for at in range(0, len(rights) - len(rights) % 4, 4):
                    received.append(int.from_bytes(rights[at : at + 4], "little"))
        if not data:
            break
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


def submit(argv: "list[bytes]", cwd: bytes, env: "list[bytes]", fds: int) -> bytes:
    """Return the body of a C frame; *fds* is a bit mask of attached descriptors."""
    head = bytes([VERSION, fds]) + u32(len(argv)) + u32(len(env))
    return head + b"".join(map(field, [cwd, *argv, *env]))


def run(places: "list[int]", path: bytes, argv: "list[bytes]") -> bytes:
    """Return the body of an R frame; *places* are those of descriptors 0, 1 and 2."""
    head = bytes(places) + u32(len(argv))
    return head + b"".join(map(field, [path, *argv]))


def read_run(body: bytes) -> "tuple[tuple[int, int, int], bytes, list[bytes]]":
    """Take an R frame apart."""
    path, *argv = fields(body, 7, 1 + int.from_bytes(body[3:7], "big"))
    return (body[0], body[1], body[2]), path, argv


def read_submit(body: bytes) -> "tuple[bytes, list[bytes], list[bytes], int]":
    """Take a C frame apart: (cwd, argv, environment, descriptor mask).

    Raises `WireError`; the version was checked before.
    """
    argc, envc = int.from_bytes(body[2:6], "big"), int.from_bytes(body[6:10], "big")
    if len(body) < 10 or argc < 1 or argc + envc > len(body):
        raise WireError("a submission without its counts")
    cwd, *rest = fields(body, 10, 1 + argc + envc)
    if b"\0" in body[10:] and any(b"\0" in part for part in (cwd, *rest)):
        raise WireError("a NUL byte where the kernel allows none")
    return cwd, rest[:argc], rest[argc:], body[1]
