"""Removing old transcripts, once a second person has approved it.

The entries that list what goes are durable before the first blob is touched, so a
transcript that is missing is always explained.  A mark on the disk says that a removal
is under way; a start that finds it does the rest.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from gatesh import document
from gatesh.broker.proposals import Record
from gatesh.document import MalformedDocument
from gatesh.errors import ConfigError, LedgerError, UsageError
from gatesh.ledger import disk, succession, transcripts
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.retention import MOST, TYPE

log = logging.getLogger("gatesh.broker")

KIND: Final = "retention"
CHANGE: Final = "gatesh/retention/v1"
YOUNGEST: Final = timedelta(hours=1)
_IN_USE_S: Final = 600.0  # a blob that was kept again so lately may be named any moment
_MARK: Final = "removing"
_ENTRIES: Final = 4000  # of one act: they are one append


@dataclass(slots=True)
class RetentionAct:
    """Removes the transcripts in *state* that were printed before a day."""

    state: Path
    blobs: Blobs
    clock: Callable[[], datetime]
    _surveyed: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """What an approver should know of every one of them."""
        return "removes what commands have printed, for good; entries and digests stay"

    def base(self) -> bytes:
        """Return which logs there are, and how the finished ones ended."""
        logs = [_named(directory) for directory in succession.logs(self.state)]
        return document.write({"logs": logs, "type": "gatesh/logs/v1"})

    def check(self, change: Mapping[str, Any]) -> None:
        """Raise `ConfigError` or `UsageError` if there is nothing that it could remove."""
        before = _before(change)
        if before > self.clock() - YOUNGEST:
            raise ConfigError(
                "transcripts of the last hour are not removed", hint="give an earlier --before"
            )
        found = transcripts.removable(self.state, before, self.blobs.get)
        found = {sha: size for sha, size in found.items() if self.blobs.has(sha)}
        if not found:
            raise UsageError(
                f"there are no transcripts from before {change['before']}",
                hint="see `gatesh ledger list`",
            )
        if len(found) > _ENTRIES * MOST:
            raise UsageError("that is too much at once", hint="give an earlier --before")
        self._surveyed = {change["before"]: found}

    def summary(self, change: Mapping[str, Any]) -> str:
        """Return one line of what it would remove."""
        found = self._surveyed.get(change["before"])
        much = "" if found is None else f" ({len(found):,} blobs, {sum(found.values()):,} bytes)"
        return f"remove what was printed before {change['before']}{much}"

    def perform(self, base: str, change: Mapping[str, Any], record: Record) -> None:
        """Say what goes, then remove it."""
        self.check(change)  # what it listed then may have been printed again since
        found = sorted(self._surveyed.pop(change["before"]))
        self._mark()
        record(
            [
                {"type": TYPE, "before": change["before"], "removed": found[at : at + MOST]}
                for at in range(0, len(found), MOST)
            ]
        )
        self._remove(found)

    def resume(self) -> None:
        """Finish a removal that a crash has interrupted."""
        if not (self.state / _MARK).exists():
            return
        acts = list(transcripts.removals(self.state))
        if acts:
            last = max(document.moment(one["before"]) for one in acts)
            still = transcripts.removable(self.state, last, self.blobs.get)
            listed = {sha for one in acts for sha in one["removed"]}
            self._remove(sorted(listed & still.keys()))
        (self.state / _MARK).unlink(missing_ok=True)

    def _mark(self) -> None:
        try:
            state = disk.open_directory(self.state, create=False)
            try:
                disk.replace(state, _MARK, b"")
            finally:
                os.close(state)
        except OSError as problem:
            raise LedgerError(f"a removal cannot be begun: {problem.strerror}") from problem

    def _remove(self, found: list[str]) -> None:
        since = time.time() - _IN_USE_S
        gone = sum(self.blobs.discard(sha, since) for sha in found)
        (self.state / _MARK).unlink(missing_ok=True)
        log.info("%d of %d transcript blobs removed", gone, len(found))


def _before(change: Mapping[str, Any]) -> datetime:
    if change.keys() != {"before", "type"} or change["type"] != CHANGE:
        raise ConfigError(f"not of type {CHANGE}")
    try:
        return document.moment(change["before"])
    except MalformedDocument as problem:
        raise ConfigError(f"`before` is {problem}") from None


def _named(directory: Path) -> dict[str, Any]:
    """Return the name of a log, and its head if it is finished: the other one grows."""
    origin, size, root = (directory / "checkpoint").read_text("utf-8").split("\n")[:3]
    if directory.name == succession.CURRENT:
        return {"origin": origin}
    return {"origin": origin, "root": root, "size": int(size)}
