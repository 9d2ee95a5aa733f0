"""What is too large or too secret for a line of the log, named by its SHA-256.

`blobs/sha256/ab/<64 hex>`, mode 0600.  A blob is durable before it has its name,
so an entry that names it can be written the moment `put` returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gatesh.errors import LedgerError, NotFound
from gatesh.ledger import disk

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def _check(sha: str) -> None:
    # The name becomes a path: anything but a digest could lead elsewhere.
    if not isinstance(sha, str) or not _NAME.fullmatch(sha):
        raise LedgerError(f"not the name of a blob: {sha!r}")


class Blobs:
    """The blob store under *directory*, which is made if it is not there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._root = directory / "sha256"
        with _kept():
            os.close(disk.open_directory(directory))
            os.close(disk.open_directory(self._root))

    def path(self, sha: str) -> Path:
        """Return where the blob lies or would lie."""
        _check(sha)
        return self._root / sha[:2] / sha

    def has(self, sha: str) -> bool:
        """Tell whether there is such a blob (a link is none)."""
        path = self.path(sha)
        return path.is_file() and not path.is_symlink()

    def put(self, data: bytes) -> str:
        """Keep *data* durably and return its digest."""
        sha = hashlib.sha256(data).hexdigest()
        with _kept(), self._shelf(sha) as shelf:
            if not self._there(shelf, sha, len(data)):
                temporary = f".{secrets.token_hex(8)}.tmp"
                try:
                    disk.write_file(shelf, temporary, data)
                    self._name(shelf, temporary, shelf, sha)
                except BaseException:
                    disk.remove(shelf, temporary)
                    raise
        return sha

    def adopt(self, path: Path) -> tuple[str, int]:
        """Make the finished file *path* a blob; return its digest and size.

        The file is moved, so it must lie on the same file system and nobody may
        be writing to it any more.
        """
        with _kept(), self._beside(path) as above:
            fd = disk.open_file(above, path.name, os.O_RDONLY)
            with os.fdopen(fd, "rb") as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
                os.fchmod(file.fileno(), 0o600)
                disk.sync(file.fileno())
            with self._shelf(sha) as shelf:
                if self._there(shelf, sha, size):
                    os.unlink(path.name, dir_fd=above)
                else:
                    self._name(above, path.name, shelf, sha)
        return sha, size

    def get(self, sha: str) -> bytes:
        """Return the blob, its digest checked; raise `NotFound` or `LedgerError`."""
        _check(sha)
        with _kept(), self._shelf(sha) as shelf:
            data = disk.read(shelf, sha)
        if data is None:
            raise NotFound(f"blob {sha} is not kept here", hint="run `gatesh audit`")
        if hashlib.sha256(data).hexdigest() != sha:
            raise LedgerError(f"blob {sha} has been changed", hint="run `gatesh audit`")
        return data

    @contextlib.contextmanager
    def _shelf(self, sha: str) -> Iterator[int]:
        root = disk.open_directory(self._root)
        try:
            shelf = disk.open_directory(sha[:2], inside=root)
        finally:
            os.close(root)
        try:
            yield shelf
        finally:
            os.close(shelf)

    @staticmethod
    @contextlib.contextmanager
    def _beside(path: Path) -> Iterator[int]:
        above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield above
        finally:
            os.close(above)

    @staticmethod
    def _there(shelf: int, sha: str, size: int) -> bool:
        try:
            found = os.stat(sha, dir_fd=shelf, follow_symlinks=False)
        except FileNotFoundError:
            return False
        # Same name, other length: a damaged copy, replaced by the sound one.
        return stat.S_ISREG(found.st_mode) and found.st_size == size

    @staticmethod
    def _name(source: int, old: str, shelf: int, sha: str) -> None:
        os.rename(old, sha, src_dir_fd=source, dst_dir_fd=shelf)
        disk.sync(shelf)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise LedgerError(
            f"a transcript or document could not be kept: {problem.strerror}",
            hint="see that there is space where the state of gatesh lies",
        ) from problem
