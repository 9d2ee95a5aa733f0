"""What the kernel says about a caller: who, from where, under whom."""

from __future__ import annotations

import functools
import os
import pwd
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_ANCESTRY = 16
REMEMBERED_S = 1.0  # for so long an account keeps its name: it is asked for again and again


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a socket, as the kernel reported it when it connected."""

    pid: int
    uid: int
    gid: int

    @property
    def user(self) -> str:
        """The account's name, or its number when it has none."""
        return user_name(self.uid)


def peer_of(sock: socket.socket) -> Peer:
    """Return who connected (`SO_PEERCRED`)."""
    size = struct.calcsize("iII")
    return Peer(*struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)))


def user_name(uid: int) -> str:
    """Return the name of account *uid*, or its number when it has none."""
    return _account(uid, int(time.monotonic() / REMEMBERED_S))[0]


def home_of(uid: int) -> str | None:
    """Return the home of account *uid*, which no environment can move."""
    return _account(uid, int(time.monotonic() / REMEMBERED_S))[1]


@functools.lru_cache(maxsize=64)
def _account(uid: int, _moment: int) -> tuple[str, str | None]:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return str(uid), None
    return found.pw_name, found.pw_dir


def _stat(pid: int) -> tuple[str, list[bytes]] | None:
    """Return (name, the fields behind it) of process *pid*, or None when it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(fd, 4096)  # one read takes it whole, or none
        finally:
            os.close(fd)
    except OSError:
        return None
    # The name stands in parentheses and may itself contain `) `.
    name, _, rest = text[text.index(b"(") + 1 :].rpartition(b") ")
    return name.decode("utf-8", "replace"), rest.split()


def parent(pid: int) -> tuple[int, str] | None:
    """Return (parent's pid, this process's name), or None when it is gone."""
    found = _stat(pid)
    return (int(found[1][1]), found[0]) if found else None


_SHELLS = frozenset(["bash", "sh", "dash", "zsh", "ksh", "fish", "busybox"])


def began(pid: int) -> int | None:
    """Return when *pid* was started, in ticks since boot; with it a pid names one process."""
    found = _stat(pid)
    return int(found[1][19]) if found else None


def starter(chain: tuple[tuple[int, str], ...]) -> tuple[int, int] | None:
    """Return (pid, start) of who started a caller, from its ancestry; None when nobody is known.

    Shells are passed over: `agent → sh -c 'gatesh … &'` is meant to outlive the `sh`.
    """
    for pid, name in chain:
        if name not in _SHELLS:
            since = began(pid)
            return None if since is None else (pid, since)
    return None


def ancestry(pid: int) -> tuple[tuple[int, str], ...]:
    """Return (pid, name) of each parent of *pid*, nearest first, without init."""
    steps: list[tuple[int, str]] = []
    found = parent(pid)
    while found and found[0] > 1 and len(steps) < MAX_ANCESTRY:
        pid = found[0]
        found = parent(pid)
        if found:
            steps.append((pid, found[1]))
    return tuple(steps)


def lineage(pid: int) -> Iterator[tuple[int, str]]:
    """Yield (pid, program) of *pid* itself and of each parent, nearest first, without init.

    The program is the file that the process runs, empty where the kernel does not tell us.
    Unlike a process's name it cannot be chosen by the process.
    """
    seen: set[int] = set()
    while pid > 1 and pid not in seen:
        seen.add(pid)
        try:
            program = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            program = ""
        yield pid, program
        found = parent(pid)
        pid = found[0] if found else 0


def session(pid: int) -> int:
    """Return the session id of *pid*, 0 when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def working_directory(pid: int, said: bytes) -> dict[str, object]:
    """Return path, device and inode of the directory that *pid* is in.

    The path is what the client said when it names the same directory (a person
    knows it by its links), else what the kernel says.
    """
    link = f"/proc/{pid}/cwd"
    try:
        real = os.stat(link)
    except OSError:
        return {"path": os.fsdecode(said), "dev": None, "ino": None}
    path = os.fsdecode(said)
    try:
        told = os.stat(path) if path.startswith("/") else None
    except OSError:
        told = None
    if told is None or (told.st_dev, told.st_ino) != (real.st_dev, real.st_ino):
        path = os.readlink(link)
    return {"path": path, "dev": real.st_dev, "ino": real.st_ino}


def only_root_writes(path: str) -> bool:
    """Tell whether nobody but root can change the file *path*, or put another in its place."""
    place = os.path.realpath(path)
    while True:
        try:
            found = os.stat(place)
        except OSError:
            return False
        if found.st_uid != 0 or found.st_mode & 0o022:
            return False
        if place == "/":
            return True
        place = os.path.dirname(place)


def boot_id() -> str:
    """Return the identity of this run of the kernel."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def host_name() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def same_description(one: int, other: int) -> bool:
    """Tell whether two descriptors share one open file description (kcmp(2)).

    Where kcmp is not allowed, the same inode must do: callers that open a file
    twice for output and output over itself are rarer than `2>&1`.
    """
    if (kcmp := _kcmp()) is not None:
        own = os.getpid()
        result = kcmp(own, own, 0, one, other)
        if result in (0, 1, 2, 3):
            return result == 0
    a, b = os.fstat(one), os.fstat(other)
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


@functools.cache
def _kcmp() -> Callable[..., int] | None:
    import ctypes
    import platform

    number = {"x86_64": 312, "aarch64": 272}.get(platform.machine())
    if number is None:
        return None
    return functools.partial(ctypes.CDLL(None, use_errno=True).syscall, number)


NULL = os.makedev(1, 3)  # /dev/null, on every Linux


def is_null(fd: int) -> bool:
    """Tell whether *fd* is /dev/null."""
    found = os.fstat(fd)
    return found.st_rdev == NULL and stat.S_ISCHR(found.st_mode)
