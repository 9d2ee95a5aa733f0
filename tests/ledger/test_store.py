"""What the broker can rely on when it appends, and what a crash leaves."""

from __future__ import annotations

import errno
import os
import threading
import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatesh import document
from gatesh.errors import LedgerError, Tampered
from gatesh.ledger import disk, journal, store
from gatesh.ledger.entry import MalformedEntry
from gatesh.ledger.merkle import Head, leaf_hash, verify_consistency, verify_inclusion
from gatesh.ledger.note import open_checkpoint
from gatesh.ledger.store import Ledger, LedgerFull

from .c2sp_reader import read
from .ledger_world import House, log_key

BEAT = {"type": "heartbeat"}


def mode(path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_log_begins_with_its_own_name_and_key(house: House):
    with house.open() as ledger:
        first = next(ledger.entries())

    assert (first["n"], first["type"]) == (0, "ledger.opened")
    assert (first["origin"], first["vkey"]) == (house.key.name, str(house.key))


def test_what_append_returns_is_what_is_stored_and_signed(house: House):
    with house.open() as ledger:
        stored = ledger.append([{**BEAT, "note": "é"}, BEAT])

        assert [e["n"] for e in stored] == [1, 2]
        assert list(ledger.entries(1)) == stored
        assert open_checkpoint(ledger.checkpoint, house.key).head == ledger.head
    lines = (house.directory / "log.jsonl").read_bytes().splitlines()
    assert [document.read(line) for line in lines[1:]] == stored


def test_proofs_hold_against_the_heads_that_were_given_out(house: House):
    with house.open() as ledger:
        heads = [ledger.head]
        for size in (1, 5, 250, 1, 40, 3):
            ledger.append([BEAT] * size)
            heads.append(ledger.head)
        lines = (house.directory / "log.jsonl").read_bytes().splitlines()

        for old in heads:
            assert ledger.root_at(old.size) == old.root
            assert verify_consistency(old, heads[-1], ledger.consistency(old.size))
        for n in (0, 6, 255, 256, 300):
            assert verify_inclusion(leaf_hash(lines[n]), n, ledger.head, ledger.inclusion(n))
        with pytest.raises(IndexError):
            ledger.root_at(heads[-1].size + 1)


def test_nobody_else_can_read_the_log(house: House):
    house.live()

    for path in house.state.rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_appends_at_once_all_get_their_own_place(house: House):
    """
    Many callers share rounds; each gets back its own entries, neighbours as given.
    """
    seen: list[dict] = []
    results: dict[int, list[list[dict]]] = {}
    with house.open(observe=seen.extend) as ledger:

        def work(k: int) -> None:
            results[k] = [ledger.append([{**BEAT, "k": k, "i": i}] * 2) for i in range(20)]

        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        stored = list(ledger.entries(1))
    for k, appended in results.items():
        for i, (a, b) in enumerate(appended):
            assert (a["k"], a["i"], b["k"], b["i"]) == (k, i, k, i)
            assert b["n"] == a["n"] + 1
    assert seen == stored
    assert [e["n"] for e in stored] == list(range(1, 321))


def test_nothing_is_shown_before_a_checkpoint_covers_it(house: House):
    """
    What the broker acts on is what a reader of the directory can already verify.
    """
    sizes = []

    def observe(batch):
        on_disk = (house.directory / "checkpoint").read_bytes()
        sizes.append((batch[-1]["n"] + 1, open_checkpoint(on_disk, house.key).head.size))

    with house.open(observe=observe) as ledger:
        for _ in range(5):
            ledger.append([BEAT])

    assert [a for a, _ in sizes] == [b for _, b in sizes] == [2, 3, 4, 5, 6]


def test_a_second_broker_is_refused_and_told_who_has_the_log(house: House):
    with house.open(), pytest.raises(LedgerError, match=f"process {os.getpid()}"):
        house.open()
    house.open().close()


@pytest.mark.parametrize(
    "bad",
    [
        {"type": "heartbeat", "n": 3},
        {"type": "heartbeat", "x": float("nan")},
        {"type": "heartbeat", "x": object()},
        {"type": "command.lost"},
        {"type": "no.such.type"},
        {},
    ],
)
def test_an_entry_that_an_audit_would_refuse_is_never_written(house: House, bad):
    with house.open() as ledger:
        before = ledger.head
        with pytest.raises(MalformedEntry):
            ledger.append([BEAT, bad])

        assert ledger.head == before
        ledger.append([BEAT])
    assert house.audit().ok


def test_an_entry_too_long_for_a_bundle_is_refused(house: House):
    with house.open() as ledger:
        ledger.append([{**BEAT, "x": "y" * 65_300}])
        with pytest.raises(LedgerError, match="too long"):
            ledger.append([{**BEAT, "x": "y" * 65_535}])


# ---- crashes -----------------------------------------------------------------


@pytest.mark.parametrize("tail", [b"x", b'{"n":1}\n', b'{"n":1}\n{"n":2}\nto', b"\n"])
def test_what_was_never_acknowledged_is_set_aside_and_recorded(house: House, tail):
    """
    A torn write costs nothing that anybody was told about, and nothing is thrown away.
    """
    with house.open() as ledger:
        ledger.append([BEAT])
        before = ledger.head
    with (house.directory / "log.jsonl").open("ab") as file:
        file.write(tail)

    with house.open() as ledger:
        (recovered,) = ledger.entries(2)
        assert verify_consistency(before, ledger.head, ledger.consistency(2))
    assert recovered["type"] == "ledger.recovered"
    assert (recovered["bytes"], recovered["quarantine_sha256"]) == (
        len(tail),
        document.sha256(tail),
    )
    kept = house.directory / "quarantine" / f"2-{document.sha256(tail)}"
    assert kept.read_bytes() == tail
    assert house.audit().ok
    with house.open() as ledger:
        assert ledger.head.size == 3  # said once


def test_a_crash_during_recovery_is_recovered_from(house: House, monkeypatch):
    """
    Killed after the journal was cut and before the entry: the next start still says it.
    """
    house.open().close()
    with (house.directory / "log.jsonl").open("ab") as file:
        file.write(b"torn")
    with monkeypatch.context() as patch:
        patch.setattr(
            Ledger, "append", lambda self, entries: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            house.open()

    with house.open() as ledger:
        assert [e["type"] for e in ledger.entries()] == ["ledger.opened", "ledger.recovered"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "checkpoint").unlink(), "lost its checkpoint"),
        (lambda d: (d / "log.jsonl").write_bytes(b""), "only 0 exist"),
        (lambda d: (d / "log.jsonl").unlink(), "missing"),
        (lambda d: os.truncate(d / "log.jsonl", 400), "only"),
        (lambda d: change(d / "log.jsonl", b'"pid":7', b'"pid":8'), "do not have the root"),
        (lambda d: change(d / "checkpoint", b"\n17\n", b"\n16\n"), "does not hold"),
        (lambda d: (d / "vkey").write_bytes(b"x"), "vkey"),
        (lambda d: (d / "checkpoint").write_bytes(b""), "does not hold"),
    ],
)
def test_a_log_that_was_tampered_with_is_not_written_to(house: House, damage, words):
    """
    The broker stops and says what to run; it never repairs what it did not break.
    """
    house.live()
    damage(house.directory)
    before = {p: p.read_bytes() for p in house.directory.rglob("*") if p.is_file()}

    with pytest.raises(Tampered, match=words) as refusal:
        house.open()

    assert "gatesh audit" in refusal.value.hint
    after = {p: p.read_bytes() for p in house.directory.rglob("*") if p.is_file()}
    assert {p: b for p, b in after.items() if p.name != ".lock"} == {
        p: b for p, b in before.items() if p.name != ".lock"
    }


