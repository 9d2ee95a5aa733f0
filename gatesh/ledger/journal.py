"""`log.jsonl`: the lines of the log on disk, split every 65,536 entries.

The journal being written is always `log.jsonl`.  Once it holds 65,536 entries
under a durable checkpoint it is renamed to `log.000000.jsonl` (then
`log.000001.jsonl`, …) and a new one is begun.  So every numbered file is full,
acknowledged and final, and only `log.jsonl` can have anything behind the
checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from gatesh.errors import Tampered
from gatesh.ledger import disk
from gatesh.ledger.entry import LIMIT

CURRENT: Final = "log.jsonl"
SPLIT: Final = 65_536
_NEXT: Final = "log.jsonl.tmp"
_CHUNK: Final = 1 << 20


def numbered(k: int) -> str:
    """Return the name of the k-th full file.

    >>> numbered(0)
    'log.000000.jsonl'
    """
    return f"log.{k:06d}.jsonl"


def read_lines(fd: int, offset: int = 0) -> Iterator[list[bytes]]:
    """Yield the complete lines from *offset*, without newlines, in batches of about 1 MiB.

    Each line stands for len(line) + 1 bytes; what follows the last newline is
    not yielded.  A "line" beyond the limit of an entry ends the reading, so that
    a file of gigabytes without a newline is not loaded.
    """
    rest = b""
    while True:
        chunk = os.pread(fd, _CHUNK, offset)
        if not chunk:
            return
        offset += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
        if len(rest) > LIMIT + 1:
            return


class Journal:
    """The open `log.jsonl` and where it ends.  Not thread-safe; `Ledger` is."""

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self._fd = -1
        self.full = 0  # numbered files
        self.end = 0  # bytes of log.jsonl that are acknowledged
        self.marks: list[int] = [0]  # byte offset in log.jsonl of each 256th entry

    def open(self, size: int) -> None:
        """Open for a checkpoint of *size*; finish a rotation that a crash interrupted.

        Raises `Tampered` when a file that must be there is not.
        """
        self.full = size // SPLIT
        missing = [k for k in range(self.full) if not disk.exists(self._directory, numbered(k))]
        if missing == [self.full - 1] and size % SPLIT == 0:
            # Full and acknowledged, and the crash came before the rename.
            self.full -= 1
        elif missing:
            raise Tampered(
                f"{numbered(missing[0])} is missing although the checkpoint covers it",
                hint="run `gatesh audit` and restore the file from a backup",
            )
        flags = os.O_RDWR | os.O_APPEND
        if size == self.full * SPLIT:
            flags |= os.O_CREAT
        try:
            self._fd = disk.open_file(self._directory, CURRENT, flags)
        except FileNotFoundError:
            raise Tampered(
                f"{CURRENT} is missing although the checkpoint covers {size:,} entries",
                hint="run `gatesh audit` and restore the file from a backup",
            ) from None
        if flags & os.O_CREAT:
            disk.sync(self._directory)
        disk.remove(self._directory, _NEXT)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def file(self, k: int) -> int:
        """Return a new descriptor for reading the k-th file; k = `full` is `log.jsonl`."""
        name = CURRENT if k == self.full else numbered(k)
        return disk.open_file(self._directory, name, os.O_RDONLY)

    def length(self) -> int:
        """Return the bytes in log.jsonl, acknowledged or not."""
        return os.fstat(self._fd).st_size

    def tail(self) -> bytes:
        """Return what lies behind the acknowledged end."""
        return os.pread(self._fd, max(self.length() - self.end, 0), self.end)

    def cut(self) -> None:
        """Durably drop what lies behind the acknowledged end."""
        os.ftruncate(self._fd, self.end)
        disk.sync(self._fd)

    def write(self, data: bytes) -> None:
        """Append lines and wait until they are on the disk."""
        disk.write_all(self._fd, data)
        disk.sync(self._fd, data_only=True)

    def advance(self, lines: list[bytes], first: int) -> None:
        """Count *lines*, the first of which is entry *first*, as acknowledged."""
        for n, line in enumerate(lines, first % SPLIT):
            if n and n % 256 == 0:
                self.marks.append(self.end)
            self.end += len(line) + 1

    def rotate(self) -> None:
        """Give a full, acknowledged log.jsonl its number and begin a new one."""
        # The new file is made first: on a full disk that fails before anything has moved.
        fresh = disk.open_file(
            self._directory, _NEXT, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
        )
        try:
            here = self._directory
            os.rename(CURRENT, numbered(self.full), src_dir_fd=here, dst_dir_fd=here)
            os.rename(_NEXT, CURRENT, src_dir_fd=here, dst_dir_fd=here)
            disk.sync(here)
        except BaseException:
            os.close(fresh)
            raise
        os.close(self._fd)
        self._fd = fresh
        self.full += 1
        self.end, self.marks = 0, [0]

    def between(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the lines of entries *start* up to but not including *end*."""
        while start < end:
            k = start // SPLIT
            within = start % SPLIT
            current = k == self.full
            mark = min(within // 256, len(self.marks) - 1) if current else 0
            skip = within - mark * 256
            fd = self.file(k)
            try:
                for lines in read_lines(fd, self.marks[mark] if current else 0):
                    if skip >= len(lines):
                        skip -= len(lines)
                        continue
                    wanted = lines[skip : skip + min(end, (k + 1) * SPLIT) - start]
                    skip = 0
                    yield from wanted
                    start += len(wanted)
                    if start == min(end, (k + 1) * SPLIT):
                        break
                else:
                    raise Tampered(
                        f"entry {start} can no longer be read", hint="run `gatesh audit`"
                    )
            finally:
                os.close(fd)
