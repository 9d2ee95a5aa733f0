"""What passing output on and recording it costs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.measure import GATESH, home, in_turn, ratio, spawn, table

GIB = "head -c 1073741824 /dev/zero"
LINES = "seq 5000000"


def bulk(rounds: int) -> None:
    """1 GiB, and 5,000,000 lines, through a pipe: bash | cat against gatesh."""
    rows = []
    with home() as env:
        for name, producer in (("1 GiB of zeros", GIB), ("5,000,000 lines", LINES)):
            # Into a pipe that somebody empties, as an agent's client does.
            def piped(command: Sequence[str], env: dict[str, str] = env) -> float:
                return spawn(["/bin/bash", "-c", '"$@" | cat > /dev/null', "_", *command], env=env)

            contestants: dict[str, Any] = {
                "bash": partial(piped, ["/bin/bash", "-c", producer]),
                "bash | cat": partial(piped, ["/bin/bash", "-c", f"{producer} | cat"]),
                "gatesh": partial(piped, [GATESH, "-c", producer]),
            }
            if shutil.which("script"):
                contestants["script"] = partial(piped, ["script", "-qfec", producer, "/dev/null"])
            times = in_turn(contestants, rounds, warm=1)
            base = times["bash | cat"]
            for contestant, seconds in times.items():
                middle = sorted(seconds)[len(seconds) // 2]
                rows.append([name, contestant, f"{middle:.2f}", f"{ratio(seconds, base):.2f}"])
    table("Output relayed and recorded", ["output", "by", "s", "x cat"], rows)
