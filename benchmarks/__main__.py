"""All benchmarks, or those named: start, relay, terminal, approval, rules, log, soak."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from benchmarks import approval, log, relay, rules, soak, start, terminal
from benchmarks.measure import machine

ALL: dict[str, list[Callable[[], None]]] = {
    "start": [partial(start.one, 60), partial(start.many, 1600), partial(start.cold, 5)],
    "relay": [partial(relay.bulk, 5)],
    "terminal": [partial(terminal.echo, 500)],
    "approval": [partial(approval.latency, 100), partial(approval.crowd, 1000)],
    "rules": [partial(rules.typical, 400), partial(rules.size, 400)],
    "log": [partial(log.append, 3)],
    "soak": [],  # as long as is asked for
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks/run")
    parser.add_argument("name", nargs="*", help=f"of {', '.join(ALL)}; default: all of them")
    parser.add_argument("--minutes", type=float, default=2.0, help="of work in the soak")
    asked = parser.parse_args()
    if unknown := set(asked.name) - set(ALL):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    ALL["soak"] = [partial(soak.soak, asked.minutes)]
    print(machine())
    for name in asked.name or ALL:
        for benchmark in ALL[name]:
            benchmark()
