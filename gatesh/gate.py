"""The hall: what happens to one command, from the first byte to the last, in this order.

    judged → submitted → (held → decided → claimed) → started → runs → finished

Everything it touches outside is handed to it.  The order is the security
property: nothing starts before its entry is durable, nothing approved starts
without being looked at again, nothing leaves before its end is recorded.
`docs/life-of-a-command.md` tells the same story in prose.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from gatesh import approved, nested, realshell, words
from gatesh.approval.lifecycle import RequestState
from gatesh.call import Call, is_live
from gatesh.caller import SIGNAL, Client, Commands, Copy, Ending, Leave, Plan
from gatesh.case import Case, consider, submitted
from gatesh.docket import Docket, over
from gatesh.errors import GateshError, NotFound, Refused
from gatesh.holding import patience, sooner, who_can
from gatesh.ledger.rounds import LedgerFull
from gatesh.model import Mode, Verdict, new_id, show_id

REFUSED, PENDING, TROUBLE = 126, 75, 125
STOP = "gatesh broker stop"


class Gate:
    """Everything needed to handle calls.  Used by one thread per caller."""

    def __init__(self, docket: Docket, *, salt: bytes) -> None:
        self.docket = docket
        self.ledger = docket.ledger
        self.salt = salt
        self.lock = threading.Lock()  # guards what follows; nothing is called under it
        self.running: dict[str, Client] = {}
        self.killers: dict[str, str] = {}  # id of a running command → who has killed it
        self.judged: dict[int, tuple[str, Case]] = {}  # pid of a client → what it runs
        self.closing = False  # nothing starts any more

    # ---- one command ----------------------------------------------------------

    def handle(self, call: Call, client: Client) -> Leave:
        """Take *call* through the gate and return how its client is to leave.

        Raises `LedgerError` when something cannot be recorded; it then has not run,
        or was stopped.
        """
        if self.closing:
            raise GateshError("the broker is being stopped", hint="run it again")
        case = consider(call, self.docket.law(), self.salt)
        with self.lock:
            running = dict(self.judged)
        outer = nested.outer(call.lineage(), running) if running else None
        if trouble := realshell.trouble(case, outer):
            client.say(trouble[1])
            return Leave(trouble[0])
        if outer is not None:
            case = nested.within(case, outer)
        live = is_live(call, case.invocation)
        if case.invocation.mode is Mode.SESSION and call.command is None and not live:
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
        self.ledger.append([self._submitted(case, id), _started(case, id, None)])
        return self._run(case, id, client, None)

    def _refuse(self, case: Case, client: Client) -> Leave:
        id = new_id()
        self.ledger.append([self._submitted(case, id)])
        client.say(words.denied(id, case.judgement.findings))
        return Leave(REFUSED)

    def _run(self, case: Case, id: str, client: Client, copy: Copy | None) -> Leave:
        """Run what was judged, a script from its *copy*; `command.started` is durable already."""
        plan = Plan(
            id,
            os.fsencode(realshell.path(case)),
            (realshell.zero(case.call.argv[0]), *case.invocation.argv),
            case.script if case.invocation.mode is Mode.STDIN else None,
            copy=copy,
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
        except LedgerFull as full:  # that it ran still fits into the log
            ending = Ending(None, 0, 0, {}, f"it cannot be recorded: {full}")
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
        self,
        call: Call,
        text: bytes,
        earlier: bytes,
        client: Client,
        cwd: Callable[[], Mapping[str, Any]],
    ) -> Leave:
        """Take one command of a session through the gate."""
        return self.handle(replace(call, command=text, earlier=earlier, cwd=cwd), client)

    def _late(self, id: str, streams: Mapping[str, Any]) -> None:
        """Record what background children wrote after their shell had ended."""
        self.ledger.append([{"type": "command.output", "id": id, "streams": dict(streams)}])

    # ---- a command that needs approval ------------------------------------------

    def _hold(self, case: Case, client: Client) -> Leave:
        wait = patience(case)
        typed, hold, beat = wait.typed, wait.hold_s, wait.heartbeat_s
        with self.docket.turn:
            id = self.docket.join(case) or self.docket.open(case)
        who = who_can(case, self.docket.law())
        if self.docket.state(id).state != "asked":
            client.say(words.waiting(id, case.judgement.findings, who, hold))
        began, heard = time.monotonic(), 0
        deadline = None if hold is None else began + hold
        with self.docket.bells.held(id) as bell:
            while True:
                state = self.docket.state(id)
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
                woken = client.wait(bell, sooner(left, beat, state, self.docket.clock()))
                if not woken and beat and (left is None or beat < left):
                    client.say(words.still_waiting(id, time.monotonic() - began))

    def _claim(self, case: Case, id: str, client: Client) -> Leave:
        """Turn an approval into a run, once.  Looks at everything again first."""
        with self.docket.turn:
            law = self.docket.law()
            state = self.docket.state(id)
            if state.state != "approved":  # another call with the same bytes was quicker
                return self._explain(state, client)
            if client.gone() or self.closing:
                return Leave(PENDING)
            changed = case.changed(law, self.salt)
            if changed:
                why = "changed since it was asked: " + ", ".join(changed)
                self.ledger.append([over(state, "lapsed", why)])
            else:
                self.ledger.append([_started(case, id, state)])
                if state.override is not None:
                    client.say(words.overridden(id, state.override.by))
        if changed:
            client.say(words.changed(id, changed))
            return self.handle(case.call, client)
        return self._run(case, id, client, approved.copy(case))

    def _explain(self, state: RequestState, client: Client) -> Leave:
        """Say how a request ended that will not start this call."""
        id = state.id
        last = state.answers[-1] if state.answers else None
        if state.state == "rejected" and last:
            client.say(words.rejected(id, last.by, self.docket.decision(last).reason))
            return Leave(REFUSED)
        if state.state == "asked" and last:
            client.say(words.asked(id, last.by, self.docket.decision(last).question or ""))
            return Leave(PENDING)
        word = "used" if state.state in ("started", "finished", "lost") else state.state
        client.say(words.ended(id, word, state.why if state.state == "lapsed" else None))
        return Leave(PENDING)

    def kill(self, id: str, by: str) -> None:
        """Kill a running command on behalf of *by*; raise `NotFound` when it does not run."""
        with self.lock:
            client = self.running.get(id)
            if client is None:
                raise NotFound(f"{show_id(id)} is not running", hint="gatesh broker status")
            self.killers.setdefault(id, by)
        client.stop(words.killed(id, by))

    def rest(self) -> None:
        """Start nothing more; raise `Refused` while commands run, and go on."""
        with self.lock:
            if self.running:
                count = len(self.running)
                raise Refused(
                    f"{count} command{'s are' if count > 1 else ' is'} running",
                    why="running",
                    hint="wait for them, or kill them; see `gatesh broker status`",
                )
            self.closing = True

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
            with self.docket.lock:
                if not any(True for _ in self.docket.states.unfinished()):
                    return
            time.sleep(0.01)

    def _submitted(self, case: Case, id: str) -> dict[str, Any]:
        return submitted(case, id, self.docket.blobs.put)


def _started(case: Case, id: str, state: RequestState | None) -> dict[str, Any]:
    return {
        "type": "command.started",
        "id": id,
        "script_sha256": case.script_sha256,
        "request_sha256": state.request_sha256 if state else None,
        "decisions": list(state.decisions) if state else [],
        "rechecked": [*case.bound, "script"] if state else [],
    }
