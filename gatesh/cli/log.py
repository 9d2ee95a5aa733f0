"""`gatesh log`: what was run, by whom, and who let it."""

from __future__ import annotations

import datetime
import json
import re
from typing import Annotated

import typer

from gatesh import config
from gatesh.cli import show
from gatesh.cli.history import Command, Commands
from gatesh.document import moment
from gatesh.errors import UsageError
from gatesh.model import show_id
from gatesh.visible import visible

VERDICTS = ("allow", "approve", "deny")


def log(
    since: Annotated[
        str | None, typer.Option(help="today, yesterday, 2h, 3d, or 2026-07-01.")
    ] = None,
    verdict: Annotated[str | None, typer.Option(help="allow, approve or deny.")] = None,
    by: Annotated[str | None, typer.Option(help="Who answered: bob, or bob@example.com.")] = None,
    user: Annotated[str | None, typer.Option(help="Which account asked.")] = None,
    system: Annotated[str | None, typer.Option(help="Affected system, by its beginning.")] = None,
    last: Annotated[int | None, typer.Option("-n", min=1, help="Only so many, the newest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List commands, oldest first.

    Example: gatesh log --since yesterday --verdict approve --by bob@example.com
    """
    start = moment_of(since) if since else None
    if verdict is not None and verdict not in VERDICTS:
        raise UsageError(f"no verdict {visible(verdict)}", hint=f"one of {', '.join(VERDICTS)}")
    found = [
        c
        for _, c in Commands(config.places().state, start)
        if (start is None or moment(c.t) >= start)
        and (verdict is None or c.submitted["verdict"] == verdict)
        and (by is None or any(by in _names(answer.by) for answer in c.answers))
        and (user is None or c.submitted["requester"]["user"] == user)
        and (system is None or any(_of(f.get("system"), system) for f in c.submitted["findings"]))
    ]
    for command in found[-last:] if last else found:
        typer.echo(json.dumps(command.as_json()) if as_json else _line(command))


def _names(person: str) -> tuple[str, str]:
    return person, person.partition("@")[0]


def _of(system: str | None, wanted: str) -> bool:
    return system is not None and system.startswith(wanted)


def _line(command: Command) -> str:
    end = command.state
    if command.exit is not None:
        end = f"exit {command.exit}"
    elif command.signal is not None:
        end = f"signal {command.signal}"
    answers = f"  {visible(' '.join(command.by))}" if command.by else ""
    if outer := command.submitted.get("within"):
        answers += f"  (inside {show_id(outer)})"
    return (
        f"{command.t[:19].replace('T', ' ')}  {show.colour(show_id(command.id), '1')}"
        f"  {show.verdict(command.submitted['verdict'])}{end:<10}"
        f"  {visible(command.submitted['requester']['user'])}"
        f"  {visible(command.text)}{answers}"
    )


def moment_of(text: str) -> datetime.datetime:
    """Return the moment that *text* names.

    >>> moment_of("2026-07-01").isoformat()
    '2026-07-01T00:00:00+00:00'
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return midnight - datetime.timedelta(days=text == "yesterday")
    if found := re.fullmatch(r"(\d{1,6})([mhd])", text):
        unit = {"m": "minutes", "h": "hours", "d": "days"}[found[2]]
        return now - datetime.timedelta(**{unit: int(found[1])})
    try:
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise UsageError(
            f"{visible(text)} is no time", hint="give today, yesterday, 2h, 3d, or 2026-07-01"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)
