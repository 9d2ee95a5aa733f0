"""What can be told of lines by themselves: their hashes, form, digests, tiles and blobs.

This is most of the work of an audit and needs no order, so it is done for many
batches at once, in other processes.  What comes back is small: the leaf hashes,
what was found, and of each entry the fields that its story is told from.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from gatesh import document
from gatesh.ledger import entry as entries
from gatesh.ledger import tiles
from gatesh.ledger.blobcheck import Shelves
from gatesh.ledger.merkle import HASH, WIDTH, leaf_hash
from gatesh.ledger.reading import Directory
from gatesh.ledger.tiles import ENTRIES, Tile

Entry = Mapping[str, Any]

BATCH: Final = 8 * WIDTH  # lines that travel together
_ALONE: Final = 20_000  # lines for which no other process is started
_MOST: Final = 1000  # differing leaves that are kept of one batch

# The story of a command is told from these; its text, output and findings stay behind.
_TOLD: Final = (
    "n", "t", "type", "id", "verdict", "script_sha256", "policy_sha256", "roster_sha256",
    "request_sha256", "decisions", "clock_back_s", "within", "covered",
)  # fmt: skip


@dataclass(slots=True)
class Batch:
    """Neighbouring lines, the first of which is entry *first*, and what was told of them."""

    first: int
    leaves: list[bytes] = field(default_factory=list)
    said: list[tuple[str, int | None, str]] = field(default_factory=list)  # findings
    misplaced: list[tuple[int, int]] = field(default_factory=list)  # place, n
    entries: list[Entry] = field(default_factory=list)  # those of sound shape
    digests: set[str] = field(default_factory=set)  # that may name blobs
    before: set[str] = field(default_factory=set)  # the same, of lines that are trusted
    transcripts_bytes: int = 0
    missing: list[tuple[str, int, str]] = field(default_factory=list)  # transcripts: blob, n, t
    bad_tiles: list[tuple[str, Tile]] = field(default_factory=list)
    differs: list[int] = field(default_factory=list)  # whose hash is not the one in its tile

    def add(self, code: str, index: int | None, meaning: str) -> None:
        """Note a finding, as `Findings` does."""
        self.said.append((code, index, meaning))


class Examiner:
    """Examines batches of one log; lines before *trusted* are only hashed and told.

    *directory* is a descriptor of the log's directory: while it is read the broker
    may put it away under another name.
    """

    def __init__(self, directory: int, blobs: Path, trusted: int = 0) -> None:
        self.directory, self.trusted = directory, trusted
        self.shelves = Shelves(blobs)

    def __call__(self, first: int, lines: list[bytes]) -> Batch:
        """Return everything about *lines*."""
        batch = Batch(first)
        directory = Directory(self.directory, batch)
        for at in range(0, len(lines), WIDTH):
            block = lines[at : at + WIDTH]
            leaves = [leaf_hash(line) for line in block]
            batch.leaves += leaves
            start = first + at
            if start + len(block) > self.trusted:
                _tiles(batch, directory, start, block, leaves)
            for n, line in enumerate(block, start):
                if n < self.trusted:
                    _told_before(batch, n, line)
                else:
                    self._line(batch, n, line)
        return batch

    def _line(self, batch: Batch, n: int, line: bytes) -> None:
        try:
            entry = entries.decode(line)
        except entries.MalformedEntry as problem:
            batch.add("entry-malformed", n, str(problem))
            return
        if entry["n"] != n:
            batch.misplaced.append((n, entry["n"]))
        kind = entry["type"]
        faults = entries.faults(entry)
        for fault in faults:
            batch.add("entry-shape", n, f"{kind}: {fault}")
        _digests(batch.digests, entry)
        if faults:
            return
        if "streams" in entry:
            for sha, length in entries.kept_blobs(entry):
                kept = self.shelves.transcript(sha, length, n, batch)
                if kept is None:
                    batch.missing.append((sha, n, entry["t"]))
                else:
                    batch.transcripts_bytes += kept
        if kind == "command.submitted":
            self._script(batch, n, entry)
        batch.entries.append(_told(entry, n))

    def _script(self, batch: Batch, n: int, entry: Entry) -> None:
        script = entry.get("script")
        if script is None:
            if not self.shelves.has(entry["script_sha256"]):
                batch.add("blob-missing", n, f"blob {entry['script_sha256']} is not there")
        elif (
            not isinstance(script, str)
            or document.sha256(script.encode("utf-8", "surrogatepass")) != entry["script_sha256"]
        ):
            batch.add("script-mismatch", n, "script and script_sha256 differ")


def _told(entry: Entry, n: int) -> Entry:
    if entry["type"][:8] != "command.":
        return {**entry, "n": n}
    told = {name: entry[name] for name in _TOLD if name in entry}
    told["n"] = n
    return told


def _told_before(batch: Batch, n: int, line: bytes) -> None:
    """Take the story of an entry that an earlier audit has verified."""
    try:
        entry = entries.decode(line, canonical=False)
        if entries.faults(entry):
            return
    except entries.MalformedEntry:
        return
    _digests(batch.before, entry)
    batch.entries.append(_told(entry, n))


def _digests(found: set[str], entry: Any) -> None:
    """Collect what may name a blob: fields called so, and all of `streams`, whatever its shape."""
    for name, value in entry.items():
        if name[-6:] == "sha256":
            if isinstance(value, str):
                found.add(value)
        elif name == "streams":
            _all_strings(found, value)


def _all_strings(found: set[str], value: Any) -> None:
    if isinstance(value, str):
        if len(value) == 64:
            found.add(value)
    elif isinstance(value, dict):
        for part in value.values():
            _all_strings(found, part)
    elif isinstance(value, list):
        for part in value:
            _all_strings(found, part)


def _tiles(
    batch: Batch, directory: Directory, first: int, block: list[bytes], leaves: list[bytes]
) -> None:
    index = first // WIDTH
    place = Tile(0, index, len(block))
    data = directory.read(place.path)
    if data is None:
        batch.bad_tiles.append(("tile-missing", place))
    elif data != b"".join(leaves):
        batch.bad_tiles.append(("tile-wrong", place))
        if len(batch.differs) < _MOST:
            batch.differs += [
                first + i for i, leaf in enumerate(leaves) if data[i * HASH :][:HASH] != leaf
            ]
    place = Tile(ENTRIES, index, len(block))
    data = directory.read(place.path)
    if data is None:
        batch.bad_tiles.append(("tile-missing", place))
    elif data != tiles.bundle(block):
        batch.bad_tiles.append(("tile-wrong", place))


# ---- many at once ------------------------------------------------------------


def examine(
    blocks: Iterable[list[bytes]], examiner: Examiner, size: int, workers: int
) -> Generator[Batch, None, None]:
    """Yield what *examiner* says of *blocks* of 256 lines, in their order.

    With more than one worker and enough lines, other processes do the work; as
    many batches are under way as keep them busy, so memory stays flat.
    """
    batches = _batches(blocks)
    if workers < 2 or size < _ALONE:
        for first, lines in batches:
            yield examiner(first, lines)
        return
    # Forked before anything here has made a thread: the executor's own comes after.
    with ProcessPoolExecutor(workers, get_context("fork"), _begin, (examiner,)) as pool:
        under_way: deque[Future[Batch]] = deque()
        for first, lines in batches:
            under_way.append(pool.submit(_examine, first, lines))
            if len(under_way) > 2 * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _batches(blocks: Iterable[list[bytes]]) -> Iterator[tuple[int, list[bytes]]]:
    first, lines = 0, []
    for block in blocks:
        lines += block
        if len(lines) >= BATCH or len(lines) % WIDTH:
            yield first, lines
            first, lines = first + len(lines), []
    if lines:
        yield first, lines


_examiner: Examiner


def _begin(examiner: Examiner) -> None:
    global _examiner  # noqa: PLW0603 - one per worker process
    _examiner = examiner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends us


def _examine(first: int, lines: list[bytes]) -> Batch:
    return _examiner(first, lines)


def workers() -> int:
    """Return how many processes to use: as many as there are processors for us, at most eight."""
    return min(len(os.sched_getaffinity(0)), 8)
