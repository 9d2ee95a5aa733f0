"""A writer in a process of its own, to be killed, starved and lied to by the tests.

    python writer.py STATE COUNT [SPLIT]

Prints `<size> <root, hex>` after each append that was acknowledged, flushed at once.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from nacl.signing import SigningKey

from gatesh.document import sha256
from gatesh.errors import GateshError
from gatesh.ledger import journal, recovery, store
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.note import Key
from gatesh.ledger.store import Ledger


def main(state: Path, count: int, split: int | None = None) -> int:
    if split is not None:
        for module in (journal, recovery, store):
            module.SPLIT = split

    signing = SigningKey(bytes.fromhex(sha256(b"build7")))
    public = bytes(signing.verify_key)
    key = Key(f"build7/gatesh/{sha256(public)[:8]}", public)
    try:
        blobs = Blobs(state / "blobs")
        ledger = Ledger.open(
            state / "ledger",
            origin=key.name,
            vkey=str(key),
            sign=lambda data: signing.sign(data).signature,
            clock=lambda: datetime.now(timezone.utc),
        )
        print(ledger.head.size, ledger.head.root.hex(), flush=True)
        for i in range(count):
            blob = blobs.put(b"%d" % i)
            ledger.append([{"type": "heartbeat", "x_sha256": blob}, {"type": "heartbeat", "i": i}])
            print(ledger.head.size, ledger.head.root.hex(), flush=True)
    except GateshError as problem:
        print(f"refused {type(problem).__name__}: {problem}", flush=True)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
