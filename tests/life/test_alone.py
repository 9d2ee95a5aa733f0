"""Break-glass, with the real broker: who may, where, how often; who hears of it; what it costs.

Alice asks from the account of this test and has a key, so has bob.  `guarded` may be overridden
once a day by each of them, `twice` takes two people and may not be overridden.
"""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest

from gatesh.approval.decision import LogHead
from gatesh.approval.emergency import REVIEW_WITHIN, Override, Review
from gatesh.approval.signers_text import OVERRIDES, REVIEWS
from gatesh.document import sha256
from gatesh.keys import opensshkey, sshsig
from tests.life.conftest import TWO
from tests.life.people import decide, submit
from tests.life.test_law import codes, forged
from tests.world import RULES, World, until

GLASS = RULES.replace("approve\n", "approve\n    approve: {break_glass: 1}\n", 1)


@pytest.fixture
def glass(world: World) -> World:
    world.settings("hold: 0\n")
    world.set_up("alice@example.com", "alice", "bob", "carol")
    world.rules(GLASS + TWO)
    world.program("twice", 'echo "twice $*"')
    return world


def ask(world: World, line: str) -> str:
    """Have *line* wait; return its id."""
    done = world.gatesh("-c", line)
    assert done.status == 75, done.words
    return str(world.entries("request.opened")[-1]["id"])


def sealed(world: World, made: Any, by: str, namespace: str) -> tuple[str, str]:
    data = made.write()
    key = opensshkey.parse(world.key(by).read_bytes())
    signature = sshsig.sign(data, namespace=namespace, key=key.public, sign=key.sign)
    return data.decode(), signature.decode()


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def head(world: World) -> LogHead:
    lines = world.question("head")["checkpoint"].split("\n")
    return LogHead(lines[0], int(lines[1]), base64.b64decode(lines[2]))


def override(world: World, id: str, by: str = "alice", **changed: Any) -> tuple[str, str]:
    asked = world.question("request", id=id)
    fields = {
        "by": f"{by}@example.com",
        "request": id,
        "request_sha256": sha256(asked["request"].encode()),
        "at": now(),
        "log": head(world),
        "reason": "site down",
        **changed,
    }
    return sealed(world, Override(**fields), by, OVERRIDES)


def review(world: World, id: str, by: str = "bob") -> tuple[str, str]:
    (accepted,) = [e for e in world.entries("override.accepted") if e["id"] == id]
    made = Review(f"{by}@example.com", id, accepted["override_sha256"], now(), head(world), "fine")
    return sealed(world, made, by, REVIEWS)


def test_one_person_starts_it_alone_and_the_audit_fails_until_another_has_looked(glass):
    """
    The whole of it, as people type it: loud for the agent, for approvers and for auditors.
    """
    world = glass
    heard = world.base / "heard"
    tell = world.program("tell", f'echo "$GATESH_EVENT $GATESH_REQUEST $GATESH_BY" >> {heard}')
    world.settings(f"hold: 20s\nnotify: {{program: [{tell}]}}\n")
    asking = world.start("-c", "guarded now")
    id = world.waiting()

    done = world.gatesh("override", id, "--yes", "--key", str(world.key("alice")), "-m", "INC-7")
    ended = asking.end()

    assert done.status == 0 and "gatesh review" in done.words
    assert ended.status == 0 and ended.out == b"guarded now\n"
    assert "OVERRIDE by alice@example.com" in ended.words and "without approval" in ended.words
    assert ended.words.isascii()
    until(lambda: f"override.accepted {id} alice@example.com\n" in heard.read_text())
    accepted, started = world.entries("override.accepted")[0], world.entries("command.started")[0]
    assert started["decisions"] == [accepted["n"]] and world.entries("decision.accepted") == []
    assert "OVERRIDE" in world.gatesh("pending").words and "INC-7" in world.gatesh("pending").words
    shown = world.gatesh("show", id).text
    assert "override   alice@example.com" in shown and "anybody may override 1 time a day" in shown
    assert codes(world.audit()) == {"override-unreviewed"}
    assert world.gatesh("audit").status == 1
    world.gatesh("broker", "stop")  # the debt is in the log, not in a process

    own = world.gatesh("review", id, "--yes", "--key", str(world.key("alice")), "-m", "fine")
    other = world.gatesh("review", id, "--yes", "--key", str(world.key("bob")), "-m", "justified")

    assert own.status == 126 and "cannot review" in own.words
    assert other.status == 0, other.words
    assert "OVERRIDE" not in world.gatesh("pending").words
    assert world.gatesh("audit").status == 0
    assert [e["why"] for e in world.entries("decision.refused")] == ["review-own"]
    assert submit(world, *review(world, id, "carol"))["why"] == "already-reviewed"


