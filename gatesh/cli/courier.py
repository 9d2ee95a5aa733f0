"""The ways a request comes to an approver and the answer goes back.

`Here` asks this machine's broker, `There` one behind ssh, and on paper (`gatesh sign`,
`gatesh submit`) anything carries files.  None of them has a say in what is signed.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from gatesh import config
from gatesh.approval import rosterfile
from gatesh.approval.courier import PARCEL, STATUS, Head, Parcel, SignedDecision
from gatesh.approval.decision import LogHead
from gatesh.approval.roster import Roster
from gatesh.cli.talk import ask
from gatesh.document import MalformedDocument, read, write
from gatesh.errors import GateshError, Refused, Tampered, UsageError
from gatesh.ledger.following import Link, follow
from gatesh.ledger.heads import Heads
from gatesh.ledger.note import Key
from gatesh.ledger.proof import BadProof
from gatesh.model import read_id
from gatesh.visible import visible

Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="USER@HOST",
        help="The request is there: look and sign here, ssh carries.",
    ),
]


class Courier(Protocol):
    """A way to a broker."""

    def parcel(self, id: str) -> Parcel:
        """Fetch a request; without the log's head, which `head` gives."""

    def pending(self) -> dict[str, Any]:
        """Fetch what waits, and what people have to be told with it."""

    def head(self, since: int) -> Head:
        """Fetch the log's head, with proof that it continues that of *since* entries."""

    def lineage(self, origin: str | None = None, since: int = 0) -> dict[str, Any]:
        """Fetch the names of the logs before this one, or how the log *origin* went on."""

    def deliver(self, answer: SignedDecision) -> dict[str, Any]:
        """Hand in an answer; return the request's state after it."""


class Here:
    """The broker of this account on this machine."""

    def parcel(self, id: str) -> Parcel:
        """Fetch a request."""
        answer = ask("request", id=id)
        data = {
            "files": answer.pop("files"),
            "head": None,
            "request": answer.pop("request"),
            "script": answer.pop("script"),
            "status": {name: answer[name] for name in STATUS},
            "type": PARCEL,
        }
        return _parcel(write(data), "the broker")

    def pending(self) -> dict[str, Any]:
        """Fetch what waits."""
        return ask("pending")

    def head(self, since: int) -> Head:
        """Fetch the log's head."""
        found = ask("head", since=since)
        proof = tuple(base64.b64decode(step) for step in found["proof"])
        roster = Roster.from_document(ask("roster")["roster"])
        return Head(found["checkpoint"], found["vkey"], since, proof, roster)

    def lineage(self, origin: str | None = None, since: int = 0) -> dict[str, Any]:
        """Fetch what is known of the logs before this one."""
        return ask("lineage", origin=origin, since=since)

    def deliver(self, answer: SignedDecision) -> dict[str, Any]:
        """Hand in an answer."""
        decision, signature = answer.decision.decode(), answer.signature.decode()
        return ask("decide", decision=decision, signature=signature)


class There:
    """A broker on another machine: its requests are shown and signed here, ssh only carries.

    The agent of this machine is not forwarded (`-a`): the key stays here.
    """

    def __init__(self, host: str) -> None:
        self.host = host

    def parcel(self, id: str) -> Parcel:
        """Fetch a request."""
        return _parcel(self._ssh("show", _id(id), "--parcel"), visible(self.host))

    def pending(self) -> dict[str, Any]:
        """Fetch what waits; what else there is to tell, gatesh there says on standard error."""
        try:
            found = json.loads(self._ssh("pending", "--json"))
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise UsageError(f"{visible(self.host)} sent no list of requests")
        return {"pending": found, "edits": [], "unreviewed": []}

    def head(self, since: int) -> Head:
        """Fetch the log's head."""
        try:
            return Head.of(read(self._ssh("head", "--since", str(since)).rstrip(b"\n")))
        except MalformedDocument as problem:
            raise UsageError(f"{visible(self.host)} sent no log's head: {problem}") from None

    def lineage(self, origin: str | None = None, since: int = 0) -> dict[str, Any]:
        """Fetch what is known of the logs before this one."""
        words = [] if origin is None else [_origin(origin), "--since", str(since)]
        try:
            return dict(json.loads(self._ssh("ledger", "lineage", *words)))
        except (ValueError, TypeError) as problem:
            raise UsageError(f"{visible(self.host)} sent no lineage: {problem}") from None

    def deliver(self, answer: SignedDecision) -> dict[str, Any]:
        """Hand in an answer."""
        return dict(read(self._ssh("submit", "-", "--json", given=answer.write()).rstrip(b"\n")))

    def _ssh(self, *words: str, given: bytes = b"") -> bytes:
        argv = ["ssh", "-T", "-a", "-x", "--", self.host, "gatesh", *words]
        try:
            done = subprocess.run(argv, input=given, capture_output=True, check=False)
        except FileNotFoundError:
            raise GateshError(
                "there is no ssh here", hint="carry it by hand: gatesh sign"
            ) from None
        said = visible(done.stderr.decode("utf-8", "replace").strip(), lines=True)
        if done.returncode:
            raise GateshError(
                f"gatesh {words[0]} on {visible(self.host)} ended with {done.returncode}\n{said}",
                hint=f"try `ssh {visible(self.host)} gatesh {words[0]} …`",
            )
        if said:
            typer.echo(said, err=True)
        return done.stdout


def courier(host: str | None) -> Courier:
    """Return the way to the broker on *host*, or to the one of this machine."""
    return There(host) if host else Here()


