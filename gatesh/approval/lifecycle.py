"""The life of one request: its states, what may follow which, and when it may start.

    pending → approved → started → finished | lost
    pending → asked → pending (a new revision, earlier approvals void)
    pending, asked → rejected | cancelled | expired
    approved → rejected | cancelled | revoked | lapsed | expired     only before it started

Values only; `state.States` folds the ledger's entries into them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gatesh import document
from gatesh.approval import quorum
from gatesh.approval.roster import Roster

OPEN = frozenset({"pending", "asked", "approved"})
ENDED = frozenset({"rejected", "cancelled", "expired", "revoked", "lapsed", "finished", "lost"})

# Reasons why a request may not start, beside its state: fixed words for `request.lapsed`.
START_WHY: Mapping[str, str] = {
    "not-approved": "too few people have approved it",
    "run-by-passed": "it was not started in time after its approval",
    "roster-changed": "the roster has changed since it was asked",
    "policy-changed": "the rules have changed since it was asked",
    "request-gone": "its document is no longer there to be checked",
}

# Of every request that waits, again and again.
_moment = functools.lru_cache(maxsize=4096)(document.moment)


@dataclass(frozen=True, slots=True)
class Answer:
    """One accepted decision.  `index` is its entry's; `at` when the broker recorded it."""

    index: int
    decision: str  # approve | reject | ask | revoke, or override
    by: str
    key: str
    assurance: str
    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Emergency:
    """A request that somebody has started alone; `review` is null until somebody else has looked.

    The digest is that of the override document.
    """

    id: str
    answer: Answer
    sha256: str
    request_sha256: str
    review: Answer | None = None


