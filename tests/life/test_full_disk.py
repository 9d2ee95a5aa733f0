"""On a full disk nothing starts that could not be recorded, and what runs is recorded to its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def small(world: World) -> Iterator[World]:
    """A home whose state lies on a file system of six megabytes."""
    world.state.mkdir(mode=0o700, parents=True)
    size = ["-o", "size=6m,mode=700", "none", str(world.state)]
    if subprocess.run(["mount", "-t", "tmpfs", *size], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield world.set_up()
        world.end()
    finally:
        subprocess.run(["umount", "-l", str(world.state)], check=True)


def fill(path: Path) -> None:
    """Take the last byte there is."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 16, 64):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def test_a_full_disk_refuses_and_the_broker_goes_on_when_there_is_space(small: World):
    """
    A full disk is the cheapest way to blind a log: here it stops the agent and not the log.
    """
    asking = small.start("-c", "guarded x")
    id = small.waiting()
    go, ran = small.base / "go", small.base / "ran"
    running = small.start("-c", f"until [ -e {go} ]; do sleep 0.05; done; echo end")
    until(lambda: len(small.question("status")["running"]) == 1)
    pid, filler = small.broker(), small.state / "filler"

    fill(filler)

    for line in (f"touch {ran}", f"guarded y; touch {ran}"):
        refused = small.gatesh("-c", line)
        assert refused.status == 125 and "no space is left" in refused.words
    assert not ran.exists()
    go.touch()
    assert running.end().status == 125
    until(lambda: small.entries()[-1]["type"] in ("command.lost", "command.finished"))
    assert small.broker() == pid, "one full disk is no reason to stop"

    filler.unlink()

    assert small.gatesh("-c", "echo again").text == "again\n"
    assert small.approve(id).status == 0
    until(lambda: not asking.running())
    if asking.end().status == 75:  # the wait was over: the same command claims the approval
        assert small.gatesh("-c", "guarded x").text == "guarded x\n"
    report = small.audit()
    assert report["ok"], report["findings"]
