"""How the logs of one home follow one another, retold from their first and last entries.

The last entry of a log names the key of the next, the first entry of that names the
size and root of the one before: each pair is compared with what was computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from gatesh.ledger.findings import Findings
from gatesh.ledger.lives import Lives
from gatesh.ledger.merkle import Tree
from gatesh.ledger.note import Key

Entry = Mapping[str, Any]

NEWEST: Final = "ledger"


class Log(Protocol):
    """A log that was read."""

    @property
    def name(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def key(self) -> Key | None: ...
    @property
    def tree(self) -> Tree: ...
    @property
    def lives(self) -> Lives: ...


def judge(logs: Sequence[Log], findings: Findings) -> None:
    """Say where one log does not follow the one before it; *logs* come oldest first."""
    heirs: dict[str, str] = {}  # origin of a predecessor → who named it first
    before: Log | None = None
    for log in logs:
        findings.log = log.name
        named = log.lives.predecessor
        if named is not None:
            first = heirs.setdefault(named["origin"], log.name)
            if first != log.name:
                findings.add(
                    "two-successors", 0, f"{first} says as well that it follows {named['origin']}"
                )
        _follows(log, named, before, findings)
        if before is not None:
            _handed_on(before, log, findings)
        before = log
    if before is not None and before.name != NEWEST:
        findings.log = before.name
        findings.add("successor-missing", None, "the log that follows it is not there")


def _follows(log: Log, named: Entry | None, before: Log | None, findings: Findings) -> None:
    """Does the first entry name the log before it as it was computed?"""
    if named is None:
        if before is not None and log.lives.opened:
            findings.add(
                "predecessor-other", 0, f"it says to be a first log, and {before.name} is there"
            )
    elif before is None or before.origin != named["origin"]:
        findings.add(
            "predecessor-missing",
            0,
            f"it follows {named['origin']} of {named['size']:,} entries, which is not there",
        )
    else:
        head = before.tree.head()
        if (named["size"], named["root"]) != (head.size, head.base64):
            findings.add(
                "predecessor-other",
                0,
                f"{before.name} has {head.size:,} entries and the root {head.base64}, not"
                f" {named['size']:,} and {named['root']}",
            )
        elif before.key is not None and named["vkey"] != str(before.key):
            findings.add("predecessor-other", 0, f"{before.name} has another key than it names")


def _handed_on(before: Log, log: Log, findings: Findings) -> None:
    """Was the log before finished, in favour of this one, and is its law still the law?"""
    last = before.lives.closed
    if last is None:
        findings.log = before.name
        findings.add("log-unclosed", None, f"{log.name} follows it, and no ledger.closed ends it")
    elif log.key is not None and (last.get("successor") or {}).get("vkey") != str(log.key):
        findings.log = before.name
        findings.add("successor-other", last["n"], f"it names another successor than {log.name}")
    findings.log = log.name
    old, new = before.lives, log.lives
    if log.lives.opened and old.law_at_end != new.law_at_start:
        findings.add(
            "law-not-inherited", 0, f"rules or roster are not those that {before.name} ended with"
        )
