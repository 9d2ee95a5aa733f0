"""`gatesh init`: first set-up, and what to do next."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from typing import Annotated

import typer

from gatesh import config
from gatesh.approval.roster import Roster
from gatesh.broker.surroundings import host_name
from gatesh.cli import proposing
from gatesh.cli.talk import ask
from gatesh.visible import visible

SETTINGS = """\
# gatesh settings; every one has a default.  `gatesh doctor` reads them back.
# default: allow          # what happens to a command that matches no rule: allow | approve
# hold: 20s               # how long a paused call waits; by default as long as its agent can
# bind_env: [MY_PROFILE]  # more variables that change what a command means
# transcript: {head_bytes: 33554432, tail_bytes: 1048576}
"""


def init(
    me: Annotated[
        str | None,
        typer.Option(
            metavar="PERSON", help="Who answers for this account, as in alice@example.com."
        ),
    ] = None,
) -> None:
    """Set up this account: settings, roster, log.

    Harmless when it is set up already.

    Example: gatesh init --me alice@example.com
    """
    places = config.places()
    for directory in (places.config, places.rules, places.state):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not places.settings.exists():
        places.settings.write_text(SETTINGS)
        places.settings.chmod(0o600)
    account = pwd.getpwuid(os.geteuid()).pw_name
    found, base = proposing.in_force("roster")
    roster = Roster.from_document(found)
    person = roster.person_of_account(account)
    if person is None:
        person = me or _ask(account)
        proposing.propose("roster", roster.add(person, accounts=[account]).document(), base)
    elif me is not None and me != person:
        typer.echo(f"gatesh: {visible(person)} answers for {account} already; kept", err=True)
    status = ask("status")
    typer.echo(f"settings  {places.settings}")
    typer.echo(f"rules     {places.rules}  (beside {status['rules']} rules that came with gatesh)")
    typer.echo(f"log       {places.ledger}  ({status['origin']})")
    typer.echo(f"you       {visible(person)} answers for the account {account}")
    typer.echo(
        "\nNext:\n"
        "  gatesh people add NAME --key FILE.pub    enrol who may approve (an Ed25519 key)\n"
        "  gatesh -c 'echo hello'                   try it\n"
        "  gatesh shims ~/.gatesh-bash/bin          names that agents take for a shell\n"
        "  gatesh setup claude                      the setting of your agent; doctor tries it",
        err=True,
    )


def _ask(account: str) -> str:
    suggestion = _git_mail() or f"{account}@{host_name()}"
    if sys.stdin.isatty():
        return str(typer.prompt("Who answers for this account", default=suggestion, err=True))
    return suggestion


def _git_mail() -> str | None:
    try:
        done = subprocess.run(
            ["git", "config", "--global", "user.email"],
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
