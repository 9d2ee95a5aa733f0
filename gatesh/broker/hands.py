"""Threads that are kept for the next job: to start one costs more than most jobs here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

KEPT: Final = 32  # idle threads, about what an agent with subagents has running at once

log = logging.getLogger("gatesh.broker")
Job = tuple[Callable[..., Any], tuple[Any, ...]]


class Hands:
    """As many threads as there are jobs, and some that wait for more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle = 0
        self._jobs: SimpleQueue[Job] = SimpleQueue()

    def do(self, job: Callable[..., Any], *arguments: Any) -> None:
        """Call *job* in a thread that does nothing else meanwhile."""
        with self._lock:
            if self._idle:
                self._idle -= 1  # one of them, whichever, takes it
                self._jobs.put((job, arguments))
                return
        threading.Thread(
            target=self._work, args=((job, arguments),), name="hand", daemon=True
        ).start()

    def _work(self, first: Job) -> None:
        job, arguments = first
        while True:
            try:
                job(*arguments)
            except Exception:
                log.exception("a bug in a thread")
            del job, arguments  # an idle thread keeps nothing alive of what it was given
            with self._lock:
                if self._idle >= KEPT:
                    return
                self._idle += 1
            job, arguments = self._jobs.get()


do: Final = Hands().do
