"""What an approver's own machine remembers, and what it will not be talked out of."""

from __future__ import annotations

import pytest

from gatesh.errors import LedgerError, Tampered
from gatesh.ledger import note
from gatesh.ledger.heads import Heads
from gatesh.ledger.merkle import EMPTY_ROOT, Head

from .ledger_world import House

BEAT = {"type": "heartbeat"}


@pytest.fixture
def heads(tmp_path) -> Heads:
    return Heads(tmp_path / "heads")


@pytest.fixture
def ledger(house: House):
    with house.open() as ledger:
        yield ledger


def test_the_first_head_is_taken_on_trust_and_says_so(house: House, heads: Heads, ledger):
    assert heads.last(house.key.name) is None

    seen = heads.check_and_remember(ledger.checkpoint, str(house.key))

    assert seen.first and seen.head == ledger.head
    assert heads.last(house.key.name) == ledger.head
    assert heads.key(house.key.name) == str(house.key)


def test_a_continuation_is_checked_and_remembered(house: House, heads: Heads, ledger):
    heads.check_and_remember(ledger.checkpoint, str(house.key))
    old = ledger.head
    ledger.append([BEAT] * 5)

    seen = heads.check_and_remember(ledger.checkpoint, str(house.key), ledger.consistency(old.size))

    assert not seen.first and seen.before == old
    assert heads.last(house.key.name) == ledger.head
    again = heads.check_and_remember(ledger.checkpoint, str(house.key))
    assert again.head == again.before


def refused(heads: Heads, house: House, checkpoint: bytes, words: str, proof=()) -> None:
    before = heads.last(house.key.name)
    with pytest.raises(Tampered, match=words) as refusal:
        heads.check_and_remember(checkpoint, str(house.key), proof)
    assert "do not approve" in refusal.value.hint
    assert heads.last(house.key.name) == before


def test_an_older_log_is_refused_in_words(house: House, heads: Heads, ledger):
    old = ledger.checkpoint
    ledger.append([BEAT])
    heads.check_and_remember(ledger.checkpoint, str(house.key))

    refused(heads, house, old, "older than you remember: it now has 1 entries and had 2")


def test_a_rewritten_log_is_refused_whatever_proof_it_brings(house, heads, ledger, tmp_path):
    """
    And both signed checkpoints are kept: together they convict whoever has the log's key.
    """
    ledger.append([BEAT])
    heads.check_and_remember(ledger.checkpoint, str(house.key))
    other = House(tmp_path / "other")
    with other.open() as forged:
        forged.append([{**BEAT, "x": 1}])
        same_size = forged.checkpoint
        forged.append([BEAT])

        refused(heads, house, same_size, "was rewritten")
        refused(heads, house, forged.checkpoint, "was rewritten", forged.consistency(2))
        refused(heads, house, forged.checkpoint, "was rewritten", ledger.consistency(1))
    kept = [p.read_bytes() for p in heads.directory.iterdir() if ".against-" in p.name]
    assert same_size in kept


def test_a_checkpoint_that_is_not_signed_by_its_log_is_refused(house, heads, ledger, tmp_path):
    mallory = House(tmp_path / "mallory", name="mallory")
    forged = note.sign_checkpoint(ledger.head, house.key, mallory.sign)

    refused(heads, house, forged, "does not hold")
    refused(heads, house, ledger.checkpoint[:-2] + b"\n", "does not hold")


def test_another_key_for_a_known_log_is_refused(house: House, heads: Heads, ledger, tmp_path):
    heads.check_and_remember(ledger.checkpoint, str(house.key))
    mallory = House(tmp_path / "mallory", name="mallory")
    key = note.Key(house.key.name, mallory.key.public)
    forged = note.sign_checkpoint(ledger.head, key, mallory.sign)

    with pytest.raises(Tampered, match=r"key of the log .* has changed"):
        heads.check_and_remember(forged, str(key))


def test_what_was_remembered_is_never_forgotten_by_damage(house: House, heads: Heads, ledger):
    """
    A broken file must not mean "never seen before": that is what a forger would break it for.
    """
    heads.check_and_remember(ledger.checkpoint, str(house.key))
    (path,) = heads.directory.iterdir()
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(LedgerError, match="cannot be read"):
        heads.check_and_remember(ledger.checkpoint, str(house.key))


def test_logs_are_remembered_apart(house: House, heads: Heads, ledger, tmp_path):
    other = House(tmp_path / "other", name="../other")
    with other.open() as second:
        heads.check_and_remember(ledger.checkpoint, str(house.key))
        heads.check_and_remember(second.checkpoint, str(other.key))

    assert heads.last(house.key.name) != heads.last(other.key.name)
    assert all(p.parent == heads.directory for p in heads.directory.rglob("*"))


def test_an_empty_log_is_continued_by_anything(house: House, heads: Heads, ledger):
    empty = note.sign_checkpoint(Head(0, EMPTY_ROOT), house.key, house.sign)
    heads.check_and_remember(empty, str(house.key))

    assert not heads.check_and_remember(ledger.checkpoint, str(house.key)).first
