"""Logs that follow one another prove as much as one log would."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gatesh import document
from gatesh.errors import LedgerError, Tampered
from gatesh.ledger import onelog, succession
from gatesh.ledger.audit import audit
from gatesh.ledger.following import Link, follow
from gatesh.ledger.note import Checkpoint
from gatesh.ledger.prover import Prover

from .attacker import Attacker
from .ledger_world import BOB, CHECKS, House

OLD, OLDER = "ledger.000001", "ledger.000000"


@pytest.fixture(autouse=True)
def nobody_writes(monkeypatch):
    monkeypatch.setattr(onelog, "PATIENCE_S", 0)


@pytest.fixture
def three(house: House) -> list[House]:
    """Three logs of one home, the last one in use."""
    houses = [house]
    house.live()
    for name in ("build8", "build9"):
        houses.append(houses[-1].hand_on(name))
        houses[-1].live()
    return houses


def test_a_chain_of_logs_is_audited_as_one(three):
    report = three[-1].audit()

    assert report.ok, report.findings
    assert [log.name for log in report.logs] == [OLDER, OLD, "ledger"]
    assert [log.origin for log in report.logs] == [house.key.name for house in three]
    assert report.entries == sum(log.head.size for log in report.logs)
    assert (report.requests, report.signatures) == (3, 3)
    assert report.head == report.logs[-1].head and report.seen_by.keys() == {BOB}
    # Bob's last signature holds the newest log, and with it those before.
    assert report.unprotected == report.head.size - report.protected_until


def test_the_key_of_any_log_confirms_them_all(three):
    """
    An approver who has been away remembers an older key; the links lead from it to the newest.
    """
    for house in three:
        assert "key-unconfirmed" not in {f.code for f in house.audit().findings}
    report = three[-1].audit(vkey=str(House(three[0].state / "elsewhere", "mallory").key))
    assert "vkey-changed" in {f.code for f in report.findings}


def entries_of(attacker: Attacker) -> list[dict]:
    return [json.loads(line) for line in attacker.lines()]


def unclosed(entries):
    del entries[-1]


def another_heir(entries):
    entries[-1]["successor"] = {"origin": "x", "vkey": "y"}


def without_law(entries):
    del entries[1:3]


def another_root(entries):
    entries[0]["predecessor"]["root"] = base64.b64encode(bytes(32)).decode()


def first_of_all(entries):
    entries[0]["predecessor"] = None


def still_pending(entries):
    at = next(i for i, e in enumerate(entries) if e["type"] == "decision.accepted")
    del entries[at : at + 3]


# fmt: off
WITHOUT_KEY = {
    "the first log gone":        (lambda s: shutil.rmtree(s / OLDER), {"predecessor-missing"}),
    "the middle log gone":       (lambda s: shutil.rmtree(s / OLD), {"predecessor-missing", "successor-other"}),
    "the newest log gone":       (lambda s: shutil.rmtree(s / "ledger"), {"successor-missing"}),
    "two logs change places":    (lambda s: swap(s / OLD, s / OLDER), {"predecessor-missing"}),
    "one log twice":             (lambda s: shutil.copytree(s / OLD, s / "ledger.000002"), {"two-successors"}),
    "a byte of an old log":      (lambda s: flip(s / OLDER / "log.jsonl"), {"root-mismatch"}),
    "an old log cut":            (lambda s: cut(s / OLDER / "log.jsonl"), {"cut-at-record"}),
    "another key for an old log": (lambda s: (s / OLDER / "vkey").write_bytes((s / OLD / "vkey").read_bytes()), {"checkpoint-bad-signature"}),
}
# Whoever stole the key of a log, before it was destroyed or while it was in use.
WITH_KEY = {
    "an old log not ended":      (0, OLDER, unclosed, {"log-unclosed", "predecessor-other"}),
    "an old log ends otherwise": (0, OLDER, another_heir, {"successor-other", "predecessor-other"}),
    "an entry behind the end":   (0, OLDER, lambda es: es.append(es[3]), {"entry-after-close", "predecessor-other"}),
    "an old log rewritten":      (1, OLD, lambda es: es[-3].update(type="broker.stopped"), {"predecessor-other"}),
    "ended while somebody waits": (1, OLD, still_pending, {"closed-while-open"}),
    "the root before another":   (2, "ledger", another_root, {"predecessor-other"}),
    "a log that follows none":   (2, "ledger", first_of_all, {"predecessor-other"}),
    "another law at the start":  (2, "ledger", without_law, {"law-not-inherited"}),
}
# fmt: on


def swap(one, other):
    one.rename(one.with_name("x"))
    other.rename(one)
    one.with_name("x").rename(other)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(("attack", "codes"), WITHOUT_KEY.values(), ids=WITHOUT_KEY.keys())
def test_without_a_key_no_log_of_the_chain_can_be_touched(three, attack, codes):
    attack(three[0].state)

    report = three[-1].audit()

    assert codes <= {f.code for f in report.findings} and not report.ok


@pytest.mark.parametrize(
    ("whose", "log", "change", "codes"), WITH_KEY.values(), ids=WITH_KEY.keys()
)
def test_a_stolen_key_does_not_join_logs_that_did_not_follow(three, whose, log, change, codes):
    """
    The log before and the log after hold each other still.
    """
    Attacker(three[whose], log).rewrite(change)

    report = three[-1].audit()

    found = {f.code for f in report.findings}
    assert codes <= found and not report.ok
    assert not found & {"root-mismatch", "tile-wrong", "checkpoint-bad-signature"}


def test_whoever_drops_all_the_past_is_shown_by_a_head_of_it(three):
    """
    With the newest key a first log can be made of the newest one; nothing inside tells.
    """
    seen = three[0].audit().logs[0]
    for name in (OLDER, OLD):
        shutil.rmtree(three[0].state / name)
    Attacker(three[2]).rewrite(first_of_all)

    assert "log-missing" not in {f.code for f in three[2].audit().findings}
    assert "log-missing" in three[2].codes(Checkpoint(seen.origin, seen.head))


def test_a_head_of_a_finished_log_is_found_in_the_chain(three):
    report = three[2].audit()
    first = report.logs[0]

    assert three[2].audit(Checkpoint(first.origin, first.head)).ok
    forged = replace(first.head, root=bytes(32))
    assert "forked" in three[2].codes(Checkpoint(first.origin, forged))


def test_stock_tools_follow_the_chain(three):
    """
    The three lines of docs/verify-by-hand.md, word for word, on the two newest logs.
    """
    page = (Path(__file__).parents[2] / "docs" / "verify-by-hand.md").read_text()
    lines = [
        line.strip() for line in page.splitlines() if line.startswith("    ") and "cmp" in line
    ]
    assert len(lines) == 3

    for line in lines:
        given = line.replace("ledger.000000", OLD)
        subprocess.run(["bash", "-o", "pipefail", "-c", given], cwd=three[0].state, check=True)
        wrong = line.replace("ledger.000000", OLDER)
        done = subprocess.run(["bash", "-c", wrong], cwd=three[0].state, capture_output=True)
        assert done.returncode


def test_an_audit_goes_on_from_the_head_of_a_finished_log(three):
    """
    What was verified before is not read again, whichever log it was; what came after is.
    """
    state, first = three[0].state, three[2].audit().logs[0]
    since = Checkpoint(first.origin, first.head)
    blob_of_all = three[0].blobs.path(document.sha256(b"README\n"))
    given = {"vkey": str(three[2].key), "checks": CHECKS, "since": since}

    report = audit(state, **given)
    assert report.ok and report.since == first.head.size
    blob_of_all.unlink()
    missing = [f.log for f in audit(state, **given).findings if f.code == "transcript-missing"]
    assert missing == ["ledger", OLD]
    flip(state / OLDER / "log.jsonl")
    assert {"root-mismatch", "forked"} <= {f.code for f in audit(state, **given).findings}


def link(house: House, log: str, n: int = -1) -> Link:
    with Prover(house.state / log) as prover:
        return Link(prover.prove(n % prover.head.size).encode())


def test_whoever_knows_a_closed_log_knows_the_key_of_the_newest(three):
    """
    An approver who comes back trusts no new key on first use: the old one vouches for it.
    """
    links = [link(three[0], OLDER), link(three[1], OLD)]

    assert follow(three[0].key, links) == three[2].key
    assert follow(three[1].key, links[1:]) == three[2].key
    assert follow(three[2].key, []) == three[2].key


@pytest.mark.parametrize(
    "claimed",
    [
        lambda houses: [link(houses[1], OLD)],  # the end of another log
        lambda houses: [link(houses[0], OLDER, 5)],  # not an end
        lambda houses: [link(houses[0], OLDER), link(houses[0], OLDER)],  # the same one again
        lambda houses: [Link(b"nothing")],
        lambda houses: [link(houses[0], OLDER), link(houses[2], "ledger")],  # not closed
    ],
)
def test_nobody_else_names_the_next_key(three, claimed):
    with pytest.raises(Tampered, match="does not go on as claimed"):
        follow(three[0].key, claimed(three))


def test_a_log_that_is_not_finished_is_not_followed(house: House):
    house.live()
    succession.put_away(house.state)

    with pytest.raises(Tampered, match="not finished"):
        House(house.state, "build8").open()


def test_a_finished_log_that_was_changed_is_not_followed(house: House):
    """
    The next log would vouch for it.
    """
    house.live()
    heir = house.hand_on()
    flip(house.state / OLDER / "log.jsonl")

    with pytest.raises(Tampered):
        heir.open()


def test_only_one_broker_at_a_time_decides_which_log_is_next(house: House):
    house.live()

    with (
        succession.alone(house.state),
        pytest.raises(LedgerError, match="another gatesh broker"),
        succession.alone(house.state),
    ):
        pass
    with succession.alone(house.state):
        pass
