"""The hall: what happens to one command, from the first byte to the last, in this order.

    judged → submitted → (held → decided → claimed) → started → runs → finished

Everything it touches outside is handed to it.  The order is the security
property: nothing starts before its entry is durable, nothing approved starts
without being looked at again, nothing leaves before its end is recorded.
`docs/life-of-a-command.md` tells the same story in prose.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gatesh import document, nested, realshell, words
from gatesh.approval import request as requests
from gatesh.approval.check import Accepted, check
from gatesh.approval.decision import Decision
from gatesh.approval.lifecycle import OPEN, Answer, RequestState
from gatesh.approval.revision import answered, revise
from gatesh.approval.state import States
from gatesh.bells import Bells
from gatesh.caller import SIGNAL, Client, Commands, Ending, Leave, Plan
from gatesh.case import Call, Case, Law, consider, is_live, submitted
from gatesh.errors import GateshError, NotFound, Refused
from gatesh.holding import patience, sooner, who_can
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.store import Ledger
from gatesh.model import Mode, Verdict, new_id, show_id

REFUSED, PENDING, TROUBLE = 126, 75, 125
STOP = "gatesh broker stop"


class Gate:
    """Everything needed to handle calls.  Used by one thread per caller."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        blobs: Blobs,
        law: Callable[[], Law],
        states: States,
        origin: str,
        boot_id: str,
        salt: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        self.ledger = ledger
        self.blobs = blobs
        self.law = law
        self.states = states
        self.origin = origin
        self.boot_id = boot_id
        self.salt = salt
        self.clock = clock
        # `turn` is held from a look at a request to the entry that rests on it: one decision, one
        # claim at a time.  `lock` guards memory and is taken inside appends (`observe`), so
        # nothing is appended while it is held.
        self.turn = threading.Lock()
        self.lock = threading.Lock()
        self.bells = Bells()
        self.tell: Callable[[Mapping[str, Any]], None] = lambda _: None  # must not block
        self.matches: dict[str, str] = {}  # match digest → id of its open request
        self.running: dict[str, Client] = {}
        self.killers: dict[str, str] = {}  # id of a running command → who has killed it
        self.judged: dict[int, tuple[str, Case]] = {}  # pid of a client → what it runs
        self.closing = False  # nothing starts any more
        for state in states.open():
            if state.document is not None:
                script = blobs.get(state.document["script_sha256"])
                self.matches[requests.match_of(state.document, script)] = state.id

    # ---- one command ----------------------------------------------------------

    def handle(self, call: Call, client: Client) -> Leave:
        """Take *call* through the gate and return how its client is to leave.

        Raises `LedgerError` when something cannot be recorded; it then has not run,
        or was stopped.
        """
        if self.closing:
            raise GateshError("the broker is being stopped", hint="run it again")
        case = consider(call, self.law(), self.salt)
        with self.lock:
            running = dict(self.judged)
        outer = nested.outer(call.lineage(), running) if running else None
        if trouble := realshell.trouble(case, outer):
            client.say(trouble[1])
            return Leave(trouble[0])
        if outer is not None:
            case = nested.within(case, outer)
        if case.invocation.mode is Mode.SESSION and call.command is None:
            client.say(words.no_session())
            return Leave(TROUBLE)
        if case.missing is not None:
            # Not left to bash: the file could be put there after we have looked.
            name = os.fsdecode(realshell.zero(call.argv[0])).removeprefix("-")
            client.say(f"{name}: {case.missing}: No such file or directory\n")
            return Leave(realshell.MISSING)
        if case.judgement.verdict is Verdict.DENY:
            return self._refuse(case, client)
        if case.judgement.verdict is Verdict.APPROVE:
            return self._hold(case, client)
        id = new_id()
        # One round for both: an allowed command waits for one flush, not for two.
        self.ledger.append([self._submitted(case, id), self._started(case, id, None)])
        return self._run(case, id, client)

    def _refuse(self, case: Case, client: Client) -> Leave:
        id = new_id()
        self.ledger.append([self._submitted(case, id)])
        client.say(words.denied(id, case.judgement.findings))
        return Leave(REFUSED)

    def _run(self, case: Case, id: str, client: Client) -> Leave:
        """Run what was judged; `command.started` is durable already."""
        plan = Plan(
            id,
            os.fsencode(realshell.path(case)),
            (realshell.zero(case.call.argv[0]), *case.invocation.argv),
            case.script if case.invocation.mode is Mode.STDIN else None,
        )
        if is_live(case.call, case.invocation):
            commands = Commands(case.invocation, case.call.env, partial(self._each, case.call))
            plan = replace(plan, stdin=None, commands=commands)
        with self.lock:
            self.running[id] = client
            self.judged[client.pid] = (id, case)
            closing = self.closing
        try:
            if closing:
                ending = Ending(None, 0, 0, {}, "the broker was stopped before it began")
            else:
                ending = client.run(plan, lambda streams: self._late(id, streams))
        except OSError as problem:
            ending = Ending(None, 0, 0, {}, f"it cannot be recorded: {problem.strerror}")
        finally:
            with self.lock:
                self.running.pop(id, None)
                killer = self.killers.pop(id, None)
                self.judged.pop(client.pid, None)
        if ending.how is None:
            lost: dict[str, Any] = {"type": "command.lost", "id": id, "why": ending.why}
            if ending.streams:
                lost |= {"streams": dict(ending.streams), "complete": False}
            self.ledger.append([lost])
            client.say(words.unrecorded(ending.why or "nobody knows how it ended"))
            return Leave(TROUBLE)
        entry: dict[str, Any] = {
            "type": "command.finished",
            "id": id,
            "seconds": round(ending.seconds, 6),
            "streams": dict(ending.streams),
            ("signal" if ending.how == SIGNAL else "exit"): ending.value,
        }
        if ending.unseen:
            entry["unseen"] = list(ending.unseen)
        killed = killer is not None and ending.how == SIGNAL
        if why := f"killed by {killer}" if killed else ending.why:
            entry["why"] = why
        self.ledger.append([entry])
        if ending.why is not None and not killed:
            return Leave(TROUBLE)
        return Leave(ending.value, ending.how)

    def _each(
        self, call: Call, text: bytes, client: Client, cwd: Callable[[], Mapping[str, Any]]
    ) -> Leave:
        """Take one command of a session through the gate."""
        return self.handle(replace(call, command=text, cwd=cwd), client)

    def _late(self, id: str, streams: Mapping[str, Any]) -> None:
        """Record what background children wrote after their shell had ended."""
        self.ledger.append([{"type": "command.output", "id": id, "streams": dict(streams)}])

    # ---- a command that needs approval ------------------------------------------

    def _hold(self, case: Case, client: Client) -> Leave:
        wait = patience(case)
        typed, hold, beat = wait.typed, wait.hold_s, wait.heartbeat_s
        with self.turn:
            id = self._join(case) or self._open(case)
        who = who_can(case, self.law())
        if self.state(id).state != "asked":
            client.say(words.waiting(id, case.judgement.findings, who, hold))
        began, heard = time.monotonic(), 0
        deadline = None if hold is None else began + hold
        with self.bells.held(id) as bell:
            while True:
                state = self.state(id)
                if state.state == "approved":
                    return self._claim(case, id, client)
                if state.state == "asked" and typed:
                    if heard < len(state.answers):  # a person can answer and go on waiting here
                        self._explain(state, client)
                        heard = len(state.answers)
                elif state.state != "pending":
                    return self._explain(state, client)
                left = None if deadline is None else deadline - time.monotonic()
                if client.gone():
                    client.say(words.pending(id))  # a client whose agent was killed is still there
                    return Leave(PENDING)
                if left is not None and left <= 0:
                    client.say(words.pending(id))
                    return Leave(PENDING)
                if not client.wait(bell, sooner(left, beat, state, self.clock())) and beat:
                    client.say(words.still_waiting(id, time.monotonic() - began))

    def _join(self, case: Case) -> str | None:
        """Return the open request for exactly this case, if there is one."""
        id = self.matches.get(case.match_sha256)
        if id is None or self.state(id).state not in OPEN:
            return None
        self.ledger.append([{**self._submitted(case, id), "joins": id}])
        return id

    def _open(self, case: Case) -> str:
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
        self.blobs.put(case.script)  # `show` and the claim need the bytes, however short
        for file in case.analysis.files:  # people have to read what the line reads as code
            if (content := case.call.read(file.path)) is not None:
                self.blobs.put(content)
        opened = {
            "type": "request.opened",
            "id": id,
            "revision": 1,
            "request_sha256": self.blobs.put(data),
            "why": case.judgement.findings[0].rule,
        }
        self.ledger.append([self._submitted(case, id), opened])
        self.matches[case.match_sha256] = id
        return id

    def _claim(self, case: Case, id: str, client: Client) -> Leave:
        """Turn an approval into a run, once.  Looks at everything again first."""
        with self.turn:
            law = self.law()
            state = self.state(id)
            if state.state != "approved":  # another call with the same bytes was quicker
                return self._explain(state, client)
            if client.gone() or self.closing:
                return Leave(PENDING)
            changed = case.changed(law, self.salt)
            if changed:
                why = "changed since it was asked: " + ", ".join(changed)
                self.ledger.append([_over(state, "lapsed", why)])
            else:
                self.ledger.append([self._started(case, id, state)])
        if changed:
            client.say(words.changed(id, changed))
            return self.handle(case.call, client)
        return self._run(case, id, client)

    def _explain(self, state: RequestState, client: Client) -> Leave:
        """Say how a request ended that will not start this call."""
        id = state.id
        last = state.answers[-1] if state.answers else None
        if state.state == "rejected" and last:
            client.say(words.rejected(id, last.by, self.decision(last).reason))
            return Leave(REFUSED)
        if state.state == "asked" and last:
            client.say(words.asked(id, last.by, self.decision(last).question or ""))
            return Leave(PENDING)
        word = "used" if state.state in ("started", "finished", "lost") else state.state
        client.say(words.ended(id, word, state.why if state.state == "lapsed" else None))
        return Leave(PENDING)

    # ---- what people do -----------------------------------------------------------

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
            digests = {
                "decision_sha256": self.blobs.put(decision),
                "signature_sha256": self.blobs.put(signature),
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
                    on_history=self._on_history,
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
            self.ledger.append([_over(state, "cancelled", "withdrawn by its requester")])

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

    def kill(self, id: str, by: str) -> None:
        """Kill a running command on behalf of *by*; raise `NotFound` when it does not run."""
        with self.lock:
            client = self.running.get(id)
            if client is None:
                raise NotFound(f"{show_id(id)} is not running", hint="gatesh broker status")
            self.killers.setdefault(id, by)
        client.stop(words.killed(id, by))

    def stop(self, patience_s: float) -> None:
        """Start nothing more, kill what runs, and wait until its end is in the log."""
        with self.lock:
            self.closing = True
            running = dict(self.running)
            for id in running:
                self.killers.setdefault(id, STOP)
        for id, client in running.items():
            client.stop(words.killed(id, STOP))
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            with self.lock:
                if not any(True for _ in self.states.unfinished()):
                    return
            time.sleep(0.01)

    def expire(self) -> None:
        """Record what time alone has ended.  Called by the broker's timer."""
        with self.turn:
            now = self.clock()
            over = []
            with self.lock:
                still = list(self.states.open())
            for state in still:
                after = state.at(now).state
                if after != state.state:
                    over.append(_over(state, after, "time"))
            if over:
                self.ledger.append(over)

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

    def _on_history(self, size: int, root: bytes) -> bool:
        return size <= self.ledger.head.size and self.ledger.root_at(size) == root

    # ---- entries --------------------------------------------------------------------

    def _submitted(self, case: Case, id: str) -> dict[str, Any]:
        return submitted(case, id, self.blobs.put)

    def _started(self, case: Case, id: str, state: RequestState | None) -> dict[str, Any]:
        return {
            "type": "command.started",
            "id": id,
            "script_sha256": case.script_sha256,
            "request_sha256": state.request_sha256 if state else None,
            "decisions": list(state.decisions) if state else [],
            "rechecked": [*case.bound, "script"] if state else [],
        }


def _over(state: RequestState, how: str, why: str) -> dict[str, Any]:
    """Return the entry that ends a request without an answer: cancelled, expired or lapsed."""
    return {
        "type": f"request.{how}",
        "id": state.id,
        "revision": state.revision,
        "request_sha256": state.request_sha256,
        "why": why,
    }
