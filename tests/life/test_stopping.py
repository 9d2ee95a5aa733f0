"""A command that is killed is over, however its processes try to be somewhere else just then."""

from __future__ import annotations

import os
import pty
import select
import signal
from pathlib import Path

import pytest

from gatesh.broker.relay import Relay
from gatesh.transcript.recorder import Limits, Recorder
from tests.life.conftest import Asked
from tests.life.people import decide
from tests.world import PATIENCE, until

ESCAPES = {
    # Whenever one looks at the children, the shell has another one a moment later.
    "forks all the time": "while :; do sleep 600 & kill $last; last=$!; done",
    # Each has lost its parent before it can be found by it.
    "runs away from its parents": "hop; sleep 600",
    "has left the tree": "(sleep 600 &); sleep 600",
    "has groups of its own": "set -m; { sleep 600 | cat; } & disown; sleep 600",
}


def inside(place: Path) -> list[int]:
    """Return the processes whose working directory is *place*: all of one test's, nobody else."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "cwd").readlink() == place:
                found.append(int(directory.name))
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.parametrize("terminal", [False, True], ids=["pipes", "terminal"])
@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_of_a_killed_command_goes_on(shared, place, name, terminal):
    """
    The approver who stops it must be able to believe it; and its caller is not kept waiting
    by an orphan that holds its output.
    """
    shared.program("hop", '"$0" & exit')
    asked = Asked(shared, f"guarded; touch began; {ESCAPES[name]}", place).ask()
    decide(shared, asked.id)
    ends = pty.openpty() if terminal else ()
    streams = {name: ends[1] for name in ("stdin", "stdout", "stderr") if terminal}
    call = shared.start("-c", asked.line, cwd=place, **streams)
    until((place / "began").exists)

    assert shared.question("kill", id=asked.id)["ok"]

    assert call.wait() == -signal.SIGKILL
    until(lambda: inside(place) == [])
    for end in ends:
        os.close(end)


def test_a_caller_sees_the_end_of_what_can_no_longer_be_recorded(tmp_path):
    """
    Whoever still writes may be another account's process, which we cannot kill.
    """
    caller, lent = os.pipe()
    relay = Relay("o", lent, Recorder(tmp_path / "record", Limits()), lambda problem: None)
    relay.start()

    relay.silence()

    assert select.select([caller], [], [], PATIENCE)[0] and os.read(caller, 1) == b""
    assert relay.held()
    os.write(relay.inlet, b"unseen")
    relay.close_inlet()
    assert relay.ended.wait(PATIENCE) and not relay.held()
    os.close(caller)
