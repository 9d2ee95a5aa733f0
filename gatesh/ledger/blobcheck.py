"""Checking the blobs: those that entries name, and those that nobody does.

Contents are hashed once each, however many entries share them.  Memory: eight
bytes for each digest that an entry names.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gatesh.ledger.findings import Findings, Said

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_INSIDE: Final = re.compile(rb'"([0-9a-f]{64})"')
_LARGEST: Final = 1 << 26  # of a document that is read whole


class Shelves:
    """The files of a blob store, looked at without reading them."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "sha256"

    def path(self, sha: str) -> Path:
        """Return where the blob would lie."""
        return self.root / sha[:2] / sha

    def stat(self, sha: str) -> os.stat_result | None:
        """Return what the file system says of a blob; None when there is no plain file."""
        try:
            found = os.lstat(f"{self.root}/{sha[:2]}/{sha}")
        except OSError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def has(self, sha: str) -> bool:
        """Tell whether the blob is there."""
        return self.stat(sha) is not None

    def transcript(self, sha: str, size: int, index: int, said: Said) -> int | None:
        """Return the bytes of a kept part of a stream, None when it is not there.

        Says so when there are more or fewer of them than there should be.
        """
        found = self.stat(sha)
        if found is None:
            return None
        if found.st_size != size:
            said.add(
                "transcript-changed", index, f"blob {sha} has {found.st_size:,} bytes, not {size:,}"
            )
            return 0
        return size


class BlobCheck:
    """The blob store of the log under audit."""

    def __init__(self, directory: Path, findings: Findings) -> None:
        self.directory = directory
        self._shelves = Shelves(directory)
        self._root = self._shelves.root
        self._findings = findings
        self._named = [array("Q") for _ in range(256)]
        self._before = [array("Q") for _ in range(256)]
        self._missing: set[tuple[str, int]] = set()
        self._recent: list[set[str]] = [set(), set()]

    def named(self, digests: set[str], *, before: bool = False) -> None:
        """Take note of what entries name, so that no blob of it is called extra.

        What was named *before* the head that an earlier audit has verified is not
        read again.
        """
        kept = self._before if before else self._named
        recent = self._recent[before]  # rules and roster stay the same for long
        for value in digests - recent:
            if len(value) == 64 and _NAME.fullmatch(value):
                kept[int(value[:2], 16)].append(int(value[2:18], 16))
        self._recent[before] = digests

    def read(self, sha: str, index: int) -> bytes | None:
        """Return a document that entry *index* names, or None with a finding."""
        found = self._shelves.stat(sha)
        if found is None or found.st_size > _LARGEST:
            self._lost(sha, index)
            return None
        data = self._shelves.path(sha).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha:
            return None  # said by `finish`, once for all entries that name it
        # A request names the files that its approvers were shown, a proposal what it replaces.
        shown = {digest.decode() for digest in _INSIDE.findall(data)}
        self.named(shown, before=self._findings.muted)
        return data

    def _lost(self, sha: str, index: int) -> None:
        if (sha, index) not in self._missing:
            self._missing.add((sha, index))
            self._findings.add("blob-missing", index, f"blob {sha} is not there")

    def finish(self) -> list[str]:
        """Hash every blob; return the names of those that are not what they are called."""
        changed: list[str] = []
        with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, 8))) as pool:
            for shelf in range(256):
                named, before = set(self._named[shelf]), set(self._before[shelf])
                names = []
                for name, path in self._shelf(shelf):
                    number = int(name[2:18], 16) if _NAME.fullmatch(name) else -1
                    if number in named:
                        names.append(name)
                    elif number not in before:
                        self._findings.add("blob-extra", None, f"no entry names {path}")
                for name, sound in zip(names, pool.map(self._sound, names), strict=True):
                    if not sound:
                        changed.append(name)
        self._strays()
        return changed

    def _shelf(self, shelf: int) -> Iterator[tuple[str, str]]:
        directory = f"{self._root}/{shelf:02x}"
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return
        for name in names:
            yield (name if name.startswith(f"{shelf:02x}") else ""), f"{directory}/{name}"

    def _sound(self, name: str) -> bool:
        try:
            fd = os.open(self._shelves.path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == name
        except OSError:
            return False

    def _strays(self) -> None:
        shelves = {f"{shelf:02x}" for shelf in range(256)}
        try:
            names = set(os.listdir(self._root))
        except OSError:
            return
        for name in sorted(names - shelves):
            self._findings.add("blob-extra", None, f"no entry names {self._root}/{name}")
