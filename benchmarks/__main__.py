"""All benchmarks, or those named: start, relay, approval, rules, log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from benchmarks import approval, log, relay, rules, start
from benchmarks.measure import machine

ALL: dict[str, list[Callable[[], None]]] = {
    "start": [partial(start.one, 60), partial(start.many, 1600), partial(start.cold, 5)],
    "relay": [partial(relay.bulk, 5)],
    "approval": [partial(approval.latency, 100), partial(approval.crowd, 1000)],
    "rules": [partial(rules.typical, 400), partial(rules.size, 400)],
    "log": [partial(log.append, 3)],
    "soak": [partial(approval.soak, 60)],
}

if __name__ == "__main__":
    wanted = sys.argv[1:] or list(ALL)
    if unknown := set(wanted) - set(ALL):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    print(machine())
    for name in wanted:
        for benchmark in ALL[name]:
            benchmark()
