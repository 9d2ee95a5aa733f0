"""BASH_ENV: a `bash -c` started by its full path comes to the gate, once, unchanged."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from gatesh import bridge


@pytest.fixture
def bridged(world, shims):
    """Run /bin/bash with BASH_ENV set."""
    env = {"BASH_ENV": str(shims / "bash-env.sh"), "SHLVL": "1"}

    def run(*arguments, **how):
        return world.start(*arguments, program="/bin/bash", env=env | how.pop("env", {}), **how)

    return run


CALLS: list[list[str | bytes]] = [
    ["-c", 'echo "$0 $# $1 $- $BASH $SHLVL"; exit 3', "zero", "a  b", ""],
    ["-euo", "pipefail", "-c", 'echo "$- $SHELLOPTS"; false | true; echo not here'],
    ["-xc", "echo traced"],
    ["-O", "extglob", "-c", "echo $BASHOPTS; echo @(x)"],
    ["-c", "kill -TERM $$"],
    ["-c", "env | grep gatesh_; compgen -v __gatesh; compgen -A function"],
    ["--norc", "--noprofile", "-c", "cat; echo >&2 err", "_"],
    [b"-c", b"printf '%s' \"$1\" | od -An -tx1", b"_", "é\n$(x)'".encode()],
]


def test_the_call_is_the_same_as_without(world, bridged):
    """
    Options, arguments of any kind, trace output: bash would have had the same.
    """
    feed = world.base / "feed"
    feed.write_text("fed\n")
    for arguments in CALLS:
        with feed.open() as one, feed.open() as two:
            plain = world.bash(*arguments, stdin=one, env={"SHLVL": "1"})
            by_gate = bridged(*arguments, stdin=two).end()
        assert (by_gate.status, by_gate.out, by_gate.err) == (plain.status, plain.out, plain.err)
    assert len(world.entries("command.submitted")) == len(CALLS)


def test_a_rule_stops_what_was_started_by_full_path(world, bridged):
    done = bridged("-c", "forbidden x").end()

    assert (done.status, done.out) == (126, b"")


def test_it_does_not_go_round_in_a_circle(world, bridged, shims):
    """
    The real shell that gatesh starts reads the same BASH_ENV.
    """
    done = world.start("-c", "echo once", program=str(shims / "bash"), env={
        "BASH_ENV": str(shims / "bash-env.sh")}).end()  # fmt: skip

    assert done.text == "once\n"
    assert len(world.entries("command.submitted")) == 1


def test_what_runs_inside_a_gated_command_comes_to_the_gate_too(world, bridged):
    """
    An agent started by a gated command keeps BASH_ENV, and is not taken for judged.
    """
    world.program("some-agent", "/bin/bash -c 'forbidden y'; echo agent goes on")

    done = bridged("-c", "some-agent; true").end()

    assert done.text == "agent goes on\n"
    assert b"DENIED" in done.err


def test_a_replaced_process_is_asked_about_as_well(world, bridged):
    """
    `exec bash -c` keeps the pid and so the parent: only the arguments tell it apart.
    """
    world.program("hidden", "exec -a bash /bin/bash -c 'forbidden y'")

    done = bridged("-c", "exec hidden").end()

    assert done.status == 126
    assert b"forbidden y" not in done.out


def test_a_mark_in_the_environment_is_worth_nothing(world, bridged):
    forged = {f"__gatesh_{name}": "1" for name in ("flags", "parent", "call", "from", "judged")}

    assert bridged("-c", "forbidden x", env=forged).end().status == 126


def test_the_bridge_itself_is_not_judged_but_any_other_file_is(world, bridged, shims):
    """
    BASH_ENV is code that runs first: with one word more it is no bridge of ours.
    """
    assert bridged("-c", "echo fine").end().status == 0
    other = world.base / "env.sh"
    other.write_text((shims / "bash-env.sh").read_text() + "forbidden z\n")

    for option in ("-c", "-lc"):
        done = world.start(
            option, "echo not this", program=str(shims / "bash"), env={"BASH_ENV": str(other)}
        ).end()
        assert (done.status, done.out) == (126, b""), option


def test_a_script_or_standard_input_needs_no_bridge(world, bridged):
    """
    They have no command string; what they do is bash's own affair, as without.
    """
    script = world.work / "script"
    script.write_text("echo script $1\n")
    read, write = os.pipe()
    os.write(write, b"echo piped\n")
    os.close(write)

    assert bridged(str(script), "x").end().text == "script x\n"
    assert bridged(stdin=read).end().text == "piped\n"
    os.close(read)


def test_an_installation_without_a_compiler_has_the_same_names(world, tmp_path):
    """
    There `gatesh` is a Python script: by its links it is the shells, and what it has
    started knows it in another way.
    """
    build = Path(bridge.__file__).parents[1] / "hatch_build.py"
    text = re.search(r'FALLBACK = """(.*?)"""', build.read_text(), re.DOTALL)[1]
    program = tmp_path / "bin" / "gatesh"
    program.parent.mkdir()
    program.write_text(text.replace("#!python", f"#!{sys.executable}"))
    program.chmod(0o755)
    (tmp_path / "sh").symlink_to(program)
    ours = str(bridge.program().resolve())
    (tmp_path / "env.sh").write_text(bridge.bash_env().replace(ours, str(program)))
    world.set_up()

    version = ["-c", 'echo "x$BASH_VERSION"']
    by_link = world.gatesh(*version, program=str(tmp_path / "sh"))
    assert by_link.text == world.gatesh(*version, program="/bin/sh").text

    # Not the bridge of the broker's own installation, so it asks; then it must not go round.
    env = {"BASH_ENV": str(tmp_path / "env.sh")}
    asking = world.start("-c", "echo $0 $1", "zero", "one", program="/bin/bash", env=env)
    world.approve(world.waiting())
    assert (asking.end().text, len(world.entries("command.started"))) == ("zero one\n", 2)
