"""Killing a command with everything it has started, before that can start more."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from gatesh.broker.surroundings import parent, session

PATIENCE_S = 2.0  # a program that forks faster than we look cannot hold us up for ever
CHASE_S = 0.2  # nobody can halt what a living shell starts: what is missed is found afterwards
TIOCGSID = 0x5429  # from <asm-generic/ioctls.h>, absent from Python's module
LOOKS = 3  # one can miss a process that hands over to its child and ends meanwhile


@dataclass(slots=True)
class Command:
    """What tells the processes of one command from all others.

    *client* is the process that started the shell and reports its end.  *pipes* are the inodes
    of the pipes that the command writes to, *terminal* the session of the terminal made for it.
    """

    client: int
    pipes: set[int] = field(default_factory=set)
    terminal: int = 0

    def shown_on(self, master: int) -> None:
        """Note the session on the terminal of *master*, if its leader is the client's child."""
        try:
            answer = fcntl.ioctl(master, TIOCGSID, bytes(4))
        except OSError:
            return  # over already
        leader = int.from_bytes(answer, sys.byteorder)
        if leader > 0 and (found := parent(leader)) is not None and found[0] == self.client:
            self.terminal = leader

    def holders(self) -> Iterator[int]:
        """Yield the processes that can still write to the command's pipes or terminal.

        What was orphaned is found by this alone.  Children of an earlier command have its pipes,
        not these.  Processes of other accounts do not show what they hold.
        """
        # The terminal's leader puts the caller's back as it was, and then leaves.
        us = {os.getpid(), self.client, self.terminal}
        names = {f"pipe:[{inode}]" for inode in self.pipes}
        for pid in _processes():
            above = parent(pid)
            # Children of the broker and of the client share their descriptors until they exec.
            if pid in us or above is None or above[0] in us:
                continue
            inside = self.terminal > 0 and session(pid) == self.terminal
            if inside or not names.isdisjoint(_opened(pid)):
                yield pid


def kill_tree(shell: int) -> None:
    """Kill the process *shell* and its descendants, as far as this account may.

    Descendants are halted before anything is killed: a child whose parent dies first belongs to
    init and could not be found any more.  The shell itself is not (its client would halt with
    it, as for any stop), so what it starts between our last look and its end is left over, as
    is what has left the tree before: see `kill_rest`.
    """
    found = _halt(lambda: descendants(shell))
    for pid in (shell, *found):
        _send(pid, signal.SIGKILL)


def kill_rest(command: Command, held: Callable[[], bool]) -> None:
    """Kill what is left of *command*: whoever can still write to its pipes or terminal.

    *held* tells whether somebody is known to.  Final once the shell has ended.  Of what has left
    the tree before (a daemon), only those that hold none of them are not reached.
    """
    killed: set[int] = set()  # what was killed may take a moment to let go of the pipes
    looks, deadline = 0, time.monotonic() + PATIENCE_S
    while (looks < LOOKS or held()) and time.monotonic() < deadline:
        found = _halt(lambda: _with_descendants(command.holders(), killed))
        for pid in found:
            _send(pid, signal.SIGKILL)
        killed.update(found)
        looks = 0 if found else looks + 1
        time.sleep(0.001 * looks)


def _with_descendants(pids: Iterator[int], done: set[int]) -> Iterator[int]:
    """Yield *pids* and their descendants, without what is *done*."""
    seen = set(done)
    for pid in pids:
        if pid not in seen:
            yield pid
            new = descendants(pid) - seen
            yield from new
            seen |= {pid, *new}


def descendants(pid: int) -> set[int]:
    """Return the processes that *pid* has started, directly or not."""
    children: dict[int, list[int]] = {}
    for other in _processes():
        if (found := parent(other)) is not None:
            children.setdefault(found[0], []).append(other)
    reached: set[int] = set()
    ahead = [pid]
    while ahead:
        for child in children.get(ahead.pop(), ()):
            if child not in reached:
                reached.add(child)
                ahead.append(child)
    return reached


def _halt(look: Callable[[], Iterable[int]]) -> set[int]:
    """Halt all that *look* finds, until it finds nothing more; return what was found."""
    found: set[int] = set()
    ours: set[int] = set()
    deadline = time.monotonic() + CHASE_S
    while time.monotonic() < deadline:
        more = False
        for pid in look():  # each as soon as it is found: the next moment it may have forked
            if pid not in found:
                found.add(pid)
                more = True
                if _send(pid, signal.SIGSTOP):
                    ours.add(pid)
        # One that has not come to its stop yet may be about to have a child.
        if not more and all(map(_still, ours)):
            break
    return found


def _processes() -> list[int]:
    """Return all process ids, the youngest first, since those are soonest gone."""
    return sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)


def _opened(pid: int) -> set[str]:
    """Return what *pid* has open; nothing when it is gone or another account's."""
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                continue  # closed since
    except OSError:
        pass
    return found


def _still(pid: int) -> bool:
    """Tell whether *pid* does nothing more: it is stopped, or has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in b"TtZX"
    except OSError:
        return True


def _send(pid: int, number: int) -> bool:
    """Send signal *number*; False when that is not ours to do."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # over already
    except PermissionError:
        return False  # another account's: a guarded broker leaves those to the client
    return True
