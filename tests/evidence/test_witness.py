"""Witnesses: somebody else's server has seen this much of the log, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from gatesh.broker.witnesses import Seat, Witnesses
from gatesh.config import Config, load
from gatesh.config import Witness as Setting
from gatesh.errors import ConfigError
from gatesh.ledger.note import Key
from gatesh.ledger.store import Ledger
from tests.evidence.test_report import seal as reseal
from tests.ledger.attacker import Attacker
from tests.ledger.c2sp_witness import Witness
from tests.ledger.ledger_world import NOON, House
from tests.world import PATIENCE, until


@pytest.fixture
def witness() -> Iterator[Witness]:
    made = Witness()
    yield made
    made.stop()


def asking(house: House, ledger: Ledger, *witnesses: Witness) -> Witnesses:
    """What a broker has in *house* that knows *witnesses*, and they its log."""
    for witness in witnesses:
        witness.follow(str(house.key))
    seats = tuple(Setting(witness.vkey, witness.url) for witness in witnesses)
    config = Config(witnesses=seats, push_every_s=0)
    return Witnesses(house.directory, ledger.signed_head, ledger.consistency, lambda: config)


def ask(witnesses: Witnesses) -> dict[str, object]:
    """Ask all of them now; return the status of the first."""
    witnesses.ask_all(PATIENCE)
    return witnesses.status()[0]


def day(house: House, ledger: Ledger, commands: int = 1) -> int:
    """Have *commands* run; return the size of the log."""
    ids = [f"{ledger.head.size + 3 * at:08}" for at in range(commands)]
    steps = [(house.submitted(x, b"ls"), house.started(x, b"ls"), house.finished(x)) for x in ids]
    ledger.append([entry for step in steps for entry in step])
    return ledger.head.size


def test_a_running_broker_has_every_head_cosigned_and_the_last_one_too(world, witness):
    """
    What the witness has seen cannot be cut or rewritten, whoever has the log's key.
    """
    seats = [{"vkey": witness.vkey, "url": witness.url}]
    world.settings(f"audit: {{witnesses: {json.dumps(seats)}, every: 1s}}\n")
    world.set_up().gatesh("-c", "echo one")
    witness.follow((world.state / "ledger" / "vkey").read_text())
    (name,) = witness.logs
    until(lambda: witness.size(name) == len(world.entries()))

    assert "has seen" in world.gatesh("broker", "status").text
    world.gatesh("broker", "stop")
    until(lambda: len(world.entries("broker.stopped")) == 1)
    until(lambda: witness.size(name) == len(world.entries()))

    assert set(witness.answers) <= {200, 404}  # every proof was accepted


def test_whatever_a_log_grows_to_its_witness_follows(house, witness):
    """
    Across blocks of tiles the proof reads what is no longer in memory.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        witnesses = asking(house, ledger, witness)
        for commands in (0, 1, 1, 5, 80, 1, 300):
            size = day(house, ledger, commands)
            assert ask(witnesses)["size"] == size == witness.size(house.key.name)

    assert set(witness.answers) == {200}


def test_a_broker_that_forgot_what_the_witness_saw_is_told(house, witness):
    """
    The size in a 409 is where the next proof begins: state that is lost costs one question.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        ask(asking(house, ledger, witness))
        (kept,) = (house.directory / "witness").iterdir()
        day(house, ledger)
        assert ask(asking(house, ledger, witness))["trouble"] is None
        assert witness.answers == [200, 200]  # remembered

        kept.unlink()
        size = day(house, ledger)
        assert ask(asking(house, ledger, witness))["size"] == size
        assert witness.answers == [200, 200, 409, 200]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [(500, "answered 500"), (404, "its operator"), (403, "(403)"), (422, "rewritten"), (302, "302")],
)  # fmt: skip
def test_a_witness_that_fails_is_named_and_asked_again_later(house, witness, trouble, said):
    """
    A witness adds; it must never be able to take away, and must not be hammered.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        witnesses = asking(house, ledger, witness)
        witness.trouble = trouble
        told = ask(witnesses)
        assert said in str(told["trouble"]) and told["size"] == 0 and told["tries"] == 1

        asked = len(witness.answers)
        witnesses.look()  # not so soon
        assert (
            len(witness.answers) == asked and not witnesses.seats[next(iter(witnesses.seats))].busy
        )
        witness.trouble = None
        told = ask(witnesses)
        assert told["trouble"] is None and told["size"] == ledger.head.size


