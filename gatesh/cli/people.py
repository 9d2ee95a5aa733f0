"""`gatesh people list|add|remove`: who may answer, with which keys."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Annotated

import typer

from gatesh import config, document
from gatesh.approval import rosterfile
from gatesh.approval.roster import Roster
from gatesh.cli import proposing, shouting
from gatesh.cli.talk import ask
from gatesh.document import stamp
from gatesh.errors import KeyTrouble
from gatesh.keys.publickey import PublicKey
from gatesh.visible import visible

app = typer.Typer(no_args_is_help=True, help="The people who can approve.")

Person = Annotated[str, typer.Argument(metavar="PERSON", help="As in bob@example.com.")]


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List people, their accounts, teams and keys."""
    law = ask("law")
    roster = Roster.from_document(document.read(law["documents"]["roster"].encode("ascii")))
    if not law["settled"]:
        roster = rosterfile.load(config.places().config)  # with all that is wrong with the files
    shouting.shout(edit for edit in law["edits"] if edit["kind"] == "roster")
    if as_json:
        typer.echo(json.dumps(roster.document(), indent=2))
        return
    for person in roster.people.values():
        typer.echo(visible(person.name))
        if person.accounts:
            typer.echo(f"  accounts  {' '.join(map(visible, person.accounts))}")
        if person.teams:
            typer.echo(f"  teams     {' '.join(map(visible, person.teams))}")
        for line in roster.keys_of(person.name):
            typer.echo(
                f"  key       {line.key.fingerprint}  {stamp(line.valid_after, micros=False)}"
                f" to {stamp(line.valid_before, micros=False)}"
            )
    if not roster.people:
        typer.echo("nobody yet: gatesh people add NAME --key FILE.pub", err=True)


@app.command()
def add(
    person: Person,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE.pub", help="Their Ed25519 public key.")
    ] = None,
    user: Annotated[
        list[str] | None, typer.Option("--user", metavar="ACCOUNT", help="A login name of theirs.")
    ] = None,
    team: Annotated[
        list[str] | None, typer.Option("--team", metavar="TEAM", help="A team they are in.")
    ] = None,
    years: Annotated[int, typer.Option(min=1, max=10, help="How long the key is valid.")] = 2,
) -> None:
    """Enrol a person, or add a key, an account or a team to one.

    A person can never approve what their own accounts asked for: name all of
    them with --user.  The first two people are trusted on first use; from then on
    it waits until somebody enrolled has approved it (exit status 75 meanwhile).

    Example: gatesh people add bob@example.com --key bob.pub --team sre
    """
    found, base = proposing.in_force("roster")
    # A minute back: the signer's clock may be behind ours.
    start = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    start -= datetime.timedelta(minutes=1)
    roster = Roster.from_document(found).add(
        person,
        accounts=user or [],
        teams=team or [],
        key=_read(key) if key else None,
        valid_after=start if key else None,
        valid_before=start + datetime.timedelta(days=366 * years) if key else None,
    )
    proposing.propose("roster", roster.document(), base)
    keys = len(roster.keys_of(person))
    typer.echo(f"{visible(person)}: {keys} key{'' if keys == 1 else 's'}", err=True)


@app.command()
def remove(person: Person) -> None:
    """Remove a person and all their keys; what they signed before stays valid.

    Like every change of the roster this waits for a second person.
    """
    found, base = proposing.in_force("roster")
    proposing.propose("roster", Roster.from_document(found).remove(person).document(), base)
    typer.echo(f"removed {visible(person)}", err=True)


def _read(path: Path) -> PublicKey:
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise KeyTrouble(
            f"{path} cannot be read as a public key: {problem}",
            hint="give the .pub file that ssh-keygen -t ed25519 wrote",
        ) from None
    return PublicKey.from_line(text)
