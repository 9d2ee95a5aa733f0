"""Files that survive a power cut, and links that are not followed.

Everything goes through the descriptor of its directory, so that a directory
swapped for a link while the broker runs changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from gatesh.errors import LedgerError

_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # NONBLOCK: a fifo must not hang the broker


class SyncFailed(LedgerError):
    """The kernel could not say that bytes are on the disk; nothing may be built on them."""


def sync(fd: int, *, data_only: bool = False) -> None:
    """Wait until the file or directory is on the disk; raise `SyncFailed` when that is unknown."""
    try:
        if data_only:
            os.fdatasync(fd)
        else:
            os.fsync(fd)
    except OSError as problem:
        raise SyncFailed(
            f"the disk did not confirm a write: {problem.strerror}",
            hint="look at the kernel log (dmesg) before trusting this disk again",
        ) from problem


def sync_all(fds: Iterable[int]) -> None:
    """Sync every one of *fds*, all at the same time: file systems do that in one go."""
    first, *others = fds
    under_way = [_flushers().submit(sync, fd) for fd in others]
    try:
        sync(first)
    finally:
        # All of them, whatever happens: nobody may close a descriptor that is being synced.
        failures = [flush.exception() for flush in under_way]
    for failure in failures:
        if failure is not None:
            raise failure


@cache
def _flushers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8, thread_name_prefix="flush")


def open_directory(
    path: str | bytes | Path,
    *,
    inside: int | None = None,
    create: bool = True,
    durable: bool = True,
) -> int:
    """Return a descriptor of the directory, made with mode 0700 if it is not there.

    Without *durable*, the caller has to sync the directory in which it may have been made.
    Raises `LedgerError` for a link, a non-directory, or one that others may write to.
    """
    made = False
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700, dir_fd=inside)
            made = True
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE, dir_fd=inside)
    except NotADirectoryError:
        raise LedgerError(
            f"{os.fsdecode(path)} is a link or no directory",
            hint="gatesh follows no links here: move the real directory to this place",
        ) from None
    if os.fstat(fd).st_mode & 0o022:
        os.close(fd)
        raise LedgerError(
            f"others may write to {os.fsdecode(path)}",
            hint=f"chmod 700 {os.fsdecode(path)}",
        )
    if made and durable:
        sync_parent(path, inside)
    return fd


def sync_parent(path: str | bytes | Path, inside: int | None) -> None:
    """Make the name of a new directory durable."""
    if inside is not None:
        sync(inside)
        return
    parent = os.open(
        os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    )
    try:
        sync(parent)
    finally:
        os.close(parent)


def open_file(directory: int, name: str, flags: int) -> int:
    """Open a regular file of mode 0600; raise `LedgerError` for links and anything else.

    `FileNotFoundError` and `FileExistsError` pass through.
    """
    try:
        fd = os.open(name, flags | _SAFE, 0o600, dir_fd=directory)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as problem:
        if os.path.islink(f"/proc/self/fd/{directory}/{name}"):
            raise LedgerError(
                f"{name} is a link, and links are not followed here",
                hint="find out who put it there; `gatesh audit` shows what is left of the log",
            ) from None
        raise LedgerError(f"{name} cannot be opened: {problem.strerror}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise LedgerError(f"{name} is not a regular file")
    return fd


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; a short write is continued, an error is raised."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read(directory: int, name: str) -> bytes | None:
    """Return the bytes of a file, or None when there is none."""
    try:
        fd = open_file(directory, name, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        return file.read()


def exists(directory: int, name: str) -> bool:
    """Tell whether anything, be it a broken link, has this name."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def remove(directory: int, name: str) -> None:
    """Remove a file; it is no error if there is none."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def create(directory: int, name: str) -> int:
    """Return a descriptor of a new, empty file, in place of a leftover of that name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return open_file(directory, name, flags)
    except FileExistsError:
        remove(directory, name)
        return open_file(directory, name, flags)


def write_file(directory: int, name: str, data: bytes, *, durable: bool = True) -> None:
    """Write a new file.  With *durable* its bytes are on the disk, its name not yet."""
    fd = create(directory, name)
    try:
        write_all(fd, data)
        if durable:
            sync(fd)
    finally:
        os.close(fd)


def replace(directory: int, name: str, data: bytes) -> None:
    """Write *name* so that after any crash it holds the old bytes or the new ones."""
    temporary = f"{name}.tmp"
    write_file(directory, temporary, data)
    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    sync(directory)
