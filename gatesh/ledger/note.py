"""Signed notes, verifier keys and checkpoints (C2SP signed-note and tlog-checkpoint).

    gatesh.example/build-7
    2
    +Nybw8WcWha2jsV46A3L2eDGbDX6aisxjSwXOOLyF90=

    — gatesh.example/build-7 9OXgoH5C5Wob…

One value has one encoding: numbers, base64 and line ends that would not be
written again the same way are refused.  Signatures by keys nobody asked about
are ignored, as the specification demands, so that witnesses can add theirs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from gatesh.ledger.merkle import HASH, Head

ED25519: Final = 0x01
_MOST_SIGNATURES: Final = 16
_LARGEST: Final = 1 << 20
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_MARK: Final = "— "

Sign = Callable[[bytes], bytes]
"""Returns the 64 bytes of the Ed25519 signature of what it is given."""


class MalformedNote(ValueError):
    """The bytes are not a note, key or checkpoint in its one form."""


class BadNoteSignature(ValueError):
    """The note is well formed and not signed by the key that was asked for."""


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as problem:
        raise MalformedNote(f"not base64: {problem}") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise MalformedNote("base64 with stray bits")
    return data


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() or not c.isprintable() for c in name):
        raise MalformedNote(f"not a key name: {name!r}")


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 verifier key, written `name+<8 hex>+<base64 of its kind and 32 bytes>`."""

    kind: ClassVar[int] = ED25519  # the byte that says what is signed, and how
    name: str
    public: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != HASH:
            raise MalformedNote("an Ed25519 public key has 32 bytes")

    @property
    def id(self) -> bytes:
        """SHA-256(name || 0x0A || kind || public key)[:4]."""
        text = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(text).digest()[:4]

    def __str__(self) -> str:
        body = base64.b64encode(bytes([self.kind]) + self.public).decode("ascii")
        return f"{self.name}+{self.id.hex()}+{body}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a verifier key; one newline at the end is allowed, as files have it."""
        text = text.removesuffix("\n")
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise MalformedNote("not a verifier key: name+id+key expected")
        body = _unbase64(parts[2])
        if len(body) != 1 + HASH or body[0] != cls.kind:
            raise MalformedNote(f"not an Ed25519 verifier key of kind {cls.kind:#04x}")
        key = cls(parts[0], body[1:])
        if str(key) != text:
            raise MalformedNote("the id of the verifier key does not belong to it")
        return key

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Tell whether *signature* is this key's over *text*."""
        try:
            VerifyKey(self.public).verify(text, signature)
        except (BadSignatureError, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who, the id of the key, and the bytes."""

    name: str
    key_id: bytes
    body: bytes

    def line(self) -> str:
        """Return the line as notes carry it, with its newline."""
        return f"{_MARK}{self.name} {base64.b64encode(self.key_id + self.body).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures under it.  `text` ends in a newline."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """Return the bytes of the note."""
        return (self.text + "\n" + "".join(s.line() for s in self.signatures)).encode()

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Take a note apart without judging any signature."""
        if len(data) > _LARGEST:
            raise MalformedNote("too large for a note")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedNote("not UTF-8") from None
        if any(ord(c) < 0x20 and c != "\n" for c in whole):
            raise MalformedNote("control characters in a note")
        text, gap, below = whole.rpartition("\n\n")
        if not gap or not text or not below.endswith("\n"):
            raise MalformedNote("no signatures under the text")
        lines = below[:-1].split("\n")
        if len(lines) > _MOST_SIGNATURES:
            raise MalformedNote(f"more than {_MOST_SIGNATURES} signatures")
        return cls(text + "\n", tuple(cls._signature(line) for line in lines))

    @staticmethod
    def _signature(line: str) -> Signature:
        name, space, encoded = line.removeprefix(_MARK).partition(" ")
        if not line.startswith(_MARK) or not space:
            raise MalformedNote("not a signature line")
        _check_name(name)
        body = _unbase64(encoded)
        if len(body) < 5:
            raise MalformedNote("a signature too short to be one")
        return Signature(name, body[:4], body[4:])

    def check(self, key: Key) -> Signature:
        """Return the signature of *key*; raise `BadNoteSignature` unless it has signed, once."""
        ours = [s for s in self.signatures if (s.name, s.key_id) == (key.name, key.id)]
        if not ours:
            raise BadNoteSignature(f"not signed by {key.name}+{key.id.hex()}")
        if len(ours) > 1:
            raise BadNoteSignature("signed twice by the same key")
        if not key.verify(self.text.encode(), ours[0].body):
            raise BadNoteSignature("the signature does not belong to this text")
        return ours[0]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log's key signs: its origin, its size, its root.  No extension lines."""

    origin: str
    head: Head

    def text(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.head.size}\n{self.head.base64}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the three lines, refusing anything `text` would not have written."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise MalformedNote("not the three lines of a checkpoint")
        if not _DECIMAL.fullmatch(lines[1]):
            raise MalformedNote("the size is not a decimal number")
        root = _unbase64(lines[2])
        if len(root) != HASH:
            raise MalformedNote("the root is not 32 bytes")
        return cls(lines[0], Head(int(lines[1]), root))


def sign_checkpoint(head: Head, key: Key, sign: Sign) -> bytes:
    """Return the signed note for *head* under the origin that is the key's name."""
    text = Checkpoint(key.name, head).text()
    return Note(text, (Signature(key.name, key.id, sign(text.encode())),)).encode()


def open_checkpoint(data: bytes, key: Key) -> Checkpoint:
    """Check the signature, then read the checkpoint.

    Raises `BadNoteSignature` or `MalformedNote`; also when the origin is not the
    key's name, since then the key speaks for another log.
    """
    note = Note.parse(data)
    note.check(key)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != key.name:
        raise BadNoteSignature(f"signed for the log {checkpoint.origin}, not {key.name}")
    return checkpoint
