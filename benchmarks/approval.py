"""From a signature that arrives to the command that starts, and a thousand that wait."""

from __future__ import annotations

import datetime
import os
import pwd
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import GATESH, home, question, table
from gatesh.approval import rosterfile
from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.approval.roster import Roster
from gatesh.document import sha256
from gatesh.keys import sshsig
from gatesh.keys.opensshkey import PrivateKey

RULE = """\
pack: bench
rules:
  - id: bench.wait
    match: '^true waits\\b'
    verdict: approve
    reason: waits here
    examples: {match: [true waits x], miss: [echo waits]}
"""


def people(env: dict[str, str]) -> PrivateKey:
    """Enrol an approver whose key this process holds; return the key."""
    key = PrivateKey.from_seed(os.urandom(32), "bench")
    config = Path(env["GATESH_HOME"]) / "config"
    (config / "rules").mkdir(mode=0o700, parents=True, exist_ok=True)
    (config / "rules" / "bench.yaml").write_text(RULE)
    (config / "rules" / "bench.yaml").chmod(0o600)
    (config / "config.yaml").write_text("hold: 1h\n")
    (config / "config.yaml").chmod(0o600)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    me = pwd.getpwuid(os.geteuid()).pw_name
    roster = Roster().add("alice@example.com", accounts=[me])
    roster = roster.add(
        "bob@example.com",
        key=key.public,
        valid_after=now - datetime.timedelta(hours=1),
        valid_before=now + datetime.timedelta(days=1),
    )
    rosterfile.save(config, roster)
    return key


def approve(env: dict[str, str], key: PrivateKey, id: str) -> float:
    """Sign and submit; return the moment just before the submission."""
    import base64

    document = question(env, "request", id=id)["request"].encode()
    head = question(env, "head")
    lines = head["checkpoint"].split("\n")
    data = Decision(
        decision="approve",
        by="bob@example.com",
        request=id,
        request_sha256=sha256(document),
        at=datetime.datetime.now(datetime.timezone.utc),
        log=LogHead(lines[0], int(lines[1]), base64.b64decode(lines[2])),
    ).write()
    signature = sshsig.sign(data, namespace=NAMESPACE, key=key.public, sign=key.sign)
    began = time.time()
    answer = question(env, "decide", decision=data.decode(), signature=signature.decode())
    assert answer["ok"], answer
    return began


def latency(rounds: int) -> None:
    """Approve to start: from submitting the signature to the first thing the shell does."""
    times = []
    with home() as env:
        key = people(env)
        for number in range(rounds):
            process = _wait(env, number)
            began = approve(env, key, _id(env, number))
            out, _ = process.communicate(timeout=60)
            times.append(float(out.split()[0]) - began)
    _row("Approve to start", times)


def crowd(count: int) -> None:
    """The same while *count* other callers wait."""
    times = []
    with home() as env:
        key = people(env)
        crowd = [_wait(env, f"crowd{n}") for n in range(count)]
        while len(question(env, "pending")["pending"]) < count:
            time.sleep(0.5)
        for number in range(30):
            process = _wait(env, number)
            began = approve(env, key, _id(env, number))
            out, _ = process.communicate(timeout=60)
            times.append(float(out.split()[0]) - began)
        for process in crowd:
            process.kill()
            process.wait()
    _row(f"Approve to start, {count} others waiting", times)


def _wait(env: dict[str, str], name: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [GATESH, "-c", _script(name)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _script(name: Any) -> str:
    # No program of its own: its start is not ours to be counted.
    return f"true waits {name}; echo $EPOCHREALTIME"


def _id(env: dict[str, str], name: Any) -> str:
    while True:
        for item in question(env, "pending")["pending"]:
            if item["script"] == _script(name) and item["waiting"]:
                return str(item["id"])
        time.sleep(0.002)


def _row(title: str, times: list[float]) -> None:
    ordered = sorted(times)
    p50 = ordered[len(ordered) // 2] * 1e3
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3
    table(title, ["runs", "p50 ms", "p99 ms"], [[str(len(times)), f"{p50:.1f}", f"{p99:.1f}"]])
