"""A reader of age files, written from https://c2sp.org/age alone, with another library.

It shares no code with gatesh, so that gatesh and it can only agree if both follow the page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


def raw(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def read(data: bytes, private: bytes) -> bytes:
    """Return what is sealed in *data* for the 32 bytes of *private*."""
    version, arguments, body, end, rest = data.split(b"\n", 4)
    assert version == b"age-encryption.org/v1"
    arrow, kind, share = arguments.split(b" ")
    assert (arrow, kind) == (b"->", b"X25519")
    key = X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(X25519PublicKey.from_public_bytes(raw(share)))
    salt = raw(share) + key.public_key().public_bytes_raw()
    wrap = hkdf(shared, salt, b"age-encryption.org/v1/X25519")
    file_key = ChaCha20Poly1305(wrap).decrypt(bytes(12), raw(body), None)
    assert len(file_key) == 16 and end.startswith(b"--- ")
    header = b"\n".join((version, arguments, body, b"---"))
    mac = hmac.digest(hkdf(file_key, b"", b"header"), header, hashlib.sha256)
    assert raw(end[4:]) == mac
    payload = ChaCha20Poly1305(hkdf(file_key, rest[:16], b"payload"))
    sealed, found, number = rest[16:], b"", 0
    while True:
        chunk, sealed = sealed[: 65536 + 16], sealed[65536 + 16 :]
        nonce = number.to_bytes(11, "big") + (b"\0" if sealed else b"\1")
        found += payload.decrypt(nonce, chunk, None)
        if not sealed:
            return found
        number += 1
