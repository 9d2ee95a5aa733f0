"""The commands of all logs of a home, on disk."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

from gatesh.document import moment
from gatesh.errors import NotFound
from gatesh.evidence.story import Command, Stories
from gatesh.ledger import succession
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.reading import ends, entries
from gatesh.ledger.transcripts import explained
from gatesh.visible import visible

__all__ = ["Command", "Commands", "kept"]


class Commands:
    """Every command in the logs of *state*, in the order submitted, each with its log's name.

    *since* leaves out logs that ended before it, not the commands in the others.
    """

    def __init__(self, state: Path, since: datetime.datetime | None = None) -> None:
        self._since = since
        self._logs = succession.logs(state)
        if not self._logs:
            raise NotFound(f"there is no log in {state / 'ledger'}", hint="see `gatesh doctor`")

    def __iter__(self) -> Iterator[tuple[str, Command]]:
        for directory in self._logs:
            _, first, last = ends(directory)
            if first is None or last is None:
                continue
            if self._since is None or moment(last["t"]) >= self._since:
                for command in Stories(entries(directory)):
                    yield str(first.get("origin", "")), command

    def get(self, id: str) -> tuple[str, Command] | None:
        """Return the command with this id and the name of its log, looking at the newest first."""
        for directory in reversed(self._logs):
            command = Stories(entries(directory)).get(id)
            if command is not None:
                return str((ends(directory)[1] or {}).get("origin", "")), command
        return None


def kept(state: Path, sha: str) -> bytes:
    """Return a blob of *state*; raise `NotFound`, which says if it was removed, when, by whom."""
    try:
        return Blobs(state / "blobs").get(sha)
    except NotFound as missing:
        removal = explained(state, {sha}).get(sha)
        if removal is None:
            raise
        by = ", ".join(map(visible, removal.by))
        raise NotFound(
            f"removed by retention on {removal.t[:10]}, approved by {by}",
            hint="its digest and size are in the log",
        ) from missing
