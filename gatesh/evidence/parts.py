"""A report of a period that several logs share: one part for each log, and how they join.

    report.json     {"type": "gatesh/reports/v1", "from", "to", "parts": ["1-…", …]}
    1-<name>/       the report of the oldest of the logs, as `pack` makes it
    2-<name>/       …

Each part is proven by its own log's key.  The parts join where the last entry of one log
names the key of the next, and the first entry of that the size and root of the one
before: so the key of any of them is enough, and nothing is missing in between.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gatesh.document import moment
from gatesh.errors import UsageError
from gatesh.evidence import pack
from gatesh.evidence.check import Checked, check, claimed_origin
from gatesh.evidence.files import entries
from gatesh.evidence.story import Entry
from gatesh.ledger import succession
from gatesh.ledger.checks import Checks
from gatesh.ledger.cosign import WitnessKey
from gatesh.ledger.note import Key, MalformedNote
from gatesh.ledger.reading import ends

TYPE: Final = "gatesh/reports/v1"
_HEAD: Final = ("origin", "size", "root")


def logs_of(state: Path, start: datetime, end: datetime) -> list[str]:
    """Return the directories of the logs that a report of the period needs, oldest first.

    Those are the ones with entries in it, and where one begins or ends inside the period
    its neighbour, which shows that there is nothing in between.
    """
    spans = []
    for directory in succession.logs(state):
        _, first, last = ends(directory)
        if first and last:
            spans.append((directory.name, moment(first["t"]), moment(last["t"])))
    wanted = {k for k, (_, first, last) in enumerate(spans) if first < end and last >= start}
    for k in sorted(wanted):
        if spans[k][1] >= start:
            wanted.add(k - 1)
        if spans[k][2] < end:
            wanted.add(k + 1)
    names = [spans[k][0] for k in sorted(wanted) if 0 <= k < len(spans)]
    return names or [succession.CURRENT]


def make(state: Path, out: Path, *, start: datetime, end: datetime, **said: Any) -> list[Any]:
    """Write the report of a period into the new directory *out*; return each `report.json`.

    *said* is what `pack.make` takes beside.  One log makes a plain report.
    """
    logs = logs_of(state, start, end)
    if len(logs) == 1:
        return [pack.make(state, out, log=logs[0], start=start, end=end, **said)]
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise UsageError(
            f"{out} is there already", hint="a report is made whole: name a new directory"
        ) from None
    try:
        metas, names = [], []
        for k, log in enumerate(logs, 1):
            names.append(f"{k}-{log}")
            metas.append(pack.make(state, out / names[-1], log=log, start=start, end=end, **said))
        about = {"type": TYPE, "from": metas[0]["from"], "to": metas[0]["to"], "parts": names}
        (out / "report.json").write_text(json.dumps(about, indent=2, sort_keys=True) + "\n")
    except BaseException:
        shutil.rmtree(out)
        raise
    return metas


def parts_of(report: Path) -> list[Path]:
    """Return the directories of the parts of *report*, oldest first; itself if it has none."""
    try:
        about = json.loads((report / "report.json").read_bytes())
        if about.get("type") != TYPE:
            return [report]
        names = about["parts"]
        if not names or any("/" in name or name.startswith(".") for name in names):
            raise ValueError("its parts are no directories")
        return [report / name for name in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UsageError(
            f"{report} is not a report: {problem}", hint="give a directory that gatesh report made"
        ) from None


@dataclass(frozen=True, slots=True)
class Part:
    """One part, and what it turned out to be."""

    path: Path
    checked: Checked


def check_all(
    parts: list[Path], key: Key, checks: Checks, witnesses: Iterable[WitnessKey] = ()
) -> Iterator[Part]:
    """Verify every part; *key* is that of any of the logs, the others are what the links name."""
    origins = [claimed_origin(part) for part in parts]
    if key.name not in origins:
        raise UsageError(
            f"the key is for the log {key.name}", hint=f"the report is about {origins[-1]}"
        )
    about = [_Ends.of(part) for part in parts]
    at = origins.index(key.name)
    keys: list[Key | None] = [None] * len(parts)
    keys[at] = key
    for k in range(at + 1, len(parts)):
        keys[k] = _key(about[k - 1].successor)
    for k in range(at - 1, -1, -1):
        keys[k] = _key(about[k + 1].predecessor)
    for k, part in enumerate(parts):
        used = keys[k]
        if used is None:
            yield Part(part, Checked({}, problems=["no entry of the other parts names its key"]))
            continue
        checked = check(part, used, checks, witnesses)
        if not checked.problems:
            before = about[k - 1] if k else None
            checked.problems += _gaps(about[k], before, last=k == len(parts) - 1)
        yield Part(part, checked)


@dataclass(frozen=True, slots=True)
class _Ends:
    """What the first and the last entry of a part say of the logs before and after."""

    meta: Mapping[str, Any]
    opened: Entry | None  # the log begins in this part
    closed: Entry | None  # it ends in it

    @classmethod
    def of(cls, part: Path) -> _Ends:
        first = last = None
        try:
            for last in entries(part):
                first = first or last
            meta = json.loads((part / "report.json").read_bytes())
        except (OSError, ValueError):
            return cls({}, None, None)
        opened = first if first and first["type"] == "ledger.opened" else None
        return cls(meta, opened, last if last and last["type"] == "ledger.closed" else None)

    @property
    def predecessor(self) -> Mapping[str, Any] | None:
        """The log before, as the first entry names it."""
        return (self.opened or {}).get("predecessor")

    @property
    def successor(self) -> Mapping[str, Any] | None:
        """The log after, as the last entry names it."""
        return (self.closed or {}).get("successor")


def _key(named: Mapping[str, Any] | None) -> Key | None:
    try:
        return Key.parse(str(named["vkey"])) if named else None
    except (MalformedNote, KeyError):
        return None


def _gaps(ours: _Ends, before: _Ends | None, *, last: bool) -> Iterator[str]:
    """Yield where something of the period could be in a log that is not shown."""
    meta, opened, closed = ours.meta, ours.opened, ours.closed
    if before is None:
        if opened is not None and ours.predecessor and opened["t"] >= meta["from"]:
            yield "its log follows another one in this period, which is not shown"
    else:
        named = ours.predecessor or {}
        if [named.get(x) for x in _HEAD] != [before.meta.get(x) for x in _HEAD]:
            yield "its first entry does not name the log of the part before as that part proves it"
        if (before.successor or {}).get("origin") != meta.get("origin"):
            yield "the part before does not end with an entry that names this log"
    if last and closed is not None and closed["t"] < meta["to"]:
        yield "its log was closed in this period, and the one that follows is not shown"
