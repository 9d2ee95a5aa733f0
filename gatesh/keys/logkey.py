"""The ledger's own key: it signs checkpoints, never decisions, and never lies in `ledger/`.

`log.key` beside `ledger/` always exists once a key does:

    gatesh-log-key/v1 file <origin>             gatesh-log-key/v1 keyring <origin>
    <seed, 64 hex digits>                       <name in the keyring>

so a locked keyring is an error and never a reason to make a second key for the same log.

`next.key` has the same form: the key of the log that follows, made before the last entry of
this one names it.  Once it has become `log.key` the key before is gone: nobody, who has the
machine or not, adds to a finished log.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from nacl.signing import SigningKey

from gatesh.errors import KeyTrouble
from gatesh.keys import privatefile
from gatesh.keys.oskeyring import OsKeyring

_ED25519 = b"\x01"  # the signature type of C2SP signed-note
_SERVICE = "gatesh log"
_FILE = re.compile(rb"gatesh-log-key/v1 (file|keyring) ([!-*,-~]+)\n([0-9a-z-]{1,100})\n")
_SEED = re.compile(r"[0-9a-f]{64}")


def vkey_of(origin: str, public: bytes) -> str:
    """Return the signed-note verifier key: `<name>+<key id>+<base64 of 0x01 and the key>`."""
    return f"{origin}+{key_id(origin, public).hex()}+{_b64(_ED25519 + public)}"


def key_id(origin: str, public: bytes) -> bytes:
    """Return the four bytes that stand before a signature in a signed note."""
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:4]


@dataclass(frozen=True, slots=True)
class LogKey:
    """An open ledger key.  `origin` is its name in checkpoints, `kept` where it lies in words."""

    origin: str
    kept: str
    _key: SigningKey = field(repr=False)
    _name: str = ""  # in the keyring

    @classmethod
    def open(cls, state_dir: Path, host: str, *, use_keyring: bool) -> LogKey:
        """Open the key of the ledger in *state_dir*; make one if there is neither.

        *host* only counts when a key is made: a renamed machine keeps its log's name.  Raises
        `KeyTrouble` for a key that others could read, or that is missing although a log exists.
        """
        _check_directory(state_dir)
        path = state_dir / "log.key"
        try:
            return cls._read(path)
        except FileNotFoundError:
            pass
        if any(state_dir.glob("ledger*/log*.jsonl")):
            raise KeyTrouble(
                f"{path} is missing although there is a ledger; gatesh makes no second key for it",
                hint="restore it from a backup, or move `ledger/` away to begin a new one",
            )
        cls._make(path, host, use_keyring)
        return cls._read(path)

    @classmethod
    def next(cls, state_dir: Path, host: str, *, use_keyring: bool) -> LogKey:
        """Open the key of the log that will follow; make it if there is none yet."""
        path = state_dir / "next.key"
        try:
            return cls._read(path)
        except FileNotFoundError:
            cls._make(path, host, use_keyring)
            return cls._read(path)

    @classmethod
    def take_over(cls, state_dir: Path, vkey: str) -> None:
        """Make the key of *vkey* the one in use: it is already, or it is the next one.

        The key before it is destroyed.  Raises `KeyTrouble` when it is neither.
        """
        current = cls._read_if_there(state_dir / "log.key")
        if current is not None and current.vkey == vkey:
            return
        path = state_dir / "next.key"
        following = cls._read_if_there(path)
        if following is None or following.vkey != vkey:
            raise KeyTrouble(
                f"{path} is not the key that the finished log names for its successor",
                hint="restore it from a backup, or move all `ledger*` away to begin anew",
            )
        os.rename(path, state_dir / "log.key")
        privatefile.sync_directory(state_dir)
        if current is not None and current._name:
            with contextlib.suppress(KeyTrouble):
                OsKeyring.open(silent=True).delete(_SERVICE, current._name)

    @classmethod
    def _read_if_there(cls, path: Path) -> LogKey | None:
        try:
            return cls._read(path)
        except FileNotFoundError:
            return None

    @classmethod
    def _make(cls, path: Path, host: str, use_keyring: bool) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", host):
            raise KeyTrouble(f"{host!r} cannot be part of a log's name", hint="set a host name")
        key = SigningKey.generate()
        public = bytes(key.verify_key)
        origin = f"{host}/gatesh/{hashlib.sha256(public).hexdigest()[:8]}"
        where, second, ring = "file", bytes(key).hex(), None
        if use_keyring:
            # A file where no keyring answers by itself; `kept` says which it became.
            with contextlib.suppress(KeyTrouble):
                name = f"log-{secrets.token_hex(8)}"
                ring = OsKeyring.open(silent=True)
                ring.put(_SERVICE, name, bytes(key).hex())
                where, second = "keyring", name
        text = f"gatesh-log-key/v1 {where} {origin}\n{second}\n"
        # Whoever comes second reads what the first one wrote.
        if not privatefile.create(path, text.encode()) and ring is not None:
            ring.delete(_SERVICE, second)

    @classmethod
    def _read(cls, path: Path) -> LogKey:
        match = _FILE.fullmatch(privatefile.read(path, what="the log's key"))
        if match is None:
            raise KeyTrouble(f"{path} is not a gatesh log key", hint="restore it from a backup")
        where, origin, second = (part.decode("ascii") for part in match.groups())
        kept, name = str(path), ""
        if where == "keyring":
            ring = OsKeyring.open(silent=True)
            kept, name = f"the {ring.name}", second
            second = ring.get(_SERVICE, second) or ""
        if not _SEED.fullmatch(second):
            raise KeyTrouble(f"the log's key is not in {kept}", hint="unlock it, or restore it")
        key = SigningKey(bytes.fromhex(second))
        if origin.rpartition("/")[2] != hashlib.sha256(bytes(key.verify_key)).hexdigest()[:8]:
            raise KeyTrouble(f"the key in {kept} is not the one that {origin} names")
        return cls(origin, kept, key, name)

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return bytes(self._key.verify_key)

    @property
    def vkey(self) -> str:
        """The verifier key for `ledger/vkey`, without a newline."""
        return vkey_of(self.origin, self.public)

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of an Ed25519 signature."""
        return self._key.sign(data).signature

    def secret(self, label: str) -> bytes:
        """Return 32 bytes that only this broker can make, for one purpose (HMAC-SHA-256).

        Used as the salt of secret-looking variables (`approval.request.env_document`).
        """
        return hmac.digest(bytes(self._key), b"gatesh/secret/v1\n" + label.encode(), "sha256")


def _check_directory(path: Path) -> None:
    status = os.stat(path)
    if status.st_uid not in (os.geteuid(), 0):
        raise KeyTrouble(f"{path} belongs to uid {status.st_uid}, not to this account")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise KeyTrouble(
            f"{path} can be written by others", hint=f"close it with `chmod go-w {path}`"
        )


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
