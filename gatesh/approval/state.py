"""The state of every request and command, computed from ledger entries alone.

`States` folds entries in their order and stores nothing else, so the broker after a crash, the
approver's client and the audit come to the same answer.  An entry that cannot follow those before
it raises `IllegalEntry` and changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gatesh.approval.emergency import DAY
from gatesh.approval.lifecycle import OPEN, Answer, Emergency, RequestState
from gatesh.approval.quorum import can_answer
from gatesh.approval.roster import Roster
from gatesh.approval.why import refused
from gatesh.document import MalformedDocument, moment
from gatesh.errors import ConfigError, NotFound, Tampered

# An entry gets its time when it is queued, a little after the check that let it through.
SLACK = timedelta(seconds=5)

Resolve = Callable[[str], Mapping[str, Any]]


class IllegalEntry(Tampered):
    """An entry that no sound broker would have written at this point."""


@dataclass(frozen=True, slots=True)
class Running:
    """A command that was claimed and has not ended as far as the ledger knows."""

    id: str
    index: int  # of its `command.started`
    script_sha256: str
    request_sha256: str | None


@dataclass(frozen=True, slots=True)
class _Submitted:
    verdict: str
    script_sha256: str


class States:
    """Every request and command of one ledger, up to the last entry applied."""

    def __init__(self) -> None:
        self.roster = Roster()
        self.policy_sha256: str | None = None
        self._requests: dict[str, RequestState] = {}
        self._open: dict[str, None] = {}  # ids of requests that may still start
        self._submitted: dict[str, _Submitted] = {}
        self._running: dict[str, Running] = {}
        self._emergencies: dict[str, Emergency] = {}
        self._spent: set[str] = set()  # ids of commands without request that are over
        self._fold: dict[str, Callable[[Mapping[str, Any], Resolve], None]] = {
            "roster.loaded": self._roster_loaded,
            "policy.loaded": self._policy_loaded,
            "command.submitted": self._command_submitted,
            "request.opened": self._request_opened,
            "request.revised": self._request_revised,
            "request.cancelled": self._request_ended,
            "request.expired": self._request_ended,
            "request.lapsed": self._request_ended,
            "decision.accepted": self._decision_accepted,
            "override.accepted": self._override_accepted,
            "override.reviewed": self._override_reviewed,
            "command.started": self._command_started,
            "command.finished": self._command_ended,
            "command.lost": self._command_ended,
        }

    # ---- asking --------------------------------------------------------------

    def get(self, id: str) -> RequestState | None:
        """Return the request with this id, or None."""
        return self._requests.get(id)

    def open(self) -> tuple[RequestState, ...]:
        """Return the requests that have neither started nor ended, oldest first."""
        return tuple(self._requests[id] for id in self._open)

    def unfinished(self) -> tuple[Running, ...]:
        """Return the commands that were started and not finished, with or without a request."""
        return tuple(self._running.values())

    def emergencies(self) -> tuple[Emergency, ...]:
        """Return every request that somebody has started alone, oldest first."""
        return tuple(self._emergencies.values())

    def emergency(self, id: str) -> Emergency | None:
        """Return the override of the request *id*, or None."""
        return self._emergencies.get(id)

    def overrides_of(self, by: str, now: datetime) -> int:
        """Return how often *by* has overridden in the 24 hours before *now*."""
        recent = (e.answer for e in self._emergencies.values())
        return sum(1 for answer in recent if answer.by == by and answer.at > now - DAY)

    def known(self, id: str) -> bool:
        """Whether this id was ever used: a new one must not be."""
        return (
            id in self._requests
            or id in self._submitted
            or id in self._running
            or id in self._spent
        )

    def admit(self, id: str, decision: str, by: str, now: datetime) -> RequestState:
        """Return the request if an answer may still be recorded; raise `Refused` if not.

        For the broker, after `check.check` and before the entry is appended.
        """
        request = self._requests.get(id)
        if request is None:
            raise refused("request-unknown", id)
        if (why := request.why_not_answer(decision, by, now)) is not None:
            raise refused(why)
        return request

    def why_not_start(self, id: str, now: datetime) -> str | None:
        """Return the word for which this request may not start now, or None if it may."""
        request = self._requests.get(id)
        if request is None:
            return "request-unknown"
        return request.why_not_start(now, self.roster, self.policy_sha256)

    def may_start(self, id: str, now: datetime) -> bool:
        """Whether every rule for starting this request holds now."""
        return self.why_not_start(id, now) is None

    # ---- folding -------------------------------------------------------------

    def apply(self, entry: Mapping[str, Any], document: Resolve) -> None:
        """Take the next entry; raise `IllegalEntry` if it cannot follow.

        *document* returns the parsed request of a digest and raises `LookupError` or `NotFound`
        when it is gone (retention may delete old ones).  Types without state are passed over.
        """
        fold = self._fold.get(entry.get("type", ""))
        if fold is None:
            return
        try:
            fold(entry, document)
        except (KeyError, TypeError, MalformedDocument, ConfigError) as problem:
            raise self._illegal(entry, f"it is malformed: {problem}") from None

    def _illegal(self, entry: Mapping[str, Any], problem: str) -> IllegalEntry:
        where = f"entry {entry.get('n')} ({entry.get('type')}, {entry.get('id', '-')})"
        return IllegalEntry(f"{where} cannot be: {problem}", hint="run `gatesh audit`")

    def _roster_loaded(self, entry: Mapping[str, Any], _: Resolve) -> None:
        roster = Roster.from_document(entry)
        if roster.sha256 != entry["roster_sha256"]:
            raise self._illegal(entry, "the roster is not the one its digest names")
        self.roster = roster

    def _policy_loaded(self, entry: Mapping[str, Any], _: Resolve) -> None:
        self.policy_sha256 = entry["policy_sha256"]

    def _command_submitted(self, entry: Mapping[str, Any], _: Resolve) -> None:
        id = entry["id"]
        if id in self._open:
            return  # an identical re-run that joins the wait
        if self.known(id):
            raise self._illegal(entry, "the id was used before")
        submitted = _Submitted(entry["verdict"], entry["script_sha256"])
        if submitted.verdict == "deny":
            self._spent.add(id)
        else:
            self._submitted[id] = submitted

    def _request_opened(self, entry: Mapping[str, Any], resolve: Resolve) -> None:
        id = entry["id"]
        if self.known(id) and id not in self._submitted:
            raise self._illegal(entry, "the id was used before")
        if entry["revision"] != 1:
            raise self._illegal(entry, "a request begins with revision 1")
        sha256 = entry["request_sha256"]
        document = self._document(entry, resolve)
        submitted = self._submitted.get(id)
        if submitted and document and document["script_sha256"] != submitted.script_sha256:
            raise self._illegal(entry, "it asks for another script than was submitted")
        self._requests[id] = RequestState(id, 1, "pending", sha256, document, entry["n"])
        self._open[id] = None
        self._submitted.pop(id, None)

    def _document(self, entry: Mapping[str, Any], resolve: Resolve) -> Mapping[str, Any] | None:
        try:
            document = resolve(entry["request_sha256"])
        except (LookupError, NotFound):
            return None
        if (document["id"], document["revision"]) != (entry["id"], entry["revision"]):
            raise self._illegal(entry, "its document is another request's")
        return document

    def _current(self, entry: Mapping[str, Any]) -> RequestState:
        request = self._requests.get(entry["id"])
        if request is None:
            raise self._illegal(entry, "there is no such request")
        if request.state not in OPEN:
            raise self._illegal(entry, f"the request is {request.state}")
        return request

    def _request_revised(self, entry: Mapping[str, Any], resolve: Resolve) -> None:
        request = self._current(entry)
        if request.at(moment(entry["t"]) - SLACK).state != "asked":
            raise self._illegal(entry, "nothing was asked, or not in time")
        if entry["revision"] != request.revision + 1:
            raise self._illegal(entry, f"revision {request.revision} was the last")
        self._requests[request.id] = dataclasses.replace(
            request,
            revision=entry["revision"],
            state="pending",
            request_sha256=entry["request_sha256"],
            document=self._document(entry, resolve),
            earlier=(*request.earlier, request.request_sha256),
        )

    def _request_ended(self, entry: Mapping[str, Any], _: Resolve) -> None:
        request = self._current(entry)
        state = entry["type"].partition(".")[2]
        self._close(request.end(state, entry["n"], entry.get("why")))

    def _close(self, request: RequestState) -> None:
        self._requests[request.id] = request
        if request.state not in OPEN:
            self._open.pop(request.id, None)

    def _decision_accepted(self, entry: Mapping[str, Any], _: Resolve) -> None:
        request = self._current(entry)
        if entry["request_sha256"] != request.request_sha256:
            raise self._illegal(entry, "it answers another revision")
        answer = self._said(entry, entry["decision"], request)
        if answer.decision not in ("approve", "reject", "ask", "revoke"):
            raise self._illegal(entry, f"{answer.decision!r} is not an answer")
        self._eligible(entry, answer, request)
        why = request.why_not_answer(answer.decision, answer.by, answer.at - SLACK)
        # Counting people makes a second yes of one person harmless; the others are wrong.
        if why not in (None, "already-answered"):
            raise self._illegal(entry, f"{answer.decision} after {request.state}: {why}")
        self._close(request.answered(answer, self.roster))

    def _override_accepted(self, entry: Mapping[str, Any], _: Resolve) -> None:
        request = self._current(entry)
        if entry["request_sha256"] != request.request_sha256:
            raise self._illegal(entry, "it overrides another revision")
        answer = self._said(entry, "override", request)
        self._own_key(entry, answer)
        if request.document is None:
            raise self._illegal(entry, "its document is gone")
        most = request.document["need"].get("break_glass", 0)
        if self.overrides_of(answer.by, answer.at) >= most:
            raise self._illegal(entry, "no rule allows it, or not so often")
        if (why := request.why_not_override(answer.at - SLACK)) is not None:
            raise self._illegal(entry, f"override after {request.state}: {why}")
        self._close(request.overridden(answer))
        self._emergencies[request.id] = Emergency(
            request.id, answer, entry["override_sha256"], request.request_sha256
        )

    def _override_reviewed(self, entry: Mapping[str, Any], _: Resolve) -> None:
        found = self._emergencies.get(entry["id"])
        if found is None or found.sha256 != entry["override_sha256"]:
            raise self._illegal(entry, "there is no such override")
        if found.review is not None or found.answer.by == entry["by"]:
            raise self._illegal(entry, "it was reviewed before, or by whoever has overridden")
        review = self._said(entry, "review", self._requests[entry["id"]])
        self._own_key(entry, review)
        self._emergencies[found.id] = dataclasses.replace(found, review=review)

    def _said(self, entry: Mapping[str, Any], what: str, request: RequestState) -> Answer:
        return Answer(
            index=entry["n"],
            decision=what,
            by=entry["by"],
            key=entry["key"],
            assurance=entry["assurance"],
            at=moment(entry["t"]),
            revision=request.revision,
        )

    def _own_key(self, entry: Mapping[str, Any], answer: Answer) -> None:
        key = [k for k in self.roster.keys_of(answer.by) if k.key.fingerprint == answer.key]
        if not key:
            raise self._illegal(entry, f"{answer.by} has no such key")
        if (answer.assurance == "presence") != key[0].key.sk:
            raise self._illegal(entry, "the key does not give that assurance")

    def _eligible(self, entry: Mapping[str, Any], answer: Answer, request: RequestState) -> None:
        self._own_key(entry, answer)
        if request.document is None:
            return
        asker, need = request.document["requester"], request.document["need"]
        if answer.by in (asker["person"], self.roster.person_of_account(asker["user"])):
            raise self._illegal(entry, f"{answer.by} answers their own request")
        if answer.decision != "approve":
            return
        if not can_answer(answer.by, need["quorum"], self.roster):
            raise self._illegal(entry, f"{answer.by} is in none of the teams it needs")
        if need["assurance"] == "presence" and answer.assurance != "presence":
            raise self._illegal(entry, "it needs a security key that is touched")

    def _command_started(self, entry: Mapping[str, Any], _: Resolve) -> None:
        id, index, script = entry["id"], entry["n"], entry["script_sha256"]
        sha256, decisions = entry["request_sha256"], tuple(entry["decisions"])
        if id in self._requests:
            request = self._current(entry)
            self._claim(entry, request, decisions)
            started = dataclasses.replace(
                request, state="started", started=index, rests_on=decisions
            )
            self._close(started)
        else:
            submitted = self._submitted.get(id)
            if submitted is None or submitted.verdict != "allow":
                raise self._illegal(entry, "nothing allowed it")
            if sha256 is not None or decisions or script != submitted.script_sha256:
                raise self._illegal(entry, "it is not what was submitted")
            del self._submitted[id]
        self._running[id] = Running(id, index, script, sha256)

    def _claim(
        self, entry: Mapping[str, Any], request: RequestState, decisions: tuple[int, ...]
    ) -> None:
        if entry["request_sha256"] != request.request_sha256:
            raise self._illegal(entry, "another revision was approved")
        if request.document is None:
            return  # an old request whose blob is gone: its signatures are the audit's to judge
        if entry["script_sha256"] != request.document["script_sha256"]:
            raise self._illegal(entry, "another script was approved")
        when = moment(entry["t"]) - SLACK
        why = request.why_not_start(when, self.roster, self.policy_sha256, decisions)
        if why is not None:
            raise self._illegal(entry, f"it could not start: {why}")

    def _command_ended(self, entry: Mapping[str, Any], _: Resolve) -> None:
        id = entry["id"]
        if id not in self._running:
            raise self._illegal(entry, "it is not running")
        del self._running[id]
        if (request := self._requests.get(id)) is not None:
            state = entry["type"].partition(".")[2]
            self._requests[id] = request.end(state, entry["n"], entry.get("why"))
        else:
            self._spent.add(id)
