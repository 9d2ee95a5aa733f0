"""From a submission frame to a `Call`: what was sent, and what the kernel says about it."""

from __future__ import annotations

import errno
import functools
import os
import stat

from gatesh import wire
from gatesh.broker import projects, surroundings
from gatesh.broker.programs import identify
from gatesh.broker.refusal import refused
from gatesh.broker.surroundings import Peer
from gatesh.call import Call, Environment, Stdin
from gatesh.errors import GateshError
from gatesh.model import Requester
from gatesh.syntax.agents import Client, by_environment, mark_of

SMALL = 1 << 16  # bytes of an environment that is remembered
LARGEST = 16 << 20  # bytes of a script; beyond, nobody can review what would run


class TooLarge(GateshError):
    """A script nobody could review."""


def call(
    body: bytes, fds: list[int], peer: Peer, person: str | None
) -> tuple[Call, list[int | None]]:
    """Return the call in the submission *body*, and its descriptors 0, 1, 2.

    Raises `wire.WireError` when frame and descriptors do not fit.
    """
    cwd, argv, environment, mask = wire.read_submit(body)
    wanted = [n for n in (0, 1, 2) if mask & 1 << n]
    if len(wanted) != len(fds):
        raise wire.WireError("a submission with other descriptors than it says")
    lent: list[int | None] = [None, None, None]
    for place, fd in zip(wanted, fds, strict=True):
        lent[place] = fd
    small = sum(map(len, environment)) <= SMALL
    env, agent, mark = (_remembered if small else _variables)(tuple(environment))
    requester = Requester(
        uid=peer.uid,
        gid=peer.gid,
        pid=peer.pid,
        user=peer.user,
        person=person,
        agent=agent.name if agent else None,
        agent_by=mark,
        session=surroundings.session(peer.pid),
        ancestry=surroundings.ancestry(peer.pid),
    )
    found = Call(
        argv=tuple(argv),
        env=env,
        requester=requester,
        host=surroundings.host_name(),
        stdin=_stdin(lent[0], lent[2]),
        cwd=lambda: surroundings.working_directory(peer.pid, cwd),
        read=read,
        identify=identify,
        settled=surroundings.only_root_writes,
        lineage=lambda: surroundings.lineage(peer.pid),
        refused=lambda shell, options, script: refused(shell, options, script, env),
        real=os.path.realpath,
        around=lambda policy, cwds: projects.around(policy, cwds, peer.uid),
    )
    return found, lent


def _variables(entries: tuple[bytes, ...]) -> tuple[Environment, Client | None, str]:
    """Return the environment of a call, and the agent that gives itself away there, by what."""
    found = Environment()
    for entry in entries:
        name, equals, value = entry.partition(b"=")
        if equals:
            found.setdefault(name, value)
    return found, by_environment(found), mark_of(found)


# An agent calls a thousand times with the same variables.
_remembered = functools.lru_cache(maxsize=8)(_variables)


def _stdin(fd: int | None, stderr: int | None) -> Stdin:
    if fd is None:
        return Stdin("closed", lambda: b"")
    mode = os.fstat(fd).st_mode
    if os.isatty(fd):
        # As bash has it: commands are typed when both ends of the talk are a terminal.
        kind = "tty" if stderr is not None and os.isatty(stderr) else "pipe"
    elif surroundings.is_null(fd):
        kind = "null"
    else:
        kind = "file" if stat.S_ISREG(mode) else "pipe"
    live = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    return Stdin(kind, lambda: _all(fd, seekable=kind == "file"), live)


def _all(fd: int, *, seekable: bool) -> bytes:
    """Read commands to their end.  A file's position, which others share, stays where it is."""
    at = os.lseek(fd, 0, os.SEEK_CUR) if seekable else 0
    parts: list[bytes] = []
    size = 0
    while part := os.pread(fd, 1 << 16, at + size) if seekable else os.read(fd, 1 << 16):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise TooLarge(
                f"more than {LARGEST >> 20} MiB of commands on standard input",
                hint="put them into a script file and name it",
            )
    return b"".join(parts)


def read(path: str) -> bytes | None:
    """Return the bytes of the regular file *path*; None when there is nothing to run.

    Never blocks on a pipe or a device.  Raises OSError for what is there and cannot be read
    or reviewed: a pipe, a device, another's file, one of more than 16 MiB.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:
            return None
        raise
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            return None
        if stat.S_ISCHR(found.st_mode) and surroundings.is_null(fd):
            return b""  # as in BASH_ENV=/dev/null
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        if found.st_size > LARGEST:
            raise OSError(errno.EFBIG, f"larger than {LARGEST >> 20} MiB, too long to review", path)
        return file.read(LARGEST + 1)
