"""A house with a morning's log in it, and the people's commands beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gatesh.cli import main
from tests.ledger.ledger_world import House


class Said(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("GATESH_HOME", str(tmp_path))
    return House(tmp_path / "state")


@pytest.fixture
def gatesh(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Said]:
    """Run one of people's commands in this process."""

    def run(*arguments: str | os.PathLike[str]) -> Said:
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capfdbinary.readouterr()
        return Said(int(end.value.code or 0), out.decode(), err.decode())

    return run
