"""What one rule says, as a plain value.  Checked by `reading`, judged by `engine`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gatesh.model import Kind, Need, Verdict

SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class When:
    """Where a rule applies: every key that is given must hold.

    Each value is a list of RE2 patterns of which one must occur.
    """

    user: tuple[str, ...] = ()
    person: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    cwd: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    env: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_document(self) -> dict[str, object]:
        """Return the keys that are given."""
        plain = {k: list(getattr(self, k)) for k in ("user", "person", "agent", "cwd", "host")}
        found: dict[str, object] = {k: v for k, v in plain.items() if v}
        if self.env:
            found["env"] = {name: list(self.env[name]) for name in sorted(self.env)}
        return found


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one pack."""

    id: str
    pack: str
    match: tuple[str, ...]  # one of these must occur
    verdict: Verdict
    reason: str  # people read it while somebody waits
    on: Kind = Kind.COMMAND
    unless: tuple[str, ...] = ()  # `except:` in the file: none of these may occur
    severity: str = "medium"
    system: str | None = None  # template of the affected system
    capture: tuple[str, ...] = ()  # patterns whose named groups the template may use
    instead: str | None = None
    tags: tuple[str, ...] = ()
    need: Need | None = None
    when: When = field(default_factory=When)
    overrides: str | None = None  # id of the rule this one replaces
    because: str | None = None  # why it replaces it
    must: tuple[str, ...] = ()  # `examples: match:`
    must_not: tuple[str, ...] = ()  # `examples: miss:`
    layer: str = ""
    where: str = ""  # file:line

    def as_document(self) -> dict[str, object]:
        """Return what the rule does, without where it stands and its examples.

        This is what the policy's digest covers: two files that judge alike have
        the same digest wherever they lie.
        """
        found: dict[str, object] = {
            "id": self.id,
            "pack": self.pack,
            "match": list(self.match),
            "verdict": self.verdict.word,
            "reason": self.reason,
            "on": str(self.on),
            "severity": self.severity,
        }
        if self.unless:
            found["except"] = list(self.unless)
        if self.system is not None:
            found["system"] = self.system
        if self.capture:
            found["capture"] = list(self.capture)
        if self.instead is not None:
            found["instead"] = self.instead
        if self.tags:
            found["tags"] = list(self.tags)
        if self.need is not None:
            approve: dict[str, object] = {
                "need": dict(self.need.quorum),
                "within_s": self.need.within_s,
                "run_within_s": self.need.run_within_s,
                "assurance": self.need.assurance,
            }
            if self.need.break_glass:
                approve["break_glass"] = self.need.break_glass
            found["approve"] = approve
        if when := self.when.as_document():
            found["when"] = when
        if self.overrides is not None:
            found["override"] = {"id": self.overrides, "reason": self.because}
        return found
