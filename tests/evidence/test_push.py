"""Heads outside: what another machine has been told, this one cannot take back."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatesh.config import load
from gatesh.errors import ConfigError
from gatesh.ledger.note import Key, open_checkpoint
from tests.ledger.attacker import Attacker
from tests.ledger.ledger_world import House
from tests.world import until


def collector(world, script: str = 'cat > "$(mktemp {})"') -> Path:
    """A program of the site's own that keeps each head it is given."""
    kept = world.base / "heads"
    kept.mkdir()
    program = world.program("collect", script.replace("{}", f"{kept}/XXXXXX"))
    world.settings(f"audit: {{push: [{program}], every: 1s}}\n")
    return kept


def heads(world, kept: Path) -> list[int]:
    """The sizes of the heads that were collected; each must be signed by this log."""
    key = Key.parse((world.state / "ledger" / "vkey").read_text())
    found = [open_checkpoint(p.read_bytes(), key).head.size for p in kept.iterdir()]
    return sorted(found)


def whole(kept: Path) -> bool:
    return any(p.read_bytes().count(b"\n") >= 5 for p in kept.iterdir())


def test_new_heads_reach_the_sites_own_program_and_the_last_one_too(world):
    """
    Then `audit --head` shows what nothing on this machine can: that the past is still the same.
    """
    world.set_up()
    kept = collector(world)
    world.gatesh("-c", "echo one")
    until(lambda: whole(kept))
    seen = next(iter(kept.iterdir()))
    assert world.gatesh("audit", "--head", seen).status == 0

    world.gatesh("broker", "stop")
    until(lambda: len(world.entries("broker.stopped")) == 1)
    until(lambda: len(world.entries()) in heads_if_whole(world, kept))

    assert len(heads(world, kept)) == len(set(heads(world, kept)))  # no head twice


def heads_if_whole(world, kept: Path) -> list[int]:
    try:
        return heads(world, kept)
    except ValueError:  # a file that is being written
        return []


def test_a_rewritten_log_is_found_with_a_head_from_outside(house: House, gatesh, tmp_path):
    """
    With the log's key anybody can make a consistent past, and not the one that was seen.
    """
    with house.open() as ledger:
        ledger.append(house.beginning())
        ledger.append([house.submitted("aaaaaaaa", b"ls"), house.started("aaaaaaaa", b"ls")])
        ledger.append([house.finished("aaaaaaaa")])
    seen = tmp_path / "head"
    seen.write_bytes((house.directory / "checkpoint").read_bytes())

    def elsewhere(entries):
        entries[4]["cwd"] = "/somewhere/else"

    Attacker(house).rewrite(elsewhere)

    assert gatesh("audit", "--vkey", str(house.key)).status == 0
    said = gatesh("audit", "--vkey", str(house.key), "--head", seen)
    assert said.status == 1 and "forked" in said.out


@pytest.mark.parametrize("script", ["echo no route >&2; exit 7", "exec /nowhere"])
def test_a_program_that_fails_stops_nothing(world, script):
    world.set_up()
    collector(world, script)

    assert world.gatesh("-c", "echo one").out == b"one\n"
    until(lambda: b"audit.push" in (world.state / "broker.log").read_bytes())
    assert world.gatesh("-c", "echo two").out == b"two\n"


@pytest.mark.parametrize(
    "text", ["audit: {push: curl}", "audit: {push: [curl]}", "audit: {puhs: []}", "audit: {every: x}"]
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(tmp_path, text):
    (tmp_path / "config.yaml").write_text(f"{text}\n")

    with pytest.raises(ConfigError, match="audit"):
        load(tmp_path / "config.yaml")