def test_no_more_than_the_rule_allows_and_only_where_it_does(glass):
    """
    A way out that is always open would be the door.
    """
    world = glass
    first, second, other = ask(world, "guarded 1"), ask(world, "guarded 2"), ask(world, "twice")
    both = ask(world, "guarded 3; twice 3")

    assert submit(world, *override(world, first))["state"] == "approved"
    assert submit(world, *override(world, first, "bob"))["why"] == "already-approved"
    assert submit(world, *override(world, second))["why"] == "override-too-many"
    assert submit(world, *override(world, other))["why"] == "override-not-allowed"
    assert submit(world, *override(world, both))["why"] == "override-not-allowed"
    assert submit(world, *review(world, first, "carol"))["ok"]
    nothing = Review("bob@example.com", second, "ab" * 32, now(), head(world), "fine")
    assert submit(world, *sealed(world, nothing, "bob", REVIEWS))["why"] == "override-unknown"
    typed = world.gatesh("override", other, "--yes", "--key", str(world.key("bob")), "-m", "now")
    assert typed.status == 126 and "gatesh approve" in typed.words
    assert world.gatesh("-c", "guarded 1").out == b"guarded 1\n"
    assert world.gatesh("-c", "guarded 1").status == 75  # once, like every approval


def test_an_override_is_good_for_one_request_at_one_broker_and_can_still_be_refused(glass):
    world = glass
    first, second = ask(world, "guarded a"), ask(world, "guarded b")
    made = override(world, first)
    moved = override(world, first, request=second)

    assert submit(world, *moved)["why"] == "digest-other"
    elsewhere = LogHead("other/gatesh/00000000", 3, b"\0" * 32)
    assert submit(world, *override(world, first, log=elsewhere))["why"] == "log-other"
    assert submit(world, *made)["state"] == "approved"
    assert submit(world, *made)["why"] in ("already-approved", "override-too-many")
    assert decide(world, first, "reject")["state"] == "rejected"
    assert world.gatesh("-c", "guarded a").status == 75
    assert world.entries("command.started") == []
    assert submit(world, *review(world, first))["ok"]  # it never ran, and is accounted for
    assert world.audit()["ok"]


def test_nothing_inside_the_gate_overrides_or_reviews(glass):
    world = glass
    id = ask(world, "guarded")
    key = world.key("alice")

    for line in (f"gatesh override {id} -m x --yes --key {key}", f"gatesh review {id} -m x --yes"):
        assert world.gatesh("-c", line).status == 126  # the rules
    world.program("tool", f'gatesh override {id} -m x --yes --key "{key}"')
    inside = world.gatesh("-c", "tool")  # and the broker, which sees who asks

    assert "from inside a gated command" in inside.words
    assert world.entries("override.accepted") == []


def test_an_override_without_a_signature_for_it_and_a_late_review_are_found(glass, tmp_path):
    """
    Somebody with the log's key writes that bob had overridden; and nobody looked for a week.
    """
    world = glass
    id = ask(world, "guarded")
    assert submit(world, *override(world, id))["ok"]
    assert submit(world, *review(world, id))["ok"]
    real = world.entries()
    accepted = next(e for e in real if e["type"] == "override.accepted")
    looked = next(e for e in real if e["type"] == "override.reviewed")
    bare = {k: v for k, v in accepted.items() if k not in ("v", "n", "t")}
    review_ = {k: v for k, v in looked.items() if k not in ("v", "n", "t")}

    lied = forged(world, tmp_path / "a", accepted["n"], {**bare, "by": "bob@example.com"}, review_)
    twice = forged(world, tmp_path / "b", accepted["n"] + 1, {**review_, "by": "alice@example.com"})
    late = forged(
        world,
        tmp_path / "c",
        accepted["n"] + 1,
        review_,
        wait=REVIEW_WITHIN + datetime.timedelta(1),
    )

    assert "override-invalid" in codes(lied)
    assert codes(twice) == {"review-invalid", "override-unreviewed"}
    assert codes(late) == set()
    assert "override-reviewed-late" in {f["code"] for f in late["findings"]}
