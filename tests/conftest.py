"""The world fixture, and a clean slate: no test sees the developer's home or another's broker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A throwaway home.  Its path is short: a socket's may have 107 bytes."""
    base = Path(tempfile.mkdtemp(prefix="gatesh-", dir="/tmp"))
    made = World(base)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(base, ignore_errors=True)
