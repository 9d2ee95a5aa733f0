"""`gatesh setup`: one value is written, and nothing else in somebody's settings moves."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from gatesh.cli import settings
from gatesh.cli.clients import CLIENTS, TABLE
from gatesh.errors import ConfigError

CLAUDE = CLIENTS["claude"].setting
CODEX = CLIENTS["codex"].setting
TMUX = CLIENTS["tmux"].setting
GATE = Path("/opt/gatesh-bash/bin")


def write(setting, path):
    return settings.write(setting, path, settings.filled(setting.value, GATE))


def test_the_rest_of_a_json_file_stays(tmp_path):
    """
    It holds somebody's permissions and hooks; order and non-ASCII text as well.
    """
    path = tmp_path / "settings.json"
    before = {"permissions": {"allow": ["Bash(ls)"]}, "env": {"Ü": "é"}, "z": [1, 2.5, None]}
    path.write_text(json.dumps(before, indent=4, ensure_ascii=False))
    path.chmod(0o640)

    copy = write(CLAUDE, path)

    after = json.loads(path.read_text())
    assert after.pop("env") == {"Ü": "é", "CLAUDE_CODE_SHELL": "/opt/gatesh-bash/bin/bash"}
    assert list(after.items()) == [(k, v) for k, v in before.items() if k != "env"]
    assert path.read_text().startswith('{\n    "permissions"')
    assert json.loads(copy.read_text()) == before
    assert [p.stat().st_mode & 0o777 for p in (path, copy)] == [0o640, 0o640]


def test_a_file_that_is_not_there_is_made_for_the_account_alone(tmp_path):
    path = tmp_path / "new" / "settings.json"

    assert write(CLAUDE, path) is None

    assert json.loads(path.read_text()) == {"env": {"CLAUDE_CODE_SHELL": f"{GATE}/bash"}}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_linked_file_stays_a_link(tmp_path):
    """
    Many keep such files in a repository and link to them.
    """
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    link = tmp_path / "settings.json"
    link.symlink_to(real)

    write(CLAUDE, link)

    assert link.is_symlink()
    assert "CLAUDE_CODE_SHELL" in real.read_text()


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, // a comment\n "b": 2}',
        '{"env": {"A": "1"}, "env": {}}',
        '{"env": "text"}',
        "[1]",
        "\ufeff{}",
        b"\xff{}",
    ],
)
def test_what_cannot_be_kept_whole_is_left_alone(tmp_path, text):
    """
    Comments would be lost and one of two equal names too: better to be told.
    """
    path = tmp_path / "settings.json"
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(data)

    with pytest.raises(ConfigError):
        write(CLAUDE, path)

    assert path.read_bytes() == data
    assert os.listdir(tmp_path) == ["settings.json"]


def test_codex_gets_a_table_only_where_there_is_none(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('model = "x"  # mine\n[features]\na = true')

    write(CODEX, path)

    found = tomllib.loads(path.read_text())
    assert path.read_text().startswith('model = "x"  # mine\n[features]\na = true\n')
    assert found["shell_environment_policy"] == {
        "set": {"BASH_ENV": f"{GATE}/bash-env.sh", "SHLVL": "1"}
    }
    with pytest.raises(ConfigError, match="already"):
        write(CODEX, path)
    path.write_text('[shell_environment_policy]\ninherit = "core"\n')
    with pytest.raises(ConfigError, match="already"):
        write(CODEX, path)


def test_a_line_is_added_once(tmp_path):
    path = tmp_path / "tmux.conf"
    path.write_text("# set -g default-shell /bin/fish\nset -g mouse on\n")

    write(TMUX, path)

    assert path.read_text().splitlines()[-1] == f"set -g default-shell {GATE}/bash"
    assert settings.value_of(TMUX, path) == f"set -g default-shell {GATE}/bash"
    with pytest.raises(ConfigError):
        write(TMUX, path)


def test_every_program_has_a_way_in_and_says_what_goes_round():
    """
    A client without a word on its limits would be a promise nobody checked.
    """
    for client in TABLE:
        assert client.setting or client.start, client.name
        assert client.goes_round and client.looks, client.name


def test_it_shows_first_and_writes_when_asked(world, shims):
    place = world.base / ".claude" / "settings.json"

    shown = world.gatesh("setup", "claude", "--shims", str(shims))
    assert shown.status == 0
    assert all(word in shown.text for word in (str(place), "env.CLAUDE_CODE_SHELL", str(shims)))
    assert not place.exists()

    assert world.gatesh("setup", "claude", "--shims", str(shims), "--write").status == 0
    assert json.loads(place.read_text())["env"]["CLAUDE_CODE_SHELL"] == str(shims / "bash")


def test_it_says_what_is_missing(world):
    assert "gatesh shims" in world.gatesh("setup", "claude").words
    assert "there are claude, codex" in world.gatesh("setup", "nobody").words
