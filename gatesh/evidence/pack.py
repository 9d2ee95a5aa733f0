"""Making a report on disk from a log; `check` verifies it without the log.

    report.json          what was asked for, the signed head, what the audit of the log found
    entries.jsonl        the entries of the period, byte for byte, without a gap
    first.tlog-proof     that its first line is entry `first` under the head …
    last.tlog-proof      … and its last the last: with the lines between they give the root
    context/N.tlog-proof rules and roster that were loaded before and held in the period
    witness/KEY-ID…      checkpoints that witnesses cosigned; proof that this head continues them
    blobs/<sha256>       requests, decisions, signatures; transcripts of the samples
    commands.csv, commands.jsonl, decisions.csv, report.html     derived from these
    SHA256SUMS           of every file, for `sha256sum -c`
    SHA256SUMS.sig       who vouches for what cannot be derived, if anybody has signed

Nothing of it needs to be believed but the log's key: the check computes the root,
verifies the signatures and derives the tables and the page again.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gatesh import document
from gatesh.errors import NotFound, UsageError
from gatesh.evidence.derive import Period, derive, tell
from gatesh.evidence.files import MADE_BY, SIGNATURE, SUMS, TYPE, Kept, digests, entries, signed
from gatesh.evidence.story import Command
from gatesh.ledger import entry, note
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.prover import Prover
from gatesh.ledger.transcripts import explained

SAMPLES: Final = 25
Sign = Callable[[bytes], bytes]
_CONTEXT: Final = ("policy.loaded", "roster.loaded")


@dataclass(slots=True)
class _Found:
    """What one look at the whole log tells about a period."""

    first: int | None = None
    last: int = 0
    size: int = 0
    context: dict[str, int] = field(default_factory=dict)  # type → newest before the period


def make(
    state: Path,
    out: Path,
    *,
    start: datetime,
    end: datetime,
    samples: int,
    now: datetime,
    audit: Mapping[str, Any],
    log: str = "ledger",
    sign: Sign | None = None,
) -> dict[str, Any]:
    """Write the report of *start* … *end* into the new directory *out*; return `report.json`.

    *audit* is the document of an audit of the same log, *log* its directory.  *sign*
    returns the SSHSIG of its maker.  Raises
    `UsageError` when *out* is there, `Tampered` when the log does not have the root that
    was signed.
    """
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise UsageError(
            f"{out} is there already", hint="a report is made whole: name a new directory"
        ) from None
    except OSError as problem:
        raise UsageError(f"{out} cannot be made: {problem.strerror}") from None
    try:
        with closing(Prover(state / log)) as prover:
            made = _make(
                prover, state, out, document.stamp(start), document.stamp(end),
                {"made": document.stamp(now, micros=False), "by": MADE_BY, "samples": samples,
                 "audit": _about(audit, log)},
            )  # fmt: skip
        if sign is not None:
            (out / SIGNATURE).write_bytes(sign((out / SUMS).read_bytes()))
        return made
    except BaseException:
        shutil.rmtree(out)
        raise


def _about(audit: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what an audit of all logs says of the one in directory *name*."""
    logs = [log["directory"] for log in audit.get("logs", ())]
    if name not in logs:
        return dict(audit)
    at = logs.index(name)
    log, newer = audit["logs"][at], audit["logs"][at + 1 :]
    size = log["head"]["size"]
    # Whoever holds a head of a newer log holds all that came before it.
    whole = any(one["protected_until"] for one in newer)
    return {
        **audit,
        "entries": size,
        "seen_by": log["seen_by"],
        "witnesses": log["witnesses"],
        "protected_until": size if whole else log["protected_until"],
        "findings": [found for found in audit["findings"] if found["log"] in ("", name)],
    }


