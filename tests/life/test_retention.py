"""What commands printed goes on a second person's word, and everybody who looks is told so."""

from __future__ import annotations

import datetime
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatesh import document
from tests.ledger.ledger_world import BOB, House, roster
from tests.world import World


@pytest.fixture
def old(world: World) -> World:
    """A home whose log has a morning of last month in it, a closed log before that."""
    world.set_up()
    world.state.mkdir(mode=0o700, parents=True)
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=30)
    then = then.replace(microsecond=0)
    house = House(world.state, now=then, roster=roster(then))
    house.live()
    heir = house.hand_on()
    heir.live()
    with heir.open() as ledger:
        ledger.append([{"type": "broker.stopped", "version": "0", "boot_id": "b", "pid": 7}])
    key = world.state / "log.key"
    key.write_text(f"gatesh-log-key/v1 file {heir.key.name}\n{bytes(heir.signing).hex()}\n")
    key.chmod(0o600)
    for path in (world.state / "blobs").rglob("*"):
        os.utime(path, (1, 1))  # as old as what it holds
    secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(document.sha256(BOB.encode())))
    world.key("bob").write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    return world


def test_old_transcripts_go_after_somebody_else_has_approved_it(old: World):
    """
    Evidence that one person can remove is none; evidence that nobody can is a burden.
    """
    assert old.gatesh("-c", "echo today").text == "today\n"
    today = old.json("log", "-n", "1")["id"]
    asked = old.gatesh("ledger", "prune", "--before", "1d")
    assert asked.status == 75, asked.words
    id = old.pending()[0]["id"]
    assert "remove what was printed before" in asked.words and "blobs" in asked.words
    assert old.gatesh("replay", "aaaa-aaaa").text == "README\n"

    shown = old.gatesh("show", id).text
    assert "for good" in shown and "requests and decisions stay" in shown

    approved = old.approve(id)

    assert approved.status == 0, approved.words
    removed = old.entries("transcripts.removed")
    assert [entry["id"] for entry in removed] == [id] and len(removed[0]["removed"]) == 6
    gone = old.gatesh("replay", "aaaa-aaaa")
    assert gone.status == 1 and "removed" in gone.words and BOB in gone.words
    assert old.gatesh("log").text.count("date") == 2
    report = old.audit()
    assert report["ok"], report["findings"]
    assert "transcripts-removed" in {f["code"] for f in report["findings"]}
    assert old.gatesh("replay", today).text == "today\n"
    told = pages(old)
    assert sum("was removed by retention on" in page and BOB in page for page in told) == 2


def pages(world: World) -> list[str]:
    """The pages of a report of this month and the last."""
    now = datetime.datetime.now(datetime.timezone.utc)
    first = (now - datetime.timedelta(days=40)).strftime("%Y-%m-%d")
    out = world.base / "report"
    made = world.gatesh("report", "--from", first, "--to", now.strftime("%Y-%m-%d"), "--out", out)
    assert made.status == 0, made.words
    assert world.gatesh("audit", "check", out).status == 0
    return [path.read_text() for path in sorted(out.glob("*/report.html"))]


def test_transcripts_of_today_are_not_removed(old: World):
    done = old.gatesh("ledger", "prune", "--before", "10m")

    assert done.status == 78 and "the last hour" in done.words
