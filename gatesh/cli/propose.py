"""`gatesh propose`: asking for what the files on disk say."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gatesh.cli import proposing, shouting
from gatesh.cli.talk import ask


def propose(
    undo: Annotated[
        bool, typer.Option("--undo", help="Put what was approved back into the files.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what differs, as JSON.")] = False,
) -> None:
    """Ask a second person to approve edited rules, settings or roster files.

    Once two people are enrolled, an edited file is not in force before somebody
    else has approved it.  Exit status 0 when all of it is, 75 when somebody has to decide.

    Example: gatesh propose
    """
    edits = ask("law")["edits"]
    if as_json:
        typer.echo(json.dumps(edits, indent=2))
        return
    if undo:
        restored = ask("restore")["restored"]
        for kind in restored:
            typer.echo(f"put back {shouting.NAMES[kind]}", err=True)
        if not restored:
            typer.echo("nothing to put back: the files are as they were approved", err=True)
        return
    if not edits:
        typer.echo("nothing to propose: the files are what is in force", err=True)
        return
    statuses = []
    for edit in edits:
        try:
            proposing.propose(edit["kind"])
        except typer.Exit as left:
            statuses.append(left.exit_code)
    raise typer.Exit(max(statuses, default=0))
