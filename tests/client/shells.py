"""The three programs that must look alike: bash, the native client, the Python client."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.world import PATIENCE, Result, until

BASH = "/bin/bash"
NO_INPUT = subprocess.DEVNULL


@dataclass(frozen=True)
class Shell:
    """One way to start a shell.

    *front* stands before argv[0] when that is an argument; without it *program* is
    executed with argv[0] as given.
    """

    name: str
    program: str
    env: Mapping[str, str]
    cwd: Path
    front: tuple[str, ...] = ()
    zero: str = "gatesh"

    def call(
        self, *arguments: str | bytes, zero: str | None = None, ignored: Sequence[int] = ()
    ) -> dict[str, Any]:
        """Return what `Popen` takes to call this shell."""
        zero = self.zero if zero is None else zero
        mask = f"{sum(1 << number - 1 for number in ignored):x}"
        front = [mask if part == "MASK" else part for part in self.front]
        return {"args": [*front, zero, *arguments], "executable": self.program}

    def word(self, *arguments: str) -> str:
        """Return the call as a word for another shell's script."""
        front = ["0" if part == "MASK" else part for part in self.front]
        call = (
            [*front, self.zero] if front else [self.zero if self.zero == "bash" else self.program]
        )
        return shlex.join([*call, *arguments])

    def start(
        self,
        *arguments: str | bytes,
        zero: str | None = None,
        ignored: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        **how: Any,
    ) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, on pipes."""
        how.setdefault("stdin", NO_INPUT)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        how.setdefault("cwd", self.cwd)
        how.setdefault("start_new_session", True)
        if ignored:
            first = how.get("preexec_fn")

            def ignore() -> None:
                for number in ignored:
                    signal.signal(number, signal.SIG_IGN)
                if first:
                    first()

            how["preexec_fn"] = ignore
        call = self.call(*arguments, zero=zero, ignored=ignored)
        environment = {**self.env, **(env or {})}
        return subprocess.Popen(**call, env=environment, **how)

    def run(self, *arguments: str | bytes, input: bytes | None = None, **how: Any) -> Result:
        """Run it to its end."""
        if input is not None:
            how["stdin"] = subprocess.PIPE
        with ended(self.start(*arguments, **how)) as process:
            out, err = process.communicate(input, timeout=PATIENCE)
        return Result(process.returncode, out, err)

    def under(self, script: str, **how: Any) -> Result:
        """Run *script* in bash; in it, the word SHELL calls this shell."""
        script = script.replace("SHELL", self.word())
        bash = Shell("bash", BASH, self.env, self.cwd, zero="bash")
        return bash.run("-c", script, **how)


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Kill *process* on the way out, if it still runs, and close its pipes."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def python_client(env: Mapping[str, str], cwd: Path) -> Shell:
    """Return the Python client, called as the native one calls it."""
    front = (sys.executable, "-I", "-m", "gatesh.client.front", "MASK")
    return Shell("python", sys.executable, env, cwd, front)


def line(process: subprocess.Popen[bytes]) -> bytes:
    """Return the next line of its output: what says that it is ready."""
    assert process.stdout is not None
    found = b""
    deadline = time.monotonic() + PATIENCE
    while not found.endswith(b"\n"):
        assert select.select([process.stdout], [], [], deadline - time.monotonic())[0], found
        part = os.read(process.stdout.fileno(), 1)
        if not part:
            break
        found += part
    return found


def running(mark: str) -> list[int]:
    """Return the processes that have *mark* as a whole argument and are not dead."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
            state = (directory / "stat").read_bytes().rpartition(b") ")[2][:1]
        except OSError:
            continue
        if mark.encode() in arguments and state not in b"ZX":
            found.append(int(directory.name))
    return found


def gone(mark: str) -> bool:
    """Wait until nothing with *mark* runs any more."""
    until(lambda: not running(mark))
    return True
