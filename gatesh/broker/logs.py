"""Opening the log of one home, and finishing it: which log is written, and with which key.

A log is finished by its last entry alone, which names the next key.  Putting it away and
beginning the next one is what every start does when it finds a finished log, so a crash
anywhere in between only means that the next start does it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from gatesh.broker import surroundings
from gatesh.config import Config, Places
from gatesh.docket import Docket
from gatesh.errors import KeyTrouble
from gatesh.keys.logkey import LogKey
from gatesh.ledger import succession
from gatesh.ledger.store import Ledger

log = logging.getLogger("gatesh.broker")

WHY = "the log was closed"


def open_log(
    places: Places, settings: Config, clock: Callable[[], datetime]
) -> tuple[LogKey, Ledger]:
    """Return the log that is written here and its key; begins the next one after a finished one.

    Raises `LedgerError` when another broker has it, `Tampered` when a log is not what its
    checkpoint says, `KeyTrouble` when its key is not there.
    """
    with succession.alone(places.state):
        while True:
            ending = _ending(places)
            key = LogKey.open(
                places.state, surroundings.host_name(), use_keyring=settings.log_key == "keyring"
            )
            ledger = Ledger.open(
                places.ledger,
                origin=key.origin,
                vkey=key.vkey,
                sign=key.sign,
                clock=clock,
                predecessor=ending.predecessor() if ending else None,
                inherited=ending.inherited() if ending else (),
            )
            if not ledger.finished:
                return key, ledger
            try:
                away = succession.put_away(places.state)
                log.info("the log %s is finished and lies in %s", key.origin, away)
            finally:
                ledger.close()


def _ending(places: Places) -> succession.Ending | None:
    """Return what the log to be begun follows, its key at hand; None when there is one already."""
    finished = succession.past(places.state)
    if not finished or succession.begun(places.state):
        return None
    ending = succession.ending(finished[-1])
    LogKey.take_over(places.state, str(ending.successor["vkey"]))
    return ending


def closing_entry(places: Places, settings: Config, key: LogKey) -> dict[str, Any]:
    """Return the entry that finishes the log of *key*; the key of its successor is made durable."""
    try:
        following = LogKey.next(
            places.state, surroundings.host_name(), use_keyring=settings.log_key == "keyring"
        )
    except OSError as problem:
        raise KeyTrouble(
            f"the key of the next log cannot be made: {problem.strerror}",
            hint="see that there is space where the state of gatesh lies",
        ) from problem
    if following.vkey == key.vkey:
        raise KeyTrouble("the next log would have the key of this one", hint="remove next.key")
    return {
        "type": "ledger.closed",
        "origin": key.origin,
        "vkey": key.vkey,
        "successor": {"origin": following.origin, "vkey": following.vkey},
    }


def loose_ends(docket: Docket) -> list[dict[str, Any]]:
    """Return the entries that end what would else be open for ever in a finished log.

    There is something only when it came at the very moment of closing.
    """
    with docket.lock:
        lost: list[dict[str, Any]] = [
            {"type": "command.lost", "id": command.id, "why": "the log was closed before it began"}
            for command in docket.states.unfinished()
        ]
        ended = docket.endings(WHY)
    return [*lost, *ended]
