"""Who still waits: a pause outlives the agent, and nothing starts for somebody who has left."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.life.people import decide
from tests.world import GATESH, ended, until

# An agent: starts its shell, says its pid, and stays.
AGENT = """\
import os, subprocess, sys, time
shell = subprocess.Popen([sys.argv[1], "-c", "guarded"], start_new_session=True)
print(shell.pid, flush=True)
time.sleep(60)
"""


def set_up(world) -> None:
    """Calls wait far longer than a test has patience: none ends because its hold is over."""
    world.settings("hold: 600\n")
    world.set_up()


def withdrawn(world) -> None:
    """Wait until approvers see that nobody waits any more."""
    until(lambda: world.pending()[0]["waiting"] == 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_killed_call_withdraws_at_once(world, number):
    set_up(world)
    call = world.start("-c", "guarded")
    world.waiting()

    call.process.send_signal(number)

    withdrawn(world)
    assert call.wait() == -number


def test_a_call_whose_agent_was_killed_withdraws_at_once(world):
    """
    opencode, gemini, Claude Code and Copilot leave their shell waiting when they are killed:
    a late approval would run something that nobody waits for.
    """
    set_up(world)
    agent = world.start("-c", AGENT, GATESH, program=sys.executable)
    assert agent.process.stdout is not None
    shell = int(agent.process.stdout.readline())
    id = world.waiting()

    agent.process.kill()
    agent.process.wait()

    withdrawn(world)
    until(lambda: ended(shell))
    decide(world, id)
    assert world.entries("command.started") == []
    assert world.gatesh("-c", "guarded").out == b"guarded \n", "the retry has its approval"


def test_what_waits_shows_whether_anybody_still_does(world):
    world.set_up()
    call = world.start("-c", "guarded")
    world.waiting()
    assert ", waits)" in world.gatesh("pending").text

    call.process.kill()
    until(lambda: world.pending()[0]["waiting"] == 0)

    assert ", nobody waits)" in world.gatesh("pending").text


def test_an_approval_that_nobody_has_used_survives_the_broker(world):
    """
    Approved while the agent was away, claimed after a restart: once.
    """
    world.settings("hold: 0\n")
    world.set_up()
    world.gatesh("-c", "guarded")
    decide(world, world.pending()[0]["id"])
    os.kill(world.broker(), signal.SIGKILL)
    until(lambda: not world.listening())

    first, second = (world.gatesh("-c", "guarded") for _ in range(2))

    assert (first.status, first.out) == (0, b"guarded \n")
    assert second.status == 75
    assert world.audit()["ok"]
