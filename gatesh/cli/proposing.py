"""Asking for changes of the law, and waiting for people to decide about them."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import typer

from gatesh import document
from gatesh.cli.talk import ask
from gatesh.model import show_id
from gatesh.visible import visible

PENDING, REJECTED = 75, 126
LOOK_S = 0.3  # between two looks at a request that somebody waits for


def in_force(kind: str) -> tuple[dict[str, Any], str]:
    """Return the document of *kind* that is in force, and its digest."""
    data = ask("law")["documents"][kind].encode("ascii")
    return document.read(data), document.sha256(data)


def propose(kind: str, change: Mapping[str, Any] | None = None, base: str | None = None) -> None:
    """Ask the broker for *change*; exits unless it is in force by the end.

    Without a *change*, that of the files on disk.  On a terminal this waits for an answer.
    """
    given = None if change is None else dict(change)
    found = ask("propose", kind=kind, change=given, base=base)
    if found["applied"]:
        note = "trusted on first use: no second person has confirmed it"
        typer.echo(f"gatesh: {note}", err=True)
        if found["settled"]:
            typer.echo(
                "gatesh: from now on changes of people, rules and settings wait for the signature"
                " of a second person",
                err=True,
            )
        return
    id = found["id"]
    typer.echo(
        f"gatesh: PENDING request {show_id(id)}: {visible(found['inner'] or '')}\n"
        f"gatesh: nothing has changed yet; a second person decides: gatesh show {show_id(id)};"
        f" gatesh approve {show_id(id)}",
        err=True,
    )
    state = found["state"]
    if sys.stderr.isatty() and sys.stdin.isatty():
        state = _await(id)
    if state in ("started", "finished"):
        typer.echo(f"gatesh: APPROVED request {show_id(id)}: it is in force", err=True)
        return
    if state not in ("pending", "asked", "approved"):
        typer.echo(f"gatesh: {state.upper()} request {show_id(id)}: nothing has changed", err=True)
    raise typer.Exit(REJECTED if state == "rejected" else PENDING)


def _await(id: str) -> str:
    typer.echo("gatesh: waiting; Ctrl-C leaves the request open", err=True)
    try:
        while (state := str(ask("wait", id=id)["state"])) in ("pending", "approved"):
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return "pending"
    if state == "asked":
        typer.echo(f"gatesh: QUESTION: read it with gatesh show {show_id(id)}", err=True)
    return state
