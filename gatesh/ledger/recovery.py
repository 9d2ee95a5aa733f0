"""What the writer finds when it opens a log, and what it does about a crash.

Lines behind the checkpoint were never acknowledged.  They move to
`quarantine/<first index>-<sha256>` before they leave the journal, so a crash
here only means doing it again; whatever lies there without a `ledger.recovered`
entry still gets one.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import Any, Final

from gatesh import document
from gatesh.errors import Tampered
from gatesh.ledger import disk, entry, note
from gatesh.ledger.journal import SPLIT, Journal, read_lines
from gatesh.ledger.merkle import Tree, leaf_hash
from gatesh.ledger.note import Checkpoint, Key

QUARANTINE: Final = "quarantine"
ROUND: Final = 4096  # entries that one round of appends may have
_NAME: Final = re.compile(r"(0|[1-9][0-9]*)-([0-9a-f]{64})")


def tampered(message: str) -> Tampered:
    """Return the refusal that sends a person to the audit."""
    return Tampered(
        message,
        hint="the broker does not start on this log: run `gatesh audit` to see what was changed",
    )


@dataclass(slots=True)
class Past:
    """What the log says up to its checkpoint."""

    last: dict[str, Any] | None = None
    recorded: set[tuple[int, str]] = field(default_factory=set)  # first index, sha256


def check_empty(directory: int) -> None:
    """Raise `Tampered` when a directory without a checkpoint holds anything of a log."""
    known = {".lock", ".reserve", "checkpoint.tmp"}
    strangers = sorted(set(os.listdir(directory)) - known)
    if strangers:
        raise tampered(f"the log has lost its checkpoint, yet {strangers[0]} is there")


def read_checkpoint(stored: bytes, key: Key) -> Checkpoint:
    """Return the stored checkpoint; raise `Tampered` unless this broker's key signed it."""
    try:
        return note.open_checkpoint(stored, key)
    except ValueError as problem:
        raise tampered(f"the checkpoint does not hold: {problem}") from None


def read_log(journal: Journal, tree: Tree, size: int) -> Past:
    """Hash the first *size* lines into *tree*; raise `Tampered` when there are fewer."""
    past, last = Past(), b""
    for k in range(journal.full + 1):
        wanted = min(size - tree.size, SPLIT)
        fd = journal.file(k)
        try:
            for batch in read_lines(fd):
                lines = batch[:wanted]
                if not lines:
                    break
                wanted -= len(lines)
                if k == journal.full:
                    journal.advance(lines, tree.size)
                tree.extend([leaf_hash(line) for line in lines])
                past.recorded.update(_recoveries(lines))
                last = lines[-1]
        finally:
            os.close(fd)
        if wanted:
            raise tampered(f"the checkpoint covers {size:,} entries, and only {tree.size:,} exist")
    if size:
        try:
            past.last = entry.decode(last)
        except entry.MalformedEntry as problem:
            raise tampered(f"entry {size - 1} is {problem}") from None
    return past


def _recoveries(lines: list[bytes]) -> set[tuple[int, str]]:
    found = set()
    for line in lines:
        if b'"type":"ledger.recovered"' in line:
            with contextlib.suppress(entry.MalformedEntry):
                said = entry.decode(line)
                if said["type"] == "ledger.recovered" and not entry.faults(said):
                    found.add((said.get("first", -1), said["quarantine_sha256"]))
    return found


def quarantine(directory: int, journal: Journal, size: int) -> None:
    """Move what lies behind the checkpoint of *size* out of the journal."""
    tail = journal.tail()
    if not tail:
        return
    if tail.count(b"\n") > ROUND:
        # A crash leaves one round.  More means an old checkpoint was put back.
        raise tampered(f"the checkpoint is older than the log: it ends at entry {size:,}")
    place = disk.open_directory(QUARANTINE, inside=directory)
    try:
        disk.replace(place, f"{size}-{document.sha256(tail)}", tail)
    finally:
        os.close(place)
    journal.cut()


def unrecorded(directory: int, recorded: set[tuple[int, str]]) -> list[dict[str, Any]]:
    """Return the `ledger.recovered` entries that are still owed to quarantined bytes."""
    if not disk.exists(directory, QUARANTINE):
        return []
    place = disk.open_directory(QUARANTINE, inside=directory, create=False)
    try:
        owed = []
        for name in os.listdir(place):
            match = _NAME.fullmatch(name)
            if match is None or (int(match[1]), match[2]) in recorded:
                continue
            size = os.stat(name, dir_fd=place, follow_symlinks=False).st_size
            owed.append(
                {
                    "type": "ledger.recovered",
                    "first": int(match[1]),
                    "quarantine_sha256": match[2],
                    "bytes": size,
                }
            )
    finally:
        os.close(place)
    return sorted(owed, key=lambda draft: (draft["first"], draft["quarantine_sha256"]))
