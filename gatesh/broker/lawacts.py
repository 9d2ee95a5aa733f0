"""The acts that change the law: people, rules, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatesh import differences
from gatesh.approval.proposal import CONFIG, ROSTER, RULES
from gatesh.broker.law import LawBook
from gatesh.broker.proposals import Act, Record
from gatesh.errors import UsageError

_REASONS = {
    ROSTER: "changes who may approve, with which keys",
    RULES: "changes which commands need whom",
    CONFIG: "changes the settings of the gate",
}


@dataclass(frozen=True, slots=True)
class LawAct:
    """Puts another roster, other rules or other settings into force."""

    book: LawBook
    kind: str

    @property
    def reason(self) -> str:
        """What an approver should know of every one of them."""
        return _REASONS[self.kind]

    def base(self) -> bytes:
        """Return the document in force."""
        return self.book.document(self.kind)

    def check(self, change: Mapping[str, Any]) -> None:
        """Raise `ConfigError` if it could not be law, `UsageError` if it is already."""
        if self.book.check(self.kind, change) == self.base():
            raise UsageError(
                "nothing would change: this is in force already",
                hint="comments and `hold` in config.yaml need nobody's approval",
            )

    def summary(self, change: Mapping[str, Any]) -> str:
        """Return one line of what it would change."""
        return differences.summary(self.kind, self.base(), change)

    def perform(self, base: str, change: Mapping[str, Any], record: Record) -> None:
        """Put it into force."""
        self.book.change(self.kind, base, change, record)


def law_acts(book: LawBook) -> dict[str, Act]:
    """Return the acts on the law of *book*, by kind."""
    return {kind: LawAct(book, kind) for kind in (ROSTER, RULES, CONFIG)}
