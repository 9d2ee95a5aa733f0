"""`gatesh propose`: asking for what the files on disk say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gatesh.approval.proposal import config_document
from gatesh.cli import proposing, shouting
from gatesh.cli.talk import ask
from gatesh.errors import UsageError
from gatesh.visible import visible


def propose(
    undo: Annotated[
        bool, typer.Option("--undo", help="Put what was approved back into the files.")
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask for this file as config.yaml instead."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what differs, as JSON.")] = False,
) -> None:
    """Ask a second person to approve edited rules, settings or roster files.

    Once two people are enrolled, an edited file is not in force before somebody
    else has approved it.  Exit status 0 when all of it is, 75 when somebody has to decide.

    Example: gatesh propose
    """
    if settings is not None:
        try:
            text = settings.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"{visible(str(settings))} cannot be read: {problem}") from None
        proposing.propose("config", config_document(text))
        return
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
