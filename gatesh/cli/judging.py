"""What an audit asks of the approval room: is this signature good, are these people enough?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gatesh.approval.check import check as check_decision
from gatesh.approval.quorum import is_met
from gatesh.approval.roster import Roster
from gatesh.ledger.checks import Checks, Verified


def verify(
    decision: bytes, signature: bytes, *, roster: Mapping[str, Any], **rest: Any
) -> Verified:
    """Check one decision by the roster of its day; raise `Refused` when it does not hold."""
    return check_decision(decision, signature, roster=Roster.from_document(roster), **rest)


def _quorum_met(
    quorum: Mapping[str, int], people: Collection[str], roster: Mapping[str, Any]
) -> bool:
    return is_met(quorum, people, Roster.from_document(roster))


CHECKS = Checks(verify, _quorum_met)
