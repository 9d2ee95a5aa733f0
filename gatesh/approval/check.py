"""Checking one decision: every condition of formats.md §2, each with its own word.

The broker runs this when an answer arrives, the approver's client before it sends one, and the
audit years later with the roster of that day.  No clock and no files: all of it comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.approval.quorum import can_answer
from gatesh.approval.roster import Roster
from gatesh.approval.why import WHY, refused
from gatesh.document import MalformedDocument
from gatesh.keys import sshsig
from gatesh.keys.publickey import PublicKey

__all__ = [
    "AHEAD", "WHY", "Accepted", "Signed", "authentic", "authenticate", "bind", "check", "not_self",
    "witnesses",
]  # fmt: skip

AHEAD = timedelta(seconds=60)  # how far a signer's clock may run before ours


@dataclass(frozen=True, slots=True)
class Signed:
    """A decision whose signature holds and whose signer the roster knows."""

    decision: Decision
    key: PublicKey


@dataclass(frozen=True, slots=True)
class Accepted:
    """A decision that passed every check, in the words of the `decision.accepted` entry."""

    id: str
    decision: str  # approve | reject | ask | revoke
    by: str
    key: str  # SHA256:… of the signing key
    assurance: str  # key | presence
    at: datetime
    request_sha256: str
    revision: int
    size: int  # of the ledger the signer has checked
    root: bytes
    reason: str | None = None
    question: str | None = None

    def as_document(self) -> dict[str, Any]:
        """Return the fields for the entry; the two blobs' digests are the caller's to add."""
        return {
            "id": self.id,
            "decision": self.decision,
            "by": self.by,
            "key": self.key,
            "assurance": self.assurance,
            "request_sha256": self.request_sha256,
        }


def authenticate(decision: bytes, signature: bytes, roster: Roster) -> Signed:
    """Return who decided what; raise `Refused` unless the roster's person signed these bytes.

    Signature first: nothing of the document is looked at before the bytes are known to be
    somebody's.
    """
    found, key = authentic(
        decision, signature, roster, NAMESPACE, Decision.read, "decision-malformed"
    )
    return Signed(found, key)


class Answering(Protocol):
    """What every signed document says."""

    @property
    def by(self) -> str: ...
    @property
    def at(self) -> datetime: ...


class Asked(Protocol):
    """What an answer to a request says of it."""

    @property
    def request(self) -> str: ...
    @property
    def request_sha256(self) -> str: ...


D = TypeVar("D", bound=Answering)


def authentic(
    data: bytes,
    signature: bytes,
    roster: Roster,
    namespace: str,
    read: Callable[[bytes], D],
    malformed: str,
) -> tuple[D, PublicKey]:
    """Return the document that *read* makes of *data*, and the key that signed just these bytes.

    Raises `Refused` unless the key was its person's, for *namespace*, at the time it says.
    """
    key = sshsig.verify(signature, data, namespace)
    try:
        found = read(data)
    except MalformedDocument as problem:
        raise refused(malformed, str(problem)) from None
    owner = roster.owner_of(key)
    if owner is None:
        raise refused("key-unknown", key.fingerprint)
    if owner != found.by:
        raise refused("key-not-yours", f"signed by {owner}, not {found.by}")
    if roster.person_of_key(key, found.at, namespace) != found.by:
        raise refused("key-not-valid", f"{key.fingerprint} at {document.stamp(found.at)}")
    return found, key


def bind(decision: Asked, *, id: str, request_sha256: str, earlier: Collection[str] = ()) -> None:
    """Raise `Refused` unless *decision* answers exactly the request with this id and digest.

    *earlier* are the digests of its older revisions, to tell a late answer from a wrong one.
    """
    if decision.request != id:
        raise refused("request-other", f"it answers {decision.request}, not {id}")
    if decision.request_sha256 in earlier:
        raise refused("revision-stale")
    if decision.request_sha256 != request_sha256:
        raise refused("digest-other")


def check(
    decision: bytes,
    signature: bytes,
    *,
    request: bytes,
    revision: int,
    roster: Roster,
    requester: Mapping[str, Any],
    origin: str,
    on_history: Callable[[int, bytes], bool],
    now: datetime,
    log_size: int | None = None,
    earlier: Collection[str] = (),
) -> Accepted:
    """Check one decision against the request it answers; raise `Refused` with a word of `WHY`.

    *revision* is the current one and *request* its document, byte for byte.  *requester* is who
    asked as the broker knows it (`user`, `person`, perhaps `keys`: further fingerprints known to
    be theirs); the request's own record of it counts as well.  *on_history* says whether this
    ledger had that root (32 bytes) at that size; *log_size* is its present size.
    """
    try:
        asked = requests.read(request)
    except MalformedDocument as problem:
        raise refused("request-malformed", str(problem)) from None
    signed = authenticate(decision, signature, roster)
    answer, key = signed.decision, signed.key
    bind(answer, id=asked["id"], request_sha256=document.sha256(request), earlier=earlier)
    if asked["revision"] != revision:
        raise refused("revision-stale", f"revision {asked['revision']}, now {revision}")
    _in_time(answer, asked, now)
    for record in (requester, asked["requester"]):
        not_self(answer.by, key, record, roster)
    witnesses(answer.log, asked["origin"], origin, on_history, log_size)
    assurance = "presence" if key.sk else "key"
    if answer.decision == "approve":
        if not can_answer(answer.by, asked["need"]["quorum"], roster):
            raise refused("not-eligible", answer.by)
        if asked["need"]["assurance"] == "presence" and assurance != "presence":
            raise refused("presence-needed")
    return Accepted(
        id=asked["id"],
        decision=answer.decision,
        by=answer.by,
        key=key.fingerprint,
        assurance=assurance,
        at=answer.at,
        request_sha256=answer.request_sha256,
        revision=revision,
        size=answer.log.size,
        root=answer.log.root,
        reason=answer.reason,
        question=answer.question,
    )


def not_self(person: str, key: PublicKey, requester: Mapping[str, Any], roster: Roster) -> None:
    """Raise `Refused` if *person* or *key* is in any way the one who asked.

    Also for the approver's client: refuse before signing, not only after.
    """
    human, user = requester.get("person"), requester.get("user")
    if human is not None and str(human).casefold() == person.casefold():
        raise refused("self-person", person)
    account_owner = roster.person_of_account(str(user)) if user else None
    if account_owner == person:
        raise refused("self-account", f"{person} is {user}")
    theirs = {line.key.point for name in (human, account_owner) if name
              for line in roster.keys_of(str(name))}  # fmt: skip
    if key.point in theirs or key.fingerprint in requester.get("keys", ()):
        raise refused("self-key", key.fingerprint)


def _in_time(answer: Decision, asked: Mapping[str, Any], now: datetime) -> None:
    opened, approve_by = (document.moment(asked[name]) for name in ("opened", "approve_by"))
    # A revocation stops something, and must be possible until the claim (§2): its window ends
    # with the last moment at which an approval in time could still have been used.
    last = approve_by
    if answer.decision == "revoke":
        last += timedelta(seconds=asked["run_within_s"])
    if answer.at < opened:
        raise refused("too-early", document.stamp(answer.at))
    if answer.at > last:
        raise refused("too-late", document.stamp(answer.at))
    if answer.at > now + AHEAD:
        raise refused("from-the-future", document.stamp(answer.at))


def witnesses(
    log: LogHead,
    asked_origin: str,
    origin: str,
    on_history: Callable[[int, bytes], bool],
    log_size: int | None,
) -> None:
    """Raise `Refused` unless *log*, which somebody has signed, is on the history of this ledger."""
    if log.origin != origin or asked_origin != origin:
        raise refused("log-other", f"{log.origin}, not {origin}")
    if log_size is not None and log.size > log_size:
        raise refused("log-ahead", f"{log.size} entries, here {log_size}")
    if not on_history(log.size, log.root):
        raise refused("log-forked", f"at {log.size} entries")
