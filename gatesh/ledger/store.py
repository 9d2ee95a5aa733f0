"""The writer: append, group commit, recovery.

    lines, fdatasync → tiles → checkpoint.tmp, fsync, rename, fsync directory
        → tiles of the checkpoint before removed → acknowledge

An append returns when a durable checkpoint covers it; nothing may start before.
Appends that arrive during a round share the next one: whoever gets the round
first writes for all who wait.  On a full disk a round is taken back and the
ledger stays usable.  Any other failure poisons it until it is opened again: after
a failed fsync not even the kernel knows what is on the disk.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from gatesh import document
from gatesh.errors import LedgerError
from gatesh.ledger import disk, entry, note, recovery
from gatesh.ledger.journal import SPLIT, Journal
from gatesh.ledger.lock import take_lock
from gatesh.ledger.merkle import WIDTH, Head, Tree, leaf_hash
from gatesh.ledger.note import Key, Sign
from gatesh.ledger.reserve import Reserve
from gatesh.ledger.rounds import (
    BACK,
    CLOSED,
    NO_SPACE,
    Entry,
    Job,
    LedgerFull,
    checked,
    only_closing,
)
from gatesh.ledger.tilestore import TileStore

Observe = Callable[[list[Entry]], None]
Clock = Callable[[], datetime]

_JITTER: Final = timedelta(seconds=1)


class Ledger:
    """An open log, locked against every other writer.  Every method is thread-safe."""

    def __init__(self, directory: Path, key: Key, sign: Sign, clock: Clock) -> None:
        """Use `Ledger.open`."""
        self.directory = directory
        self.observe: Observe | None = None
        self._key, self._sign, self._clock = key, sign, clock
        self._round = threading.Lock()
        self._queue: deque[Job] = deque()  # append and popleft are atomic
        self._broken: str | None = None
        self._last: Entry | None = None
        self._fd = disk.open_directory(directory)
        self._lock = -1
        self._journal = Journal(self._fd)
        self._tree = Tree(self._cold)
        self._tiles = TileStore(self._fd)
        self._reserve = Reserve(self._fd)
        self._published = (self._tree.head(), b"")
        try:
            self._lock = take_lock(self._fd, directory)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        origin: str,
        vkey: str,
        sign: Sign,
        clock: Clock,
        observe: Observe | None = None,
        predecessor: Mapping[str, Any] | None = None,
        inherited: Sequence[Mapping[str, Any]] = (),
    ) -> Ledger:
        """Create the log in *directory*, or recover it.

        *sign* returns the 64 bytes of an Ed25519 signature by the key of *vkey*;
        *clock* returns an aware time.  *observe* gets each durable batch in index
        order before its append returns; it must not call back into the ledger.
        A new log begins with `ledger.opened`, which names *predecessor* if given,
        and with the entries *inherited* from it;
        after a crash comes `ledger.recovered`.  Those two are not observed: read
        them from `entries`.  Raises `LedgerError` when somebody else holds the log
        or it cannot be written, `Tampered` when it is not what its checkpoint says.
        """
        try:
            key = Key.parse(vkey)
        except note.MalformedNote as problem:
            raise LedgerError(f"the log's verifier key cannot be used: {problem}") from None
        if key.name != origin:
            raise LedgerError(f"the key is for the log {key.name}, not for {origin}")
        try:
            ledger = cls(directory, key, sign, clock)
            try:
                ledger._start(predecessor, inherited)
            except BaseException:
                ledger.close()
                raise
        except OSError as problem:
            raise _unwritable(problem) from problem
        ledger.observe = observe
        return ledger

    def _start(
        self, predecessor: Mapping[str, Any] | None, inherited: Sequence[Mapping[str, Any]]
    ) -> None:
        stored = disk.read(self._fd, "checkpoint")
        if stored is None:
            recovery.check_empty(self._fd)
            # An empty tree is signed before the first line is written.  So a log
            # without a checkpoint is never what a crash leaves behind.
            stored = self._publish(self._tree.head())
        checkpoint = recovery.read_checkpoint(stored, self._key)
        head = checkpoint.head
        self._check_vkey(head.size)
        self._journal.open(head.size)
        past = recovery.read_log(self._journal, self._tree, head.size)
        if self._tree.root() != head.root:
            raise recovery.tampered(
                f"the {head.size:,} entries do not have the root that was signed for them"
            )
        self._last, self._published = past.last, (head, stored)
        recovery.quarantine(self._fd, self._journal, head.size)
        self._tiles.repair(self._tree, self._journal, head.size)
        self._reserve.take()
        drafts: list[Entry] = []
        if head.size == 0:
            named = dict(predecessor) if predecessor is not None else None
            drafts.append(
                {
                    "type": "ledger.opened",
                    "origin": self._key.name,
                    "vkey": str(self._key),
                    "predecessor": named,
                }
            )
            drafts += map(dict, inherited)
        if not self.finished:
            self.append(drafts + recovery.unrecorded(self._fd, past.recorded))

    def _check_vkey(self, size: int) -> None:
        ours = f"{self._key}\n".encode()
        written = disk.read(self._fd, "vkey")
        if written is None and size == 0:
            disk.replace(self._fd, "vkey", ours)
        elif written != ours:
            raise recovery.tampered("the file vkey does not hold the key of this broker")

    def close(
        self,
        *last: Mapping[str, Any],
        ending: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
    ) -> None:
        """Let go of the log; waits for a round under way.  Closing twice is fine.

        *last*, or what *ending* returns when nothing can come any more, is appended first,
        and nothing behind it: appends that wait are refused.  Raises what `append` does for
        it; the log is closed all the same.
        """
        with self._round:
            job = Job([])
            try:
                if self._lock >= 0:
                    job = Job([checked(fields) for fields in (*last, *ending())])
                while not job.done:
                    self._commit([job])
                    if not job.done:  # this file is full: the rest went back to the queue's front
                        self._queue.remove(job)
            finally:
                self._broken = self._broken or "the log was closed by its own broker"
                self._tiles.close()
                self._journal.close()
                for fd in (self._lock, self._fd):
                    if fd >= 0:
                        os.close(fd)
                self._lock = self._fd = -1
        if job.failure is not None:
            raise job.failure

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- appending ----

    def append(self, entries: Sequence[Mapping[str, Any]]) -> list[Entry]:
        """Append *entries* (without `v`, `n`, `t`) and return them as they were stored.

        Returns once a durable checkpoint covers them all.  Raises `LedgerFull`
        when there is no room and nothing was kept, `LedgerError` when the outcome
        is failure or unknown, `MalformedEntry` for fields that are not those of
        the type.  Entries of one call are neighbours.
        """
        job = Job([checked(fields) for fields in entries])
        if job.done:
            return []
        self._queue.append(job)
        while not job.done:
            with self._round:
                if not job.done:
                    self._commit(self._next())
        if job.failure is not None:
            raise job.failure
        return job.stored

    def _next(self) -> list[Job]:
        """Take the jobs of one round from the queue."""
        taken: list[Job] = []
        room = recovery.ROUND
        while self._queue and (not taken or len(self._queue[0].drafts) <= room):
            taken.append(self._queue.popleft())
            room -= len(taken[-1].drafts)
            if taken[-1].drafts[-1]["type"] == CLOSED:
                break
        return taken

    def _commit(self, jobs: list[Job]) -> None:
        try:
            if not self._reserve.take():
                jobs = only_closing(jobs, LedgerFull())
            try:
                self._write(jobs)
            except LedgerFull as full:
                jobs = only_closing(jobs, full)
                if not jobs or not self._reserve.release():
                    raise
                self._write(jobs)
        except BaseException as problem:
            for job in jobs:
                if not job.done:
                    job.failure = problem
            if not isinstance(problem, Exception):
                raise

    def _write(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        if self._broken is not None:
            raise LedgerError(
                self._broken, hint="restart the broker: it checks the log and goes on"
            )
        if self.finished:
            raise LedgerError("this log is finished and names its successor")
        try:
            if self._tree.size == (self._journal.full + 1) * SPLIT:
                self._journal.rotate()
        except BaseException as problem:
            raise self._poison(problem) from problem
        batch, shares = self._number(jobs)
        self._store(batch)
        for job, share in shares:
            job.stored += batch[share]
            del job.drafts[: share.stop - share.start]
        # What did not fit into this file goes first into the next one.
        self._queue.extendleft(job for job in reversed(jobs) if not job.done)
        if self.observe is not None:
            try:
                self.observe(batch)
            except BaseException as problem:
                # Whoever folds the log into state has lost step with it.
                self._poison(problem)
                for job in jobs:
                    job.failure = problem
                raise

    def _number(self, jobs: list[Job]) -> tuple[list[Entry], list[tuple[Job, slice]]]:
        """Give the drafts their place and time, up to the end of this file."""
        room = (self._journal.full + 1) * SPLIT - self._tree.size
        given = {"v": entry.VERSION, **self._time()}
        batch: list[Entry] = []
        shares = []
        for job in jobs:
            start = len(batch)
            for draft in job.drafts[: room - start]:
                batch.append({**draft, **given, "n": self._tree.size + len(batch)})
                given.pop(BACK, None)
            shares.append((job, slice(start, len(batch))))
        return batch, shares

    def _time(self) -> Entry:
        now = self._clock()
        last = document.moment(self._last["t"]) if self._last is not None else now
        if last - _JITTER <= now < last:
            now = last
        if now < last:
            # The clock went back.  The log says so itself, because an entry that
            # is older than the one before and does not say so was back-dated.
            return {"t": document.stamp(now), BACK: round((last - now).total_seconds(), 3)}
        return {"t": document.stamp(now)}

    def _store(self, batch: list[Entry]) -> None:
        lines = [entry.encode(e) for e in batch]
        mark = self._tree.mark()
        try:
            self._journal.write(b"".join(line + b"\n" for line in lines))
            self._tree.extend([leaf_hash(line) for line in lines])
            if self._tiles.stale:
                self._tiles.repair(self._tree, self._journal, mark.size)
            else:
                self._tiles.grow(mark.size, lines, self._tree)
            stored = self._publish(self._tree.head())
        except BaseException as problem:
            self._tree.rewind(mark)
            self._take_back(problem)
            raise
        self._journal.advance(lines, mark.size)
        self._last, self._published = batch[-1], (self._tree.head(), stored)
        self._tiles.settle(self._tree.size)

    def _publish(self, head: Head) -> bytes:
        signed = note.sign_checkpoint(head, self._key, self._sign)
        disk.replace(self._fd, "checkpoint", signed)
        return signed

    def _take_back(self, problem: BaseException) -> None:
        """Undo a round that did not get as far as its checkpoint, or poison the ledger."""
        if isinstance(problem, OSError) and problem.errno not in NO_SPACE:
            raise self._poison(problem) from problem
        if isinstance(problem, disk.SyncFailed) or not isinstance(problem, Exception):
            self._poison(problem)
            return
        try:
            self._journal.cut()
            self._tiles.take_back(self._tree.size)
            disk.remove(self._fd, "checkpoint.tmp")
        except (OSError, LedgerError) as worse:
            raise self._poison(worse) from worse
        if isinstance(problem, OSError):
            raise LedgerFull() from problem

    def _poison(self, problem: BaseException) -> LedgerError:
        said = problem.strerror if isinstance(problem, OSError) else str(problem)
        self._broken = f"the log could not be written: {said or type(problem).__name__}"
        return LedgerError(self._broken, hint="restart the broker: it checks the log and goes on")

    @property
    def finished(self) -> bool:
        """Whether the last entry is a `ledger.closed`: nothing can be appended."""
        return self._last is not None and self._last["type"] == CLOSED

    # ---- reading ----

    @property
    def head(self) -> Head:
        """The newest durable size and root."""
        return self._published[0]

    @property
    def checkpoint(self) -> bytes:
        """The newest durable checkpoint, a signed note."""
        return self._published[1]

    def signed_head(self) -> tuple[bytes, int, str]:
        """Return the newest checkpoint, the size it is for, and the key it verifies with.

        One look: between reading `checkpoint` and `head` the log may have grown.
        """
        head, checkpoint = self._published
        return checkpoint, head.size, str(self._key)

    def root_at(self, size: int) -> bytes:
        """Return the root when the log had *size* entries; raise `IndexError` if it never had."""
        with self._round:
            return self._tree.root(size)

    def inclusion(self, n: int) -> list[bytes]:
        """Return the proof that entry *n* is under `head`; raise `IndexError` if there is none."""
        with self._round:
            return self._tree.inclusion(n)

    def consistency(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        """Return the proof that the log of *new_size* continues the one of *old_size*."""
        with self._round:
            return self._tree.consistency(old_size, new_size)

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Yield the entries from *start* on, as far as they are durable now."""
        end = self.head.size
        while start < end:
            stop = min(end, start - start % WIDTH + WIDTH)
            with self._round:
                lines = list(self._journal.between(start, stop))
            yield from map(entry.decode, lines)
            start = stop

    def _cold(self, block: int) -> bytes:
        first = block * WIDTH
        return b"".join(map(leaf_hash, self._journal.between(first, first + WIDTH)))


def _unwritable(problem: OSError) -> LedgerError:
    if problem.errno in NO_SPACE:
        return LedgerFull()
    return LedgerError(f"the log cannot be opened: {problem.strerror} ({problem.filename})")
