"""The small world of `world`, with three people in it."""

from __future__ import annotations

import pytest

from .world import World


@pytest.fixture
def world() -> World:
    """Alice asks from her account; bob and carol may answer."""
    found = World()
    found.person("alice@example.com", accounts=["alice"])
    found.person("bob@example.com", accounts=["bob"], teams=["sre"])
    found.person("carol@example.com", teams=["security"])
    return found