def _id(text: str) -> str:
    id = read_id(text)  # ssh hands words to a shell: nothing but an id may be among them
    if id is None:
        raise UsageError("that is not a request id: they look like k7q2-m9xd")
    return id


def _origin(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+/gatesh/[0-9a-f]{8}", text):
        raise UsageError(f"not the name of a log: {visible(text)}")
    return text


def _parcel(data: bytes, sender: str) -> Parcel:
    try:
        return Parcel.read(data.rstrip(b"\r\n"))
    except MalformedDocument as problem:
        raise UsageError(
            f"{sender}: not a request that can be decided here: {problem}",
            hint="make one with `gatesh show ID --parcel > request.json`",
        ) from None


# ---- which history the signer has seen, and whose keys it knows ------------------


def witness(courier: Courier, origin: str) -> tuple[LogHead, Roster]:
    """Return the log's newest head, after checking that it continues the last one seen."""
    heads = _heads()
    last = heads.last(origin)
    named = _follow(courier, heads, origin) if last is None else None
    given = courier.head(last.size if last else 0)
    if named is not None and given.vkey != named:
        raise Tampered(
            f"the log {visible(origin)} has another key than the log before it has named",
            hint="do not approve anything of it until its owner has explained this",
        )
    return _check(heads, given, origin, named is not None), given.roster


def _follow(courier: Courier, heads: Heads, origin: str) -> str | None:
    """Return the key that the log *origin* must have by the word of a log known here, or None.

    A log that was closed names the key of the next one: it is not a first look then.
    """
    before = [str(name) for name in courier.lineage().get("origins", [])]
    known = next((name for name in reversed(before) if heads.last(name) is not None), None)
    if known is None:
        return None
    last, vkey = heads.last(known), heads.key(known)
    assert last is not None and vkey is not None
    try:
        links = [
            Link(
                base64.b64decode(link["closing"], validate=True),
                int(link["since"]),
                tuple(base64.b64decode(step, validate=True) for step in link["consistency"]),
            )
            for link in courier.lineage(known, last.size)["links"]
        ]
        heads.check_and_remember(links[0].checkpoint, vkey, links[0].consistency)
    except (BadProof, KeyError, IndexError, TypeError, ValueError) as problem:
        raise Tampered(
            f"the log {visible(known)} does not go on as claimed: {problem}",
            hint="do not approve anything of it until its owner has explained this",
        ) from None
    key = follow(Key.parse(vkey), links)
    if key.name != origin:
        raise Tampered(
            f"the log {visible(known)} goes on as {visible(key.name)}, not as {visible(origin)}",
            hint="do not approve anything of it until its owner has explained this",
        )
    typer.echo(
        f"gatesh: note: the log {visible(known)} was closed and goes on as {visible(origin)},"
        " whose key it has named",
        err=True,
    )
    return str(key)


def witness_on_paper(given: Head | None, origin: str) -> tuple[LogHead, Roster]:
    """Return the newest head that can be checked here: the one *given*, or the one remembered."""
    heads = _heads()
    last = heads.last(origin)
    roster = given.roster if given else rosterfile.load(config.places().config)
    if last is None and given is None:
        raise UsageError(
            f"nothing is known here of the log {visible(origin)}",
            hint="give --head FILE, made there with `gatesh head > FILE`",
        )
    if given is not None and (
        last is None or given.vkey != heads.key(origin) or last.size in (given.size, given.since)
    ):
        return _check(heads, given, origin), roster
    assert last is not None
    if given is not None:
        typer.echo(
            f"gatesh: note: signing with the log as last checked here, {last.size} entries; for"
            f" its newest state: gatesh head --since {last.size} > FILE there, then --head FILE",
            err=True,
        )
    return LogHead(origin, last.size, last.root), roster


def _heads() -> Heads:
    places = config.places()
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)  # an approver's machine is bare
    return Heads(places.heads)


def _check(heads: Heads, given: Head, origin: str, vouched: bool = False) -> LogHead:
    if given.origin != origin:
        raise Refused(
            f"the head is that of {visible(given.origin)}, the request is in {visible(origin)}",
            why="log-other",
        )
    seen = heads.check_and_remember(given.checkpoint.encode(), given.vkey, given.proof)
    if seen.first and not vouched:
        typer.echo(
            f"gatesh: note: first look at the log {visible(origin)};"
            " its key is trusted from now on",
            err=True,
        )
    return LogHead(origin, seen.head.size, seen.head.root)


# ---- files ----------------------------------------------------------------------


def head(
    since: Annotated[
        int, typer.Option(min=0, help="Prove that it continues the head of so many entries.")
    ] = 0,
) -> None:
    """Print the log's newest head and the roster, for approvers elsewhere."""
    typer.echo(write(Here().head(since).as_document()).decode())


def read_parcel(path: Path, head: Path | None) -> Parcel:
    """Return the request in the file *path*, with the head in *head* if there is one."""
    parcel = _parcel(_file(path), visible(str(path)))
    if head is None:
        return parcel
    try:
        given = Head.of(read(_file(head).rstrip(b"\r\n")))
    except MalformedDocument as problem:
        raise UsageError(f"{visible(str(head))}: {problem}") from None
    return replace(parcel, head=given)


def read_answer(path: Path) -> SignedDecision:
    """Return the answer in the file *path*; `-` is standard input."""
    try:
        return SignedDecision.read(_file(path))
    except MalformedDocument as problem:
        raise UsageError(
            f"{visible(str(path))}: not an answer: {problem}",
            hint="give the file that `gatesh sign REQUEST.json` wrote",
        ) from None


def _file(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{visible(str(path))}: {problem.strerror}") from None
