"""`gatesh audit`: is this log what it says, is it all of it, and who else has seen it?"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.cli import proof, show, witnesses
from gatesh.cli.judging import CHECKS
from gatesh.errors import UsageError
from gatesh.ledger import succession
from gatesh.ledger.audit import LogReport, Report
from gatesh.ledger.audit import audit as run_audit
from gatesh.ledger.heads import Heads
from gatesh.ledger.merkle import Head
from gatesh.ledger.note import Checkpoint, Key, MalformedNote, open_checkpoint
from gatesh.visible import visible

app = typer.Typer(rich_markup_mode=None)
app.command("proof")(proof.proof)
app.command("check")(proof.check)


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    head: Annotated[
        list[Path] | None,
        typer.Option("--head", metavar="FILE", help="A checkpoint somebody kept elsewhere."),
    ] = None,
    since_head: Annotated[
        Path | None,
        typer.Option(
            "--since-head", metavar="FILE", help="Verify what came after this verified head."
        ),
    ] = None,
    save_head: Annotated[
        Path | None,
        typer.Option("--save-head", metavar="FILE", help="Keep the head when all of it holds."),
    ] = None,
    witness: witnesses.Keys = None,
    need: witnesses.Need = None,
    vkey: proof.VKey = None,
    state: proof.StateDir = None,
) -> None:
    """Verify the log, every signature in it and every transcript it names.

    Everything is computed again from the bytes; nothing is changed.  Exit status
    0 when all of it holds, 1 when something does not.

    With --since-head the entries before that head must be unchanged and are not
    judged again; their transcripts are not read.

    Example: gatesh audit --head bobs-head.txt

    Example: gatesh audit --since-head last.head --save-head last.head
    """
    if context.invoked_subcommand is not None:
        return
    places = config.places()
    vkey = None if vkey is None else str(proof.log_key(vkey, ""))
    remembered = _remembered(places, state)
    if remembered:
        vkey = vkey or remembered[-1][1]  # that of the newest log this account has followed
    given = {str(path): _read_head(path, vkey) for path in head or []}
    cosigned = [path.read_bytes() for path in head or []]
    heads = [*given.values(), *(known for known, _ in remembered)]
    with progress(quiet=as_json) as moved:
        report = run_audit(
            state or places.state,
            vkey=vkey,
            known_heads=heads,
            checks=CHECKS,
            progress=moved,
            since=None if since_head is None else _read_head(since_head, vkey),
            witnesses=witnesses.terms(witness, need, None if state else places.settings, cosigned),
        )
    if save_head is not None and report.ok:
        _save(save_head, report.checkpoint)
    typer.echo(json.dumps(as_document(report), indent=2) if as_json else _words(report, given))
    raise typer.Exit(0 if report.ok else 1)


def _remembered(places: config.Places, state: Path | None) -> list[tuple[Checkpoint, str]]:
    """Return the heads and keys that this account's own client has followed so far."""
    if not places.heads.is_dir():
        return []
    heads, found = Heads(places.heads), []
    for directory in succession.logs(state or places.state):
        try:
            origin = (directory / "vkey").read_text().partition("+")[0]
        except (OSError, UnicodeDecodeError):
            continue
        last, key = heads.last(origin), heads.key(origin)
        if last is not None and key is not None:
            found.append((Checkpoint(origin, last), key))
    return found


def _read_head(path: Path, vkey: str | None) -> Checkpoint:
    """Return the checkpoint in *path*; its signature is checked if *vkey* is its log's key."""
    try:
        data = path.read_bytes()
        origin, size, root = data.decode().split("\n")[:3]
        key = None if vkey is None else Key.parse(vkey)
        if key is not None and key.name == origin:
            return open_checkpoint(data, key)
        return Checkpoint(origin, Head(int(size), base64.b64decode(root, validate=True)))
    except (OSError, ValueError, MalformedNote) as problem:
        raise UsageError(
            f"{path} is not a checkpoint: {problem}",
            hint="give a copy of the file ledger/checkpoint",
        ) from None


def _save(path: Path, checkpoint: bytes) -> None:
    try:
        beside = path.with_name(f"{path.name}.tmp")
        beside.write_bytes(checkpoint)
        beside.replace(path)
    except OSError as problem:
        raise UsageError(f"the head cannot be kept in {path}: {problem.strerror}") from None


