"""What has happened before a page's sessions begin."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tests.docs.pages import ROOT, Page, play
from tests.ledger.c2sp_witness import Witness
from tests.world import World, until

# Programs that the pages name and that may not be here.  They only say what they would do.
PROGRAMS = {
    "terraform": 'echo "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."',
    "deploy": 'echo "deployed $*"',
}


def machine(world: World) -> World:
    """Alice's machine as the pages have it: bob may approve, nothing has been run yet."""
    world.set_up("alice@example.com", "bob")
    for path in (world.config / "rules").iterdir():
        path.unlink()
    for name, script in PROGRAMS.items():
        world.program(name, script)
    world.env |= {
        "STATE": str(world.state),
        "NO_COLOR": "1",
        "BOB": str(world.key("bob")),
        "CI": "",
    }
    return world


def approved_once(world: World) -> World:
    """One ordinary command, then one that bob approved; a witness has seen all of it."""
    machine(world)
    witness = Witness()
    world.env["WITNESS"] = witness.vkey
    seat = f"{{vkey: {witness.vkey}, url: '{witness.url}'}}"
    world.settings(f"audit: {{witnesses: [{seat}], every: 1s}}\n")
    world.gatesh("-c", "echo hello")
    witness.follow((world.state / "ledger" / "vkey").read_text())
    asking = world.start("-c", "terraform apply -auto-approve")
    done = world.approve(world.waiting(), "bob", "-m", "change 4711")
    assert done.status == 0, done.words
    assert asking.wait() == 0
    done = world.gatesh("broker", "stop")
    assert done.status == 0, done.words
    until(lambda: witness.size(next(iter(witness.logs))) == len(world.entries()))
    witness.stop()
    return world


def one_waits(world: World) -> World:
    """Two commands of alice's agents wait for a second person."""
    machine(world)
    world.settings("hold: 1h\n")
    world.start("-c", "terraform apply -auto-approve")
    world.env["ID"] = world.waiting()
    world.start("-c", "terraform apply -target=module.web")
    world.waiting(2)
    world.env["OTHER"] = world.pending()[1]["id"]
    return world


SCENES = {
    "docs/approvers.md": one_waits,
    "docs/verify-by-hand.md": approved_once,
    "docs/auditors.md": approved_once,
}


SOURCE_TREE = {"docs/spec/formats.md"}  # their sessions begin there and need no machine


def played(page: Page) -> list[tuple[str, int]]:
    """Play the sessions of *page* in a world of its own."""
    if page.name in SOURCE_TREE:
        return play(page.steps(), ROOT, {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    base = Path(tempfile.mkdtemp(prefix="gatesh-", dir="/tmp"))
    world = World(base)
    try:
        SCENES.get(page.name, machine)(world)
        return play(page.steps(), world.work, world.env)
    finally:
        world.end()
        shutil.rmtree(base, ignore_errors=True)
