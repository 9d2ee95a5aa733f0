"""The real shell behind a call: by the name that was called, by absolute path, never ourselves."""

from __future__ import annotations

import os

from gatesh import bridge, words
from gatesh.case import Case
from gatesh.nested import Outer, goes_round

MISSING, UNUSABLE = 127, 78


def path(case: Case) -> str:
    """Return the absolute path of the real shell: as configured, never by PATH."""
    return case.law.config.shells[case.invocation.name]


def trouble(case: Case, outer: Outer | None) -> tuple[int, str] | None:
    """Return (status, words) when the real shell cannot be started; None when it can.

    *outer* is the running command that the call comes from.
    """
    name, shell = case.invocation.name, path(case)
    if bridge.is_gatesh(shell) or (outer is not None and goes_round(case, outer)):
        return UNUSABLE, words.shell_is_gatesh(name, shell)
    if not os.access(shell, os.X_OK):
        return MISSING, words.no_shell(name, shell)
    return None


def zero(argv0: bytes) -> bytes:
    """Return what the real shell is called: as we were, but for our own name."""
    dash, name = argv0[:1] == b"-", argv0.rsplit(b"/", 1)[-1].removeprefix(b"-")
    if name.startswith(b"gatesh"):
        return b"-bash" if dash else b"bash"
    return argv0
