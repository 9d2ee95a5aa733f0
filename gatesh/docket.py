"""The docket: every request there is, and what people do about it.

Opened by a call that needs approval, decided, asked about, revised, withdrawn,
expired.  The states are computed from the log alone; nothing is remembered here
that a restart would not find again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.check import Accepted, check
from gatesh.approval.decision import Decision
from gatesh.approval.lifecycle import OPEN, Answer, RequestState
from gatesh.approval.revision import answered, revise
from gatesh.approval.state import States
from gatesh.bells import Bells
from gatesh.call import Law
from gatesh.case import Case, submitted
from gatesh.errors import NotFound, Refused
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.store import Ledger
from gatesh.model import new_id, show_id


class Docket:
    """The requests of one log.  Used by many threads."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        blobs: Blobs,
        law: Callable[[], Law],
        states: States,
        origin: str,
        boot_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        self.ledger = ledger
        self.blobs = blobs
        self.law = law
        self.states = states
        self.origin = origin
        self.boot_id = boot_id
        self.clock = clock
        # `turn` is held from a look at a request to the entry that rests on it: one decision, one
        # claim at a time.  `lock` guards the states and is taken inside appends (`observe`), so
        # nothing is appended while it is held.
        self.turn = threading.Lock()
        self.lock = threading.Lock()
        self.bells = Bells()
        self.tell: Callable[[Mapping[str, Any]], None] = lambda _: None  # must not block
        self.matches: dict[str, str] = {}  # match digest → id of its open request
        for state in states.open():
            if state.document is not None:
                script = blobs.get(state.document["script_sha256"])
                self.matches[requests.match_of(state.document, script)] = state.id

    # ---- calls that need approval ------------------------------------------------

    def join(self, case: Case) -> str | None:
        """Return the open request for exactly this case, if there is one."""
        id = self.matches.get(case.match_sha256)
        if id is None or self.state(id).state not in OPEN:
            return None
        self.ledger.append([{**submitted(case, id, self.blobs.put), "joins": id}])
        return id

    def open(self, case: Case) -> str:
        """Open a request: people can answer it from now on, whoever still waits."""
        id, now, need = new_id(), self.clock(), case.judgement.need
        bound = case.bound
        data = requests.build(
            id=id,
            revision=1,
            opened=now,
            approve_by=now + timedelta(seconds=need.within_s),
            run_within_s=need.run_within_s,
            nonce=secrets.token_bytes(16),
            host=case.call.host,
            boot_id=self.boot_id,
            origin=self.origin,
            requester=case.call.requester.as_document(),
            script=case.script,
            invocation=bound["invocation"],
            cwd=bound["cwd"],
            env=bound["env"],
            files=bound["files"],
            stdin=case.stdin,
            policy=bound["policy"],
            need=requests.need_document(need),
            findings=[finding.as_document() for finding in case.judgement.findings],
            inner=case.analysis.inner,
            system=case.judgement.system,
        )
        with self.blobs.batch() as batch:
            batch.put(case.script)  # `show` and the claim need the bytes, however short
            for file in case.analysis.files:  # people have to read what the line reads as code
                if (content := case.call.read(file.path)) is not None:
                    batch.put(content)
            request_sha256 = batch.put(data)
            asked = submitted(case, id, batch.put)
        opened = {
            "type": "request.opened",
            "id": id,
            "revision": 1,
            "request_sha256": request_sha256,
            "why": case.judgement.findings[0].rule,
        }
        self.ledger.append([asked, opened])
        self.matches[case.match_sha256] = id
        return id

    # ---- what people do ----------------------------------------------------------

    def state(self, id: str) -> RequestState:
        """Return the request's state at this moment; raise `NotFound`."""
        with self.lock:
            state = self.states.get(id)
        if state is None:
            raise NotFound(
                f"there is no request {show_id(id)}", hint="list what waits with `gatesh pending`"
            )
        return state.at(self.clock())

    def decide(self, decision: bytes, signature: bytes) -> Accepted:
        """Check a signed answer and append it; raise `Refused` with its word, or `NotFound`.

        Who carried it here does not matter: the signature speaks.
        """
        try:
            id = Decision.read(decision).request  # only to find the request; `check` trusts nothing
        except document.MalformedDocument as problem:
            raise Refused(str(problem), why="decision-malformed") from None
        with self.turn:
            state = self.state(id)
            request = self.blobs.get(state.request_sha256)
            with self.blobs.batch() as batch:
                digests = {
                    "decision_sha256": batch.put(decision),
                    "signature_sha256": batch.put(signature),
                }
            try:
                accepted = check(
                    decision,
                    signature,
                    request=request,
                    revision=state.revision,
                    roster=self.law().roster,
                    requester=requests.read(request)["requester"],
                    origin=self.origin,
                    on_history=self.on_history,
                    now=self.clock(),
                    log_size=self.ledger.head.size,
                    earlier=state.earlier,
                )
                with self.lock:
                    self.states.admit(id, accepted.decision, accepted.by, self.clock())
            except Refused as refused:
                entry = {"type": "decision.refused", "id": id, "why": refused.why, **digests}
                self.ledger.append([entry])
                raise
            self.ledger.append([{"type": "decision.accepted", **accepted.as_document(), **digests}])
            return accepted

    def _own(self, id: str, uid: int) -> tuple[RequestState, Mapping[str, Any]]:
        """Return an open request of the account *uid*, and its document; raise `Refused`."""
        state = self.state(id)
        if state.state not in OPEN or state.document is None:
            raise Refused(f"request {show_id(id)} is {state.state} already", why="request-ended")
        if state.document["requester"]["uid"] != uid:
            raise Refused(f"request {show_id(id)} was made by another account", why="not-yours")
        return state, state.document

    def cancel(self, id: str, uid: int) -> None:
        """Withdraw a request, on behalf of the account that asked."""
        with self.turn:
            state, _ = self._own(id, uid)
            self.ledger.append([over(state, "cancelled", "withdrawn by its requester")])

    def answer(self, id: str, uid: int, text: str) -> None:
        """Answer what was asked, for the account that made the request: a new revision of it.

        What people have said about the one before no longer counts.
        """
        with self.turn:
            state, found = self._own(id, uid)
            asked = [
                (answer.by, self.decision(answer).question or "")
                for answer in state.answers
                if answer.decision == "ask" and answer.revision == state.revision
            ]
            if state.state != "asked":
                raise Refused(f"nobody has asked about request {show_id(id)}", why="nothing-asked")
            purpose = answered(found["purpose"], asked, text)
            nonce = secrets.token_bytes(16)
            data = revise(found, now=self.clock(), nonce=nonce, purpose=purpose)
            entry = {
                "type": "request.revised",
                "id": id,
                "revision": state.revision + 1,
                "request_sha256": self.blobs.put(data),
                "why": "answered",
            }
            self.ledger.append([entry])

    def expire(self) -> None:
        """Record what time alone has ended.  Called by the broker's timer."""
        with self.turn:
            now = self.clock()
            ended = []
            with self.lock:
                still = list(self.states.open())
            for state in still:
                after = state.at(now).state
                if after != state.state:
                    ended.append(over(state, after, "time"))
            if ended:
                self.ledger.append(ended)

    def end_all(self, why: str) -> list[str]:
        """End every request that is open, and return their ids: the log takes no answers more.

        What was approved and has not started lapses, the others are cancelled; whoever
        asked can run the command again, which asks anew.
        """
        with self.turn:
            with self.lock:
                ended = self.endings(why)
            if ended:
                self.ledger.append(ended)
            return [entry["id"] for entry in ended]

    def endings(self, why: str) -> list[dict[str, Any]]:
        """Return the entries that would end every open request; `lock` must be held."""
        now = self.clock()
        how = {"approved": "lapsed", "expired": "expired", "lapsed": "lapsed"}
        still = (state.at(now) for state in self.states.open())
        return [over(state, how.get(state.state, "cancelled"), why) for state in still]

    def observe(self, entries: list[dict[str, Any]]) -> None:
        """Fold durable entries into the states, in their order, and wake whom they concern."""
        with self.lock:
            for entry in entries:
                self.states.apply(entry, self.request)
                self.bells.ring(entry.get("id", ""))
                self.tell(entry)

    def request(self, sha256: str) -> dict[str, Any]:
        """Return the parsed request document with this digest."""
        return requests.read(self.blobs.get(sha256))

    def decision(self, answer: Answer) -> Decision:
        """Return the decision document behind an accepted answer."""
        entry = next(self.ledger.entries(answer.index))
        return Decision.read(self.blobs.get(entry["decision_sha256"]))

    def on_history(self, size: int, root: bytes) -> bool:
        """Tell whether this log had that root at that size."""
        return size <= self.ledger.head.size and self.ledger.root_at(size) == root


def over(state: RequestState, how: str, why: str) -> dict[str, Any]:
    """Return the entry that ends a request without an answer: cancelled, expired or lapsed."""
    return {
        "type": f"request.{how}",
        "id": state.id,
        "revision": state.revision,
        "request_sha256": state.request_sha256,
        "why": why,
    }
