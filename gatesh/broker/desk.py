"""What people's commands ask of the broker: one JSON question, one JSON answer.

Reading is free for whoever may connect; whatever changes something is either a
signed decision (and speaks for itself) or tied to the account that asks.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatesh import __version__, wire
from gatesh.approval import request as requests
from gatesh.approval.lifecycle import OPEN, RequestState
from gatesh.approval.proposal import LAW
from gatesh.broker import alone, overseeing
from gatesh.broker.alone import Alone
from gatesh.broker.proposals import Proposals
from gatesh.broker.surroundings import Peer, lineage
from gatesh.document import stamp
from gatesh.errors import GateshError, NotFound, Refused, UsageError
from gatesh.gate import Gate
from gatesh.model import read_id

MOST_ENTRIES = 10_000  # that one question may have read


ENDING = ("stop", "close-log")  # operations that the process does not outlive
SHOWN = 8 << 20  # bytes of files that are sent along with a request


class Desk:
    """Answers people.  Every method named after an operation returns its answer."""

    def __init__(
        self, gate: Gate, proposals: Proposals, stop: Callable[[], None], running: Path
    ) -> None:
        self.gate = gate
        self.proposals = proposals
        self.alone = Alone(gate.docket)
        self.docket = gate.docket
        self.running = running  # where the output of running commands is
        self.stop_server = stop
        self.facts: dict[str, Callable[[], Any]] = {}  # more that `status` tells
        self.operations: dict[str, Callable[[dict[str, Any], Peer], dict[str, Any]]] = {
            "status": self.status,
            "pending": self.pending,
            "request": self.request,
            "blob": self.blob,
            "head": self.head,
            "roster": self.roster,
            "law": self.law,
            "propose": self.propose,
            "restore": self.restore,
            "decide": self.decide,
            "cancel": self.cancel,
            "answer": self.answer,
            "wait": self.wait,
            "changes": self.changes,
            "output": self.output,
            "kill": self.kill,
            "arrived": self.arrived,
            "stop": self.stop,
        }

    def serve(self, sock: socket.socket, peer: Peer, body: bytes) -> None:
        """Answer the one question in *body*."""
        try:
            question = json.loads(body)
            if not isinstance(question, dict):
                raise UsageError("a question is a JSON object")
            operation = self.operations.get(str(question.get("op")))
            if operation is None:
                raise UsageError(
                    f"this broker ({__version__}) does not know {question.get('op')!r}",
                    hint="stop it with `gatesh broker stop`; the next command starts the new one",
                )
            answer = {"ok": True, **operation(question, peer)}
        except GateshError as error:
            answer = {
                "ok": False,
                "error": str(error),
                "hint": error.hint,
                "kind": type(error).__name__,
                "why": getattr(error, "why", None),
            }
        except (ValueError, TypeError, KeyError, RecursionError) as problem:
            answer = {"ok": False, "error": f"not a question: {problem!r}", "kind": "UsageError"}
        try:
            wire.send(sock, b"J", json.dumps(answer).encode())
        finally:
            if answer["ok"] and question.get("op") in ENDING:
                self.stop_server()  # not before: whoever asked would see a broken connection

    # ---- reading ----------------------------------------------------------------

    def status(self, _question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Who this broker is and what it is doing."""
        head = self.docket.ledger.head
        law = self.docket.law()
        with self.gate.lock:
            running = sorted(self.gate.running)
        return {
            **{name: tell() for name, tell in self.facts.items()},
            "version": __version__,
            "pid": os.getpid(),
            "inside": self.inside(peer),
            "origin": self.docket.origin,
            "size": head.size,
            "root": base64.b64encode(head.root).decode(),
            "running": running,
            "waiting": self.docket.bells.waiting(),
            "rules": len(law.policy.rules),
            "rules_broken": law.policy.problems,
            "edits": self._edits(),
            "unreviewed": self.alone.unreviewed(),
            "people": sorted(law.roster.people),
            "threads": threading.active_count(),
            "descriptors": len(os.listdir("/proc/self/fd")),
        }

    def pending(self, _question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """Every request that somebody can still answer, oldest first."""
        now = self.docket.clock()
        with self.docket.lock:
            states = list(self.docket.states.open())
        found = [s.at(now) for s in states]
        waiting = [self._summary(s) for s in found if s.state in OPEN]
        return {
            "pending": waiting,
            "edits": self._edits(),
            "unreviewed": self.alone.unreviewed(),
        }

    def _edits(self) -> list[dict[str, Any]]:
        """Return what files say of the law that nobody has approved."""
        self.docket.law()
        return [edit.as_document() for edit in self.proposals.book.edits]

    def _summary(self, state: RequestState) -> dict[str, Any]:
        asked = state.document or self.docket.request(state.request_sha256)
        return {
            "id": state.id,
            "state": state.state,
            "revision": state.revision,
            "script": asked["script"],
            "script_sha256": asked["script_sha256"],
            "mode": asked["invocation"]["mode"],
            "inner": asked["inner"],
            "cwd": asked["cwd"]["path"],
            "host": asked["host"],
            "requester": asked["requester"],
            "findings": asked["findings"],
            "system": asked["system"],
            "need": asked["need"],
            "missing": state.missing(self.docket.law().roster),
            "opened": asked["opened"],
            "approve_by": asked["approve_by"],
            "approved_by": [answer.by for answer in state.approvals],
            "overridden_by": state.override.by if state.override else None,
            "waiting": self.docket.bells.waiting().get(state.id, 0),
        }

    def request(self, question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """One request: its document, byte for byte, and what became of it."""
        state = self.docket.state(_id(question))
        document = self.docket.blobs.get(state.request_sha256)
        answers = []
        for answer in state.answers:
            found = self.docket.decision(answer)
            answers.append(
                {
                    "by": found.by,
                    "decision": found.decision,
                    "reason": found.reason,
                    "question": found.question,
                    "at": stamp(found.at),
                    "revision": answer.revision,
                }
            )
        answers += self.alone.answers(state)
        script = self.docket.request(state.request_sha256)["script_sha256"]
        return {
            "request": document.decode("ascii"),
            "script": _b64(self.docket.blobs.get(script)),
            "files": self._contents(document),
            "answers": answers,
            "earlier": [self.docket.blobs.get(old).decode("ascii") for old in state.earlier],
            **{k: v for k, v in self._summary(state).items() if k != "script"},
        }

    def _contents(self, document: bytes) -> dict[str, str]:
        """Return the files that are read as code, as they were when asked, by digest."""
        found: dict[str, str] = {}
        left = SHOWN
        for file in requests.read(document)["files"]:
            try:
                if 0 < file["size"] <= left:
                    found[file["sha256"]] = _b64(self.docket.blobs.get(file["sha256"]))
                    left -= file["size"]
            except NotFound:
                continue  # a program: known by its digest alone
        return found

    def blob(self, question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """The bytes with this SHA-256."""
        return {"data": _b64(self.docket.blobs.get(str(question["sha256"])))}

    def head(self, question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """The newest checkpoint, and proof that it continues the one the asker remembers."""
        checkpoint, size, vkey = self.docket.ledger.signed_head()
        since = int(question.get("since") or 0)
        proof = self.docket.ledger.consistency(since, size) if 0 < since <= size else []
        return {
            "checkpoint": checkpoint.decode(),
            "vkey": vkey,
            "size": size,
            "proof": [_b64(step) for step in proof],
        }

    def roster(self, _question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """Who may answer, and with which keys."""
        return {"roster": self.docket.law().roster.document()}

    def law(self, _question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """The documents of the law in force, and whether it changes only with a signature."""
        book = self.proposals.book
        documents = {kind: book.document(kind).decode("ascii") for kind in LAW}
        return {"documents": documents, "settled": book.standing.settled, "edits": self._edits()}

    def wait(self, question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """The state of a request; the asker asks again until it changes."""
        state = self.docket.state(_id(question))
        return self._summary(state)

    def arrived(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Whether the asking account has submitted one of these scripts since that entry."""
        size = self.docket.ledger.head.size
        start = max(int(question["since"]), size - MOST_ENTRIES)
        return {
            "arrived": any(
                entry["type"] == "command.submitted"
                and entry["script_sha256"] in question["scripts"]
                and entry["requester"]["uid"] == peer.uid
                for entry in self.docket.ledger.entries(max(0, start))
            )
        }

    def changes(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """What waits and what runs, once anything is another than at version `seen`."""
        seen, seconds = int(question.get("seen") or 0), float(question.get("seconds") or 0)
        version = overseeing.await_change(self.docket, seen, seconds)
        with self.gate.lock:
            running = sorted(self.gate.running)
        return {"version": version, "running": running, **self.pending(question, peer)}

    def output(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """What a running command prints, for those who have approved it."""
        id = _id(question)
        overseeing.overseer(self.docket, id, peer)
        at, seconds = dict(question.get("at") or {}), float(question.get("seconds") or 0)
        return overseeing.output(self.docket, self.running, id, at, seconds)

    # ---- changing ---------------------------------------------------------------

    def decide(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Take a signed decision to the gate."""
        if self.inside(peer):
            raise Refused(
                "a decision cannot be given from inside a gated command",
                why="inside-gate",
                hint="use a terminal of your own",
            )
        signed, signature = (question[name].encode("ascii") for name in ("decision", "signature"))
        if (kind := alone.kind_of(signed)) is not None:
            take = self.alone.override if kind == "override" else self.alone.review
            id, by = take(signed, signature)
            return {**self._summary(self.docket.state(id)), "decision": kind, "by": by}
        accepted = self.docket.decide(signed, signature)
        if accepted.decision == "approve":
            self.proposals.settle({accepted.id})  # what is approved of the broker itself is done
        state = self.docket.state(accepted.id)
        return {**self._summary(state), "decision": accepted.decision, "by": accepted.by}

    def propose(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Ask for a change of the law, or another act of the broker; in first use do it.

        Without a `change`, ask for what the files on disk say.
        """
        kind, base = str(question["kind"]), question.get("base")
        change, book = question.get("change"), self.proposals.book
        if change is None:
            change = book.proposed(kind)
        if kind in LAW and not book.standing.settled:
            self._first_use(peer)
            return {"applied": True, "settled": self.proposals.adopt(kind, change, base)}
        id = self.proposals.propose(kind, change, base, peer)
        return {"applied": False, **self._summary(self.docket.state(id))}

    def _first_use(self, peer: Peer) -> None:
        """Raise `Refused` unless *peer* may say alone what the law is."""
        if peer.uid not in (0, os.geteuid()):
            raise Refused("only the broker's own account may set it up", why="not-yours")
        if self.inside(peer):
            raise Refused(
                "nothing is trusted on first use from inside a gated command",
                why="inside-gate",
                hint="use a terminal of your own",
            )

    def restore(self, _question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Put what is in force back into files that say something else."""
        if peer.uid not in (0, os.geteuid()):
            raise Refused("only the broker's own account may do that", why="not-yours")
        return {"restored": self.proposals.book.undo()}

    def inside(self, peer: Peer) -> bool:
        """Tell whether the asker descends from a command that runs through the gate."""
        with self.gate.lock:
            gated = {client.pid for client in self.gate.running.values()}
        return any(pid in gated for pid, _ in lineage(peer.pid))

    def cancel(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Withdraw a request of the asking account."""
        id = _id(question)
        self.docket.cancel(id, peer.uid)
        return self._summary(self.docket.state(id))

    def answer(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Answer what was asked about a request of the asking account."""
        id = _id(question)
        self.docket.answer(id, peer.uid, str(question.get("text", "")))
        return self._summary(self.docket.state(id))

    def kill(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Kill a running command, for those who have approved it."""
        id = _id(question)
        by = overseeing.overseer(self.docket, id, peer)
        self.gate.kill(id, by)
        return {"id": id, "by": by}

    def stop(self, question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """End this process; refused while commands run, unless forced."""
        if peer.uid not in (0, os.geteuid()):
            raise Refused("only the broker's own account may stop it", why="not-yours")
        with self.gate.lock:
            running = len(self.gate.running)
        if running and not question.get("force"):
            raise Refused(
                f"{running} command{'s are' if running > 1 else ' is'} running",
                why="running",
                hint="wait for them, or kill them with `gatesh broker stop --force`",
            )
        return {"pid": os.getpid()}  # `serve` stops the server once this is said


def _id(question: dict[str, Any]) -> str:
    id = read_id(str(question.get("id", "")))
    if id is None:
        raise NotFound(
            "that is not a request id: they look like k7q2-m9xd",
            hint="list what waits with `gatesh pending`",
        )
    return id


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
