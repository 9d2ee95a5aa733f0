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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatesh.errors import LedgerError, NotFound
from gatesh.ledger import disk
from gatesh.ledger.rounds import NO_SPACE, LedgerFull

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
        with self.batch() as batch:
            return batch.put(data)

    def adopt(self, path: Path) -> tuple[str, int]:
        """Make the finished file *path* a blob; return its digest and size.

        The file is moved, so it must lie on the same file system and nobody may
        be writing to it any more.
        """
        with self.batch() as batch:
            return batch.adopt(path)

    @contextlib.contextmanager
    def batch(self) -> Iterator[Batch]:
        """Lend something that keeps several blobs for the time of one.

        They are durable, and have their names, when the block has been left; when that fails
        or the block does, none of them is promised.
        """
        with _kept():
            batch = Batch(self)
            try:
                yield batch
                batch.name()
            finally:
                batch.close()

    def get(self, sha: str) -> bytes:
        """Return the blob, its digest checked; raise `NotFound` or `LedgerError`."""
        _check(sha)
        with _kept():
            data = self._read(sha)
        if data is None:
            raise NotFound(f"blob {sha} is not kept here", hint="run `gatesh audit`")
        if hashlib.sha256(data).hexdigest() != sha:
            raise LedgerError(f"blob {sha} has been changed", hint="run `gatesh audit`")
        return data

    def discard(self, sha: str, unless_since: float) -> bool:
        """Remove a blob and tell whether it went; one that was kept again since then stays.

        *unless_since* is a time as the file system tells it.  Whoever keeps the same bytes
        at this moment either finds the blob and marks it (then it stays), or finds none and
        writes its own.  Once is enough for a blob that a crash has left half removed.
        """
        _check(sha)
        aside = f".{sha}.gone"
        with _kept():
            root = disk.open_directory(self._root, create=False)
            try:
                shelf = disk.open_directory(sha[:2], inside=root, create=False)
            except FileNotFoundError:
                return False
            finally:
                os.close(root)
            try:
                try:
                    os.rename(sha, aside, src_dir_fd=shelf, dst_dir_fd=shelf)
                    if os.stat(aside, dir_fd=shelf, follow_symlinks=False).st_mtime >= unless_since:
                        os.rename(aside, sha, src_dir_fd=shelf, dst_dir_fd=shelf)
                        return False
                except FileNotFoundError:
                    pass
                went = disk.exists(shelf, aside)
                disk.remove(shelf, aside)
                disk.sync(shelf)
                return went
            finally:
                os.close(shelf)

    def _read(self, sha: str) -> bytes | None:
        root = disk.open_directory(self._root, create=False)
        try:
            shelf = disk.open_directory(sha[:2], inside=root, create=False)
        except FileNotFoundError:
            return None
        finally:
            os.close(root)
        try:
            return disk.read(shelf, sha)
        finally:
            os.close(shelf)


@dataclass(frozen=True, slots=True)
class _Unnamed:
    """A file that is to become a blob: where it lies, and open for syncing."""

    directory: int
    name: str
    fd: int
    shelf: int
    sha: str
    ours: bool  # made here: nobody misses it if it does not get its name


class Batch:
    """Blobs on their way to the disk together; get one from `Blobs.batch`."""

    def __init__(self, blobs: Blobs) -> None:
        self._root = disk.open_directory(blobs.directory / "sha256")
        self._shelves: dict[str, int] = {}
        self._unnamed: dict[str, _Unnamed] = {}
        self._above: list[int] = []
        self._made = False  # a shelf, whose own name is not durable yet

    def put(self, data: bytes) -> str:
        """Take *data* and return its digest."""
        sha = hashlib.sha256(data).hexdigest()
        shelf = self._shelf(sha)
        if not self._there(shelf, sha, len(data)):
            name = f".{secrets.token_hex(8)}.tmp"
            fd = disk.create(shelf, name)
            self._unnamed[sha] = _Unnamed(shelf, name, fd, shelf, sha, ours=True)
            disk.write_all(fd, data)
        return sha

    def adopt(self, path: Path) -> tuple[str, int]:
        """Take the finished file *path* and return its digest and size."""
        above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._above.append(above)
        fd = disk.open_file(above, path.name, os.O_RDONLY)
        try:
            with os.fdopen(fd, "rb", closefd=False) as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
            shelf = self._shelf(sha)
            if self._there(shelf, sha, size):
                os.unlink(path.name, dir_fd=above)
                return sha, size
            os.fchmod(fd, 0o600)
            self._unnamed[sha] = _Unnamed(above, path.name, fd, shelf, sha, ours=False)
            fd = -1
        finally:
            if fd >= 0:
                os.close(fd)
        return sha, size

    def name(self) -> None:
        """Make everything durable, then give it its names, then make those durable."""
        if not self._unnamed:
            return
        disk.sync_all(file.fd for file in self._unnamed.values())
        changed = {self._root} if self._made else set()
        while self._unnamed:
            _, file = self._unnamed.popitem()
            os.close(file.fd)
            os.rename(file.name, file.sha, src_dir_fd=file.directory, dst_dir_fd=file.shelf)
            changed.add(file.shelf)
        disk.sync_all(changed)

    def close(self) -> None:
        """Let go of everything, and of what has not got its name."""
        for file in self._unnamed.values():
            os.close(file.fd)
            if file.ours:
                disk.remove(file.directory, file.name)
        for fd in (*self._above, *self._shelves.values(), self._root):
            os.close(fd)

    def _shelf(self, sha: str) -> int:
        shelf = self._shelves.get(sha[:2])
        if shelf is None:
            try:
                shelf = disk.open_directory(sha[:2], inside=self._root, create=False)
            except FileNotFoundError:
                shelf = disk.open_directory(sha[:2], inside=self._root, durable=False)
                self._made = True
            self._shelves[sha[:2]] = shelf
        return shelf

    def _there(self, shelf: int, sha: str, size: int) -> bool:
        if sha in self._unnamed:
            return True
        try:
            # Marked as in use, for `discard`; before the look, so that it cannot go in between.
            os.utime(sha, dir_fd=shelf, follow_symlinks=False)
            found = os.stat(sha, dir_fd=shelf, follow_symlinks=False)
        except FileNotFoundError:
            return False
        # Same name, other length: a damaged copy, replaced by the sound one.
        return stat.S_ISREG(found.st_mode) and found.st_size == size


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        if problem.errno in NO_SPACE:
            raise LedgerFull("a transcript or document") from problem
        raise LedgerError(
            f"a transcript or document could not be kept: {problem.strerror}",
            hint="see that there is space where the state of gatesh lies",
        ) from problem
