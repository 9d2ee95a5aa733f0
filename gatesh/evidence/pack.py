"""A report on disk: made from a log, and checked without it.

    report.json          what was asked for, the signed head, what the audit of the log found
    entries.jsonl        the entries of the period, byte for byte, without a gap
    first.tlog-proof     that its first line is entry `first` under the head …
    last.tlog-proof      … and its last the last: with the lines between they give the root
    context/N.tlog-proof rules and roster that were loaded before and held in the period
    blobs/<sha256>       requests, decisions, signatures; transcripts of the samples
    commands.csv, commands.jsonl, decisions.csv, report.html     derived from these
    SHA256SUMS           of every file, for `sha256sum -c`

Nothing of it needs to be believed but the log's key: the check computes the root,
verifies the signatures and derives the tables and the page again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gatesh import __version__, document
from gatesh.errors import GateshError, NotFound, UsageError
from gatesh.evidence.derive import Period, derive, tell
from gatesh.evidence.story import Command, Entry
from gatesh.ledger import entry
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.merkle import leaf_hash
from gatesh.ledger.note import Key
from gatesh.ledger.proof import BadProof, Proof
from gatesh.ledger.prover import Prover
from gatesh.ledger.span import verify_span

MADE_BY: Final = f"gatesh {__version__}"
TYPE: Final = "gatesh/report/v1"
SAMPLES: Final = 25
_SUMS: Final = "SHA256SUMS"
_CONTEXT: Final = ("policy.loaded", "roster.loaded")
_LARGEST: Final = 1 << 31

Verify = Callable[..., Any]
"""`Checks.verify_decision`: raises `Refused` when a decision does not hold."""


# ---- making ------------------------------------------------------------------


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
) -> dict[str, Any]:
    """Write the report of *start* … *end* into the new directory *out*; return `report.json`.

    *audit* is the document of an audit of the same log.  Raises `UsageError` when
    *out* is there, `Tampered` when the log does not have the root that was signed.
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
        with closing(Prover(state / "ledger")) as prover:
            return _make(
                prover, Blobs(state / "blobs"), out, document.stamp(start), document.stamp(end),
                {"made": document.stamp(now, micros=False), "by": MADE_BY, "samples": samples,
                 "audit": dict(audit)},
            )  # fmt: skip
    except BaseException:
        shutil.rmtree(out)
        raise


def _make(
    prover: Prover, blobs: Blobs, out: Path, start: str, end: str, said: Mapping[str, Any]
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
    (out / "report.json").write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n")
    period = tell(meta, _entries(out))
    _copy_blobs(period, out, blobs)
    for name, data in derive(meta, period, _Kept(out)):
        (out / name).write_bytes(data)
    sums = [f"{digest}  {name}\n" for name, digest in sorted(_digests(out).items())]
    (out / _SUMS).write_text("".join(sums))
    return meta


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


def _copy_blobs(period: Period, out: Path, blobs: Blobs) -> None:
    (out / "blobs").mkdir()
    wanted: set[str] = set()
    for command in period.population:
        wanted |= _signed(command)
    for command in period.samples:
        wanted |= _transcript(command)
    for sha in sorted(wanted):
        try:
            (out / "blobs" / sha).write_bytes(blobs.get(sha))
        except NotFound:
            continue  # retention has taken it; the page says so


def _signed(c: Command) -> set[str]:
    return {
        *c.requests,
        *(sha for a in c.answers for sha in (a.decision_sha256, a.signature_sha256)),
    }


def _transcript(c: Command) -> set[str]:
    shas = {c.submitted["script_sha256"]} if c.submitted.get("script") is None else set()
    for streams in filter(None, (c.streams, *c.late)):
        shas |= {sha for sha, _ in entry.kept_blobs({"streams": streams})}
    return shas


# ---- checking ------------------------------------------------------------------


@dataclass(slots=True)
class Checked:
    """What a report turned out to be."""

    meta: Mapping[str, Any]
    commands: int = 0
    signatures: int = 0
    rendered: bool = True  # whether the page was derived again
    problems: list[str] = field(default_factory=list)


def claimed_origin(report: Path) -> str:
    """Return which log the report says it is about."""
    return str(_meta(report).get("origin", ""))


def _meta(report: Path) -> dict[str, Any]:
    try:
        meta = json.loads((report / "report.json").read_bytes())
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"{report} is not a report: {problem}", hint="give a directory that gatesh report made"
        ) from None
    if not isinstance(meta, dict) or meta.get("type") != TYPE:
        raise UsageError(f"{report} is not a report of the form {TYPE}")
    return meta


def check(report: Path, key: Key, verify: Verify) -> Checked:
    """Verify the report in directory *report* with nothing but the log's *key*.

    *verify* checks one decision.  The page of another version of gatesh is not
    derived again, since it may be laid out otherwise: `rendered` is then false.
    """
    meta = _meta(report)
    found = Checked(meta, rendered=meta.get("by") == MADE_BY)
    try:
        _check_sums(report, found)
        _check_span(report, key, found)
        if not found.problems:
            _check_story(report, found)
            _check_signatures(report, key, found, verify)
    except BadProof as problem:
        found.problems.append(str(problem))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        found.problems.append(f"it cannot be read: {type(problem).__name__}: {problem}")
    return found


