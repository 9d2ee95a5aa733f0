"""From the key of a log that somebody knows to that of the log that goes on with it.

A log that was closed ends in an entry that names the key of the next one.  Whoever
remembers the closed log needs to trust nobody for the new key: the old one vouches for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatesh.errors import Tampered
from gatesh.ledger.note import Key, MalformedNote
from gatesh.ledger.proof import BadProof, Proof


@dataclass(frozen=True, slots=True)
class Link:
    """How one log ended: the proof of its last entry, and that its end continues `since` entries.

    `consistency` is the RFC 6962 proof from `since` to the size it ended with; empty for
    logs that the one who follows has never seen.
    """

    closing: bytes
    since: int = 0
    consistency: tuple[bytes, ...] = ()

    @property
    def checkpoint(self) -> bytes:
        """The last checkpoint of the log."""
        return Proof.parse(self.closing).checkpoint


def follow(key: Key, links: Iterable[Link]) -> Key:
    """Return the key of the log that goes on, from that of the first log in *links*.

    Raises `Tampered` unless each link is the end of the log whose key the one before named.
    """
    for link in links:
        try:
            proof = Proof.parse(link.closing)
            checkpoint, last = proof.check(key)
            if last["type"] != "ledger.closed" or proof.index + 1 != checkpoint.head.size:
                raise BadProof("it is not the end of a log that was closed")
            key = Key.parse(str(last["successor"]["vkey"]))
        except (BadProof, MalformedNote, KeyError, TypeError) as problem:
            raise Tampered(
                f"the log {key.name} does not go on as claimed: {problem}",
                hint="do not approve anything of it until its owner has explained this",
            ) from None
    return key
