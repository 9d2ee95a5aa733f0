"""What a decision must survive before it counts. One test or row for each word in the table."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gatesh import document
from gatesh.approval.check import WHY, authenticate, bind, not_self
from gatesh.approval.decision import LogHead
from gatesh.approval.roster import Person, Roster
from gatesh.errors import Refused
from gatesh.keys import sshsig

from .world import NOON, SecurityKey, key_of, request_bytes, root

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
VECTORS = Path(__file__).parents[1] / "vectors" / "decision"
SIGNATURES = Path(__file__).parents[1] / "keys"
ORIGIN = "build7/gatesh/0123abcd"


@pytest.fixture
def refused(world):
    """Decide, expect a refusal, return its word."""

    def word(*args, **changes) -> str:
        with pytest.raises(Refused) as caught:
            world.decide(*args, **changes)
        assert caught.value.why in WHY
        assert str(caught.value).startswith(WHY[caught.value.why])
        return caught.value.why

    return word


# ---- vectors made by ssh-keygen --------------------------------------------


def judge(name: str) -> str:
    """Judge a vector as `check` does, as far as its short request goes."""
    roster = Roster((VECTORS / "allowed_signers").read_text(), {p: Person(p) for p in (BOB, CAROL)})
    request = (VECTORS / "request.json").read_bytes()
    try:
        signed = authenticate(
            (VECTORS / f"{name}.json").read_bytes(),
            (VECTORS / f"{name}.json.sig").read_bytes(),
            roster,
        )
        bind(signed.decision, id="k7q2m9xd", request_sha256=document.sha256(request))
    except Refused as error:
        return error.why
    return signed.decision.decision


# fmt: off
JUDGED = {
    "good":                  "approve",
    "reject":                "reject",
    "edited-after-signing":  "signature-wrong",
    "wrong-namespace":       "namespace-wrong",
    "not-the-named-person":  "key-not-yours",
    "after-key-expiry":      "key-not-valid",
    "other-request":         "digest-other",
}
# fmt: on


@pytest.mark.parametrize(("name", "outcome"), JUDGED.items(), ids=JUDGED.keys())
def test_vector(name, outcome):
    assert judge(name) == outcome


def test_no_vector_is_left_out():
    assert {path.name.removesuffix(".json.sig") for path in VECTORS.glob("*.sig")} == set(JUDGED)


# ---- what is accepted ------------------------------------------------------


def test_a_second_persons_approval_counts_and_names_what_it_rests_on(world):
    accepted = world.decide(BOB, reason="change 4711")

    assert (accepted.by, accepted.decision, accepted.assurance) == (BOB, "approve", "key")
    assert accepted.key == key_of(BOB).public.fingerprint
    assert accepted.reason == "change 4711"
    assert (accepted.size, accepted.root) == (12, root(12))
    assert accepted.as_document() == {
        "id": "k7q2m9xd",
        "decision": "approve",
        "by": BOB,
        "key": key_of(BOB).public.fingerprint,
        "assurance": "key",
        "request_sha256": document.sha256(world.request),
    }


@pytest.mark.parametrize("answer", ["approve", "reject", "ask", "revoke"])
def test_every_answer_can_be_given(world, answer):
    assert world.decide(BOB, answer).decision == answer


def test_stock_ssh_keygen_accepts_every_decision_that_gatesh_accepts(world, tmp_path):
    """
    The roster's own text is what the auditor hands to ssh-keygen.
    """
    data = world.decision(BOB)
    signature = world.sign(data, key_of(BOB))
    world.check(data, signature)
    (tmp_path / "allowed_signers").write_text(world.roster.allowed_signers)
    (tmp_path / "sig").write_bytes(signature)

    done = subprocess.run(
        [
            *("ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed_signers", "-I", BOB),
            *("-n", "decision.v1@gatesh", "-O", "verify-time=20300102120500Z"),
            *("-s", tmp_path / "sig"),
        ],
        input=data,
        capture_output=True,
    )

    assert done.returncode == 0, done.stderr


def test_a_touched_security_key_counts_as_presence(world):
    touched = SecurityKey("bob's token")
    world.person(BOB, key=touched.public)
    world.request = request_bytes(need={"assurance": "presence", "quorum": {"any": 1}})

    assert world.decide(BOB, key=touched).assurance == "presence"


@pytest.mark.parametrize("seconds", [0, 15 * 60], ids=["at once", "in the last second"])
def test_the_window_for_answers_includes_both_its_ends(world, seconds):
    world.now = NOON + timedelta(seconds=seconds)

    assert world.decide(BOB).by == BOB


def test_a_revocation_is_possible_until_the_last_moment_of_a_claim(world):
    """
    Approved in the 15th minute, it may start five minutes later: until then bob can stop it.
    """
    world.now = NOON + timedelta(minutes=20)

    assert world.decide(BOB, "revoke").decision == "revoke"


# ---- what is refused, each for its own reason ------------------------------


def test_a_signature_by_nobody_on_the_roster(refused):
    assert refused(BOB, key=key_of("mallory")) == "key-unknown"


def test_a_signature_in_somebody_elses_name(refused):
    assert refused(BOB, key=key_of(CAROL)) == "key-not-yours"


@pytest.mark.parametrize("days", [-31, 301], ids=["before", "after"])
def test_a_key_outside_its_period(world, refused, days):
    """
    The key's period is held against the date in the decision, as ssh-keygen does.
    """
    assert refused(BOB, at=NOON + timedelta(days=days)) == "key-not-valid"


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"gatesh/decision/v1"}', b"\xff", b"[]"])
def test_a_signed_text_that_is_no_decision(world, data):
    with pytest.raises(Refused) as caught:
        world.check(data, world.sign(data, key_of(BOB)))

    assert caught.value.why == "decision-malformed"


def test_a_decision_in_other_than_canonical_form(world):
    data = world.decision(BOB).replace(b'","by"', b'", "by"')

    with pytest.raises(Refused) as caught:
        world.check(data, world.sign(data, key_of(BOB)))

    assert caught.value.why == "decision-malformed"


def test_a_decision_signed_for_another_purpose(world):
    data = world.decision(BOB)

    with pytest.raises(Refused) as caught:
        world.check(data, world.sign(data, key_of(BOB), namespace="git"))

    assert caught.value.why == "namespace-wrong"


def test_the_signature_is_checked_before_the_document_is_read(world):
    """
    A parser that runs on unsigned bytes is a target for everybody.
    """
    with pytest.raises(Refused) as caught:
        world.check(b"not json", world.sign(world.decision(BOB), key_of(BOB)))

    assert caught.value.why == "signature-wrong"


def test_a_decision_for_another_id(refused):
    assert refused(BOB, request="00000000") == "request-other"


def test_a_decision_for_other_bytes(refused):
    assert refused(BOB, request_sha256="00" * 32) == "digest-other"


def test_a_decision_on_an_older_revision(world, refused):
    """
    What was approved before the question was answered is not what would run.
    """
    first = document.sha256(world.request)
    world.request, world.revision = request_bytes(revision=2), 2
    world.earlier = (first,)

    assert refused(BOB, request_sha256=first) == "revision-stale"


def test_a_request_that_is_not_of_the_current_revision(world, refused):
    world.revision = 2

    assert refused(BOB) == "revision-stale"


def test_a_request_that_does_not_parse(world, refused):
    world.request = b'{"id":"k7q2m9xd","type":"gatesh/request/v1"}'

    assert refused(BOB) == "request-malformed"


def test_a_decision_from_before_the_request(refused):
    assert refused(BOB, at=NOON - timedelta(seconds=1)) == "too-early"


@pytest.mark.parametrize("answer", ["approve", "reject", "ask"])
def test_a_decision_after_the_time_for_answers(world, refused, answer):
    world.now = NOON + timedelta(minutes=15, microseconds=1)

    assert refused(BOB, answer) == "too-late"


def test_a_revocation_after_the_last_possible_start(world, refused):
    world.now = NOON + timedelta(minutes=20, seconds=1)

    assert refused(BOB, "revoke") == "too-late"


def test_a_signers_clock_may_run_a_minute_ahead_and_no_more(world, refused):
    assert world.decide(BOB, at=world.now + timedelta(seconds=60)).by == BOB
    assert refused(BOB, at=world.now + timedelta(seconds=60, microseconds=1)) == "from-the-future"


@pytest.mark.parametrize("answer", ["approve", "reject", "ask", "revoke"])
def test_nobody_answers_their_own_request_in_any_way(world, refused, answer):
    world.requester = {"user": "deploy", "person": BOB}

    assert refused(BOB, answer) == "self-person"


def test_the_owner_of_the_account_that_asked(world, refused):
    """
    The requester's record names nobody, but the roster says whose account it is.
    """
    world.requester = {"user": "bob", "person": None}

    assert refused(BOB) == "self-account"


def test_a_key_known_to_be_the_requesters(world, refused):
    world.requester = {"user": "x", "person": None, "keys": [key_of(BOB).public.fingerprint]}

    assert refused(BOB) == "self-key"


def test_the_requesters_key_even_when_the_roster_gives_it_to_another_name(world, refused):
    """
    A token enrolled under a second name is still the requester's: the point counts, not the type.
    """
    token = SecurityKey(BOB)  # same point as bob's plain key
    world.requester = {"user": "x", "person": None, "keys": [token.public.fingerprint]}
    world.person(BOB, key=token.public)

    assert refused(BOB, key=token) == "self-key"


def test_an_approvers_client_refuses_before_it_signs(world):
    """
    Alice types approve with her own key loaded: she learns it here, whoever she says she is.
    """
    asked = {"user": "alice", "person": None}

    not_self(BOB, key_of(BOB).public, asked, world.roster)
    with pytest.raises(Refused) as caught:
        not_self(BOB, key_of(ALICE).public, asked, world.roster)
    assert caught.value.why == "self-key"


def test_the_requests_own_record_of_who_asked_counts_too(world, refused):
    """
    The caller of `check` cannot launder the requester by naming somebody else.
    """
    world.requester = {"user": "nobody", "person": None}

    assert refused(ALICE) == "self-person"


def test_a_decision_that_witnesses_another_ledger(refused):
    assert refused(BOB, log=LogHead("other/gatesh/00000000", 12, root(12))) == "log-other"


def test_a_decision_carried_to_another_broker(world, refused):
    world.request = request_bytes(origin="other/gatesh/00000000")

    assert refused(BOB) == "log-other"


def test_a_decision_that_has_seen_more_than_there_is(refused):
    """
    The signer saw entries that this ledger has lost: it was cut.
    """
    assert refused(BOB, log=LogHead(ORIGIN, 41, root(41))) == "log-ahead"


def test_a_decision_that_has_seen_another_history(refused):
    """
    The signer saw other entries: the ledger was rewritten.
    """
    assert refused(BOB, log=LogHead(ORIGIN, 12, root(13))) == "log-forked"


def test_an_approval_by_somebody_in_none_of_the_teams(world, refused):
    world.request = request_bytes(need={"assurance": "key", "quorum": {"security": 1}})

    assert refused(BOB) == "not-eligible"
    assert world.decide(BOB, "reject").decision == "reject"
    assert world.decide(CAROL).by == CAROL


def test_an_approval_without_the_touch_that_is_needed(world, refused):
    world.request = request_bytes(need={"assurance": "presence", "quorum": {"any": 1}})

    assert refused(BOB) == "presence-needed"
    assert world.decide(BOB, "reject").decision == "reject"


def test_every_word_of_the_table_is_met_by_some_test():
    """
    A word that nothing can provoke would be a check that does not exist.
    """
    tests = [*Path(__file__).parent.glob("test_*.py"), *SIGNATURES.glob("test_sshsig.py")]
    tests.append(Path(__file__).parents[1] / "life" / "test_alone.py")
    text = "".join(path.read_text() for path in tests)

    assert {word for word in WHY if f'"{word}"' not in text} == set()
    assert set(sshsig.WHY) <= set(WHY)


def test_the_verdict_depends_on_nothing_but_what_is_handed_in(world):
    """
    The audit repeats the check years later, with the clock of then.
    """
    data = world.decision(BOB)
    signature = world.sign(data, key_of(BOB))
    world.now = datetime(2050, 1, 1, tzinfo=timezone.utc)

    assert world.check(data, signature).by == BOB
