"""The numbers people look at: how long approval took, who approved whom, what was too quick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from gatesh.document import moment
from gatesh.evidence.story import Command

FAST_S: Final = 10.0  # an approval given sooner can hardly have been read
BANDS: Final = (
    ("under 10 s", 10), ("10–30 s", 30), ("30–60 s", 60), ("1–5 min", 300), ("5–15 min", 900),
    ("15–60 min", 3600), ("over 1 h", float("inf")),
)  # fmt: skip


def seconds_between(early: str | None, late: str | None) -> float | None:
    """Return the seconds from one time of the log to another, None when one is missing."""
    if early is None or late is None:
        return None
    return round((moment(late) - moment(early)).total_seconds(), 3)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts over a population of commands."""

    verdicts: Mapping[str, int]
    states: Mapping[str, int]  # of those that needed approval
    waits: tuple[float, ...]  # seconds from the request to the last approval it got, sorted
    bands: Mapping[str, int]
    pairs: Mapping[tuple[str, str], int]  # (who asked, who approved)
    fast: tuple[tuple[Command, float], ...]  # approvals sooner than `FAST_S`
    refused: Mapping[str, int]  # answers that failed a check, by its word
    days: Mapping[str, Mapping[str, int]]  # date → verdict, or override → count

    @property
    def median(self) -> float | None:
        """The middle of the waits."""
        return self.waits[len(self.waits) // 2] if self.waits else None


def count(commands: Iterable[Command]) -> Numbers:
    """Count *commands*."""
    commands = tuple(commands)
    waits: list[float] = []
    bands: Counter[str] = Counter({name: 0 for name, _ in BANDS})
    pairs: Counter[tuple[str, str]] = Counter()
    fast = []
    days: dict[str, Counter[str]] = {}
    for c in commands:
        days.setdefault(c.t[:10], Counter())["override" if c.overrides else c.verdict] += 1
        if not c.approved_by:
            continue
        for answer in c.approved_by:
            pairs[c.requester, answer.by] += 1
        wait = seconds_between(c.opened, c.approved_by[-1].t)
        if wait is not None:
            waits.append(wait)
            bands[next(name for name, limit in BANDS if wait < limit)] += 1
            if wait < FAST_S:
                fast.append((c, wait))
    return Numbers(
        Counter(c.verdict for c in commands),
        Counter(c.state for c in commands if c.verdict == "approve"),
        tuple(sorted(waits)),
        bands,
        pairs,
        tuple(sorted(fast, key=lambda found: found[1])),
        Counter(why for c in commands for why in c.refused),
        _every_day(days),
    )


def _every_day(days: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
    """Return *days* with the empty ones in between: a quiet week must look like one."""
    if not days:
        return {}
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    every = ((first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1))
    return {day: days.get(day, {}) for day in every}
