"""What a caller sees of a command is what bash would have shown, byte for byte.

Each test does one thing under bash and under gatesh and compares.  Programs that
start shells were written against bash; an agent whose shell differs in a status
or in the order of two lines draws wrong conclusions from it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
import signal
import subprocess

import pytest

from tests.world import PATIENCE

from .shells import ended, line, running

ONE_LINERS = {
    "streams are kept apart": "echo out; echo err >&2; echo more",
    "the status is the command's": "exit 37",
    "an unknown command is 127": "no_such_command_here",
    "a failing pipeline": "set -eo pipefail; false | true; echo no",
    "an EXIT trap": "trap 'echo bye' EXIT; echo hi; exit 3",
    "exec replaces the shell": "exec sh -c 'echo in; exit 9'",
    "bytes that are no text": r"printf '\000\377\200abc\n'",
    "no newline at the end": "printf x",
    "nothing at all": "",
    "a heredoc": "cat <<X\na\nb\nX",
    "a reader that leaves early": "yes | head -n1; echo ${PIPESTATUS[@]}",
    "the kinds of 1 and 2": "stat -Lc %F /dev/stdout /dev/stderr",
    "flags and options": "echo $-; echo $BASHOPTS; echo $SHELLOPTS; echo $BASH_EXECUTION_STRING",
    "which descriptors are open": "cd /proc/self/fd; for f in *; do [ -e $f ] && echo $f; done",
    "signals ignored and blocked": "grep -E 'SigIgn|SigBlk|SigCgt' /proc/self/status",
    "no environment of ours": "env | grep -ci -e gatesh_ -e ^python -e ^lc_",
    "umask and limits": "umask; ulimit -a",
}


@pytest.mark.parametrize("script", ONE_LINERS.values(), ids=list(ONE_LINERS))
def test_a_command_shows_what_it_shows_in_bash(shell, bash, script):
    assert shell.run("-c", script) == bash.run("-c", script)


def test_arguments_and_name_arrive_whole(shell, bash):
    """`$0`, empty arguments, and options in front of -c: the argument list is not rebuilt."""
    for arguments in (
        ("-c", 'echo "$0" "$1" "$2" "$#"', "name", "a b", ""),
        ("-e", "-u", "-o", "pipefail", "-c", "echo $-; false; echo no"),
        ("-c", "--", "echo $0 $1", "x", "y"),
    ):
        assert shell.run(*arguments) == bash.run(*arguments)


def test_twenty_thousand_arguments_arrive(shell, bash):
    """The submission is larger than a socket's buffer: it is sent in pieces."""
    numbers = [f"{n:060}" for n in range(20000)]
    call = ("-c", "echo $# ${20000}", "x", *numbers)
    assert shell.run(*call) == bash.run(*call)


def test_a_leading_dash_makes_a_login_shell(shell, bash):
    """su, sshd and login say so in argv[0]; a `#!` script never sees it."""
    script = "shopt login_shell"
    got = shell.run("-c", script, zero="-gatesh")
    assert got == bash.run("-c", script, zero="-bash")
    assert got.out == b"login_shell    \ton\n"


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE, signal.SIGUSR1]
)
def test_death_by_a_signal_is_death_by_that_signal(shell, bash, number):
    """`128 + n` is what a shell *prints*; wait(2) must tell the caller the truth."""
    script = f"kill -{int(number)} $$"
    assert shell.run("-c", script).status == bash.run("-c", script).status == -number


def test_both_streams_into_one_pipe_keep_their_order(shell, bash):
    """Two pipes would be read in any order: an error before its cause."""
    script = "for i in 1 2 3 4 5 6 7 8; do echo out$i; echo err$i >&2; done"
    one = {"stderr": subprocess.STDOUT}
    assert shell.run("-c", script, **one) == bash.run("-c", script, **one)


def test_ten_megabytes_of_bytes_arrive_unchanged(shell, bash):
    script = "head -c 10000000 /dev/zero | tr '\\0' '\\351'; head -c 1000 /dev/zero >&2; exit 3"
    got, want = shell.run("-c", script), bash.run("-c", script)
    assert (got.status, len(got.err)) == (want.status, len(want.err))
    assert hashlib.sha256(got.out).digest() == hashlib.sha256(want.out).digest()


def test_standard_input_is_the_commands_alone(shell, bash):
    """A byte too many taken from it would be missing for whoever reads next."""
    script = "(SHELL -c 'read x; echo got $x'; cat)"
    given = b"one\ntwo\nthree\n"
    assert shell.under(script, input=given) == bash.under(script, input=given)
    binary = bytes(range(256)) * 500
    assert shell.run("-c", "cat", input=binary).out == binary


