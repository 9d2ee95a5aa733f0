"""Commands as the log tells them, put together from their entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatesh.ledger.reading import entries


@dataclass(slots=True)
class Command:
    """One command and what became of it so far."""

    id: str
    t: str
    submitted: Mapping[str, Any]
    state: str = "submitted"
    by: list[str] = field(default_factory=list)
    started: str | None = None
    exit: int | None = None
    signal: int | None = None
    seconds: float | None = None
    streams: Mapping[str, Any] | None = None
    late: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The command as a person would name it."""
        found = self.submitted.get("inner") or self.submitted.get("script")
        return (
            str(found) if found is not None else f"(script {self.submitted['script_sha256'][:16]}…)"
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything, for programs."""
        found = self.submitted
        return {
            "id": self.id,
            "t": self.t,
            "verdict": found["verdict"],
            "state": self.state,
            "script": found.get("script"),
            "script_sha256": found["script_sha256"],
            "cwd": found["cwd"],
            "requester": found["requester"],
            "findings": found["findings"],
            "by": self.by,
            "started": self.started,
            "exit": self.exit,
            "signal": self.signal,
            "seconds": self.seconds,
            "streams": self.streams,
        }


class Commands:
    """Every command in a log, by id, in the order submitted."""

    def __init__(self, ledger: Path) -> None:
        self.found: dict[str, Command] = {}
        for entry in entries(ledger):
            self._take(entry)

    def __iter__(self) -> Iterator[Command]:
        return iter(self.found.values())

    def get(self, id: str) -> Command | None:
        """Return the command with this id."""
        return self.found.get(id)

    def _take(self, entry: Mapping[str, Any]) -> None:
        kind = entry["type"]
        command = self.found.get(entry.get("id", ""))
        if kind == "command.submitted" and command is None:
            command = self.found[entry["id"]] = Command(entry["id"], entry["t"], entry)
            if entry["verdict"] == "deny":
                command.state = "denied"
        if command is None:
            return
        if kind == "request.opened":
            command.state = "pending"
        elif kind.startswith("request."):
            command.state = kind.partition(".")[2]
        elif kind == "decision.accepted":
            command.by.append(f"{entry['decision']}:{entry['by']}")
            command.state = {"approve": "approved", "ask": "asked", "reject": "rejected",
                             "revoke": "revoked"}[entry["decision"]]  # fmt: skip
        elif kind == "command.started":
            command.state, command.started = "started", entry["t"]
        elif kind in ("command.finished", "command.lost"):
            command.state = kind.partition(".")[2]
            command.exit, command.signal = entry.get("exit"), entry.get("signal")
            command.seconds = entry.get("seconds")
            command.streams = entry.get("streams")
        elif kind == "command.output":
            command.late.append(entry["streams"])
