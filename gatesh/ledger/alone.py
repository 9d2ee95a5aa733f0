"""What one person has started alone, retold for the audit: was it allowed, and has somebody looked?

An audit fails until another person has signed a review of each override (`formats.md` §3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gatesh import document
from gatesh.errors import GateshError, Refused
from gatesh.ledger.checks import Checks, Named
from gatesh.ledger.findings import Findings
from gatesh.ledger.requests import Request, Requests

Entry = Mapping[str, Any]

DAY: Final = timedelta(hours=24)
REVIEW_WITHIN: Final = timedelta(days=3)


@dataclass(slots=True)
class _Override:
    entry: Entry
    at: datetime
    requester: Mapping[str, Any]
    reviewed: bool = False


class Overrides:
    """Every override of a log."""

    def __init__(
        self,
        findings: Findings,
        requests: Requests,
        origin: str,
        blob: Callable[[str, int], bytes | None],
        on_history: Callable[[int, bytes], bool],
        checks: Checks | None,
    ) -> None:
        self._findings, self._requests, self._origin = findings, requests, origin
        self._blob, self._on_history, self._checks = blob, on_history, checks
        self._found: dict[str, _Override] = {}  # id → its override

    def accepted(self, entry: Entry) -> None:
        """Somebody overrides a request: it may start on this entry alone, if it holds."""
        n, request = entry["n"], self._requests.open.get(entry["id"])
        at = document.moment(entry["t"])
        asked = request.asked if request is not None else None
        self._found[entry["id"]] = _Override(entry, at, (asked or {}).get("requester", {}))
        if request is None or entry["request_sha256"] != request.sha256:
            self._findings.add("override-invalid", n, "it is of no request that is open")
            return
        if self._requests.trusted or self._holds(entry, request, at):
            request.state, request.override = "approved", n
            seconds = 0 if asked is None else asked["run_within_s"]
            request.run_by = at + timedelta(seconds=seconds)

    def _holds(self, entry: Entry, request: Request, at: datetime) -> bool:
        n, checks = entry["n"], self._checks
        override = self._blob(entry["override_sha256"], n)
        signature = self._blob(entry["signature_sha256"], n)
        asked = self._blob(request.sha256, n)
        if override is None or signature is None or asked is None:
            return False
        roster = self._requests.roster
        if checks is None or checks.verify_override is None or roster is None:
            return _names(override, entry)
        others = (o for o in self._found.values() if o.entry is not entry)
        used = sum(1 for o in others if o.entry["by"] == entry["by"] and o.at > at - DAY)
        try:
            found = checks.verify_override(
                override,
                signature,
                request=asked,
                revision=request.revision,
                roster=roster,
                origin=self._origin,
                on_history=self._on_history,
                now=at,
                log_size=n,
                earlier=request.earlier,
                used=used,
            )
        except Refused as refused:
            self._findings.add("override-invalid", n, f"{refused} ({refused.why})")
            return False
        except (GateshError, ValueError, KeyError, TypeError) as problem:
            self._findings.add("override-invalid", n, f"it cannot be checked: {problem}")
            return False
        return self._agree("override-invalid", entry, found)

    def reviewed(self, entry: Entry) -> None:
        """Somebody else has looked at an override."""
        n, found = entry["n"], self._found.get(entry["id"])
        if found is None or found.entry["override_sha256"] != entry["override_sha256"]:
            self._findings.add("review-invalid", n, "it is of no override there is")
            return
        if not self._requests.trusted and not self._looked(entry, found):
            return
        found.reviewed = True
        late = document.moment(entry["t"]) - found.at
        if late > REVIEW_WITHIN:
            days = late.total_seconds() / 86_400
            self._findings.add("override-reviewed-late", n, f"reviewed after {days:.1f} days")

    def _looked(self, entry: Entry, found: _Override) -> bool:
        n, checks = entry["n"], self._checks
        override = self._blob(entry["override_sha256"], n)
        review = self._blob(entry["review_sha256"], n)
        signature = self._blob(entry["signature_sha256"], n)
        if override is None or review is None or signature is None:
            return False
        roster = self._requests.roster
        if checks is None or checks.verify_review is None or roster is None:
            return _names(review, entry) and entry["by"] != found.entry["by"]
        try:
            said = checks.verify_review(
                review,
                signature,
                id=entry["id"],
                override=override,
                requester=found.requester,
                roster=roster,
                origin=self._origin,
                on_history=self._on_history,
                now=document.moment(entry["t"]),
                log_size=n,
            )
        except Refused as refused:
            self._findings.add("review-invalid", n, f"{refused} ({refused.why})")
            return False
        except (GateshError, ValueError, KeyError, TypeError) as problem:
            self._findings.add("review-invalid", n, f"it cannot be checked: {problem}")
            return False
        agreed = self._agree("review-invalid", entry, said)
        if agreed:
            self._requests.saw(said.by, review)
        return agreed

    def _agree(self, code: str, entry: Entry, found: Named) -> bool:
        said = (found.by, found.key, found.assurance)
        if said != (entry["by"], entry["key"], entry["assurance"]):
            self._findings.add(code, entry["n"], "the entry says otherwise than the signature")
            return False
        self._requests.signatures += 1
        return True

    def finish(self) -> None:
        """Say what nobody has looked at."""
        for id, found in self._found.items():
            if not found.reviewed:
                self._findings.add(
                    "override-unreviewed",
                    found.entry["n"],
                    f"{found.entry['by']} started {id} alone, and nobody else has reviewed it",
                )


def _names(data: bytes, entry: Entry) -> bool:
    """Tell whether the signed document is what the entry says, as far as can be seen of it."""
    try:
        signed = document.read(data)
        return bool(signed["by"] == entry["by"] and signed["request"] == entry["id"])
    except (document.MalformedDocument, KeyError):
        return False
