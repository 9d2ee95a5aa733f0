"""`gatesh doctor CLIENT`: no program says that it uses another shell, so it is tried."""

from __future__ import annotations

import pytest

from gatesh.cli.clients import CLIENTS
from gatesh.cli.lookup import look_up
from gatesh.errors import GateshError


def test_a_setting_that_works_is_told_from_one_that_does_not(world, shims):
    """
    The same client, before and after: the log has the last word, not the setting.
    """
    before = world.gatesh("doctor", "claude")
    assert world.gatesh("setup", "claude", "--shims", str(shims), "--write").status == 0
    after = world.gatesh("doctor", "claude")

    assert (before.status, after.status) == (1, 0), after.text
    assert "went round gatesh" in before.text
    assert "in the log" in after.text
    assert "goes round it: " in after.text


def test_a_bridge_is_tried_on_the_kind_of_input_the_client_gives(world, shims):
    """
    Measured trap: with a socket on standard input and no SHLVL, bash reads no BASH_ENV.
    """
    env = {"BASH_ENV": str(shims / "bash-env.sh")}

    without = world.gatesh("doctor", "cline", env=env)
    with_it = world.gatesh("doctor", "cline", env=env | {"SHLVL": "1"})

    assert (without.status, with_it.status) == (1, 0)


def test_a_bridge_of_another_version_is_named(world, shims):
    """
    After an update the broker takes it for anybody's file, and asks about every command.
    """
    old = shims / "bash-env.sh"
    old.write_text(old.read_text() + "# of an older gatesh\n:\n")
    world.settings("hold: 1s\n")

    done = world.gatesh("doctor", "copilot", env={"BASH_ENV": str(old), "SHLVL": "1"})

    assert done.status == 1
    assert "was stopped" in done.text
    assert f"gatesh shims {shims}" in done.text


def test_commands_on_a_pipe_are_found_in_the_log_too(world, shims):
    assert world.gatesh("doctor", "open-interpreter", env={"SHELL": f"{shims}/bash"}).status == 0


def test_names_are_passed_over_as_the_client_would(world, shims, tmp_path):
    """
    Claude Code wants "bash" in the path, and takes another shell without a word.
    """
    plain = tmp_path / "gatesh"
    plain.symlink_to(shims / "bash")
    environ = {"HOME": str(tmp_path), "SHELL": str(plain), "PATH": "/usr/bin:/bin"}

    found = look_up(CLIENTS["claude"], environ)

    assert found.shell.endswith("/bash") and found.shell != str(plain)
    assert str(plain) in found.passed_over[0]
    with pytest.raises(GateshError, match="no shell"):
        look_up(CLIENTS["gemini"], {"PATH": "/nowhere", "HOME": "/"})
