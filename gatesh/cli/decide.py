"""`gatesh approve`, `reject`, `ask`, `revoke`, `sign` and `submit`: answering requests.

And for the account that asked: `answer` and `cancel`.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from gatesh.cli import courier, signing
from gatesh.cli.courier import Here, Host
from gatesh.cli.pending import RequestId
from gatesh.cli.signing import Key, Message, Yes
from gatesh.cli.talk import ask as ask_broker
from gatesh.errors import UsageError
from gatesh.model import show_id
from gatesh.visible import visible

SAID = {"approve": "approved", "reject": "rejected", "ask": "asked about", "revoke": "revoked",
        "override": "overrode", "review": "reviewed"}  # fmt: skip


class Word(str, Enum):
    """What a decision can say."""

    approve = "approve"
    reject = "reject"
    ask = "ask"
    revoke = "revoke"


def approve(
    id: RequestId, message: Message = None, key: Key = None, yes: Yes = False, host: Host = None
) -> None:
    """Sign a waiting command, so that it runs.

    It starts in the shell that asked, not in this one.  Shows all of it first.

    Example: gatesh approve k7q2-m9xd -m 'change 4711'
    """
    _answer("approve", id, message, key, yes, host)


def reject(
    id: RequestId, message: Message = None, key: Key = None, yes: Yes = False, host: Host = None
) -> None:
    """Refuse a waiting command for good.

    Example: gatesh reject k7q2-m9xd -m 'not during the freeze'
    """
    _answer("reject", id, message, key, yes, host)


def ask(
    id: RequestId, message: Message = None, key: Key = None, yes: Yes = False, host: Host = None
) -> None:
    """Ask the requester something before deciding.

    Example: gatesh ask k7q2-m9xd -m 'which workspace?'
    """
    _answer("ask", id, message, key, yes, host)


def revoke(
    id: RequestId, message: Message = None, key: Key = None, yes: Yes = False, host: Host = None
) -> None:
    """Take an approval back, as long as the command has not started."""
    _answer("revoke", id, message, key, yes, host)


def _answer(
    word: str, id: str, message: str | None, key: str | None, yes: bool, host: str | None
) -> None:
    signing.refuse_inside()
    way = courier.courier(host)
    parcel = way.parcel(id)
    found = parcel.found
    log, roster = courier.witness(way, found["origin"])
    answer, _ = signing.sign(word, parcel, log, roster, message=message, key=key, yes=yes)
    after = way.deliver(answer)
    text = found["inner"] or found["script"] or f"a script of {found['script_bytes']} bytes"
    typer.echo(f"{_said(after)}: {visible(text)}{_more(after)}")


def sign(
    request: Annotated[
        Path,
        typer.Argument(metavar="REQUEST.json", help="From `gatesh show ID --parcel`; - is stdin."),
    ],
    decision: Annotated[Word, typer.Option(help="What to sign.")] = Word.approve,
    message: Message = None,
    key: Key = None,
    yes: Yes = False,
    head: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The log's head, from `gatesh head`.")
    ] = None,
) -> None:
    """Sign an answer on your own machine; any courier takes it to `gatesh submit`.

    Prints the signed answer, which stock ssh-keygen can verify.

    Example: gatesh sign request.json > answer.json
    """
    signing.refuse_inside()
    parcel = courier.read_parcel(request, head)
    log, roster = courier.witness_on_paper(parcel.head, parcel.found["origin"])
    answer, person = signing.sign(
        decision.value, parcel, log, roster, message=message, key=key, yes=yes
    )
    typer.echo(answer.write().decode())
    shown = show_id(parcel.found["id"])
    typer.echo(
        f"signed {decision.value} of {shown} as {visible(person)}: take it to `gatesh submit FILE`",
        err=True,
    )


def submit(
    answer: Annotated[
        Path, typer.Argument(metavar="ANSWER.json", help="From `gatesh sign`; - is stdin.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hand in an answer that was signed elsewhere.

    Its signature speaks, not who brings it.

    Example: gatesh submit answer.json
    """
    after = Here().deliver(courier.read_answer(answer))
    if as_json:
        kept = ("by", "decision", "id", "missing", "state")
        typer.echo(json.dumps({k: after[k] for k in kept}, sort_keys=True, separators=(",", ":")))
    else:
        typer.echo(_said(after) + _more(after))


def _said(after: dict[str, Any]) -> str:
    return f"{SAID[after['decision']]} {show_id(after['id'])} as {visible(after['by'])}"


def _more(after: dict[str, Any]) -> str:
    if after["decision"] != "approve":
        return ""
    if after["state"] == "lapsed":
        return "; it was for a law that has changed since, and nothing was done"
    missing = after["missing"].items()
    return "".join(f"; {count} more of {visible(team)} needed" for team, count in missing if count)


def answer(id: RequestId, message: Message = None) -> None:
    """Answer what an approver has asked about a request of this account.

    The answer becomes part of the request: whoever had approved it decides again.

    Example: gatesh answer k7q2-m9xd -m 'staging, ticket OPS-12'
    """
    if not message:
        raise UsageError("an answer needs words", hint=f"gatesh answer {id} -m 'staging'")
    found = ask_broker("answer", id=id, text=message)
    typer.echo(
        f"answered {show_id(found['id'])}; it waits again as revision {found['revision']}",
        err=True,
    )


def cancel(id: RequestId) -> None:
    """Withdraw a request of this account."""
    found = ask_broker("cancel", id=id)
    typer.echo(f"cancelled {show_id(found['id'])}", err=True)
