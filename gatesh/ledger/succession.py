"""Logs that follow one another in one home.

    ledger.000000/   a finished log: ends in `ledger.closed`, never changes again
    ledger.000001/   …
    ledger/          the log that is written

A finished log names the key of its successor, and the successor's first entry names the
size and root of the finished one: whoever holds a head of the newest log holds all of
them.  A log is finished by one entry; everything after that (putting its directory away,
taking the next key into use, beginning the next log) is done at the next start, so a
crash in between is no special case.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gatesh.errors import LedgerError, Tampered
from gatesh.ledger import disk, entry
from gatesh.ledger.merkle import Head
from gatesh.ledger.prover import Prover
from gatesh.ledger.rounds import CLOSED

CURRENT: Final = "ledger"
PAST: Final = re.compile(r"ledger\.([0-9]{6})", re.ASCII)
_INHERITED: Final = ("roster.loaded", "policy.loaded")  # in this order


def put_away_as(k: int) -> str:
    """Return the directory of the k-th finished log.

    >>> put_away_as(0)
    'ledger.000000'
    """
    return f"ledger.{k:06d}"


def past(state: Path) -> list[Path]:
    """Return the directories of the finished logs in *state*, oldest first."""
    try:
        names = os.listdir(state)
    except FileNotFoundError:
        return []
    return [state / name for name in sorted(names) if PAST.fullmatch(name)]


def logs(state: Path) -> list[Path]:
    """Return the directories of all logs in *state*, oldest first."""
    current = state / CURRENT
    return [*past(state), *([current] if current.is_dir() else [])]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a finished log ended, proven from its own bytes."""

    origin: str
    vkey: str
    head: Head
    successor: Mapping[str, Any]  # `origin` and `vkey`
    law: tuple[Mapping[str, Any], ...]  # its last `roster.loaded` and `policy.loaded`

    def predecessor(self) -> dict[str, Any]:
        """Return what the first entry of the successor says of it."""
        root = base64.b64encode(self.head.root).decode("ascii")
        return {"origin": self.origin, "root": root, "size": self.head.size, "vkey": self.vkey}

    def inherited(self) -> list[dict[str, Any]]:
        """Return the entries that the successor takes over: what was law stays law."""
        return [
            {name: value for name, value in one.items() if name not in ("v", "n", "t")}
            for one in self.law
        ]


def ending(directory: Path) -> Ending:
    """Return how the log in *directory* ended.

    Every line is hashed again.  Raises `Tampered` when the log does not have the root
    that was signed for it, or is not finished.
    """
    with closing(Prover(directory)) as log:
        law: dict[str, Mapping[str, Any]] = {}
        last: Mapping[str, Any] = {"type": ""}
        line = b"{}"
        for line in log.lines():
            for name in _INHERITED:
                if b'"type":"%s"' % name.encode() in line:
                    found = entry.decode(line)
                    if found["type"] == name:
                        law[name] = found
        if log.head.size:
            last = entry.decode(line)
        successor = last.get("successor")
        if last["type"] != CLOSED or not isinstance(successor, dict):
            raise Tampered(
                f"{directory} was put away and is not finished", hint="run `gatesh audit`"
            )
        ordered = tuple(law[name] for name in _INHERITED if name in law)
        return Ending(log.key.name, str(log.key), log.head, successor, ordered)


def begun(state: Path) -> bool:
    """Tell whether the log in `ledger/` has an entry: then its first one says what it follows."""
    try:
        size = (state / CURRENT / "checkpoint").read_bytes().split(b"\n")[1:2]
    except (FileNotFoundError, NotADirectoryError):
        return False
    return size != [b"0"]


def put_away(state: Path) -> Path:
    """Move the finished log in `ledger/` to its number; its lock must be held, or its writer gone.

    Raises `LedgerError` when the place is taken.
    """
    there = past(state)
    k = 1 + int(there[-1].name[-6:]) if there else 0
    target = state / put_away_as(k)
    fd = disk.open_directory(state, create=False)
    try:
        if disk.exists(fd, target.name):
            raise LedgerError(f"{target} is in the way", hint="run `gatesh audit`")
        os.rename(CURRENT, target.name, src_dir_fd=fd, dst_dir_fd=fd)
        disk.sync(fd)
    finally:
        os.close(fd)
    return target


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Keep other brokers from opening a log of *state*; raise `LedgerError` when one is at it.

    While a log is put away there is none in `ledger/`, and nobody else must begin one.
    """
    fd = disk.open_directory(state, create=False)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerError(
                f"another gatesh broker is opening the log in {state}",
                hint="there is one writer: use that one",
            ) from None
        yield
    finally:
        os.close(fd)
