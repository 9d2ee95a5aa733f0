"""A broker's log that is closed and goes on in the next one, to be killed and starved by the tests.

    python heir.py STATE TIMES

Uses what the broker uses.  Prints `<origin> <size> <root, hex>` after each append that was
acknowledged, flushed at once.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from gatesh.broker import logs
from gatesh.config import Config, Places
from gatesh.errors import GateshError
from gatesh.ledger.store import Ledger

STOPPED = {"type": "broker.stopped", "version": "0", "boot_id": "b", "pid": 7}
LAW = {"type": "policy.loaded", "policy_sha256": "ab" * 32, "files": []}


def told(ledger: Ledger) -> None:
    origin = ledger.signed_head()[2].partition("+")[0]
    print(origin, ledger.head.size, ledger.head.root.hex(), flush=True)


def main(state: Path, times: int) -> int:
    places, settings = Places(state.parent, state, state.parent), Config()

    def clock() -> datetime:
        return datetime.now(timezone.utc)

    try:
        for _ in range(times):
            key, ledger = logs.open_log(places, settings, clock)
            told(ledger)
            ledger.append([LAW, {"type": "heartbeat"}])
            told(ledger)
            ledger.close(STOPPED, logs.closing_entry(places, settings, key))
        _, ledger = logs.open_log(places, settings, clock)
        told(ledger)
        ledger.append([{"type": "heartbeat"}])
        told(ledger)
        ledger.close()
    except GateshError as problem:
        print(f"refused {type(problem).__name__}: {problem}", flush=True)
        return problem.exit_code
    except OSError as problem:  # as the broker says that it cannot start
        print(f"refused: {problem}", flush=True)
        return 125
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
