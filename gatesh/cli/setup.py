"""`gatesh setup CLIENT`: the one setting that gives a program gatesh as its shell."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from gatesh.cli import settings, show
from gatesh.cli.clients import CLIENTS, TABLE, Client, Setting
from gatesh.errors import ConfigError, NotFound, UsageError
from gatesh.visible import visible

DIRECTORY = Path("~/.gatesh-bash/bin")


def setup(
    client: Annotated[
        str, typer.Argument(metavar="CLIENT", help="claude, codex, opencode, …; `list` names all.")
    ],
    shims: Annotated[
        Path, typer.Option("--shims", metavar="DIR", help="Where `gatesh shims` put the names.")
    ] = DIRECTORY,
    write: Annotated[
        bool, typer.Option("--write", help="Write the setting, keeping a copy of the file.")
    ] = False,
) -> None:
    """Show, or write, the setting that gives a program gatesh as its shell.

    Example: gatesh setup claude --write
    """
    if client == "list":
        typer.echo("\n".join(sorted(CLIENTS)))
        return
    found = named(client)
    place = shims.expanduser().absolute()
    if not (place / "bash").exists():
        raise NotFound(f"there is no {place / 'bash'}", hint=f"make it with `gatesh shims {place}`")
    if found.setting is not None:
        _one_setting(client, found.setting, place, write)
    elif write:
        raise UsageError(
            f"{client} has no file to set this in", hint="start it as shown without --write"
        )
    if found.start:
        typer.echo(show.row("start", _text(found.start, place)))
    _list("also", found.also, place)
    _list("round it", found.goes_round, place)
    typer.echo(f"\nNext: gatesh doctor {client}", err=True)


def named(client: str) -> Client:
    """Return the program called *client*; raise `UsageError` with the names there are."""
    if client not in CLIENTS:
        known = ", ".join(entry.name for entry in TABLE)
        raise UsageError(f"{visible(client)} is not known here", hint=f"there are {known}")
    return CLIENTS[client]


def _one_setting(client: str, setting: Setting, place: Path, write: bool) -> None:
    path = settings.path_of(setting, os.environ)
    value = settings.filled(setting.value, place)
    typer.echo(show.row("file", visible(str(path))))
    typer.echo(show.row("key", ".".join(setting.key)))
    typer.echo(show.row("value", visible(_shown(value))))
    try:
        now = settings.value_of(setting, path)
    except ConfigError as problem:
        if write:
            raise
        typer.echo(show.row("now", visible(str(problem))))
        return
    typer.echo(show.row("now", "not set" if now is None else visible(_shown(now))))
    if now == value:
        typer.echo(f"{client} is set up already", err=True)
    elif write:
        copy = settings.write(setting, path, value)
        kept = f"; what was there is in {visible(str(copy))}" if copy else ""
        typer.echo(f"written{kept}", err=True)
    else:
        typer.echo(f"nothing was written; to write it: gatesh setup {client} --write", err=True)


def _list(label: str, texts: tuple[str, ...], place: Path) -> None:
    for at, text in enumerate(texts):
        typer.echo(show.row("" if at else label, _text(text, place)))


def _text(text: str, place: Path) -> str:
    return visible(text.replace("{dir}", str(place)))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
