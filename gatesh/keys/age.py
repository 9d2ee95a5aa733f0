"""age files to one X25519 key (https://c2sp.org/age), so that `age -d` reads them as well.

    age-encryption.org/v1
    -> X25519 <ephemeral share>
    <the file key, wrapped>
    --- <HMAC of the header>
    16 bytes, then chunks of 64 KiB: ChaCha20-Poly1305, nonce = number || is it the last

Order, number and end of the chunks are authenticated.  Who made a file is not: anybody
who has the public key can seal to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
    crypto_scalarmult_base,
)
from nacl.exceptions import CryptoError

from gatesh import bech32

CHUNK: Final = 64 * 1024
_TAG: Final = 16
_VERSION: Final = b"age-encryption.org/v1"
_INFO: Final = b"age-encryption.org/v1/X25519"
_PUBLIC, _SECRET = "age", "age-secret-key-"
_LONGEST_HEADER: Final = 64 * 1024
_STANZA: Final = re.compile(rb"-> X25519 ([A-Za-z0-9+/]{43})\n([A-Za-z0-9+/]{43})\n")
_END: Final = re.compile(rb"^--- ([A-Za-z0-9+/]{43})\n", re.MULTILINE)


class CannotUnseal(ValueError):
    """The bytes are no age file, were changed or cut, or are sealed to another key."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key, written `age1…`."""

    point: bytes

    def __str__(self) -> str:
        return bech32.encode(_PUBLIC, self.point)

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """Read a public key; raise ValueError when it is none."""
        point = bech32.decode(_PUBLIC, text.strip())
        if len(point) != 32 or text.strip() != text.strip().lower():
            raise ValueError("not an X25519 public key of age")
        return cls(point)

    def seal(self, data: bytes) -> bytes:
        """Return *data* as an age file to this key; raise ValueError for a key that is none."""
        file_key, ephemeral = secrets.token_bytes(16), secrets.token_bytes(32)
        share = crypto_scalarmult_base(ephemeral)
        wrap = _wrap_key(ephemeral, self.point, share + self.point)
        body = crypto_aead_chacha20poly1305_ietf_encrypt(file_key, None, bytes(12), wrap)
        header = b"%s\n-> X25519 %s\n%s\n---" % (_VERSION, _text(share), _text(body))
        nonce = secrets.token_bytes(16)
        key = _hkdf(file_key, nonce, b"payload")
        parts = [header, b" ", _text(_mac(file_key, header)), b"\n", nonce]
        for number, start in enumerate(range(0, len(data) or 1, CHUNK)):
            last = start + CHUNK >= len(data)
            parts.append(
                crypto_aead_chacha20poly1305_ietf_encrypt(
                    data[start : start + CHUNK], None, _nonce(number, last), key
                )
            )
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key, written `AGE-SECRET-KEY-1…`."""

    scalar: bytes

    def __str__(self) -> str:
        return bech32.encode(_SECRET, self.scalar).upper()

    def __repr__(self) -> str:
        return f"Identity({self.recipient})"

    @classmethod
    def new(cls) -> Identity:
        """Make a new one."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read the first key in a file as age-keygen writes it; raise ValueError if none."""
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                scalar = bech32.decode(_SECRET, line.strip())
                if len(scalar) != 32:
                    break
                return cls(scalar)
        raise ValueError("there is no X25519 private key of age")

    @property
    def recipient(self) -> Recipient:
        """The public half."""
        return Recipient(crypto_scalarmult_base(self.scalar))

    def unseal(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield what is sealed in *file*, chunk by chunk.

        Each is authentic when it comes; that none is missing at the end is known only
        when the last has come.  Raises `CannotUnseal`.
        """
        file_key = self._file_key(file)
        nonce = file.read(16)
        if len(nonce) != 16:
            raise CannotUnseal("it was cut")
        key = _hkdf(file_key, nonce, b"payload")
        number, chunk = 0, file.read(CHUNK + _TAG)
        while True:
            following = file.read(CHUNK + _TAG)
            if len(chunk) < _TAG:
                raise CannotUnseal("it was cut")
            try:
                data = crypto_aead_chacha20poly1305_ietf_decrypt(
                    chunk, None, _nonce(number, not following), key
                )
            except CryptoError:
                raise CannotUnseal("it was changed or cut after it was sealed") from None
            if not data and number:
                raise CannotUnseal("it ends in an empty chunk")
            yield data
            if not following:
                return
            number, chunk = number + 1, following

    def _file_key(self, file: BinaryIO) -> bytes:
        header = b""
        while (end := _END.search(header)) is None:
            line = file.readline(_LONGEST_HEADER)
            header += line
            if not line or len(header) > _LONGEST_HEADER or not header.startswith(_VERSION):
                raise CannotUnseal("it is not an age file")
        for found in _STANZA.finditer(header):
            share, body = _bytes(found[1]), _bytes(found[2])
            try:
                wrap = _wrap_key(self.scalar, share, share + self.recipient.point)
                file_key = crypto_aead_chacha20poly1305_ietf_decrypt(body, None, bytes(12), wrap)
            except (CryptoError, ValueError):
                continue  # to somebody else
            signed = header[: end.start() + len(b"---")]
            if not hmac.compare_digest(_mac(file_key, signed), _bytes(end[1])):
                raise CannotUnseal("its header was changed after it was sealed")
            return file_key
        raise CannotUnseal("it is sealed to another key")


def _wrap_key(secret: bytes, point: bytes, salt: bytes) -> bytes:
    try:
        shared = crypto_scalarmult(secret, point)
    except (RuntimeError, CryptoError):
        raise ValueError("that is no point to seal to") from None  # of low order
    if not any(shared):
        raise ValueError("that is no point to seal to")
    return _hkdf(shared, salt, _INFO)


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) of 32 bytes: extract, and one step of expand."""
    extracted = hmac.digest(salt or bytes(32), secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_hkdf(file_key, b"", b"header"), header, hashlib.sha256)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _text(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise CannotUnseal("its header is malformed") from None
    if _text(data) != text:
        raise CannotUnseal("its header is malformed")
    return data
