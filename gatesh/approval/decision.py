"""The decision document: what a person signs (formats.md §2).

`Decision.read` only ever sees bytes whose signature already holds, and accepts exactly what
`Decision.write` writes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatesh import document
from gatesh.document import MalformedDocument
from gatesh.model import read_id

TYPE = "gatesh/decision/v1"
NAMESPACE = "decision.v1@gatesh"
ANSWERS = ("approve", "reject", "ask", "revoke")
LONGEST = 16 * 1024  # bytes of a decision document
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"at", "by", "decision", "log", "request", "request_sha256", "type"}


@dataclass(frozen=True, slots=True)
class LogHead:
    """The newest checkpoint that the signer's own client has checked."""

    origin: str
    size: int
    root: bytes  # 32 bytes

    def as_document(self) -> dict[str, Any]:
        """Return what signed documents say of it."""
        root = base64.b64encode(self.root).decode("ascii")
        return {"origin": self.origin, "root": root, "size": self.size}

    @classmethod
    def of(cls, found: Any) -> LogHead:
        """Take it out of a signed document; raise `MalformedDocument`."""
        if not isinstance(found, dict) or found.keys() != {"origin", "root", "size"}:
            raise MalformedDocument("`log` is not an origin, a root and a size")
        origin, root, size = found["origin"], found["root"], found["size"]
        if not isinstance(origin, str) or not origin:
            raise MalformedDocument("`log.origin` is not text")
        if type(size) is not int or not 0 <= size < 1 << 63:
            raise MalformedDocument("`log.size` is not a number of entries")
        try:
            raw = base64.b64decode(root, validate=True) if isinstance(root, str) else b""
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != 32 or base64.b64encode(raw).decode("ascii") != root:
            raise MalformedDocument("`log.root` is not 32 bytes in base64")
        return cls(origin, size, raw)


@dataclass(frozen=True, slots=True)
class Decision:
    """One person's answer to one revision of one request.

    `reason` may go with any answer but `ask`, which has a `question` instead.
    """

    decision: str
    by: str
    request: str  # the id, 8 characters
    request_sha256: str
    at: datetime
    log: LogHead
    reason: str | None = None
    question: str | None = None

    def write(self) -> bytes:
        """Return the exact bytes to sign; raise `MalformedDocument` if they could not be read."""
        fields: dict[str, Any] = {
            "at": document.stamp(self.at, micros=bool(self.at.microsecond)),
            "by": self.by,
            "decision": self.decision,
            "log": self.log.as_document(),
            "request": self.request,
            "request_sha256": self.request_sha256,
            "type": TYPE,
        }
        if self.reason is not None:
            fields["reason"] = self.reason
        if self.question is not None:
            fields["question"] = self.question
        data = document.write(fields)
        Decision.read(data)
        return data

    @classmethod
    def read(cls, data: bytes) -> Decision:
        """Parse *data*; raise `MalformedDocument` for anything else than a v1 decision."""
        if len(data) > LONGEST:
            raise MalformedDocument(f"longer than {LONGEST} bytes")
        found = document.read(data)
        if found.get("type") != TYPE:
            raise MalformedDocument(f"not of type {TYPE}")
        answer = found.get("decision")
        if answer not in ANSWERS:
            raise MalformedDocument(f"`decision` is not one of {', '.join(ANSWERS)}")
        words = {"question"} if answer == "ask" else {"reason"} & found.keys()
        if found.keys() != _FIELDS | words:
            odd = sorted(found.keys() ^ (_FIELDS | words))
            raise MalformedDocument(f"fields missing or not known: {', '.join(odd)}")
        for name in ("by", "request", "request_sha256", *words):
            if not isinstance(found[name], str) or not found[name]:
                raise MalformedDocument(f"`{name}` is not text")
        if read_id(found["request"]) != found["request"]:
            raise MalformedDocument("`request` is not a request's id")
        if not _SHA256.fullmatch(found["request_sha256"]):
            raise MalformedDocument("`request_sha256` is not a SHA-256 in lowercase hex")
        return cls(
            answer,
            found["by"],
            found["request"],
            found["request_sha256"],
            document.moment(found["at"]),
            LogHead.of(found["log"]),
            found.get("reason"),
            found.get("question"),
        )
