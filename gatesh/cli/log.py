"""`gatesh log`: what was run, by whom, and who let it."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gatesh import config
from gatesh.cli import show
from gatesh.cli.history import Command, Commands, kept
from gatesh.document import moment
from gatesh.errors import LedgerError, NotFound, UsageError
from gatesh.model import show_id
from gatesh.transcript.search import Found, Matches, matcher, search
from gatesh.visible import visible

_SHOWN = 20  # matching lines of one command, and ids in one message
_WIDEST = 400  # characters of a matching line
VERDICTS = ("allow", "approve", "deny")


def log(
    since: Annotated[
        str | None, typer.Option(help="today, yesterday, 2h, 3d, or 2026-07-01.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Not later than this, as --since.")] = None,
    verdict: Annotated[str | None, typer.Option(help="allow, approve or deny.")] = None,
    by: Annotated[str | None, typer.Option(help="Who answered: bob, or bob@example.com.")] = None,
    user: Annotated[str | None, typer.Option(help="Which account asked.")] = None,
    agent: Annotated[str | None, typer.Option(help="Which agent asked: codex …")] = None,
    system: Annotated[str | None, typer.Option(help="Affected system, by its beginning.")] = None,
    grep: Annotated[
        str | None, typer.Option("-g", "--grep", metavar="REGEX", help="What was asked for.")
    ] = None,
    printed: Annotated[
        str | None, typer.Option(metavar="REGEX", help="What it printed; shows those lines.")
    ] = None,
    last: Annotated[int | None, typer.Option("-n", min=1, help="Only so many, the newest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List commands, oldest first.

    Patterns are RE2; without a capital letter in one, case does not matter.

    Example: gatesh log --since yesterday --verdict approve --by bob@example.com

    Example: gatesh log --system aws --printed 'access denied'
    """
    start = moment_of(since) if since else None
    end = moment_of(until) if until else None
    if verdict is not None and verdict not in VERDICTS:
        raise UsageError(f"no verdict {visible(verdict)}", hint=f"one of {', '.join(VERDICTS)}")
    asked_for = _matcher(grep)
    state = config.places().state
    found: Iterable[Command] = (
        c
        for _, c in Commands(state, start)
        if (start is None or moment(c.t) >= start)
        and (end is None or moment(c.t) < end)
        and (verdict is None or c.verdict == verdict)
        and (by is None or any(by in _names(answer.by) for answer in c.answers))
        and (user is None or c.submitted["requester"]["user"] == user)
        and (agent is None or c.agent == agent)
        and (system is None or any(_of(f.get("system"), system) for f in c.submitted["findings"]))
        and (asked_for is None or asked_for(c.text) or asked_for(c.submitted.get("script") or ""))
    )
    said = _matcher(printed)
    if said is None:
        for command in deque(found, last) if last else found:
            typer.echo(json.dumps(command.as_json()) if as_json else _line(command))
        return
    search = Search(state, said)
    hits = ((c, lines) for c in found if (lines := search(c)))
    for command, lines in deque(hits, last) if last else hits:
        if as_json:
            matches = [dataclasses.asdict(line) for line in lines]
            typer.echo(json.dumps({**command.as_json(), "matches": matches}))
        else:
            typer.echo("\n".join([_line(command), *_shown(command, lines)]))
    search.confess()


def _matcher(pattern: str | None) -> Matches | None:
    if pattern is None:
        return None
    try:
        return matcher(pattern)
    except ValueError as problem:
        raise UsageError(f"{visible(pattern)} is no pattern: {problem}") from None


class Search:
    """Looks for lines that commands printed, and remembers which it could not read."""

    def __init__(self, state: Path, matches: Matches) -> None:
        self.blob, self.matches = partial(kept, state), matches
        self.gone: list[str] = []

    def __call__(self, command: Command) -> list[Found]:
        """Return the lines of *command* that match."""
        found: list[Found] = []
        try:
            for streams in filter(None, (command.streams, *command.late)):
                found += search(streams, self.blob, self.matches)
        except (NotFound, LedgerError):
            self.gone.append(command.id)
        return found

    def confess(self) -> None:
        """Say what was not searched: nobody should take silence for an answer."""
        if self.gone:
            ids = " ".join(map(show_id, self.gone[:_SHOWN]))
            more = len(self.gone) - _SHOWN
            typer.echo(
                f"gatesh: {len(self.gone):,} of the transcripts are not kept or have changed,"
                f" and were not searched: {ids}" + (f" and {more:,} more" if more > 0 else ""),
                err=True,
            )


def _shown(command: Command, lines: Sequence[Found]) -> Iterator[str]:
    for line in lines[:_SHOWN]:
        where = "?" if line.line is None else str(line.line)
        yield (
            f"    {line.stream}:{where}  +{line.at:.3f} s  "
            + visible(line.text[:_WIDEST])
            + (" …" if len(line.text) > _WIDEST else "")
        )
    if len(lines) > _SHOWN:
        yield f"    and {len(lines) - _SHOWN:,} more lines: gatesh replay {show_id(command.id)}"


def _names(person: str) -> tuple[str, str]:
    return person, person.partition("@")[0]


def _of(system: str | None, wanted: str) -> bool:
    return system is not None and system.startswith(wanted)


def _line(command: Command) -> str:
    agent = f"/{command.agent}" if command.agent else ""
    answers = f"  {visible(' '.join(command.by))}" if command.by else ""
    if outer := command.submitted.get("within"):
        answers += f"  (inside {show_id(outer)})"
    return (
        f"{command.t[:19].replace('T', ' ')}  {show.colour(show_id(command.id), '1')}"
        f"  {show.verdict(command.submitted['verdict'])}{command.ending:<10}"
        f"  {visible(command.submitted['requester']['user'] + agent)}"
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
