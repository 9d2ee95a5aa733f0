"""Telling people: a program and signed webhooks, neither of which can hold up or lose a request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gatesh.config import load
from gatesh.document import sha256
from gatesh.errors import ConfigError
from tests.world import until

SECRET = b"a secret that both sides know..."


class Endpoint(ThreadingHTTPServer):
    """A real HTTP server that keeps what it is sent and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []  # for the next requests; 204 afterwards
        super().__init__(("127.0.0.1", 0), Receiver)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        endpoint: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        endpoint.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(endpoint.answers.pop(0) if endpoint.answers else 204)
        self.send_header("location", endpoint.url + "/elsewhere")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def hook(world, endpoint, secret=True):
    tells(world, endpoint, secret)
    world.set_up()


def tells(world, endpoint, secret=True):
    path = world.base / "hook.secret"
    path.write_text(f"whsec_{base64.b64encode(SECRET).decode()}\n")
    path.chmod(0o600)
    more = f", secret_file: {path}" if secret else ""
    world.settings(f"hold: 0\nnotify:\n  webhooks:\n  - {{url: '{endpoint.url}'{more}}}\n")


def test_a_webhook_is_signed_in_both_ways_and_carries_the_exact_request(world, endpoint):
    hook(world, endpoint)

    world.gatesh("-c", "guarded")
    until(lambda: bool(endpoint.got))

    headers, body = endpoint.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    found = dict(part.split(",") for part in headers["webhook-signature"].split(" "))
    mac = hmac.digest(SECRET, signed, hashlib.sha256)
    assert base64.b64decode(found["v1"]) == mac
    public = world.question("status")["webhook_key"].removeprefix("whpk_")
    Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(
        base64.b64decode(found["v1a"]), signed
    )
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    event = json.loads(body)
    asked = world.pending()[0]
    assert (event["type"], event["data"]["id"]) == ("request.opened", asked["id"])
    assert sha256(event["data"]["request"].encode()) == event["data"]["request_sha256"]
    assert event["data"]["request_sha256"] == world.entries("request.opened")[0]["request_sha256"]


def test_what_failed_is_tried_again_under_the_same_id(world, endpoint):
    """
    Receivers drop what they have seen by the id; a redirect is a failure, not a new address.
    """
    endpoint.answers = [302]
    hook(world, endpoint, secret=False)

    world.gatesh("-c", "guarded")
    until(lambda: len(endpoint.got) == 2)

    (first, one), (second, other) = endpoint.got
    assert first["webhook-id"] == second["webhook-id"] and one == other
    assert second["webhook-signature"].startswith("v1a,")


def test_an_endpoint_that_is_down_costs_nothing_and_hears_of_it_after_a_restart(world, endpoint):
    endpoint.server_close()
    hook(world, endpoint)

    began = time.monotonic()
    assert world.gatesh("-c", "guarded").status == 75
    assert time.monotonic() - began < 10
    log = world.state / "broker.log"
    until(lambda: "again in" in log.read_text())
    id = world.pending()[0]["id"]

    up = Endpoint()
    tells(world, up)
    world.new_law()
    os.kill(world.broker(), signal.SIGKILL)
    until(lambda: not world.listening())
    threading.Thread(target=up.serve_forever, daemon=True).start()
    world.gatesh("-c", "true")
    until(lambda: bool(up.got))
    up.shutdown()
    up.server_close()

    assert json.loads(up.got[0][1])["data"]["id"] == id


def test_a_program_gets_the_request_document_and_little_else(world):
    """
    It is told, never asked: whatever it prints or returns changes nothing.
    """
    world.program("tell", f'env > {world.base}/env.tmp; cat > {world.base}/told.tmp; echo approve;'
                  f'mv {world.base}/env.tmp {world.base}/env; mv {world.base}/told.tmp '
                  f"{world.base}/told; exit 0")  # fmt: skip
    world.settings(f"hold: 0\nnotify: {{program: [{world.bin}/tell]}}\n")
    world.set_up()

    world.gatesh("-c", "guarded", env={"AWS_PROFILE": "prod"})
    until((world.base / "told").exists)

    told = (world.base / "told").read_bytes()
    assert sha256(told) == world.entries("request.opened")[0]["request_sha256"]
    names = {line.split("=")[0] for line in (world.base / "env").read_text().splitlines()}
    names -= {"PWD", "SHLVL", "_", "OLDPWD"}  # bash's own
    assert names == {"PATH", "HOME", "LANG", "GATESH_EVENT", "GATESH_REQUEST"}
    assert world.pending()[0]["state"] == "pending"


@pytest.mark.parametrize("program", ["/nowhere/at-all", "FAILS", "HANGS"])
def test_a_program_that_cannot_be_told_holds_up_nothing(world, program):
    if program == "FAILS":
        program = str(world.program("fails", "exit 3"))
    elif program == "HANGS":
        program = str(world.program("hangs", f"touch {world.base}/called; sleep 600"))
    world.settings(f"hold: 0\nnotify: {{program: [{program}]}}\n")
    world.set_up()

    assert world.gatesh("-c", "guarded").status == 75
    assert world.gatesh("-c", "echo on").out == b"on\n"

    if program.endswith("hangs"):
        until((world.base / "called").exists)
    else:
        until(lambda: "notify: " in (world.state / "broker.log").read_text())
    assert len(world.pending()) == 1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("notify: {webhooks: [{url: 'http://example.com/'}]}", "https"),
        ("notify: {webhooks: [{url: 'file:///etc/passwd'}]}", "https"),
        ("notify: {webhooks: [{secret_file: /x}]}", "`url`"),
        ("notify: {webhooks: [{url: 'https://example.com', secret_file: x}]}", "absolute"),
        ("notify: {program: mail}", "a list"),
        ("notify: {program: [mail]}", "absolute"),
        ("notify: {mail: x}", "there are program and webhooks"),
        ("notify: x", "notify"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path, text, word):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match=word):
        load(path)