_CONTRADICTED = frozenset({"forked", "older-than-known-head", "log-missing"})


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """Lend what draws a bar on a terminal; None when *quiet* or standard error is none."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("verifying", total=None)

    def moved(done: int, total: int) -> None:
        if total > 20_000:  # below, it is over before anybody has read the bar
            bar.update(task, completed=done, total=total)
            bar.start()
        if done >= total:
            bar.stop()

    try:
        yield moved
    finally:
        bar.stop()  # also when interrupted: the terminal gets its cursor back


def as_document(report: Report) -> dict[str, Any]:
    """Return what an audit found, for programs."""
    return {
        "ok": report.ok,
        "origin": report.origin,
        "entries": report.entries,
        "head": _head(report.head),
        "logs": [
            {
                "directory": log.name,
                "origin": log.origin,
                "head": _head(log.head),
                "seen_by": dict(log.seen_by),
                "witnesses": witnesses.told(log.witnesses),
                "protected_until": log.protected_until,
            }
            for log in report.logs
        ],
        "requests": report.requests,
        "signatures": report.signatures,
        "transcripts_bytes": report.transcripts_bytes,
        "seen_by": dict(report.seen_by),
        "witnesses": witnesses.told(report.witnesses),
        "protected_until": report.protected_until,
        "unprotected": report.unprotected,
        "since": report.since,
        "findings": [
            {
                "code": f.code,
                "index": f.index,
                "meaning": f.meaning,
                "advice": f.advice,
                "severity": f.severity,
                "log": f.log,
            }
            for f in report.findings
        ],
    }


def _head(head: Head) -> dict[str, Any]:
    return {"size": head.size, "root": head.base64}


def _words(report: Report, given: Mapping[str, Checkpoint]) -> str:
    """Return the report for people; *given* are the heads that were asked about, by file."""
    good = show.colour("verified", "32") if report.ok else show.colour("NOT verified", "31")
    lines = [
        f"{good} {_count(report.entries, 'entry', 'entries')},"
        f" {_count(report.requests, 'request')}, {_count(report.signatures, 'signature')},"
        f" {show.size(report.transcripts_bytes)} of transcripts",
        f"complete: size {report.head.size:,}, head {report.head.base64}"
        f" signed by {visible(report.origin)}"
        if report.ok
        else f"computed: size {report.head.size:,}, head {report.head.base64}",
    ]
    for log in reversed(report.logs[:-1]):
        seen = _seen(log)
        lines.append(
            f"follows {visible(log.origin)}: size {log.head.size:,}, head {log.head.base64}"
            + (f", seen by {seen}" if seen else "")
        )
    if report.since and report.ok:
        lines.append(
            f"the first {_count(report.since, 'entry', 'entries')} are unchanged since the audit"
            " that kept --since-head; they were not judged again"
        )
    if not any(found.code in _CONTRADICTED for found in report.findings):
        lines += [
            f"contains what {visible(file)} saw: the first"
            f" {_count(known.head.size, 'entry', 'entries')} are still the same"
            for file, known in given.items()
        ]
    if seen := _seen(report.logs[-1]):
        lines.append(f"seen by {seen}")
    after = report.unprotected
    if after > 0:
        who = "a second person or a witness" if report.witnesses else "a second person"
        lines.append(
            f"{_count(after, 'entry', 'entries')} after the last head {who} has seen"
            f" {'is' if after == 1 else 'are'} protected only by this machine"
        )
    colours = {"error": "31", "warning": "33", "info": "2"}
    for found in report.findings:
        where = "" if found.index is None else f" entry {found.index}"
        if found.log not in ("", report.logs[-1].name):
            where = f" {found.log}{where}"
        lines.append(
            f"{show.colour(f'{found.severity:<8}', colours[found.severity])}{found.code}{where}:"
            f" {visible(found.meaning)}"
        )
        if found.advice:
            lines.append(f"        {visible(found.advice)}")
    return "\n".join(lines)


def _seen(log: LogReport) -> str:
    people = [f"{visible(name)} ({size:,})" for name, size in log.seen_by.items()]
    others = [
        f"witness {visible(seen.key.name)} ({seen.head.size:,}, {witnesses.moment(seen.time)})"
        for seen in log.witnesses
    ]
    return ", ".join([*people, *others])


def _count(number: int, one: str, many: str | None = None) -> str:
    """Return a number and its noun.

    >>> _count(1, "entry", "entries"), _count(2040, "request")
    ('1 entry', '2,040 requests')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
