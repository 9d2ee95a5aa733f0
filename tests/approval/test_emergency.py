"""What an override and its review must survive.  One row for each word they can be refused with."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh import document
from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.approval.emergency import Override, Review, check_override, check_review
from gatesh.approval.signers_text import OVERRIDES, REVIEWS
from gatesh.document import MalformedDocument
from gatesh.errors import Refused

from .world import NOON, ORIGIN, SecurityKey, World, key_of, request_bytes, root

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
ALLOWED = {"assurance": "key", "quorum": {"any": 2}, "break_glass": 2}


@pytest.fixture
def held(world: World) -> World:
    """Alice's command waits for two people, and its rule lets each person override twice a day."""
    world.request = request_bytes(need=ALLOWED)
    return world


def override(world: World, by: str = ALICE, **changes: Any) -> Override:
    made = Override(by, "k7q2m9xd", document.sha256(world.request), world.now,
                    LogHead(ORIGIN, 12, root(12)), "site down")  # fmt: skip
    return replace(made, **changes)


def review(world: World, of: bytes, by: str = BOB, **changes: Any) -> Review:
    made = Review(by, "k7q2m9xd", document.sha256(of), world.now,
                  LogHead(ORIGIN, 12, root(12)), "justified")  # fmt: skip
    return replace(made, **changes)


def accepted(world: World, data: bytes, key: Any, namespace: str = OVERRIDES, used: int = 0) -> Any:
    return check_override(
        data,
        world.sign(data, key, namespace),
        request=world.request,
        revision=world.revision,
        roster=world.roster,
        origin=ORIGIN,
        on_history=lambda size, found: found == root(size),
        now=world.now,
        log_size=world.log_size,
        earlier=world.earlier,
        used=used,
    )


def reviewed(world: World, data: bytes, key: Any, of: bytes, namespace: str = REVIEWS) -> Any:
    return check_review(
        data,
        world.sign(data, key, namespace),
        id="k7q2m9xd",
        override=of,
        requester={"user": "carols", "person": CAROL},
        roster=world.roster,
        origin=ORIGIN,
        on_history=lambda size, found: found == root(size),
        now=world.now,
        log_size=world.log_size,
    )


def test_anybody_enrolled_may_override_where_the_rule_says_so_even_who_asked(held):
    """
    At night there may be nobody else; that is what it is for, and why it is reviewed.
    """
    assert accepted(held, override(held).write(), key_of(ALICE)).by == ALICE
    assert accepted(held, override(held, BOB).write(), key_of(BOB), used=1).by == BOB


# fmt: off
OVERRIDDEN_WRONGLY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # word                  world                                       override
    "override-not-allowed": ({"request": request_bytes()},                {}),
    "presence-needed":      ({"request": request_bytes(need={**ALLOWED, "assurance": "presence"})}, {}),
    "request-other":        ({},                                          {"request": "00000000"}),
    "digest-other":         ({},                                          {"request_sha256": "cd" * 32}),
    "revision-stale":       ({"revision": 2},                             {}),
    "too-early":            ({},                                          {"at": NOON - timedelta(seconds=1)}),
    "too-late":             ({"now": NOON + timedelta(hours=1)},          {}),
    "from-the-future":      ({},                                          {"at": NOON + timedelta(minutes=7)}),
    "log-other":            ({},                                          {"log": LogHead("other/gatesh/0123abcd", 12, root(12))}),
    "log-ahead":            ({},                                          {"log": LogHead(ORIGIN, 41, root(41))}),
    "log-forked":           ({},                                          {"log": LogHead(ORIGIN, 12, root(13))}),
    "key-not-yours":        ({},                                          {"by": BOB}),
}
# fmt: on


@pytest.mark.parametrize("word", OVERRIDDEN_WRONGLY)
def test_an_override_is_refused_for_what_is_wrong_with_it(held, word):
    changes, said = OVERRIDDEN_WRONGLY[word]
    for name, value in changes.items():
        setattr(held, name, value)
    data = override(held, **said).write()

    with pytest.raises(Refused) as caught:
        accepted(held, data, key_of(ALICE))

    assert caught.value.why == word


def test_an_override_counts_no_more_than_the_rule_allows(held):
    with pytest.raises(Refused) as caught:
        accepted(held, override(held).write(), key_of(ALICE), used=2)
    assert caught.value.why == "override-too-many"


