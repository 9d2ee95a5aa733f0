"""One writer at a time: an exclusive lock, held for the life of the broker."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from gatesh.errors import LedgerError
from gatesh.ledger import disk


def take_lock(directory: int, path: Path) -> int:
    """Return the locked `.lock`; raise `LedgerError` when another process holds it.

    The lock goes with the descriptor, so it ends with the process, however that dies.
    """
    fd = disk.open_file(directory, ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        holder = os.pread(fd, 20, 0).strip().decode("ascii", "replace")
        os.close(fd)
        if problem.errno != errno.EWOULDBLOCK:
            raise
        raise LedgerError(
            f"another gatesh broker{f' (process {holder})' if holder.isdigit() else ''} "
            f"writes the log in {path}",
            hint="there is one writer: use that one, or stop it with `gatesh broker stop`",
        ) from None
    with contextlib.suppress(OSError):  # the number only serves the message above
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    return fd
