"""What judging a line costs: parse and match, and the size of the rule set."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.measure import table
from gatesh.config import shipped_rules
from gatesh.policy.packs import Layer, load
from gatesh.policy.situation import Situation
from gatesh.syntax import Context, analyse

LINES = [
    "git status --short && git diff --stat | head -20",
    "cd infra && sudo -E bash -lc 'terraform -chdir=prod apply' && git log --oneline | head",
    'for f in $(find . -name \'*.py\'); do python3 -m py_compile "$f" || echo "$f"; done',
    "npm test 2>&1 | tail -40; cat > x.json <<'EOF'\n{\"a\": 1}\nEOF\ncurl -s localhost:8080",
]


def typical(rounds: int) -> None:
    """Parse to verdict with all shipped packs; lines made different so that no cache answers."""
    policy = load([Layer("shipped", shipped_rules())])
    context = Context(cwd="/srv/app", env={"HOME": "/home/u", "PATH": "/usr/bin"}, read=_nothing)
    situation = Situation(cwd="/srv/app")
    rows = []
    for line in LINES:
        parse, judge = [], []
        for number in range(rounds):
            text = f"{line} # {number}".encode()
            began = time.perf_counter()
            analysis = analyse(text, context)
            middle = time.perf_counter()
            policy.judge(analysis, situation)
            judge.append(time.perf_counter() - middle)
            parse.append(middle - began)
        rows.append([f"`{line[:40].splitlines()[0]}…`", _us(parse), _us(judge)])
    table("Parse and judge", ["line", "parse µs", "judge µs"], rows)


def size(rounds: int) -> None:
    """50 rules against 5,000."""
    medians = {}
    context = Context(cwd="/srv/app", env={}, read=_nothing)
    analyses = [analyse(f"{LINES[0]} # {n}".encode(), context) for n in range(rounds)]
    for count in (50, 500, 5000):
        with tempfile.TemporaryDirectory() as place:
            Path(place).chmod(0o700)
            for start in range(0, count, 250):
                _write(Path(place) / f"p{start}.yaml", start, min(start + 250, count))
            policy = load([Layer("shipped", Path(place))])
        times = []
        for analysis in analyses:
            began = time.perf_counter()
            policy.judge(analysis, Situation())
            times.append(time.perf_counter() - began)
        medians[count] = statistics.median(times)
    base = medians[50]
    table(
        "Size of the rule set",
        ["rules", "judge µs", "x 50 rules"],
        [[str(n), f"{t * 1e6:.1f}", f"{t / base:.2f}"] for n, t in medians.items()],
    )


def _write(path: Path, start: int, end: int) -> None:
    rules = "".join(
        f"  - id: p{start}.r{n}\n    match: '^tool{n} (apply|delete|destroy)\\b.*--env=prod{n}'\n"
        "    verdict: approve\n    reason: a synthetic rule\n"
        f"    examples: {{match: ['tool{n} apply --env=prod{n}'], miss: ['tool{n} plan']}}\n"
        for n in range(start, end)
    )
    path.write_text(f"pack: p{start}\nrules:\n{rules}")
    path.chmod(0o600)


def _us(times: list[float]) -> str:
    return f"{statistics.median(times) * 1e6:.0f}"


def _nothing(_path: str) -> bytes | None:
    return None
