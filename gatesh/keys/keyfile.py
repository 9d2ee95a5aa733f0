"""An encrypted key file of gatesh's own: Argon2id, then SecretBox (XSalsa20-Poly1305).

    gatesh-key/v1
    ssh-ed25519 AAAA… comment
    argon2id <operations> <KiB of memory> <salt, base64>
    <nonce and box, base64>

Four lines in this order.  The box holds the 32-byte seed and nothing else; the second line is
checked against it, so the file cannot be made to sign as another key.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random

from gatesh.errors import KeyTrouble
from gatesh.keys.opensshkey import PrivateKey
from gatesh.keys.publickey import PublicKey

_HEAD = b"gatesh-key/v1\n"
_FORM = re.compile(
    r"gatesh-key/v1\n"
    r"(ssh-ed25519 [A-Za-z0-9+/=]+)(?: ([^\n]{1,200}))?\n"
    r"argon2id ([1-9][0-9]{0,2}) ([1-9][0-9]{0,7}) ([A-Za-z0-9+/=]+)\n"
    r"([A-Za-z0-9+/=]+)\n"
)
# A file from a stranger must not make us fill the memory.
_MOST_OPERATIONS = 32
_MOST_KIB = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at the passphrase takes: passes over memory, and how much of it (KiB)."""

    operations: int = argon2id.OPSLIMIT_MODERATE
    kib: int = argon2id.MEMLIMIT_MODERATE // 1024  # 256 MiB, about half a second


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A parsed, still locked key file."""

    public: PublicKey
    comment: str
    cost: Cost
    salt: bytes
    box: bytes

    def unlock(self, passphrase: str) -> PrivateKey:
        """Return the key; raise `KeyTrouble` for a wrong passphrase or a damaged file."""
        try:
            seed = SecretBox(_stretch(passphrase, self.salt, self.cost)).decrypt(self.box)
        except CryptoError:
            raise KeyTrouble("wrong passphrase, or the key file is damaged") from None
        if len(seed) != 32:
            raise KeyTrouble("the key file is damaged")
        key = PrivateKey.from_seed(seed, self.comment)
        if key.public != self.public:
            raise KeyTrouble("the key file is damaged: private and public half differ")
        return key


def looks_like(data: bytes) -> bool:
    """Whether *data* is a gatesh key file of this version, sound or not."""
    return data.startswith(_HEAD)


def parse(data: bytes) -> KeyFile:
    """Parse a key file; raise `KeyTrouble` for anything `lock` would not have written."""
    try:
        match = _FORM.fullmatch(data.decode("utf-8"))
        if match is None:
            raise KeyTrouble("not a gatesh-key/v1 file")
        public, comment, operations, kib, salt, box = match.groups()
        found = KeyFile(
            PublicKey.from_text(public),
            comment or "",
            Cost(int(operations), int(kib)),
            base64.b64decode(salt, validate=True),
            base64.b64decode(box, validate=True),
        )
    except (UnicodeDecodeError, binascii.Error) as problem:
        raise KeyTrouble(f"not a gatesh-key/v1 file: {problem}") from None
    if found.cost.operations > _MOST_OPERATIONS or found.cost.kib > _MOST_KIB:
        raise KeyTrouble("the key file asks for more memory or time than gatesh gives")
    if len(found.salt) != argon2id.SALTBYTES:
        raise KeyTrouble("the key file's salt has the wrong length")
    return found


def lock(key: PrivateKey, passphrase: str, cost: Cost | None = None) -> bytes:
    """Return the content of a key file for *key*."""
    if not passphrase:
        raise KeyTrouble("an empty passphrase protects nothing", hint="choose four random words")
    cost = cost or Cost()
    salt = random(argon2id.SALTBYTES)
    box = bytes(SecretBox(_stretch(passphrase, salt, cost)).encrypt(key.seed))
    numbers = f"argon2id {cost.operations} {cost.kib} {_b64(salt)}"
    return f"gatesh-key/v1\n{key.public.line(key.comment)}{numbers}\n{_b64(box)}\n".encode()


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    try:
        return argon2id.kdf(
            SecretBox.KEY_SIZE,
            passphrase.encode("utf-8"),
            salt,
            opslimit=cost.operations,
            memlimit=cost.kib * 1024,
        )
    except (CryptoError, ValueError, MemoryError) as problem:
        raise KeyTrouble(f"the passphrase cannot be stretched: {problem}") from None


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
