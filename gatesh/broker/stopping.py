"""Killing a command with everything it has started, before that can start more."""

from __future__ import annotations

import os
import signal

from gatesh.broker.surroundings import parent

ROUNDS = 20  # a program that forks faster than we look cannot hold us up for ever


def kill_tree(shell: int) -> None:
    """Kill the process *shell* and its descendants, as far as this account may.

    Descendants are halted before anything is killed: a child whose parent dies first belongs to
    init and could not be found any more.  The shell itself is not (its client would halt with
    it, as for any stop), but with its children halted it has nothing to go on to.  What has left
    the tree before (a daemon) is not reached.
    """
    halted: set[int] = set()
    for _ in range(ROUNDS):
        found = descendants(shell) - halted
        if not found:
            break
        for pid in found:
            _send(pid, signal.SIGSTOP)
        halted |= found
    for pid in (shell, *halted):
        _send(pid, signal.SIGKILL)


def descendants(pid: int) -> set[int]:
    """Return the processes that *pid* has started, directly or not."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := parent(int(name))) is not None:
            children.setdefault(found[0], []).append(int(name))
    reached: set[int] = set()
    ahead = [pid]
    while ahead:
        for child in children.get(ahead.pop(), ()):
            if child not in reached:
                reached.add(child)
                ahead.append(child)
    return reached


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # over already, or another account's: a guarded broker leaves those to the client
