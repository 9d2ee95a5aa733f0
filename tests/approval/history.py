"""Writes ledger entries as the broker would, good ones and bad ones, and folds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.lifecycle import RequestState
from gatesh.approval.roster import Roster
from gatesh.approval.state import States

from .world import HEX, NOON, key_of, request_bytes

ALICE, BOB, CAROL, DAVE, ERIN = (
    f"{name}@example.com" for name in ("alice", "bob", "carol", "dave", "erin")
)
SCRIPT = document.sha256(b"terraform apply")


def people() -> Roster:
    """Alice asks; bob is in both teams, carol and dave in one each, erin in none."""
    roster = Roster()
    teams = {BOB: ["sre", "security"], CAROL: ["sre"], DAVE: ["security"]}
    for name in (ALICE, BOB, CAROL, DAVE, ERIN):
        roster = roster.add(
            name,
            key=key_of(name).public,
            valid_after=NOON - timedelta(days=1),
            valid_before=NOON + timedelta(days=1),
            accounts=["alice"] if name == ALICE else [],
            teams=teams.get(name, []),
        )
    return roster


@dataclass
class History:
    """A ledger in memory whose clock stands at `now`.

    Example::

        history.open()
        history.decide(BOB, "approve")
        assert history.request.state == "approved"
    """

    need: dict[str, int] = field(default_factory=lambda: {"any": 1})
    now: datetime = NOON
    states: States = field(default_factory=States)
    blobs: dict[str, bytes] = field(default_factory=dict)
    roster: Roster = field(default_factory=people)
    entries: list[dict[str, Any]] = field(default_factory=list)
    id: str = "k7q2m9xd"
    glass: dict[str, int] = field(default_factory=dict)  # `break_glass`, where the rule has it

    def __post_init__(self) -> None:
        self.load_roster(self.roster)
        self.append("policy.loaded", policy_sha256=HEX, files=[])

    def append(self, type: str, **fields: Any) -> int:
        """Apply an entry; it stays in the history only if it was legal."""
        entry = {"v": 1, "n": len(self.entries), "t": document.stamp(self.now), "type": type}
        entry |= fields
        self.states.apply(entry, self.resolve)
        self.entries.append(entry)
        return len(self.entries) - 1

    def resolve(self, sha256: str) -> dict[str, Any]:
        return requests.read(self.blobs[sha256])

    def load_roster(self, roster: Roster) -> None:
        self.append(
            "roster.loaded",
            roster_sha256=roster.sha256,
            allowed_signers=roster.allowed_signers,
            people=roster.people_document(),
        )

    def submit(self, verdict: str, id: str | None = None, script_sha256: str = SCRIPT) -> None:
        fields = {"id": id or self.id, "verdict": verdict, "script_sha256": script_sha256}
        self.append("command.submitted", **fields)

    def blob(self, revision: int = 1, **changes: Any) -> str:
        data = request_bytes(
            **{
                "id": self.id,
                "revision": revision,
                "policy": {"roster": self.roster.sha256, "rules": HEX},
                "need": {"assurance": "key", "quorum": self.need, **self.glass},
                **changes,
            }
        )
        self.blobs[document.sha256(data)] = data
        return document.sha256(data)

    def open(self, **changes: Any) -> int:
        sha256 = self.blob(**changes)
        return self.append("request.opened", id=self.id, revision=1, request_sha256=sha256)

    def revise(self) -> int:
        revision = self.request.revision + 1
        fields = {"revision": revision, "request_sha256": self.blob(revision)}
        return self.append("request.revised", id=self.id, **fields)

    def decide(self, by: str, answer: str, **changes: Any) -> int:
        fields = {
            "id": self.id,
            "decision": answer,
            "by": by,
            "key": key_of(by).public.fingerprint,
            "assurance": "key",
            "request_sha256": self.request.request_sha256,
        }
        return self.append("decision.accepted", **{**fields, **changes})

    def override(self, by: str, **changes: Any) -> int:
        fields = {
            "id": self.id,
            "by": by,
            "key": key_of(by).public.fingerprint,
            "assurance": "key",
            "request_sha256": self.request.request_sha256,
            "override_sha256": HEX,
        }
        return self.append("override.accepted", **{**fields, **changes})

    def start(self, **changes: Any) -> int:
        request = self.states.get(self.id)
        fields = {
            "id": self.id,
            "script_sha256": SCRIPT,
            "request_sha256": request and request.request_sha256,
            "decisions": list(request.decisions) if request else [],
        }
        return self.append("command.started", **{**fields, **changes})

    def end(self, type: str, **fields: Any) -> int:
        return self.append(type, id=self.id, **fields)

    def passes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    @property
    def request(self) -> RequestState:
        found = self.states.get(self.id)
        assert found is not None
        return found

    @property
    def state(self) -> str:
        return self.request.at(self.now).state

    @property
    def may_start(self) -> bool:
        return self.states.may_start(self.id, self.now)
