"""Telling people that something waits: a program of the site's own, and signed webhooks.

Both are told, never asked: what they answer has no authority, and when they fail or hang the
request waits as before.  Nothing here runs on a thread that serves a caller.

After a restart webhooks are told again of what still waits: a try may have been lost, and
they drop what they know by its id.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacl.signing import SigningKey

from gatesh import document
from gatesh.config import Config, Webhook
from gatesh.errors import GateshError

if TYPE_CHECKING:
    from gatesh.broker.webhooks import Post

log = logging.getLogger("gatesh.broker")

TELLS = frozenset({"request.opened", "request.revised", "override.accepted"})
OVERRIDE_TOLD_S = 86_400.0  # for so long a webhook is tried
PATIENCE_S = 30.0  # a program that takes longer is killed


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people should hear of."""

    type: str
    id: str
    revision: int
    at: str  # since when it waits
    request: bytes
    until: float  # time.time() after which nobody can answer any more
    by: str = ""  # who has overridden

    @property
    def message_id(self) -> str:
        """The same for every try, and after a restart: receivers drop what they know."""
        return f"{self.type.partition('.')[0]}_{self.id}_{self.revision}"

    def body(self) -> bytes:
        """Return what is posted."""
        data = {
            "id": self.id,
            "request": self.request.decode("ascii"),
            "request_sha256": document.sha256(self.request),
            "revision": self.revision,
            **({"by": self.by} if self.by else {}),
        }
        return document.write({"data": data, "timestamp": self.at, "type": self.type})


class Notifier:
    """Tells whoever the settings of the moment name.  `put` never blocks."""

    def __init__(
        self,
        request: Callable[[str], bytes],
        settings: Callable[[], Config],
        seed: bytes,
    ) -> None:
        self.request, self.settings = request, settings
        self.key = SigningKey(seed)
        self.entries: queue.SimpleQueue[tuple[str, bool, str]] = queue.SimpleQueue()
        self.posts: dict[Webhook, Post] = {}

    @property
    def public(self) -> str:
        """The key that `v1a` signatures verify with, as Standard Webhooks writes it."""
        return "whpk_" + base64.b64encode(bytes(self.key.verify_key)).decode()

    def start(self) -> None:
        """Begin to tell, on a thread of its own."""
        threading.Thread(target=self._run, name="notify", daemon=True).start()

    def put(self, entry: Mapping[str, Any]) -> None:
        """Tell of the ledger's *entry*, if people should hear of it."""
        if entry["type"] in TELLS:
            by = entry["by"] if entry["type"] == "override.accepted" else ""
            self.entries.put((entry["request_sha256"], False, by))

    def put_again(self, request_sha256: str) -> None:
        """Tell those who drop duplicates, after a restart, of a request that still waits."""
        self.entries.put((request_sha256, True, ""))

    def _run(self) -> None:
        while True:
            sha256, again, by = self.entries.get()
            try:
                event = self._event(sha256, by)
                config = self.settings()
                if config.notify and not again:
                    threading.Thread(target=tell, args=(config.notify, event), daemon=True).start()
                for hook in config.webhooks:
                    self._post(hook).events.put(event)
            except GateshError as problem:
                log.warning("nobody is told of %s: %s", sha256, problem)
            except Exception:
                log.exception("a bug while telling people of %s", sha256)

    def _post(self, hook: Webhook) -> Post:
        if hook not in self.posts:
            from gatesh.broker.webhooks import Post  # an HTTP client that few brokers need

            self.posts[hook] = Post(hook, self.key)
        return self.posts[hook]

    def _event(self, sha256: str, by: str) -> Event:
        data = self.request(sha256)
        found = json.loads(data)
        until = document.moment(found["approve_by"]).timestamp()
        kind = "request.opened" if found["revision"] == 1 else "request.revised"
        if by:  # nobody can answer it, everybody should know: tried for a day
            kind, until = "override.accepted", time.time() + OVERRIDE_TOLD_S
        return Event(kind, found["id"], found["revision"], found["opened"], data, until, by)


# ---- a program ------------------------------------------------------------------


def tell(command: tuple[str, ...], event: Event) -> None:
    """Run *command* with the request document on its standard input; say how it failed."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_environment(event),
            start_new_session=True,
        )
    except OSError as problem:
        log.warning("notify: %s: %s", command[0], problem.strerror)
        return
    try:
        _, said = process.communicate(event.request, timeout=PATIENCE_S)
        if process.returncode:
            log.warning("notify: %s ended with %d: %r", command[0], process.returncode, said[:500])
    except subprocess.TimeoutExpired:
        log.warning("notify: %s took more than %.0f s and was killed", command[0], PATIENCE_S)
    finally:
        _kill_group(process)


def _environment(event: Event) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "GATESH_EVENT": event.type,
        "GATESH_REQUEST": event.id,
        **({"GATESH_BY": event.by} if event.by else {}),
    }


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
