"""What a command costs: start-up, many at once, the first one after boot."""

from __future__ import annotations

import shutil
import subprocess
import time
from functools import partial

from benchmarks.measure import GATESH, home, in_turn, milliseconds, ratio, spawn, table


def one(rounds: int) -> None:
    """`gatesh -c true` against `bash -c true`, with the record durable."""
    with home() as env:
        python = [GATESH + "-python"]
        contestants = {
            "bash -c true": partial(spawn, ["/bin/bash", "-c", "true"], env=env),
            "gatesh -c true": partial(spawn, [GATESH, "-c", "true"], env=env),
            "the Python client": partial(spawn, [*python_client(), "-c", "true"], env=env),
        }
        del python
        if shutil.which("sudo"):
            contestants["sudo -n true"] = partial(spawn, ["sudo", "-n", "true"])
        if shutil.which("script"):
            contestants["script -qec true"] = partial(
                spawn, ["script", "-qec", "true", "/dev/null"], env=env
            )
        if shutil.which("asciinema"):
            contestants["asciinema rec"] = partial(
                spawn, ["asciinema", "rec", "-q", "--overwrite", "-c", "true", "/tmp/bench.cast"],
                env={**env, "TERM": "xterm"},
            )  # fmt: skip
        times = in_turn(contestants, rounds)
    base = times["bash -c true"]
    table(
        "One command",
        ["command", "ms: median (quartiles)", "x bash"],
        [[n, milliseconds(t), f"{ratio(t, base):.2f}"] for n, t in times.items()],
    )


def python_client() -> list[str]:
    """Return how the launcher starts the Python client of this installation."""
    import sys

    import gatesh.client.front as front

    return [sys.executable, "-I", "-S", front.__file__, "0", "gatesh"]


def many(total: int) -> None:
    """Commands per second, 8 and 64 at a time, against bash."""
    rows = []
    with home() as env:
        for width in (8, 64):
            rates = {}
            for name, program in (("bash", "/bin/bash"), ("gatesh", GATESH)):
                began = time.perf_counter()
                subprocess.run(
                    ["xargs", "-P", str(width), "-I", "{}", program, "-c", ": {}"],
                    input="\n".join(map(str, range(total))).encode(),
                    env=env,
                    check=True,
                )
                rates[name] = total / (time.perf_counter() - began)
            rows.append(
                [str(width), f"{rates['bash']:.0f}", f"{rates['gatesh']:.0f}",
                 f"{rates['bash'] / rates['gatesh']:.2f}"]
            )  # fmt: skip
    table("Many at a time", ["at once", "bash, 1/s", "gatesh, 1/s", "x bash"], rows)


def cold(rounds: int) -> None:
    """The first command, which has to start the broker."""
    times = []
    for _ in range(rounds):
        with home() as env:
            subprocess.run([GATESH, "broker", "stop"], env=env, capture_output=True, check=True)
            times.append(spawn([GATESH, "-c", "true"], env=env))
    table("Cold start of the broker", ["ms: median (quartiles)"], [[milliseconds(times)]])
