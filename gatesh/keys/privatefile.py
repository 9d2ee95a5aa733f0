"""Files that hold secrets: opened without following links, refused when others could have them."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from pathlib import Path

from gatesh.errors import KeyTrouble

_LONGEST = 64 * 1024


def read(path: Path, *, what: str, owner_only: bool = True) -> bytes:
    """Return the content of *path*; raise `KeyTrouble` unless it is this account's alone.

    A link, another owner, a second hard link or any access for group and others is refused;
    `owner_only=False` drops these checks for public files.  Raises `FileNotFoundError` as is.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    if owner_only:
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise KeyTrouble(f"cannot open {what} {path}: {problem.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        # On the open descriptor: the name could point elsewhere by now.
        status = _settled(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyTrouble(f"{what} {path} is not a regular file")
        if owner_only:
            _private(path, status, what)
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise KeyTrouble(f"{what} {path} is longer than a key can be")
    return data


def _settled(descriptor: int) -> os.stat_result:
    """Return the file's status, waiting out the moment in which `create` holds two names."""
    status = os.fstat(descriptor)
    for _ in range(100):
        if status.st_nlink < 2:
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
    if status.st_nlink != 1:
        raise KeyTrouble(f"{what} {path} has a second name (hard link)")


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
