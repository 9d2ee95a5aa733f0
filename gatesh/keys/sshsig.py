"""SSHSIG: signatures that stock `ssh-keygen -Y verify` checks (OpenSSH PROTOCOL.sshsig, version 1).

Stricter than `ssh-keygen` on purpose: exactly one spelling of a signature is accepted, only
SHA-512, and for security keys the touch (user presence) is enforced, which `ssh-keygen -Y
verify` does not do.  Every refusal has its own word, listed in `WHY`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from gatesh.errors import Refused
from gatesh.keys.publickey import BadKey, PublicKey
from gatesh.keys.sshwire import Reader, Truncated, string, u32

WHY = {
    "armor-malformed": "the signature file is not one SSH signature in canonical armor",
    "signature-malformed": "the signature's fields are cut short, doubled or unknown",
    "signature-version": "the signature is not SSHSIG version 1",
    "signature-reserved": "the signature's reserved field is not empty",
    "signature-hash": "the signature does not use SHA-512",
    "key-type": "the signing key is neither ssh-ed25519 nor sk-ssh-ed25519@openssh.com",
    "key-application": "the security key was enrolled for something else than `ssh:`",
    "key-unsound": "the public key is malformed or of low order",
    "namespace-wrong": "the signature was made for another purpose",
    "signature-wrong": "the signature does not belong to these bytes and this key",
    "presence-missing": "the security key was not touched",
}

_MAGIC = b"SSHSIG"
_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_END = b"-----END SSH SIGNATURE-----\n"
_WIDTH = 70  # as ssh-keygen wraps
_LONGEST = 8192  # an armored signature is about 300 bytes
_PRESENT = 0x01  # FIDO: somebody touched the key


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A parsed, not yet verified signature.

    `flags` and `counter` are what a security key signed along; both 0 for a plain key.
    """

    key: PublicKey
    namespace: str
    signature: bytes  # the 64 bytes of RFC 8032
    flags: int = 0
    counter: int = 0


def signed_data(message: bytes, namespace: str) -> bytes:
    """Return the bytes the key itself signs for *message* in *namespace*."""
    digest = hashlib.sha512(message).digest()
    return _MAGIC + b"".join(
        string(part) for part in (namespace.encode("ascii"), b"", b"sha512", digest)
    )


def sign(
    message: bytes, *, namespace: str, key: PublicKey, sign: Callable[[bytes], bytes]
) -> bytes:
    """Return the armored signature of *message*, byte for byte as `ssh-keygen -Y sign` writes it.

    *sign* is given the bytes of `signed_data` and returns an SSH signature blob (type and
    signature, as ssh-agent answers; 64 raw bytes are taken as `ssh-ed25519`).  The result is
    verified before it is returned, so a broken agent is noticed here and not by the auditor.
    """
    blob = sign(signed_data(message, namespace))
    if len(blob) == 64:
        blob = string(key.type.encode()) + string(blob)
    fields = (key.blob, namespace.encode("ascii"), b"", b"sha512", blob)
    armor = _armor(_MAGIC + u32(1) + b"".join(string(field) for field in fields))
    verify(armor, message, namespace)
    return armor


def _armor(blob: bytes) -> bytes:
    text = base64.b64encode(blob)
    lines = [text[at : at + _WIDTH] + b"\n" for at in range(0, len(text), _WIDTH)]
    return _BEGIN + b"".join(lines) + _END


def _dearmor(armor: bytes) -> bytes:
    if not armor.startswith(_BEGIN) or not armor.endswith(b"\n" + _END):
        raise _refused("armor-malformed", "not an armored SSH signature")
    if len(armor) > _LONGEST:
        raise _refused("armor-malformed", "too long for a signature")
    try:
        text = armor[len(_BEGIN) : -len(_END)].replace(b"\n", b"")
        blob = base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise _refused("armor-malformed", f"not base64: {problem}") from None
    if _armor(blob) != armor:
        # Text around it, other line lengths, a second signature: ssh-keygen reads past these,
        # so two files could carry one signature and differ in what they say beside it.
        raise _refused("armor-malformed", "not in canonical armor")
    return blob


def parse(armor: bytes) -> SshSignature:
    """Parse one signature; raise `Refused` for any but the canonical form."""
    blob = _dearmor(armor)
    reader = Reader(blob)
    try:
        if reader.take(len(_MAGIC)) != _MAGIC:
            raise _refused("signature-malformed", "not an SSHSIG blob")
        if (version := reader.u32()) != 1:
            raise _refused("signature-version", f"SSHSIG version {version} is not known")
        public, namespace, reserved, digest, inner = (reader.string() for _ in range(5))
        reader.end()
        if reserved:
            raise _refused("signature-reserved", "the reserved field is not empty")
        if digest != b"sha512":
            raise _refused("signature-hash", "only sha512 is accepted")
        key = PublicKey.from_blob(public)
        reader = Reader(inner)
        if reader.string() != key.type.encode():
            raise _refused("signature-malformed", "key and signature are of different types")
        signature = reader.string()
        flags, counter = (reader.byte(), reader.u32()) if key.sk else (0, 0)
        reader.end()
    except Truncated as problem:
        raise _refused("signature-malformed", str(problem)) from None
    except BadKey as problem:
        raise _refused(problem.why, str(problem)) from None
    if len(signature) != 64:
        raise _refused("signature-malformed", "an Ed25519 signature has 64 bytes")
    if not namespace.isascii():
        raise _refused("namespace-wrong", "the namespace is not ASCII")
    return SshSignature(key, namespace.decode("ascii"), signature, flags, counter)


def verify(armor: bytes, message: bytes, namespace: str) -> PublicKey:
    """Return the key that signed *message* for *namespace*; raise `Refused` if none did.

    Says nothing about whose key it is: that is the roster's business.
    """
    found = parse(armor)
    if found.namespace != namespace:
        raise _refused("namespace-wrong", f"signed for {found.namespace!r}, not {namespace!r}")
    data = signed_data(message, namespace)
    if found.key.sk:
        data = (
            hashlib.sha256(found.key.application.encode()).digest()
            + bytes([found.flags])
            + u32(found.counter)
            + hashlib.sha256(data).digest()
        )
    try:
        crypto_sign_open(found.signature + data, found.key.point)
    except BadSignatureError:
        raise _refused("signature-wrong", "the signature does not verify") from None
    if found.key.sk and not found.flags & _PRESENT:
        raise _refused("presence-missing", "signed without a touch of the security key")
    return found.key


def _refused(why: str, message: str) -> Refused:
    assert why in WHY, why
    return Refused(message, why=why)
