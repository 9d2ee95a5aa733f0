"""The clients' end of the protocol: what they submit, obey, refuse, and say when it goes wrong.

Whatever a broker does, or whoever sits in its place: a command runs only when an
R frame says so, and at most once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from gatesh import wire
from tests.world import PATIENCE, World, until

from .pretend import Pretend
from .shells import Shell, ended, gone, python_client, running

LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def home():
    """An empty home whose sockets' paths are short."""
    place = Path(tempfile.mkdtemp(prefix="gatesh-", dir="/tmp"))
    yield place
    shutil.rmtree(place)


@pytest.fixture
def broker(home):
    pretend = Pretend(home)
    yield pretend
    pretend.close()


@pytest.fixture
def client(shell, home):
    """The client under test, in the pretended broker's home."""
    return Shell(
        shell.name, shell.program, {**shell.env, "GATESH_HOME": str(home)}, home, shell.front
    )


@pytest.fixture
def reference(client):
    """The Python client in the same home: its words are the right ones."""
    return python_client(client.env, client.cwd)


# ---- what they submit ---------------------------------------------------------------


def test_a_submission_is_the_call_as_the_kernel_has_it(client, broker):
    """Entries that `environ` would lose are kept: the shell behind would have got them too."""
    env = [b"A=1", b"NO_EQUALS_SIGN", b"A=2", b"B=\xff\n", b"=odd"]
    env += [b"%s=%s" % (k.encode(), v.encode()) for k, v in client.env.items()]
    call = client.call("-c", b"x \xe9\n", "", "z", zero="-some/shell")

    with ended(client.start(preexec_fn=lambda: execute(client.program, call["args"], env))):
        got = broker.accept()
        assert got.argv == [b"-some/shell", b"-c", b"x \xe9\n", b"", b"z"]
        assert got.env == env
        assert got.cwd == os.fsencode(client.cwd)
        assert (got.mask, len(got.fds)) == (0b111, 3)
        got.close()


def test_the_shell_starts_with_the_environment_that_was_submitted(client, broker):
    env = [b"A=1", b"NO_EQUALS_SIGN", b"LONG=" + b"x" * 20_000]
    env += [b"%s=%s" % (k.encode(), v.encode()) for k, v in client.env.items()]
    call = client.call("-c", "x")
    with ended(
        client.start(preexec_fn=lambda: execute(client.program, call["args"], env))
    ) as process:
        asked = broker.accept()
        asked.run(b"/bin/cat", b"/proc/self/environ")
        finish(asked)
        out = process.communicate(timeout=PATIENCE)[0]
    # Python cannot start a program with an entry that has no name.
    want = env if client.name != "python" else [e for e in env if b"=" in e]
    assert out.split(b"\0")[:-1] == want


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_descriptor_is_not_submitted(client, broker, closed):
    with ended(client.start("-c", "x", preexec_fn=lambda: os.close(closed))):
        asked = broker.accept()
        assert (asked.mask, len(asked.fds)) == (0b111 & ~(1 << closed), 2)
        asked.close()


# ---- what they obey -----------------------------------------------------------------


def test_a_run_is_told_from_start_to_end(client, broker):
    """P names the shell, F its end; the status is the broker's to give."""
    with ended(client.start("-c", "x")) as process:
        asked = broker.accept()
        asked.send(b"S", b"gatesh: WAITING\n")
        asked.run(b"/bin/sh", b"-c", b"echo ran; exit 3")
        kind, body = asked.receive()
        assert kind == b"P" and int.from_bytes(body, "big") > 0
        assert asked.receive() == (b"F", bytes([wire.EXIT, 3]))
        assert process.poll() is None  # not before the broker has everything
        asked.send(b"X", bytes([wire.EXIT, 42]))
        asked.close()
        assert process.communicate(timeout=PATIENCE) == (b"ran\n", b"gatesh: WAITING\n")
        assert process.returncode == 42


def test_frames_that_come_together_are_taken_one_by_one(client, broker):
    """S, R and K in one packet; descriptors belong to the R whatever came before it."""
    with ended(client.start("-c", "x")) as process:
        asked = broker.accept()
        os.kill(process.pid, signal.SIGSTOP)  # so that all of it is there at once
        asked.send(b"S", b"one\n")
        asked.send(b"S", b"two\n")
        asked.run(b"/bin/sleep", b"1000")
        asked.send(b"K", bytes([signal.SIGTERM]))
        os.kill(process.pid, signal.SIGCONT)
        assert asked.receive()[0] == b"P"
        assert asked.receive() == (b"F", bytes([wire.SIGNAL, signal.SIGTERM]))
        asked.send(b"X", bytes([wire.SIGNAL, signal.SIGTERM]))
        asked.close()
        assert process.communicate(timeout=PATIENCE) == (b"", b"one\ntwo\n")
        assert process.returncode == -signal.SIGTERM


