"""Recording the output of one command, byte for byte, with the order and the times.

Every byte is in a file before it is passed on, so nothing is shown that is not
recorded; a broker that is killed leaves the files for the next one.  A stream
longer than its limits keeps its head and its tail, its full length and its full
digest.  When the command has ended, secrets in the files are covered (`redact`):
same length, and counted in the entry.  What was there before can be kept for one
auditor, sealed to their key.

    DIR/stdout, DIR/stderr (or DIR/tty)   the bytes
    DIR/timing                            JSON lines: [seconds, "o" | "e" | "t", bytes]
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatesh.config import Config
from gatesh.keys.age import Recipient
from gatesh.transcript.redact import redact as redacting
from gatesh.transcript.ring import Ring

log = logging.getLogger("gatesh.broker")

NAMES = {"o": "stdout", "e": "stderr", "t": "tty"}
SHORT = 1 << 20  # bytes of a stream that are hashed at once; what follows, beside the relaying
MERGE_S = 0.005  # chunks of one stream closer than this share a line of timing

# Keeps a finished file, returns (SHA-256, length); keeps bytes, returns their SHA-256.
Adopt = Callable[[Path], tuple[str, int]]
Put = Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bytes of a stream are kept from its start and from its end, and how."""

    head: int = 32 << 20
    tail: int = 1 << 20
    redact: bool = True
    seal_to: Recipient | None = None  # who gets what was covered, sealed

    @classmethod
    def of(cls, config: Config) -> Limits:
        """Return what the settings of a broker ask for."""
        to = None if config.seal_to is None else _recipient(config.seal_to)
        return cls(config.head_bytes, config.tail_bytes, config.redact, to)


@functools.cache
def _recipient(key: str) -> Recipient | None:
    try:
        found = Recipient.parse(key)
        found.seal(b"")
    except ValueError as problem:  # a record must not fail for this
        log.error("transcript.seal_to: %s: nothing is sealed: %s", key, problem)
        return None
    return found


class _Stream:
    """One stream: its file, its digest, and once it is long the ring that holds its end."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.bytes = 0
        self.digest = hashlib.sha256()
        self.short = min(limits.head, SHORT)
        self.ring: Ring | None = None
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes | memoryview) -> None:
        room = self.limits.head - self.bytes
        if room > 0:
            part = memoryview(data)[:room]
            while part:
                part = part[os.write(self.fd, part) :]
        at_once = max(0, self.short - self.bytes)
        self.bytes += len(data)
        if at_once:
            self.digest.update(data[:at_once])
        if self.ring is not None and self.ring.holds(data):
            self.ring.take(len(data))
        elif len(data) > at_once:
            if self.ring is None:
                self.ring = Ring(self.digest, self.limits.tail)
            self.ring.put(data[at_once:])

    def finish(self, adopt: Adopt, put: Put, *, redact: bool) -> dict[str, Any]:
        os.close(self.fd)
        before, after, covered = cover(self.path) if redact else (b"", b"", {})
        sha256, length = adopt(self.path)
        beyond = self.bytes - length
        if not beyond:
            # Of what is kept: the digest of a text that has one unknown word gives that word away.
            found = {"bytes": self.bytes, "sha256": sha256, "kept": "all"}
            return _told(found, covered, _sealed(before, covered, self.limits.seal_to, put))
        tail = self.ring.last(beyond) if self.ring else b""
        if redact:
            before += tail
            tail, more = redacting(tail)
            covered = dict(Counter(covered) + Counter(more))
        whole = self.digest.hexdigest()
        if covered and len(tail) == beyond:  # all is kept, in two parts: as above
            whole = hashlib.sha256(after + tail).hexdigest()
        kept = {"head": [length, sha256], "tail": [len(tail), put(tail)]}
        found = {"bytes": self.bytes, "sha256": whole, "kept": kept}
        return _told(found, covered, _sealed(before, covered, self.limits.seal_to, put))


def cover(path: Path) -> tuple[bytes, bytes, dict[str, int]]:
    """Cover the secrets in the file *path*, in place.

    Return what was in it before, what is in it now, and how many of each rule were found.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(fd, "r+b") as file:
        before = file.read()
        after, covered = redacting(before)
        if covered:
            file.seek(0)
            file.write(after)
    return before, after, covered


