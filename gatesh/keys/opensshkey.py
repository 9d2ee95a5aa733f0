"""OpenSSH private key files (OpenSSH PROTOCOL.key), the unencrypted ones.

Encrypted files need bcrypt-kdf, which gatesh does not carry: those are signed with through
ssh-agent or `ssh-keygen -Y sign` (`signers`).  Files of security keys hold no secret to sign with
and take the same way.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from nacl.signing import SigningKey

from gatesh.errors import KeyTrouble
from gatesh.keys.publickey import ED25519, PublicKey
from gatesh.keys.sshwire import Reader, Truncated, string

_BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----"
_END = "-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"


class NotPlain(KeyTrouble):
    """The private half is encrypted or in a security key; `public` says which key it is."""

    def __init__(self, message: str, public: PublicKey) -> None:
        super().__init__(message)
        self.public = public


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An Ed25519 key that can sign here and now."""

    public: PublicKey
    comment: str
    _key: SigningKey = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes, comment: str = "") -> PrivateKey:
        """Return the key of a 32-byte RFC 8032 seed."""
        key = SigningKey(seed)
        return cls(PublicKey(ED25519, bytes(key.verify_key)), comment, key)

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes."""
        return bytes(self._key)

    def sign(self, data: bytes) -> bytes:
        """Return an SSH signature blob for *data*."""
        return string(ED25519.encode()) + string(self._key.sign(data).signature)


def looks_like(data: bytes) -> bool:
    """Whether *data* is an OpenSSH private key file, sound or not."""
    return data.startswith(_BEGIN.encode())


def parse(data: bytes) -> PrivateKey:
    """Return the key in a file; raise `NotPlain` when it takes a passphrase or a touch.

    Raises `KeyTrouble` for anything that is not an Ed25519 key file.
    """
    try:
        lines = data.decode("ascii").strip().splitlines()
        if not lines or lines[0] != _BEGIN or lines[-1] != _END:
            raise KeyTrouble("not an OpenSSH private key file")
        return _parse(base64.b64decode("".join(lines[1:-1]), validate=True))
    except (Truncated, binascii.Error, UnicodeDecodeError) as problem:
        raise KeyTrouble(f"not an OpenSSH private key: {problem}") from None


def _parse(blob: bytes) -> PrivateKey:
    reader = Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise KeyTrouble("not an OpenSSH private key of version 1")
    cipher, _, _ = reader.string(), reader.string(), reader.string()
    if reader.u32() != 1:
        raise KeyTrouble("more than one key in one file")
    public = PublicKey.from_blob(reader.string())
    secret = reader.string()
    reader.end()
    if cipher != b"none":
        raise NotPlain("the key file is encrypted", public)
    if public.sk:
        raise NotPlain("the private half is in a security key", public)
    return _secret(Reader(secret), public)


def _secret(reader: Reader, public: PublicKey) -> PrivateKey:
    if reader.u32() != reader.u32():
        raise KeyTrouble("the key file is damaged (its check numbers differ)")
    if reader.string() != ED25519.encode():
        raise KeyTrouble("the private half is of another type than the public half")
    point, secret = reader.string(), reader.string()
    comment = reader.string().decode("utf-8", "replace")
    if (padding := reader.rest()) != bytes(range(1, len(padding) + 1)):
        raise KeyTrouble("the key file is damaged (its padding is wrong)")
    if len(secret) != 64 or secret[32:] != point:
        raise KeyTrouble("the private half is not an Ed25519 key")
    key = PrivateKey.from_seed(secret[:32], comment)
    # Signing under a public key that is not the seed's own gives the seed away.
    if key.public != public or point != public.point:
        raise KeyTrouble("private and public half do not belong together")
    return key
