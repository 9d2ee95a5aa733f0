"""Asking the broker: one question, one answer."""

from __future__ import annotations

import base64
import json
import os
import socket
from typing import Any

from gatesh import errors, wire
from gatesh.client import ask as client
from gatesh.client.ask import Trouble
from gatesh.errors import GateshError


def ask(op: str, *, start: bool = True, **fields: Any) -> dict[str, Any]:
    """Return the broker's answer to *op*; raise the error that it answers with.

    Starts an embedded broker when there is none, unless *start* is false.
    """
    try:
        sock = _reach(start)
    except Trouble as trouble:
        what, hint = (words.decode("utf-8", "replace") for words in trouble.args)
        error = GateshError(what, hint=hint)
        error.exit_code = trouble.status
        raise error from None
    with sock:
        try:
            wire.send(sock, b"J", json.dumps({"op": op, **fields}).encode())
            frame = wire.receive(sock)
        except (OSError, wire.WireError):
            frame = None  # it stopped just now
    if frame is None or frame[0] != b"J":
        raise GateshError("the broker did not answer", hint="see `gatesh broker status`")
    answer: dict[str, Any] = json.loads(frame[1])
    if answer.pop("ok"):
        return answer
    raise _error(answer)


def _reach(start: bool) -> socket.socket:
    environment = [name + b"=" + value for name, value in os.environb.items()]
    if not start:
        from gatesh.socketpath import connect, directory

        try:
            found = connect(directory(dict(os.environb)))
        except OSError:
            raise errors.NotFound(
                "no broker is running here", hint="the next command starts one"
            ) from None
    else:
        found = client.reach(environment)
    return socket.socket(fileno=found.detach())


def _error(answer: dict[str, Any]) -> GateshError:
    text, hint = str(answer.get("error")), answer.get("hint")
    kind = getattr(errors, str(answer.get("kind")), GateshError)
    if kind is errors.Refused:
        return errors.Refused(text, why=str(answer.get("why")), hint=hint)
    known = isinstance(kind, type) and issubclass(kind, GateshError)
    error: GateshError = kind(text, hint=hint) if known else GateshError(text, hint=hint)
    return error


def blob(sha256: str) -> bytes:
    """Return the bytes with this digest from the broker's blob store, checked."""
    from gatesh.document import sha256 as digest

    data = base64.b64decode(ask("blob", sha256=sha256)["data"])
    if digest(data) != sha256:
        raise errors.Tampered(f"the broker sent other bytes than {sha256[:12]}… names")
    return data
