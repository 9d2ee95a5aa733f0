"""Quorum: have enough distinct, eligible people said yes?

A need like `{"sre": 1, "security": 1}` means both; `any` is everybody on the roster.  People are
counted, never keys or signatures, and a person who is in two teams fills one seat, not two:
two seats mean two heads.  `any` counts all heads, those in team seats included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gatesh.approval.roster import ANYBODY, Roster


def can_answer(person: str, quorum: Mapping[str, int], roster: Roster) -> bool:
    """Whether an approval by *person* would count towards *quorum* at all."""
    if person not in roster.people:
        return False
    return ANYBODY in quorum or not roster.teams_of(person).isdisjoint(quorum)


def is_met(quorum: Mapping[str, int], approvers: Collection[str], roster: Roster) -> bool:
    """Whether *approvers* fill every seat; an empty quorum is met by nobody."""
    if not quorum or any(count < 1 for count in quorum.values()):
        return False
    return not any(missing(quorum, approvers, roster).values())


def missing(
    quorum: Mapping[str, int], approvers: Collection[str], roster: Roster
) -> dict[str, int]:
    """Return how many more people each team still has to give (0 when it has given enough)."""
    people = sorted(person for person in set(approvers) if can_answer(person, quorum, roster))
    seats = [team for team in sorted(quorum) if team != ANYBODY for _ in range(quorum[team])]
    taken: dict[int, str] = {}  # seat -> person
    for person in people:
        _seat(person, seats, roster, taken, set())
    short = {
        team: sum(1 for at, name in enumerate(seats) if name == team and at not in taken)
        for team in quorum
        if team != ANYBODY
    }
    if ANYBODY in quorum:
        short[ANYBODY] = max(0, quorum[ANYBODY] - len(people))
    return short


def _seat(
    person: str, seats: list[str], roster: Roster, taken: dict[int, str], tried: set[int]
) -> bool:
    """Find *person* a seat, moving others to another of their teams if need be."""
    # Augmenting paths (Kuhn): without moving people, who came first would decide the outcome.
    for at, team in enumerate(seats):
        if at in tried or team not in roster.teams_of(person):
            continue
        tried.add(at)
        if at not in taken or _seat(taken[at], seats, roster, taken, tried):
            taken[at] = person
            return True
    return False
