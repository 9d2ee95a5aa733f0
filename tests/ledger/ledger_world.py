"""A house with a real log in it: real keys, real signatures, real files, a clock that can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.check import check
from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.approval.quorum import is_met
from gatesh.approval.roster import Roster
from gatesh.keys import sshsig
from gatesh.keys.opensshkey import PrivateKey
from gatesh.ledger import succession
from gatesh.ledger.audit import Report, audit
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.checks import Checks
from gatesh.ledger.merkle import Head
from gatesh.ledger.note import Key
from gatesh.ledger.store import Ledger
from gatesh.model import Invocation, Mode

NOON = datetime(2030, 1, 2, 12, 0, tzinfo=timezone.utc)
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
REQUESTER = {
    "uid": 1000,
    "gid": 1000,
    "user": "alice",
    "person": ALICE,
    "agent": None,
    "session": 1,
    "ancestry": [],
}
RULES = "ab" * 32


def ssh_key(name: str) -> PrivateKey:
    return PrivateKey.from_seed(bytes.fromhex(document.sha256(name.encode())))


def log_key(name: str) -> tuple[SigningKey, Key]:
    signing = SigningKey(bytes.fromhex(document.sha256(name.encode())))
    public = bytes(signing.verify_key)
    return signing, Key(f"{name}/gatesh/{document.sha256(public)[:8]}", public)


def roster(now: datetime = NOON) -> Roster:
    found = Roster()
    for person, accounts in ((ALICE, ["alice"]), (BOB, ["bob"]), (CAROL, [])):
        found = found.add(
            person,
            accounts=accounts,
            key=ssh_key(person).public,
            valid_after=now - timedelta(days=30),
            valid_before=now + timedelta(days=300),
        )
    return found


def _verify(decision: bytes, signature: bytes, *, roster: Mapping[str, Any], **rest: Any) -> Any:
    return check(decision, signature, roster=Roster.from_document(roster), **rest)


CHECKS = Checks(
    _verify, lambda quorum, people, entry: is_met(quorum, people, Roster.from_document(entry))
)


@dataclass
class House:
    """The state directory of one machine, and everybody who acts on it.

    Example::

        house.live()
        assert house.audit().ok
    """

    state: Path
    name: str = "build7"
    now: datetime = NOON
    roster: Roster = field(default_factory=roster)

    def __post_init__(self) -> None:
        self.signing, self.key = log_key(self.name)
        self.state.mkdir(exist_ok=True, mode=0o700)
        self.blobs = Blobs(self.state / "blobs")

    @property
    def directory(self) -> Path:
        return self.state / "ledger"

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def sign(self, data: bytes) -> bytes:
        return self.signing.sign(data).signature

    def open(self, **changes: Any) -> Ledger:
        given = {
            "origin": self.key.name,
            "vkey": str(self.key),
            "sign": self.sign,
            "clock": self.clock,
        }
        if succession.past(self.state) and not succession.begun(self.state):
            ending = succession.ending(succession.past(self.state)[-1])
            given |= {"predecessor": ending.predecessor(), "inherited": ending.inherited()}
        return Ledger.open(self.directory, **{**given, **changes})

    def hand_on(self, name: str = "build8") -> House:
        """Finish the log and put it away; return the house that goes on, with the next key."""
        heir = House(self.state, name, self.now, self.roster)
        with self.open() as ledger:
            ledger.append([{"type": "broker.stopped", "version": "0", "boot_id": "b", "pid": 7}])
            ledger.close(self.closed(heir))
        succession.put_away(self.state)
        heir.now = self.now
        return heir

    def closed(self, heir: House) -> dict[str, Any]:
        """The entry that finishes this house's log in favour of *heir*'s."""
        successor = {"origin": heir.key.name, "vkey": str(heir.key)}
        ours = {"origin": self.key.name, "vkey": str(self.key)}
        return {"type": "ledger.closed", **ours, "successor": successor}

    def audit(
        self, *heads: Head, checks: Checks | None = CHECKS, vkey: str | None = None
    ) -> Report:
        return audit(self.state, vkey=vkey or str(self.key), known_heads=heads, checks=checks)

    def codes(self, *heads: Head) -> set[str]:
        """The codes of every error and warning."""
        return {f.code for f in self.audit(*heads).findings if f.severity != "info"}

    # ---- entries ----

    def beginning(self, clean: bool = True) -> list[dict[str, Any]]:
        return [
            {"type": "broker.started", "version": "0", "boot_id": "b", "pid": 7, "clean": clean},
            {"type": "policy.loaded", "policy_sha256": RULES, "files": []},
            {"type": "roster.loaded", "roster_sha256": self.roster.sha256, **self._roster()},
        ]

    def _roster(self) -> dict[str, Any]:
        found = self.roster.document()
        return {"allowed_signers": found["allowed_signers"], "people": found["people"]}

    def submitted(self, id: str, script: bytes, verdict: str = "allow") -> dict[str, Any]:
        return {
            "type": "command.submitted",
            "id": id,
            "script": script.decode(),
            "script_sha256": document.sha256(script),
            "cwd": "/srv/app",
            "requester": REQUESTER,
            "verdict": verdict,
            "findings": [],
            "policy_sha256": RULES,
            "roster_sha256": self.roster.sha256,
        }

    def started(
        self, id: str, script: bytes, *decisions: int, request: str | None = None
    ) -> dict[str, Any]:
        return {
            "type": "command.started",
            "id": id,
            "script_sha256": document.sha256(script),
            "request_sha256": request,
            "decisions": list(decisions),
        }

    def finished(self, id: str, output: bytes = b"") -> dict[str, Any]:
        streams = {}
        if output:
            timing = b'[0.1,"o",%d]\n' % len(output)
            for stream, data in (("stdout", output), ("timing", timing)):
                streams[stream] = {
                    "bytes": len(data),
                    "sha256": self.blobs.put(data),
                    "kept": "all",
                }
        return {"type": "command.finished", "id": id, "exit": 0, "seconds": 0.5, "streams": streams}

    def request(self, id: str, script: bytes, revision: int = 1, **changes: Any) -> bytes:
        fields: dict[str, Any] = {
            "opened": self.now,
            "approve_by": self.now + timedelta(minutes=15),
            "run_within_s": 300,
            "requester": REQUESTER,
            "need": {"assurance": "key", "quorum": {"any": 1}},
            "files": [],
            "invocation": requests.invocation_document(
                Invocation("bash", (b"-c", script), Mode.COMMAND, script=script)
            ),
        }
        return requests.build(
            id=id,
            revision=revision,
            nonce=bytes(16),
            host="build7",
            boot_id="b",
            origin=self.key.name,
            script=script,
            cwd=requests.cwd_document(b"/srv/app", 2049, 77),
            env={},
            stdin={"kind": "null"},
            policy={"roster": self.roster.sha256, "rules": RULES},
            **{**fields, **changes},
        )

    def opened(self, request: bytes) -> dict[str, Any]:
        asked = document.read(request)
        return {
            "type": "request.opened",
            "id": asked["id"],
            "revision": asked["revision"],
            "request_sha256": self.blobs.put(request),
        }

    def decided(
        self, request: bytes, by: str, head: Head, answer: str = "approve", **changes: Any
    ) -> dict[str, Any]:
        """Have *by* sign an answer, and return the entry that accepts it."""
        asked = document.read(request)
        fields: dict[str, Any] = {
            "decision": answer,
            "by": by,
            "request": asked["id"],
            "request_sha256": document.sha256(request),
            "at": self.now,
            "log": LogHead(self.key.name, head.size, head.root),
        }
        if answer == "ask":
            fields["question"] = "why now?"
        decision = Decision(**{**fields, **changes}).write()
        key = ssh_key(by)
        signature = sshsig.sign(decision, namespace=NAMESPACE, key=key.public, sign=key.sign)
        return {
            "type": "decision.accepted",
            "id": asked["id"],
            "decision": answer,
            "by": by,
            "key": key.public.fingerprint,
            "assurance": "key",
            "decision_sha256": self.blobs.put(decision),
            "signature_sha256": self.blobs.put(signature),
            "request_sha256": document.sha256(request),
        }

    # ---- stories ----

    def approved_run(self, ledger: Ledger, id: str, by: str = BOB, **changes: Any) -> None:
        """One command that needs approval, gets it, runs and finishes."""
        script = b"terraform apply"
        request = self.request(id, script, **changes)
        ledger.append([self.submitted(id, script, "approve"), self.opened(request)])
        answer = ledger.append([self.decided(request, by, ledger.head)])[0]["n"]
        claim = self.started(id, script, answer, request=document.sha256(request))
        ledger.append([claim])
        ledger.append([self.finished(id, b"Apply complete!\n")])

    def live(self) -> Head:
        """A morning: an ordinary command, a denied one, an approved one; return the last head."""
        with self.open() as ledger:
            ledger.append(self.beginning())
            ledger.append([self.submitted("aaaaaaaa", b"ls"), self.started("aaaaaaaa", b"ls")])
            ledger.append([self.finished("aaaaaaaa", b"README\n")])
            ledger.append([self.submitted("bbbbbbbb", b"rm -rf /", "deny")])
            self.approved_run(ledger, "cccccccc")
            ledger.append([self.submitted("dddddddd", b"date"), self.started("dddddddd", b"date")])
            ledger.append([self.finished("dddddddd", b"Wed\n")])
            ledger.append([{"type": "heartbeat"}])
            return ledger.head
