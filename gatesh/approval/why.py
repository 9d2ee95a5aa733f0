"""The one table of fixed words for refused answers (`decision.refused`, formats.md §3).

A word never changes its meaning once a log contains it.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatesh.errors import Refused
from gatesh.keys import sshsig

WHY: Mapping[str, str] = {
    **sshsig.WHY,
    # the document and its signer
    "decision-malformed": "what was signed is not a decision document",
    "request-malformed": "the request held here is not a request document",
    "key-unknown": "the signing key is not in the roster",
    "key-not-yours": "the signing key belongs to somebody else than `by` names",
    "key-not-valid": "the signing key was not valid at the time of the decision",
    # which request, and when
    "request-other": "the decision names another request",
    "digest-other": "the decision was made for other bytes than this request's",
    "revision-stale": "the decision answers an older revision of this request",
    "too-early": "the decision is dated before the request was opened",
    "too-late": "the decision is dated after the time for answers",
    "from-the-future": "the decision is dated in the future",
    # who
    "self-person": "the person is the human behind the request",
    "self-account": "the person owns the account that asked",
    "self-key": "the key belongs to the human behind the request",
    "not-eligible": "the person is in none of the teams this request needs",
    "presence-needed": "this request needs a security key that is touched",
    # which history
    "log-other": "the decision witnesses another ledger",
    "log-ahead": "the decision witnesses more entries than this ledger has",
    "log-forked": "the decision witnesses a history that is not this ledger's",
    # what has become of the request meanwhile
    "request-unknown": "there is no such request in this ledger",
    "request-ended": "the request has ended already",
    "request-started": "the command has started already",
    "request-expired": "the time for answers is over",
    "question-open": "a question is open; the answer to it will be a new revision",
    "already-approved": "enough people have approved already",
    "already-answered": "this person has approved this revision already",
    "nothing-to-revoke": "nobody has approved this request",
    # starting something alone, and having it reviewed
    "override-malformed": "what was signed is not an override",
    "override-not-allowed": "no rule that holds this command lets anybody override it",
    "override-too-many": "this person has overridden as often in 24 hours as the rules allow",
    "review-malformed": "what was signed is not a review",
    "review-own": "whoever has overridden cannot review that",
    "review-other": "the review is not of this override",
    "override-unknown": "there is no override of this request to review",
    "already-reviewed": "somebody has reviewed this override already",
}


def refused(why: str, detail: str = "") -> Refused:
    """Return the error for *why*, in the words of the table."""
    return Refused(f"{WHY[why]}: {detail}" if detail else WHY[why], why=why)
