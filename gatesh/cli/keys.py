"""`gatesh keys new|list|doctor|seal-key`: the key a person signs with; an auditor's."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from gatesh import config
from gatesh.cli import show
from gatesh.errors import KeyTrouble
from gatesh.keys import generate, privatefile, signers
from gatesh.keys.age import Identity
from gatesh.visible import visible

app = typer.Typer(no_args_is_help=True, help="The key you approve with.")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What to call it.")] = "gatesh",
    file: Annotated[
        bool, typer.Option("--file", help="An encrypted file, even if a keyring is there.")
    ] = False,
) -> None:
    """Make an Ed25519 key: in the OS keyring, or in an encrypted file.

    Prints the public key file to hand to whoever enrols people.  An existing
    OpenSSH key does as well: `gatesh approve --key ~/.ssh/id_ed25519`.
    """
    made = generate.new(
        name,
        directory=config.places().config / "keys",
        comment=f"{getpass.getuser()} {name}",
        passphrase=_new_passphrase if sys.stdin.isatty() else None,
        use_keyring=not file,
    )
    typer.echo(str(made.pub_file))
    typer.echo(f"{made.public.fingerprint} kept in {visible(made.kept)}", err=True)


@app.command("seal-key")
def seal_key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to put the private key.")],
) -> None:
    """Make the key that unredacted copies of transcripts are sealed for.

    For an auditor, on the auditor's own machine: FILE stays there. What is printed
    goes into the broker's settings, as `transcript: {seal_to: age1…}`. The key is
    one of age (https://age-encryption.org): `age-keygen` makes the same.
    """
    identity = Identity.new()
    text = f"# public key: {identity.recipient}\n{identity}\n"
    try:
        made = privatefile.create(path, text.encode())
    except OSError as problem:
        raise KeyTrouble(f"{visible(str(path))} cannot be made: {problem.strerror}") from None
    if not made:
        raise KeyTrouble(f"{visible(str(path))} is there already", hint="name another file")
    typer.echo(str(identity.recipient))


@app.command("list")
def list_() -> None:
    """List the keys that could sign, in the order they are tried."""
    for place in signers.survey(key_dir=config.places().config / "keys"):
        if place.open is not None and place.public is not None:
            typer.echo(f"{place.public.fingerprint}  {visible(place.where)}")


@app.command()
def doctor() -> None:
    """Say where a key was looked for, which one would sign, and why."""
    chosen = False
    for place in signers.survey(key_dir=config.places().config / "keys"):
        mark, why = "-", place.trouble or "no key there"
        if place.open is not None and place.public is not None:
            mark, why = ("*", "signs") if not chosen else (" ", "not the first")
            why += f" with {place.public.fingerprint}"
            chosen = True
        typer.echo(f"{show.colour(mark, '32')} {visible(place.where)}: {visible(why)}")
    if not chosen:
        raise KeyTrouble("no key to sign with", hint="make one with `gatesh keys new`")


def _new_passphrase() -> str:
    return str(
        typer.prompt(
            "Passphrase for the new key", hide_input=True, confirmation_prompt=True, err=True
        )
    )
