"""What one round of group commit is made of: the callers that wait, and their drafts.

A draft is an entry without its place and time.  It is checked before it enters
the queue, so that one caller's mistake cannot fail the round of others.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, Final

from gatesh.errors import LedgerError
from gatesh.ledger import entry
from gatesh.ledger.reserve import CLOSING

Entry = dict[str, Any]

CLOSED: Final = "ledger.closed"
BACK: Final = "clock_back_s"  # by how much the clock had gone back when this was written
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LONGEST: Final = {
    "v": entry.VERSION,
    "n": 10**15,
    "t": "2030-01-02T03:04:05.000000Z",
    BACK: 86400000.123,
}


class LedgerFull(LedgerError):
    """There is no room for the entries, or for what they name; nothing of it was kept."""

    def __init__(self, what: str = "the log") -> None:
        super().__init__(
            f"no space is left for {what}", hint="free some space; the log goes on by itself"
        )


class Job:
    """What one caller wants appended, and what became of it."""

    __slots__ = ("drafts", "stored", "failure")

    def __init__(self, drafts: list[Entry]) -> None:
        self.drafts = drafts  # not yet written
        self.stored: list[Entry] = []
        self.failure: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether everything is stored, or will never be."""
        return self.failure is not None or not self.drafts

    @property
    def closing(self) -> bool:
        """Whether this only ends what has begun, and may use the reserve."""
        return all(draft["type"] in CLOSING for draft in self.drafts)


def checked(fields: Mapping[str, Any]) -> Entry:
    """Check one entry before it can harm the round it shares with others."""
    found = dict(fields)
    given = entry.NUMBERING & found.keys() - {"type"}
    if given:
        raise entry.MalformedEntry(f"{', '.join(sorted(given))} are given by the log")
    full = {**found, **_LONGEST}
    try:
        entry.encode(full)
    except entry.TooLong as problem:
        raise LedgerError(f"a {found.get('type')} entry is too long: {problem}") from None
    wrong = entry.faults(full)
    if wrong:
        raise entry.MalformedEntry(f"{found['type']}: {'; '.join(wrong)}")
    return found


def only_closing(jobs: list[Job], refusal: LedgerFull) -> list[Job]:
    """Return the jobs that may use the reserve; the others fail with *refusal*."""
    for job in jobs:
        if not job.closing:
            job.failure = refusal
    return [job for job in jobs if job.closing]
