"""Watching: what waits as it changes, what a running command prints, and who may look and stop it.

Questions that wait are answered when something has happened, or after `seconds`; the asker
then asks again.  Each holds one thread of the broker for that time, so it is bounded.
"""

from __future__ import annotations

import base64
import os
import select
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatesh.broker.surroundings import Peer
from gatesh.docket import Docket
from gatesh.errors import NotFound, Refused
from gatesh.model import show_id

LONGEST_S = 25.0
LOOK_S = 0.05  # between two looks at what a command has printed
STREAMS = ("stdout", "stderr", "tty")
PART = 4 << 20  # bytes of one stream in one answer


def overseer(docket: Docket, id: str, peer: Peer) -> str:
    """Return by what name *peer* may watch and stop the command *id*; raise `Refused`.

    Whoever approved it may, and the account that everything here runs under.
    """
    state = docket.states.get(id)
    approvers = {a.by for a in state.answers if a.decision == "approve"} if state else set()
    if state is not None and state.override is not None:
        approvers.add(state.override.by)
    person = docket.law().roster.person_of_account(peer.user)
    if person is not None and person in approvers:
        return person
    if peer.uid in (0, os.geteuid()):
        return person or peer.user
    raise Refused(f"you have not approved {show_id(id)}", why="not-yours")


def await_change(docket: Docket, seen: int, seconds: float) -> int:
    """Return the present version of everything, once it is another than *seen* or time is up."""
    deadline = time.monotonic() + min(seconds, LONGEST_S)
    with docket.bells.inbox() as bell:
        poll = select.poll()
        poll.register(bell, select.POLLIN)
        while docket.bells.version == seen and (left := deadline - time.monotonic()) > 0:
            poll.poll(int(left * 1000) + 1)
    return docket.bells.version


def output(
    docket: Docket, directory: Path, id: str, at: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    """Return what the command *id* has printed beyond the offsets *at*, as soon as there is some.

    *directory* is where running commands are recorded.  `running` is false once nothing more
    will come; the rest is in the same answer.
    """
    deadline = time.monotonic() + min(seconds, LONGEST_S)
    while True:
        with docket.lock:  # by the log: between its end and the entry that says so it still runs
            running = any(command.id == id for command in docket.states.unfinished())
        parts = dict(_beyond(docket, directory / id, id, at, running))
        more = any(len(part) == PART for part in parts.values())
        if parts or not running or time.monotonic() >= deadline:
            encoded = {name: base64.b64encode(part).decode() for name, part in parts.items()}
            return {"running": running or more, "parts": encoded}
        time.sleep(LOOK_S)


def _beyond(
    docket: Docket, directory: Path, id: str, at: Mapping[str, int], running: bool
) -> Iterator[tuple[str, bytes]]:
    found: Mapping[str, Any] = {} if running else _recorded(docket, id)
    for name in STREAMS:
        since = max(0, int(at.get(name, 0)))
        part = b""
        if running:
            try:
                with open(directory / name, "rb") as file:
                    file.seek(since)
                    part = file.read(PART)
            except FileNotFoundError:
                pass
        elif (stream := found.get(name)) is not None and stream["bytes"]:
            # A stream too long to be kept whole goes on in `gatesh replay`, which says so.
            kept = stream["kept"]
            digest = stream["sha256"] if kept == "all" else kept["head"][1]
            part = docket.blobs.get(digest)[since : since + PART]
        if part:
            yield name, part


def _recorded(docket: Docket, id: str) -> Mapping[str, Any]:
    """Return the streams of a command that has just ended; raise `NotFound`."""
    size = docket.ledger.head.size
    for entry in docket.ledger.entries(max(0, size - 512)):
        if entry.get("id") == id and entry["type"] in ("command.finished", "command.lost"):
            streams: Mapping[str, Any] = entry.get("streams") or {}
            return streams
    raise NotFound(f"{show_id(id)} is not running", hint=f"gatesh replay {show_id(id)}")
