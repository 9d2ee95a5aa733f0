"""What an audit asks of the approval room: is this signature good, are these people enough?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gatesh import config
from gatesh.approval import proposal
from gatesh.approval.check import check as check_decision
from gatesh.approval.emergency import check_override, check_review
from gatesh.approval.quorum import is_met
from gatesh.approval.roster import Roster
from gatesh.document import sha256, write
from gatesh.ledger.checks import Checks, Named, Verified


def verify(
    decision: bytes, signature: bytes, *, roster: Mapping[str, Any], **rest: Any
) -> Verified:
    """Check one decision by the roster of its day; raise `Refused` when it does not hold."""
    return check_decision(decision, signature, roster=Roster.from_document(roster), **rest)


def _quorum_met(
    quorum: Mapping[str, int], people: Collection[str], roster: Mapping[str, Any]
) -> bool:
    return is_met(quorum, people, Roster.from_document(roster))


def _settles(entry: Mapping[str, Any]) -> bool:
    return Roster.from_document(entry).settles


def _settings_digest(change: Mapping[str, Any]) -> str:
    found = config.given(proposal.config_of(change), Path("config.yaml"))
    config.from_given(found, Path("config.yaml"))
    return sha256(write(proposal.settings_document(config.law_of(found))))


def _override(
    override: bytes, signature: bytes, *, roster: Mapping[str, Any], **rest: Any
) -> Named:
    return check_override(override, signature, roster=Roster.from_document(roster), **rest)


def _review(review: bytes, signature: bytes, *, roster: Mapping[str, Any], **rest: Any) -> Named:
    return check_review(review, signature, roster=Roster.from_document(roster), **rest)


CHECKS = Checks(verify, _quorum_met, _settles, _settings_digest, _override, _review)
