"""What the indexes inside the lines tell about lines that were moved, copied or cut."""

from __future__ import annotations

from gatesh.ledger.findings import Findings

_MOST = 10_000


class Order:
    """Collects lines whose `n` is not their place."""

    def __init__(self) -> None:
        self._wrong: list[tuple[int, int]] = []  # place, n
        self._count = 0

    def take(self, place: int, n: int) -> None:
        """Note the index that the line at *place* carries."""
        if n != place:
            self._count += 1
            if len(self._wrong) < _MOST:
                self._wrong.append((place, n))

    def judge(self, findings: Findings) -> None:
        """Say what happened, in as few findings as explain it."""
        wrong = self._wrong
        if not wrong:
            return
        places = [place for place, _ in wrong]
        if self._count == len(wrong) and sorted(n for _, n in wrong) == places:
            findings.add(
                "entries-reordered",
                places[0],
                f"{len(wrong)} entries between {places[0]} and {places[-1]} stand in another order",
            )
            return
        shift = 0  # how far the numbers have run ahead of the places
        expected = -1
        for place, n in wrong:
            if place != expected:
                shift = 0  # sound lines in between
            change = (n - place) - shift
            if change > 0:
                findings.add("entries-missing", place, f"{change} entries before {n} are missing")
            elif change < 0 and n < place:
                findings.add("entry-duplicated", place, f"entry {n} stands here again")
            elif change < 0:
                findings.add("entry-misnumbered", place, f"it says to be entry {n}")
            shift, expected = n - place, place + 1
