"""Asking witnesses to cosign each new head (C2SP tlog-witness).

A witness is somebody else's server that signs a head only if it continues the one it
signed before: what it has seen, nobody here can take back.  It is asked from threads
that nothing waits for.  A witness that cannot be reached is asked again, less and less
often; the next head covers what it missed, so nothing is lost but time.  What is wrong
with one stands in the broker's log and in `gatesh broker status`.

The newest cosigned checkpoint of each is kept in `ledger/witness/`.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from gatesh import __version__, document
from gatesh.config import Config
from gatesh.config import Witness as Setting
from gatesh.errors import LedgerError
from gatesh.ledger import cosign, disk, witnessed
from gatesh.ledger.cosign import Cosigned, WitnessKey
from gatesh.ledger.note import BadNoteSignature, Key, MalformedNote
from gatesh.ledger.prover import Prover

log = logging.getLogger("gatesh.broker")

ANSWER_S: Final = 10.0  # a witness that takes longer has failed
FIRST_S, LONGEST_S = 1.0, 300.0  # between two tries, doubled each time
FAREWELL_S: Final = 10.0  # for the last head, when the broker has stopped; nobody waits for it
_LOOK_S: Final = 0.5
_STEP_S: Final = 0.02
_LARGEST: Final = 1 << 16  # of an answer
_TURNS: Final = 3  # a witness may know another head than we think, and then another still

Newest = Callable[[], tuple[bytes, int, str]]
"""`Ledger.signed_head`: checkpoint, size, key."""
Prove = Callable[[int, int], Sequence[bytes]]
"""`Ledger.consistency`: the proof from one size to another."""


class Refused(Exception):
    """The witness answered, and not with a cosignature.  In words for a person."""


class Seat:
    """One witness and what is known of it."""

    def __init__(self, setting: Setting, directory: Path) -> None:
        self.setting, self.directory = setting, directory
        self.key = WitnessKey.parse(setting.vkey)
        self.seen: Cosigned | None = None
        self.old = 0  # the size that it has seen, as far as we know
        self.trouble: str | None = None
        self.tries = 0  # that failed since the last that did not
        self.asked = -1  # size of the newest head that it was asked about
        self.due = 0.0
        self.busy = False

    def remember(self, log_key: Key) -> None:
        """Take up where the last broker left off."""
        try:
            if not self.directory.is_dir():
                return
            data = self._read()
            if data is not None:
                self.seen = cosign.read(data, log_key, self.key)
                self.old = self.seen.head.size
        except (OSError, LedgerError, MalformedNote, BadNoteSignature) as problem:
            log.warning("witness %s: what was kept of it is no use: %s", self.key.name, problem)

    def _read(self) -> bytes | None:
        with self._kept() as directory:
            return disk.read(directory, witnessed.file_name(self.key))

    @contextlib.contextmanager
    def _kept(self) -> Iterator[int]:
        directory = disk.open_directory(self.directory)
        try:
            yield directory
        finally:
            os.close(directory)

    def ask(self, newest: Newest, prove: Prove) -> None:
        """Ask for a cosignature of the newest head; note what came of it."""
        try:
            self._ask(newest, prove)
        except (Refused, MalformedNote, BadNoteSignature, LedgerError) as problem:
            self._failed(str(problem))
        except (OSError, ValueError) as problem:  # unreachable, or not speaking HTTP
            self._failed(str(getattr(problem, "reason", None) or problem))
        except Exception as problem:
            log.exception("a bug while asking the witness %s", self.key.name)
            self._failed(f"a bug in gatesh: {type(problem).__name__}")
        else:
            if self.trouble:
                log.info("witness %s: well again", self.key.name)
            self.trouble, self.tries = None, 0

    def _failed(self, why: str) -> None:
        if why != self.trouble:
            log.warning("witness %s: %s", self.key.name, why)
        self.trouble = why
        self.tries += 1
        # Spread, so that a witness that comes back is not met by all logs at once.
        spread = random.uniform(0.8, 1.2)  # noqa: S311
        pause = min(FIRST_S * 2 ** min(self.tries - 1, 16), LONGEST_S) * spread
        self.due = time.monotonic() + pause

    def _ask(self, newest: Newest, prove: Prove) -> None:
        for _ in range(_TURNS):
            checkpoint, size, vkey = newest()
            self.asked = size
            if self.old > size:
                raise Refused(
                    f"has seen {self.old:,} entries of this log, which now has {size:,}:"
                    " it was cut, or is an old copy"
                )
            proof = prove(self.old, size) if self.old else []
            status, answer = _post(
                f"{self.setting.url.rstrip('/')}/add-checkpoint",
                cosign.add_checkpoint(self.old, proof, checkpoint),
            )
            if status == 200:
                self._keep(cosign.take_answer(checkpoint, answer, Key.parse(vkey), self.key), vkey)
                return
            if status != 409:
                raise Refused(_MEANING.get(status, f"answered {status}"))
            self.old = cosign.take_conflict(answer)
        raise Refused("does not agree with itself on how much of the log it has seen")

    def _keep(self, cosigned: bytes, vkey: str) -> None:
        self.seen = cosign.read(cosigned, Key.parse(vkey), self.key)
        self.old = self.seen.head.size
        with self._kept() as directory:
            disk.replace(directory, witnessed.file_name(self.key), cosigned)

    def status(self) -> dict[str, Any]:
        """What `gatesh broker status` tells of it."""
        seen = self.seen
        at = None if seen is None else datetime.datetime.fromtimestamp(seen.time, datetime.UTC)
        return {
            "name": self.key.name,
            "url": self.setting.url,
            "size": 0 if seen is None else seen.head.size,
            "at": None if at is None else document.stamp(at),
            "trouble": self.trouble,
            "tries": self.tries,
        }


# What the specification has each status mean.
_MEANING: Final = {
    400: "found the question malformed (400)",
    403: "does not accept the signature of this log (403): give its operator ledger/vkey",
    404: "does not know this log (404): give its operator ledger/vkey, or see to the url",
    422: "finds that this log does not continue what it has seen (422): was it rewritten?",
}


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    # Its scheme was checked when the settings were read (`config`).
    request = urllib.request.Request(  # noqa: S310
        url, data=body, method="POST",
        headers={"user-agent": f"gatesh/{__version__}", "content-type": "text/plain"},
    )  # fmt: skip
    try:
        with _OPENER.open(request, timeout=ANSWER_S) as answer:
            return answer.status, answer.read(_LARGEST)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read(_LARGEST)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A witness is where the settings say, not where something there would send us."""

    def redirect_request(self, *_: object) -> None:
        return None


