"""Showing whoever knows a closed log how it went on: answers `lineage`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gatesh.broker.surroundings import Peer
from gatesh.errors import NotFound
from gatesh.ledger import succession
from gatesh.ledger.prover import Prover


class Lineage:
    """The finished logs in *state*."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def answer(self, question: dict[str, Any], _peer: Peer) -> dict[str, Any]:
        """The names of the finished logs; with `origin`, how that one and those after it ended.

        The first of these links proves that its end continues the head of `since` entries.
        """
        origin, since = question.get("origin"), int(question.get("since") or 0)
        found = {self._origin(directory): directory for directory in succession.past(self.state)}
        if origin is None:
            return {"origins": list(found)}
        if origin not in found:
            raise NotFound("that is none of the logs before this one")
        names = list(found)
        after = [found[name] for name in names[names.index(origin) :]]
        return {"links": list(self._links(after, since))}

    @staticmethod
    def _origin(directory: Path) -> str:
        return (directory / "vkey").read_text("utf-8").partition("+")[0]

    @staticmethod
    def _links(directories: list[Path], since: int) -> Iterator[dict[str, Any]]:
        for directory in directories:
            with Prover(directory) as log:
                closing = log.prove(log.head.size - 1).encode()
                proof = log.consistency(since) if 0 < since <= log.head.size else []
            yield {
                "closing": base64.b64encode(closing).decode("ascii"),
                "consistency": [base64.b64encode(step).decode("ascii") for step in proof],
                "since": since,
            }
            since = 0
