"""Answers that do not count, each refused with its own word in the log."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from tests.world import run


@pytest.fixture
def asked(world):
    """A request that waits, and the world around it."""
    world.set_up("alice@example.com", "bob")
    asking = world.start("-c", "guarded")
    id = world.waiting()
    yield world, id
    asking.process.kill()


def word(world) -> str:
    return world.entries("decision.refused")[-1]["why"]


def forge(world, id, key="bob", namespace="decision.v1@gatesh", **changed):
    """Sign a decision with stock ssh-keygen, with some fields not as they should be."""
    asked = world.question("request", id=id)["request"].encode()
    checkpoint = (world.state / "ledger" / "checkpoint").read_text().split("\n")
    decision = {
        "at": "2030-01-02T03:05:00Z",
        "by": f"{key}@example.com",
        "decision": "approve",
        "log": {"origin": checkpoint[0], "root": checkpoint[2], "size": int(checkpoint[1])},
        "request": id,
        "request_sha256": sha256(asked).hexdigest(),
        "type": "gatesh/decision/v1",
    }
    decision["at"] = json.loads(asked)["opened"]
    decision.update(changed)
    data = json.dumps(decision, sort_keys=True, separators=(",", ":")).encode()
    signature = run("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(world.key(key)),
                    input=data).stdout  # fmt: skip
    return data, signature


def submit(world, data: bytes, signature: bytes) -> dict:
    """Carry an answer to the broker as any courier may."""
    return world.question("decide", decision=data.decode(), signature=signature.decode())


def test_a_decision_made_with_ssh_keygen_alone_is_accepted(asked):
    """
    The signature is what counts, not the program that made it.
    """
    world, id = asked

    assert submit(world, *forge(world, id))["state"] == "approved"


def test_nobody_approves_what_they_asked_for(asked):
    """
    Self-approval is refused by person and account before anything is signed …
    """
    world, id = asked
    world.enrol("alice")
    world.gatesh("-c", "true")

    done = world.approve(id, "alice")

    assert done.status == 126
    assert "the person is the human behind the request" in done.words


def test_self_approval_is_refused_by_the_broker_too(asked):
    """
    … and by the broker, whatever program signed.
    """
    world, id = asked
    world.enrol("alice")
    world.gatesh("-c", "true")

    answer = submit(world, *forge(world, id, key="alice"))

    assert answer["why"] == "self-person"
    assert word(world) == "self-person"


def test_a_key_nobody_enrolled(asked):
    world, id = asked

    done = world.approve(id, "mallory")

    assert done.status == 126 and "nobody's in the roster" in done.words
    assert submit(world, *forge(world, id, key="mallory"))["why"] == "key-unknown"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"by": "carol@example.com"}, "key-not-yours"),
        ({"request_sha256": "0" * 64}, "digest-other"),
        ({"at": "2001-01-01T00:00:00Z"}, "key-not-valid"),
        ({"log": {"origin": "elsewhere/gatesh/00000000", "root": "A" * 43 + "=", "size": 1}},
         "log-other"),
    ],
    ids=["another's name", "another request's digest", "a date before the key", "another log"],
)  # fmt: skip
def test_a_decision_that_says_something_else(asked, changed, why):
    world, id = asked

    assert submit(world, *forge(world, id, **changed))["why"] == why
    assert word(world) == why


def test_a_decision_that_was_edited_after_signing(asked):
    world, id = asked
    data, signature = forge(world, id, decision="reject")

    answer = submit(world, data.replace(b'"reject"', b'"approve"'), signature)

    assert answer["why"] == "signature-wrong"


def test_a_signature_made_for_another_use_of_the_key(asked):
    world, id = asked

    assert submit(world, *forge(world, id, namespace="git"))["why"] == "namespace-wrong"


def test_a_decision_for_a_request_nobody_made(asked):
    world, id = asked

    assert "there is no request" in submit(world, *forge(world, id, request="00000000"))["error"]


def test_an_answer_given_twice_counts_once(asked):
    world, id = asked
    answer = forge(world, id)

    assert submit(world, *answer)["state"] == "approved"
    assert "error" in submit(world, *answer)


def test_approving_without_a_terminal_needs_yes(asked):
    world, id = asked

    done = world.gatesh("approve", id, "--key", str(world.key("bob")))

    assert done.status == 2
    assert "--yes" in done.words
