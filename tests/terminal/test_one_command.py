"""One command on a terminal: whoever looks at the screen cannot tell gatesh from bash."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from tests.terminal.screen import PROMPT, runs
from tests.world import GATESH, until


def test_a_command_finds_a_terminal_of_the_callers_size(screens):
    """Programs lay out their output by it, and turn colours on by it."""

    def scene(shell):
        return screens.start(
            shell, "-c", "tty >/dev/null && echo tty; stty size; echo err >&2; exit 5"
        ).over()

    assert screens.same(scene) == ("tty\n30 400\nerr\n", 5, None)


def test_a_command_finds_the_callers_modes(screens):
    """A caller that has turned echo off for a harness does not get it back on."""

    def scene(shell):
        caller = screens.prompt()
        caller.key("stty -echo erase ^H\r", PROMPT)
        caller.key(f"{shell} -c 'stty -a'\r")
        return caller.until(PROMPT)

    shown = screens.same(scene)
    assert "-echo " in shown
    assert "erase = ^H" in shown


def test_a_question_is_asked_and_answered(screens):
    def scene(shell):
        screen = screens.start(shell, "-c", "read -p 'name? ' x; echo hi $x")
        screen.until("name? ")
        screen.key("bob\r")
        return screen.over()

    assert screens.same(scene) == ("bob\nhi bob\n", 0, None)


def test_a_password_is_not_shown(screens):
    def scene(shell):
        screen = screens.start(
            shell, "-c", "stty -echo; echo -n 'pw: '; read p; stty echo; echo; echo got ${#p}"
        )
        screen.until("pw: ")
        screen.key("secret\r")
        return screen.over()

    assert screens.same(scene)[0] == "\ngot 6\n"


def test_ctrl_c_ends_a_command_as_a_signal(screens):
    def scene(shell):
        screen = screens.start(shell, "-c", "echo rdy; sleep 50; echo no")
        screen.until("rdy\r\n")
        screen.key("\x03")
        return screen.over()

    assert screens.same(scene) == ("^C", None, signal.SIGINT)


def test_ctrl_c_reaches_the_script_that_called(screens):
    """Otherwise a loop of commands goes on with the next one after every Ctrl-C."""

    def scene(shell):
        code = f"for i in 1 2 3; do {shell} -c 'echo rdy; sleep 50'; echo went on; done"
        screen = screens.start("/bin/sh", "-c", code)
        screen.until("rdy\r\n")
        screen.key("\x03")
        return screen.over()

    assert screens.same(scene) == ("^C", None, signal.SIGINT)


def test_a_trap_for_ctrl_c_runs_once(screens):
    def scene(shell):
        screen = screens.start(
            shell,
            "-c",
            "trap 'echo got; n=1' INT; echo rdy; while [ -z $n ]; do sleep .1; done; exit 4",
        )
        screen.until("rdy\r\n")
        screen.key("\x03")
        return screen.over()

    assert screens.same(scene) == ("^Cgot\n", 4, None)


@pytest.mark.parametrize("number", ["TERM", "KILL", "HUP", "USR1"])
def test_death_by_signal_is_passed_on(screens, number):
    _, status, how = screens.same(
        lambda shell: screens.start(shell, "-c", f"kill -{number} $$").over()
    )
    assert (status, how) == (None, signal.Signals[f"SIG{number}"])


def test_a_signal_to_the_pid_that_the_caller_knows_reaches_the_command(screens):
    def scene(shell):
        screen = screens.start(
            shell, "-c", "trap 'echo trapped; exit 7' TERM; echo rdy; while :; do sleep .1; done"
        )
        screen.until("rdy\r\n")
        os.kill(screen.pid, signal.SIGTERM)
        return screen.over()

    assert screens.same(scene) == ("trapped\n", 7, None)


def test_a_changed_window_is_noticed(screens):
    def scene(shell):
        screen = screens.start(
            shell, "-c", "trap 'stty size; exit' WINCH; echo rdy; while :; do sleep .1; done"
        )
        screen.until("rdy\r\n")
        screen.setwinsize(31, 61)
        return screen.over()

    assert screens.same(scene) == ("31 61\n", 0, None)


def test_ctrl_d_is_the_end_of_input(screens):
    def scene(shell):
        screen = screens.start(shell, "-c", "cat; echo rc=$?")
        screen.key("abc\r")
        screen.expect_exact("abc\r\nabc\r\n")
        screen.key("\x04")
        return screen.over()

    assert screens.same(scene)[0] == "rc=0\n"


def test_what_was_typed_before_the_command_ran_is_shown_once_and_read(screens):
    """An agent's driver sends its answer at once, without waiting for the question."""

    def scene(shell):
        screen = screens.start(
            shell, "-c", "sleep .3; read a; read b; cat; echo got $a $b; tty >/dev/null"
        )
        screen.key("one\rtwo\rthree\r\x04")
        return screen.over()

    shown, status, _ = screens.same(scene)
    assert status == 0
    assert shown.count("one") == 2  # typed, and answered


