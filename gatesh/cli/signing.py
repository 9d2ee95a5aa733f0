"""Signing an answer: shown, checked, asked back, then signed.

What is signed is the digest of the bytes that were shown, and the head of a log
whose history this person's own client has followed so far.
"""

from __future__ import annotations

import datetime
import os
import pydoc
import sys
from typing import Annotated

import typer

from gatesh import config
from gatesh.approval.check import not_self
from gatesh.approval.courier import Parcel, SignedDecision
from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.approval.roster import Roster
from gatesh.cli import show
from gatesh.cli.talk import ask
from gatesh.document import sha256
from gatesh.errors import GateshError, Refused, UsageError
from gatesh.keys.signers import Signer, find
from gatesh.visible import visible

Message = Annotated[
    str | None, typer.Option("-m", "--message", metavar="TEXT", help="Why; kept in the log.")
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="An OpenSSH private key, or a .pub whose private half is in the agent.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask back; needed without a terminal.")]


def refuse_inside() -> None:
    """Raise `Refused` inside a gated command: its agent could be answering itself.

    The broker that ran us tells; a decision for another machine's broker is refused as well.
    """
    try:
        inside = ask("status", start=False).get("inside")
    except GateshError:
        return  # no broker here, so nothing gated
    if inside:
        raise Refused(
            "a decision cannot be given from inside a gated command",
            why="inside-gate",
            hint="use a terminal of your own",
        )


def sign(
    word: str,
    parcel: Parcel,
    log: LogHead,
    roster: Roster,
    *,
    message: str | None,
    key: str | None,
    yes: bool,
) -> tuple[SignedDecision, str]:
    """Return the signed answer and who gave it; raise `Refused` when it would not count."""
    if word == "ask" and not message:
        raise UsageError("a question needs words", hint="add -m 'which workspace?'")
    signer, person = whose(key, roster)
    found = parcel.found
    not_self(person, signer.public, found["requester"], roster)
    if not yes:
        confirm(word, parcel, person, signer)
    data = Decision(
        decision=word,
        by=person,
        request=found["id"],
        request_sha256=sha256(parcel.request),
        at=datetime.datetime.now(datetime.timezone.utc),
        log=log,
        reason=None if word == "ask" else message,
        question=message if word == "ask" else None,
    ).write()
    return SignedDecision(data, signer.sshsig(data, NAMESPACE)), person


def with_key(key: str) -> Signer:
    """Return what signs with *key*, whoever it belongs to."""
    _warn_of_forwarded_agent()
    return find(key, ask_passphrase=_passphrase if sys.stdin.isatty() else None)


def whose(key: str | None, roster: Roster) -> tuple[Signer, str]:
    """Return what signs here, and the person that the roster says it is; raise `Refused`."""
    _warn_of_forwarded_agent()
    signer = find(
        key,
        ask_passphrase=_passphrase if sys.stdin.isatty() else None,
        enrolled=lambda public: roster.owner_of(public) is not None,
        key_dir=config.places().config / "keys",
    )
    person = roster.owner_of(signer.public)
    if person is None:
        raise Refused(
            f"the key {signer.public.fingerprint} is nobody's in the roster",
            why="key-unknown",
            hint="enrol it with `gatesh people add NAME --key FILE.pub`",
        )
    return signer, person


def confirm(word: str, parcel: Parcel, person: str, signer: Signer) -> None:
    """Show everything and have *word* typed; raise `Refused` for anything else."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"cannot ask back without a terminal whether to {word}",
            hint="look at it with `gatesh show ID`, then add --yes",
        )
    text = show.request(parcel.found, parcel.script, parcel.status, parcel.files)
    if text.count("\n") > 40 and sys.stdout.isatty():
        pydoc.pager(text)
    else:
        typer.echo(text, err=not sys.stdout.isatty())  # standard output is the answer's then
    typer.echo(f"\nYou are {visible(person)}, signing with {visible(signer.describe())}.", err=True)
    given = typer.prompt(f"Type {word} to {word}", default="no", show_default=False, err=True)
    if given.strip().lower() != word:
        raise Refused("nothing was signed", why="not-confirmed")


def _warn_of_forwarded_agent() -> None:
    if os.environ.get("SSH_AUTH_SOCK") and os.environ.get("SSH_CONNECTION"):
        typer.echo(
            "gatesh: note: this key agent is forwarded: whoever is root on this host can sign as"
            " you; better sign on your own machine: gatesh approve --host USER@HOST ID",
            err=True,
        )


def _passphrase(what: str) -> str:
    return str(typer.prompt(f"Passphrase for {visible(what)}", hide_input=True, err=True))
