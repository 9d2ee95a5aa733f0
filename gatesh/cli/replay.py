"""`gatesh replay` and `gatesh export`: what a command printed."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.cli.calm import Calm
from gatesh.cli.history import Command, Commands, kept
from gatesh.cli.log import moment_of
from gatesh.cli.pending import RequestId
from gatesh.document import moment
from gatesh.errors import NotFound, UsageError
from gatesh.evidence import ocsf, syslog
from gatesh.model import read_id, show_id
from gatesh.transcript.player import cast, play
from gatesh.visible import visible


def find(id: str) -> tuple[str, Command]:
    """Return the command and the name of the log it is in."""
    wanted = read_id(id)
    found = Commands(config.places().state).get(wanted) if wanted else None
    if found is None:
        raise NotFound(f"no command {visible(id)} in the log", hint="list them with `gatesh log`")
    return found


def replay(
    id: RequestId,
    speed: Annotated[
        float, typer.Option("--speed", min=0, help="How fast; 0 prints all at once.")
    ] = 0,
    raw: Annotated[
        bool, typer.Option("--raw", help="The recorded bytes, even to a terminal.")
    ] = False,
) -> None:
    """Play what a command printed: standard output on 1, standard error on 2.

    To a pipe or file the bytes are exact.  To a terminal, sequences that would
    make it answer or change its title and clipboard are left out.

    Example: gatesh replay k7q2-m9xd --speed 4
    """
    _, command = find(id)
    if command.streams is None:
        raise NotFound(f"{show_id(command.id)} has no record: it is {command.state}")
    blob = partial(kept, config.places().state)
    out, err = Calm(sys.stdout.buffer, raw=raw), Calm(sys.stderr.buffer, raw=raw)
    began = time.monotonic()
    for streams in (command.streams, *command.late):
        for chunk in play(streams, blob):
            if speed:
                time.sleep(max(0.0, chunk.at / speed - (time.monotonic() - began)))
            if chunk.gap:
                print(f"gatesh: {chunk.gap} bytes here were not kept", file=sys.stderr)
            (err if chunk.stream == "stderr" else out).write(chunk.data)


def export(
    id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One command; all of them without it.")
    ] = None,
    as_cast: Annotated[
        bool, typer.Option("--cast", help="An asciicast v2, for terminal players; needs ID.")
    ] = False,
    as_ocsf: Annotated[
        bool, typer.Option("--ocsf", help="OCSF events, one JSON line for each command.")
    ] = False,
    as_syslog: Annotated[
        bool, typer.Option("--syslog", help="Syslog lines (RFC 5424), one for each command.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(help="today, yesterday, 2h, 3d, or 2026-07-01.")
    ] = None,
) -> None:
    """Write commands for other programs, to standard output.

    Example: gatesh export k7q2-m9xd --cast > k7q2.cast

    Example: gatesh export --ocsf --since yesterday
    """
    if as_cast + as_ocsf + as_syslog != 1:
        raise UsageError("say as what", hint="one of --cast, --ocsf and --syslog")
    if as_cast:
        if id is None or since is not None:
            raise UsageError("a cast is of one command", hint="gatesh export ID --cast")
        _export_cast(id)
        return
    line = ocsf.line if as_ocsf else syslog.line
    start = moment_of(since) if since else None
    for origin, command in [find(id)] if id else Commands(config.places().state, start):
        if start is None or moment(command.t) >= start:
            typer.echo(line(command, origin))


def _export_cast(id: str) -> None:
    _, command = find(id)
    if command.streams is None:
        raise NotFound(f"{show_id(command.id)} has no record: it is {command.state}")
    blob = partial(kept, config.places().state)
    began: Any = moment(command.started or command.t)
    typer.echo(cast(command.streams, blob, visible(command.text), int(began.timestamp())), nl=False)
