"""`gatesh doctor CLIENT`: does a command of this program come to the gate?

Every program that does not take our shell says nothing and uses another.  So its
look-up is done again here, in this environment and with its settings, a command is
run through what was found, and the log is asked whether it came by.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatesh import bridge, document
from gatesh.cli import settings
from gatesh.cli.clients import Client, Step
from gatesh.cli.talk import ask
from gatesh.errors import GateshError

PATIENCE_S = 60


@dataclass(slots=True)
class Lookup:
    """What a program would start, and how it came to that."""

    shell: str = ""
    because: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)


def look_up(client: Client, environ: Mapping[str, str]) -> Lookup:
    """Find the shell as *client* does; raise `GateshError` when it would find none."""
    found = Lookup(environment={**environ, **_brought(client, environ)})
    for step in client.looks:
        path, where = _at(step, client, found.environment)
        if not path:
            continue
        if client.accepts(path) and os.access(path, os.X_OK):
            found.shell, found.because = path, where
            return found
        found.passed_over.append(f"{where} is {path}: passed over, for its name or no program")
    raise GateshError(f"{client.name} would find no shell here", hint=f"gatesh setup {client.name}")


def _at(step: Step, client: Client, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return (path or nothing, where it stands) for one step."""
    if step.where == "setting" and client.setting is not None:
        path = settings.path_of(client.setting, environ)
        value = settings.value_of(client.setting, path)
        if isinstance(value, dict):
            value = value.get("path")
        name = ".".join(client.setting.key)
        return str(value or "").rpartition(" ")[2], f"{name} in {path}"
    if step.where == "env":
        return environ.get(step.what, ""), f"${step.what}"
    if step.where == "passwd":
        return pwd.getpwuid(os.geteuid()).pw_shell, "the account's shell"
    if step.where == "makeflags":
        words = environ.get("MAKEFLAGS", "").split()
        return next((w[6:] for w in words if w.startswith("SHELL=")), ""), "SHELL in $MAKEFLAGS"
    if step.where == "crontab":
        return _in_crontab(), "SHELL in the account's crontab"
    if step.where == "path":
        return shutil.which(step.what, path=environ.get("PATH", "")) or "", f"{step.what} in PATH"
    return step.what, "always this one"


def _in_crontab() -> str:
    try:
        done = subprocess.run(
            ["crontab", "-l"], capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    set_to = [line.partition("=")[2].strip(" '\"") for line in lines if line.startswith("SHELL")]
    return set_to[0] if set_to else ""


def _brought(client: Client, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the program's settings add to the environment."""
    if not client.brings or client.setting is None:
        return {}
    at: Any = settings.read(settings.path_of(client.setting, environ), client.setting.kind)
    for name in client.brings:
        at = at.get(name, {}) if isinstance(at, dict) else {}
    return {k: v for k, v in at.items() if isinstance(v, str)} if isinstance(at, dict) else {}


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a harmless command: is it in the log, did it run, what was printed."""

    arrived: bool
    ran: bool
    printed: str


def try_out(client: Client, found: Lookup) -> Trial:
    """Run a harmless command as *client* would."""
    word = f"gatesh-doctor-{secrets.token_hex(8)}"
    marker = f"echo {word}"
    since = ask("status")["size"]
    argv = [found.shell, *client.arguments, marker]
    if front := found.environment.get(client.prefix or "\0"):
        argv = [front, marker]
    elif client.stdin == "pipe":
        argv = argv[:-1]
    printed = _run(argv, marker if client.stdin == "pipe" else "", client.stdin, found.environment)
    scripts = {document.sha256((marker + end).encode()) for end in ("", "\n")}
    answer = ask("arrived", since=since, scripts=sorted(scripts))
    return Trial(bool(answer["arrived"]), word in printed, printed)


def stale_bridge(environment: Mapping[str, str]) -> str | None:
    """Return the file in BASH_ENV if it is a bridge, but not this installation's."""
    path = environment.get("BASH_ENV", "")
    try:
        code = Path(path).read_bytes()
    except OSError:
        return None
    return path if bridge.MARK.encode() in code and not bridge.is_bridge(code) else None


def _run(argv: list[str], feed: str, stdin: str, environment: Mapping[str, str]) -> str:
    with _standard_input(stdin, feed) as fd:
        try:
            done = subprocess.run(
                argv,
                stdin=fd,
                capture_output=True,
                env=dict(environment),
                start_new_session=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise GateshError(f"{argv[0]} could not be tried: {problem}") from None
    return (done.stdout + done.stderr).decode("utf-8", "replace").strip()


@contextmanager
def _standard_input(kind: str, feed: str) -> Iterator[int]:
    """Yield a standard input of the kind the program gives: bash reads other files on a socket."""
    if kind == "socket":
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield theirs.fileno()
        return
    if kind == "pipe":
        fd, write = os.pipe()
        os.write(write, feed.encode() + b"\n")
        os.close(write)
    else:
        fd = os.open("/dev/null", os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)
