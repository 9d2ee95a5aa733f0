"""A new key for a person: `gatesh keys new`.

The public half becomes an OpenSSH `.pub` file to hand to whoever keeps the roster; the private
half goes into the OS keyring, or into an encrypted key file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nacl.utils import random

from gatesh.errors import KeyTrouble, UsageError
from gatesh.keys import keyfile, privatefile
from gatesh.keys.keyfile import Cost
from gatesh.keys.opensshkey import PrivateKey
from gatesh.keys.oskeyring import OsKeyring
from gatesh.keys.publickey import PublicKey
from gatesh.keys.signers import NAME, SERVICE, to_keyring

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """What was made.  `kept` says in words where the private half is."""

    public: PublicKey
    pub_file: Path
    kept: str


def new(
    name: str,
    *,
    directory: Path,
    comment: str,
    passphrase: Callable[[], str] | None,
    use_keyring: bool,
    cost: Cost | None = None,
) -> NewKey:
    """Make a key and keep it: in the keyring if it may and can be used, else in NAME.key.

    Writes NAME.pub beside it and never overwrites anything.  *passphrase* is called only when a
    file is written; raises `KeyTrouble` when there is neither a keyring nor a passphrase.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a key file")
    if not comment.isprintable():
        raise UsageError("the comment of a key is one line of plain text")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    pub_file, key_file = directory / f"{name}.pub", directory / f"{name}.key"
    for path in (pub_file, key_file):
        if os.path.lexists(path):
            raise KeyTrouble(f"{path} exists already", hint="give the new key another name")
    key = PrivateKey.from_seed(random(32), comment)
    kept = _into_keyring(key) if use_keyring else None
    if kept is None:
        if passphrase is None:
            raise KeyTrouble(
                "no keyring keeps the key, and nobody can be asked for a passphrase",
                hint="run this on a terminal, or make a key with `ssh-keygen -t ed25519`",
            )
        _write(key_file, keyfile.lock(key, passphrase(), cost), 0o600)
        kept = str(key_file)
    _write(pub_file, key.public.line(comment).encode(), 0o644)
    return NewKey(key.public, pub_file, kept)


def _into_keyring(key: PrivateKey) -> str | None:
    """Keep *key* in the OS keyring; return its name, or None where no real one works."""
    try:
        ring = OsKeyring.open()
    except KeyTrouble:
        return None
    if ring.get(SERVICE, NAME) is not None:
        raise KeyTrouble(
            f"the {ring.name} holds a key of gatesh already",
            hint="see it with `gatesh keys list`, or make a key file with --file",
        )
    ring.put(SERVICE, NAME, to_keyring(key))
    return f"the {ring.name}"


def _write(path: Path, data: bytes, mode: int) -> None:
    if not privatefile.create(path, data, mode=mode):
        raise KeyTrouble(f"{path} exists already", hint="give the new key another name")
