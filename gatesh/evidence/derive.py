"""Every table and page of a report, from proven entries and blobs alone.

The maker of a report and whoever checks it run the same function: what the
checker derives must be, byte for byte, what lies in the report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatesh.evidence import page, tables
from gatesh.evidence.numbers import count
from gatesh.evidence.story import Command, Entry, Stories

Blob = Callable[[str], bytes | None]
"""Returns the bytes with a digest, or None when they are not kept any more."""

# Of entries about the law: the fields that another state of it would have otherwise.
_LAW = {
    "policy.loaded": ("policy_sha256",),
    "roster.loaded": ("roster_sha256",),
    "law.edited": ("kind", "sha256", "in_force"),
}


@dataclass(frozen=True, slots=True)
class Period:
    """The entries of a report, as the period asks for them."""

    population: tuple[Command, ...]  # submitted in the period
    samples: tuple[Command, ...]
    before: str | None  # time of the entry in front of the period; None: the log begins in it
    after: str | None  # time of the first entry behind it; None: the log ends in it
    clock_steps: int  # times at which the clock went back within the entries
    law: tuple[Entry, ...]  # what was loaded or edited of rules and roster, each change once
    opened: Entry | None  # the first entry of the log, if it is here
    closed: Entry | None  # the one that finished it, if it is here


def tell(meta: Mapping[str, Any], entries: Iterable[Entry]) -> Period:
    """Return the commands of the period `from` … `to` of *meta*, and what stands around them."""
    start, end = meta["from"], meta["to"]
    stories = Stories()
    before = after = last = opened = closed = None
    steps = 0
    law: dict[str, Entry] = {}
    changes: list[Entry] = []
    for entry in entries:
        t = entry["t"]
        if entry["type"] == "ledger.opened":
            opened = entry
        elif entry["type"] == "ledger.closed":
            closed = entry
        elif entry["type"] in _LAW:
            known = law.get(entry["type"])
            if known is None or any(known.get(k) != entry.get(k) for k in _LAW[entry["type"]]):
                law[entry["type"]] = entry
                changes.append(entry)
        steps += "clock_back_s" in entry
        if t < start and after is None and (last is None or last < start):
            before = t
        if t >= end and after is None:
            after = t
        last = t
        stories.take(entry)
    population = tuple(c for c in stories if start <= c.t < end)
    return Period(
        population, _samples(meta, population), before, after, steps, tuple(changes), opened, closed
    )


def _samples(meta: Mapping[str, Any], population: Iterable[Command]) -> tuple[Command, ...]:
    """Choose by a hash of the signed root, so that nobody picks the good ones."""
    pool = [c for c in population if c.verdict == "approve"]
    pool.sort(key=lambda c: hashlib.sha256(f"{meta['root']} {c.id}".encode()).digest())
    return tuple(sorted(pool[: meta["samples"]], key=lambda c: c.entries))


def derive(meta: Mapping[str, Any], period: Period, blob: Blob) -> Iterator[tuple[str, bytes]]:
    """Yield the derived files of a report: name and bytes, one at a time."""
    yield "commands.csv", tables.commands_csv(period.population)
    yield "commands.jsonl", tables.commands_jsonl(period.population)
    yield "decisions.csv", tables.decisions_csv(period.population, blob)
    yield "report.html", page.render(meta, period, count(period.population), blob).encode()
