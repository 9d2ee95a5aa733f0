"""Checking a report with nothing but the log's key.

The root is computed from the entries, signatures are verified by the roster of the
day, the tables and the page are derived again.  What remains its maker's word: the
audit of the whole log, and who has seen which head.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatesh.approval.roster import Roster
from gatesh.errors import Refused, UsageError
from gatesh.evidence.derive import derive, tell
from gatesh.evidence.files import (
    MADE_BY,
    NAMESPACE,
    SIGNATURE,
    SUMS,
    TYPE,
    Kept,
    digests,
    entries,
    lines,
    signed,
)
from gatesh.evidence.signatures import Signatures
from gatesh.evidence.story import Entry
from gatesh.keys import sshsig
from gatesh.ledger import cosign
from gatesh.ledger.checks import Checks
from gatesh.ledger.cosign import Cosigned, WitnessKey
from gatesh.ledger.merkle import Head, leaf_hash, verify_consistency
from gatesh.ledger.note import BadNoteSignature, Key, MalformedNote
from gatesh.ledger.proof import BadProof, Proof
from gatesh.ledger.span import verify_span
from gatesh.ledger.witnessed import file_name


@dataclass(slots=True)
class Checked:
    """What a report turned out to be."""

    meta: Mapping[str, Any]
    commands: int = 0
    signatures: int = 0
    rendered: bool = True  # whether the page was derived again
    witnesses: list[Cosigned] = field(default_factory=list)
    maker: str | None = None  # whose key has signed it: a person on its roster, else a fingerprint
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


def check(report: Path, key: Key, checks: Checks, witnesses: Iterable[WitnessKey] = ()) -> Checked:
    """Verify the report in directory *report* with nothing but the log's *key*.

    *checks* judges signatures and quorums.  What *witnesses* have cosigned is verified with their
    keys.  The page of another version of gatesh is not derived again, since it may be laid
    out otherwise: `rendered` is then false.
    """
    meta = _meta(report)
    found = Checked(meta, rendered=meta.get("by") == MADE_BY)
    try:
        _check_sums(report, found)
        _check_maker(report, found)
        head = _check_span(report, key, found)
        for witness in witnesses:
            _check_witness(report, key, witness, head, found)
        if not found.problems:
            _check_story(report, found)
            _check_signatures(report, key, found, checks)
    except BadProof as problem:
        found.problems.append(str(problem))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        found.problems.append(f"it cannot be read: {type(problem).__name__}: {problem}")
    return found


def _check_sums(report: Path, found: Checked) -> None:
    listed = {}
    for line in (report / SUMS).read_text().splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    there = digests(report)
    for name in sorted(listed.keys() | there.keys()):
        if name not in there:
            found.problems.append(f"{name} is missing")
        elif name not in listed:
            found.problems.append(f"{name} is no part of the report")
        elif listed[name] != there[name]:
            found.problems.append(f"{name} was changed after the report was made")


def _check_maker(report: Path, found: Checked) -> None:
    """Who vouches for what does not follow from the entries, if anybody does."""
    signature = report / SIGNATURE
    if not signature.exists():
        return
    try:
        public = sshsig.verify(signature.read_bytes(), (report / SUMS).read_bytes(), NAMESPACE)
    except Refused as problem:
        found.problems.append(f"{SIGNATURE}: {problem}")
        return
    rosters = [one for one in entries(report) if one["type"] == "roster.loaded"]
    person = Roster.from_document(rosters[-1]).owner_of(public) if rosters else None
    found.maker = f"{person}, {public.fingerprint}" if person else public.fingerprint


def _check_witness(report: Path, key: Key, witness: WitnessKey, head: Head, found: Checked) -> None:
    """What the witness has seen is a beginning of what the report is about."""
    beside = report / "witness" / file_name(witness)
    try:
        data = beside.with_suffix(".checkpoint").read_bytes()
        steps = beside.with_suffix(".consistency").read_bytes().split()
        seen = cosign.read(data, key, witness)
        if not verify_consistency(seen.head, head, [base64.b64decode(step) for step in steps]):
            found.problems.append(f"the log is not the one that {witness.name} has seen")
            return
    except FileNotFoundError:
        return
    except (MalformedNote, BadNoteSignature) as problem:
        found.problems.append(f"the cosignature of {witness.name}: {problem}")
        return
    found.witnesses.append(seen)


def _check_span(report: Path, key: Key, found: Checked) -> Head:
    """The entries are all there are between the first and the last, under a signed head."""
    meta = found.meta
    proofs = [Proof.parse((report / f"{end}.tlog-proof").read_bytes()) for end in ("first", "last")]
    first, last = proofs
    head = first.check(key)[0].head
    if last.check(key)[0].head != head:
        found.problems.append("first.tlog-proof and last.tlog-proof are for different heads")
        return head
    leaves = [leaf_hash(line) for line in lines(report)]
    if not leaves or last.index - first.index + 1 != len(leaves):
        found.problems.append("entries.jsonl is not from the first to the last proven entry")
    elif not verify_span(first.index, leaves, head, first.path, last.path):
        found.problems.append(
            "entries.jsonl does not give the signed root: entries are missing or changed"
        )
    claimed = (meta["size"], meta["root"], meta["first"], meta["count"], meta["origin"])
    if claimed != (head.size, head.base64, first.index, len(leaves), key.name):
        found.problems.append("report.json claims another head or other entries than are proven")
    return head


def _check_story(report: Path, found: Checked) -> None:
    """The entries cover the period, and every table follows from them."""
    meta = found.meta
    period = tell(meta, entries(report))
    found.commands = len(period.population)
    if period.before is None and meta["first"] != 0:
        found.problems.append("it does not show that nothing of the period came before its entries")
    if period.after is None and meta["first"] + meta["count"] != meta["size"]:
        found.problems.append("it does not show that nothing of the period came after its entries")
    kept = Kept(report)
    for command in period.population:
        for sha in sorted(signed(command)):
            if kept(sha) is None:
                found.problems.append(f"blobs/{sha} is missing: it was signed for {command.id}")
    for name, data in derive(meta, period, kept):
        if name == "report.html" and not found.rendered:
            continue
        if (report / name).read_bytes() != data:
            found.problems.append(f"{name} does not follow from the entries")


def _check_signatures(report: Path, key: Key, found: Checked, checks: Checks) -> None:
    """Every answer was signed by the person it names, and every start had enough of them."""
    signatures = Signatures(checks, key.name, _roster_before(report, key), Kept(report))
    for one in entries(report):
        if not signatures.take(one):
            break
    found.signatures = signatures.count
    found.problems += signatures.problems


def _roster_before(report: Path, key: Key) -> Entry | None:
    roster = None
    for path in sorted((report / "context").iterdir(), key=lambda p: int(p.stem)):
        one = Proof.parse(path.read_bytes()).check(key)[1]
        if one["type"] == "roster.loaded":
            roster = one
    return roster
