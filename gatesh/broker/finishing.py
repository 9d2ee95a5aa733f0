"""Finishing the log on a person's word: what runs goes first, what waits is ended.

The log is finished by its last entry, which names the key of the next one; the broker
stops with it, and the next start puts the log away and goes on in a new one (`logs`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from gatesh.broker.logs import WHY
from gatesh.broker.surroundings import Peer
from gatesh.errors import LedgerError, Refused
from gatesh.gate import Gate
from gatesh.model import show_id

PATIENCE_S = 5.0  # for a command that was being started at this moment

Entry = Mapping[str, Any]


class Finishing:
    """Answers the question `close-log`.

    *entry* makes the last entry, and the next key before; *left* tells whether every caller
    has left.
    """

    def __init__(
        self,
        gate: Gate,
        inside: Callable[[Peer], bool],
        entry: Callable[[], Entry],
        left: Callable[[], bool],
    ) -> None:
        self.gate, self.inside, self._entry, self._left = gate, inside, entry, left
        self.last: Entry | None = None  # what to finish the log with

    def close(self, _question: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """End what waits and have the log finished; raise `Refused` while commands run."""
        if peer.uid not in (0, os.geteuid()):
            raise Refused("only the broker's own account may close its log", why="not-yours")
        if self.inside(peer):
            raise Refused(
                "the log cannot be closed from inside a gated command",
                why="inside-gate",
                hint="use a terminal of your own",
            )
        docket = self.gate.docket
        with docket.lock:
            unreviewed = [e.id for e in docket.states.emergencies() if e.review is None]
        if unreviewed:  # a review stands in the log of its override
            raise Refused(
                f"nobody has reviewed the override of {show_id(unreviewed[0])}",
                why="unreviewed",
                hint=f"gatesh review {show_id(unreviewed[0])} -m TEXT",
            )
        last = self._entry()
        self.gate.rest()
        try:
            self.gate.stop(PATIENCE_S)
            ended = self.gate.docket.end_all(WHY)
            # A caller that is cut off, not told, would ask again by itself in the next log.
            deadline = time.monotonic() + PATIENCE_S
            while not self._left() and time.monotonic() < deadline:
                time.sleep(0.01)
        except LedgerError:
            self.gate.closing = False
            raise
        self.last = last
        return {
            "pid": os.getpid(),
            "origin": self.gate.docket.origin,
            "successor": last["successor"]["origin"],
            "ended": ended,
        }
