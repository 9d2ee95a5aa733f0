"""A world with a directory of shims in it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def shims(world) -> Path:
    """Return a directory made by `gatesh shims`, in a world that is set up."""
    world.set_up()
    place = world.base / "gatesh-bash" / "bin"
    done = world.gatesh("shims", str(place))
    assert done.status == 0, done.words
    return place
