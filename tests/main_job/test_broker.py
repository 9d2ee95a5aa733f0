"""One broker per home: how it starts, what its death costs, who may talk to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from gatesh import wire
from tests.world import GATESH, brokers_of, ended, until


def test_fifty_first_clients_start_one_broker(world):
    calls = [world.start("-c", f"echo {n}") for n in range(50)]

    outputs = {call.end().out for call in calls}

    assert outputs == {f"{n}\n".encode() for n in range(50)}
    assert len(brokers_of(world.home)) == 1
    assert len(world.entries("broker.started")) == 1


def test_the_broker_outlives_whoever_started_it(world):
    """
    Its own session: a terminal that closes, an agent that kills its group, do not take it along.
    """
    starter = world.start("-c", "true", start_new_session=True)
    starter.end()

    broker = world.broker()

    assert os.getsid(broker) not in (starter.pid, os.getsid(0))
    assert Path(f"/proc/{broker}/cwd").resolve() == Path("/")


def test_the_agents_environment_does_not_reach_the_broker(world):
    world.gatesh("-c", "true", env={"LD_PRELOAD": "", "PYTHONPATH": "/evil", "SECRET": "x"})

    environment = Path(f"/proc/{world.broker()}/environ").read_bytes()

    assert b"SECRET" not in environment and b"PYTHONPATH" not in environment


def test_a_stale_socket_is_replaced(world):
    world.gatesh("-c", "true")
    os.kill(world.broker(), signal.SIGKILL)
    until(lambda: not brokers_of(world.home))
    assert (world.home / "run" / "broker.sock").exists()

    assert world.gatesh("-c", "echo back").out == b"back\n"


def test_a_request_survives_a_broker_that_is_killed(world):
    """
    The waiting call asks the next broker, which knows the request from the log.
    """
    world.set_up()
    asking = world.start("-c", "guarded")
    id = world.waiting()

    os.kill(world.broker(), signal.SIGKILL)
    world.waiting()
    world.approve(id)
    done = asking.end()

    assert (done.status, done.out) == (0, b"guarded \n")
    assert world.entries("broker.started")[-1]["clean"] is False
    assert world.audit()["ok"]


def test_a_command_that_nobody_could_record_any_more_is_stopped_and_called_lost(world):
    """
    Killed between start and end: the log says that nobody knows, and it never runs again by itself.
    """
    world.set_up()
    asking = world.start("-c", "echo before; echo $$ >pid; mv pid running; exec sleep 600")
    until((world.work / "running").exists)
    os.kill(world.broker(), signal.SIGKILL)

    done = asking.end()
    world.gatesh("-c", "true")

    assert done.status == 125
    lost = world.entries("command.lost")
    assert len(lost) == 1
    assert world.blob(lost[0]["streams"]["stdout"]["sha256"]) == b"before\n"
    assert lost[0]["complete"] is False  # the half of a transcript is not to pass for all of it
    until(lambda: ended(int((world.work / "running").read_text())))
    assert world.audit()["ok"]


def test_stopping_is_refused_while_something_runs(world):
    world.set_up()
    asking = world.start("-c", "touch running; read line", stdin=subprocess.PIPE)
    until((world.work / "running").exists)

    refused = world.gatesh("broker", "stop")
    assert refused.status == 126 and "--force" in refused.words
    assert world.gatesh("broker", "stop", "--force").status == 0
    assert asking.wait() in (125, -9)


def test_a_clean_stop_is_recorded(world):
    world.gatesh("-c", "true")
    world.gatesh("broker", "stop")

    assert world.entries()[-1]["type"] == "broker.stopped"
    world.gatesh("-c", "true")
    assert world.entries("broker.started")[-1]["clean"] is True


def test_a_second_broker_on_one_ledger_refuses(world):
    world.gatesh("-c", "true")

    done = world.gatesh("broker", "run")

    assert done.status == 125
    assert "gatesh: error:" in done.words and "ledger" in done.words


def test_a_broker_that_was_started_with_a_limit_on_files_says_so(world):
    done = world.start("-c", 'ulimit -f 0; exec gatesh -c "echo never"', program="/bin/bash").end()

    assert done.status == 78 and done.out == b""
    assert "limited the size of files" in done.words


def connect(world) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(world.home / "run" / "broker.sock"))
    return sock


def test_a_peer_of_another_version_is_told_so(world):
    """
    S and X never change, so an old client can always print why and leave.
    """
    world.gatesh("-c", "true")
    with connect(world) as sock:
        wire.send(sock, b"C", bytes([99]) + b"whatever")
        said = wire.receive(sock)
        left = wire.receive(sock)

    assert said[0] == b"S" and b"different versions" in said[1]
    assert (left[0], left[1]) == (b"X", bytes([0, 125]))


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xffC",
        b"GET / HTTP/1.1\r\n\r\n",
        wire.u32(3) + b"C\x01\x07",
        wire.u32(20) + b"C\x01\x00" + wire.u32(1 << 31) + wire.u32(0) + b"x" * 9,
        wire.u32(2) + b"J{",
        wire.u32(7) + b'J{"op":',
        wire.u32(16) + b'J{"op": ["x"]}  ',
    ],
)
def test_noise_on_the_socket_harms_nobody_else(world, noise):
    world.gatesh("-c", "true")
    with connect(world) as sock:
        sock.sendall(noise)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # hung up on, which is an answer
            sock.recv(4096)

    assert world.gatesh("-c", "echo still here").out == b"still here\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another account")
def test_another_account_is_not_served(world):
    """
    An embedded broker has one account's keys and rules; nobody else has a say.
    """
    world.gatesh("-c", "true")
    for path in (world.base, world.home, world.home / "run"):
        path.chmod(0o755)
    (world.home / "run" / "broker.sock").chmod(0o666)

    code = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        's.sendall(b\'\\0\\0\\0\\x10J{"op":"status"}\'); print(s.recv(100))'
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, str(world.home / "run" / "broker.sock")],
        capture_output=True,
        user=65534,
    )

    assert done.stdout.strip() == b"b''" or b"Broken pipe" in done.stderr \
        or b"reset" in done.stderr  # fmt: skip


def test_a_socket_in_a_place_others_can_write_is_not_trusted(world):
    """
    Somebody else's broker could sit there and record, or forge, what it likes.
    """
    world.gatesh("-c", "true")
    (world.home / "run").chmod(0o777)

    done = world.gatesh("-c", "echo never")

    assert done.status == 125 and done.out == b""
    assert "can be written by others" in done.words


def test_a_home_with_a_long_path_works(world):
    """
    A socket's address has room for 107 bytes; a home need not.
    """
    deep = world.base / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    world.home = deep / "home"
    world.env["GATESH_HOME"] = str(world.home)

    assert world.gatesh("-c", "echo deep").out == b"deep\n"


def test_two_homes_at_once_know_nothing_of_each_other(world):
    other = str(world.base / "other")

    world.gatesh("-c", "echo one")
    world.gatesh("-c", "echo two", env={"GATESH_HOME": other})

    assert [e["script"] for e in world.entries("command.submitted")] == ["echo one"]
    for pid in brokers_of(Path(other)):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(other, ignore_errors=True)


def test_sixty_callers_at_once_are_all_served(world):
    world.gatesh("-c", "true")
    before = world.question("status")
    results = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(world.gatesh("-c", f"echo {n}").out))
        for n in range(60)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == sorted(f"{n}\n".encode() for n in range(60))
    until(lambda: world.question("status")["descriptors"] <= before["descriptors"] + 2)
    assert world.audit()["ok"]


def test_a_broker_that_cannot_even_begin_says_why(world):
    """
    A half installed package, a missing library: the agent's human reads the reason, not "failed".
    """
    world.home.mkdir(mode=0o700)
    (world.home / "state").symlink_to("/dev/null")

    done = world.gatesh("-c", "echo never")

    assert done.status in (78, 125) and done.out == b""
    assert "the broker could not start" in done.words and "hint:" in done.words


def test_stopping_ends_what_runs_first_and_is_the_last_entry(world):
    """
    Whoever reads the log sees that nothing ran when the broker stopped, and how all of it ended.
    """
    world.set_up()
    asking = world.start("-c", "echo begun; sleep 300 & sleep 300")
    until(lambda: any(b"begun" in f.read_bytes() for f in world.state.glob("running/*/stdout")))

    assert world.gatesh("broker", "stop", "--force").status == 0
    done = asking.end()
    until(lambda: not brokers_of(world.home))
    world.gatesh("-c", "true")

    assert done.status == -signal.SIGKILL and b"KILLED by gatesh broker stop" in done.err
    types = [e["type"] for e in world.entries()]
    stopped = types.index("broker.stopped")
    assert types[stopped - 1 : stopped + 2] == [
        "command.finished",
        "broker.stopped",
        "broker.started",
    ]
    assert world.entries("broker.started")[-1]["clean"] is True
    finished = world.entries("command.finished")[0]
    assert (finished["signal"], finished["why"]) == (9, "killed by gatesh broker stop")
    assert world.blob(finished["streams"]["stdout"]["sha256"]).startswith(b"begun\n")
    assert "timing" in finished["streams"] and world.audit()["ok"]


def test_output_that_passes_by_the_record_is_named(world):
    """
    An empty transcript must not look as if the command had printed nothing.
    """
    world.set_up()
    world.gatesh("-c", "echo seen; echo unseen >&2", stderr=subprocess.DEVNULL)
    world.bash("-c", f"{GATESH} -c 'echo unseen' >&-")
    world.gatesh("-c", "echo seen")

    devnull, closed, plain = world.entries("command.finished")
    assert devnull["unseen"] == ["stderr"] and devnull["streams"]["stdout"]["bytes"] == 5
    assert closed["unseen"] == ["stdout"]
    assert "unseen" not in plain


def test_a_roster_that_never_loaded_is_not_mended_by_a_second_mistake(world):
    """
    Rules and people that nobody could read may have asked for more; only sound files end that.
    """
    world.set_up()
    world.settings("hold: 1s\n")
    signers = world.config / "allowed_signers"
    sound = signers.read_text()
    signers.write_text("not a roster\n")
    first = world.gatesh("-c", "true").status
    signers.write_text("still not a roster\n")
    second = world.gatesh("-c", "true").status
    loaded = world.entries("roster.loaded")
    signers.write_text(sound)

    assert (first, second) == (75, 75)
    assert len(loaded) == 2 and all("problem" in entry for entry in loaded)
    assert len({entry["roster_sha256"] for entry in loaded}) == 1
    assert world.gatesh("-c", "true").status == 0
    assert "problem" not in world.entries("roster.loaded")[-1]
