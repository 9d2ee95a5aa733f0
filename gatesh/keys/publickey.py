"""Public keys: the OpenSSH line, the wire blob and the fingerprint people compare.

Two types exist here, `ssh-ed25519` (RFC 8709) and `sk-ssh-ed25519@openssh.com`
(OpenSSH PROTOCOL.u2f), because formats.md §2 admits no other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from nacl.bindings import crypto_core_ed25519_is_valid_point

from gatesh.errors import KeyTrouble
from gatesh.keys.sshwire import Reader, Truncated, string

ED25519 = "ssh-ed25519"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_APPLICATION = "ssh:"
_HINT = "make one with `gatesh keys new`, or use an Ed25519 key (`ssh-keygen -t ed25519`)"


class BadKey(KeyTrouble):
    """A public key that cannot or must not be used; *why* is the fixed word for the log."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message, hint=_HINT)
        self.why = why


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key, in a file (`ssh-ed25519`) or in a security key (`sk-…`).

    `point` is the 32-byte encoding of RFC 8032.  Raises `BadKey` for a point that is
    not a sound public key: under a low-order point one signature verifies for many
    messages, so nobody in particular would have signed.
    """

    type: str
    point: bytes
    application: str = ""

    def __post_init__(self) -> None:
        if self.type not in (ED25519, SK_ED25519):
            raise BadKey(f"key type {self.type[:40]!r} is not accepted", "key-type")
        if self.application != (SK_APPLICATION if self.sk else ""):
            raise BadKey("the security key was not enrolled for `ssh:`", "key-application")
        if len(self.point) != 32 or not crypto_core_ed25519_is_valid_point(self.point):
            raise BadKey("the public key is not a sound Ed25519 point", "key-unsound")

    @property
    def sk(self) -> bool:
        """Whether the private half lives in a security key that must be touched."""
        return self.type == SK_ED25519

    @property
    def blob(self) -> bytes:
        """The key as it stands in SSH wire messages."""
        head = string(self.type.encode()) + string(self.point)
        return head + string(self.application.encode()) if self.sk else head

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and 43 characters, as `ssh-keygen -l` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest())
        return "SHA256:" + digest.decode("ascii").rstrip("=")

    @property
    def text(self) -> str:
        """Type and base64 with one space between, as in `.pub` and `allowed_signers`."""
        return f"{self.type} {base64.b64encode(self.blob).decode('ascii')}"

    def line(self, comment: str = "") -> str:
        """Return the line of a `.pub` file, with its newline."""
        return f"{self.text} {comment}".rstrip() + "\n"

    @classmethod
    def from_blob(cls, blob: bytes) -> PublicKey:
        """Parse a wire blob; raise `BadKey` for anything `blob` would not have written."""
        reader = Reader(blob)
        try:
            kind = reader.string()
            if kind not in (ED25519.encode(), SK_ED25519.encode()):
                name = kind[:40].decode("ascii", "replace")
                raise BadKey(f"key type {name!r} is not accepted", "key-type")
            point = reader.string()
            application = reader.string() if kind == SK_ED25519.encode() else b""
            reader.end()
            return cls(kind.decode(), point, application.decode("ascii"))
        except (Truncated, UnicodeDecodeError) as problem:
            raise BadKey(f"not an SSH public key: {problem}", "key-unsound") from None

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        """Parse `TYPE BASE64`; raise `BadKey` unless it is the one canonical spelling."""
        kind, _, encoded = text.partition(" ")
        if kind not in (ED25519, SK_ED25519):
            raise BadKey(f"key type {kind[:40]!r} is not accepted", "key-type")
        try:
            blob = base64.b64decode(encoded.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as problem:
            raise BadKey(f"not base64: {problem}", "key-unsound") from None
        key = cls.from_blob(blob)
        if key.text != text:
            raise BadKey("the type and the base64 do not belong together", "key-unsound")
        return key

    @classmethod
    def from_line(cls, line: str) -> PublicKey:
        """Parse a line of a `.pub` file: type, base64, perhaps a comment."""
        if "\n" in line.rstrip("\n"):
            raise BadKey("more than one line where one public key was expected", "key-unsound")
        words = line.split(maxsplit=2)
        if len(words) < 2:
            raise BadKey("not an OpenSSH public key line (`ssh-ed25519 AAAA…`)", "key-unsound")
        return cls.from_text(f"{words[0]} {words[1]}")
