"""Handing each new head to a program of the site's own: a copy that this machine cannot take back.

The program gets the signed checkpoint on standard input and does with it what it
likes: mail it, post it, print it.  It is told of heads, never asked: when it fails
or hangs the broker only says so in its own log, and the next head goes to it as
before.  Nothing about it is written to the ledger, since that would be a new head.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

from gatesh.config import Config

log = logging.getLogger("gatesh.broker")

PATIENCE_S = 60.0  # a program that takes longer is killed
_LOOK_S = 1.0

Newest = Callable[[], tuple[bytes, int, str]]
"""`Ledger.signed_head`: checkpoint, size, key."""


class Pusher:
    """Pushes from a thread of its own.  *settings* are asked each time: they may change."""

    def __init__(self, newest: Newest, settings: Callable[[], Config]) -> None:
        self.newest, self.settings = newest, settings
        self.done = 0  # size of the newest head that is dealt with
        self.given = 0  # size of the newest head that a program was started for
        self.last = -1e9
        self.over = threading.Event()

    def run(self) -> None:
        """Push until stopped."""
        while not self.over.wait(_LOOK_S):
            try:
                self._look()
            except Exception:
                log.exception("a bug while pushing a head")

    def _look(self) -> None:
        checkpoint, size, _ = self.newest()
        if size == self.done:
            return
        config = self.settings()
        if not config.push:
            self.done = size
        elif time.monotonic() - self.last >= config.push_every_s:
            self.last, self.given = time.monotonic(), size
            if _hand_over(config.push, checkpoint):
                self.done = size

    def last_words(self) -> None:
        """Hand over the head of the end, without waiting for what becomes of it."""
        try:
            checkpoint, size, _ = self.newest()
            command = self.settings().push
            if not command or size == self.given:
                return
            process = _start(command)
            if process is not None and process.stdin is not None:
                process.stdin.write(checkpoint)  # less than a pipe holds
                process.stdin.close()
        except Exception as problem:
            log.warning("audit.push: the last head was not handed over: %s", problem)


def _hand_over(command: tuple[str, ...], checkpoint: bytes) -> bool:
    process = _start(command)
    if process is None:
        return False
    try:
        _, said = process.communicate(checkpoint, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        log.warning("audit.push: %s did not end within %d s", command[0], PATIENCE_S)
        return False
    if process.returncode:
        words = said.decode("utf-8", "backslashreplace").strip()[-500:]
        log.warning("audit.push: %s ended with %d: %r", command[0], process.returncode, words)
    return process.returncode == 0


def _start(command: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as problem:
        log.warning("audit.push: %s cannot be started: %s", command[0], problem.strerror)
        return None


@contextlib.contextmanager
def pushing(newest: Newest, settings: Callable[[], Config]) -> Iterator[None]:
    """Push every new head while the block runs, and the last one after it."""
    pusher = Pusher(newest, settings)
    thread = threading.Thread(target=pusher.run, name="push", daemon=True)
    thread.start()
    try:
        yield
    finally:
        pusher.over.set()
        pusher.last_words()
