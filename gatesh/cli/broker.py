"""`gatesh broker run|status|stop`."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.cli import shouting, show
from gatesh.cli.talk import ask
from gatesh.errors import GateshError, NotFound
from gatesh.model import show_id
from gatesh.visible import visible

app = typer.Typer(no_args_is_help=True, help="The process that owns policy, log and requests.")


@app.command()
def run(
    notify: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the broker here, in the foreground.

    Commands start one by themselves when there is none; run it by hand to see
    why it does not start, or from a service manager.
    """
    from gatesh.broker import lifecycle

    raise typer.Exit(lifecycle.run(config.places(), notify))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what the running broker is and does."""
    found = ask("status", start=False)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"version   {found['version']}, pid {found['pid']}")
    typer.echo(f"log       {found['origin']}, {found['size']} entries")
    typer.echo(f"webhooks  signed by {found['webhook_key']}")
    for at, witness in enumerate(found["witnesses"]):
        typer.echo(f"{'' if at else 'witnesses':<10}{_witness(witness, found['size'])}")
    typer.echo(f"rules     {found['rules']}" + (" BROKEN" if found["rules_broken"] else ""))
    if found["rules_broken"]:
        typer.echo(f"          {found['rules_broken']}")
    shouting.shout(found["edits"], found["unreviewed"])
    typer.echo(f"people    {', '.join(found['people']) or 'none'}")
    typer.echo(f"running   {' '.join(map(show_id, found['running'])) or 'nothing'}")
    typer.echo(f"waiting   {' '.join(map(show_id, found['waiting'])) or 'nobody'}")


def _witness(seat: dict[str, Any], size: int) -> str:
    """Say what one witness has seen of a log of *size*, and what is wrong with it."""
    said = f"{visible(seat['name'])} has seen "
    if seat["at"]:
        said += f"{seat['size']:,} of {size:,}, {seat['at'][:19].replace('T', ' ')}"
    else:
        said += "nothing yet"
    if seat["trouble"]:
        said += f"\n          {show.colour('FAILS', '31')}: {visible(seat['trouble'])}"
        said += f" ({seat['tries']} {'try' if seat['tries'] == 1 else 'tries'})"
    return said


@app.command()
def stop(
    force: Annotated[bool, typer.Option("--force", help="Kill running commands.")] = False,
) -> None:
    """Stop the running broker; the next command starts a new one.

    Requests and approvals live in the log and outlive it.
    """
    pid = ask("stop", start=False, force=force)["pid"]
    for _ in range(200):
        try:
            ask("status", start=False)
        except NotFound:
            typer.echo(f"stopped (pid {pid})", err=True)
            return
        except GateshError:
            pass  # it took the question and stopped before the answer
        time.sleep(0.05)
    typer.echo(f"pid {pid} is still stopping", err=True)
    raise typer.Exit(1)
