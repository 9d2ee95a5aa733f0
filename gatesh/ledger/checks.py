"""What the audit asks of those who know signatures and rosters.

The ledger room knows bytes, hashes and order.  Whether a signature is that of
the person it names, by the roster of its day, and whether some people are enough
people, is known to `gatesh.approval`; whoever starts an audit hands both in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class Verified(Protocol):
    """A decision that passed every check, in the words of its `decision.accepted` entry."""

    @property
    def id(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def decision(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def assurance(self) -> str: ...
    @property
    def request_sha256(self) -> str: ...


class VerifyDecision(Protocol):
    """Checks one decision as `formats.md` §2 demands; raises `Refused` with its word."""

    def __call__(
        self,
        decision: bytes,
        signature: bytes,
        *,
        request: bytes,  # the document, as stored
        revision: int,  # the one that was current
        roster: Mapping[str, Any],  # the `roster.loaded` entry of that day
        requester: Mapping[str, Any],
        origin: str,
        on_history: Callable[[int, bytes], bool],  # did this log have that root at that size?
        now: datetime,  # the time of the entry that accepted it
        log_size: int,  # of the log at that moment
        earlier: Collection[str],  # digests of older revisions
    ) -> Verified: ...


class Named(Protocol):
    """Who has signed an override or a review, in the words of its entry."""

    @property
    def by(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def assurance(self) -> str: ...


class VerifyOverride(Protocol):
    """Checks an override as `formats.md` §3 demands; raises `Refused` with its word."""

    def __call__(
        self,
        override: bytes,
        signature: bytes,
        *,
        request: bytes,
        revision: int,
        roster: Mapping[str, Any],
        origin: str,
        on_history: Callable[[int, bytes], bool],
        now: datetime,
        log_size: int,
        earlier: Collection[str],
        used: int,  # how often its signer has overridden in the 24 hours before
    ) -> Named: ...


class VerifyReview(Protocol):
    """Checks a review as `formats.md` §3 demands; raises `Refused` with its word."""

    def __call__(
        self,
        review: bytes,
        signature: bytes,
        *,
        id: str,
        override: bytes,
        requester: Mapping[str, Any],
        roster: Mapping[str, Any],
        origin: str,
        on_history: Callable[[int, bytes], bool],
        now: datetime,
        log_size: int,
    ) -> Named: ...


class QuorumMet(Protocol):
    """Tells whether these people are enough, by the roster of that day."""

    def __call__(
        self, quorum: Mapping[str, int], people: Collection[str], roster: Mapping[str, Any]
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Checks:
    """What an audit cannot know by itself."""

    verify_decision: VerifyDecision
    quorum_met: QuorumMet
    # Does the roster of this `roster.loaded` end first use?
    settles: Callable[[Mapping[str, Any]], bool] | None = None
    # The digest of the settings that a proposal's `change` makes.
    settings_digest: Callable[[Mapping[str, Any]], str] | None = None
    verify_override: VerifyOverride | None = None
    verify_review: VerifyReview | None = None
