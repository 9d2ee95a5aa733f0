"""The writer under fire: real processes, real kills, real full disks, injected errors."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gatesh import document
from gatesh.broker import logs
from gatesh.config import Config, Places
from gatesh.ledger import onelog as audit_module
from gatesh.ledger.audit import audit
from gatesh.ledger.merkle import Head, verify_consistency
from gatesh.ledger.note import Checkpoint
from gatesh.ledger.store import LedgerFull
from gatesh.ledger.tiles import needed
from gatesh.ledger.transcripts import removals

from . import heir, pruner
from .c2sp_reader import read
from .ledger_world import House, roster

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture(autouse=True)
def nobody_writes(monkeypatch):
    monkeypatch.setattr(audit_module, "PATIENCE_S", 0)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "state", now=datetime.now(timezone.utc))


def start(house: House, count: int, *before: str, **given) -> subprocess.Popen[str]:
    split = [str(given.pop("split"))] if given.get("split") else []
    given.pop("split", None)
    command = [*before, sys.executable, str(WRITER), str(house.state), str(count), *split]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **given
    )


def heads(output: str) -> list[Head]:
    """The heads that were acknowledged; a last line cut by the kill is not one."""
    found = re.findall(r"^(\d+) ([0-9a-f]{64})\n", output, re.MULTILINE)
    return [Head(int(size), bytes.fromhex(root)) for size, root in found]


def holds(house: House, acknowledged: list[Head]) -> None:
    """Open the log as the next broker would, and check that nothing acknowledged is lost."""
    with house.open() as ledger:
        for head in acknowledged:
            assert verify_consistency(head, ledger.head, ledger.consistency(head.size))
        ledger.append([{"type": "heartbeat"}])
        size = ledger.head.size
    report = house.audit(*acknowledged)
    assert report.ok, [f for f in report.findings if f.severity == "error"]
    assert {f.code for f in report.findings if f.severity == "warning"} <= {
        "blob-extra",
        "clock-step",
    }
    assert read(house.directory)[0] == size


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(house: House):
    """
    kill -9 in a loop on one log that grows; every head ever printed must stay true.
    """
    chance = random.Random(7)
    acknowledged: list[Head] = []
    for _ in range(12):
        writer = start(house, 10_000)
        assert writer.stdout is not None
        first = [writer.stdout.readline() for _ in range(chance.randint(1, 9))]
        time.sleep(chance.random() * 0.005)
        writer.send_signal(signal.SIGKILL)
        output = "".join(first) + writer.communicate()[0]
        acknowledged += heads(output)
        holds(house, acknowledged[-200:])
    assert len(acknowledged) > 12


def test_of_two_writers_one_is_refused_in_words(house: House):
    writer = start(house, 100_000)
    assert writer.stdout is not None
    writer.stdout.readline()
    try:
        second = start(house, 1)
        output, _ = second.communicate()
    finally:
        writer.kill()
        writer.communicate()

    assert second.returncode == 125
    assert f"another gatesh broker (process {writer.pid})" in output


def test_an_audit_beside_a_writing_broker_raises_no_alarm(house: House):
    """
    The auditor does not have to stop the machine that is audited.
    """
    audit_module.PATIENCE_S = 30  # as long as a round may take here
    writer = start(house, 100_000)
    assert writer.stdout is not None
    writer.stdout.readline()
    try:
        sizes = []
        for _ in range(25):
            report = house.audit()
            bad = [f for f in report.findings if f.severity != "info" and f.code != "blob-extra"]
            assert bad == []
            sizes.append(report.entries)
    finally:
        writer.kill()
        writer.communicate()
    assert sizes == sorted(sizes) and sizes[-1] > sizes[0]


def test_a_file_size_limit_refuses_cleanly(house: House):
    """
    EFBIG stands for every kind of "no room": the round is taken back, the log stays sound.
    """
    limit = (3000, 3000)
    writer = start(house, 1000, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    output, errors = writer.communicate()

    assert "refused LedgerFull" in output, errors
    holds(house, heads(output))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_file_system_refuses_and_the_reserve_is_there(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1300k,mode=700", "none", str(place)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        house = House(place / "state", now=datetime.now(timezone.utc))
        output, errors = start(house, 5000).communicate()
        assert "refused LedgerFull" in output or "could not be kept" in output, errors
        acknowledged = heads(output)
        (place / "filler").write_bytes(b"")
        with house.open() as ledger:
            fill(place / "filler")
            with pytest.raises(LedgerFull):
                ledger.append([{"type": "broker.started", "version": "0", "boot_id": "b",
                                "pid": 7, "clean": True}])  # fmt: skip
            # The reserve is given up for what ends something, and only for that.
            ledger.append([{"type": "broker.stopped", "version": "0", "boot_id": "b", "pid": 7}])
            fill(place / "filler")
            with pytest.raises(LedgerFull):
                ledger.append([{"type": "heartbeat"}])
            subprocess.run(["mount", "-o", "remount,size=8m", str(place)], check=True)
            ledger.append([{"type": "heartbeat"}])
            assert (house.directory / ".reserve").stat().st_size == 1 << 20
        holds(house, acknowledged)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(path: Path) -> None:
    """Take what is left of a file system."""
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


# ---- every system call in turn -----------------------------------------------------

CALLS = (
    "openat,mkdirat,write,fsync,fdatasync,renameat,renameat2,rename,unlinkat,"
    "ftruncate,fallocate,flock,pread64,close"
)
ERRORS = {"write": ("ENOSPC", "EIO"), "fsync": ("EIO",), "fdatasync": ("EIO", "EDQUOT")}


def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return done.returncode == 0


def traced_calls(state: Path, command: list[str]) -> list[str]:
    """The system calls of *command* that touch the state, in order: name and number."""
    log = state.parent / "trace"
    tracer = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={CALLS}"]
    subprocess.run([*tracer, *command], capture_output=True, check=False)
    counted: dict[str, int] = {}
    found = []
    for line in log.read_text().splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if match is None:
            continue
        counted[match[1]] = counted.get(match[1], 0) + 1
        if str(state) in line:
            found.append(f"{match[1]}:{counted[match[1]]}")
    return [call for call in found if not call.startswith(("close", "pread64"))]


def faults_of(calls: list[str], seed: str, sample: int) -> list[tuple[str, str]]:
    """Every call with a kill, and with each error it can have; a sample unless all are wanted."""
    faults = [(c, f"signal=KILL:when={c.split(':')[1]}") for c in calls]
    for call in calls:
        for error in ERRORS.get(call.split(":")[0], ("ENOSPC", "EIO")):
            faults.append((call, f"error={error}:when={call.split(':')[1]}"))
    if os.environ.get("GATESH_FIRE") == "all":
        return faults
    return random.Random(seed).sample(faults, sample)


def survive(
    faults: list[tuple[str, str]],
    fresh_copy: Callable[[], None],
    command: list[str],
    check: Callable[[str], None],
) -> None:
    """Run *command* with each fault on a fresh copy; *check* is given what it acknowledged."""
    fallen = []
    for call, fault in faults:
        fresh_copy()
        name = call.split(":")[0]
        inject = ["-e", f"trace={name}", "-e", f"inject={name}:{fault}"]
        said = ""
        try:
            done = subprocess.run(
                ["strace", "-f", "-o", "/dev/null", *inject, *command],
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            said = done.stdout
            assert "Traceback" not in done.stderr, done.stderr
            check(said)
        except Exception as problem:  # all of them are told, not only the first
            fallen.append((call, fault, repr(problem), said))
    assert not fallen, "\n".join(map(str, fallen))


@pytest.mark.skipif(not strace_works(), reason="strace cannot trace here")
@pytest.mark.parametrize("first", ["fresh", "grown", "torn", "rotating"])
def test_an_error_or_a_kill_at_each_system_call_leaves_a_sound_log(tmp_path, first, monkeypatch):
    """
    Nothing acknowledged is lost, and no half state needs a person, wherever it stops.

    A sample by default; `GATESH_FIRE=all` tries every call with every error.
    """
    count, split = (2, 256) if first == "rotating" else (1, None)
    if split is not None:
        for module in ("journal", "recovery", "reading", "store", "onelog"):
            monkeypatch.setattr(f"gatesh.ledger.{module}.SPLIT", split)
    original = House(tmp_path / "state", now=datetime.now(timezone.utc))
    if first != "fresh":
        with original.open() as ledger:
            ledger.append([{"type": "heartbeat"}] * 253)
    if first == "torn":
        with (original.directory / "log.jsonl").open("ab") as file:
            file.write(b'{"n":254,"torn')
    command = [sys.executable, str(WRITER), str(original.state), str(count)]
    command += [str(split)] if split else []
    with restored(original.state) as fresh_copy:
        calls = traced_calls(original.state, command)
        faults = faults_of(calls, first, 8)
        survive(faults, fresh_copy, command, lambda said: holds(original, heads(said)))


@contextlib.contextmanager
def restored(state: Path) -> Iterator[Callable[[], None]]:
    """Lend what puts *state* back as it is now."""
    kept = state.with_name("kept")
    shutil.copytree(state, kept)

    def fresh_copy() -> None:
        shutil.rmtree(state)
        shutil.copytree(kept, state)

    yield fresh_copy


@pytest.mark.skipif(not strace_works(), reason="strace cannot trace here")
@pytest.mark.parametrize("first", ["closing", "succeeding"])
def test_an_error_or_a_kill_while_a_log_is_succeeded_leaves_a_chain(tmp_path, first):
    """
    Closing, putting away, taking the next key, beginning: at any of them the next start goes on.
    """
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    if first == "succeeding":  # finished, and nothing done about it yet
        places = Places(tmp_path, state, tmp_path)
        key, ledger = logs.open_log(places, Config(), clock)
        ledger.append([heir.LAW])
        ledger.close(heir.STOPPED, logs.closing_entry(places, Config(), key))
    command = [sys.executable, heir.__file__, str(state), "1"]
    with restored(state) as fresh_copy:
        calls = traced_calls(state, command)
        faults = faults_of(calls, first, 3)
        survive(faults, fresh_copy, command, lambda said: goes_on(state, said))


@pytest.mark.skipif(not strace_works(), reason="strace cannot trace here")
def test_an_error_or_a_kill_while_transcripts_are_removed_explains_what_is_missing(tmp_path):
    """
    The log says what goes before it goes, and the next start removes the rest of it.
    """
    state = tmp_path / "state"
    then = clock().replace(microsecond=0) - timedelta(days=7)
    house = House(state, now=then, roster=roster(then))
    key = state / "log.key"
    key.write_text(f"gatesh-log-key/v1 file {house.key.name}\n{bytes(house.signing).hex()}\n")
    key.chmod(0o600)
    house.live()
    with restored(state) as fresh_copy:

        def age() -> None:
            fresh_copy()
            for path in (state / "blobs").rglob("*"):
                os.utime(path, (1, 1))

        command = [sys.executable, pruner.__file__, str(state)]
        age()
        calls = traced_calls(state, command)
        survive(faults_of(calls, "removing", 3), age, command, lambda _: removed(house))


def removed(house: House) -> None:
    """Whatever is missing was listed; the next broker removes what is listed and still there."""
    old = {b"README\n", b"Apply complete!\n", b"Wed\n"}
    for again in (False, True):
        if again:
            command = [sys.executable, pruner.__file__, str(house.state)]
            subprocess.run(command, check=True, capture_output=True)
        listed = {sha for one in removals(house.state) for sha in one["removed"]}
        gone = {sha for sha in map(document.sha256, old) if not house.blobs.has(sha)}
        assert gone <= listed, again
        assert not again or len(gone) == len(old)
    assert not list(house.state.rglob("*.gone")) and not (house.state / "removing").exists()
    house.now = clock()
    report = house.audit()
    assert {f.code for f in report.findings if f.severity == "error"} == {
        "removal-unapproved", "transcript-missing",  # nobody was asked here
    }  # fmt: skip


def clock() -> datetime:
    return datetime.now(timezone.utc)


def goes_on(state: Path, output: str) -> None:
    """Open the log as the next broker would; all that was acknowledged is in the chain."""
    _, ledger = logs.open_log(Places(state.parent, state, state.parent), Config(), clock)
    with ledger:
        ledger.append([{"type": "heartbeat"}])
    acknowledged = re.findall(r"^(\S+) (\d+) ([0-9a-f]{64})\n", output, re.MULTILINE)
    report = audit(
        state,
        known_heads=[
            Checkpoint(origin, Head(int(size), bytes.fromhex(root)))
            for origin, size, root in acknowledged
        ],
    )
    assert report.ok, [f for f in report.findings if f.severity == "error"]
    assert {f.code for f in report.findings if f.severity == "warning"} <= {"clock-step"}


def test_a_checkpoint_is_never_without_its_tiles(house: House):
    """
    A reader beside the writer, and whoever copies the directory after a kill, has all that the
    checkpoint in force needs: only a newer checkpoint makes the tiles of an older one go.
    """
    checkpoint = house.directory / "checkpoint"
    seen, before = set(), b""
    house.open().close()
    for life in range(3):
        with start(house, 100_000) as writer:
            deadline = time.monotonic() + 20
            enough = len(seen) + 40
            while len(seen) < enough:
                assert time.monotonic() < deadline, "the writer does not write"
                try:
                    before = checkpoint.read_bytes()
                    seen.add(read(house.directory)[0])
                except FileNotFoundError:
                    if checkpoint.exists():
                        assert checkpoint.read_bytes() != before
            writer.kill()

        assert read(house.directory)[0] >= max(seen)
        with house.open() as ledger:
            size = ledger.head.size
            here = [p for p in (house.directory / "tile").rglob("*") if p.is_file()]
            found = {str(p.relative_to(house.directory)) for p in here}
            assert found == {tile.path for tile in needed(size)}, life