def _sealed(
    before: bytes, covered: dict[str, int], to: Recipient | None, put: Put
) -> dict[str, Any] | None:
    """Keep *before* for the auditor alone, if anything of it was covered."""
    if to is None or not covered:
        return None
    sealed = to.seal(before)
    return {"bytes": len(sealed), "sha256": put(sealed), "to": str(to)}


def _told(
    found: dict[str, Any], covered: dict[str, int], sealed: dict[str, Any] | None
) -> dict[str, Any]:
    if covered:
        found["redacted"] = covered
    if sealed is not None:
        found["sealed"] = sealed
    return found


class Recorder:
    """Records the streams of one command into *directory*.

    Safe to use from one thread per stream.  Raises OSError when a byte cannot be
    written: the caller then has to stop the command.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory = directory
        self.limits = limits
        self.clock = clock
        self.began = clock()
        self.lock = threading.Lock()
        self.made = False  # the directory
        self.streams: dict[str, _Stream] = {}
        self.timing: _Stream | None = None
        self.last: tuple[float, str, int] | None = None

    def write(self, letter: str, data: bytes | memoryview) -> None:
        """Record *data* as output on the stream `o`, `e` or `t`."""
        with self.lock:
            stream = self.streams.get(letter)
            if stream is None:
                # Made with the first byte: most of what agents run prints on one stream or none.
                self.directory.mkdir(mode=0o700, exist_ok=True)
                self.made = True
                path = self.directory / NAMES[letter]
                stream = self.streams[letter] = _Stream(path, self.limits)
            stream.write(data)
            self._note(letter, len(data))

    def space(self, letter: str) -> memoryview | None:
        """Return where the next bytes of a long stream can be read into; None while it is short.

        What is then given to `write` needs no copying.
        """
        stream = self.streams.get(letter)
        return stream.ring.space() if stream is not None and stream.ring is not None else None

    def _note(self, letter: str, count: int) -> None:
        now = self.clock() - self.began
        if self.last is not None:
            since, same, bytes = self.last
            if same == letter and now - since < MERGE_S:
                self.last = (since, letter, bytes + count)
                return
            self._line(self.last)
        self.last = (now, letter, count)

    def _line(self, note: tuple[float, str, int]) -> None:
        if self.timing is None:
            self.timing = _Stream(self.directory / "timing", self.limits)
        self.timing.write(b'[%.6f,"%s",%d]\n' % (note[0], note[1].encode(), note[2]))

    def finish(self, adopt: Adopt, put: Put) -> dict[str, Any]:
        """Close all files, hand them to *adopt*, and return the `streams` of the entry.

        What is written afterwards starts new files, as a new record.
        """
        with self.lock:
            if self.last is not None:
                self._line(self.last)
                self.last = None
            redact = self.limits.redact
            for stream in self.streams.values():
                if stream.ring is not None:  # first of all: what follows may fail
                    stream.ring.close()
            found = {
                NAMES[k]: s.finish(adopt, put, redact=redact)
                for k, s in sorted(self.streams.items())
            }
            if self.timing is not None:
                found["timing"] = self.timing.finish(adopt, put, redact=False)
            self.streams, self.timing = {}, None
            return found

    def discard(self) -> None:
        """Remove the directory, which `finish` has left empty, if it was ever made."""
        if not self.made:
            return
        try:
            self.directory.rmdir()
        except OSError:
            pass  # what is in it the next broker finds and names


def salvage(directory: Path, adopt: Adopt, put: Put, limits: Limits) -> dict[str, Any]:
    """Return the `streams` of what a broker that was killed had recorded in *directory*."""
    found: dict[str, Any] = {}
    for name in (*NAMES.values(), "timing"):
        path = directory / name
        if path.is_symlink() or not path.is_file():
            continue
        hides = limits.redact and name != "timing"
        before, _, covered = cover(path) if hides else (b"", b"", {})
        sealed = _sealed(before, covered, limits.seal_to, put)
        sha256, length = adopt(path)
        found[name] = _told({"bytes": length, "sha256": sha256, "kept": "all"}, covered, sealed)
    directory.rmdir()
    return found