def test_a_witness_that_cannot_be_reached_at_all_is_named(house, witness):
    witness.stop()
    with house.open() as ledger:
        ledger.append(house.beginning())

        assert "refused" in str(ask(asking(house, ledger, witness))["trouble"])


def test_an_answer_that_is_not_the_witness_own_signature_counts_for_nothing(house, witness):
    witness.forges = True
    with house.open() as ledger:
        ledger.append(house.beginning())
        told = ask(asking(house, ledger, witness))

    assert "does not belong" in str(told["trouble"]) and told["size"] == 0
    assert not (house.directory / "witness").exists()


def test_a_log_that_was_cut_is_said_to_be_cut(house, witness):
    """
    The one thing an attacker with the key cannot hide, not even from the broker's own status.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        size = day(house, ledger, 3)
        ask(asking(house, ledger, witness))
    other = House(house.state / "copy", now=NOON + timedelta(hours=1))
    with other.open() as ledger:  # the same key, fewer entries
        ledger.append(other.beginning())

        told = str(ask(asking(other, ledger, witness))["trouble"])
        assert f"has seen {size}" in told and "cut" in told
        day(other, ledger, 9)  # longer, and another log all the same
        assert "rewritten" in str(ask(asking(other, ledger, witness))["trouble"])


def test_a_file_that_somebody_put_there_is_not_taken_for_what_was_seen(house, witness):
    with house.open() as ledger:
        ledger.append(house.beginning())
        (house.directory / "witness").mkdir(mode=0o700)
        seat = Seat(Setting(witness.vkey, witness.url), house.directory / "witness")
        (house.directory / "witness" / seat.key.id.hex()).write_bytes(ledger.checkpoint)

        witnesses = asking(house, ledger, witness)
        assert witnesses.status()[0]["size"] == 0
        assert ask(witnesses)["size"] == ledger.head.size


@pytest.mark.parametrize(
    "text",
    [
        "witnesses: w.example+abc",
        "witnesses: [{vkey: 'w.example+00000000+BAAA', url: 'https://w.example'}]",
        "witnesses: [{vkey: VKEY, url: 'http://w.example'}]",
        "witnesses: [{vkey: VKEY}]",
        "witnesses: [{vkey: LOG, url: 'https://w.example'}]",
        "need: 1",
        "need: yes",
    ],
)
def test_settings_of_witnesses_that_cannot_be_meant_are_refused(tmp_path, witness, text):
    """
    A key that was copied wrong must not wait for the first audit to be noticed.
    """
    path = tmp_path / "config.yaml"
    path.write_text(f"audit: {{witnesses: [{{vkey: {witness.vkey}, url: 'https://w.example'}}]}}\n")
    assert load(path).witnesses[0].url == "https://w.example"

    log = str(Key("w.example", witness.body[1:]))
    path.write_text(f"audit: {{{text.replace('VKEY', witness.vkey).replace('LOG', log)}}}\n")
    with pytest.raises(ConfigError, match="audit"):
        load(path)


# ---- what an audit makes of it ----------------------------------------------------


@pytest.fixture
def seen(house, witness) -> int:
    """A log that the witness has seen up to this size, and that went on for an hour."""
    witness.clock = lambda: house.now.timestamp()
    with house.open() as ledger:
        ledger.append(house.beginning())
        size = day(house, ledger, 3)
        assert ask(asking(house, ledger, witness))["trouble"] is None
        day(house, ledger)
        house.now += timedelta(hours=1)
        day(house, ledger)
    return size


def test_the_audit_says_who_has_seen_how_much_and_when(house, gatesh, witness, seen):
    said = gatesh("audit", "--vkey", house.key, "--witness", witness.vkey)

    assert said.status == 0, said.out
    assert f"seen by witness {witness.name} ({seen}, 2030-01-02T12:00:0" in said.out
    assert "6 entries after the last head a second person or a witness has seen" in said.out


def test_a_rewritten_past_contradicts_the_witness_even_without_its_file(
    house, gatesh, witness, seen, tmp_path
):
    """
    The attacker has the log's key and cleans up; the witness still has its copy, for anybody.
    """
    (kept,) = (house.directory / "witness").iterdir()
    copy = tmp_path / "copy"
    copy.write_bytes(kept.read_bytes())

    def elsewhere(entries):
        entries[4]["cwd"] = "/somewhere/else"

    Attacker(house).rewrite(elsewhere)

    with_file = gatesh("audit", "--vkey", house.key, "--witness", witness.vkey)
    assert with_file.status == 1 and "forked" in with_file.out
    assert "seen by" not in with_file.out
    kept.unlink()
    cleaned = gatesh("audit", "--vkey", house.key, "--witness", witness.vkey, "--need", "1")
    assert cleaned.status == 0  # half an hour is not yet a day
    from_it = gatesh("audit", "--vkey", house.key, "--witness", witness.vkey, "--head", copy)
    assert from_it.status == 1 and "forked" in from_it.out


def test_a_log_that_no_witness_has_followed_for_long_fails_the_policy(house, gatesh, witness, seen):
    """
    Silence of the witnesses is what a cut connection looks like, and what an attacker needs.
    """
    needed = ("audit", "--vkey", house.key, "--witness", witness.vkey, "--need", "1")
    assert gatesh(*needed).status == 0
    with house.open() as ledger:
        house.now += timedelta(days=1)
        day(house, ledger)

    said = gatesh(*needed)

    assert said.status == 1 and f"unwitnessed entry {seen}" in said.out
    assert gatesh(*needed[:-2]).status == 0  # nobody asked for one


def test_a_cosignature_that_does_not_hold_is_no_evidence(house, gatesh, witness, seen):
    (kept,) = (house.directory / "witness").iterdir()
    data = bytearray(kept.read_bytes())
    data[-20] ^= 1
    kept.write_bytes(data)

    said = gatesh("audit", "--vkey", house.key, "--witness", witness.vkey)

    assert said.status == 1 and "cosignature-invalid" in said.out and "seen by" not in said.out


def test_a_witness_that_nobody_vouched_for_counts_for_nothing(house, gatesh, witness, seen):
    """
    Whoever writes the log could write the witness too: its key must come from elsewhere.
    """
    said = gatesh("audit", "--vkey", house.key)
    assert said.status == 0 and "witness-unknown" in said.out and "seen by" not in said.out

    other = Witness("witness.example/other", b"o" * 32)
    other.stop()
    said = gatesh("audit", "--vkey", house.key, "--witness", other.vkey)
    assert "witness-unknown" in said.out and "seen by" not in said.out


def test_a_log_whose_clock_runs_ahead_is_shown_by_the_witness(house, gatesh, witness):
    witness.clock = lambda: house.now.timestamp() - 3600
    with house.open() as ledger:
        ledger.append(house.beginning())
        ask(asking(house, ledger, witness))

    said = gatesh("audit", "--vkey", house.key, "--witness", witness.vkey)

    assert said.status == 0 and "witness-clock" in said.out


# ---- what others can check of it, without the log -----------------------------------


def test_a_proof_of_one_entry_carries_the_cosignatures(house, gatesh, witness, seen, tmp_path):
    """
    With the keys of log and witness a stranger knows, offline, that the entry was there by then.
    """
    proof = tmp_path / "p"
    proof.write_text(gatesh("audit", "proof", "5").out)
    known = ("audit", "check", proof, "--vkey", house.key, "--witness", witness.vkey)

    said = gatesh(*known)
    assert said.status == 0 and f"seen by witness {witness.name}: {seen} entries" in said.out
    late = tmp_path / "late"
    late.write_text(gatesh("audit", "proof", str(seen)).out)  # after what the witness has seen
    said = gatesh("audit", "check", late, "--vkey", house.key, "--witness", witness.vkey)
    assert said.status == 0 and "seen by" not in said.out

    text = proof.read_text()
    proof.write_text(text[:-20] + ("A" if text[-20] != "A" else "B") + text[-19:])
    assert gatesh(*known).status == 1


def test_a_report_carries_what_the_witness_saw(house, gatesh, witness, seen, tmp_path):
    out = tmp_path / "r"
    day_of = ("--from", "2030-01-02", "--to", "2030-01-02")
    done = gatesh("report", *day_of, "--out", out, "--witness", witness.vkey)
    assert done.status == 0, done.err
    assert f"{witness.name} ({seen}, " in (out / "report.html").read_text()

    said = gatesh("audit", "check", out, "--vkey", house.key, "--witness", witness.vkey)
    assert said.status == 0 and f"seen by witness {witness.name}: {seen} entries" in said.out

    (path,) = (out / "witness").glob("*.consistency")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    reseal(out)
    said = gatesh("audit", "check", out, "--vkey", house.key, "--witness", witness.vkey)
    assert said.status == 1 and "not the one that" in said.out
