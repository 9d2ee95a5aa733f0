"""Approvers without their terminals: they sign in this process, and the broker cannot tell."""

from __future__ import annotations

import base64
import datetime
from typing import Any

from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.document import sha256
from gatesh.keys import opensshkey, sshsig
from tests.world import World


def signed(
    world: World, id: str, word: str = "approve", by: str = "bob", key: Any = None, **changed: Any
) -> tuple[str, str]:
    """Return decision and signature, as `gatesh approve` would send them."""
    asked = world.question("request", id=id)
    checkpoint = world.question("head")["checkpoint"].split("\n")
    fields = {
        "decision": word,
        "by": f"{by}@example.com",
        "request": asked["id"],
        "request_sha256": sha256(asked["request"].encode()),
        "at": datetime.datetime.now(datetime.timezone.utc),
        "log": LogHead(checkpoint[0], int(checkpoint[1]), base64.b64decode(checkpoint[2])),
        "question": "which workspace?" if word == "ask" else None,
        **changed,
    }
    data = Decision(**fields).write()
    key = key or opensshkey.parse(world.key(by).read_bytes())
    signature = sshsig.sign(data, namespace=NAMESPACE, key=key.public, sign=key.sign)
    return data.decode(), signature.decode()


def submit(world: World, decision: str, signature: str) -> dict[str, Any]:
    """Carry an answer to the broker."""
    return world.question("decide", decision=decision, signature=signature)


def decide(world: World, id: str, word: str = "approve", by: str = "bob") -> dict[str, Any]:
    """Have *by* answer; fail when the broker does not take it."""
    answer = submit(world, *signed(world, id, word, by))
    assert answer["ok"], answer
    return answer
