"""Every kind of damage is found, and called by its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest

from gatesh import document
from gatesh.ledger import onelog as audit_module
from gatesh.ledger.merkle import Head

from .attacker import Attacker
from .ledger_world import ALICE, BOB, House


@pytest.fixture(autouse=True)
def nobody_writes(monkeypatch):
    """The audit waits a moment for a broker that might be writing; here there is none."""
    monkeypatch.setattr(audit_module, "PATIENCE_S", 0)


def test_an_honest_log_has_nothing_to_find(house: House):
    """
    No false alarms, or nobody reads the true ones.
    """
    house.live()

    report = house.audit()

    assert report.ok
    assert {f.code for f in report.findings} == {"log-open"}
    assert (report.requests, report.signatures) == (1, 1)
    assert report.seen_by == {BOB: 10}
    assert report.protected_until == 10
    assert report.transcripts_bytes == sum(
        len(x) for x in (b"README\n", b"Apply complete!\n", b"Wed\n")
    ) + len(b'[0.1,"o",7]\n' + b'[0.1,"o",16]\n' + b'[0.1,"o",4]\n')


# ---- whoever can write the files, but has no key ---------------------------

# fmt: off
WITHOUT_KEY: dict[str, tuple[Callable[[Attacker], object], str]] = {
    "the last entry cut off":         (lambda a: a.cut_at_record(),                   "cut-at-record"),
    "cut inside the last entry":      (lambda a: a.cut_inside_record(),               "cut-inside-record"),
    "an emptied journal":             (lambda a: a.put([]),                           "cut-at-record"),
    "no journal at all":              (lambda a: a.log.unlink(),                      "cut-at-record"),
    "an entry taken out":             (lambda a: a.remove(5),                         "entries-missing"),
    "two entries in other order":     (lambda a: a.swap(5),                           "entries-reordered"),
    "an entry given twice":           (lambda a: a.duplicate(5),                      "entry-duplicated"),
    "a word of the same length":      (lambda a: a.replace(b"/srv/app", b"/srv/xyz"), "entry-changed"),
    "a time moved":                   (lambda a: a.replace(b"T12:00:05", b"T12:00:04"), "entry-changed"),
    "a line that is not JSON":        (lambda a: a.replace(b'{"cwd', b'["cwd'),       "entry-malformed"),
    "spaces inside a line":           (lambda a: a.replace(b'","n":4', b'", "n":4'),  "entry-malformed"),
    "lines behind the checkpoint":    (lambda a: a.append(a.lines()[-1]),             "unacknowledged-tail"),
    "no checkpoint":                  (lambda a: a.checkpoint.unlink(),               "checkpoint-missing"),
    "a checkpoint that says nothing": (lambda a: a.checkpoint.write_text("x — "),   "checkpoint-malformed"),
    "no signature":                   (lambda a: a.unsign(),                          "checkpoint-unsigned"),
    "signed with a key of that name": (lambda a: a.sign_with_another_key_of_the_same_name(), "checkpoint-wrong-key"),
    "signed by somebody else":        (lambda a: a.sign_as_somebody_else(),           "checkpoint-unknown-key"),
    "another key beside the log":     (lambda a: (a.house.directory / "vkey").write_text("x"), "vkey-changed"),
    "a link in place of the journal": (lambda a: link(a.log),                         "not-a-file"),
    "a fifo in place of checkpoint":  (lambda a: fifo(a.checkpoint),                  "not-a-file"),
    "a transcript gone":              (lambda a: a.blob(b"README\n").unlink(),        "transcript-missing"),
    "a transcript shortened":         (lambda a: a.blob(b"README\n").write_bytes(b"RE"), "transcript-changed"),
    "a transcript with other words":  (lambda a: a.blob(b"README\n").write_bytes(b"README!"), "transcript-changed"),
    "a link in place of a transcript": (lambda a: link(a.blob(b"README\n")),          "transcript-missing"),
    "a blob nobody names":            (lambda a: a.house.blobs.put(b"extra"),         "blob-extra"),
    "a file of another log":          (lambda a: (a.house.directory / "log.000007.jsonl").touch(), "stray-file"),
    "a tile with other hashes":       (lambda a: flip(tile(a, "tile/0")),             "tile-wrong"),
    "a bundle with other entries":    (lambda a: flip(tile(a, "tile/entries")),       "tile-wrong"),
    "no tiles":                       (lambda a: shutil.rmtree(a.house.directory / "tile"), "tile-missing"),
    "a tile too many":                (lambda a: (tile(a, "tile/0").parent / "200").touch(), "tile-stray"),
}
# fmt: on


def link(path):
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def flip(path):
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def tile(attacker: Attacker, level: str):
    return next(p for p in (attacker.house.directory / level).rglob("*") if p.is_file())


@pytest.mark.parametrize(("attack", "code"), WITHOUT_KEY.values(), ids=WITHOUT_KEY.keys())
def test_without_the_key_damage_is_found(house: House, attack, code):
    house.live()

    attack(Attacker(house))

    report = house.audit()
    assert code in {f.code for f in report.findings}
    assert report.ok == (
        code in ("unacknowledged-tail", "blob-extra", "stray-file", "tile-missing", "tile-stray")
    )


def test_a_changed_entry_is_named_exactly(house: House):
    """
    Tiles are not only for strangers: they say which of a thousand lines was touched.
    """
    house.live()

    Attacker(house).replace(b'"script":"date"', b'"script":"dirs"')

    changed = [f.index for f in house.audit().findings if f.code == "entry-changed"]
    assert changed == [13]


def test_a_changed_blob_names_the_entries_that_rest_on_it(house: House):
    house.live()
    attacker = Attacker(house)
    finished = next(
        i for i, line in enumerate(attacker.lines()) if document.sha256(b"Wed\n").encode() in line
    )

    attacker.blob(b"Wed\n").write_bytes(b"Thu\n")

    found = [f for f in house.audit().findings if f.code == "transcript-changed"]
    assert [f.index for f in found] == [finished]


def test_a_file_that_approvers_were_shown_is_evidence_too(house: House):
    """
    No entry names it, the request does: it is not extra, and no other bytes may take its place.
    """
    shown = {"path": "deploy.sh", "sha256": house.blobs.put(b"make deploy\n"), "size": 12}
    with house.open() as ledger:
        ledger.append(house.beginning())
        house.approved_run(ledger, "cccccccc", files=[shown])
    assert house.codes() == set()

    Attacker(house).blob(b"make deploy\n").write_bytes(b"make deplay\n")

    assert house.codes() == {"blob-changed"}


def test_an_old_copy_of_everything_is_shown_by_a_head_from_outside(house: House, tmp_path):
    """
    A backup put back is a perfect log; only somebody who saw more can tell.
    """
    house.live()
    shutil.copytree(house.state, tmp_path / "backup")
    with house.open() as ledger:
        ledger.append([{"type": "heartbeat"}])
        seen = ledger.head
    shutil.rmtree(house.state)
    shutil.copytree(tmp_path / "backup", house.state)

    assert house.audit().ok
    assert house.codes(seen) == {"older-than-known-head"}


def test_flipping_any_byte_of_a_small_log_is_found(house: House):
    """
    No byte of the evidence is without meaning.
    """
    with house.open() as ledger:
        ledger.append(house.beginning()[:2])
    files = [
        p for p in house.directory.rglob("*") if p.is_file() and p.name not in (".lock", ".reserve")
    ]
    assert len(files) == 5

    for path in files:
        sound = path.read_bytes()
        for at in range(len(sound)):
            altered = bytearray(sound)
            altered[at] ^= 0x01
            path.write_bytes(altered)
            report = house.audit()
            assert not report.ok, (path.name, at)
        path.write_bytes(sound)
    assert house.audit().ok


# ---- whoever has the key of the log as well ---------------------------------


def index_of(type: str, nth: int = 0):
    def find(entries):
        return [i for i, e in enumerate(entries) if e["type"] == type][nth]

    return find


def drop(type: str, nth: int = 0, /):
    def change(entries):
        del entries[index_of(type, nth)(entries)]

    return change


def edit(type: str, nth: int = 0, /, **changes):
    def change(entries):
        entries[index_of(type, nth)(entries)].update(changes)

    return change


def insert(after: str, entry):
    def change(entries):
        at = index_of(after)(entries)
        entries.insert(at + 1, {**entries[at], **entry})

    return change


X = "ee" * 32

# fmt: off
WITH_KEY = {
    "an entry dated before its neighbour": (edit("heartbeat", t="2030-01-02T11:00:00.000000Z"), "back-dated"),
    "the clock's step admitted":           (edit("heartbeat", t="2030-01-02T11:00:00.000000Z", clock_back_s=9), "clock-step"),
    "no request for the decision":         (drop("request.opened"), "decision-without-request"),
    "the decision taken out":              (drop("decision.accepted"), "start-without-approval"),
    "a start that names no decision":      (edit("command.started", 1, decisions=[]), "start-without-approval"),
    "a start that names other entries":    (edit("command.started", 1, decisions=[1]), "start-without-approval"),
    "a start with another script":         (edit("command.started", 1, script_sha256=X), "start-other-script"),
    "an allowed start with another script": (edit("command.started", 0, script_sha256=X), "start-other-script"),
    "a denied command that starts":        (edit("command.started", 2, id="bbbbbbbb"), "start-denied"),
    "a start of what was never submitted": (edit("command.started", 2, id="77777777"), "start-unknown"),
    "a verdict turned into allow":         (edit("command.submitted", 2, verdict="allow"), "request-unknown"),
    "from inside what did not run":        (edit("command.submitted", 3, within="77777777"), "within-unknown"),
    "covered by what had ended long ago":  (edit("command.submitted", 3, within="aaaaaaaa", covered=True), "within-unknown"),
    "an approval claimed twice":           (insert("command.started", {"id": "cccccccc"}), "start-unknown"),
    "an end without a start":              (edit("command.finished", id="77777777"), "finish-without-start"),
    "a finished command forgotten":        (drop("command.finished"), "still-running"),
    "a person who did not sign":           (edit("decision.accepted", by="carol@example.com"), "decision-mismatch"),
    "a rejection turned into a yes":       (edit("decision.accepted", decision="reject"), "decision-mismatch"),
    "no roster":                           (drop("roster.loaded"), "roster-missing"),
    "rules nobody loaded":                 (edit("policy.loaded", policy_sha256=X), "policy-unknown"),
    "another script than its digest":      (edit("command.submitted", script="true"), "script-mismatch"),
    "a field missing":                     (lambda es: es[4].pop("cwd") and None, "entry-shape"),
    "a type nobody knows":                 (edit("heartbeat", type="heartburn"), "entry-shape"),
    "no beginning":                        (drop("ledger.opened"), "wrong-log"),
    "opened by another key":               (edit("ledger.opened", vkey="x"), "wrong-log"),
    "opened as another log":               (edit("ledger.opened", origin="x"), "wrong-log"),
    "another log's entries in the middle": (lambda es: es[:6] + es[:3] + es[6:], "wrong-log"),
    "a request opened twice":              (insert("request.opened", {}), "request-duplicate"),
    "an unclean stop":                     (insert("broker.started", {"clean": False}), "unclean-stop"),
    "a stop that nobody wrote":            (insert("broker.started", {}), "stop-unrecorded"),
    "hours of silence":                    (edit("heartbeat", t="2030-01-02T20:00:00.000000Z"), "silence"),
}
# fmt: on


@pytest.mark.parametrize(("change", "code"), WITH_KEY.values(), ids=WITH_KEY.keys())
def test_with_the_key_what_could_not_have_happened_is_found(house: House, change, code):
    house.live()

    Attacker(house).rewrite(change)

    report = house.audit()
    found = {f.code for f in report.findings}
    assert code in found
    assert not found & {"root-mismatch", "tile-wrong", "checkpoint-bad-signature"}


def test_an_entry_behind_the_end_of_a_log_is_found(house: House):
    house.live()

    def change(entries):
        closed = {**entries[-1], "type": "ledger.closed", "origin": "x", "vkey": "y"}
        return [*entries, closed, entries[-1]]

    Attacker(house).rewrite(change)

    assert "entry-after-close" in house.codes()


def test_history_before_an_approval_cannot_be_rewritten_even_with_the_key(house: House):
    """
    Bob signed the root he saw.  Whoever has the log's key does not have his.
    """
    house.live()

    Attacker(house).rewrite(edit("command.finished", exit=1))

    assert "decision-forked-log" in house.codes()


def test_history_after_the_last_approval_is_shown_only_by_a_head_from_outside(house: House):
    """
    This is what `protected_until` says, and why approvers' clients remember heads.
    """
    seen = house.live()

    Attacker(house).rewrite(edit("command.finished", 2, exit=1))

    report = house.audit()
    assert report.ok and report.protected_until == 10
    assert house.codes(seen) == {"forked"}


# ---- people --------------------------------------------------------------


def test_self_approval_is_found_though_the_broker_let_it_pass(house: House):
    with house.open() as ledger:
        ledger.append(house.beginning())
        house.approved_run(ledger, "cccccccc", by=ALICE)

    assert {"self-approval", "start-without-approval"} <= house.codes()


def test_an_approval_by_too_few_is_found(house: House):
    """
    Two were needed; one signed, and the start says so.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        house.approved_run(ledger, "cccccccc", need={"assurance": "key", "quorum": {"any": 2}})

    assert house.codes() == {"start-without-approval"}


