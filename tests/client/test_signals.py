"""Signals reach the command as they would reach bash: once, and by pid as well as by group.

The caller knows one process id, the client's.  A client that swallowed a signal
could not be stopped; one that passed on what the group has already got would run
traps twice.
"""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.world import PATIENCE, until

from .shells import ended, gone, line, running

# Says that it is ready, then waits for signals; standard input is a pipe that stays silent.
WAIT = "echo ready; while :; do read -t 0.05 x; done"
COUNT = f"trap 'n=$((n+1)); echo got' TERM; trap 'echo n=$n; exit 7' USR1; {WAIT}"
SILENT = {"stdin": subprocess.PIPE}


def numbered(request: pytest.FixtureRequest) -> str:
    """Return an argument that no other process has."""
    return f"mark-{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**9}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_the_pid_ends_the_command(shell, bash, number, request):
    for one in (shell, bash):
        mark = numbered(request)
        with ended(one.start("-c", "echo ready; exec sleep 1000", mark)) as process:
            line(process)
            os.kill(process.pid, number)
            assert process.wait(PATIENCE) == -number
            assert gone(mark)


@pytest.mark.parametrize("whole_group", [False, True], ids=["to the pid", "to the group"])
def test_a_trap_runs_once(shell, whole_group):
    """Neither lost on the way (to the pid) nor passed on again (to the group)."""
    with ended(shell.start("-c", COUNT, **SILENT)) as process:
        assert line(process) == b"ready\n"
        for _ in range(3):
            (os.killpg if whole_group else os.kill)(process.pid, signal.SIGTERM)
            assert line(process) == b"got\n"
        os.kill(process.pid, signal.SIGUSR1)
        assert process.stdout.read() == b"n=3\n"
        assert process.wait(PATIENCE) == 7


def test_two_signals_at_once_are_two_signals(shell):
    """They come in one batch: the second must not be forgotten with the first."""
    script = f"trap 'echo term' TERM; trap 'echo hup' HUP; trap 'exit 7' USR1; {WAIT}"
    with ended(shell.start("-c", script, **SILENT)) as process:
        assert line(process) == b"ready\n"
        os.kill(process.pid, signal.SIGSTOP)  # both wait, so that both are seen at once
        os.killpg(process.pid, signal.SIGTERM)
        os.killpg(process.pid, signal.SIGHUP)
        os.kill(process.pid, signal.SIGCONT)
        assert sorted([line(process), line(process)]) == [b"hup\n", b"term\n"]
        os.kill(process.pid, signal.SIGUSR1)
        assert process.stdout.read() == b""


def test_a_signal_to_the_group_ends_the_children_too(shell, request):
    mark = numbered(request)
    script = f"bash -c 'sleep 1000; :' {mark} & echo ready; wait"
    with ended(shell.start("-c", script)) as process:
        line(process)
        until(lambda: bool(running(mark)))
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE) == -signal.SIGTERM
        assert gone(mark)


def test_killing_the_client_kills_the_shell(shell, request):
    """SIGKILL cannot be passed on; a command that nobody waits for must not go on."""
    mark = numbered(request)
    with ended(shell.start("-c", "echo ready; sleep 1000; :", mark)) as process:
        line(process)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
        assert gone(mark)


@pytest.mark.parametrize("whole_group", [False, True], ids=["to the pid", "to the group"])
def test_a_command_that_stops_is_seen_stopped_and_can_go_on(shell, bash, whole_group):
    """Job control of whoever started us: ^Z, then fg."""
    for one in (shell, bash):
        with ended(one.start("-c", "kill -STOP $$; echo resumed")) as process:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP
            (os.killpg if whole_group else os.kill)(process.pid, signal.SIGCONT)
            assert process.stdout.read() == b"resumed\n"
            assert process.wait(PATIENCE) == 0


def test_a_stopped_group_can_be_woken_by_the_pid_alone(shell):
    """Only what has been woken goes on; the client must not wait for what is still asleep."""
    with ended(shell.start("-c", COUNT, **SILENT)) as process:
        assert line(process) == b"ready\n"
        os.killpg(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        os.kill(process.pid, signal.SIGCONT)
        os.kill(process.pid, signal.SIGTERM)
        assert line(process) == b"got\n"
        os.kill(process.pid, signal.SIGUSR1)
        assert process.stdout.read() == b"n=1\n"


def test_timeout_of_coreutils_works(shell, bash, request):
    for one in (shell, bash):
        mark = numbered(request)
        script = f"timeout 0.5 SHELL -c 'sleep 1000; echo no' {mark}; echo $?"
        assert one.under(script).out == b"124\n"
        assert gone(mark)


def test_interrupting_one_that_waits_for_approval_is_silent(shell, shared_world):
    """Ctrl-C while a person is asked: no traceback, and bash's own wait status."""
    with ended(shell.start("-c", "guarded x")) as process:
        assert b"WAITING" in process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == -signal.SIGINT
        assert process.stderr.read() == b""


def test_output_that_nobody_reads_can_be_interrupted(shell):
    """The shell has ended and what it wrote waits for a reader: a signal still ends the call."""
    with ended(shell.start("-c", "head -c 1000000 /dev/zero")) as process:
        assert os.read(process.stdout.fileno(), 1)

        def ends() -> bool:
            os.kill(process.pid, signal.SIGTERM)
            return process.poll() is not None

        until(ends)
        assert process.returncode == -signal.SIGTERM