@dataclass(frozen=True, slots=True)
class RequestState:
    """What has become of a request so far, or (`at`) by a given time.

    `document` is the parsed request of the current revision; None once the request has ended, or
    when its blob is gone: then nothing can start on it.  `answers` holds every accepted decision,
    those on older revisions too.
    """

    id: str
    revision: int
    state: str
    request_sha256: str
    document: Mapping[str, Any] | None
    opened: int  # index of the `request.opened` entry
    answers: tuple[Answer, ...] = ()
    run_by: datetime | None = None  # set when the quorum is reached
    earlier: tuple[str, ...] = ()  # digests of older revisions
    started: int | None = None  # index of the claim
    ended: int | None = None  # index of the entry that ended it
    why: str | None = None
    rests_on: tuple[int, ...] = ()
    override: Answer | None = None  # by whom it was overridden, instead of approved

    @property
    def approve_by(self) -> datetime | None:
        """Until when people may answer; None without a document."""
        return None if self.document is None else _moment(self.document["approve_by"])

    @property
    def approvals(self) -> tuple[Answer, ...]:
        """The first approval of each person for the current revision."""
        first: dict[str, Answer] = {}
        for answer in self.answers:
            if answer.decision == "approve" and answer.revision == self.revision:
                first.setdefault(answer.by, answer)
        return tuple(first.values())

    @property
    def decisions(self) -> tuple[int, ...]:
        """Indexes of the entries a start rests on (of the claim itself once it has started)."""
        if self.rests_on:
            return self.rests_on
        counted = (self.override,) if self.override else self.approvals
        return tuple(answer.index for answer in counted)

    @property
    def question(self) -> Answer | None:
        """The newest question that is still open."""
        asked = [a for a in self.answers if a.decision == "ask" and a.revision == self.revision]
        return asked[-1] if asked else None

    def missing(self, roster: Roster) -> dict[str, int]:
        """Return how many more people each team has to give."""
        if self.document is None:
            return {}
        people = {answer.by for answer in self.approvals}
        return quorum.missing(self.document["need"]["quorum"], people, roster)

    def at(self, now: datetime) -> RequestState:
        """Return the state as the clock makes it: expired or lapsed though no entry says so yet."""
        if self.state in ("pending", "asked"):
            if self.approve_by is not None and now > self.approve_by:
                return dataclasses.replace(self, state="expired")
        elif self.state == "approved" and (self.run_by is None or now > self.run_by):
            return dataclasses.replace(self, state="lapsed")
        return self

    # ---- what may follow -----------------------------------------------------

    def why_not_answer(self, decision: str, by: str, now: datetime) -> str | None:
        """Return the word (of `why.WHY`) for which an answer comes too late, or None."""
        if self.state in ("started", "finished", "lost"):
            return "request-started"
        if self.state in ENDED:
            return "request-ended"
        if self.at(now).state in ENDED:
            return "request-expired"
        mine = any(answer.by == by for answer in self.approvals)
        if decision == "approve" and self.state == "asked":
            return "question-open"
        if decision == "approve" and mine:
            return "already-answered"
        if decision == "ask" and self.state == "approved":
            return "already-approved"
        taken = self.override is not None or (self.state != "asked" and self.approvals)
        if decision == "revoke" and not taken:
            return "nothing-to-revoke"
        return None

    def answered(self, answer: Answer, roster: Roster) -> RequestState:
        """Return the state after *answer*, which `why_not_answer` has let through."""
        after = dataclasses.replace(self, answers=(*self.answers, answer))
        if answer.decision == "approve":
            if self.state == "pending" and self._quorum_of(after.approvals, roster):
                assert self.document is not None
                # Once reached it is not put off: a late approval must not extend an early one.
                run_by = answer.at + timedelta(seconds=self.document["run_within_s"])
                return dataclasses.replace(after, state="approved", run_by=run_by)
            return after
        if answer.decision == "ask":
            return dataclasses.replace(after, state="asked")
        ending = {"reject": "rejected", "revoke": "revoked"}[answer.decision]
        return after.end(ending, answer.index, answer.decision)

    def why_not_override(self, now: datetime) -> str | None:
        """Return the word (of `why.WHY`) for which an override comes too late, or None."""
        if self.state == "approved" and self.at(now).state == "approved":
            return "already-approved"
        return self.why_not_answer("reject", "", now)  # as long as anybody could still refuse it

    def overridden(self, answer: Answer) -> RequestState:
        """Return the state after an override: as if approved, but resting on it alone."""
        assert self.document is not None
        run_by = answer.at + timedelta(seconds=self.document["run_within_s"])
        return dataclasses.replace(self, state="approved", override=answer, run_by=run_by)

    def end(self, state: str, index: int, why: str | None) -> RequestState:
        """Return the state after an end; the document is let go."""
        return dataclasses.replace(self, state=state, ended=index, why=why, document=None)

    def _quorum_of(self, answers: tuple[Answer, ...], roster: Roster) -> bool:
        if self.document is None:
            return False
        need = self.document["need"]["quorum"]
        return quorum.is_met(need, {answer.by for answer in answers}, roster)

    def why_not_start(
        self,
        now: datetime,
        roster: Roster,
        policy_sha256: str | None,
        decisions: tuple[int, ...] | None = None,
    ) -> str | None:
        """Return the word for which this may not start now, or None if it may.

        A state that is not `approved` is its own word; others are in `START_WHY`.  *decisions*
        are the entries a claim says it rests on; by default all approvals.
        """
        current = self.at(now)
        if current.state != "approved":
            if current.state == "lapsed" and self.state == "approved":
                return "run-by-passed"
            return "not-approved" if current.state == "pending" else current.state
        if self.document is None:
            return "request-gone"
        if self.document["policy"]["roster"] != roster.sha256:
            return "roster-changed"
        if self.document["policy"]["rules"] != policy_sha256:
            return "policy-changed"
        named = self.decisions if decisions is None else decisions
        if self.override is not None and tuple(named) == (self.override.index,):
            return None
        counted = tuple(answer for answer in self.approvals if answer.index in named)
        if len(counted) != len(named) or not self._quorum_of(counted, roster):
            return "not-approved"
        return None
