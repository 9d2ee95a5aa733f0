"""The same command through the shell two, three, four times: decided once, and only then."""

from __future__ import annotations

import pytest


@pytest.fixture
def inside(world, shims):
    """Run a command under the gate, with the shims in front of PATH and as BASH_ENV."""
    env = {"PATH": f"{shims}:{world.env['PATH']}", "BASH_ENV": str(shims / "bash-env.sh")}

    def start(command, **how):
        return world.start("-c", command, program=str(shims / "bash"), env=env, **how)

    return start


SNAPSHOT = "/home/me/.codex/shell_snapshots/01a202d4-fd05-7190-a64c-3d9e26704866.17.sh"


ONE_TEXT = [
    "exec bash -c 'guarded x'",
    "(cd / && /bin/bash -ec 'guarded x') | cat",
    "bash -c \"bash -c 'guarded x'\"",
    f". '{SNAPSHOT}' >/dev/null 2>&1\n\nexec '/bin/bash' -c 'guarded x'",
]


def test_one_decision_for_one_text(world, inside):
    """
    codex's restore script ends in `exec SHELL -c COMMAND`; nobody should be asked twice.
    """
    for at, command in enumerate(ONE_TEXT, 1):
        asking = inside(command)
        world.approve(world.waiting())
        done = asking.end()

        assert (done.status, done.text) == (0, "guarded x\n"), done.words
        assert len(world.entries("request.opened")) == at
    entries = world.entries("command.submitted")
    inner = [entry for entry in entries if "within" in entry]
    assert len(entries) - len(inner) == len(ONE_TEXT)
    assert len(inner) == len(ONE_TEXT) + 1  # one of them goes through the shell three times
    assert all((entry["verdict"], entry["covered"]) == ("allow", True) for entry in inner)
    assert world.audit()["ok"]


def test_what_a_program_starts_is_asked_about(world, inside):
    """
    The approver read `bash -c 'guarded x'`, not what a program does with such a shell.
    """
    world.program("some-agent", "cd / && /usr/bin/env -i BASH_ENV=$BASH_ENV GATESH_HOME=$GATESH_HOME"
                  " PATH=$PATH /usr/bin/python3 -c 'import os; "
                  "os.spawnvp(os.P_WAIT, \"bash\", [\"bash\", \"-c\", \"guarded x\"])'")  # fmt: skip

    asking = inside("bash -c 'guarded x' >/dev/null; some-agent")
    world.approve(world.waiting())
    second = world.waiting()
    world.reject(second)
    done = asking.end()

    assert b"REJECTED" in done.err
    assert done.text == ""


def test_a_nested_call_says_where_it_comes_from(world, inside):
    """
    The log has an entry of its own for each, and `within` puts them together.
    """
    world.program("some-agent", "/bin/bash -c 'echo one; bash -c \"echo two\"'")

    assert inside("some-agent").end().text == "one\ntwo\n"

    top, one, two = world.entries("command.submitted")
    assert "within" not in top
    assert (one["within"], two["within"]) == (top["id"], one["id"])
    assert not any("covered" in entry for entry in (top, one, two))  # nothing to be covered
    assert world.gatesh("log").text.count("(inside ") == 2


def test_the_same_string_with_other_arguments_is_new(world, inside):
    """
    `"$@"` is the same script whatever it is given.
    """
    world.program("relay", "bash -c '\"$@\"' _ guarded y")

    asking = inside("bash -c '\"$@\"' _ echo ok; relay")
    world.reject(world.waiting())
    done = asking.end()

    assert done.text == "ok\n"


def test_a_decision_cannot_be_given_from_however_deep_inside(world, inside):
    """
    Depth is no way out: the whole line of parents counts, not the sixteen nearest.
    """
    asking = world.start("-c", "guarded x")
    id = world.waiting()
    script = world.work / "deep"
    script.write_text(
        '[ "$1" -gt 0 ] && { /bin/sh "$0" $(($1 - 1)); exit $?; }\n'
        f"gatesh approve {id} --yes --key {world.key('bob')}\n"
    )
    world.program("some-agent", f"/bin/sh {script} 25")

    done = inside("some-agent").end()

    assert "inside a gated command" in done.words
    assert asking.running()


def test_a_shell_that_leads_back_to_gatesh_is_refused(world, shims):
    """
    Set by mistake it would start itself for ever; so it is known by inode, or by going round.
    """
    copy = world.base / "round"
    copy.write_text(f'#!/bin/sh\nexec {shims}/bash "$@"\n')
    copy.chmod(0o755)

    for shell in (shims / "bash", copy):
        world.settings(f"shells: {{bash: {shell}}}\n")
        done = world.start("-c", "echo never", program=str(shims / "bash")).end()
        assert (done.status, done.out) == (78, b""), shell
        assert "is gatesh itself" in done.words


def test_a_shell_that_is_not_installed_is_not_found(world, shims):
    world.settings("shells: {zsh: /opt/no/zsh}\n")

    done = world.start("-c", "echo never", program=str(shims / "zsh")).end()

    assert (done.status, done.out) == (127, b"")
    assert done.words.startswith("gatesh: error: there is no zsh here (/opt/no/zsh)")
