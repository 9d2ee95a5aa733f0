"""From a key that is pressed to what the program shows for it, through whoever stands between."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.measure import GATESH, home, table

# Shows each key itself, as editors do.
PROGRAM = "stty raw -echo; echo ready; exec cat"
PATIENCE_S = 30.0


def echo(keys: int) -> None:
    """One program that answers each key: on a bare terminal, and recorded by each of the others."""
    with home() as env, contextlib.ExitStack() as open_:
        env |= {"TERM": "xterm", "SHELL": "/bin/bash"}
        contestants = {"a bare terminal": ["/bin/sh", "-c", PROGRAM]}
        if shutil.which("script"):
            contestants["script"] = ["script", "-qfec", PROGRAM, "/dev/null"]
        if shutil.which("asciinema"):
            cast = f"{env['HOME']}/echo.cast"
            contestants["asciinema rec"] = ["asciinema", "rec", "-q", "-c", PROGRAM, cast]
        contestants["gatesh"] = [GATESH, "-c", PROGRAM]
        masters = {n: open_.enter_context(_on(c, env)) for n, c in contestants.items()}
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(keys):
            for name, master in masters.items():
                times[name].append(_press(master))
                time.sleep(0.002)  # a key, and a program that has come to rest
    base = statistics.median(times["a bare terminal"])
    rows = []
    for name, seconds in times.items():
        middle, late = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        rows.append([name, f"{middle * 1e6:.0f}", f"{late * 1e6:.0f}", f"{middle / base:.2f}"])
    table("Key to echo", ["on", "median µs", "p95 µs", "x bare"], rows)


def _press(master: int) -> float:
    began = time.perf_counter()
    os.write(master, b"k")
    answer = _read(master)
    seconds = time.perf_counter() - began
    assert answer == b"k", answer
    return seconds


@contextlib.contextmanager
def _on(command: Sequence[str], env: Mapping[str, str]) -> Iterator[int]:
    """Yield the master of a terminal on which *command* runs and is ready."""
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.execvpe(command[0], list(command), dict(env))
        finally:
            os._exit(127)
    try:
        said = b""
        while b"ready" not in said or not said.endswith(b"\n"):
            said += _read(master)
        yield master
    finally:
        os.close(master)  # hangs up
        deadline = time.monotonic() + 2
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def _read(master: int) -> bytes:
    ready, _, _ = select.select([master], [], [], PATIENCE_S)
    if not ready:
        raise SystemExit("no echo")
    return os.read(master, 4096)
