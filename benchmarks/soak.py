"""Does it stay as quick and as small?  A crowd that waits, a crowd that works, for some minutes."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.approval import approve, people
from benchmarks.measure import GATESH, home, question, table

WAITING, WORKING, SAMPLES, WAKES = 1000, 64, 8, 100
BEATING = {"GEMINI_CLI": "1"}  # the sign of a client that wants to hear something every minute


def soak(minutes: float) -> None:
    """1,000 requests wait and are kept patient, 64 callers never pause; then it is quiet.

    Prints what the broker needs of memory, descriptors and threads, and how soon a caller
    starts when its request is approved among all the others.
    """
    with home() as env, tempfile.TemporaryFile() as beats:
        key = people(env)
        crowd = [_wait(env | BEATING, f"crowd{n}", beats) for n in range(WAITING)]
        while len(question(env, "pending")["pending"]) < WAITING:
            time.sleep(0.5)
        began = time.monotonic()
        rows, commands = _work(env, minutes * 60)
        beats.seek(0)
        heard = sum(b"still waiting" in line for line in beats)
        wakes = sorted(_wake(env, key, number) for number in range(WAKES))
        for process in crowd:
            process.kill()
        for process in crowd:
            process.wait()
        while any(item["waiting"] for item in question(env, "pending")["pending"]):
            time.sleep(0.5)
        rows.append(["all have left", *_needs(env)])
        seconds = time.monotonic() - began
    table(
        f"Soak: {WAITING} requests wait ({heard} signs of life), {WORKING} callers without pause"
        f" ran {commands} commands in {minutes:g} min; {seconds:.0f} s in all",
        ["at", "log entries", "resident MiB", "descriptors", "threads"],
        rows,
    )
    table(
        f"Approve to start, {WAITING} others waiting",
        ["runs", "p50 ms", "p99 ms"],
        [[str(WAKES), f"{wakes[WAKES // 2] * 1e3:.1f}", f"{wakes[-1 - WAKES // 100] * 1e3:.1f}"]],
    )


def _work(env: dict[str, str], seconds: float) -> tuple[list[list[str]], int]:
    """Keep the callers busy; return what the broker needed meanwhile, and how much they ran."""
    over = threading.Event()
    counts = [0] * WORKING

    def work(number: int) -> None:
        while not over.is_set():
            subprocess.run([GATESH, "-c", "echo x"], env=env, check=True, stdout=subprocess.DEVNULL)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(WORKING)]
    rows = [["before", *_needs(env)]]
    for thread in threads:
        thread.start()
    for sample in range(1, SAMPLES + 1):
        time.sleep(seconds / SAMPLES)
        rows.append([f"{seconds / SAMPLES * sample:.0f} s", *_needs(env)])
    over.set()
    for thread in threads:
        thread.join()
    time.sleep(1)
    rows.append(["quiet again", *_needs(env)])
    return rows, sum(counts)


def _needs(env: dict[str, str]) -> list[str]:
    status = question(env, "status")
    process = Path(f"/proc/{status['pid']}")
    facts = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    descriptors = len(list((process / "fd").iterdir()))
    memory = int(facts["VmRSS"].split()[0]) / 1024
    return [str(status["size"]), f"{memory:.1f}", str(descriptors), facts["Threads"].strip()]


def _wait(env: dict[str, str], name: str, beats: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [GATESH, "-c", f"true waits {name}; echo $EPOCHREALTIME"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=beats,
    )


def _wake(env: dict[str, str], key: Any, number: int) -> float:
    """Return the seconds from a signature that is submitted to the shell's first word."""
    name = f"one{number}"
    process = _wait(env, name, subprocess.PIPE)
    assert process.stderr is not None
    while b"request" not in (line := process.stderr.readline()):
        assert line, "it did not wait"
    id = line.decode().partition("request ")[2][:9].replace("-", "")
    time.sleep(0.05)  # it has spoken first, and waits now
    began = approve(env, key, id)
    out, _ = process.communicate(timeout=60)
    return float(out.split()[0]) - began