def test_the_callers_environment_arrives_byte_for_byte(shell, bash):
    """No variable added (Python adds LC_CTYPE in the C locale), none changed, none lost."""
    env = {"V": "two\nlines = 'and' \\ more", "EMPTY": "", "SHLVL": "3", "LANG": ""}
    script = "exec env -0"
    got = shell.run("-c", script, env=env)
    assert got == bash.run("-c", script, env=env)
    assert b"V=" + env["V"].encode() + b"\0" in got.out


def test_limits_and_umask_of_the_caller_hold(shell, bash):
    def tight() -> None:
        os.umask(0o027)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    script = "umask; ulimit -n; ulimit -Hn; pwd"
    assert shell.run("-c", script, preexec_fn=tight, cwd="/") == bash.run(
        "-c", script, preexec_fn=tight, cwd="/"
    )


def test_a_deleted_working_directory_is_no_obstacle(shell, bash):
    """Agents clean up below their own feet."""
    script = 'mkdir gone; cd gone; rmdir ../gone; exec SHELL -c "echo ran; cd ..; echo \\$?"'
    got, want = shell.under(script), bash.under(script)
    assert (got.status, got.out) == (want.status, want.out)


def test_a_reader_that_leaves_ends_the_writer_by_sigpipe(shell, bash):
    """`gatesh -c yes | head` must end, and end as bash does."""
    script = "SHELL -c yes | head -n2; echo ${PIPESTATUS[@]}"
    assert shell.under(script).out == bash.under(script).out == b"y\ny\n141 0\n"


def test_signals_the_caller_ignores_stay_ignored(shell, bash):
    """nohup relies on it; Python itself would lose SIGPIPE's state."""
    ignored = [signal.SIGPIPE, signal.SIGINT, signal.SIGHUP]
    script = "grep SigIgn /proc/self/status; kill -INT $$; echo survived"
    got = shell.run("-c", script, ignored=ignored)
    assert got == bash.run("-c", script, ignored=ignored)
    assert got.out.endswith(b"survived\n")


def test_signals_the_caller_blocks_stay_blocked(shell, bash):
    """A supervisor's mask is its business."""

    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGHUP])

    script = "exec grep SigBlk /proc/self/status"
    got = shell.run("-c", script, preexec_fn=block)
    assert got == bash.run("-c", script, preexec_fn=block)
    assert got.out.split()[1] == b"%016x" % (1 << signal.SIGUSR1 - 1 | 1 << signal.SIGHUP - 1)


def test_a_caller_that_ignores_sigchld_still_gets_a_status(shell):
    """With SIGCHLD ignored the kernel leaves nothing to wait for."""
    assert shell.run("-c", "exit 7", preexec_fn=_ignore_children).status == 7


def _ignore_children() -> None:
    # Not signal.signal: subprocess restores what Python has set.
    ctypes.CDLL(None).signal(signal.SIGCHLD, 1)


def test_the_shell_returns_before_its_background_children(shell, bash):
    """`server & echo started`: the call ends at once, the output with the last writer."""
    for one in (shell, bash):
        with ended(
            one.start("-c", "(read x; echo late; echo late2 >&2) <&3 & echo hi; exit 5", **_held())
        ) as process:
            assert process.wait(PATIENCE) == 5
            assert line(process) == b"hi\n"
            os.write(_GO[1], b"\n")
            assert (process.stdout.read(), process.stderr.read()) == (b"late\n", b"late2\n")


_GO = os.pipe()


def _held() -> dict[str, object]:
    """Descriptor 3 is a pipe that a child waits on, until a test writes to `_GO`."""
    return {"preexec_fn": lambda: os.dup2(_GO[0], 3), "pass_fds": [3]}


def test_nothing_is_left_of_a_command_that_has_ended(shell):
    """No canary, no helper: a caller that counts processes finds none."""
    mark = f"mark-{os.getpid()}-of-an-ended-command"  # other workers run this too
    for _ in range(5):
        assert shell.run("-c", "true", mark).status == 0
        assert running(mark) == []


def test_output_is_complete_when_the_call_has_ended(shell):
    """Whoever writes next into the same pipe comes after what the command wrote."""
    script = '{ SHELL -c "echo a"; echo b; SHELL -c "echo c >&2" 2>&1; echo d; }'
    for _ in range(5):
        assert shell.under(script).out == b"a\nb\nc\nd\n"
