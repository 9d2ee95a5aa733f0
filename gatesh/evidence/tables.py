"""The population as CSV, for spreadsheets, and as JSON lines, for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

from gatesh.evidence import sample
from gatesh.evidence.numbers import seconds_between
from gatesh.evidence.sample import Blob
from gatesh.evidence.story import Command
from gatesh.visible import visible

COMMANDS = (
    "id", "submitted", "requester", "account", "agent", "host_cwd", "command", "script_sha256",
    "verdict", "rules", "controls", "system", "state", "approved_by", "first_approval",
    "last_approval", "started", "ended", "exit", "signal", "seconds", "entries",
)  # fmt: skip
DECISIONS = (
    "id", "decision", "by", "at", "said", "entry", "key", "assurance", "requester",
    "seconds_after_request", "before_start", "request_sha256", "decision_sha256",
    "signature_sha256",
)  # fmt: skip
# What a spreadsheet takes for a formula, the wide forms of Japanese ones too.
_ACTS = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROLS = ("soc2:", "iso27001:", "nist:")


def cell(value: object) -> str:
    """Return *value* as a cell that no spreadsheet runs.

    What begins like a formula gets an apostrophe in front, which spreadsheets take as
    "this is text".  Commands are written by agents: `=HYPERLINK(…)` is one of theirs.

    >>> cell("=1+1"), cell(" -x"), cell("ls"), cell(None), cell(-3)
    ("'=1+1", "' -x", 'ls', '', '-3')
    """
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = visible(str(value))
    return f"'{text}" if text.lstrip()[:1] in _ACTS else text


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO()
    # Everything quoted, lines ended as RFC 4180 has it.
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8")


def commands_csv(commands: Iterable[Command]) -> bytes:
    """Return one row for each command."""
    return _csv(COMMANDS, (_command(c) for c in commands))


def _command(c: Command) -> Sequence[object]:
    asker, approvals = c.submitted["requester"], c.approved_by
    return (
        c.id, c.t, c.requester, asker["user"], c.agent, c.submitted["cwd"], c.text,
        c.submitted["script_sha256"], c.verdict, " ".join(c.rules),
        " ".join(t for t in c.tags if t.startswith(_CONTROLS)), c.system,
        c.ending if c.state == "approved" else c.state,
        " ".join(a.by for a in approvals), approvals[0].t if approvals else None,
        approvals[-1].t if approvals else None, c.started, c.ended, c.exit, c.signal, c.seconds,
        " ".join(map(str, c.entries)),
    )  # fmt: skip


def decisions_csv(commands: Iterable[Command], blob: Blob) -> bytes:
    """Return one row for each signed answer."""
    return _csv(DECISIONS, (row for c in commands for row in _decisions(c, blob)))


def _decisions(c: Command, blob: Blob) -> Iterable[Sequence[object]]:
    for a in c.answers:
        before = None if c.started_n is None else a.n < c.started_n
        yield (
            c.id, a.decision, a.by, a.t, sample.said(a, blob), a.n, a.key, a.assurance, c.requester,
            seconds_between(c.opened, a.t), before, a.request_sha256, a.decision_sha256,
            a.signature_sha256,
        )  # fmt: skip


def commands_jsonl(commands: Iterable[Command]) -> bytes:
    """Return one line of JSON for each command."""
    return b"".join(
        json.dumps(c.as_json(), sort_keys=True, separators=(",", ":")).encode() + b"\n"
        for c in commands
    )
