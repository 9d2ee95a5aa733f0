"""What law stands: folded from the log alone, so that files on disk are only a copy of it.

A log begins in *first use*: whoever sets up the account says who the people are and what the rules
say.  Once a roster has two people of whom one can sign what the other asks for it is *settled*,
and stays so even if all but one of them leave: else removing people would be the way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatesh.approval.proposal import CONFIG, ROSTER, RULES
from gatesh.approval.roster import Roster
from gatesh.errors import Tampered

FIRST_USE = "first-use"  # `trust` of an entry that nobody has signed
FIELDS = {RULES: "rules_sha256", CONFIG: "settings_sha256"}  # of `policy.loaded`
_AUDIT = "run `gatesh audit`"
UNREADABLE = "unreadable"  # stands for the digest of a file that cannot be read


class Standing:
    """The law by digests, up to the last entry applied."""

    def __init__(self) -> None:
        self.settled = False
        self.roster: Mapping[str, Any] | None = None  # the newest `roster.loaded`
        self.digests: dict[str, str] = {}  # kind → SHA-256 of its document in force
        self.replaced: dict[str, str] = {}  # kind → of the one that an approval took out of force
        self._claim: str | None = None  # what the entry before has started
        self._said = False  # by an entry: brokers before that asked nobody
        self.noted: dict[str, str] = {}  # kind → the unapproved edit that the log tells of

    def take(self, entry: Mapping[str, Any]) -> None:
        """Take the next entry of a log that is read; raise `Tampered` for law nobody approved.

        Whoever has the log's key can write such an entry.  Obeying it would make the broker an
        accomplice until somebody audits; that the claim in front of it rests on approvals is
        `state.States`' business.
        """
        before, self._claim = self._claim, None
        if entry["type"] == "command.started":
            self._claim = entry["id"]
        if self._said and self._unlawful(entry, before):
            where = f"entry {entry.get('n')} ({entry['type']})"
            raise Tampered(f"{where} changes the law and nobody approved it", hint=_AUDIT)
        self.apply(entry)

    def _unlawful(self, entry: Mapping[str, Any], claim: str | None) -> bool:
        kinds = {"roster.loaded": {ROSTER: "roster_sha256"}, "policy.loaded": FIELDS}
        for kind, field in kinds.get(entry["type"], {}).items():
            stands, digest = self.digests.get(kind), entry.get(field)
            if stands is None or digest in (None, stands):
                continue
            if entry.get("kind") != kind or entry.get("replaces") != stands:
                return True
            if claim is None or entry.get("id") != claim:
                return True
        return False

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Take the next entry, which this broker writes itself."""
        kind = entry.get("type")
        if kind == "roster.loaded":
            self.roster = entry
            self._loaded(ROSTER, entry["roster_sha256"], entry)
            self._said = self._said or bool(entry.get("settled"))
            if not self.settled:
                self.settled = bool(entry.get("settled")) or Roster.from_document(entry).settles
        elif kind == "policy.loaded":
            for name, field in FIELDS.items():
                if (digest := entry.get(field)) is not None:
                    self._loaded(name, digest, entry)
        elif kind == "law.edited":
            self.noted[entry["kind"]] = entry["sha256"] or UNREADABLE

    def _loaded(self, kind: str, digest: str, entry: Mapping[str, Any]) -> None:
        if digest != self.digests.get(kind):
            self.digests[kind] = digest
            self.noted.pop(kind, None)
            self.replaced.pop(kind, None)
        if entry.get("kind") == kind and "replaces" in entry:
            self.replaced[kind] = entry["replaces"]
