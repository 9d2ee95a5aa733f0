"""Who waits for which request, and how they are woken: an eventfd each.

A caller that is held listens to its own request, an approver's inbox to all of
them.  `version` counts everything that has happened here, so that whoever was
away for a moment can tell that they have missed something.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Bells:
    """The eventfds of everybody who waits.  Its lock is innermost: nothing is called under it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callers: dict[str, set[int]] = {}  # id → eventfds of calls that are held
        self._inboxes: set[int] = set()
        # From the clock: a number of the broker before this one must not pass for ours.
        self.version = time.time_ns() // 1000

    @contextmanager
    def held(self, id: str) -> Iterator[int]:
        """Lend an eventfd that rings for *id*, and count as somebody who waits for it."""
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        with self._lock:
            self._callers.setdefault(id, set()).add(fd)
            self._ring_inboxes()
        try:
            yield fd
        finally:
            with self._lock:
                self._callers[id].discard(fd)
                if not self._callers[id]:
                    del self._callers[id]
                self._ring_inboxes()
                os.close(fd)  # under the lock: nobody can ring a number that is used again

    @contextmanager
    def inbox(self) -> Iterator[int]:
        """Lend an eventfd that rings for everything."""
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        with self._lock:
            self._inboxes.add(fd)
        try:
            yield fd
        finally:
            with self._lock:
                self._inboxes.discard(fd)
                os.close(fd)

    def ring(self, id: str) -> None:
        """Wake whoever waits for *id*, and every inbox."""
        with self._lock:
            for fd in self._callers.get(id, ()):
                os.eventfd_write(fd, 1)
            self._ring_inboxes()

    def waiting(self) -> dict[str, int]:
        """Return how many calls are held for each request that any is held for."""
        with self._lock:
            return {id: len(fds) for id, fds in self._callers.items()}

    def _ring_inboxes(self) -> None:
        self.version += 1
        for fd in self._inboxes:
            os.eventfd_write(fd, 1)
