"""`gatesh ledger list|close|prune`: the logs there are, a new one, and what may go of the old."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.cli import proof
from gatesh.cli.log import moment_of
from gatesh.cli.proposing import propose
from gatesh.cli.talk import ask
from gatesh.document import stamp
from gatesh.errors import GateshError, NotFound, Refused
from gatesh.ledger import succession
from gatesh.ledger.reading import ends
from gatesh.visible import visible

app = typer.Typer(no_args_is_help=True, help="The logs of this home, and what is kept of them.")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    state: proof.StateDir = None,
) -> None:
    """List the logs, oldest first; the last one is written.

    Nothing is verified here: that is `gatesh audit`.
    """
    found = list(_logs(state or config.places().state))
    if not found:
        raise NotFound("there is no log yet", hint="the first command begins one")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for log in found:
        last = f"closed {log['last'][:10]}" if log["closed"] else "written now"
        typer.echo(
            f"{log['directory']:<14} {visible(log['origin'])}  {log['entries']:,} entries,"
            f" {log['first'][:10]} … {last}"
        )


def _logs(state: Path) -> Iterator[dict[str, Any]]:
    for directory in succession.logs(state):
        size, first, last = ends(directory)
        if first is None or last is None:
            continue
        yield {
            "directory": directory.name,
            "origin": str(first.get("origin", "")),
            "entries": size,
            "first": first["t"],
            "last": last["t"],
            "closed": last["type"] == "ledger.closed",
        }


@app.command()
def close(
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until no command runs; new ones still start.")
    ] = False,
) -> None:
    """Close the log and go on in a new one, with a key of its own.

    The old log stays, finished: its key is destroyed and nothing can be added to it.
    `gatesh audit`, `log`, `replay` and `report` go on reading both.  What waits for
    approval is ended, and can be asked for again.  Exit status 126 while commands run.

    Example: gatesh ledger close --wait
    """
    while True:
        try:
            done = ask("close-log")
            break
        except Refused as refused:
            if not wait or refused.why != "running":
                raise
            time.sleep(0.5)
    typer.echo(f"closed    {visible(done['origin'])}")
    typer.echo(f"goes on   {visible(done['successor'])}")
    if done["ended"]:
        count = len(done["ended"])
        typer.echo(
            f"{count} request{'s were' if count > 1 else ' was'} ended; the command"
            f"{'s' if count > 1 else ''} can be asked for again",
            err=True,
        )
    _begin_next(int(done["pid"]))


@app.command()
def prune(
    before: Annotated[
        str, typer.Option("--before", metavar="DAY", help="90d, or a day such as 2026-07-01.")
    ],
) -> None:
    """Ask to remove what commands printed before a day.

    A second person has to approve it.  Entries, digests and requests stay, and so every
    proof; the log says what was removed, on whose word.  Exit status 0 when it was done,
    75 while nobody has decided, 126 when somebody has said no.

    Example: gatesh ledger prune --before 365d
    """
    change = {"before": stamp(moment_of(before), micros=False), "type": "gatesh/retention/v1"}
    propose("retention", change)


@app.command()
def lineage(
    origin: Annotated[
        str | None, typer.Argument(metavar="[LOG]", help="The name of a closed log.")
    ] = None,
    since: Annotated[int, typer.Option(min=0, help="Continue the head of so many entries.")] = 0,
) -> None:
    """Print the names of the closed logs, or proof of how one of them went on.

    For approvers' own machines, which follow a log they know to the next one.
    """
    found = ask("lineage", origin=origin, since=since)
    typer.echo(json.dumps({k: v for k, v in found.items() if k in ("origins", "links")}))


def _begin_next(before: int) -> None:
    """Start the broker that begins the next log, once the one before has left."""
    for _ in range(200):
        try:
            if ask("status")["pid"] != before:
                return
        except GateshError:
            pass  # it is leaving
        time.sleep(0.05)
    typer.echo("the next log begins with the next command", err=True)
