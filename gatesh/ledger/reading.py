"""Reading a log that may be growing, without locks and without following links.

The writer renames `log.jsonl` when it is full, and puts a new checkpoint in
place of the old.  A reader takes the checkpoint first and then exactly as many
lines as it covers; what comes after is none of its business.
"""

from __future__ import annotations

import contextlib
import os
import stat
from array import array
from collections.abc import Iterator
from typing import Any

from gatesh.errors import NotFound, Tampered
from gatesh.ledger import entry
from gatesh.ledger.entry import LIMIT
from gatesh.ledger.findings import Findings, Said
from gatesh.ledger.journal import CURRENT, SPLIT, numbered
from gatesh.ledger.merkle import WIDTH, leaf_hash

_CHUNK = 1 << 20


class Directory:
    """A directory that is only read.  Whatever is not a plain file there is a finding.

    It is given by its path, or by an open descriptor that stays the giver's.
    """

    def __init__(self, path: str | os.PathLike[str] | int, findings: Said) -> None:
        self._findings = findings
        if isinstance(path, int):
            self.fd = path
            return
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(
                f"there is no log in {os.fspath(path)}", hint="see `gatesh doctor`"
            ) from None

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

    def open(self, name: str) -> int | None:
        """Return a descriptor, or None when there is no such plain file."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            fd = os.open(name, flags, dir_fd=self.fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            self._findings.add("not-a-file", None, f"{name}: {problem.strerror}")
            return None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            self._findings.add("not-a-file", None, f"{name} is not a plain file")
            return None
        return fd

    def read(self, name: str, most: int = 1 << 25) -> bytes | None:
        """Return the first bytes of a file, or None."""
        fd = self.open(name)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as file:
            return file.read(most)

    def walk(self, top: str) -> Iterator[tuple[str, bool]]:
        """Yield (path, is it a plain file) of everything under *top* that is not a directory."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for above, _, names, fd in os.fwalk(top, dir_fd=self.fd):
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
                        yield f"{above}/{name}", stat.S_ISREG(mode)


class Log:
    """The lines of a log, in order, and again by block."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._offsets = array("Q")  # byte offset, in its file, of each 256th entry
        self.found = 0  # complete lines read
        self.torn = False  # the file ended inside the next line
        self.behind = 0  # bytes behind the last line that was asked for
        self.overlong: list[str] = []  # numbered files with more than their lines

    def blocks(self, size: int) -> Iterator[list[bytes]]:
        """Yield the first *size* lines in blocks of 256; fewer if there are no more."""
        k = 0
        while self.found < size:
            fd, full = self._file(k)
            if fd is None:
                return
            try:
                before = self.found
                yield from self._lines(fd, min(size - before, SPLIT), full, k)
                if self.found - before < SPLIT:
                    return
            finally:
                os.close(fd)
            k += 1

    def count(self) -> int:
        """Return how many lines there are at all, for a log without a checkpoint."""
        total, k = 0, 0
        while True:
            fd, full = self._file(k)
            if fd is None:
                return total
            with os.fdopen(fd, "rb") as file:
                while chunk := file.read(_CHUNK):
                    total += chunk.count(b"\n")
            if not full:
                return total
            k += 1

    def leaves(self, block: int) -> bytes:
        """Return the leaf hashes of a block that was read before, joined."""
        return b"".join(map(leaf_hash, self.lines(block)))

    def lines(self, block: int, count: int = WIDTH) -> list[bytes]:
        """Return the lines of a block that was read before."""
        fd, _ = self._file(block * WIDTH // SPLIT)
        if fd is None:
            return []
        try:
            at, data = self._offsets[block], b""
            while data.count(b"\n") < count:
                chunk = os.pread(fd, _CHUNK, at + len(data))
                if not chunk:
                    break
                data += chunk
            return data.split(b"\n", count)[:count]
        finally:
            os.close(fd)

    def _file(self, k: int) -> tuple[int | None, bool]:
        """Open the file of entry k * 65,536; tell whether it is a numbered one."""
        fd = self._directory.open(numbered(k))
        if fd is not None:
            return fd, True
        fd = self._directory.open(CURRENT)
        renamed = self._directory.open(numbered(k))
        if renamed is None:
            return fd, False
        # The writer renamed log.jsonl between our two looks: the second is right.
        if fd is not None:
            os.close(fd)
        return renamed, True

    def _lines(self, fd: int, wanted: int, full: bool, k: int) -> Iterator[list[bytes]]:
        offset, rest = 0, b""
        block: list[bytes] = []
        start = 0  # where the lines not yet yielded begin
        while wanted:
            chunk = os.pread(fd, _CHUNK, offset)
            offset += len(chunk)
            if not chunk or len(rest) > LIMIT:
                self.torn = bool(rest)
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines[:wanted]:
                block.append(line)
                if len(block) == WIDTH:
                    self._remember(block, start)
                    yield block
                    start += sum(map(len, block)) + WIDTH
                    block = []
            surplus = lines[wanted:]
            wanted -= min(wanted, len(lines))
            if surplus:
                rest = b"\n".join([*surplus, rest])
        if block:
            self._remember(block, start)
            yield block
        if wanted == 0:
            self.behind = max(os.fstat(fd).st_size - offset, 0) + len(rest)
            if full and self.behind:
                self.overlong.append(numbered(k))

    def _remember(self, block: list[bytes], start: int) -> None:
        self._offsets.append(start)
        self.found += len(block)


def entries(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield the entries of the log in directory *path* that its checkpoint covers.

    For listing, not for proving: lines are parsed, hashes are the audit's to check.
    Raises `NotFound` when there is no log, `Tampered` where a line cannot be read.
    """
    directory = Directory(path, Findings())
    try:
        checkpoint = directory.read("checkpoint") or b""
        size = checkpoint.split(b"\n")[1:2]
        log = Log(directory)
        for block in log.blocks(int(size[0]) if size and size[0].isdigit() else log.count()):
            for line in block:
                try:
                    yield entry.decode(line)
                except entry.MalformedEntry as problem:
                    raise Tampered(
                        f"a line of the log cannot be read: {problem}", hint="run `gatesh audit`"
                    ) from None
    finally:
        directory.close()


def ends(path: str | os.PathLike[str]) -> tuple[int, dict[str, Any] | None, dict[str, Any] | None]:
    """Return how many entries the log in *path* has by its checkpoint, its first and its last one.

    For listing, as `entries`; only both ends are read.  None where a line is none.
    """
    directory = Directory(path, Findings())
    try:
        checkpoint = directory.read("checkpoint") or b""
        given = checkpoint.split(b"\n")[1:2]
        size = int(given[0]) if given and given[0].isdigit() else 0
        first = _line(directory, 0, 0)
        last = _line(directory, (size - 1) // SPLIT, (size - 1) % SPLIT) if size else None
        return size, first, last
    finally:
        directory.close()


def _line(directory: Directory, k: int, nth: int) -> dict[str, Any] | None:
    """Return the nth entry of the k-th file."""
    fd = directory.open(numbered(k))
    fd = directory.open(CURRENT) if fd is None else fd
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file:
        for at, line in enumerate(file):
            if at == nth:
                try:
                    return entry.decode(line.rstrip(b"\n"), canonical=False)
                except entry.MalformedEntry:
                    return None
    return None