def test_frames_that_come_in_crumbs_are_put_together(client, broker):
    with ended(client.start("-c", "x")) as process:
        asked = broker.accept()
        words = b"word " * 20_000
        for byte in wire.u32(len(words) + 1) + b"S":
            asked.sock.sendall(bytes([byte]))
        asked.sock.sendall(words)
        asked.sock.sendall(wire.u32(3) + b"X")
        asked.sock.sendall(bytes([wire.EXIT, 9]))
        asked.close()
        assert process.communicate(timeout=PATIENCE)[1] == words
        assert process.returncode == 9


def test_the_broker_can_kill_what_it_started(client, broker):
    """`gatesh` itself keeps the right to stop a command, even one that is stopped."""
    with ended(client.start("-c", "x")) as process:
        asked = broker.accept()
        asked.run(b"/bin/sleep", b"1000")
        shell = int.from_bytes(asked.receive()[1], "big")
        asked.send(b"K", bytes([signal.SIGKILL]))
        assert asked.receive() == (b"F", bytes([wire.SIGNAL, signal.SIGKILL]))
        assert not Path(f"/proc/{shell}").exists()
        asked.send(b"X", bytes([wire.EXIT, 125]))
        assert process.wait(PATIENCE) == 125
        asked.close()


def test_a_shell_that_is_not_there_is_said_on_its_own_standard_error(client, broker):
    with ended(client.start("-c", "x")) as process:
        asked = broker.accept()
        asked.run(b"/no/such/shell")
        finish(asked)
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err) == (b"", b"gatesh: error: /no/such/shell: No such file or directory\n")
    assert process.returncode == 125


def test_a_broker_of_another_version_is_believed(client, broker):
    """S and X never change: they can always say why nothing runs."""
    said = b"gatesh: error: of different versions\n"
    answer = wire.u32(len(said) + 1) + b"S" + said + wire.u32(3) + b"X" + bytes([0, 125])
    with broker.answering(answer) as seen:
        done = client.run("-c", "x")
    assert (done.status, done.err, len(seen)) == (125, said, 1)


# ---- when it goes wrong -------------------------------------------------------------


def test_a_broker_that_is_lost_before_the_run_is_asked_again(client, broker):
    """It may be stopped and started under a client that waits."""
    with ended(client.start("-c", "x")) as process:
        first = broker.accept()
        first.send(b"S", b"gatesh: WAITING\n")
        first.close()
        second = broker.accept()
        assert (second.argv, second.env) == (first.argv, first.env)
        second.run(b"/bin/echo", b"ran")
        finish(second)
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err, process.returncode) == (b"ran\n", b"gatesh: WAITING\n", 0)


def test_a_broker_that_is_lost_during_the_run_ends_it_for_good(client, broker, request):
    """What nobody records does not go on, and is not started a second time."""
    mark = f"mark-of-{client.name}-{os.getpid()}"
    with ended(client.start("-c", "x")) as process:
        asked = broker.accept()
        asked.run(b"/bin/sh", b"-c", b"sleep 1000; :", mark.encode())
        assert asked.receive()[0] == b"P"
        until(lambda: bool(running(mark)))
        asked.close()
        assert process.wait(PATIENCE) == 125
        assert gone(mark)
    assert broker.nobody_asks()


def test_with_nothing_lent_a_lost_run_is_not_repeated_either(client, broker):
    def close() -> None:
        for fd in (0, 1, 2):
            os.close(fd)

    with ended(client.start("-c", "x", preexec_fn=close)) as process:
        asked = broker.accept()
        assert asked.mask == 0
        asked.run(b"/bin/sleep", b"1000", places=(0, 0, 0))
        assert asked.receive()[0] == b"P"
        asked.close()
        assert process.wait(PATIENCE) == 125
    assert broker.nobody_asks()


