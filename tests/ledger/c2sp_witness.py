"""A witness, written from https://c2sp.org/tlog-witness and tlog-cosignature alone.

It shares no code with gatesh: notes, proofs and keys are all done again, with another
library, so that gatesh and it can only agree if both follow the pages.  `trouble`
makes it a bad one.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def key_id(name: str, body: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + body).digest()[:4]


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def consistent(m: int, n: int, old: bytes, new: bytes, proof: list[bytes]) -> bool:
    """SUBPROOF of RFC 6962, section 2.1.2, taken apart from its end."""
    left = list(proof)

    def rebuilt(m: int, n: int, whole: bool) -> tuple[bytes, bytes]:
        if m == n:
            known = old if whole else left.pop()
            return known, known
        k = 1 << ((n - 1).bit_length() - 1)
        step = left.pop()
        if m <= k:
            before, after = rebuilt(m, k, whole)
            return before, node(after, step)
        before, after = rebuilt(m - k, n - k, False)
        return node(step, before), node(step, after)

    try:
        return rebuilt(m, n, True) == (old, new) and not left
    except IndexError:
        return False


class Witness:
    """Serves on a port of its own until `stop`."""

    def __init__(self, name: str = "witness.example/w1", seed: bytes = b"w" * 32) -> None:
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.body = b"\4" + self.private.public_key().public_bytes_raw()
        self.logs: dict[str, str] = {}  # origin → verifier key
        self.seen: dict[str, tuple[int, bytes]] = {}
        self.answers: list[int] = []
        self.trouble: int | None = None  # answers this to everything
        self.forges = False  # signs something else
        self.clock = time.time
        self.lock = threading.Lock()
        witness = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, kind, answer = (404, "text/plain", b"")
                if self.path == "/w/add-checkpoint":
                    with witness.lock:
                        status, kind, answer = witness.add_checkpoint(body)
                witness.answers.append(status)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def vkey(self) -> str:
        id = key_id(self.name, self.body).hex()
        return f"{self.name}+{id}+{base64.b64encode(self.body).decode()}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/w/"

    def follow(self, vkey: str) -> None:
        self.logs[vkey.split("+")[0]] = vkey.strip()

    def size(self, origin: str) -> int:
        return self.seen.get(origin, (0, b""))[0]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add_checkpoint(self, body: bytes) -> tuple[int, str, bytes]:
        if self.trouble:
            return self.trouble, "text/plain", b"no\n"
        try:
            asked, _, checkpoint = body.decode().partition("\n\n")
            first, *steps = asked.split("\n")
            word, old_text = first.split(" ")
            proof = [base64.b64decode(step, validate=True) for step in steps]
            old = int(old_text)
            if word != "old" or str(old) != old_text or len(proof) > 63:
                return 400, "text/plain", b""
            text, _, signatures = checkpoint.rpartition("\n\n")
            origin, size_text, root_text = text.split("\n")[:3]
            size, root = int(size_text), base64.b64decode(root_text, validate=True)
        except ValueError:
            return 400, "text/plain", b""
        if origin not in self.logs:
            return 404, "text/plain", b""
        if not self._signed(self.logs[origin], text + "\n", signatures):
            return 403, "text/plain", b""
        if old > size:
            return 400, "text/plain", b""
        seen_size, seen_root = self.seen.get(origin, (0, hashlib.sha256().digest()))
        if old != seen_size:
            return 409, "text/x.tlog.size", b"%d\n" % seen_size
        holds = not proof if old == 0 else consistent(old, size, seen_root, root, proof)
        if not holds:
            return 422, "text/plain", b""
        self.seen[origin] = size, root
        now = int(self.clock())
        said = f"cosignature/v1\ntime {now}\n{text}\n" + "more\n" * self.forges
        raw = key_id(self.name, self.body) + now.to_bytes(8, "big")
        raw += self.private.sign(said.encode())
        stranger = base64.b64encode(b"\1\2\3\4" + b"another key of theirs").decode()
        answer = f"— {self.name} {stranger}\n— {self.name} {base64.b64encode(raw).decode()}\n"
        return 200, "text/plain", answer.encode()

    @staticmethod
    def _signed(vkey: str, text: str, signatures: str) -> bool:
        name, id, body = vkey.split("+", 2)
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(body)[1:])
        for line in signatures.splitlines():
            _, who, encoded = line.split(" ")
            raw = base64.b64decode(encoded)
            if who == name and raw[:4].hex() == id:
                try:
                    key.verify(raw[4:], text.encode())
                except InvalidSignature:
                    return False
                return True
        return False
