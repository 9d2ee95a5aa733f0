"""Commands as the log tells them, put together from their entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Entry = Mapping[str, Any]

# Of a submission; a quarter has a million of them, and most of what they say is said again.
_KEPT: Final = ("script", "inner", "script_sha256", "within", "covered")
_SHARED: Final = ("verdict", "cwd", "requester", "findings", "policy_sha256")

_AFTER: Final = {
    "approve": "approved",
    "ask": "asked",
    "reject": "rejected",
    "revoke": "revoked",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One accepted decision; the digests name the signed document and its signature."""

    n: int
    t: str
    by: str
    decision: str
    key: str
    assurance: str
    request_sha256: str
    decision_sha256: str
    signature_sha256: str

    @classmethod
    def of(cls, entry: Entry) -> Answer:
        """Take an answer from its `decision.accepted` entry."""
        return cls(**{name: entry[name] for name in cls.__slots__})

    @classmethod
    def alone(cls, entry: Entry, what: str) -> Answer:
        """Take what one person has started alone, or what another has said of that."""
        digest = entry[f"{what}_sha256"]
        request = entry.get("request_sha256", "")
        said = {"decision": what, "decision_sha256": digest, "request_sha256": request}
        return cls.of({**entry, **said})


@dataclass(slots=True)
class Command:
    """One command and what became of it so far."""

    id: str
    t: str
    submitted: Entry
    state: str = "submitted"
    answers: list[Answer] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # why answers were not accepted
    opened: str | None = None
    requests: list[str] = field(default_factory=list)  # digests, one for each revision
    started: str | None = None
    started_n: int | None = None
    decisions: tuple[int, ...] = ()  # indexes of the entries the start rests on
    ended: str | None = None
    exit: int | None = None
    signal: int | None = None
    seconds: float | None = None
    streams: Mapping[str, Any] | None = None
    late: list[Mapping[str, Any]] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)  # indexes of all that is about it

    @property
    def text(self) -> str:
        """The command as a person would name it."""
        found = self.submitted.get("inner") or self.submitted.get("script")
        return (
            str(found) if found is not None else f"(script {self.submitted['script_sha256'][:16]}…)"
        )

    @property
    def verdict(self) -> str:
        """What the rules said: allow, approve or deny."""
        return str(self.submitted["verdict"])

    @property
    def requester(self) -> str:
        """The person who asked, or the account when nobody answers for it."""
        asker = self.submitted["requester"]
        return str(asker.get("person") or asker["user"])

    @property
    def agent(self) -> str | None:
        """The client's name as guessed from its variables."""
        agent = self.submitted["requester"].get("agent")
        if isinstance(agent, dict):
            agent = agent.get("name")
        return str(agent) if agent else None

    @property
    def by(self) -> list[str]:
        """The answers as `decision:person`."""
        return [f"{answer.decision}:{answer.by}" for answer in self.answers]

    @property
    def approvals(self) -> list[Answer]:
        """The answers that the start rests on."""
        return [a for a in self.answers if a.n in self.decisions and a.decision == "approve"]

    @property
    def approved_by(self) -> list[Answer]:
        """The approvals that were given: those the start rests on, all of them if none began."""
        return self.approvals or [a for a in self.answers if a.decision == "approve"]

    @property
    def overrides(self) -> list[Answer]:
        """What one person signed to start it alone."""
        return [a for a in self.answers if a.decision == "override"]

    @property
    def reviews(self) -> list[Answer]:
        """What others signed about that afterwards."""
        return [a for a in self.answers if a.decision == "review"]

    @property
    def rules(self) -> list[str]:
        """The rules that matched, strictest first, each once."""
        return list(dict.fromkeys(str(f["rule"]) for f in self.submitted["findings"]))

    @property
    def tags(self) -> list[str]:
        """The tags of those rules, sorted."""
        return sorted({str(t) for f in self.submitted["findings"] for t in f.get("tags", ())})

    @property
    def system(self) -> str | None:
        """The affected system of the strictest finding that names one."""
        named = (f.get("system") for f in self.submitted["findings"])
        return next((str(system) for system in named if system), None)

    @property
    def ending(self) -> str:
        """How it ended, in a few letters."""
        if self.exit is not None:
            return f"exit {self.exit}"
        if self.signal is not None:
            return f"signal {self.signal}"
        if self.state == "approved":  # by how many it needs, the entries alone do not tell
            count = len(self.approved_by)
            return f"{count} approval{'' if count == 1 else 's'}, not started"
        return {"started": "still running", "lost": "end unknown"}.get(self.state, self.state)

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
            "within": found.get("within"),
            "covered": found.get("covered", False),
            "findings": found["findings"],
            "by": self.by,
            "started": self.started,
            "exit": self.exit,
            "signal": self.signal,
            "seconds": self.seconds,
            "streams": self.streams,
            "entries": self.entries,
        }


class Stories:
    """Every command in *entries*, by id, in the order submitted."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.found: dict[str, Command] = {}
        self._values: dict[str, Any] = {}
        for entry in entries:
            self.take(entry)

    def __iter__(self) -> Iterator[Command]:
        return iter(self.found.values())

    def get(self, id: str) -> Command | None:
        """Return the command with this id."""
        return self.found.get(id)

    def take(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        kind = entry["type"]
        command = self.found.get(entry.get("id") or "")
        if kind == "command.submitted" and command is None:
            submitted = {name: entry[name] for name in _KEPT if name in entry}
            submitted.update({name: self._same(entry[name]) for name in _SHARED})
            command = self.found[entry["id"]] = Command(entry["id"], entry["t"], submitted)
            if entry["verdict"] == "deny":
                command.state = "denied"
        if command is None:
            return
        command.entries.append(entry["n"])
        if kind in ("request.opened", "request.revised"):
            command.state = "pending"
            command.opened = command.opened or entry["t"]
            command.requests.append(entry["request_sha256"])
        elif kind.startswith("request."):
            command.state = kind.partition(".")[2]
        elif kind == "decision.accepted":
            command.answers.append(Answer.of(entry))
            command.state = _AFTER.get(entry["decision"], str(entry["decision"]))
        elif kind in ("override.accepted", "override.reviewed"):
            what = "override" if kind == "override.accepted" else "review"
            command.answers.append(Answer.alone(entry, what))
            if what == "override":
                command.state = "overridden"
        elif kind == "decision.refused":
            command.refused.append(entry["why"])
        elif kind == "command.started":
            command.state, command.started = "started", entry["t"]
            command.started_n = entry["n"]
            command.decisions = tuple(entry["decisions"])
        elif kind in ("command.finished", "command.lost"):
            command.state = kind.partition(".")[2]
            command.ended = entry["t"]
            command.exit, command.signal = entry.get("exit"), entry.get("signal")
            command.seconds = entry.get("seconds")
            command.streams = entry.get("streams")
        elif kind == "command.output":
            command.late.append(entry["streams"])

    def _same(self, value: Any) -> Any:
        """Return a value equal to *value*, the same object each time."""
        if len(self._values) > 10_000:  # they change with every command after all
            self._values.clear()
        return self._values.setdefault(repr(value), value)