def test_nothing_is_lost_at_the_end(screens):
    """The last lines are what a person waits for."""

    def scene(shell):
        screen = screens.start(shell, "-c", "seq 20000; printf end")
        return screen.over()

    shown, _, _ = screens.same(scene)
    assert shown.endswith("20000\nend")
    assert shown.count("\n") == 20000


def test_a_full_screen_program_works(screens):
    if not os.access("/usr/bin/vim", os.X_OK) and not os.access("/usr/bin/less", os.X_OK):
        pytest.skip("neither vim nor less is installed")

    def scene(shell):
        screen = screens.start(shell, "-c", "seq 500 | less; echo back", env={"TERM": "vt100"})
        screen.until(":")
        screen.key("G")
        screen.until("500")
        screen.key("q")
        return screen.over()[1:]

    assert screens.same(scene) == (0, None)


def test_a_child_in_the_background_is_hung_up_with_the_callers_session(screens):
    def scene(shell):
        return screens.start(shell, "-c", "sleep 600 & echo hi").over()

    assert screens.same(scene) == ("hi\n", 0, None)


def test_a_child_in_the_background_lives_on_under_an_interactive_caller(screens):
    def scene(shell):
        caller = screens.prompt()
        caller.key(f"{shell} -c '(sleep .5; echo late) & echo now'\r")
        caller.until("now\r\n")
        return caller.until("late\r\n").replace(PROMPT, "")

    screens.same(scene)


def test_ctrl_z_stops_the_job_and_fg_resumes_it(screens, world):
    def scene(shell):
        caller = screens.prompt()
        caller.key(f"{shell} -c 'echo rdy; until [ -e go ]; do sleep .1; done; echo woke'\r")
        caller.until("rdy\r\n")
        caller.key("\x1a")
        stopped = caller.until(PROMPT)
        caller.key("jobs\r")
        jobs = caller.until(PROMPT)
        caller.key("stty -a | grep -o -e ' icanon' -e ' echo '\r")
        modes = caller.until(PROMPT)
        caller.key("fg\r")
        (world.work / "go").touch()
        caller.until("woke\r\n")
        (world.work / "go").unlink()
        caller.until(PROMPT)
        caller.key("echo $?\r")
        return stopped, jobs, modes, caller.until(PROMPT)

    stopped, jobs, modes, status = screens.same(scene)
    assert "Stopped" in stopped
    assert "Stopped" in jobs
    assert " icanon" in modes
    assert status == "echo $?\n0\n"


def test_a_job_in_the_background_stops_when_it_wants_the_terminal(screens):
    def scene(shell):
        caller = screens.prompt()
        caller.key(f"{shell} -c 'read x; echo got $x' & wait -n\r")
        caller.until("Stopped")
        caller.until(PROMPT)
        caller.key("fg\r")
        caller.until("\r\n")
        caller.until("\r\n")
        caller.key("answer\r")
        caller.until("got answer\r\n")
        return caller.until(PROMPT)

    screens.same(scene)


def test_in_a_pipeline_the_callers_terminal_stays_as_it_is(screens):
    """Others in the pipeline, a pager for one, read the same terminal."""

    def scene(shell):
        caller = screens.prompt()
        caller.key(
            f"{shell} -c 'stty -a </dev/tty >&2; echo A' 2>/dev/null | (cat; stty -a </dev/tty | grep -o ' icanon')\r"
        )
        shown = caller.until("icanon\r\n")
        caller.until(PROMPT)
        return shown.split("\n")[1:]

    assert screens.same(scene) == ["A", " "]


def test_a_question_in_a_pipeline_is_answered(screens):
    def scene(shell):
        caller = screens.prompt()
        caller.key(f"{shell} -c 'read -p \"name? \" x; echo hi $x' | tr a-z A-Z\r")
        caller.until("A-Z\r\n")
        caller.until("name? ")
        caller.key("bob\r")
        caller.until("HI BOB\r\n")
        caller.until(PROMPT)
        caller.key("stty -a | grep -o ' icanon'\r")
        return caller.until(PROMPT)

    screens.same(scene)


