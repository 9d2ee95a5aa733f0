"""Who said what the law is, retold for the audit (`formats.md` §4).

In first use nobody has to.  Once a roster has had two people, every other roster, rules or settings
stand directly behind the claim of an approved proposal for just them, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatesh import document
from gatesh.errors import GateshError
from gatesh.ledger.checks import Checks
from gatesh.ledger.findings import Findings
from gatesh.ledger.requests import Requests

Entry = Mapping[str, Any]

ROSTER: Final = "roster"
_POLICY: Final = {"rules": "rules_sha256", "config": "settings_sha256"}
_ROSTER_TYPE: Final = "gatesh/roster/v1"


class Laws:
    """Follows the law through one log."""

    def __init__(self, findings: Findings, requests: Requests, checks: Checks | None) -> None:
        self._findings, self._requests, self._checks = findings, requests, checks
        self.settled = False
        self.digests: dict[str, str] = {}  # kind → digest of its document in force

    def all(self) -> tuple[object, ...]:
        """Return what a log that follows this one has to begin with."""
        return self.settled, tuple(sorted(self.digests.items()))

    def roster_loaded(self, entry: Entry, *, claimed: bool, inherited: bool = False) -> None:
        """A roster; *claimed* when the entry before is the claim that carries it out.

        *inherited* from the log before, of which it is told who signed for it.
        """
        said = {name: entry[name] for name in ("allowed_signers", "people")}
        made = document.sha256(document.write({**said, "type": _ROSTER_TYPE}))
        if made != entry["roster_sha256"]:
            self._say(entry, "law-not-as-approved", "the roster is not the one its digest names")
        self._changed(entry, ROSTER, entry["roster_sha256"], claimed)
        if not self.settled and self._settles(entry):
            self.settled = True
            if not inherited:
                meaning = "two people by now; nobody signed for the law up to here"
                self._say(entry, "first-use", meaning)

    def _settles(self, entry: Entry) -> bool:
        if entry.get("settled") is True:
            return True
        if self._checks is None or self._checks.settles is None:
            return False
        try:
            return self._checks.settles(entry)
        except (GateshError, ValueError, KeyError, TypeError):
            return False

    def policy_loaded(self, entry: Entry, *, claimed: bool) -> None:
        """Rules and settings."""
        for kind, field in _POLICY.items():
            digest = entry.get(field)
            if digest is not None:
                self._changed(entry, kind, digest, claimed)
            elif self.settled and kind in self.digests and "problem" not in entry:
                self._say(entry, "law-unapproved", f"it does not say any more what {kind} are law")

    def edited(self, entry: Entry) -> None:
        """Somebody has edited a file; the broker says that it was not obeyed."""
        self._say(entry, "law-edited", f"an edit of the {entry['kind']} file was not obeyed")

    def _changed(self, entry: Entry, kind: str, digest: str, claimed: bool) -> None:
        before = self.digests.get(kind)
        self.digests[kind] = digest
        if digest == before and entry.get("kind") != kind:
            return  # the same law, said again by a broker that has started
        if before is None or not self.settled:
            return  # first use
        acting = self._requests.acting
        mine = claimed and acting is not None and acting.id == entry.get("id")
        if not mine or entry.get("kind") != kind:
            self._say(entry, "law-unapproved", f"nobody has approved this change of the {kind}")
            return
        wrong = self._not_as_approved(entry, kind, digest, before)
        if wrong is not None:
            self._say(entry, "law-not-as-approved", f"the {kind}: {wrong}")

    def _not_as_approved(self, entry: Entry, kind: str, digest: str, before: str) -> str | None:
        """Return how the change differs from what people approved."""
        proposal = self._requests.proposal(entry["n"])
        acting = self._requests.acting
        if proposal is None or proposal.get("kind") != kind or acting is None:
            return "what was approved is no proposal for it"
        if (entry.get("request_sha256"), entry.get("replaces")) != (acting.sha256, before):
            return "it names another request, or another law that it replaces"
        if proposal.get("base") != before:
            return "it was proposed for a law that was no longer in force"
        made = self._made(kind, proposal.get("change"))
        return "another was approved" if made is not None and made != digest else None

    def _made(self, kind: str, change: Any) -> str | None:
        """Return the digest of the law that *change* makes; None when nobody here can tell."""
        if kind != "config":
            return document.sha256(document.write(change)) if isinstance(change, dict) else ""
        if self._checks is None or self._checks.settings_digest is None:
            return None  # what a settings file means is not for this room to know
        try:
            return self._checks.settings_digest(change)
        except (GateshError, ValueError, KeyError, TypeError):
            return ""

    def _say(self, entry: Entry, code: str, meaning: str) -> None:
        self._findings.add(code, entry["n"], meaning)
