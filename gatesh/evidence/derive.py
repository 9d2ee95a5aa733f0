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


@dataclass(frozen=True, slots=True)
class Period:
    """The entries of a report, as the period asks for them."""

    population: tuple[Command, ...]  # submitted in the period
    samples: tuple[Command, ...]
    before: str | None  # time of the entry in front of the period; None: the log begins in it
    after: str | None  # time of the first entry behind it; None: the log ends in it
    clock_steps: int  # times at which the clock went back within the entries


def tell(meta: Mapping[str, Any], entries: Iterable[Entry]) -> Period:
    """Return the commands of the period `from` … `to` of *meta*, and what stands around them."""
    start, end = meta["from"], meta["to"]
    stories = Stories()
    before = after = last = None
    steps = 0
    for entry in entries:
        t = entry["t"]
        steps += "clock_back_s" in entry
        if t < start and after is None and (last is None or last < start):
            before = t
        if t >= end and after is None:
            after = t
        last = t
        stories.take(entry)
    population = tuple(c for c in stories if start <= c.t < end)
    return Period(population, _samples(meta, population), before, after, steps)


def _samples(meta: Mapping[str, Any], population: Iterable[Command]) -> tuple[Command, ...]:
    """Choose by a hash of the signed root, so that nobody picks the good ones."""
    pool = [c for c in population if c.verdict == "approve"]
    pool.sort(key=lambda c: hashlib.sha256(f"{meta['root']} {c.id}".encode()).digest())
    return tuple(sorted(pool[: meta["samples"]], key=lambda c: c.entries))


def derive(meta: Mapping[str, Any], period: Period, blob: Blob) -> Iterator[tuple[str, bytes]]:
    """Yield the derived files of a report: name and bytes, one at a time."""
    yield "commands.csv", tables.commands_csv(period.population)
    yield "commands.jsonl", tables.commands_jsonl(period.population)
    yield "decisions.csv", tables.decisions_csv(period.population)
    yield "report.html", page.render(meta, period, count(period.population), blob).encode()