def test_signatures_for_one_purpose_are_worth_nothing_for_another(held):
    """
    An approval is no override, a review no approval: by type and by namespace.
    """
    data = override(held).write()
    approval = held.decision(BOB)

    for words, namespace, why in (
        (data, NAMESPACE, "namespace-wrong"),
        (data, REVIEWS, "namespace-wrong"),
        (approval, OVERRIDES, "override-malformed"),
    ):
        with pytest.raises(Refused) as caught:
            accepted(held, words, key_of(ALICE), namespace)
        assert caught.value.why == why
    with pytest.raises(Refused) as caught:
        held.check(data, held.sign(data, key_of(ALICE)))
    assert caught.value.why == "decision-malformed"
    with pytest.raises(Refused) as caught:
        reviewed(held, data, key_of(ALICE), data)
    assert caught.value.why == "review-malformed"


def test_a_key_that_was_enrolled_for_decisions_alone_cannot_override(held):
    """
    Rosters from before this was possible have to be renewed, not stretched.
    """
    text = held.roster.allowed_signers.replace(f",{OVERRIDES},{REVIEWS}", "")
    held.roster = type(held.roster)(text, held.roster.people)

    with pytest.raises(Refused) as caught:
        accepted(held, override(held).write(), key_of(ALICE))

    assert caught.value.why == "key-not-valid"
    assert held.decide(BOB).by == BOB


def test_a_touch_that_the_rule_demands_is_demanded_of_overrides_too(held):
    held.request = request_bytes(need={**ALLOWED, "assurance": "presence"})
    held.person("dave@example.com", SecurityKey("dave").public)
    data = override(held, "dave@example.com").write()

    assert accepted(held, data, SecurityKey("dave")).assurance == "presence"


def test_a_review_takes_somebody_else_than_who_overrode_and_who_asked(held):
    of = override(held).write()

    assert reviewed(held, review(held, of).write(), key_of(BOB), of).by == BOB
    for by, why in ((ALICE, "review-own"), (CAROL, "self-person")):
        with pytest.raises(Refused) as caught:
            reviewed(held, review(held, of, by).write(), key_of(by), of)
        assert caught.value.why == why


# fmt: off
REVIEWED_WRONGLY: dict[str, dict[str, Any]] = {
    "review-other":    {"override": "cd" * 32},
    "too-early":       {"at": NOON},
    "from-the-future": {"at": NOON + timedelta(minutes=7)},
    "log-forked":      {"log": LogHead(ORIGIN, 12, root(13))},
}
# fmt: on


@pytest.mark.parametrize("word", REVIEWED_WRONGLY)
def test_a_review_is_refused_for_what_is_wrong_with_it(held, word):
    of = override(held).write()

    with pytest.raises(Refused) as caught:
        reviewed(held, review(held, of, **REVIEWED_WRONGLY[word]).write(), key_of(BOB), of)

    assert caught.value.why == word


def test_stock_ssh_keygen_agrees_with_overrides_and_reviews(held, tmp_path):
    of = override(held).write()
    (tmp_path / "allowed_signers").write_text(held.roster.allowed_signers)
    for by, data, namespace in (
        (ALICE, of, OVERRIDES),
        (BOB, review(held, of).write(), REVIEWS),
    ):
        (tmp_path / "sig").write_bytes(held.sign(data, key_of(by), namespace))
        when = ["-O", f"verify-time={held.now:%Y%m%d%H%M%SZ}"]
        for purpose, good in ((namespace, True), (NAMESPACE, False)):
            done = subprocess.run(
                ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", by, "-n", purpose,
                 *when, "-s", "sig"],
                cwd=tmp_path, input=data, capture_output=True, check=False,
            )  # fmt: skip
            assert (done.returncode == 0) is good, done.stderr
            assert (b"Good" in done.stdout) is good


texts = st.text(min_size=1, max_size=30).filter(str.strip)
times = st.integers(0, 10**6).map(lambda n: NOON + timedelta(milliseconds=n))


@given(texts, texts, times, st.integers(0, 1 << 40))
def test_each_document_is_read_as_it_was_written_and_as_no_other(by, reason, at, size):
    """
    Three types of signed document share fields; no bytes are two of them.
    """
    head = LogHead(ORIGIN, size, root(1))
    written = {
        Override: Override(by, "k7q2m9xd", "ab" * 32, at, head, reason),
        Review: Review(by, "k7q2m9xd", "ab" * 32, at, head, reason),
        Decision: Decision("approve", by, "k7q2m9xd", "ab" * 32, at, head, reason),
    }
    for kind, made in written.items():
        data = made.write()
        assert kind.read(data) == made
        for other in written.keys() - {kind}:
            with pytest.raises(MalformedDocument):
                other.read(data)
