"""The lives of approval requests, retold for the audit (`formats.md` §2-3).

pending → approved → started            pending → asked → pending (new revision)
pending → rejected | cancelled | expired        approved → revoked | lapsed | expired
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from gatesh import document
from gatesh.errors import GateshError, Refused
from gatesh.ledger.checks import Checks
from gatesh.ledger.findings import Findings

Entry = Mapping[str, Any]

# An entry is dated when it is queued, a little after the check that let it through.
SLACK: Final = timedelta(seconds=5)

_SELF: Final = frozenset({"self-person", "self-account", "self-key"})
_FORKED: Final = frozenset({"log-other", "log-ahead", "log-forked"})
_LATE: Final = frozenset({"too-late"})


@dataclass(slots=True)
class Request:
    """One request that has neither started nor ended."""

    id: str
    revision: int
    sha256: str
    asked: Mapping[str, Any] | None  # its document, when that could be read
    state: str = "pending"
    approvals: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # person → entry
    run_by: datetime | None = None
    earlier: tuple[str, ...] = ()
    override: int | None = None  # the entry by which it was overridden, if that holds

    @property
    def script(self) -> str | None:
        """The digest of the script that was asked for."""
        return None if self.asked is None else self.asked["script_sha256"]


class Requests:
    """Every request of a log.  `gone` holds the last state of those that are over."""

    def __init__(
        self,
        findings: Findings,
        origin: str,
        blob: Callable[[str, int], bytes | None],
        on_history: Callable[[int, bytes], bool],
        checks: Checks | None,
    ) -> None:
        self._findings, self._origin = findings, origin
        self._blob, self._on_history, self._checks = blob, on_history, checks
        self.open: dict[str, Request] = {}
        self.gone: dict[str, str] = {}
        self.roster: Entry | None = None
        self.policy: str | None = None
        self.count = 0
        self.trusted = False  # while entries pass by that an earlier audit has verified
        self.signatures = 0
        self.acting: Request | None = None  # what was started last, if soundly
        self.seen_by: dict[str, int] = {}  # person → size of the newest head they have signed

    # ---- opening, revising, ending ----

    def opened(self, entry: Entry, script: str | None) -> None:
        """A request is opened; *script* is the digest that was submitted under its id."""
        n, id = entry["n"], entry["id"]
        self.count += 1
        if id in self.open or id in self.gone:
            self._findings.add("request-duplicate", n, f"the id {id} was used before")
        if entry["revision"] != 1:
            self._findings.add("request-mismatch", n, "a request begins with revision 1")
        asked = self._document(entry)
        if asked is not None and script is not None and asked["script_sha256"] != script:
            self._findings.add("request-mismatch", n, "it asks for another script than submitted")
        self.gone.pop(id, None)
        self.open[id] = Request(id, entry["revision"], entry["request_sha256"], asked)

    def _document(self, entry: Entry) -> Mapping[str, Any] | None:
        data = self._blob(entry["request_sha256"], entry["n"])
        if data is None:
            return None
        try:
            asked = document.read(data)
            same = (asked["id"], asked["revision"]) == (entry["id"], entry["revision"])
            document.moment(asked["approve_by"])
            timedelta(seconds=asked["run_within_s"])
            sound = bool(asked["need"]["quorum"]) and isinstance(asked["requester"], dict)
            policy = (asked["policy"]["roster"], asked["policy"]["rules"])
            script = asked["script_sha256"]
        except (document.MalformedDocument, KeyError, TypeError) as problem:
            self._findings.add(
                "request-mismatch", entry["n"], f"its document cannot be read: {problem}"
            )
            return None
        if not same or not sound or not all(isinstance(x, str) for x in (*policy, script)):
            self._findings.add("request-mismatch", entry["n"], "its document is another request's")
            return None
        if asked.get("origin") != self._origin:
            self._findings.add("wrong-log", entry["n"], "its document was made for another log")
        return asked

    def revised(self, entry: Entry) -> None:
        """An answered question makes a new revision; approvals of the old one lapse."""
        request = self._current(entry)
        if request is None:
            return
        if request.state != "asked":
            self._findings.add("request-state", entry["n"], "revised although nothing was asked")
        if entry["revision"] != request.revision + 1:
            self._findings.add(
                "request-mismatch", entry["n"], f"revision {request.revision} was the last"
            )
        self.open[request.id] = Request(
            request.id,
            entry["revision"],
            entry["request_sha256"],
            self._document(entry),
            earlier=(*request.earlier, request.sha256),
        )

    def proposed(self, kind: str, n: int) -> Mapping[str, Any] | None:
        """Return the change of *kind* that the request started last was to make, if it was one."""
        found = self.proposal(n) or {}
        change = found.get("change") if found.get("kind") == kind else None
        return change if isinstance(change, dict) else None

    def proposal(self, n: int) -> Mapping[str, Any] | None:
        """Return the proposal that the request started last was for, if it was for one."""
        asked = self.acting.asked if self.acting is not None else None
        if asked is None or asked.get("invocation", {}).get("mode") != "proposal":
            return None
        data = self._blob(asked["script_sha256"], n)
        try:
            return document.read(data or b"")
        except document.MalformedDocument:
            return None

    def ended(self, entry: Entry) -> None:
        """Cancelled, expired or lapsed."""
        request = self._current(entry)
        if request is not None:
            self._end(request, entry["type"].partition(".")[2])

    def _end(self, request: Request, state: str) -> None:
        del self.open[request.id]
        self.gone[request.id] = state

    def _current(self, entry: Entry) -> Request | None:
        request = self.open.get(entry["id"])
        if request is None:
            state = self.gone.get(entry["id"])
            if state is None:
                self._findings.add("request-unknown", entry["n"], f"no request {entry['id']}")
            else:
                self._findings.add("request-state", entry["n"], f"the request was {state} already")
        return request

    # ---- decisions ----

    def decided(self, entry: Entry) -> None:
        """Somebody's answer was accepted: should it have been?"""
        n = entry["n"]
        request = self.open.get(entry["id"])
        if request is None:
            state = self.gone.get(entry["id"])
            if state is None:
                self._findings.add("decision-without-request", n, f"no request {entry['id']}")
            else:
                self._findings.add("reviewed-too-late", n, f"the request was {state} already")
        elif entry["request_sha256"] != request.sha256:
            older = entry["request_sha256"] in request.earlier
            meaning = "an older revision" if older else "a request that is not this one"
            self._findings.add("decision-mismatch", n, f"it answers {meaning}")
            request = None
        verified = self._signed(entry, request)
        if request is not None:
            self._answer(entry, request, counts=verified)

    def _signed(self, entry: Entry, request: Request | None) -> bool:
        """Check the signed bytes behind *entry*; tell whether the answer may count."""
        n = entry["n"]
        decision = self._blob(entry["decision_sha256"], n)
        signature = self._blob(entry["signature_sha256"], n)
        if self.trusted:
            if decision is not None:
                self.saw(entry["by"], decision)
            return True
        if decision is None or signature is None:
            return False
        if self._checks is None:
            if not self._findings.has("signatures-unchecked"):
                self._findings.add(
                    "signatures-unchecked", n, "decisions were compared, their signatures not"
                )
            return self._agrees(entry, decision)
        if request is None or request.asked is None:
            return False
        if self.roster is None:
            self._findings.add("roster-missing", n, "no roster had been loaded")
            return False
        asked = self._blob(request.sha256, n)
        if asked is None:
            return False
        try:
            found = self._checks.verify_decision(
                decision,
                signature,
                request=asked,
                revision=request.revision,
                roster=self.roster,
                requester=request.asked["requester"],
                origin=self._origin,
                on_history=self._on_history,
                now=document.moment(entry["t"]),
                log_size=n,
                earlier=request.earlier,
            )
        except Refused as refused:
            self._findings.add(_code(refused.why), n, f"{refused} ({refused.why})")
            return False
        except (GateshError, ValueError, KeyError, TypeError) as problem:
            self._findings.add("decision-invalid", n, f"it cannot be checked: {problem}")
            return False
        said = (found.id, found.by, found.decision, found.key, found.assurance)
        if said != tuple(entry[k] for k in ("id", "by", "decision", "key", "assurance")):
            self._findings.add(
                "decision-mismatch", n, "the entry says otherwise than the signature"
            )
            return False
        self.signatures += 1
        if self._agrees(entry, decision):
            self.saw(found.by, decision)
        return True

    def saw(self, by: str, decision: bytes) -> None:
        """Note the head that *by* names in a document they have signed."""
        size = document.read(decision)["log"]["size"]
        self.seen_by[by] = max(size, self.seen_by.get(by, 0))

    def _agrees(self, entry: Entry, decision: bytes) -> bool:
        """Compare the signed document with its entry, field by field."""
        try:
            signed = document.read(decision)
            same = all(
                signed[theirs] == entry[ours]
                for theirs, ours in (
                    ("request", "id"),
                    ("by", "by"),
                    ("decision", "decision"),
                    ("request_sha256", "request_sha256"),
                )
            )
        except (document.MalformedDocument, KeyError):
            same = False
        if not same:
            self._findings.add("decision-mismatch", entry["n"], "the entry says otherwise")
        return same

    def _answer(self, entry: Entry, request: Request, *, counts: bool) -> None:
        n, t, decision = entry["n"], document.moment(entry["t"]), entry["decision"]
        if request.asked is not None and decision != "revoke":
            until = document.moment(request.asked["approve_by"])
            if t > until + SLACK and request.state != "approved":
                self._findings.add(
                    "reviewed-too-late", n, f"people could answer until {document.stamp(until)}"
                )
        if decision == "approve":
            if request.state == "asked":
                self._findings.add("request-state", n, "approved while a question was open")
            if counts:
                request.approvals.setdefault(entry["by"], (n, t))
            if request.state == "pending" and self._enough(request, list(request.approvals)):
                assert request.asked is not None
                request.state = "approved"
                request.run_by = t + timedelta(seconds=request.asked["run_within_s"])
        elif decision == "ask":
            if request.state == "approved":
                self._findings.add("request-state", n, "asked although it was approved already")
            request.state = "asked"
        else:
            self._end(request, {"reject": "rejected", "revoke": "revoked"}[decision])

    def _enough(self, request: Request, people: list[str]) -> bool:
        if request.asked is None:
            return False
        quorum = request.asked["need"]["quorum"]
        if self._checks is not None and self.roster is not None:
            try:
                return self._checks.quorum_met(quorum, people, self.roster)
            except (GateshError, ValueError, KeyError, TypeError):
                return False
        # Teams are the roster's business; so many heads are needed at the very least.
        anybody = int(quorum.get("any", 0))
        return len(people) >= max(anybody, sum(map(int, quorum.values())) - anybody, 1)

    # ---- the claim ----

    def started(self, entry: Entry) -> None:
        """The claim: an approval is used, once."""
        request = self.open[entry["id"]]
        self._end(request, "started")
        objections = list(self._objections(entry, request))
        for code, meaning in objections:
            self._findings.add(code, entry["n"], meaning)
        self.acting = None if objections else request

    def _objections(self, entry: Entry, request: Request) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with this claim: a code, and what it means."""
        if entry["request_sha256"] != request.sha256:
            yield "start-without-approval", "another revision was approved"
            return
        asked = request.asked
        if asked is None:
            return  # said already: its document is gone
        if entry["script_sha256"] != request.script:
            yield "start-other-script", "not the script that people approved"
        people = [who for who, (at, _) in request.approvals.items() if at in entry["decisions"]]
        indexes = {at for at, _ in request.approvals.values()}
        alone = request.override is not None and entry["decisions"] == [request.override]
        enough = self._enough(request, people) and indexes >= set(entry["decisions"])
        if request.state == "asked":
            yield "start-without-approval", "a question was still open"
        elif not alone and not enough:
            yield (
                "start-without-approval",
                f"its decisions {entry['decisions']} are not the approvals that "
                f"{asked['need']['quorum']} demands",
            )
        elif request.run_by is not None and document.moment(entry["t"]) > request.run_by + SLACK:
            yield "start-too-late", f"the approval was good until {document.stamp(request.run_by)}"
        if self.roster is not None and (
            asked["policy"]["roster"] != self.roster["roster_sha256"]
            or asked["policy"]["rules"] != self.policy
        ):
            yield "start-drifted", "rules or roster had changed since it was asked"


def _code(why: str) -> str:
    if why in _SELF:
        return "self-approval"
    if why in _FORKED:
        return "decision-forked-log"
    return "reviewed-too-late" if why in _LATE else "decision-invalid"
