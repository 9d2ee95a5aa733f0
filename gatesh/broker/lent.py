"""What is done with descriptors that callers lend, and what they get in their place."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from gatesh import wire
from gatesh.caller import Copy


def terminal(lent: list[int | None]) -> tuple[list[int], int]:
    """Return the places of descriptors 0, 1 and 2 that are the caller's terminal, and one for
    writing to it, -1 when there is no terminal.

    Several of them are one terminal, or the others are treated as files.
    """
    places = [0, 0, 0]
    found = [fd for fd in lent if fd is not None and os.isatty(fd)]
    if not found:
        return places, -1
    device = os.fstat(found[0]).st_rdev
    ours = [fd for fd in found if os.fstat(fd).st_rdev == device]
    for target, fd in enumerate(lent):
        if fd in ours:
            places[target] = wire.TERMINAL
    return places, _to_write(ours)


def _to_write(fds: list[int]) -> int:
    """Return a new descriptor for writing to the terminal that *fds* are open on."""
    for fd in reversed(fds):
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            return os.dup(fd)
    try:  # standard input alone is the terminal: typed characters are still echoed there
        return os.open(f"/proc/self/fd/{fds[0]}", os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)


def consume(fd: int | None) -> None:
    """Leave a file that commands were read from at its end, where bash leaves it."""
    if fd is not None and stat.S_ISREG(os.fstat(fd).st_mode):
        os.lseek(fd, 0, os.SEEK_END)


def keep(place: Path, copy: Copy) -> bytes:
    """Write the script below *place*, readable for the shell alone, and return its path."""
    place.mkdir(mode=0o700, parents=True)
    path = os.fsencode(place / os.fsdecode(copy.name))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    with os.fdopen(fd, "wb") as file:
        file.write(copy.data)
    return path
