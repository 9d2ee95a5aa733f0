"""What commands printed may be removed, on a second person's word; what was proven stays proven."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from gatesh import document
from gatesh.approval.proposal import Proposal
from gatesh.errors import Tampered
from gatesh.ledger import onelog
from gatesh.ledger.transcripts import removable

from .attacker import Attacker
from .ledger_world import BOB, House

ID = "eeeeeeee"


@pytest.fixture(autouse=True)
def nobody_writes(monkeypatch):
    monkeypatch.setattr(onelog, "PATIENCE_S", 0)


@pytest.fixture
def old(house: House) -> House:
    """A morning, then a week in which `date` said the same again."""
    house.live()
    house.now += timedelta(days=7)
    with house.open() as ledger:
        ledger.append([house.submitted("ffffffff", b"date"), house.started("ffffffff", b"date")])
        ledger.append([house.finished("ffffffff", b"Wed\n")])
    return house


def cut(house: House):
    return house.now - timedelta(days=1)


def removal(house: House, approved: bool = True, **changes) -> list[str]:
    """Append an approved removal of everything old, and carry it out; return what went."""
    before = document.stamp(cut(house))
    change = {"before": before, "type": "gatesh/retention/v1"}
    script = Proposal("retention", "ab" * 32, change).write()
    house.blobs.put(script)
    request = house.request(ID, script, invocation={**_invocation(house), "mode": "proposal"})
    found = sorted(removable(house.state, cut(house), house.blobs.get))
    removed = {"type": "transcripts.removed", "before": before, "removed": found, "id": ID}
    with house.open() as ledger:
        ledger.append([house.submitted(ID, script, "approve"), house.opened(request)])
        answers = []
        if approved:
            answers = [ledger.append([house.decided(request, BOB, ledger.head)])[0]["n"]]
        claim = house.started(ID, script, *answers, request=document.sha256(request))
        ledger.append([claim, {**removed, **changes}, house.finished(ID)])
    for sha in found:
        house.blobs.path(sha).unlink()
    return found


def _invocation(house: House):
    return document.read(house.request("cccccccc", b"x"))["invocation"]


def test_only_what_nothing_else_names_goes(old: House):
    """
    `Wed` was printed again since, and `README` is a file that an approver was shown.
    """
    shown = old.request(ID, b"cat README", files=[{"path": "README", "size": 7,
                        "sha256": document.sha256(b"README\n")}])  # fmt: skip
    with old.open() as ledger:
        ledger.append([old.submitted(ID, b"cat README", "approve"), old.opened(shown)])

    found = removable(old.state, cut(old), old.blobs.get)

    assert found.keys() == {
        document.sha256(data)
        for data in (b"Apply complete!\n", b'[0.1,"o",7]\n', b'[0.1,"o",16]\n')
    }


def test_nothing_young_goes(old: House):
    assert removable(old.state, old.now - timedelta(days=30), old.blobs.get) == {}


def test_transcripts_of_finished_logs_go_as_well(house: House):
    house.live()
    heir = house.hand_on()
    heir.now += timedelta(days=7)
    heir.open().close()

    assert document.sha256(b"README\n") in removable(house.state, heir.now, house.blobs.get)


def test_a_log_that_was_changed_decides_nothing(old: House):
    Attacker(old).replace(b'"script":"date"', b'"script":"dirs"')

    with pytest.raises(Tampered):
        removable(old.state, cut(old), old.blobs.get)


def test_what_was_removed_as_approved_is_no_damage(old: House):
    removed = removal(old)

    report = old.audit()

    assert report.ok and len(removed) == 4
    said = [f.meaning for f in report.findings if f.code == "transcripts-removed"]
    assert said == ["4 parts of transcripts were removed as approved"]


def test_any_other_blob_that_is_missing_is_still_found(old: House):
    """
    Nobody hides a transcript behind a removal of others.
    """
    removal(old)
    old.blobs.path(document.sha256(b"Wed\n")).unlink()

    missing = [f.index for f in old.audit().findings if f.code == "transcript-missing"]

    assert len(missing) == 2  # both that printed it


@pytest.mark.parametrize(
    ("how", "codes"),
    [
        ({"approved": False}, {"removal-unapproved", "transcript-missing"}),
        ({"id": "77777777"}, {"removal-unapproved", "transcript-missing"}),
        ({"before": "2031-01-01T00:00:00Z"}, {"removal-unapproved", "transcript-missing"}),
        ({"removed": []}, {"transcript-missing"}),
    ],
    ids=["nobody approved", "another request", "another day than approved", "not listed"],
)
def test_a_removal_that_was_not_approved_excuses_nothing(old: House, how, codes):
    """
    With the log's key one writes any entry, but not Bob's signature.
    """
    removal(old, **how)

    assert codes <= old.codes()


def test_what_is_younger_than_approved_is_not_excused(old: House):
    """
    The entry lists today's transcript too; what was approved was yesterday's and older.
    """
    young = document.sha256(b"Wed\n")
    found = removable(old.state, cut(old), old.blobs.get)
    removal(old, removed=sorted([*found, young]))
    old.blobs.path(young).unlink()

    assert "removal-too-wide" in old.codes()


def test_a_removal_before_it_was_printed_excuses_nothing(old: House):
    removal(old)
    with old.open() as ledger:
        ledger.append([old.submitted("hhhhhhhh", b"ls"), old.started("hhhhhhhh", b"ls")])
        ledger.append([old.finished("hhhhhhhh", b"README\n")])
    old.blobs.path(document.sha256(b"README\n")).unlink()

    assert "transcript-missing" in old.codes()


def test_a_blob_that_is_being_used_again_stays(house: House):
    """
    Somebody printed the same a moment ago, and its entry is not written yet.
    """
    sha = house.blobs.put(b"again\n")
    path = house.blobs.path(sha)
    os.utime(path, (1, 1))
    house.blobs.put(b"again\n")

    assert not house.blobs.discard(sha, unless_since=1_000_000.0)
    assert house.blobs.get(sha) == b"again\n"

    os.utime(path, (1, 1))
    assert house.blobs.discard(sha, unless_since=1_000_000.0)
    assert not house.blobs.has(sha) and list(path.parent.iterdir()) == []
    assert not house.blobs.discard(sha, unless_since=1_000_000.0)


def test_what_a_crash_left_half_removed_goes_the_next_time(house: House):
    sha = house.blobs.put(b"gone\n")
    path = house.blobs.path(sha)
    path.rename(path.with_name(f".{sha}.gone"))

    assert house.blobs.discard(sha, unless_since=1_000_000.0)
    assert list(path.parent.iterdir()) == []
