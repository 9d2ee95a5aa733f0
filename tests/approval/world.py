"""A small world: people with keys, a request, a ledger that remembers its roots."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from nacl.signing import SigningKey

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.check import Accepted, check
from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.approval.roster import Roster
from gatesh.keys import sshsig
from gatesh.keys.opensshkey import PrivateKey
from gatesh.keys.publickey import SK_ED25519, PublicKey
from gatesh.keys.sshwire import string, u32
from gatesh.model import Invocation, Mode

NOON = datetime(2030, 1, 2, 12, 0, tzinfo=timezone.utc)
ORIGIN = "build7/gatesh/0123abcd"
HEX = "ab" * 32


def seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def key_of(name: str) -> PrivateKey:
    return PrivateKey.from_seed(seed(name))


@dataclass(frozen=True)
class SecurityKey:
    """An emulated `sk-` key with somebody's finger on it."""

    name: str
    flags: int = 1

    @property
    def public(self) -> PublicKey:
        return PublicKey(SK_ED25519, bytes(SigningKey(seed(self.name)).verify_key), "ssh:")

    def sign(self, data: bytes) -> bytes:
        tail = bytes([self.flags]) + u32(1)
        signed = hashlib.sha256(b"ssh:").digest() + tail + hashlib.sha256(data).digest()
        signature = SigningKey(seed(self.name)).sign(signed).signature
        return string(SK_ED25519.encode()) + string(signature) + tail


def root(size: int) -> bytes:
    return hashlib.sha256(b"root %d" % size).digest()


def request_bytes(**changes: Any) -> bytes:
    """A request by alice for `terraform apply`, with any field changed."""
    script = changes.pop("script", b"terraform apply")
    fields: dict[str, Any] = {
        "id": "k7q2m9xd",
        "revision": 1,
        "opened": NOON,
        "approve_by": NOON + timedelta(minutes=15),
        "run_within_s": 300,
        "nonce": bytes(16),
        "host": "build7",
        "boot_id": "b",
        "origin": ORIGIN,
        "requester": {
            "uid": 1000,
            "gid": 1000,
            "user": "alice",
            "person": "alice@example.com",
            "agent": None,
            "session": 1,
            "ancestry": [[77, "/usr/bin/node"]],
        },
        "script": script,
        "invocation": requests.invocation_document(
            Invocation("bash", (b"-c", script), Mode.COMMAND, script=script)
        ),
        "cwd": requests.cwd_document(b"/srv/app", 2049, 77),
        "env": requests.env_document({b"AWS_PROFILE": b"prod"}, b"s" * 16),
        "files": [],
        "stdin": {"kind": "null"},
        "policy": {"roster": HEX, "rules": HEX},
        "need": {"assurance": "key", "quorum": {"any": 1}},
    }
    return requests.build(**{**fields, **changes})


@dataclass
class World:
    """Plays the approvers and the broker's side of a check.

    Example::

        world.decide("bob@example.com", "approve").by == "bob@example.com"
    """

    roster: Roster = field(default_factory=Roster)
    request: bytes = field(default_factory=request_bytes)
    now: datetime = NOON + timedelta(minutes=5)
    log_size: int = 40
    revision: int = 1
    requester: dict[str, Any] = field(default_factory=lambda: {"user": "alice", "person": None})
    earlier: tuple[str, ...] = ()

    def person(self, name: str, key: PublicKey | None = None, **fields: Any) -> None:
        self.roster = self.roster.add(
            name,
            key=key or key_of(name).public,
            valid_after=NOON - timedelta(days=30),
            valid_before=NOON + timedelta(days=300),
            **fields,
        )

    def decision(self, by: str, answer: str = "approve", **changes: Any) -> bytes:
        fields: dict[str, Any] = {
            "decision": answer,
            "by": by,
            "request": "k7q2m9xd",
            "request_sha256": document.sha256(self.request),
            "at": self.now,
            "log": LogHead(ORIGIN, 12, root(12)),
        }
        if answer == "ask":
            fields["question"] = "which workspace?"
        return Decision(**{**fields, **changes}).write()

    def sign(self, data: bytes, key: PrivateKey | SecurityKey, namespace: str = NAMESPACE) -> bytes:
        return sshsig.sign(data, namespace=namespace, key=key.public, sign=key.sign)

    def check(self, decision: bytes, signature: bytes) -> Accepted:
        return check(
            decision,
            signature,
            request=self.request,
            revision=self.revision,
            roster=self.roster,
            requester=self.requester,
            origin=ORIGIN,
            on_history=lambda size, found: found == root(size),
            now=self.now,
            log_size=self.log_size,
            earlier=self.earlier,
        )

    def decide(
        self, by: str, answer: str = "approve", *, key: Any = None, **changes: Any
    ) -> Accepted:
        data = self.decision(by, answer, **changes)
        return self.check(data, self.sign(data, key or key_of(by)))
