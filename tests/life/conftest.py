"""One world for the tests of a module that only need a request of their own in it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.world import RULES, Result, World

TWO = """\
  - id: tests.two
    match: '^twice\\b'
    verdict: approve
    reason: takes two people
    approve: {need: {any: 2}}
    examples: {match: [twice x], miss: [echo twice]}
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """Alice asks and never waits; bob and carol decide.  `guarded` needs one, `twice` two."""
    base = Path(tempfile.mkdtemp(prefix="gatesh-", dir="/tmp"))
    made = World(base)
    try:
        made.settings("hold: 0\n")
        made.set_up("alice@example.com", "bob", "carol")
        made.rules(RULES + TWO)
        made.program("twice", 'echo "twice $*"')
        yield made
    finally:
        made.end()
        shutil.rmtree(base, ignore_errors=True)


@dataclass
class Asked:
    """One request in a shared world: `line` was tried in `place` and waits as `id`."""

    world: World
    line: str
    place: Path
    id: str = ""
    env: dict[str, str] = field(default_factory=dict)

    def run(self) -> Result:
        """Try the line once more."""
        return self.world.gatesh("-c", self.line, cwd=self.place, env=self.env)

    def ask(self) -> Asked:
        done = self.run()
        assert done.status == 75, done.words
        self.id = self.world.entries("request.opened")[-1]["id"]
        return self

    def entries(self, type: str) -> list[dict[str, object]]:
        """Return the log's entries about this request."""
        return [e for e in self.world.entries(type) if e["id"] == self.id]

    @property
    def state(self) -> str:
        return str(self.world.question("request", id=self.id)["state"])


_numbers = itertools.count(1)


@pytest.fixture
def place(shared: World) -> Path:
    """A directory of this test's own."""
    path = shared.base / f"place-{next(_numbers)}"
    path.mkdir()
    return path