def _check_sums(report: Path, found: Checked) -> None:
    listed = {}
    for line in (report / _SUMS).read_text().splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    there = _digests(report)
    for name in sorted(listed.keys() | there.keys()):
        if name not in there:
            found.problems.append(f"{name} is missing")
        elif name not in listed:
            found.problems.append(f"{name} is no part of the report")
        elif listed[name] != there[name]:
            found.problems.append(f"{name} was changed after the report was made")


def _check_span(report: Path, key: Key, found: Checked) -> None:
    """The entries are all there are between the first and the last, under a signed head."""
    meta = found.meta
    proofs = [Proof.parse((report / f"{end}.tlog-proof").read_bytes()) for end in ("first", "last")]
    first, last = proofs
    head = first.check(key)[0].head
    if last.check(key)[0].head != head:
        found.problems.append("first.tlog-proof and last.tlog-proof are for different heads")
        return
    leaves = [leaf_hash(line) for line in _lines(report)]
    if not leaves or last.index - first.index + 1 != len(leaves):
        found.problems.append("entries.jsonl is not from the first to the last proven entry")
    elif not verify_span(first.index, leaves, head, first.path, last.path):
        found.problems.append(
            "entries.jsonl does not give the signed root: entries are missing or changed"
        )
    claimed = (meta["size"], meta["root"], meta["first"], meta["count"], meta["origin"])
    if claimed != (head.size, head.base64, first.index, len(leaves), key.name):
        found.problems.append("report.json claims another head or other entries than are proven")


def _check_story(report: Path, found: Checked) -> None:
    """The entries cover the period, and every table follows from them."""
    meta = found.meta
    period = tell(meta, _entries(report))
    found.commands = len(period.population)
    if period.before is None and meta["first"] != 0:
        found.problems.append("it does not show that nothing of the period came before its entries")
    if period.after is None and meta["first"] + meta["count"] != meta["size"]:
        found.problems.append("it does not show that nothing of the period came after its entries")
    kept = _Kept(report)
    for command in period.population:
        for sha in sorted(_signed(command)):
            if kept(sha) is None:
                found.problems.append(f"blobs/{sha} is missing: it was signed for {command.id}")
    for name, data in derive(meta, period, kept):
        if name == "report.html" and not found.rendered:
            continue
        if (report / name).read_bytes() != data:
            found.problems.append(f"{name} does not follow from the entries")


def _check_signatures(report: Path, key: Key, found: Checked, verify: Verify) -> None:
    """Every answer was signed by the person it names, for the request it names."""
    roster = _roster_before(report, key)
    kept = _Kept(report)
    revisions: dict[str, list[str]] = {}
    submitted: set[str] = set()
    for one in _entries(report):
        if one["type"] == "roster.loaded":
            roster = one
        elif one["type"] == "command.submitted":
            submitted.add(one["id"])
            # Every submission names its roster, so an older one cannot be put in its place.
            if roster is None or roster["roster_sha256"] != one["roster_sha256"]:
                found.problems.append(f"the roster that entry {one['n']} names is not shown")
                return
        elif one["type"] in ("request.opened", "request.revised"):
            revisions.setdefault(one["id"], []).append(one["request_sha256"])
        elif one["type"] == "decision.accepted" and one["id"] in submitted:
            documents = [
                kept(one[name])
                for name in ("decision_sha256", "signature_sha256", "request_sha256")
            ]
            if None in documents:
                continue  # submitted after the period, or said to be missing already
            decision, signature, asked = documents
            try:
                verify(
                    decision,
                    signature,
                    request=asked,
                    revision=len(revisions[one["id"]]),
                    roster=roster or {},
                    requester=document.read(asked or b"")["requester"],
                    origin=key.name,
                    on_history=lambda size, root: True,  # only the whole log can tell
                    now=document.moment(one["t"]),
                    log_size=one["n"],
                    earlier=revisions[one["id"]][:-1],
                )
                found.signatures += 1
            except GateshError as problem:
                found.problems.append(f"entry {one['n']}: {problem}")


def _roster_before(report: Path, key: Key) -> Entry | None:
    roster = None
    for path in sorted((report / "context").iterdir(), key=lambda p: int(p.stem)):
        one = Proof.parse(path.read_bytes()).check(key)[1]
        if one["type"] == "roster.loaded":
            roster = one
    return roster


# ---- files -----------------------------------------------------------------------


class _Kept:
    """The blobs of a report, each checked against its name."""

    def __init__(self, report: Path) -> None:
        self._directory = report / "blobs"

    def __call__(self, sha: str) -> bytes | None:
        if len(sha) != 64 or not sha.isalnum():
            return None
        try:
            data = (self._directory / sha).read_bytes()
        except FileNotFoundError:
            return None
        return data if document.sha256(data) == sha else None


def _lines(report: Path) -> Iterator[bytes]:
    with (report / "entries.jsonl").open("rb") as file:
        for line in file:
            yield line.removesuffix(b"\n")


def _entries(report: Path) -> Iterator[Entry]:
    return map(entry.decode, _lines(report))


def _digests(report: Path) -> dict[str, str]:
    """Return the SHA-256 of every file but the list itself; a link is not followed."""
    found = {}
    for above, _, names in os.walk(report):
        for name in names:
            path = Path(above) / name
            relative = str(path.relative_to(report))
            if relative == _SUMS:
                continue
            if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
                found[relative] = "not a plain file"
                continue
            with path.open("rb") as file:
                found[relative] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
