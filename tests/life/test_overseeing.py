"""Watching and stopping: an approver sees what waits, what it prints, and can end it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import struct
import termios
from types import SimpleNamespace
from typing import Any

import pytest

from gatesh.broker.overseeing import overseer
from gatesh.broker.surroundings import Peer
from gatesh.errors import Refused
from tests.approval.history import BOB, CAROL, History
from tests.life.people import decide
from tests.world import PATIENCE, Asking, ended, until


class Reader:
    """Reads what a program prints, a line at a time, and gives up when none comes."""

    def __init__(self, program: Asking) -> None:
        assert program.process.stdout is not None
        self.fd = program.process.stdout.fileno()
        self.rest = b""

    def line(self) -> str:
        while b"\n" not in self.rest:
            assert select.select([self.fd], [], [], PATIENCE)[0], "nothing more is printed"
            part = os.read(self.fd, 4096)
            assert part, f"it has ended after {self.rest!r}"
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def until(self, mark: str) -> str:
        while mark not in (line := self.line()):
            pass
        return line


def test_the_inbox_shows_what_comes_who_leaves_and_what_becomes_of_it(world):
    world.set_up()
    world.gatesh("-c", "true")
    inbox = Reader(world.start("watch"))

    call = world.start("-c", "guarded '\x1b[2Jx'")
    first = inbox.until("tests.guarded")
    assert "pending" in first and ", waits)" in first
    assert inbox.line() == "    │ guarded '\\x1b[2Jx'"
    id = world.waiting()
    call.process.kill()
    assert "nobody waits)" in inbox.until("tests.guarded")
    decide(world, id, "ask")
    assert "asked" in inbox.until("tests.guarded")
    decide(world, id, "reject")

    assert inbox.until("rejected") == f"{id[:4]}-{id[4:]}  rejected"


def test_the_inbox_as_json_outlives_a_broker(world):
    world.settings("hold: 0\n")
    world.set_up()
    world.gatesh("-c", "guarded")
    inbox = Reader(world.start("watch", "--json"))
    first = json.loads(inbox.line())

    os.kill(world.broker(), signal.SIGKILL)
    until(lambda: not world.listening())
    world.gatesh("-c", "guarded other")

    assert first["id"] == world.pending()[0]["id"] and first["script"] == "guarded"
    assert json.loads(inbox.line())["script"] == "guarded other"


def test_the_inbox_on_a_terminal_fits_it_and_counts_what_does_not():
    from gatesh.cli.watch import page

    item: dict[str, Any] = {
        "id": "k7q2m9xd", "state": "pending", "script": "guarded \x1b[2J", "inner": None,
        "findings": [{"rule": "tests.guarded", "reason": "r" * 100}], "waiting": 1,
        "requester": {"user": "alice"}, "host": "build7", "opened": "2030-01-02T03:04:05Z",
    }  # fmt: skip

    shown = page({"pending": [item] * 9, "running": ["x"]}, height=20, width=80)

    assert shown.startswith("gatesh: 9 waiting, 1 running")
    shown_items = shown.count("k7q2-m9xd")
    assert f"and {9 - shown_items} more: gatesh pending" in shown and 2 <= shown_items <= 4
    assert "\x1b" not in shown


def test_the_inbox_keeps_a_terminal_current_and_gives_it_back(world):
    world.settings("hold: 0\n")
    world.set_up()
    world.gatesh("-c", "guarded one")
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    screen = world.start("watch", stdin=slave, stdout=slave, stderr=slave, env={"TERM": "xterm"})
    os.close(slave)

    said = seen(master, b"", b"guarded one")
    world.gatesh("-c", "guarded two")
    said = seen(master, said, b"2 waiting")
    screen.process.send_signal(signal.SIGINT)
    said = seen(master, said, b"\x1b[?1049l")
    os.close(master)

    assert screen.wait() == 0
    assert b"\x1b[?25h" in said, "the cursor is back"


def seen(terminal: int, said: bytes, mark: bytes) -> bytes:
    """Return what a terminal has shown, once *mark* is in it."""
    while mark not in said:
        assert select.select([terminal], [], [], PATIENCE)[0], said[-500:]
        said += os.read(terminal, 65536)
    return said


def test_what_a_running_command_prints_is_seen_while_it_runs(world):
    world.set_up()
    call = world.start("-c", "guarded; printf 'one\\x1b[2J\\ntwo' >&2; read line; echo end",
                       stdin=-1)  # fmt: skip
    id = world.waiting()
    decide(world, id)

    screen = Reader(world.start("watch", id))
    assert {screen.line(), screen.line()} == {" │ guarded ", "2│ one\\x1b[2J"}
    call.process.communicate(b"\n", timeout=PATIENCE)

    assert {screen.line(), screen.line()} == {" │ end", "2│ two"}


def test_a_running_command_is_killed_with_all_it_has_started(world):
    """
    The log says who did it; nothing of it goes on in the background.
    """
    world.set_up()
    call = world.start("-c", "guarded; (sleep 600 & echo $! > child; wait); echo never")
    id = world.waiting()
    decide(world, id)
    until(lambda: (world.work / "child").exists() and (world.work / "child").read_text() != "")

    assert world.gatesh("kill", id).status == 0
    done = call.end()

    assert done.status == -signal.SIGKILL and b"never" not in done.out
    assert "KILLED by alice@example.com" in done.words
    child = int((world.work / "child").read_text())
    until(lambda: ended(child))
    finished = world.entries("command.finished")[-1]
    assert (finished["signal"], finished["why"]) == (9, "killed by alice@example.com")
    assert world.audit()["ok"]
    assert "is not running" in world.gatesh("kill", id).words


def test_only_those_who_approved_a_command_may_watch_and_kill_it():
    """
    On a guarded machine everybody can connect; being enrolled is not enough.
    """
    history = History()
    history.open()
    history.decide(BOB, "approve")
    roster = history.roster.add(BOB, accounts=["bobs"]).add(CAROL, accounts=["carols"])
    gate: Any = SimpleNamespace(states=history.states, law=lambda: SimpleNamespace(roster=roster))

    def by(user: str) -> str:
        return overseer(gate, history.id, SimpleNamespace(uid=4242, user=user))  # type: ignore

    assert by("bobs") == BOB
    for user in ("carols", "alice", "stranger"):
        with pytest.raises(Refused):
            by(user)
    assert overseer(gate, history.id, Peer(1, os.geteuid(), 0))
