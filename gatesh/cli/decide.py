"""`gatesh approve`, `reject`, `ask`, `revoke` and `cancel`: answering requests.

Shown, then checked, then signed: what is signed is the digest of the bytes that
were shown, and the head of a log whose history this person's own client has
followed so far.
"""

from __future__ import annotations

import base64
import datetime
import os
import pydoc
import sys
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.approval.check import not_self
from gatesh.approval.decision import NAMESPACE, Decision, LogHead
from gatesh.approval.roster import Roster
from gatesh.cli import show
from gatesh.cli.pending import RequestId, fetch
from gatesh.cli.talk import ask as ask_broker
from gatesh.document import sha256
from gatesh.errors import Refused, UsageError
from gatesh.keys.signers import Signer, find
from gatesh.ledger.heads import Heads
from gatesh.model import show_id
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


def approve(id: RequestId, message: Message = None, key: Key = None, yes: Yes = False) -> None:
    """Sign a waiting command, so that it runs.

    It starts in the shell that asked, not in this one.  Shows all of it first.

    Example: gatesh approve k7q2-m9xd -m 'change 4711'
    """
    _answer("approve", id, message, key, yes)


def reject(id: RequestId, message: Message = None, key: Key = None, yes: Yes = False) -> None:
    """Refuse a waiting command for good.

    Example: gatesh reject k7q2-m9xd -m 'not during the freeze'
    """
    _answer("reject", id, message, key, yes)


def ask(id: RequestId, message: Message = None, key: Key = None, yes: Yes = False) -> None:
    """Ask the requester something before deciding.

    Example: gatesh ask k7q2-m9xd -m 'which workspace?'
    """
    if not message:
        raise UsageError("a question needs words", hint=f"gatesh ask {id} -m 'which workspace?'")
    _answer("ask", id, message, key, yes)


def revoke(id: RequestId, message: Message = None, key: Key = None, yes: Yes = False) -> None:
    """Take an approval back, as long as the command has not started."""
    _answer("revoke", id, message, key, yes)


def answer(id: RequestId, message: Message = None) -> None:
    """Answer what an approver has asked about a request of this account.

    The answer becomes part of the request: whoever had approved it decides again.

    Example: gatesh answer k7q2-m9xd -m 'staging, ticket OPS-12'
    """
    if not message:
        raise UsageError("an answer needs words", hint=f"gatesh answer {id} -m 'staging'")
    found = ask_broker("answer", id=id, text=message)
    typer.echo(
        f"answered {show_id(found['id'])}: it waits again, as revision {found['revision']}",
        err=True,
    )


def cancel(id: RequestId) -> None:
    """Withdraw a request of this account."""
    found = ask_broker("cancel", id=id)
    typer.echo(f"cancelled {show_id(found['id'])}", err=True)


def _answer(word: str, id: str, message: str | None, key: str | None, yes: bool) -> None:
    document, found, script, extra = fetch(id)
    roster = Roster.from_document(ask_broker("roster")["roster"])
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
    not_self(person, signer.public, found["requester"], roster)
    if not yes:
        _confirm(word, found, script, extra, person, signer)
    data = Decision(
        decision=word,
        by=person,
        request=found["id"],
        request_sha256=sha256(document),
        at=datetime.datetime.now(datetime.timezone.utc),
        log=_witness(),
        reason=None if word == "ask" else message,
        question=message if word == "ask" else None,
    ).write()
    signature = signer.sshsig(data, NAMESPACE)
    after = ask_broker("decide", decision=data.decode(), signature=signature.decode())
    words = {"approve": "approved", "reject": "rejected", "ask": "asked about", "revoke": "revoked"}
    more = "".join(
        f"; {count} more of {visible(team)} needed"
        for team, count in after["missing"].items()
        if count and word == "approve"
    )
    text = found["inner"] or found["script"] or f"a script of {found['script_bytes']} bytes"
    typer.echo(f"{words[word]} {show_id(found['id'])} as {visible(person)}: {visible(text)}{more}")


def _confirm(
    word: str,
    found: dict[str, Any],
    script: bytes,
    extra: dict[str, Any],
    person: str,
    signer: Signer,
) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"cannot ask back without a terminal whether to {word}",
            hint="look at it with `gatesh show ID`, then add --yes",
        )
    text = show.request(found, script, extra)
    if text.count("\n") > 40:
        pydoc.pager(text)
    else:
        typer.echo(text)
    if os.environ.get("SSH_AUTH_SOCK") and os.environ.get("SSH_CONNECTION"):
        typer.echo("gatesh: note: this key agent is forwarded: its host can sign as you", err=True)
    typer.echo(f"\nYou are {visible(person)}, signing with {visible(signer.describe())}.", err=True)
    given = typer.prompt(f"Type {word} to {word}", default="no", show_default=False, err=True)
    if given.strip().lower() != word:
        raise Refused("nothing was signed", why="not-confirmed")


def _witness() -> LogHead:
    """Return the log's newest head, after checking that it continues the last one seen."""
    heads = Heads(config.places().heads)
    origin = ask_broker("status")["origin"]
    last = heads.last(origin)
    answer = ask_broker("head", since=last.size if last else 0)
    proof = [base64.b64decode(step) for step in answer["proof"]]
    seen = heads.check_and_remember(answer["checkpoint"].encode(), answer["vkey"], proof)
    if seen.first:
        typer.echo(
            f"gatesh: note: first look at the log {visible(origin)};"
            " its key is trusted from now on",
            err=True,
        )
    return LogHead(origin, seen.head.size, seen.head.root)


def _passphrase(what: str) -> str:
    return str(typer.prompt(f"Passphrase for {visible(what)}", hide_input=True, err=True))
