"""Real terminals: one world and one broker for each file, and programs on ptys that all end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.screen import Screens
from tests.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A throwaway home with the test rules, and its broker."""
    base = Path(tempfile.mkdtemp(prefix="gatesh-", dir="/tmp"))
    made = World(base).set_up()
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def screens(world: World) -> Iterator[Screens]:
    """Starts programs on terminals; whatever still runs at the end is killed."""
    made = Screens(world)
    try:
        yield made
    finally:
        made.end()
