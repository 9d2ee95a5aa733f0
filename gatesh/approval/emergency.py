"""Break-glass: what one person signs to start a held command alone, and what another signs later.

An override is not an approval.  It has a type and an SSHSIG namespace of its own, so that neither
can be taken for the other; a rule has to allow it, and an audit fails until somebody else has
signed a review of it (`docs/spec/formats.md` §3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.check import AHEAD, authentic, bind, not_self, witnesses
from gatesh.approval.decision import LONGEST, LogHead
from gatesh.approval.roster import Roster
from gatesh.approval.signers_text import OVERRIDES, REVIEWS
from gatesh.approval.why import refused
from gatesh.document import MalformedDocument
from gatesh.keys.publickey import PublicKey
from gatesh.model import read_id

OVERRIDE, REVIEW = "gatesh/override/v1", "gatesh/review/v1"
DAY = timedelta(hours=24)  # over which overrides are counted
REVIEW_WITHIN = timedelta(days=3)  # a later review counts, and the audit says that it was late
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMON = {"at", "by", "log", "reason", "request", "type"}


@dataclass(frozen=True, slots=True)
class Override:
    """One person starts one revision of one request, alone, and says why."""

    by: str
    request: str  # the id
    request_sha256: str
    at: datetime
    log: LogHead
    reason: str

    def write(self) -> bytes:
        """Return the exact bytes to sign; raise `MalformedDocument` if they could not be read."""
        data = document.write({**_common(OVERRIDE, self), "request_sha256": self.request_sha256})
        Override.read(data)
        return data

    @classmethod
    def read(cls, data: bytes) -> Override:
        """Parse *data*; raise `MalformedDocument` for anything else than a v1 override."""
        found = _read(data, OVERRIDE, "request_sha256")
        return cls(
            found["by"],
            found["request"],
            found["request_sha256"],
            document.moment(found["at"]),
            LogHead.of(found["log"]),
            found["reason"],
        )


@dataclass(frozen=True, slots=True)
class Review:
    """Another person has looked at an override, and says what they found."""

    by: str
    request: str  # the id
    override: str  # SHA-256 of the override document
    at: datetime
    log: LogHead
    reason: str

    def write(self) -> bytes:
        """Return the exact bytes to sign; raise `MalformedDocument` if they could not be read."""
        data = document.write({**_common(REVIEW, self), "override": self.override})
        Review.read(data)
        return data

    @classmethod
    def read(cls, data: bytes) -> Review:
        """Parse *data*; raise `MalformedDocument` for anything else than a v1 review."""
        found = _read(data, REVIEW, "override")
        return cls(
            found["by"],
            found["request"],
            found["override"],
            document.moment(found["at"]),
            LogHead.of(found["log"]),
            found["reason"],
        )


def _common(type: str, signed: Override | Review) -> dict[str, Any]:
    return {
        "at": document.stamp(signed.at, micros=bool(signed.at.microsecond)),
        "by": signed.by,
        "log": signed.log.as_document(),
        "reason": signed.reason,
        "request": signed.request,
        "type": type,
    }


def _read(data: bytes, type: str, digest: str) -> dict[str, Any]:
    if len(data) > LONGEST:
        raise MalformedDocument(f"longer than {LONGEST} bytes")
    found = document.read(data)
    if found.keys() != _COMMON | {digest} or found["type"] != type:
        raise MalformedDocument(f"not of type {type}, or not with its fields")
    for name in ("by", "reason", "request", digest):
        if not isinstance(found[name], str) or not found[name].strip():
            raise MalformedDocument(f"`{name}` is not text")
    if read_id(found["request"]) != found["request"]:
        raise MalformedDocument("`request` is not a request's id")
    if not _SHA256.fullmatch(found[digest]):
        raise MalformedDocument(f"`{digest}` is not a SHA-256 in lowercase hex")
    return found


@dataclass(frozen=True, slots=True)
class Accepted:
    """An override or review that passed every check, in the words of its entry."""

    id: str
    by: str
    key: str
    assurance: str

    def as_document(self) -> dict[str, Any]:
        """Return the fields for the entry; digests are the caller's to add."""
        return {"id": self.id, "by": self.by, "key": self.key, "assurance": self.assurance}


def _accepted(id: str, by: str, key: PublicKey) -> Accepted:
    return Accepted(id, by, key.fingerprint, "presence" if key.sk else "key")


def check_override(
    data: bytes,
    signature: bytes,
    *,
    request: bytes,
    revision: int,
    roster: Roster,
    origin: str,
    on_history: Callable[[int, bytes], bool],
    now: datetime,
    log_size: int | None = None,
    earlier: Collection[str] = (),
    used: int = 0,
) -> Accepted:
    """Check an override of the request document *request*; raise `Refused` with its word.

    *used* is how often its signer has overridden in the 24 hours before.  Anybody who is enrolled
    may, the requester too: it is an emergency, and everybody will hear of it.
    """
    try:
        asked = requests.read(request)
    except MalformedDocument as problem:
        raise refused("request-malformed", str(problem)) from None
    found, key = authentic(data, signature, roster, OVERRIDES, Override.read, "override-malformed")
    bind(found, id=asked["id"], request_sha256=document.sha256(request), earlier=earlier)
    if asked["revision"] != revision:
        raise refused("revision-stale", f"revision {asked['revision']}, now {revision}")
    _in_time(found.at, document.moment(asked["opened"]), document.moment(asked["approve_by"]), now)
    witnesses(found.log, asked["origin"], origin, on_history, log_size)
    most = asked["need"].get("break_glass", 0)
    if most < 1:
        raise refused("override-not-allowed")
    if asked["need"]["assurance"] == "presence" and not key.sk:
        raise refused("presence-needed")
    if used >= most:
        raise refused("override-too-many", f"{used} of {most}")
    return _accepted(asked["id"], found.by, key)


def check_review(
    data: bytes,
    signature: bytes,
    *,
    id: str,
    override: bytes,
    requester: Mapping[str, Any],
    roster: Roster,
    origin: str,
    on_history: Callable[[int, bytes], bool],
    now: datetime,
    log_size: int | None = None,
) -> Accepted:
    """Check a review of the document *override*, of the request *id*; raise `Refused`.

    It takes somebody who neither has overridden nor is, in any way, whoever asked.
    """
    found, key = authentic(data, signature, roster, REVIEWS, Review.read, "review-malformed")
    if found.request != id or found.override != document.sha256(override):
        raise refused("review-other")
    reviewed = Override.read(override)
    theirs = {line.key.point for line in roster.keys_of(reviewed.by)}
    if found.by == reviewed.by or key.point in theirs:
        raise refused("review-own", found.by)
    not_self(found.by, key, requester, roster)
    _in_time(found.at, reviewed.at, None, now)
    witnesses(found.log, origin, origin, on_history, log_size)
    return _accepted(id, found.by, key)


def _in_time(at: datetime, after: datetime, until: datetime | None, now: datetime) -> None:
    if at < after:
        raise refused("too-early", document.stamp(at))
    if until is not None and at > until:
        raise refused("too-late", document.stamp(at))
    if at > now + AHEAD:
        raise refused("from-the-future", document.stamp(at))
