"""Which client is this, and how long does it wait?

Measured with the versions of November 2026.  All of it is a hint and spoofable:
the variables are set by whoever starts the shell, and an agent may set any of
them.  They change how long a command is held before it answers "pending", and a
word in the log; nothing is ever allowed or refused for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """A program that starts shells for an agent.

    `hold_s`: for how many seconds it waits for a silent command before it would
    give up on it, less a margin; within these a paused command must answer
    "pending" itself.  None: it may wait without limit.  `heartbeat_s`: how often
    a line on standard error keeps a client patient that counts silence.
    """

    name: str
    hold_s: float | None
    heartbeat_s: float | None


UNKNOWN = Client("unknown", 20.0, None)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A variable that a client sets; an empty *value* stands for any."""

    variable: bytes
    value: bytes
    client: Client

    def __call__(self, env: Mapping[bytes, bytes]) -> bool:
        found = env.get(self.variable)
        return found is not None and self.value in (b"", found)


_CODEX = Client("codex", None, None)
_CLAUDE = Client("claude-code", None, None)
_CLAUDE_KILLS = Client("claude-code", 100.0, None)  # told not to use the background
_GEMINI = Client("gemini-cli", None, 60.0)

# mini-swe-agent, OpenHands, open-interpreter, swe-rex and Zed set nothing to know them by.
_MARKS = (
    _Mark(b"CODEX_CI", b"1", _CODEX),
    _Mark(b"CODEX_THREAD_ID", b"", _CODEX),
    _Mark(b"CLAUDECODE", b"1", _CLAUDE),
    _Mark(b"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", b"1", _CLAUDE_KILLS),
    _Mark(b"OPENCODE", b"1", Client("opencode", 100.0, None)),
    _Mark(b"GEMINI_CLI", b"1", _GEMINI),
    _Mark(b"QWEN_CODE", b"1", Client("qwen-code", 100.0, None)),
    _Mark(b"COPILOT_CLI", b"1", Client("copilot-cli", None, None)),
    _Mark(b"CLINE_CONNECTOR_CLI_LAUNCH", b"", Client("cline-cli", 20.0, None)),
    _Mark(b"PI_CODING_AGENT", b"true", Client("pi", None, None)),
    _Mark(b"OR_APP_NAME", b"Aider", Client("aider", None, None)),
    _Mark(b"VSCODE_INJECTION", b"1", Client("vscode", None, 60.0)),
    _Mark(b"COPILOT_AGENT", b"1", Client("vscode", None, 60.0)),
    _Mark(b"GOOSE_MODEL", b"", Client("goose", 250.0, None)),
    _Mark(b"CRUSH", b"1", Client("crush", None, None)),
)


def by_environment(env: Mapping[bytes, bytes]) -> Client | None:
    """Return the client whose mark is in *env*, or None.

    A hint, and spoofable.  Clients started by other clients inherit their marks;
    of several, the most impatient is returned, since a wrong guess then costs a
    second try and not a command killed in mid-wait.

    >>> by_environment({b"CLAUDECODE": b"1", b"QWEN_CODE": b"1"}).name
    'qwen-code'
    """
    mark = _by(env)
    return mark.client if mark else None


def mark_of(env: Mapping[bytes, bytes]) -> str:
    """Return the mark by which `by_environment` goes, as NAME=value; empty when there is none.

    A value that is not always the same (an id, a model) is left out.

    >>> mark_of({b"CLAUDECODE": b"1"}), mark_of({b"CODEX_THREAD_ID": b"0199"})
    ('CLAUDECODE=1', 'CODEX_THREAD_ID')
    """
    mark = _by(env)
    if mark is None:
        return ""
    return (mark.variable + (b"=" + mark.value if mark.value else b"")).decode("ascii")


def _by(env: Mapping[bytes, bytes]) -> _Mark | None:
    found = [mark for mark in _MARKS if mark(env)]
    return min(found, key=lambda mark: _patience(mark.client), default=None)


def _patience(client: Client) -> tuple[float, float]:
    return (
        math.inf if client.hold_s is None else client.hold_s,
        math.inf if client.heartbeat_s is None else client.heartbeat_s,
    )
