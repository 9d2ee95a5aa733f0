"""Bad input gets a clear error, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.world import RULES, brokers_of, until


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [", "ours.yaml"),
        (RULES.replace("'^guarded\\b'", "'(?=look)ahead'"), "tests.guarded"),
        (RULES.replace("tests.forbidden", "tests.guarded"), "tests.guarded"),
        (RULES.replace("verdict: deny", "verdict: maybe"), "tests.forbidden"),
        ("pack: x\nrules:\n  - {id: x.y}\n", "x.y"),
    ],
    ids=[
        "broken YAML",
        "a pattern RE2 refuses",
        "an id twice",
        "no such verdict",
        "fields missing",
    ],
)
def test_rules_that_cannot_be_used_make_everything_wait(world, text, says):
    """
    Fail closed: rules nobody can read may have asked for more than the shipped ones do.
    """
    world.rules(text, "ours.yaml")
    world.settings("hold: 0\n")

    done = world.gatesh("-c", "echo harmless")

    assert done.status == 75 and done.out == b""
    test = world.gatesh("rules", "test")
    assert test.status == 78
    assert says in test.words


def test_rules_that_break_later_leave_the_last_good_ones_in_force(world):
    world.set_up()
    world.gatesh("-c", "true")

    world.rules("rules: [")

    assert world.gatesh("-c", "echo harmless").out == b"harmless\n"
    assert world.gatesh("-c", "forbidden").status == 126
    assert "problem" in world.entries("law.edited")[-1]
    assert world.gatesh("doctor").status == 1


def test_all_problems_of_all_files_are_told_at_once(world):
    world.rules(RULES.replace("verdict: deny", "verdict: maybe"), "a.yaml")
    world.rules("pack: b\nrules: 5\n", "b.yaml")

    said = world.gatesh("rules", "test").words

    assert "a.yaml" in said and "b.yaml" in said


def test_rules_that_others_could_write_are_refused(world):
    world.rules().chmod(0o666)

    done = world.gatesh("rules", "list")

    assert done.status == 78
    assert "tests.yaml" in done.words and "chmod" in done.words


def test_settings_that_make_no_sense(world):
    world.settings("hold: soon\nshels: {}\n")

    done = world.gatesh("-c", "echo never")

    assert done.status == 78 and done.out == b""
    assert "hold: give a time like" in done.words and "shels: no such setting" in done.words


def test_an_id_that_is_none(world):
    world.set_up()
    tried = {
        "show": ["00000000", "../../etc/passwd", "ünïcödé"],
        "approve": ["k7q2-m9xd"],
        "cancel": [""],
        "replay": ["k7q2"],
    }

    for word, id in ((word, id) for word, ids in tried.items() for id in ids):
        done = world.gatesh(word, id)
        assert done.status == 1, (word, id, done.words)
        assert done.words.startswith("gatesh: error:") and "gatesh: hint:" in done.words


def test_a_request_nobody_answered_in_time(world):
    world.rules(RULES.replace("reason: does", "approve: {within: 1s}\n    reason: does"))
    world.gatesh("init", "--me", "alice@example.com")
    world.enrol("bob")

    done = world.gatesh("-c", "guarded")

    assert done.status == 75
    assert "EXPIRED request" in done.words
    until(lambda: bool(world.entries("request.expired")))
    (expired,) = world.entries("request.expired")
    (opened,) = world.entries("request.opened")
    same = ("id", "revision", "request_sha256")
    assert [expired[name] for name in same] == [opened[name] for name in same]
    assert world.approve(expired["id"]).status == 126


def test_a_command_that_is_not_utf8(world):
    """
    Bytes that are not text never reach the regex engine: a person decides.
    """
    world.set_up()
    asking = world.start("-c", b"printf '%s' '\xff\xfe'")

    world.approve(world.waiting())

    assert asking.end().out == b"\xff\xfe"


def test_a_script_of_a_megabyte(world):
    """
    More than can be looked through with certainty: somebody has to say yes, then all of it runs.
    """
    world.set_up()
    script = world.work / "long.sh"
    script.write_text("echo line\n" * 100_000 + "exit 7\n")
    asking = world.start("long.sh")

    world.approve(world.waiting())
    done = asking.end()

    assert done.status == 7 and done.out == b"line\n" * 100_000


def test_a_script_that_is_too_long_to_review(world):
    script = world.work / "huge.sh"
    script.write_bytes(b"#" * (17 << 20))

    done = world.gatesh("huge.sh")

    assert done.status == 125
    assert "larger than 16 MiB" in done.words and "cannot be read" in done.words


def test_a_script_with_nul_bytes_waits(world):
    world.settings("hold: 0\n")
    world.set_up()
    (world.work / "nul.sh").write_bytes(b"echo a\0b\n")

    assert world.gatesh("nul.sh").status == 75


def test_a_script_that_is_not_there(world):
    done, bash = world.gatesh("missing.sh"), world.bash("missing.sh")

    assert done.status == bash.status == 127
    assert b"missing.sh: No such file or directory" in done.err


def test_no_home_at_all(world):
    """
    codex with `inherit = "none"` strips everything, PATH and HOME too.
    """
    asking = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "gatesh"), "-c", "echo $0 ok"],
        env={"GATESH_HOME": str(world.home)},
        capture_output=True,
        cwd="/",
    )

    assert (asking.returncode, asking.stdout) == (0, b"bash ok\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_home_that_cannot_be_written(world):
    world.base.chmod(0o500)
    done = world.gatesh("-c", "echo never")
    world.base.chmod(0o700)

    assert done.status in (78, 125) and done.out == b""
    assert "GATESH_HOME" in done.words


def test_a_home_that_is_a_file(world):
    world.home.write_text("")

    done = world.gatesh("-c", "echo never")

    assert done.status in (78, 125) and done.out == b""
    assert "gatesh: hint:" in done.words


@pytest.mark.parametrize("damage", ["changed", "shorter", "no checkpoint"])
def test_a_log_that_was_tampered_with_stops_everything(world, damage):
    """
    The broker refuses to start until a person has looked.
    """
    world.gatesh("-c", "echo one")
    os.kill(world.broker(), signal.SIGKILL)
    until(lambda: not brokers_of(world.home))
    log = world.state / "ledger" / "log.jsonl"
    if damage == "changed":
        log.write_bytes(log.read_bytes().replace(b"echo one", b"echo two"))
    elif damage == "shorter":
        log.write_bytes(b"".join(log.read_bytes().splitlines(True)[:-2]))
    else:
        (world.state / "ledger" / "checkpoint").unlink()

    done = world.gatesh("-c", "echo never")

    assert done.status == 125 and done.out == b""
    assert "gatesh audit" in done.words
    assert world.gatesh("audit").status == 1


def test_a_full_disk_stops_work_and_opens_no_gap(world):
    """
    The log cannot grow: nothing runs. Room comes back: it goes on, and the audit is content.
    """
    world.gatesh("-c", "true")
    broker = world.broker()
    size = (world.state / "ledger" / "log.jsonl").stat().st_size
    subprocess.run(["prlimit", f"--pid={broker}", f"--fsize={size}:"], check=True)

    done = world.gatesh("-c", "echo never")
    assert done.status == 125 and done.out == b""
    assert "gatesh: error:" in done.words

    subprocess.run(["prlimit", f"--pid={broker}", "--fsize=unlimited:"], check=False)
    assert world.gatesh("-c", "echo again").out == b"again\n"
    assert world.audit()["ok"]


def test_a_missing_log_key_makes_no_second_one(world):
    world.gatesh("-c", "true")
    world.gatesh("broker", "stop")
    (world.state / "log.key").unlink()

    done = world.gatesh("-c", "echo never")

    assert done.status == 125 and "log.key is missing" in done.words


def test_an_unknown_way_of_calling_waits_and_shows_itself(world):
    """
    Never passed through, never a crash.
    """
    world.settings("hold: 0\n")
    world.set_up()

    done = world.gatesh("--rpm-requires", "x")

    assert done.status in (2, 75)
    assert not world.entries("command.started") or done.status == 2


def test_a_terminal_session_is_not_passed_ungated(world):
    world.set_up()
    world.gatesh("-c", "true")

    done = world.gatesh("-i", stdin=subprocess.DEVNULL)

    assert done.status == 125
    assert "only bash is served" in done.words


def test_a_command_whose_record_breaks_is_stopped_and_says_so(world):
    """
    The transcript cannot be written any more: not a byte is shown that is not recorded.
    """
    world.gatesh("-c", "true")
    shutil.rmtree(world.state / "running")
    (world.state / "running").write_text("")

    done = world.gatesh("-c", "touch began; echo never shown; sleep 60; echo never")

    assert done.status == 125 and done.out == b""
    assert "can no longer be recorded" in done.words
    assert (world.work / "began").exists()
    assert world.entries("command.finished")[-1]["signal"] == 9


def test_a_script_that_is_a_pipe_is_not_run_unread(world):
    """
    What comes out of it after we have looked is whatever somebody puts in.
    """
    world.settings("hold: 0\n")
    world.set_up()
    os.mkfifo(world.work / "pipe")

    named, nested = world.gatesh("./pipe"), world.gatesh("-c", "bash ./pipe")

    assert named.status == 125 and "not a regular file" in named.words
    assert nested.status == 75