def test_two_yeses_of_one_person_are_one(house: House):
    with house.open() as ledger:
        ledger.append(house.beginning())
        script = b"terraform apply"
        request = house.request("cccccccc", script, need={"assurance": "key", "quorum": {"any": 2}})
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        answers = [
            ledger.append([house.decided(request, BOB, ledger.head)])[0]["n"] for _ in range(2)
        ]
        claim = house.started("cccccccc", script, *answers, request=document.sha256(request))
        ledger.append([claim])

    assert "start-without-approval" in house.codes()


def test_an_answer_after_the_time_for_answers_is_found(house: House):
    with house.open() as ledger:
        ledger.append(house.beginning())
        script = b"terraform apply"
        request = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        house.now += timedelta(minutes=16)
        ledger.append([house.decided(request, BOB, ledger.head)])

    assert "reviewed-too-late" in house.codes()


def test_a_review_after_the_run_is_found(house: House):
    """
    Approving what has already happened is not approving.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        script = b"terraform apply"
        request = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        ledger.append([house.started("cccccccc", script, request=document.sha256(request))])
        ledger.append([house.decided(request, BOB, ledger.head)])

    assert {"start-without-approval", "reviewed-too-late"} <= house.codes()


def test_an_approval_used_too_late_is_found(house: House):
    with house.open() as ledger:
        ledger.append(house.beginning())
        script = b"terraform apply"
        request = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        answer = ledger.append([house.decided(request, BOB, ledger.head)])[0]["n"]
        house.now += timedelta(minutes=6)
        claim = house.started("cccccccc", script, answer, request=document.sha256(request))
        ledger.append([claim])

    assert "start-too-late" in house.codes()


def test_an_approval_of_an_older_revision_does_not_carry_a_start(house: House):
    """
    Bob approves, carol asks, the answer makes a new revision: bob has not seen that one.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        script = b"terraform apply"
        first = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(first)])
        ledger.append([house.decided(first, "carol@example.com", ledger.head, "ask")])
        second = house.request("cccccccc", script, revision=2)
        ledger.append([{**house.opened(second), "type": "request.revised"}])
        answer = ledger.append([house.decided(first, BOB, ledger.head)])[0]["n"]
        claim = house.started("cccccccc", script, answer, request=document.sha256(second))
        ledger.append([claim])

    assert {"decision-mismatch", "start-without-approval"} <= house.codes()


def test_a_forged_signature_is_found(house: House):
    with house.open() as ledger:
        ledger.append(house.beginning())
        script = b"terraform apply"
        request = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        ours = house.decided(request, ALICE, ledger.head)
        theirs = house.decided(request, BOB, ledger.head)
        ledger.append([{**theirs, "signature_sha256": ours["signature_sha256"]}])

    assert "decision-invalid" in house.codes()


def test_without_checks_the_report_says_that_signatures_were_not_verified(house: House):
    house.live()

    report = house.audit(checks=None)

    assert "signatures-unchecked" in {f.code for f in report.findings}
    assert (report.signatures, report.seen_by, report.protected_until) == (0, {}, 0)


def test_known_heads_count_as_protection(house: House):
    head = house.live()

    assert house.audit(head).protected_until == head.size
    assert house.audit(Head(3, bytes(32))).ok is False
