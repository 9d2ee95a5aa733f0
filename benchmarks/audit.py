"""How long an audit takes, beside what nobody can do without: hash the bytes, parse the lines.

    python benchmarks/audit.py [ENTRIES] [--keep DIR]

Makes a log of that many entries (200,000 by default) with the ledger's own writer, then runs
`sha256sum` and a JSON parse over its files and `gatesh audit` over the whole, three times each in
turn, and prints the best of each, their ratio, and the memory of the largest process.  The aim is
a ratio of 3; nothing fails here, because machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from gatesh.ledger.store import Ledger  # noqa: E402
from tests.ledger.ledger_world import House  # noqa: E402

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ROUND = 1365  # commands of one append: three entries each, as many as a round takes
APPROVED_EVERY = 2000  # commands; a real approval, with its signature


def id_of(number: int) -> str:
    return "".join(ALPHABET[number >> shift & 31] for shift in range(35, -1, -5))


def fill(house: House, count: int) -> None:
    """Write a log of about *count* entries: commands that ran, some denied, a few approved."""
    finding = {
        "rule": "git.push", "pack": "git", "verdict": "allow", "severity": "low", "system": "git",
        "reason": "changes a branch that others depend on", "on": "command", "span": [0, 28],
        "command": "git push origin release", "inside": [], "tags": ["change-management"],
    }  # fmt: skip
    outputs = [house.finished("aaaaaaaa", b"line %d\n" % n * n)["streams"] for n in range(1, 40)]
    with house.open() as ledger:
        ledger.append(house.beginning())
        number = 0
        while ledger.head.size < count:
            batch = []
            for _ in range(min(ROUND, (count - ledger.head.size) // 3 + 1)):
                number += 1
                id, script = id_of(number), b"cd /srv/app && make test-%d" % number
                batch += [
                    {**house.submitted(id, script), "findings": [finding] * (number % 3 == 0)},
                    house.started(id, script),
                    {
                        "type": "command.finished", "id": id, "exit": 0, "seconds": 0.5,
                        "streams": outputs[number % len(outputs)],
                    },
                ]  # fmt: skip
            ledger.append(batch)
            approve(house, ledger, number)


def approve(house: House, ledger: Ledger, number: int) -> None:
    for n in range(ROUND // APPROVED_EVERY + 1):
        house.approved_run(ledger, id_of((1 << 38) + number * 8 + n))


def best(work: Callable[[], None], times: int = 3) -> float:
    """Return the seconds of the quickest of some runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def measure(state: Path, vkey: str) -> None:
    files = sorted((state / "ledger").glob("log*.jsonl"))
    memory: list[int] = []
    work: list[float] = []

    def hash_and_parse() -> None:
        subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)
        for path in files:
            with path.open("rb") as lines:
                for line in lines:
                    json.loads(line)

    def audit() -> None:
        child = subprocess.Popen(
            [sys.executable, "-m", "gatesh", "audit", "--state", state, "--vkey", vkey, "--json"],
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "GATESH_HOME": str(state.parent)},
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        memory.append(used.ru_maxrss)
        work.append(used.ru_utime + used.ru_stime)
        if child.returncode:
            raise SystemExit("the audit found something in a log that was just written")

    size = sum(path.stat().st_size for path in files)
    floor = best(hash_and_parse)
    whole = best(audit)
    print(f"bytes       {size / 1e6:10,.1f} MB in {len(files)} files")
    print(f"floor       {floor:10,.2f} s   sha256sum and a JSON parse, one core")
    print(f"audit       {whole:10,.2f} s   gatesh audit, {os.cpu_count()} cores")
    print(f"work        {min(work):10,.2f} s   of all its processes together")
    print(f"ratio       {whole / floor:10,.2f}")
    print(f"memory      {max(memory) / 1024:10,.0f} MiB in the largest process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("entries", type=int, nargs="?", default=200_000)
    parser.add_argument("--keep", type=Path, help="make the log here, or use the one that is here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = given.keep or Path(scratch)
        base.mkdir(exist_ok=True)
        fresh = not (base / "state").exists()
        house = House(base / "state")
        if fresh:
            began = time.perf_counter()
            fill(house, given.entries)
            print(f"written     {time.perf_counter() - began:10,.2f} s")
        with house.open() as ledger:
            print(f"entries     {ledger.head.size:10,}")
        measure(house.state, str(house.key))


if __name__ == "__main__":
    main()
