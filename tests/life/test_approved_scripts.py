"""A script that people approved runs from the bytes they read, whatever becomes of its file."""

from __future__ import annotations

import os

import pytest

from tests.world import until

# What a script may ask about itself decides how it is run; what it does must stay the same.
SCRIPTS = {
    "asks nothing": 'guarded one\necho $# "$2" $LINENO\nf() { echo f $LINENO; }; f\nexit 4\n',
    "asks for its name": 'guarded one\necho "usage: $0 ${0##*/} $1"\nset -e; false\necho never\n',
    "asks for its place": 'guarded one\n. "$(dirname "${BASH_SOURCE[0]}")"/lib.sh\necho $lib\n',
    "asks whether it is sourced": "guarded one\n(return 0 2>/dev/null) && echo sourced || echo run\n",
    "fails": "guarded one\n[[ $1 ]] || exit 1; ((1 + )) ; echo on\n",
    "reads its own end": 'guarded one\ntail -n 1 "$0"; exit\n# data',
}


@pytest.mark.parametrize("how", [(), ("-e", "-u"), ("--norc", "--")], ids=" ".join)
@pytest.mark.parametrize("kind", SCRIPTS)
def test_an_approved_script_does_what_it_does_in_bash(world, kind, how):
    world.set_up()
    (world.work / "lib.sh").write_text("lib=found\n")
    (world.work / "deploy.sh").write_text(SCRIPTS[kind])
    arguments = (*how, "./deploy.sh", "a b", "$c")
    asking = world.start(*arguments)
    world.approve(world.waiting())

    done, theirs = asking.end(), world.bash(*arguments)

    assert (done.out, done.status) == (theirs.out, theirs.status)


@pytest.mark.parametrize("asks", ["", 'echo "$0"\n'], ids=["asks nothing", "asks for its name"])
def test_what_is_added_while_it_runs_does_not_run(world, asks):
    """Shells read a file piece by piece; whoever approved has read all of it."""
    world.set_up()
    script = world.work / "deploy.sh"
    script.write_text(
        f"guarded one\n{asks}touch began; until [ -e go ]; do sleep 0.1; done\necho end\n"
    )
    asking = world.start("./deploy.sh")
    world.approve(world.waiting())
    until((world.work / "began").exists)

    with script.open("a") as file:
        file.write("echo evil\n")
    (world.work / "else").write_text("echo evil\n")
    os.replace(world.work / "else", script)
    (world.work / "go").touch()
    done = asking.end()

    assert done.status == 0
    assert b"end\n" in done.out and b"evil" not in done.out


def test_nothing_is_left_of_the_copy(world):
    world.set_up()
    (world.work / "it's a script").write_text('guarded one\necho "$0"\n')
    asking = world.start("./it's a script")
    world.approve(world.waiting())

    assert asking.end().out.endswith(b"./it's a script\n")
    until(lambda: not any((world.state / "scripts").iterdir()))
