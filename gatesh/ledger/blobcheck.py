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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from gatesh.ledger.findings import Findings

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LARGEST: Final = 1 << 26  # of a document that is read whole

Said = Callable[[str], str]


class BlobCheck:
    """The blob store of the log under audit."""

    def __init__(self, directory: Path, findings: Findings) -> None:
        self._root = directory / "sha256"
        self._findings = findings
        self._named = [array("Q") for _ in range(256)]
        self._missing: set[tuple[str, int]] = set()
        self._recent: dict[str, Any] = {}
        self.transcripts_bytes = 0

    def named(self, value: Any, field: str = "") -> None:
        """Take note of a digest, so that its blob is not called extra."""
        if field and self._recent.get(field) == value:
            return  # rules and roster stay the same from entry to entry
        self._recent[field] = value
        if isinstance(value, str) and len(value) == 64 and _NAME.fullmatch(value):
            self._named[int(value[:2], 16)].append(int(value[2:18], 16))

    def named_streams(self, streams: Any) -> None:
        """Take note of every digest in the streams of an entry, whatever their shape."""
        if isinstance(streams, dict):
            for value in streams.values():
                self.named_streams(value)
        elif isinstance(streams, list):
            for value in streams:
                self.named_streams(value)
        else:
            self.named(streams)

    def path(self, sha: str) -> Path:
        """Return where the blob would lie."""
        return self._root / sha[:2] / sha

    def transcript(self, sha: str, size: int, index: int) -> None:
        """A kept part of a stream must be there, with its length."""
        found = self._stat(sha)
        if found is None:
            self._findings.add("transcript-missing", index, f"blob {sha} is not there")
        elif found.st_size != size:
            self._findings.add(
                "transcript-changed", index, f"blob {sha} has {found.st_size:,} bytes, not {size:,}"
            )
        else:
            self.transcripts_bytes += size

    def present(self, sha: str, index: int) -> None:
        """A blob must be there; what it holds is looked at in `finish`."""
        if self._stat(sha) is None:
            self._lost(sha, index)

    def read(self, sha: str, index: int) -> bytes | None:
        """Return a document that entry *index* names, or None with a finding."""
        found = self._stat(sha)
        if found is None or found.st_size > _LARGEST:
            self._lost(sha, index)
            return None
        data = self.path(sha).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha:
            return None  # said by `finish`, once for all entries that name it
        return data

    def _lost(self, sha: str, index: int) -> None:
        if (sha, index) not in self._missing:
            self._missing.add((sha, index))
            self._findings.add("blob-missing", index, f"blob {sha} is not there")

    def _stat(self, sha: str) -> os.stat_result | None:
        try:
            found = os.lstat(f"{self._root}/{sha[:2]}/{sha}")
        except OSError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def finish(self) -> list[str]:
        """Hash every blob; return the names of those that are not what they are called."""
        changed: list[str] = []
        with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, 8))) as pool:
            for shelf in range(256):
                named = set(self._named[shelf])
                names = []
                for name, path in self._shelf(shelf):
                    if _NAME.fullmatch(name) and int(name[2:18], 16) in named:
                        names.append(name)
                    else:
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
            fd = os.open(self.path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
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
