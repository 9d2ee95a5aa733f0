"""Holding a call: for how long, until when, and who is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gatesh.approval.lifecycle import RequestState
from gatesh.call import Law
from gatesh.case import Case
from gatesh.syntax.agents import UNKNOWN, by_environment


@dataclass(frozen=True, slots=True)
class Patience:
    """What the caller stands: seconds until it must be answered, and between signs of life."""

    typed: bool  # a person at a terminal, who can read and wait
    hold_s: float | None
    heartbeat_s: float | None


def patience(case: Case) -> Patience:
    """Return how long *case* may be held; the agent is a guess and no authority."""
    agent = by_environment(case.call.env) or UNKNOWN
    typed = agent is UNKNOWN and case.call.stdin.kind == "tty"
    hold = case.law.config.hold_s
    if hold is None and not typed:
        hold = agent.hold_s  # somebody typing at a terminal waits as long as they like
    return Patience(typed, hold, agent.heartbeat_s)


def who_can(case: Case, law: Law) -> str:
    """Say who can decide, in words."""
    quorum = case.judgement.need.quorum
    asker = case.call.requester.person
    able = sorted(p for p in law.roster.people if p != asker and law.roster.keys_of(p))
    if not able:
        return "a second person (none is enrolled yet: gatesh people add NAME --key FILE.pub)"
    if dict(quorum) == {"any": 1}:
        return " or ".join(able[:3]) + (" or others" if len(able) > 3 else "")
    return " and ".join(f"{count} of {team}" for team, count in sorted(quorum.items()))


def sooner(
    left: float | None, beat: float | None, state: RequestState, now: datetime
) -> float | None:
    """Return the seconds until there is something to do: give up, say so, or see it expired."""
    ends = [seconds for seconds in (left, beat) if seconds is not None]
    if state.approve_by is not None:
        ends.append(max(0.0, (state.approve_by - now).total_seconds()))
    return min(ends) if ends else None
