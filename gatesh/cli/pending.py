"""`gatesh pending`, `show` and `wait`: looking at requests."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import Annotated, Any

import typer

from gatesh import words
from gatesh.approval import request as requests
from gatesh.approval.proposal import MODE
from gatesh.cli import shouting
from gatesh.cli import show as rendering
from gatesh.cli.courier import Host, courier
from gatesh.cli.talk import ask
from gatesh.document import sha256
from gatesh.errors import Tampered, UsageError
from gatesh.model import show_id
from gatesh.visible import visible

RequestId = Annotated[
    str, typer.Argument(metavar="ID", help="The request, as the waiting shell printed it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def pending(as_json: Json = False, host: Host = None) -> None:
    """List the requests that wait for an answer.

    Example: gatesh pending
    """
    answer = courier(host).pending()
    found = answer["pending"]
    shouting.shout(answer["edits"], answer["unreviewed"])
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    try:
        for item in found:
            typer.echo(summary(item))
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise UsageError(f"that is no list of requests: {problem!r}") from None
    if not found:
        typer.echo("nothing waits", err=True)


def summary(item: dict[str, Any]) -> str:
    """Return the lines that stand for one waiting request in a list."""
    first = item["findings"][0] if item["findings"] else {"rule": "-", "reason": ""}
    waits = ", waits" if item["waiting"] else ", nobody waits"
    if item.get("mode") == MODE:
        waits = ""  # the broker itself carries it out, in nobody's shell
    text = item["inner"] if item["inner"] is not None else item["script"]
    if text is None:
        text = f"(a long script: see gatesh show {show_id(item['id'])})"
    return (
        f"{rendering.colour(show_id(item['id']), '1')}  {visible(item['state']):<8}"
        f"  {visible(item['requester']['user'])}@{visible(item['host'])}"
        f"  {visible(first['rule'])}: {visible(first['reason'])}"
        f"  (asked {rendering.when(item['opened']).rpartition('(')[2][:-1]}{waits})\n"
        + rendering.quoted(text, 4)
    )


def fetch(id: str) -> tuple[bytes, dict[str, Any], bytes, dict[str, Any]]:
    """Return a request: (document bytes, parsed, script bytes, what became of it).

    What is shown is what was checked: the script is the one the document names.
    """
    answer = ask("request", id=id)
    document = answer.pop("request").encode("ascii")
    script = base64.b64decode(answer.pop("script"))
    found = requests.read(document)
    if sha256(script) != found["script_sha256"]:
        raise Tampered("the broker sent another script than the request names")
    return document, found, script, answer


def show(
    id: RequestId,
    as_json: Json = False,
    exact: Annotated[
        bool,
        typer.Option("--request", help="Print the request document itself, byte for byte."),
    ] = False,
    parcel: Annotated[
        bool,
        typer.Option("--parcel", help="Print all that `gatesh sign` needs on another machine."),
    ] = False,
    host: Host = None,
) -> None:
    """Show everything about one request: what would run, where, for whom, why.

    Example: gatesh show k7q2-m9xd
    """
    way = courier(host)
    if parcel:
        typer.echo(replace(way.parcel(id), head=way.head(0)).write().decode())
        return
    if host:
        there = way.parcel(id)
        if exact:
            typer.echo(there.request, nl=False)
        elif as_json:
            whole = {"request": there.found, "request_sha256": sha256(there.request)}
            typer.echo(json.dumps({**there.status, **whole}))
        else:
            typer.echo(rendering.request(there.found, there.script, there.status, there.files))
        return
    document, found, script, extra = fetch(id)
    if exact:
        typer.echo(document, nl=False)  # not even a newline: its SHA-256 is its identity
        return
    if as_json:
        typer.echo(json.dumps({**extra, "request": found, "request_sha256": sha256(document)}))
        return
    files = {digest: base64.b64decode(data) for digest, data in extra["files"].items()}
    if any(sha256(data) != digest for digest, data in files.items()):
        raise Tampered("the broker sent another file than the request names")
    typer.echo(rendering.request(found, script, extra, files))


def wait(
    id: RequestId,
    seconds: Annotated[
        float, typer.Option("--timeout", help="Give up after so many seconds.")
    ] = 20,
) -> None:
    """Wait until a request is decided; then say what to do.

    Exit status 0 when it is approved or has started already, 75 when it still waits or has
    ended otherwise, 126 when it was refused.  It never runs anything: the same command, run
    again, does.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = ask("wait", id=id)
        state, shown = found["state"], show_id(found["id"])
        if state == "pending" and time.monotonic() < deadline:
            time.sleep(0.2)
            continue
        break
    if found["mode"] == MODE:
        done = state in ("approved", "started", "finished")
        said = "it is done" if done else "nothing has changed"
        typer.echo(f"gatesh: {state.upper()} request {shown}: {said}", err=not done)
        raise typer.Exit(0 if done else 126 if state == "rejected" else 75)
    if state == "approved":
        typer.echo(f"gatesh: APPROVED request {shown}. Run the same command again; it starts now.")
        return
    if state in ("started", "finished", "lost"):
        typer.echo(words.ran(found["id"]))
        return
    if state == "pending":
        typer.echo(words.pending(found["id"]), nl=False, err=True)
    elif state == "asked":
        typer.echo(words.open_question(found["id"]), nl=False, err=True)
    elif state == "rejected":
        typer.echo(words.refused(found["id"]), nl=False, err=True)
        raise typer.Exit(126)
    else:
        typer.echo(words.ended(found["id"], state, None), nl=False, err=True)
    raise typer.Exit(75)
