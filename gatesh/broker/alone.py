"""Break-glass at the broker: one person starts what waits, and everybody hears of it.

Signed as decisions are and carried by the same couriers; what is signed is another document, and
what it leaves in the log is a debt: the audit fails until somebody else has reviewed it.
"""

from __future__ import annotations

from typing import Any

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.emergency import (
    OVERRIDE,
    REVIEW,
    Override,
    Review,
    check_override,
    check_review,
)
from gatesh.approval.lifecycle import Emergency, RequestState
from gatesh.approval.why import refused
from gatesh.docket import Docket
from gatesh.errors import Refused

KINDS = {OVERRIDE: "override", REVIEW: "review"}


def kind_of(data: bytes) -> str | None:
    """Return `override` or `review` when *data* says that it is one; nothing of it is verified."""
    try:
        return KINDS.get(str(document.read(data).get("type")))
    except document.MalformedDocument:
        return None


class Alone:
    """What one person starts alone, in one docket."""

    def __init__(self, docket: Docket) -> None:
        self.docket = docket

    def override(self, data: bytes, signature: bytes) -> tuple[str, str]:
        """Take a signed override; return (id, who).  Raises `Refused` with its word."""
        docket = self.docket
        try:
            found = Override.read(data)  # only to find the request; the check trusts nothing of it
        except document.MalformedDocument as problem:
            raise Refused(str(problem), why="override-malformed") from None
        with docket.turn:
            state = docket.state(found.request)
            digests = _kept(docket, override_sha256=data, signature_sha256=signature)
            now = docket.clock()
            with docket.lock:
                used = docket.states.overrides_of(found.by, now)
            try:
                accepted = check_override(
                    data,
                    signature,
                    request=docket.blobs.get(state.request_sha256),
                    revision=state.revision,
                    roster=docket.law().roster,
                    origin=docket.origin,
                    on_history=docket.on_history,
                    now=now,
                    log_size=docket.ledger.head.size,
                    earlier=state.earlier,
                    used=used,
                )
                if (why := state.why_not_override(now)) is not None:
                    raise refused(why)
            except Refused as refusal:
                self._refused(state.id, refusal, digests["override_sha256"], digests)
                raise
            docket.ledger.append(
                [
                    {
                        "type": "override.accepted",
                        **accepted.as_document(),
                        **digests,
                        "request_sha256": state.request_sha256,
                    }
                ]
            )
        return state.id, accepted.by

    def review(self, data: bytes, signature: bytes) -> tuple[str, str]:
        """Take a signed review; return (id, who).  Raises `Refused` with its word."""
        docket = self.docket
        try:
            found = Review.read(data)
        except document.MalformedDocument as problem:
            raise Refused(str(problem), why="review-malformed") from None
        with docket.turn:
            state = docket.state(found.request)
            with docket.lock:
                emergency = docket.states.emergency(state.id)
            digests = _kept(docket, review_sha256=data, signature_sha256=signature)
            try:
                if emergency is None:
                    raise refused("override-unknown")
                accepted = check_review(
                    data,
                    signature,
                    id=state.id,
                    override=docket.blobs.get(emergency.sha256),
                    requester=self._asked(emergency)["requester"],
                    roster=docket.law().roster,
                    origin=docket.origin,
                    on_history=docket.on_history,
                    now=docket.clock(),
                    log_size=docket.ledger.head.size,
                )
                if emergency.review is not None:
                    raise refused("already-reviewed", emergency.review.by)
            except Refused as refusal:
                self._refused(state.id, refusal, digests["review_sha256"], digests)
                raise
            docket.ledger.append(
                [
                    {
                        "type": "override.reviewed",
                        **accepted.as_document(),
                        **digests,
                        "override_sha256": emergency.sha256,
                    }
                ]
            )
        return state.id, accepted.by

    def _refused(self, id: str, refusal: Refused, sha256: str, digests: dict[str, str]) -> None:
        entry = {
            "type": "decision.refused",
            "id": id,
            "why": refusal.why,
            "decision_sha256": sha256,
            "signature_sha256": digests["signature_sha256"],
        }
        self.docket.ledger.append([entry])

    # ---- telling ------------------------------------------------------------------------

    def unreviewed(self) -> list[dict[str, Any]]:
        """Return every override that nobody has reviewed, oldest first."""
        with self.docket.lock:
            found = [e for e in self.docket.states.emergencies() if e.review is None]
        return [self._told(emergency) for emergency in found]

    def _told(self, emergency: Emergency) -> dict[str, Any]:
        asked = self._asked(emergency)
        signed = Override.read(self.docket.blobs.get(emergency.sha256))
        return {
            "id": emergency.id,
            "by": emergency.answer.by,
            "at": document.stamp(signed.at),
            "reason": signed.reason,
            "override_sha256": emergency.sha256,
            "script": asked["inner"] or asked["script"],
        }

    def answers(self, state: RequestState) -> list[dict[str, Any]]:
        """Return override and review of a request, as `request` lists answers."""
        with self.docket.lock:
            emergency = self.docket.states.emergency(state.id)
        if emergency is None:
            return []
        override = Override.read(self.docket.blobs.get(emergency.sha256))
        found = [_answer("override", override, emergency.answer.revision)]
        if emergency.review is not None:
            entry = next(self.docket.ledger.entries(emergency.review.index))
            review = Review.read(self.docket.blobs.get(entry["review_sha256"]))
            found.append(_answer("review", review, emergency.answer.revision))
        return found

    def _asked(self, emergency: Emergency) -> dict[str, Any]:
        return requests.read(self.docket.blobs.get(emergency.request_sha256))


def _kept(docket: Docket, **documents: bytes) -> dict[str, str]:
    with docket.blobs.batch() as batch:
        return {name: batch.put(data) for name, data in documents.items()}


def _answer(what: str, signed: Override | Review, revision: int) -> dict[str, Any]:
    return {
        "by": signed.by,
        "decision": what,
        "reason": signed.reason,
        "question": None,
        "at": document.stamp(signed.at),
        "revision": revision,
    }
