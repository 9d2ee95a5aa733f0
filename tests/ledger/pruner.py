"""A broker that removes old transcripts, to be killed and starved by the tests.

    python pruner.py STATE

Finishes what a crash has left, then removes what is older than a day; prints `done`.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from gatesh.broker import logs
from gatesh.broker.retaining import CHANGE, RetentionAct
from gatesh.config import Config, Places
from gatesh.document import stamp
from gatesh.errors import GateshError, UsageError
from gatesh.ledger.blobs import Blobs


def clock() -> datetime:
    return datetime.now(timezone.utc)


def main(state: Path) -> int:
    try:
        places = Places(state.parent, state, state.parent)
        _, ledger = logs.open_log(places, Config(), clock)
        act = RetentionAct(state, Blobs(state / "blobs"), clock)
        act.resume()
        before = clock().replace(microsecond=0) - timedelta(days=1)
        try:
            act.perform("", {"before": stamp(before), "type": CHANGE}, ledger.append)
        except UsageError:
            pass  # there is nothing left
        ledger.close()
    except (GateshError, OSError) as problem:
        print(f"refused: {problem}", flush=True)
        return 125
    print("done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
