"""An audit may be quick only where it cannot be wrong: more processes, and what was audited before."""

from __future__ import annotations

import pytest

from gatesh import document
from gatesh.ledger import examine
from gatesh.ledger import onelog as auditing
from gatesh.ledger.audit import audit
from tests.ledger.attacker import Attacker
from tests.ledger.ledger_world import ALICE, CHECKS, House

DAMAGE = {
    "none": lambda house: None,
    "a changed entry": lambda house: swap(house, b'"cwd":"/srv/app"', b'"cwd":"/srv/apx"'),
    "a cut": lambda house: Attacker(house).put(Attacker(house).lines()[:-1]),
    "a line twice": lambda house: Attacker(house).put([*Attacker(house).lines(), b"{}\n"]),
    "no transcript": lambda house: blob_of(house, b"Wed\n").unlink(),
    "no tile": lambda house: next(house.directory.glob("tile/0/000.p/*")).unlink(),
}


def swap(house: House, old: bytes, new: bytes) -> None:
    log = house.directory / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(old, new, 1))


def blob_of(house: House, data: bytes):
    return house.blobs.path(document.sha256(data))


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_many_processes_find_what_one_finds(house: House, monkeypatch, damage):
    """
    Two cores are for speed.  What is found, and in which order, is the same.
    """
    house.live()
    damage(house)
    alone = house.audit()
    monkeypatch.setattr(examine, "_ALONE", 0)
    monkeypatch.setattr(examine, "BATCH", 1)
    monkeypatch.setattr(auditing, "workers", lambda: 2)

    assert house.audit() == alone


def since(house: House, head, **changes):
    return audit(house.state, vkey=str(house.key), checks=CHECKS, since=head, **changes)


def test_resuming_tells_the_same_story_for_what_is_new(house: House):
    """
    A request opened before the kept head and approved after it is judged like any other.
    """
    house.live()
    script = b"terraform destroy"
    request = house.request("eeeeeeee", script)
    with house.open() as ledger:
        ledger.append([house.submitted("eeeeeeee", script, "approve"), house.opened(request)])
        kept = ledger.head
        answer = ledger.append([house.decided(request, "bob@example.com", kept)])[0]["n"]
        start = house.started("eeeeeeee", script, answer, request=document.sha256(request))
        ledger.append([start, house.finished("eeeeeeee", b"gone\n")])

    resumed, whole = since(house, kept), house.audit()

    assert (resumed.since, resumed.signatures, whole.signatures) == (kept.size, 1, 2)
    assert resumed.seen_by == whole.seen_by
    assert {f.code for f in resumed.findings} == {f.code for f in whole.findings}


def test_resuming_still_judges_what_came_after(house: House):
    kept = house.live()
    with house.open() as ledger:
        house.approved_run(ledger, "ffffffff", by=ALICE)  # her own request

    assert "self-approval" in {f.code for f in since(house, kept).findings}


def test_resuming_does_not_believe_a_past_that_was_changed(house: House):
    """
    Not even with the log's own key: the auditor's copy of the head is what counts.
    """
    kept = house.live()

    def elsewhere(entries):
        for entry in entries:
            if entry.get("id") == "dddddddd" and "cwd" in entry:  # after the last approval
                entry["cwd"] = "/srv/other"

    Attacker(house).rewrite(elsewhere)

    assert house.audit().ok
    assert {f.code for f in since(house, kept).findings if f.severity == "error"} == {"forked"}


def test_old_transcripts_are_not_read_again_and_new_ones_are(house: House):
    """
    That is the price of resuming, and why a whole audit stays the default.
    """
    kept = house.live()
    with house.open() as ledger:
        ledger.append([house.submitted("gggggggg", b"date"), house.started("gggggggg", b"date")])
        ledger.append([house.finished("gggggggg", b"Thu\n")])
    blob_of(house, b"README\n").write_bytes(b"Readme\n")
    assert since(house, kept).ok

    blob_of(house, b"Thu\n").write_bytes(b"Fri\n")
    assert {f.code for f in since(house, kept).findings if f.severity == "error"} == {
        "transcript-changed"
    }
