"""Proposals: what the broker itself does once people have approved it.

A proposal is a request like any other; its script is the proposal document, and the command that it
stands for is an *act* of this broker.  Everything an approval has to be holds for it unchanged:

    submitted → opened → decisions → [command.started, what the act tells, command.finished]

The last ones are one append: an act that is in the log was approved, and none is half there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.lifecycle import OPEN, RequestState
from gatesh.approval.proposal import MODE, Proposal
from gatesh.approval.standing import FIRST_USE
from gatesh.broker import surroundings
from gatesh.broker.law import LawBook, Stale
from gatesh.broker.surroundings import Peer
from gatesh.docket import Docket, over
from gatesh.document import MalformedDocument
from gatesh.errors import GateshError, LedgerError, UsageError
from gatesh.model import Finding, Kind, Need, Requester, Span, Subject, Verdict, new_id

# Nobody's shell waits for it, and people sleep.
NEED = Need(within_s=24 * 3600, run_within_s=300)
INLINE = 4096  # bytes of a proposal that the log holds itself

Entry = dict[str, Any]
Record = Callable[[list[Entry]], object]


class Act(Protocol):
    """What one kind of proposal does."""

    @property
    def reason(self) -> str:
        """What an approver should know of every one of them."""

    def base(self) -> bytes:
        """Return the document that a change would replace now; its digest is `base`."""

    def check(self, change: Mapping[str, Any]) -> None:
        """Raise `ConfigError` if *change* could not be carried out."""

    def summary(self, change: Mapping[str, Any]) -> str:
        """Return one line of what *change* would change, from what it would replace."""

    def perform(self, base: str, change: Mapping[str, Any], record: Record) -> None:
        """Call *record* once with the entries that tell of it, then do it.

        Raises `Stale` when what it was made for is there no more.  What is done after *record*
        must be done again at the next start if the broker ends in between.
        """


class Proposals:
    """The proposals of one broker."""

    def __init__(self, docket: Docket, book: LawBook, acts: Mapping[str, Act]) -> None:
        self.docket = docket
        self.book = book
        self.acts = acts

    # ---- making one -------------------------------------------------------------------

    def propose(self, kind: str, change: Mapping[str, Any], base: str | None, peer: Peer) -> str:
        """Open a request for *change* and return its id; the same proposal again is the same one.

        *base* is what the asker has seen in force; raises `Stale` when that is no more.
        """
        act = self._act(kind)
        found = act.base()
        proposal = self._proposal(kind, change, base, found)
        act.check(change)
        data = proposal.write()
        requester = self._requester(peer)
        with self.docket.turn:
            for state in self._open():
                asked = state.document or {}
                mine = asked["requester"]["uid"] == peer.uid
                if mine and asked["script_sha256"] == document.sha256(data):
                    return state.id
            return self._ask(act, proposal, data, found, requester)

    def adopt(self, kind: str, change: Mapping[str, Any], base: str | None) -> bool:
        """Carry out *change* of the law at once, in first use; tell whether that settles it."""
        act = self._act(kind)
        proposal = self._proposal(kind, change, base, act.base())
        with self.docket.turn:
            if self.book.standing.settled:
                raise Stale("two people are enrolled by now", why="changed", hint="try again")
            act.perform(
                proposal.base,
                change,
                lambda entries: self.docket.ledger.append(
                    [{**entry, "trust": FIRST_USE} for entry in entries]
                ),
            )
        return self.book.standing.settled

    def _act(self, kind: str) -> Act:
        act = self.acts.get(kind)
        if act is None:
            raise UsageError(f"nothing called {kind} can be proposed here")
        return act

    def _proposal(
        self, kind: str, change: Mapping[str, Any], base: str | None, found: bytes
    ) -> Proposal:
        digest = document.sha256(found)
        if base is not None and base != digest:
            raise Stale(
                f"the {kind} in force has changed meanwhile", why="changed", hint="try again"
            )
        try:
            proposal = Proposal(kind, digest, change)
            proposal.write()
        except (MalformedDocument, TypeError, ValueError) as problem:
            raise UsageError(f"not a proposal: {problem}") from None
        return proposal

    def _requester(self, peer: Peer) -> Requester:
        return Requester(
            uid=peer.uid,
            gid=peer.gid,
            pid=peer.pid,
            user=peer.user,
            person=self.docket.law().roster.person_of_account(peer.user),
            session=surroundings.session(peer.pid),
            ancestry=surroundings.ancestry(peer.pid),
        )

    def _ask(
        self, act: Act, proposal: Proposal, data: bytes, base: bytes, requester: Requester
    ) -> str:
        docket, law, id, now = self.docket, self.docket.law(), new_id(), self.docket.clock()
        summary = act.summary(proposal.change)
        kind, directory = proposal.kind, str(self.book.places.config)
        place = os.stat(directory)
        rule = Finding(
            rule=f"gatesh.{kind}",
            pack="gatesh",
            verdict=Verdict.APPROVE,
            reason=act.reason,
            subject=Subject(Kind.SCRIPT, summary, Span(0, len(data))),
            severity="critical",
            system="gatesh",
        ).as_document()
        request = requests.build(
            id=id,
            revision=1,
            opened=now,
            approve_by=now + timedelta(seconds=NEED.within_s),
            run_within_s=NEED.run_within_s,
            nonce=secrets.token_bytes(16),
            host=surroundings.host_name(),
            boot_id=docket.boot_id,
            origin=docket.origin,
            requester=requester.as_document(),
            script=data,
            invocation=invocation(),
            cwd={"path": directory, "dev": place.st_dev, "ino": place.st_ino},
            env={},
            files=[{"path": f"{kind} in force", "sha256": proposal.base, "size": len(base)}],
            stdin={"kind": "unseen"},
            policy=law.as_document(),
            need=requests.need_document(NEED),
            findings=[rule],
            inner=summary,
            system="gatesh",
        )
        docket.blobs.put(data)
        docket.blobs.put(base)
        submitted: Entry = {
            "type": "command.submitted",
            "id": id,
            "script_sha256": document.sha256(data),
            "cwd": directory,
            "requester": requester.as_document(),
            "verdict": Verdict.APPROVE.word,
            "findings": [rule],
            "policy_sha256": law.policy.sha256,
            "roster_sha256": law.roster.sha256,
            "inner": summary,
        }
        if len(data) <= INLINE:
            submitted["script"] = data.decode("ascii")
        opened = {
            "type": "request.opened",
            "id": id,
            "revision": 1,
            "request_sha256": docket.blobs.put(request),
            "why": rule["rule"],
        }
        docket.ledger.append([submitted, opened])
        return id

    # ---- carrying it out ---------------------------------------------------------------

    def settle(self, ids: Iterable[str] | None = None) -> None:
        """Carry out what people have approved: these, or at the start all that there are."""
        with self.docket.turn:
            for state in self._open():
                if (ids is None or state.id in ids) and state.state == "approved":
                    self._settle(state)

    def _settle(self, state: RequestState) -> None:
        docket, asked = self.docket, state.document
        assert asked is not None
        if asked["policy"] != docket.law().as_document():
            docket.ledger.append([over(state, "lapsed", _CHANGED)])
            return

        def record(entries: list[Entry]) -> None:
            started = {
                "type": "command.started",
                "id": state.id,
                "script_sha256": asked["script_sha256"],
                "request_sha256": state.request_sha256,
                "decisions": list(state.decisions),
                "rechecked": ["files", "policy"],
            }
            finished = {
                "type": "command.finished",
                "id": state.id,
                "exit": 0,
                "seconds": 0,
                "streams": {},
            }
            backed = {
                "id": state.id,
                "request_sha256": state.request_sha256,
                "decisions": list(state.decisions),
            }
            docket.ledger.append([started, {**entries[0], **backed}, *entries[1:], finished])

        try:
            proposal = Proposal.read(docket.blobs.get(asked["script_sha256"]))
            self._act(proposal.kind).perform(proposal.base, proposal.change, record)
        except LedgerError:
            raise
        except GateshError as problem:
            if docket.state(state.id).state == "approved":  # else it is in the log, and done
                docket.ledger.append(
                    [over(state, "lapsed", f"it cannot be done: {problem}"[:1000])]
                )
            return
        self._drop_others()

    def _drop_others(self) -> None:
        """End what was proposed for another law: an approval of it could never be used."""
        now = self.docket.law().as_document()
        ended = [
            over(state, "lapsed" if state.state == "approved" else "cancelled", _CHANGED)
            for state in self._open()
            if state.document is not None and state.document["policy"] != now
        ]
        if ended:
            self.docket.ledger.append(ended)

    def _open(self) -> list[RequestState]:
        """Return the proposals that are open at this moment."""
        with self.docket.lock:
            found = list(self.docket.states.open())
        now = self.docket.clock()
        # Hardly any is one: the clock is not asked about all the commands that wait.
        proposed = [s for s in found if s.document and s.document["invocation"]["mode"] == MODE]
        return [state for state in (s.at(now) for s in proposed) if state.state in OPEN]


_CHANGED = "people, rules or settings have changed since it was asked; propose it again"


def invocation() -> dict[str, Any]:
    """Return the `invocation` of a proposal's request: no shell is called."""
    return {
        "argv_sha256": document.sha256(b""),
        "interactive": False,
        "login": False,
        "mode": MODE,
        "options": [],
        "path": None,
        "positionals": [],
        "shell": "gatesh",
        "zero": None,
    }