GARBAGE = {
    "nothing": b"",
    "an empty frame": b"\0\0\0\0",
    "half a length": b"\0\0",
    "a frame cut short": wire.u32(100) + b"S" + b"only this",
    "an endless frame": b"\xff\xff\xff\xffS",
    "an unknown frame": wire.u32(1) + b"Q",
    "a run without a count": wire.u32(4) + b"R\0\0\0",
    "a run with a false count": wire.u32(8) + b"R\0\0\0\xff\xff\xff\xff",
    "a run with a long field": wire.u32(13) + b"R\0\0\0\0\0\0\1" + b"\x7f\xff\xff\xffA",
    "a run with more behind it": wire.u32(18)
    + b"R\0\0\0\0\0\0\1"
    + b"\0\0\0\1A"
    + b"\0\0\0\0"
    + b"!",
}


@pytest.mark.parametrize("words", GARBAGE.values(), ids=list(GARBAGE))
def test_nonsense_runs_nothing_and_is_told_alike(client, reference, home, words):
    """Status 125 and one pair of lines, the same from either client."""
    told = []
    for one in (client, reference):
        broker = Pretend(home / one.name)
        env = {"GATESH_HOME": str(home / one.name)}
        with broker.answering(words) as seen:
            done = one.run("-c", "x", env=env)
        broker.close()
        shutil.rmtree(home / one.name)
        assert (done.status, done.out) == (125, b"")
        assert len(seen) >= 5
        told.append(done.err)
    assert told[0] == told[1]
    assert told[0].startswith(b"gatesh: error: the broker did not answer: ")
    assert told[0].endswith(b"; the command was not run\n")


# ---- whom they do not talk to -------------------------------------------------------


def open_to_all(place: Path) -> None:
    place.chmod(0o777)


def behind_a_link(place: Path) -> None:
    place.rename(place.with_name("elsewhere"))
    place.symlink_to("elsewhere")


def of_somebody_else(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(place, 65534, 65534)


@pytest.mark.parametrize("spoil", [open_to_all, behind_a_link, of_somebody_else])
def test_a_directory_that_others_could_use_is_not_used(client, reference, broker, spoil):
    """Whoever can put a socket there could run commands in our name, unrecorded."""
    spoil(broker.place)
    done = client.run("-c", "x")
    assert done == reference.run("-c", "x")
    assert (done.status, done.out) == (125, b"")
    assert done.err.startswith(b"gatesh: error: %s " % os.fsencode(broker.place))
    assert broker.nobody_asks()


def test_a_sandbox_that_forbids_sockets_is_told_how_to_allow_ours(client, reference, broker):
    """And not in the words that agents take for leave to try again without the sandbox."""
    done = client.run("-c", "x", preexec_fn=forbid_sockets)
    assert done == reference.run("-c", "x", preexec_fn=forbid_sockets)
    assert done.status == 125
    assert b"may not talk to the gatesh broker" in done.err
    assert b"not permitted" not in done.err


def test_the_first_call_of_all_starts_a_broker(client, home):
    world = World(home / "w")
    try:
        done = client.run("-c", "echo hi", env=world.env)
        assert (done.status, done.out, done.err) == (0, b"hi\n", b"")
        assert world.broker()
    finally:
        world.end()


# ---- helpers ------------------------------------------------------------------------


def finish(asked) -> None:
    """See a run to its end and let the client leave as the shell did."""
    with contextlib.closing(asked):
        for fd in asked.fds:
            os.close(fd)
        asked.fds.clear()
        kind, body = asked.receive()
        while kind != b"F":
            assert kind == b"P"
            kind, body = asked.receive()
        asked.send(b"X", body)


def execute(program: str, argv: list[str | bytes], env: list[bytes]) -> None:
    """execve(2) with exactly *env*, which no mapping could hold."""

    def strings(items: list[bytes]) -> object:
        return (ctypes.c_char_p * (len(items) + 1))(*items, None)

    arguments = [os.fsencode(a) for a in argv]
    LIBC.execve(os.fsencode(program), strings(arguments), strings(env))
    os._exit(99)


def forbid_sockets() -> None:
    """Make socket(2) fail with EPERM in this process and its children, as sandboxes do."""
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]

    def step(code: int, jt: int, jf: int, k: int) -> bytes:
        return code.to_bytes(2, "little") + bytes([jt, jf]) + k.to_bytes(4, "little")

    steps = (
        step(0x20, 0, 0, 0)  # load the number of the call
        + step(0x15, 0, 1, number)  # is it socket?
        + step(0x06, 0, 0, 0x00050000 | 1)  # then EPERM
        + step(0x06, 0, 0, 0x7FFF0000)  # else allow
    )

    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("steps", ctypes.c_char_p)]

    program = Program(4, steps)
    LIBC.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    if LIBC.prctl(22, 2, ctypes.byref(program), 0, 0) != 0:  # PR_SET_SECCOMP
        os._exit(98)
