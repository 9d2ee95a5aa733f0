"""Which transcripts may go: those that only old entries name, and nothing else does.

A blob is named by its content, so what a command printed long ago may also be what one
printed today, or a file that an approver was shown.  Such a blob stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gatesh import document
from gatesh.errors import NotFound
from gatesh.ledger import entry, succession
from gatesh.ledger.prover import Prover
from gatesh.ledger.retention import TYPE

_DIGEST: Final = re.compile(rb'"([0-9a-f]{64})"')
_REQUEST: Final = re.compile(rb'"request_sha256":"([0-9a-f]{64})"')
_ASKS: Final = (b'"type":"request.opened"', b'"type":"request.revised"')
_REMOVED: Final = b'"type":"%s"' % TYPE.encode()

Blob = Callable[[str], bytes]


def removable(state: Path, before: datetime, blob: Blob) -> dict[str, int]:
    """Return the transcripts that entries older than *before* name, digest → bytes.

    Left out is what any other entry names, or a request (*blob* returns its document):
    files that approvers were shown, scripts, rules.  Every line is hashed again: raises
    `Tampered` when a log does not have the root that was signed for it.
    """
    limit = document.stamp(before)
    found: dict[str, int] = {}
    for line in _lines(state):
        if b'"streams":' in line and (one := _old(line, limit)) is not None:
            found.update(entry.kept_blobs(one))
    for line in _lines(state):
        if _REMOVED in line or (b'"streams":' in line and _old(line, limit) is not None):
            continue
        for sha in _DIGEST.findall(line):
            found.pop(sha.decode(), None)
        if any(word in line for word in _ASKS):
            for sha in _named_by_request(line, blob):
                found.pop(sha, None)
    return found


def removals(state: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of all removals there were, in all logs."""
    for _, act in _acts(state):
        yield from act.entries


@dataclass(frozen=True, slots=True)
class Removal:
    """An approved removal: its first entry, and who approved it."""

    t: str
    log: str  # directory
    n: int
    by: tuple[str, ...]


def explained(state: Path, missing: set[str]) -> dict[str, Removal]:
    """Return which removals took which of the *missing* blobs; others were not removed by any."""
    found: dict[str, Removal] = {}
    for log, act in _acts(state):
        for one in act.entries:
            found.update({sha: act.told(log) for sha in missing & set(one["removed"])})
    return found


@dataclass(slots=True)
class _Act:
    people: dict[int, str]  # who gave which decision
    entries: list[dict[str, Any]]

    def told(self, log: str) -> Removal:
        first = self.entries[0]
        by = (self.people.get(n, "") for n in first.get("decisions", ()))
        return Removal(first["t"], log, first["n"], tuple(filter(None, by)))


def _acts(state: Path) -> Iterator[tuple[str, _Act]]:
    for directory in succession.logs(state):
        people: dict[int, str] = {}
        acts: list[_Act] = []
        with closing(Prover(directory)) as log:
            for line in log.lines():
                if b'"type":"decision.accepted"' in line:
                    said = entry.decode(line, canonical=False)
                    people[said["n"]] = str(said.get("by", ""))
                elif _REMOVED in line:
                    one = entry.decode(line)
                    if one["type"] != TYPE or entry.faults(one):
                        continue
                    if "id" in one or not acts:
                        acts.append(_Act(people, []))
                    acts[-1].entries.append(one)
        yield from ((directory.name, act) for act in acts)


def _lines(state: Path) -> Iterator[bytes]:
    for directory in succession.logs(state):
        with closing(Prover(directory)) as log:
            yield from log.lines()


def _old(line: bytes, limit: str) -> dict[str, Any] | None:
    """Return the entry if it is the record of a run that is older than *limit*."""
    one = entry.decode(line, canonical=False)
    old = document.moment(one["t"]) < document.moment(limit)
    return one if old and "streams" in one and not entry.faults(one) else None


def _named_by_request(line: bytes, blob: Blob) -> Iterator[str]:
    for sha in _REQUEST.findall(line):
        try:
            data = blob(sha.decode())
        except NotFound:
            continue
        yield from (named.decode() for named in _DIGEST.findall(data))