def change(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def test_an_old_checkpoint_put_back_is_not_taken_for_a_crash(house: House):
    """
    Otherwise whoever can restore one file could have the broker throw history away.
    """
    with house.open() as ledger:
        old = ledger.checkpoint
        for _ in range(3):
            ledger.append([BEAT] * 2000)
    (house.directory / "checkpoint").write_bytes(old)

    with pytest.raises(Tampered, match="older than the log"):
        house.open()


@pytest.mark.parametrize("name", ["log.jsonl", "checkpoint", "vkey"])
def test_a_link_in_place_of_a_file_is_not_followed(house: House, tmp_path, name):
    house.live()
    (house.directory / name).rename(tmp_path / "real")
    (house.directory / name).symlink_to(tmp_path / "real")

    with pytest.raises(LedgerError, match="link"):
        house.open()


def test_a_directory_behind_a_link_is_not_written_to(house: House, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    house.directory.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LedgerError, match="link"):
        house.open()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_directory_others_may_write_to_is_refused(house: House):
    house.live()
    house.directory.chmod(0o770)

    with pytest.raises(LedgerError, match="others may write"):
        house.open()


def test_the_wrong_key_is_refused(house: House, tmp_path):
    house.live()
    other = House(tmp_path / "other", name="other")

    with pytest.raises(Tampered, match="does not hold"):
        house.open(origin=other.key.name, vkey=str(other.key), sign=other.sign)
    with pytest.raises(LedgerError, match="not for"):
        house.open(origin="other")


# ---- the clock ---------------------------------------------------------------


def test_a_clock_that_goes_back_is_admitted_in_the_log(house: House):
    """
    Order is proved by place, not by time; but a false time must not pass silently.
    """
    with house.open() as ledger:
        ledger.append([BEAT])
        house.now -= timedelta(hours=1)
        a, b = ledger.append([BEAT, BEAT])

    assert a["clock_back_s"] == 3599 and "clock_back_s" not in b
    assert house.codes() == {"clock-step"}


def test_a_clock_that_trembles_does_not_turn_the_order_around(house: House):
    with house.open() as ledger:
        (a,) = ledger.append([BEAT])
        house.now -= timedelta(seconds=1.5)
        (b,) = ledger.append([BEAT])

    assert a["t"] == b["t"]
    assert house.codes() == set()


# ---- disks that fail ------------------------------------------------------------


class Disk:
    """Lets a named kind of system call fail from now on."""

    def __init__(self, monkeypatch) -> None:
        self.patch = monkeypatch

    def fails(self, call: str, error: int, only: str = "") -> None:
        real = getattr(os, call)

        def broken(*args, **kwargs):
            target = (
                os.readlink(f"/proc/self/fd/{args[0]}") if isinstance(args[0], int) else args[0]
            )
            if only in os.fsdecode(target):
                raise OSError(error, os.strerror(error))
            return real(*args, **kwargs)

        self.patch.setattr(os, call, broken)

    def works_again(self) -> None:
        self.patch.undo()


@pytest.fixture
def broken_disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.mark.parametrize(
    ("call", "only"),
    [("write", "log.jsonl"), ("write", "checkpoint"), ("write", "tile"), ("rename", "checkpoint")],
)
def test_a_full_disk_refuses_and_space_heals(house: House, broken_disk, call, only):
    """
    Nothing half acknowledged, nothing lost, and no person needed when there is room again.
    """
    with house.open() as ledger:
        ledger.append([BEAT] * 254)
        before = ledger.head
        broken_disk.fails(call, errno.ENOSPC, only)
        with pytest.raises(LedgerFull, match="no space"):
            ledger.append([{**BEAT, "lost": True}] * 9)
        assert ledger.head == before
        broken_disk.works_again()

        ledger.append([BEAT] * 5)

        assert verify_consistency(before, ledger.head, ledger.consistency(before.size))
        assert not any("lost" in e for e in ledger.entries())
    assert house.audit().ok
    assert house.codes() == set()
    assert read(house.directory)[0] == before.size + 5


@pytest.mark.parametrize(
    ("call", "error", "only"),
    [
        ("fdatasync", errno.EIO, "log.jsonl"),
        ("fdatasync", errno.ENOSPC, "log.jsonl"),
        ("fsync", errno.EIO, "checkpoint"),
        ("fsync", errno.EIO, "ledger"),
        ("write", errno.EIO, "log.jsonl"),
    ],
)
def test_a_failing_disk_poisons_the_ledger_until_it_is_opened_again(
    house: House, broken_disk, call, error, only
):
    """
    After a failed fsync the next one may succeed and mean nothing (fsyncgate): no second try.
    """
    with house.open() as ledger:
        broken_disk.fails(call, error, only)
        with pytest.raises(LedgerError) as first:
            ledger.append([BEAT])
        assert not isinstance(first.value, LedgerFull)
        broken_disk.works_again()

        with pytest.raises(LedgerError, match="could not be written"):
            ledger.append([BEAT])
    with house.open() as ledger:
        ledger.append([BEAT])
    assert house.audit().ok


def test_a_signer_that_fails_costs_one_round_only(house: House):
    answers = [None, None, LedgerError("the keyring is locked")]

    def sign(data: bytes) -> bytes:
        failure = answers.pop(0) if answers else None
        if failure:
            raise failure
        return house.sign(data)

    with house.open(sign=sign) as ledger:
        with pytest.raises(LedgerError, match="locked"):
            ledger.append([BEAT])
        ledger.append([BEAT])
        assert ledger.head.size == 2
    assert house.audit().ok


def test_what_began_can_still_be_written_to_its_end_on_a_full_disk(house: House, monkeypatch):
    """
    New commands are refused; the end of a running one uses the reserve.
    """
    full = {"now": True}
    real = store.Reserve.release

    def release(self):
        full["now"] = False
        return real(self)

    def write_all(fd, data):
        if full["now"]:
            raise OSError(errno.ENOSPC, "full")
        return write(fd, data)

    write = disk.write_all
    with house.open() as ledger:
        ledger.append(
            [
                *house.beginning(),
                house.submitted("aaaaaaaa", b"ls"),
                house.started("aaaaaaaa", b"ls"),
            ]
        )
        with monkeypatch.context() as patch:
            patch.setattr(disk, "write_all", write_all)
            patch.setattr(store.Reserve, "release", release)
            patch.setattr(store.Reserve, "take", lambda self: self.held)
            with pytest.raises(LedgerFull):
                ledger.append([BEAT])
            (finished,) = ledger.append([{"type": "command.finished", "id": "aaaaaaaa", "exit": 0,
                                          "seconds": 0.1, "streams": {}}])  # fmt: skip
            with pytest.raises(LedgerFull):
                ledger.append([BEAT])
        ledger.append([BEAT])

    assert finished["n"] == 6
    assert (house.directory / ".reserve").stat().st_size == 1 << 20
    assert house.codes() == set()


def test_an_observer_that_fails_stops_the_writer(house: House):
    """
    Whoever folds the log into state and stumbles must not go on with half a state.
    """

    def observe(batch):
        raise RuntimeError("bug")

    with house.open() as ledger:
        ledger.observe = observe
        with pytest.raises(RuntimeError):
            ledger.append([BEAT])
        with pytest.raises(LedgerError):
            ledger.append([BEAT])


# ---- files of 65,536 entries -----------------------------------------------------


@pytest.fixture
def small_files(monkeypatch):
    """Files of 512 entries, so that a test can fill some."""
    for module in ("journal", "recovery", "reading", "store", "onelog"):
        monkeypatch.setattr(f"gatesh.ledger.{module}.SPLIT", 512)


def test_full_files_get_their_number_and_everything_still_holds(house: House, small_files):
    heads: list[Head] = []
    with house.open() as ledger:
        for size in (510, 1, 1, 7, 504, 600, 500):
            ledger.append([{**BEAT, "x": size}] * size)
            heads.append(ledger.head)
        assert [e["n"] for e in ledger.entries()] == list(range(heads[-1].size))
        assert [e["n"] for e in ledger.entries(1021)] == list(range(1021, heads[-1].size))
        for head in heads:
            assert verify_consistency(head, heads[-1], ledger.consistency(head.size))
    assert {p.name for p in house.directory.glob("log*")} == {
        "log.000000.jsonl", "log.000001.jsonl", "log.000002.jsonl", "log.000003.jsonl", "log.jsonl",
    }  # fmt: skip
    for k in range(4):
        assert (house.directory / journal.numbered(k)).read_bytes().count(b"\n") == 512
    with house.open() as ledger:
        assert ledger.head == heads[-1]
        ledger.append([BEAT])
    assert house.codes(*heads) == set()
    assert read(house.directory)[0] == heads[-1].size + 1


def test_the_last_words_know_everything_that_came_before_them(house: House):
    """
    Threads append until the very end; what is said last is made when nothing can come any more.
    """
    ledger = house.open()
    stored: list[dict] = []

    def write() -> None:
        with pytest.raises(LedgerError, match="closed by its own broker"):
            while True:
                stored.extend(ledger.append([BEAT]))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(stored) < 20:
        time.sleep(0.001)
    ledger.close(ending=lambda: [{**BEAT, "said": ledger.head.size}])
    for thread in threads:
        thread.join()

    with house.open() as again:
        last = list(again.entries())[-1]
    assert last["said"] == last["n"] == max(entry["n"] for entry in stored) + 1


@pytest.mark.parametrize("size", [510, 511, 512])
def test_a_log_is_finished_across_the_end_of_a_file(house: House, small_files, size):
    """
    The last two entries are one append; where a file is full they are two rounds.
    """
    with house.open() as ledger:
        ledger.append([BEAT] * (size - ledger.head.size))
        stopped = {"type": "broker.stopped", "version": "0", "boot_id": "b", "pid": 7}
        ledger.close(stopped, house.closed(House(house.state, "build8")))

    with house.open() as ledger:
        assert ledger.finished and ledger.head.size == size + 2
    assert house.codes() == set()


@pytest.mark.parametrize("size", [511, 512, 513, 1023, 1024, 1025])
def test_a_log_of_any_size_around_the_boundary_opens_again(house: House, small_files, size):
    with house.open() as ledger:
        ledger.append([BEAT] * (size - 1))
        head = ledger.head
    with house.open() as ledger:
        assert ledger.head == head
        ledger.append([BEAT] * 2)
    assert house.codes(head) == set()


def test_a_crash_inside_a_rotation_is_finished_at_the_next_start(
    house: House, small_files, monkeypatch
):
    """
    Between the two renames there is no log.jsonl at all.
    """
    with house.open() as ledger:
        ledger.append([BEAT] * 511)
        real = os.rename

        def rename(old, new, **kwargs):
            if new == "log.jsonl":
                raise KeyboardInterrupt
            real(old, new, **kwargs)

        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises((KeyboardInterrupt, LedgerError)):
            ledger.append([BEAT])
        monkeypatch.setattr(os, "rename", real)
    assert not (house.directory / "log.jsonl").exists()

    with house.open() as ledger:
        assert ledger.head.size == 512
        ledger.append([BEAT])
    assert house.codes() == set()


def test_a_numbered_file_that_is_gone_is_tampering(house: House, small_files):
    with house.open() as ledger:
        ledger.append([BEAT] * 1100)
    (house.directory / "log.000000.jsonl").unlink()

    with pytest.raises(Tampered, match=r"log\.000000\.jsonl is missing"):
        house.open()


# ---- tiles ------------------------------------------------------------------------


@given(st.lists(st.integers(1, 300), max_size=5))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_reader_that_knows_only_c2sp_verifies_every_size(tmp_path_factory, sizes):
    house = House(tmp_path_factory.mktemp("house") / "state")
    with house.open() as ledger:
        for size in sizes:
            ledger.append([BEAT] * size)
            assert read(house.directory)[0] == ledger.head.size


def test_tiles_that_are_lost_or_torn_are_written_again(house: House):
    """
    They are not waited for, so a power cut may take them; the log itself brings them back.
    """
    with house.open() as ledger:
        ledger.append([BEAT] * 600)
    paths = sorted(p for p in (house.directory / "tile").rglob("*") if p.is_file())
    for i, path in enumerate(paths):
        if i % 2:
            path.unlink()
        else:
            os.truncate(path, 0 if path.parent.name in ("0", "1", "entries") else 33)
    (house.directory / "tile/0/002.p/200").write_bytes(b"of another round")

    with house.open():
        pass

    assert read(house.directory)[0] == 601
    assert house.codes() == set()


def test_a_finished_log_takes_no_more_entries(house: House):
    with house.open() as ledger:
        closed = {"type": "ledger.closed", "origin": house.key.name, "vkey": str(house.key)}
        _, next_key = log_key("build8")
        successor = {"origin": next_key.name, "vkey": str(next_key)}
        ledger.append([{**closed, "successor": successor}])
        with pytest.raises(LedgerError, match="finished"):
            ledger.append([BEAT])
    with house.open() as ledger, pytest.raises(LedgerError, match="finished"):
        ledger.append([BEAT])
    assert "log-open" not in {f.code for f in house.audit().findings}
