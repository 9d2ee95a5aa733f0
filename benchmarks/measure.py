"""Timing whole processes side by side: ratios of one run, never absolute promises.

The machine may be busy or slow; what is compared runs in turn (A B C A B C …), so that both sides
meet the same weather.  The median is what is quoted, with the quartiles beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
GATESH = str(BIN / "gatesh")
Command = Sequence[str]


def spawn(command: Command, **how: Any) -> float:
    """Return the seconds that *command* took, as its caller sees them."""
    how.setdefault("stdout", subprocess.DEVNULL)
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, **how)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return seconds


def in_turn(
    contestants: dict[str, Callable[[], float]], rounds: int, warm: int = 3
) -> dict[str, list[float]]:
    """Run every contestant once a round; return its seconds, the warm-up left out."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + warm):
        for name, contestant in contestants.items():
            seconds = contestant()
            if number >= warm:
                times[name].append(seconds)
    return times


def ratio(times: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(times, base, strict=True))


def milliseconds(times: Sequence[float]) -> str:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(times, n=4)
    return f"{middle * 1e3:.2f} ({low * 1e3:.2f} to {high * 1e3:.2f})"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


@contextmanager
def home() -> Iterator[dict[str, str]]:
    """Yield the environment of a throwaway home with a warm broker; stop it afterwards."""
    place = tempfile.mkdtemp(prefix="gatesh-bench-")
    environment = {
        "PATH": f"{place}:{BIN}:/usr/local/bin:/usr/bin:/bin",
        "HOME": place,
        "GATESH_HOME": f"{place}/home",
        "LANG": "C.UTF-8",
    }
    try:
        spawn([GATESH, "-c", "true"], env=environment)
        yield environment
    finally:
        subprocess.run(
            [GATESH, "broker", "stop", "--force"], env=environment, capture_output=True, check=False
        )
        shutil.rmtree(place, ignore_errors=True)


def machine() -> str:
    """Return what this ran on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return (
        f"{os.cpu_count()} x {model}, {memory} GiB, Linux {os.uname().release},"
        f" Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}"
    )


def question(environment: dict[str, str], op: str, **fields: Any) -> dict[str, Any]:
    """Ask the broker, as people's commands do."""
    import socket

    from gatesh import wire

    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"{environment['GATESH_HOME']}/run/broker.sock")
        wire.send(sock, b"J", json.dumps({"op": op, **fields}).encode())
        frame = wire.receive(sock)
    assert frame is not None
    answer: dict[str, Any] = json.loads(frame[1])
    return answer
