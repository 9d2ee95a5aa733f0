"""What an approver's own machine remembers of each log: its key and its newest head.

A log can be cut or rewritten by whoever holds its key, but not for somebody who
remembers a head: every later checkpoint must come with a proof that it only
added to that one.  The signed checkpoint itself is kept, so that a fork can be
shown to others.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatesh import document
from gatesh.errors import LedgerError, Tampered
from gatesh.ledger import disk, note
from gatesh.ledger.merkle import Head, verify_consistency
from gatesh.ledger.note import Key

_TYPE: Final = "gatesh/remembered-head/v1"


@dataclass(frozen=True, slots=True)
class Seen:
    """A head that was checked.  `before` is the one remembered until now, None at first use."""

    head: Head
    before: Head | None

    @property
    def first(self) -> bool:
        """True when this log was never seen before: its key was trusted, not checked."""
        return self.before is None


class Heads:
    """The remembered heads in *directory*, one file for each log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        os.close(disk.open_directory(directory))

    def last(self, origin: str) -> Head | None:
        """Return the newest head that was checked for *origin*, or None."""
        with self._open() as directory:
            known = self._read(directory, origin)
        return None if known is None else known[1]

    def key(self, origin: str) -> str | None:
        """Return the verifier key that was trusted for *origin*, or None."""
        with self._open() as directory:
            known = self._read(directory, origin)
        return None if known is None else str(known[0])

    def check_and_remember(
        self, checkpoint: bytes, vkey: str, consistency: Sequence[bytes] = ()
    ) -> Seen:
        """Check *checkpoint* against what is remembered, and remember it if it is newer.

        *consistency* is the proof from `last(origin).size` to the new size (empty
        at first use).  Raises `Tampered` in words for a person: signature wrong,
        key changed, older than before, or not a continuation.  Nothing is
        remembered then, and the offending checkpoint is kept beside as evidence.
        """
        try:
            key = Key.parse(vkey)
            new = note.open_checkpoint(checkpoint, key).head
        except ValueError as problem:
            raise Tampered(
                f"the log's checkpoint does not hold: {problem}",
                hint="do not approve anything of this log until its owner has explained this",
            ) from None
        with self._open() as directory:
            known = self._read(directory, key.name)
            if known is None:
                self._write(directory, key, checkpoint)
                return Seen(new, None)
            objection = _objection(known, key, new, consistency)
            if objection is not None:
                kept = self._keep_evidence(directory, key.name, checkpoint)
                raise Tampered(
                    objection,
                    hint="do not approve; tell an auditor. Both signed checkpoints are kept: "
                    f"{self._path(key.name)} and {kept}",
                )
            if new.size > known[1].size:
                self._write(directory, key, checkpoint)
            return Seen(new, known[1])

    # ---- files ----

    @contextmanager
    def _open(self) -> Iterator[int]:
        """Lend the directory, locked: two clients of one person must not undo each other."""
        directory = disk.open_directory(self.directory)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield directory
        except OSError as problem:
            raise LedgerError(
                f"remembered heads cannot be used: {problem.strerror}",
                hint=f"see to {self.directory}",
            ) from problem
        finally:
            os.close(directory)

    @staticmethod
    def _name(origin: str) -> str:
        return f"{document.sha256(origin.encode())[:32]}.json"

    def _path(self, origin: str) -> Path:
        return self.directory / self._name(origin)

    def _read(self, directory: int, origin: str) -> tuple[Key, Head] | None:
        data = disk.read(directory, self._name(origin))
        if data is None:
            return None
        try:
            kept = document.read(data.removesuffix(b"\n"))
            key = Key.parse(kept["vkey"])
            head = note.open_checkpoint(kept["checkpoint"].encode(), key).head
        except (ValueError, KeyError, AttributeError) as problem:
            # Forgetting would be trust on first use again: what a forger would hope for.
            raise LedgerError(
                f"what was remembered of {origin} cannot be read: {problem}",
                hint=f"restore {self._path(origin)} from a backup",
            ) from None
        if key.name != origin:
            raise LedgerError(f"{self._path(origin)} is about another log: {key.name}")
        return key, head

    def _write(self, directory: int, key: Key, checkpoint: bytes) -> None:
        kept = {"checkpoint": checkpoint.decode(), "type": _TYPE, "vkey": str(key)}
        disk.replace(directory, self._name(key.name), document.write(kept) + b"\n")

    def _keep_evidence(self, directory: int, origin: str, checkpoint: bytes) -> Path:
        name = f"{self._name(origin)}.against-{document.sha256(checkpoint)[:16]}"
        disk.replace(directory, name, checkpoint)
        return self.directory / name


def _objection(
    known: tuple[Key, Head], key: Key, new: Head, consistency: Sequence[bytes]
) -> str | None:
    """Say what is wrong with *new*, given what is known; None if it is a continuation."""
    trusted, old = known
    if trusted != key:
        return f"the key of the log {key.name} has changed since you last saw it"
    if new.size < old.size:
        return (
            f"the log {key.name} is older than you remember: it now has {new.size:,} entries "
            f"and had {old.size:,}; entries were removed"
        )
    if not verify_consistency(old, new, consistency):
        return (
            f"the log {key.name} was rewritten: its {new.size:,} entries do not continue "
            f"the {old.size:,} you have seen"
        )
    return None
