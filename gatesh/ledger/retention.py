"""Transcripts that were removed on purpose, and those that are just not there.

An approved removal is an entry, `transcripts.removed`: it names what it was allowed to
take (`before`) and what it took (`removed`).  It excuses a transcript that is missing
when it lists it, stands behind the entry that names it, and that entry is older than
`before`.  Nothing else is ever excused.  Memory: 48 bytes for each missing transcript
and 8 for each removed one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final

from gatesh import document
from gatesh.ledger.findings import Findings

Entry = Mapping[str, Any]

TYPE: Final = "transcripts.removed"
MOST: Final = 800  # digests that one entry lists
_INDEX: Final = (1 << 48) - 1


class Removals:
    """What is missing and what was removed, over all logs in their order."""

    def __init__(self) -> None:
        self._logs: list[str] = []
        self._blobs = bytearray()  # digests, one after the other
        self._at, self._dated = array("Q"), array("d")
        self._acts: list[_Act] = []

    def log(self, name: str) -> None:
        """Go on with the next log."""
        self._logs.append(name)

    def missing(self, sha: str, n: int, t: str) -> None:
        """Note that entry *n* of this log, dated *t*, names a transcript that is not there."""
        self._blobs += bytes.fromhex(sha)
        self._at.append(self._place(n))
        self._dated.append(document.moment(t).timestamp())

    def removed(self, entry: Entry) -> None:
        """Take a `transcripts.removed` of this log, whose shape is sound."""
        until = document.moment(entry["before"]).timestamp()
        listed = array("Q", sorted(int(sha[:16], 16) for sha in entry["removed"]))
        self._acts.append(_Act(self._place(entry["n"]), until, listed))

    def _place(self, n: int) -> int:
        return (len(self._logs) - 1) << 48 | n

    def judge(self, findings: Findings) -> None:
        """Say which of the missing ones nobody was allowed to remove."""
        taken = 0
        for i, place in enumerate(self._at):
            sha, n = self._blobs[32 * i : 32 * i + 32].hex(), place & _INDEX
            number = int(sha[:16], 16)
            acts = [act for act in self._acts if act.place > place and act.has(number)]
            findings.log = self._logs[place >> 48]
            if any(self._dated[i] < act.until for act in acts):
                taken += 1
            elif acts:
                findings.add(
                    "removal-too-wide",
                    n,
                    f"blob {sha} was removed by entry {acts[-1].place & _INDEX}, which was"
                    " allowed to take older ones only",
                )
            else:
                findings.add("transcript-missing", n, f"blob {sha} is not there")
        findings.log = ""
        if taken:
            findings.add(
                "transcripts-removed",
                None,
                f"{taken:,} parts of transcripts were removed as approved",
            )


class _Act:
    __slots__ = ("place", "until", "listed")

    def __init__(self, place: int, until: float, listed: array[int]) -> None:
        self.place, self.until, self.listed = place, until, listed

    def has(self, blob: int) -> bool:
        at = bisect_left(self.listed, blob)
        return at < len(self.listed) and self.listed[at] == blob
