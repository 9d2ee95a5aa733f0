"""What travels when an approver is not at the broker's machine: three documents, any courier.

    head    {"checkpoint", "proof", "roster", "since", "type": "gatesh/head/v1", "vkey"}
    parcel  {"files", "head", "request", "script", "status", "type": "gatesh/parcel/v1"}
    answer  {"decision", "signature", "type": "gatesh/signed-decision/v1"}

`request` and `decision` are the documents of formats.md §1 and §2 as strings, byte for byte, and
`signature` is the armored SSHSIG, so stock tools take an answer apart and verify it:

    jq -jr .decision d > d.json; jq -jr .signature d > d.json.sig
    ssh-keygen -Y verify -f allowed_signers -I bob@example.com -n decision.v1@gatesh \\
        -s d.json.sig < d.json

`script` is base64, `files` the content of files that are read as code by their SHA-256 (base64,
as far as they were kept), `proof` a list of base64 hashes that lead from `since` entries to the
checkpoint's.  A courier has no authority: what it changes no longer fits a signature or a digest.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.request_shape import listed, mapped, maybe, number, shaped, text, time
from gatesh.approval.roster import Roster
from gatesh.document import MalformedDocument
from gatesh.errors import ConfigError

HEAD, PARCEL, ANSWER = "gatesh/head/v1", "gatesh/parcel/v1", "gatesh/signed-decision/v1"
LONGEST_ANSWER = 64 * 1024  # bytes
_ANSWER = {
    "at": time,
    "by": text,
    "decision": text,
    "question": maybe(text),
    "reason": maybe(text),
    "revision": number(1),
}
STATUS = {
    "answers": listed(shaped(_ANSWER)),
    "earlier": listed(text),
    "missing": mapped(text, number(0)),
    "state": text,
    "waiting": number(0),
}
_STATUS = shaped(STATUS)
# What is known of a request that came alone.
_UNKNOWN = {"answers": [], "earlier": [], "missing": {}, "state": "as it was brought", "waiting": 0}


@dataclass(frozen=True, slots=True)
class Head:
    """A log's newest checkpoint, proof that it continues the one of `since` entries, its people."""

    checkpoint: str
    vkey: str
    since: int
    proof: tuple[bytes, ...]
    roster: Roster

    @property
    def size(self) -> int:
        """The entries that the checkpoint says there are."""
        return int(self.checkpoint.split("\n")[1])

    @property
    def origin(self) -> str:
        """The log's name, which is its key's."""
        return self.vkey.split("+")[0]

    def as_document(self) -> dict[str, Any]:
        """Return the document."""
        return {
            "checkpoint": self.checkpoint,
            "proof": [base64.b64encode(step).decode("ascii") for step in self.proof],
            "roster": self.roster.document(),
            "since": self.since,
            "type": HEAD,
            "vkey": self.vkey,
        }

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Head:
        """Take the parsed document apart; raise `MalformedDocument`."""
        _typed(found, HEAD, {"checkpoint", "proof", "roster", "since", "vkey"})
        try:
            head = cls(
                str(found["checkpoint"]),
                str(found["vkey"]),
                int(found["since"]),
                tuple(base64.b64decode(step, validate=True) for step in found["proof"]),
                Roster.from_document(found["roster"]),
            )
            _ = head.size
        except (TypeError, ValueError, KeyError, IndexError, ConfigError) as problem:
            raise MalformedDocument(f"not a log's head: {problem}") from None
        return head


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request with all that is needed to decide it elsewhere.

    `status` is what the broker says has become of it, `head` its log: both only as good as
    whoever made the parcel, until the broker has checked the answer.
    """

    request: bytes
    script: bytes
    head: Head | None
    status: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def found(self) -> dict[str, Any]:
        """The parsed request document."""
        return requests.read(self.request)

    def write(self) -> bytes:
        """Return the document."""
        return document.write(
            {
                "files": {
                    digest: base64.b64encode(data).decode("ascii")
                    for digest, data in self.files.items()
                },
                "head": self.head.as_document() if self.head else None,
                "request": self.request.decode("ascii"),
                "script": base64.b64encode(self.script).decode("ascii"),
                "status": dict(self.status),
                "type": PARCEL,
            }
        )

    @classmethod
    def read(cls, data: bytes) -> Parcel:
        """Open a parcel, or wrap a bare request document; raise `MalformedDocument`.

        The script is checked against the request.  A bare request must hold its own script.
        """
        found = document.read(data)
        if found.get("type") == requests.TYPE:
            asked = requests.read(data)
            if asked["script"] is None:
                raise MalformedDocument("its script is too long or not text, and lies elsewhere")
            return cls(data, asked["script"].encode("utf-8"), None, _UNKNOWN)
        _typed(found, PARCEL, {"files", "head", "request", "script", "status"})
        head, status = found["head"], found["status"]
        if not isinstance(found["request"], str) or not _STATUS(status):
            raise MalformedDocument("not a parcel")
        try:
            script = base64.b64decode(found["script"], validate=True)
            files = {k: base64.b64decode(v, validate=True) for k, v in found["files"].items()}
        except (TypeError, AttributeError, binascii.Error, ValueError):
            raise MalformedDocument("`script` and `files` are not base64") from None
        if any(document.sha256(data) != digest for digest, data in files.items()):
            raise MalformedDocument("a file is not the one that its digest names")
        request = found["request"].encode("utf-8", "surrogatepass")
        asked = requests.read(request)
        if document.sha256(script) != asked["script_sha256"]:
            raise MalformedDocument("the script is not the one that the request names")
        return cls(request, script, Head.of(head) if head is not None else None, status, files)


@dataclass(frozen=True, slots=True)
class SignedDecision:
    """A decision and its signature, in one file."""

    decision: bytes
    signature: bytes

    def write(self) -> bytes:
        """Return the document."""
        return document.write(
            {
                "decision": self.decision.decode("ascii"),
                "signature": self.signature.decode("ascii"),
                "type": ANSWER,
            }
        )

    @classmethod
    def read(cls, data: bytes) -> SignedDecision:
        """Take an answer apart; raise `MalformedDocument`.  Nothing of it is verified yet."""
        if len(data) > LONGEST_ANSWER:
            raise MalformedDocument(f"longer than {LONGEST_ANSWER} bytes")
        found = document.read(data.rstrip(b"\r\n"))  # mail and editors add a line's end
        _typed(found, ANSWER, {"decision", "signature"})
        parts = found["decision"], found["signature"]
        if not all(isinstance(part, str) and part.isascii() for part in parts):
            raise MalformedDocument("`decision` and `signature` are not ASCII text")
        return cls(parts[0].encode("ascii"), parts[1].encode("ascii"))


def _typed(found: Any, type: str, fields: set[str]) -> None:
    if not isinstance(found, dict) or found.get("type") != type:
        raise MalformedDocument(f"not of type {type}")
    if found.keys() != fields | {"type"}:
        odd = sorted(found.keys() ^ (fields | {"type"}))
        raise MalformedDocument(f"fields missing or not known: {', '.join(odd)}")
