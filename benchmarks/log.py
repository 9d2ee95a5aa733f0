"""How many entries a second the log takes, each acknowledged only when it is durable."""

from __future__ import annotations

import datetime
import hashlib
import os
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.measure import table
from gatesh.keys.logkey import LogKey
from gatesh.ledger.store import Ledger


def append(seconds: float) -> None:
    """1, 8 and 64 appenders, against a bare write and fdatasync of the same bytes."""
    rows = []
    entry = {"type": "command.lost", "id": "k7q2m9xd", "why": "x" * 300}
    with tempfile.TemporaryDirectory() as place:
        base = _bare(Path(place) / "bare", seconds)
        state = Path(place) / "state"
        state.mkdir(mode=0o700)
        key = LogKey.open(state, "bench", use_keyring=False)
        with Ledger.open(
            state / "ledger", origin=key.origin, vkey=key.vkey, sign=key.sign, clock=_now
        ) as ledger:
            for writers in (1, 8, 64):
                stop = time.monotonic() + seconds
                counts = [0] * writers

                def work(n: int, stop: float = stop, counts: list[int] = counts) -> None:
                    while time.monotonic() < stop:
                        ledger.append([entry])
                        counts[n] += 1

                threads = [threading.Thread(target=work, args=(n,)) for n in range(writers)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                rate = sum(counts) / seconds
                rows.append([str(writers), f"{rate:.0f}", f"{base / rate:.2f}"])
    table(
        "Appends, each covered by a durable signed checkpoint",
        ["appenders", "entries/s", "x write + fdatasync"],
        [["(bare)", f"{base:.0f}", "1.00"], *rows],
    )


def _bare(path: Path, seconds: float) -> float:
    data = hashlib.sha256().digest() * 13
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    stop, count = time.monotonic() + seconds, 0
    while time.monotonic() < stop:
        os.write(fd, data)
        os.fdatasync(fd)
        count += 1
    os.close(fd)
    return count / seconds


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