def _make(
    prover: Prover, state: Path, out: Path, start: str, end: str, said: Mapping[str, Any]
) -> dict[str, Any]:
    found = _survey(prover, start, end)
    first = found.first if found.first is not None else found.last
    meta: dict[str, Any] = {
        "type": TYPE,
        "from": start,
        "to": end,
        "origin": prover.key.name,
        "size": prover.head.size,
        "root": prover.head.base64,
        "first": first,
        "count": found.last - first + 1,
        **said,
    }
    with (out / "entries.jsonl").open("wb") as file:
        for line in prover.between(first, found.last + 1):
            file.write(line + b"\n")
    (out / "first.tlog-proof").write_bytes(prover.prove(first).encode())
    (out / "last.tlog-proof").write_bytes(prover.prove(found.last).encode())
    (out / "context").mkdir()
    for n in sorted(found.context.values()):
        (out / "context" / f"{n}.tlog-proof").write_bytes(prover.prove(n).encode())
    _copy_witnesses(prover, out)
    period = tell(meta, entries(out))
    missing = _copy_blobs(period, out, Blobs(state / "blobs"))
    meta["removed"] = {
        sha: {"by": list(act.by), "entry": act.n, "log": act.log, "t": act.t}
        for sha, act in (explained(state, missing) if missing else {}).items()
    }
    (out / "report.json").write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n")
    for name, data in derive(meta, period, Kept(out)):
        (out / name).write_bytes(data)
    sums = [f"{digest}  {name}\n" for name, digest in sorted(digests(out).items())]
    (out / SUMS).write_text("".join(sums))
    return meta


def _copy_witnesses(prover: Prover, out: Path) -> None:
    for name, checkpoint in prover.cosigned().items():
        (out / "witness").mkdir(exist_ok=True)
        (out / "witness" / f"{name}.checkpoint").write_bytes(checkpoint)
        size = note.open_checkpoint(checkpoint, prover.key).head.size
        proof = b"".join(base64.b64encode(step) + b"\n" for step in prover.consistency(size))
        (out / "witness" / f"{name}.consistency").write_bytes(proof)


def _survey(prover: Prover, start: str, end: str) -> _Found:
    """Find which entries the period needs: one before, its own, one after, and what became of it.

    The order of entries counts, not their times: where the clock went back, an entry
    in the middle may be dated outside.
    """
    found = _Found()
    before: dict[str, int] = {}
    ours: set[str] = set()
    behind = False
    for n, line in enumerate(prover.lines()):
        one = entry.decode(line, canonical=False)
        t, id = one["t"], one.get("id")
        if start <= t < end:
            if found.first is None:
                found.first, found.context = max(n - 1, 0), dict(before)
            if one["type"] == "command.submitted":
                ours.add(str(id))
            found.last, behind = n, False
        elif found.first is None and t >= end:  # a period without any entry
            found.first, found.context = max(n - 1, 0), dict(before)
            found.last, behind = n, True
        elif found.first is not None and (not behind or id in ours):
            found.last, behind = n, True
        if one["type"] in _CONTEXT:
            before[one["type"]] = n
        found.size = n + 1
        if found.first is None and t < start:
            found.last = n  # if nothing follows, the last one before the period says so
    if found.size == 0:
        raise NotFound("the log is empty")
    if found.first is not None:
        found.context = {k: n for k, n in found.context.items() if n < found.first}
    return found


def _copy_blobs(period: Period, out: Path, blobs: Blobs) -> set[str]:
    """Copy what the report needs; return what is not kept any more."""
    (out / "blobs").mkdir()
    wanted: set[str] = set()
    for command in period.population:
        wanted |= signed(command)
    for command in period.samples:
        wanted |= _transcript(command)
    missing = set()
    for sha in sorted(wanted):
        try:
            (out / "blobs" / sha).write_bytes(blobs.get(sha))
        except NotFound:
            missing.add(sha)
    return missing


def _transcript(c: Command) -> set[str]:
    shas = {c.submitted["script_sha256"]} if c.submitted.get("script") is None else set()
    for streams in filter(None, (c.streams, *c.late)):
        shas |= {sha for sha, _ in entry.kept_blobs({"streams": streams})}
    return shas