def test_redirected_descriptors_stay_what_they_are(screens, world):
    (world.work / "in").write_text("data\n")

    def scene(shell):
        caller = screens.prompt()
        caller.key(f"{shell} -c 'tty; cat; echo err >&2; test -t 2 && echo tty2' < in > out\r")
        shown = caller.until(PROMPT)
        return shown, (world.work / "out").read_text()

    assert screens.same(scene)[1] == "not a tty\ndata\ntty2\n"


def test_only_standard_input_is_a_terminal(screens):
    """`answer=$(gatesh -c 'read x; echo $x' 2>log)` at a prompt."""

    def scene(shell):
        caller = screens.prompt()
        caller.key(f"a=$({shell} -c 'echo rdy >/dev/tty; read x; echo $x' 2>log); echo =$a=\r")
        caller.until("rdy\r\n")
        caller.key("bob\r")
        return caller.until("=bob=")

    screens.same(scene)


def test_modes_that_a_command_sets_stay_set(screens):
    """`stty -echo` by one command is meant for the next."""

    def scene(shell):
        caller = screens.prompt()
        caller.key("set +o emacs\r", PROMPT)
        caller.key(
            f"{shell} -c 'stty -echo erase ^H'; stty -a | grep -o -e ' -echo ' -e ' erase = [^;]*'\r"
        )
        return caller.until(PROMPT).split("\n")[1:]

    assert screens.same(scene) == [" erase = ^H", " -echo ", ""]


def test_closing_the_terminal_hangs_the_command_up(screens):
    for shell in (GATESH, "/bin/bash"):
        mark = f"sleep 3{os.getpid() % 10000}.{len(shell)}"
        screen = screens.start(shell, "-c", f"echo rdy; {mark}; echo no")
        screen.until("rdy\r\n")
        until(lambda mark=mark: runs(mark))
        screen.close(force=False)
        until(lambda mark=mark: not runs(mark))


def test_killing_the_client_kills_the_command_and_puts_the_terminal_back(screens):
    """A person whose agent was killed with -9 must not be left with a dead keyboard."""
    caller = screens.start(
        "/bin/sh",
        "-c",
        f"trap : TERM; {GATESH} -c 'echo rdy $PPID; exec sleep 5{os.getpid() % 10000}'; read x; echo =$x=",
    )
    before = caller.modes()
    caller.until("rdy")
    mark = f"sleep 5{os.getpid() % 10000}"
    until(lambda: runs(mark))
    assert caller.modes() != before  # raw: the command's own terminal reads the keys
    client = subprocess.run(["pgrep", "-P", str(caller.pid)], capture_output=True, check=True)
    os.kill(int(client.stdout.split()[0]), signal.SIGKILL)
    until(lambda: not runs(mark))
    until(lambda: caller.modes() == before)


def test_when_the_broker_dies_the_command_goes_and_the_terminal_comes_back(screens, world):
    """What cannot be recorded does not go on."""
    mark = f"sleep 6{os.getpid() % 10000}"
    screen = screens.start("/bin/sh", "-c", f"{GATESH} -c 'echo rdy; {mark}; echo no'; echo rc=$?")
    before = screen.modes()
    screen.until("rdy\r\n")
    until(lambda: runs(mark))
    os.kill(world.broker(), signal.SIGKILL)
    shown = screen.until("rc=125")
    assert "broker" in shown
    assert "no\n" not in shown.splitlines()
    until(lambda: not runs(mark))
    assert screen.modes() == before


def test_the_screen_is_recorded_as_it_was_shown(screens, world):
    """The record of a terminal is what the person saw, escape sequences and all."""
    screen = screens.start(GATESH, "-c", "printf 'a\\033[1mb\\n'; read x; echo got $x")
    screen.until("b")
    screen.key("key\r")
    screen.over()
    entry = world.entries("command.finished")[-1]
    assert set(entry["streams"]) == {"tty", "timing"}
    assert world.blob(entry["streams"]["tty"]["sha256"]) == b"a\x1b[1mb\r\nkey\r\ngot key\r\n"


def test_a_refused_command_leaves_the_terminal_alone(screens):
    screen = screens.start("/bin/sh", "-c", f"{GATESH} -c 'forbidden x'; echo rc=$?")
    before = screen.modes()
    shown = screen.until("rc=126")
    assert "forbidden x\n" not in shown
    assert re.search("never done here", shown)
    assert screen.modes() == before
