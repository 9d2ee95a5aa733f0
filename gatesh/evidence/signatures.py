"""Checking, with nothing but the roster of the day, that people have signed and were enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gatesh import document
from gatesh.errors import GateshError
from gatesh.evidence.story import Entry
from gatesh.ledger.checks import Checks

Blob = Callable[[str], bytes | None]


class Signatures:
    """Follows the entries of a report, in order.

    `count` is how many signatures hold, `problems` says which do not, and which commands
    started on fewer people than their rules ask for.  Whether a signed head lies on the
    history, and how often somebody has overridden before, only the whole log can tell.
    """

    def __init__(self, checks: Checks, origin: str, roster: Entry | None, blob: Blob) -> None:
        self.checks, self.origin, self.roster, self.blob = checks, origin, roster, blob
        self.count = 0
        self.problems: list[str] = []
        self._revisions: dict[str, list[str]] = {}
        self._held: dict[str, str] = {}  # commands of the report → verdict
        self._approved: dict[int, str] = {}  # entries with an approval that holds → who gave it
        self._alone: dict[int, Entry] = {}  # entries with an override that holds

    def take(self, entry: Entry) -> bool:
        """Take the next entry; False when there is no going on without the roster it names."""
        kind, id = entry["type"], entry.get("id")
        if kind == "roster.loaded":
            self.roster = entry
        elif kind == "command.submitted":
            # Every submission names its roster, so an older one cannot be put in its place.
            if self.roster is None or self.roster["roster_sha256"] != entry["roster_sha256"]:
                self.problems.append(f"the roster that entry {entry['n']} names is not shown")
                return False
            self._held[entry["id"]] = entry["verdict"]
        elif kind in ("request.opened", "request.revised"):
            self._revisions.setdefault(entry["id"], []).append(entry["request_sha256"])
        elif id in self._held and kind in _TELLS:
            try:
                _TELLS[kind](self, entry)
            except (GateshError, ValueError, KeyError, TypeError) as problem:
                self.problems.append(f"entry {entry['n']}: {problem}")
        return True

    def _common(self, entry: Entry) -> dict[str, Any]:
        return {
            "roster": self.roster or {},
            "origin": self.origin,
            "on_history": lambda size, root: True,
            "now": document.moment(entry["t"]),
            "log_size": entry["n"],
        }

    def _asked(self, entry: Entry) -> tuple[bytes, dict[str, Any]] | None:
        """Return the request that an answer is to; None when it is said to be missing already."""
        asked = self.blob(entry["request_sha256"])
        revisions = self._revisions[entry["id"]]
        if asked is None:
            return None
        return asked, {"revision": len(revisions), "earlier": revisions[:-1]}

    def _decided(self, entry: Entry) -> None:
        asked = self._asked(entry)
        decision, signature = map(self.blob, (entry["decision_sha256"], entry["signature_sha256"]))
        if asked is None or decision is None or signature is None:
            return
        self.checks.verify_decision(
            decision,
            signature,
            request=asked[0],
            requester=document.read(asked[0])["requester"],
            **asked[1],
            **self._common(entry),
        )
        self.count += 1
        if entry["decision"] == "approve":
            self._approved[entry["n"]] = entry["by"]

    def _overridden(self, entry: Entry) -> None:
        asked, verify = self._asked(entry), self.checks.verify_override
        override, signature = map(self.blob, (entry["override_sha256"], entry["signature_sha256"]))
        if asked is None or override is None or signature is None or verify is None:
            return
        verify(override, signature, request=asked[0], used=0, **asked[1], **self._common(entry))
        self.count += 1
        self._alone[entry["n"]] = entry

    def _reviewed(self, entry: Entry) -> None:
        verify = self.checks.verify_review
        override, review, signature = map(
            self.blob, (entry["override_sha256"], entry["review_sha256"], entry["signature_sha256"])
        )
        asked = self.blob(self._revisions[entry["id"]][-1])
        if verify is None or override is None or review is None or signature is None or not asked:
            return
        verify(
            review,
            signature,
            id=entry["id"],
            override=override,
            requester=document.read(asked)["requester"],
            **self._common(entry),
        )
        self.count += 1

    def _started(self, entry: Entry) -> None:
        """Was a held command started on enough people, all of whom had signed by then?"""
        if self._held[entry["id"]] != "approve" or not entry.get("request_sha256"):
            return
        rests = set(entry["decisions"])
        asked = self.blob(entry["request_sha256"])
        if rests & self._alone.keys() or asked is None:
            return
        need: Mapping[str, Any] = document.read(asked)["need"]
        people = {self._approved[n] for n in rests if n in self._approved}
        if not self.checks.quorum_met(need["quorum"], people, self.roster or {}):
            self.problems.append(
                f"entry {entry['n']}: {entry['id']} started on fewer people than it needs"
            )


_TELLS: Mapping[str, Callable[[Signatures, Entry], None]] = {
    "decision.accepted": Signatures._decided,
    "override.accepted": Signatures._overridden,
    "override.reviewed": Signatures._reviewed,
    "command.started": Signatures._started,
}
