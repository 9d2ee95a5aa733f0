"""Webhooks in the form of https://www.standardwebhooks.com, version 1.

`webhook-id`, `webhook-timestamp` and `webhook-signature`, with `v1a` (Ed25519, under a key of
this broker that `gatesh broker status` names) and, when a secret is shared, `v1` (HMAC-SHA-256).
The body is

    {"data": {"id", "request", "request_sha256", "revision"}, "timestamp", "type"}

where `request` is the request document as a string, byte for byte.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import logging
import queue
import random
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from nacl.signing import SigningKey

from gatesh import __version__
from gatesh.broker.notify import Event
from gatesh.config import Webhook
from gatesh.errors import GateshError
from gatesh.keys import privatefile

log = logging.getLogger("gatesh.broker")

ANSWER_S = 10.0  # an endpoint that takes longer has failed
FIRST_S, LONGEST_S = 1.0, 300.0  # between two tries, doubled each time


class Post:
    """Delivers to one endpoint, in its own time: a slow one holds up no other."""

    def __init__(self, hook: Webhook, key: SigningKey) -> None:
        self.hook, self.key = hook, key
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.later: list[tuple[float, int, int, Event]] = []  # due, order, tries so far
        self.order = 0
        threading.Thread(target=self._run, name="webhook", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                wait = max(0.0, self.later[0][0] - time.monotonic()) if self.later else None
                self._try(self.events.get(timeout=wait), 0)
            except queue.Empty:
                _, _, tries, event = heapq.heappop(self.later)
                self._try(event, tries)

    def _try(self, event: Event, tries: int) -> None:
        if time.time() > event.until:
            return  # nobody can answer any more: no news
        try:
            send(self.hook, event, self.key, int(time.time()))
            return
        except GateshError as trouble:
            problem = str(trouble)
        except urllib.error.HTTPError as answer:
            problem = f"it answered {answer.code}"
            answer.close()
            if answer.code == 410:
                log.warning("webhook %s: gone; %s was not told", self.hook.url, event.message_id)
                return
        except (OSError, ValueError) as trouble:
            problem = str(trouble)
        except Exception:
            log.exception("a bug while posting to %s", self.hook.url)
            return
        # Spread, so that an endpoint that comes back is not met by all at once.
        spread = random.uniform(0.8, 1.2)  # noqa: S311
        pause = min(FIRST_S * 2 ** min(tries, 16), LONGEST_S) * spread
        log.warning("webhook %s: %s; again in %.0f s", self.hook.url, problem, pause)
        self.order += 1
        heapq.heappush(self.later, (time.monotonic() + pause, self.order, tries + 1, event))


def send(hook: Webhook, event: Event, key: SigningKey, now: int) -> None:
    """Post *event* once; raise OSError (`HTTPError`) or `GateshError` when it did not arrive."""
    body = event.body()
    headers = {
        "content-type": "application/json",
        "user-agent": f"gatesh/{__version__}",
        "webhook-id": event.message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(event.message_id, now, body, key, _secret(hook)),
    }
    # Its scheme was checked when the settings were read (`config`).
    request = urllib.request.Request(  # noqa: S310
        hook.url, data=body, headers=headers, method="POST"
    )
    with _OPENER.open(request, timeout=ANSWER_S) as answer:
        answer.read(1)


def signatures(id: str, now: int, body: bytes, key: SigningKey, secret: bytes | None) -> str:
    """Return the value of `webhook-signature`: every scheme there is a key for."""
    signed = b".".join((id.encode(), str(now).encode(), body))
    found = [("v1a", key.sign(signed).signature)]
    if secret is not None:
        found.insert(0, ("v1", hmac.digest(secret, signed, hashlib.sha256)))
    return " ".join(f"{scheme},{base64.b64encode(value).decode()}" for scheme, value in found)


def _secret(hook: Webhook) -> bytes | None:
    if hook.secret_file is None:
        return None
    text = privatefile.read(Path(hook.secret_file), what="the webhook's secret").decode("ascii")
    try:
        return base64.b64decode(text.strip().removeprefix("whsec_"), validate=True)
    except ValueError:
        raise GateshError(f"{hook.secret_file} is not `whsec_` and base64") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is posted is for the named endpoint alone, wherever that would send us."""

    def redirect_request(self, *_: object) -> None:
        return None


# No proxy from the environment either: whoever started the broker has written that.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
