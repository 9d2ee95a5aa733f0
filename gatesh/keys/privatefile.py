"""Files that hold secrets: opened without following links, refused when others could have them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from pathlib import Path

from gatesh.errors import KeyTrouble

_LONGEST = 64 * 1024


def read(path: Path, *, what: str, strict: bool = True) -> bytes:
    """Return the content of *path*; raise `KeyTrouble` unless it is this account's alone.

    Another owner and any access for group and others are refused, and with *strict* links of
    both kinds too (people do link their own `~/.ssh` keys).  Raises `FileNotFoundError` as is.
    """
    return _read(path, what, private=True, strict=strict)


def read_public(path: Path, *, what: str) -> bytes:
    """Return the content of a small file that others may read."""
    return _read(path, what, private=False, strict=False)


def _read(path: Path, what: str, *, private: bool, strict: bool) -> bytes:
    # O_NONBLOCK: opening a fifo must not wait for a writer.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | (os.O_NOFOLLOW if strict else 0))
    except FileNotFoundError:
        raise
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise KeyTrouble(f"{what} {path} is a link, not a file") from None
        raise KeyTrouble(f"cannot open {what} {path}: {problem.strerror}") from None
    try:
        # On the open descriptor: the name could point elsewhere by now.
        status = _settled(descriptor) if strict else os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyTrouble(f"{what} {path} is not a regular file")
        if private:
            _private(path, status, what)
        if strict and status.st_nlink != 1:
            raise KeyTrouble(f"{what} {path} has a second name (hard link)")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(_LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > _LONGEST:
        raise KeyTrouble(f"{what} {path} is longer than a key can be")
    return data


def _settled(descriptor: int) -> os.stat_result:
    """Return the file's status, waiting out the moment in which `create` holds two names."""
    status = os.fstat(descriptor)
    for _ in range(100):
        if status.st_nlink < 2 or not stat.S_ISREG(status.st_mode):
            break
        time.sleep(0.005)
        status = os.fstat(descriptor)
    return status


def _private(path: Path, status: os.stat_result, what: str) -> None:
    if status.st_uid != os.geteuid():
        raise KeyTrouble(f"{what} {path} belongs to uid {status.st_uid}, not to this account")
    if status.st_mode & 0o077:
        raise KeyTrouble(
            f"{what} {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"close it with `chmod 600 {path}` and consider the key known to them",
        )


def create(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Write *path* whole and durably if it does not exist; return whether it was us.

    Never overwrites: of two who create at once one wins and the other must read.
    """
    trial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)  # a umask may have taken away more than is meant
            os.fsync(descriptor)
        try:
            os.link(trial, path)
        except FileExistsError:
            return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(trial)
    sync_directory(path.parent)
    return True


def sync_directory(path: Path) -> None:
    """Make names in *path* survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
