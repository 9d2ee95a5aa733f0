"""Descriptors: the command gets those of its caller, and nobody else keeps one open.

A copy that somebody keeps is an end of file that never comes: a caller that
reads until the end waits for ever.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess

import pytest

from tests.world import PATIENCE, until

from .shells import ended, line


@pytest.mark.parametrize(
    ("command", "redirections"),
    [
        ("cat; echo rc=$?", "<&-"),
        ("echo hi; echo rc=$? >&2", ">&-"),
        ("echo hi; no_such_command; echo rc=$?", "2>&-"),
        ("echo hi; exit 5", "<&- >&- 2>&-"),
    ],
)
def test_a_closed_descriptor_stays_closed(shell, bash, command, redirections):
    """Anything opened in its place would receive the command's output."""
    script = f"exec SHELL -c '{command}' {redirections}"
    assert shell.under(script) == bash.under(script)


def test_further_descriptors_are_passed_on(shell):
    """`--status-fd 40` and the like."""
    reading, writing = os.pipe()
    high = fcntl.fcntl(writing, fcntl.F_DUPFD, 40)
    os.close(writing)
    with ended(shell.start("-c", f"echo by number >&{high}", pass_fds=[high])) as process:
        os.close(high)
        assert process.wait(PATIENCE) == 0
        assert os.read(reading, 100) == b"by number\n"
    os.close(reading)


def test_a_further_descriptor_closed_by_the_command_is_closed(shell):
    reading, writing = os.pipe()
    script = f"exec {writing}>&-; echo closed; read x"
    with ended(shell.start("-c", script, stdin=subprocess.PIPE, pass_fds=[writing])) as process:
        os.close(writing)
        assert line(process) == b"closed\n"
        assert readable(reading) and os.read(reading, 1) == b""
        assert process.poll() is None
    os.close(reading)


def test_output_closed_by_the_command_ends_for_the_caller(shell):
    with ended(shell.start("-c", "echo hi; exec >&-; read x", stdin=subprocess.PIPE)) as process:
        assert process.stdout.read() == b"hi\n"
        assert process.poll() is None


def test_input_closed_by_the_command_breaks_the_callers_pipe(shell):
    script = "exec <&-; echo closed; exec sleep 1000"
    with ended(shell.start("-c", script, stdin=subprocess.PIPE)) as process:
        assert line(process) == b"closed\n"
        until(lambda: broken(process.stdin.fileno()))
        assert process.poll() is None


def test_a_socket_for_output_is_served_and_closed(shell):
    """Node gives its children sockets."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        ended(
            shell.start("-c", "echo hi; exec >&-; read x", stdin=subprocess.PIPE, stdout=theirs)
        ) as process,
    ):
        theirs.close()
        ours.settimeout(PATIENCE)
        assert (ours.recv(10), ours.recv(10)) == (b"hi\n", b"")
        assert process.poll() is None


def test_a_callers_non_blocking_output_is_left_so(shell):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        assert shell.run("-c", "echo hi", stdout=theirs).status == 0
        assert ours.recv(100) == b"hi\n"
        assert not theirs.getblocking()


def test_few_descriptors_are_enough(shell, bash):
    script = "ulimit -n 24; SHELL -c 'echo ok; ulimit -n'"
    assert shell.under(script) == bash.under(script)


def broken(fd: int) -> bool:
    try:
        os.write(fd, b"x")
    except BrokenPipeError:
        return True
    return False


def readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], PATIENCE)[0])
