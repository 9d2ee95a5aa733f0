"""`gatesh override` and `gatesh review`: one person starts a held command; another looks at it."""

from __future__ import annotations

import datetime

import typer

from gatesh.approval.courier import SignedDecision
from gatesh.approval.emergency import Override, Review
from gatesh.approval.signers_text import OVERRIDES, REVIEWS
from gatesh.cli import courier, signing
from gatesh.cli.courier import Here, Host
from gatesh.cli.pending import RequestId
from gatesh.cli.signing import Key, Message, Yes
from gatesh.cli.talk import ask
from gatesh.document import sha256
from gatesh.errors import NotFound, Refused, UsageError
from gatesh.model import read_id, show_id
from gatesh.visible import visible


def override(
    id: RequestId, message: Message = None, key: Key = None, yes: Yes = False, host: Host = None
) -> None:
    """Start a waiting command without approval, in an emergency.

    Only where its rule says `break_glass`, and only so often a day. Everybody is
    told, and `gatesh audit` fails until somebody else has signed a review.

    Example: gatesh override k7q2-m9xd -m 'site is down, nobody answers, INC-7'
    """
    signing.refuse_inside()
    if not message:
        raise UsageError("an override needs a reason", hint=f"gatesh override {id} -m 'INC-7'")
    way = courier.courier(host)
    parcel = way.parcel(id)
    found = parcel.found
    if not found["need"].get("break_glass"):
        raise Refused(
            "no rule that holds this command lets anybody override it",
            why="override-not-allowed",
            hint=f"somebody else has to decide: gatesh approve {show_id(found['id'])}",
        )
    log, roster = courier.witness(way, found["origin"])
    signer, person = signing.whose(key, roster)
    if not yes:
        signing.confirm("override", parcel, person, signer)
    data = Override(
        by=person,
        request=found["id"],
        request_sha256=sha256(parcel.request),
        at=datetime.datetime.now(datetime.timezone.utc),
        log=log,
        reason=message,
    ).write()
    after = way.deliver(SignedDecision(data, signer.sshsig(data, OVERRIDES)))
    shown = show_id(after["id"])
    typer.echo(f"overrode {shown} as {visible(person)}: it starts where it waits")
    typer.echo(
        f"gatesh: audits fail until somebody else has reviewed it: gatesh review {shown} -m TEXT",
        err=True,
    )


def review(id: RequestId, message: Message = None, key: Key = None, yes: Yes = False) -> None:
    """Sign that you have looked at what somebody started without approval.

    It takes another person than who overrode it and who asked for it. Say what you found.

    Example: gatesh review k7q2-m9xd -m 'justified, INC-7'
    """
    signing.refuse_inside()
    if not message:
        raise UsageError("a review needs words", hint=f"gatesh review {id} -m 'justified, INC-7'")
    wanted = read_id(id)
    waiting = [item for item in ask("pending")["unreviewed"] if item["id"] == wanted]
    if not waiting:
        raise NotFound(
            f"no override of {visible(id)} waits for a review", hint="see `gatesh pending`"
        )
    way = Here()
    parcel = way.parcel(id)
    log, roster = courier.witness(way, parcel.found["origin"])
    signer, person = signing.whose(key, roster)
    if not yes:
        signing.confirm("review", parcel, person, signer)
    data = Review(
        by=person,
        request=parcel.found["id"],
        override=waiting[0]["override_sha256"],
        at=datetime.datetime.now(datetime.timezone.utc),
        log=log,
        reason=message,
    ).write()
    after = way.deliver(SignedDecision(data, signer.sshsig(data, REVIEWS)))
    typer.echo(f"reviewed {show_id(after['id'])} as {visible(person)}")
