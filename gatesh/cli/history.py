"""The commands of a log on disk."""

from __future__ import annotations

from pathlib import Path

from gatesh.evidence.story import Command, Stories
from gatesh.ledger.reading import entries

__all__ = ["Command", "Commands"]


class Commands(Stories):
    """Every command in the log in directory *ledger*, by id, in the order submitted."""

    def __init__(self, ledger: Path) -> None:
        super().__init__(entries(ledger))
