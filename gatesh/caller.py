"""The caller's end, as the gate needs it: what it can be asked, and what it says back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gatesh.model import Invocation

EXIT, SIGNAL = 0, 1


@dataclass(frozen=True, slots=True)
class Leave:
    """How the client is to end: with a status, or by a signal."""

    value: int
    how: int = EXIT


@dataclass(frozen=True, slots=True)
class Commands:
    """How a session's shell was called, and what takes each of its commands through the gate.

    `each` is given the command's exact bytes, those of earlier ones that may have defined
    something, the client to run it with, and a look at the shell's working directory then.
    """

    invocation: Invocation
    env: Mapping[bytes, bytes]
    each: Callable[[bytes, bytes, Client, Callable[[], Mapping[str, Any]]], Leave]


@dataclass(frozen=True, slots=True)
class Copy:
    """A script to be run from a copy: its name, its bytes, the shell's arguments by its path."""

    name: bytes
    data: bytes
    argv: Callable[[bytes], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the client is to start."""

    id: str
    path: bytes
    argv: tuple[bytes, ...]
    stdin: bytes | None = None  # what standard input held, when commands came from there
    commands: Commands | None = None  # when they still come: one after the other, each judged
    copy: Copy | None = None  # what to run instead of the script file in `argv`


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.  `how` is None when nobody can know whether it even began."""

    how: int | None
    value: int
    seconds: float
    streams: Mapping[str, Any]
    why: str | None = None  # when it was not the command's own doing
    unseen: tuple[str, ...] = ()  # streams that passed by the record


class Client(Protocol):
    """The caller's end, as the gate needs it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def say(self, text: str) -> None:
        """Print *text* on its standard error."""

    def gone(self) -> bool:
        """Tell whether it has left."""

    def wait(self, wake: int, seconds: float | None) -> bool:
        """Return when *wake* (an eventfd) is readable or it has left; False when time is up."""

    def stop(self, words: str) -> None:
        """Print *words* among what runs, then kill that with all it has started."""

    def run(self, plan: Plan, late: Callable[[Mapping[str, Any]], None]) -> Ending:
        """Have it run *plan*; *late* gets the record of what came after the shell's end.

        Raises OSError when it cannot be recorded; whatever had started is killed then.
        """