# No proxy from the environment either: whoever started the broker has written that.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


class Witnesses:
    """All witnesses of the settings, which are asked each time: they may change."""

    def __init__(
        self, ledger: Path, newest: Newest, prove: Prove, settings: Callable[[], Config]
    ) -> None:
        self.directory = ledger / witnessed.WHERE
        self.newest, self.prove, self.settings = newest, prove, settings
        self.seats: dict[Setting, Seat] = {}
        self.seating = threading.Lock()
        self.over = threading.Event()

    def run(self) -> None:
        """Ask until stopped."""
        while not self.over.wait(_LOOK_S):
            try:
                self.look()
            except Exception:
                log.exception("a bug while looking after witnesses")

    def look(self) -> None:
        """Start asking those whose turn it is and that have not seen the newest head."""
        config = self.settings()
        seats, size = self._seated(config.witnesses), self.newest()[1]
        for seat in seats:
            seen = 0 if seat.seen is None else seat.seen.head.size
            news = seen != size or seat.trouble is not None
            if news and not seat.busy and time.monotonic() >= seat.due:
                self._start(seat, config.push_every_s)

    def _start(self, seat: Seat, pause_s: float) -> None:
        seat.busy, seat.due = True, time.monotonic() + pause_s
        threading.Thread(target=self._ask, args=(seat,), name="witness", daemon=True).start()

    def _ask(self, seat: Seat) -> None:
        try:
            seat.ask(self.newest, self.prove)
        finally:
            seat.busy = False

    def _seated(self, settings: Sequence[Setting]) -> list[Seat]:
        with self.seating:
            if tuple(self.seats) != tuple(settings):
                self.seats = {setting: self._seat(setting) for setting in settings}
            return list(self.seats.values())

    def _seat(self, setting: Setting) -> Seat:
        seat = self.seats.get(setting)
        if seat is None:
            seat = Seat(setting, self.directory)
            seat.remember(Key.parse(self.newest()[2]))
        return seat

    def status(self) -> list[dict[str, Any]]:
        """What is known of each."""
        return [seat.status() for seat in self._seated(self.settings().witnesses)]

    def ask_all(self, patience_s: float) -> None:
        """Ask each about the newest head now, once, and wait for that no longer than so."""
        until, size = time.monotonic() + patience_s, self.newest()[1]
        left = self._seated(self.settings().witnesses)
        for seat in left:
            seat.asked = -1
        while left and time.monotonic() < until:
            for seat in [seat for seat in left if not seat.busy]:
                if seat.asked >= size:
                    left.remove(seat)
                else:
                    self._start(seat, 0.0)
            time.sleep(_STEP_S)

    def last_words(self) -> None:
        """Offer the head of the end."""
        try:
            self.ask_all(FAREWELL_S)
        except Exception:
            log.exception("a bug while taking leave of witnesses")


@contextlib.contextmanager
def witnessing(
    ledger: Path, newest: Newest, prove: Prove, settings: Callable[[], Config]
) -> Iterator[Witnesses]:
    """Have every new head cosigned while the block runs, and the last one after it."""
    witnesses = Witnesses(ledger, newest, prove, settings)
    thread = threading.Thread(target=witnesses.run, name="witnesses", daemon=True)
    thread.start()
    try:
        yield witnesses
    finally:
        witnesses.over.set()
        thread.join(_LOOK_S)
        witnesses.prove = lambda old, new: _prove(ledger, old, new)
        witnesses.last_words()


def _prove(ledger: Path, old: int, new: int) -> Sequence[bytes]:
    """Prove from the files: the ledger itself has been closed."""
    with Prover(ledger) as prover:
        return prover.consistency(old) if prover.head.size == new else []
