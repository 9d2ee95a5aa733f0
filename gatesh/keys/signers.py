"""Which key signs for this person, and how to sign with it.

`find` follows one order, the same that `survey` explains to `gatesh keys doctor`:

    1  the key that was named     a private key file, a `.pub`, SHA256:…, `keyring`
    2  the OS keyring             a key made by `gatesh keys new`
    3  encrypted key files        *.key in the key directory
    4  ssh-agent                  what `ssh-add` loaded
    5  ~/.ssh/id_ed25519[_sk]

Of 2 to 5, keys that the roster knows come before others.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gatesh.errors import KeyTrouble
from gatesh.keys import keyfile, opensshkey, privatefile, sshsig
from gatesh.keys.agent import Agent
from gatesh.keys.keygen import KeygenSigner
from gatesh.keys.opensshkey import PrivateKey
from gatesh.keys.oskeyring import OsKeyring
from gatesh.keys.publickey import PublicKey

SERVICE, NAME = "gatesh", "signing key"  # where `gatesh keys new` keeps a key in the keyring
_HINT = "make a key with `gatesh keys new`, or name one with `--key FILE`"

AskPassphrase = Callable[[str], str]
Enrolled = Callable[[PublicKey], bool]


class Signer(Protocol):
    """Somebody's key, ready to sign."""

    @property
    def public(self) -> PublicKey:
        """The key that others will see."""

    def sshsig(self, message: bytes, namespace: str) -> bytes:
        """Return the armored, verified signature of *message*."""

    def describe(self) -> str:
        """Say in words where the key is."""


@dataclass(frozen=True, slots=True)
class BlobSigner:
    """A key that signs bytes: from a file, the keyring or an agent."""

    public: PublicKey
    sign: Callable[[bytes], bytes]  # data -> SSH signature blob
    where: str

    def sshsig(self, message: bytes, namespace: str) -> bytes:
        """Return the armored, verified signature of *message*."""
        return sshsig.sign(message, namespace=namespace, key=self.public, sign=self.sign)

    def describe(self) -> str:
        """Say in words where the key is."""
        return f"{self.public.fingerprint} {self.where}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a key was looked for.  `open` is None where there is nothing to sign with."""

    where: str
    public: PublicKey | None = None
    trouble: str | None = None
    open: Callable[[], Signer] | None = None


def find(
    choice: str | None,
    *,
    ask_passphrase: AskPassphrase | None,
    enrolled: Enrolled | None = None,
    key_dir: Path | None = None,
) -> Signer:
    """Return the key to sign with; raise `KeyTrouble` saying where one was looked for.

    *choice* names one key (a path, a `.pub`, a `SHA256:` fingerprint, `keyring`).  Without it the
    first usable key in the order above, of those for which *enrolled* holds if any does.
    *ask_passphrase* gets the question and returns the answer; without it locked keys are no use.
    """
    if choice is not None:
        return _named(choice, ask_passphrase, key_dir)
    found = [place for place in survey(ask_passphrase, key_dir=key_dir) if place.open]
    if enrolled is not None:
        known = [place for place in found if place.public and enrolled(place.public)]
        found = known or found
    if not found:
        raise KeyTrouble("no key to sign with", hint=_HINT)
    assert found[0].open is not None
    return found[0].open()


def survey(
    ask_passphrase: AskPassphrase | None = None, *, key_dir: Path | None = None
) -> Iterator[Candidate]:
    """Yield every place that `find` looks at, in its order, and what is there."""
    yield _in_keyring()
    directory = key_dir or default_key_dir()
    for path in sorted(directory.glob("*.key")):
        yield _in_file(path, ask_passphrase)
    yield from _in_agent()
    for name in ("id_ed25519", "id_ed25519_sk"):
        path = Path.home() / ".ssh" / name
        if path.exists():
            yield _in_file(path, ask_passphrase)


def default_key_dir() -> Path:
    """Return where `gatesh keys new` writes: `keys/` in the configuration directory."""
    if home := os.environ.get("GATESH_HOME"):
        return Path(home) / "config" / "keys"
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "gatesh" / "keys"


# ---- one key by name -------------------------------------------------------


def _named(choice: str, ask: AskPassphrase | None, key_dir: Path | None) -> Signer:
    if choice == "keyring":
        return _open(_in_keyring())
    if choice.startswith("SHA256:"):
        for place in survey(ask, key_dir=key_dir):
            if place.public and place.public.fingerprint == choice:
                return _open(place)
        raise KeyTrouble(f"no key {choice} here", hint="list them with `gatesh keys list`")
    path = Path(choice).expanduser()
    if path.suffix == ".pub":
        return _public_half(path, ask)
    return _open(_in_file(path, ask))


def _open(place: Candidate) -> Signer:
    if place.open is None:
        raise KeyTrouble(f"{place.where}: {place.trouble}", hint=_HINT)
    return place.open()


def _public_half(path: Path, ask: AskPassphrase | None) -> Signer:
    """A `.pub`: its private half is in the agent, or in the file beside it."""
    try:
        text = privatefile.read_public(path, what="public key").decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        raise KeyTrouble(f"no public key in {path}") from None
    public = PublicKey.from_line(text)
    with contextlib.suppress(KeyTrouble):
        for place in _in_agent():
            if place.public == public and place.open:
                return place.open()
    for private in (path.with_suffix(""), path.with_suffix(".key")):
        if private.exists():
            place = _in_file(private, ask)
            if place.public == public:
                return _open(place)
    raise KeyTrouble(
        f"the private half of {path} is neither in ssh-agent nor beside it",
        hint=f"load it with `ssh-add {path.with_suffix('')}`",
    )


# ---- places ----------------------------------------------------------------


def _in_agent() -> Iterator[Candidate]:
    agent = Agent.from_environment()
    if agent is None:
        yield Candidate("ssh-agent", trouble="SSH_AUTH_SOCK is not set")
        return
    try:
        keys = agent.keys()
    except KeyTrouble as trouble:
        yield Candidate("ssh-agent", trouble=str(trouble))
        return
    if not keys:
        yield Candidate("ssh-agent", trouble="it holds no Ed25519 key")
    for public, comment in keys:
        yield _agent_candidate(agent, public, comment)


def _agent_candidate(agent: Agent, public: PublicKey, comment: str) -> Candidate:
    where = f"in ssh-agent ({comment})" if comment else "in ssh-agent"

    def sign(data: bytes) -> bytes:
        return agent.sign(public, data)

    return Candidate(where, public, open=lambda: BlobSigner(public, sign, where))


def _in_keyring() -> Candidate:
    try:
        ring = OsKeyring.open()
        kept = ring.get(SERVICE, NAME)
    except KeyTrouble as trouble:
        return Candidate("OS keyring", trouble=str(trouble))
    where = f"in the {ring.name}"
    if kept is None:
        return Candidate(where, trouble="it holds no key of gatesh")
    try:
        key = from_keyring(kept)
    except KeyTrouble as trouble:
        return Candidate(where, trouble=str(trouble))
    return Candidate(where, key.public, open=lambda: BlobSigner(key.public, key.sign, where))


def to_keyring(key: PrivateKey) -> str:
    """Return what the keyring is given to keep."""
    return f"gatesh-key/v1 {key.public.text} {key.seed.hex()}"


def from_keyring(kept: str) -> PrivateKey:
    """Return the key in a keyring's answer; raise `KeyTrouble` if it is none."""
    try:
        head, kind, encoded, seed = kept.split(" ")
        key = PrivateKey.from_seed(bytes.fromhex(seed))
        if head != "gatesh-key/v1" or key.public.text != f"{kind} {encoded}":
            raise ValueError
    except (ValueError, TypeError):
        raise KeyTrouble("what it holds under gatesh's name is not a key") from None
    return key


def _in_file(path: Path, ask: AskPassphrase | None) -> Candidate:
    where = f"in {path}"
    try:
        data = privatefile.read(path, what="key file", strict=False)
        if keyfile.looks_like(data):
            return _locked(keyfile.parse(data), where, ask)
        if not opensshkey.looks_like(data):
            return Candidate(where, trouble="it is not an Ed25519 private key file")
        key = opensshkey.parse(data)
    except FileNotFoundError:
        return Candidate(where, trouble="there is no such file")
    except opensshkey.NotPlain as found:
        return _elsewhere(path, found.public, str(found), ask)
    except KeyTrouble as trouble:
        return Candidate(where, trouble=str(trouble))
    return Candidate(where, key.public, open=lambda: BlobSigner(key.public, key.sign, where))


def _locked(file: keyfile.KeyFile, where: str, ask: AskPassphrase | None) -> Candidate:
    if ask is None:
        return Candidate(
            where, file.public, trouble="it needs a passphrase, and nobody can be asked"
        )

    def unlock() -> Signer:
        assert ask is not None
        key = file.unlock(ask(f"Passphrase for the key {where}: "))
        return BlobSigner(key.public, key.sign, where)

    return Candidate(where, file.public, open=unlock)


def _elsewhere(path: Path, public: PublicKey, problem: str, ask: AskPassphrase | None) -> Candidate:
    """A file that cannot sign by itself: encrypted by OpenSSH, or the handle of a security key."""
    for place in _in_agent():
        if place.public == public:
            return place
    where = f"in {path}"
    if ask is None and not public.sk:
        return Candidate(where, public, trouble=f"{problem}, and ssh-agent does not hold it")
    return Candidate(where, public, open=lambda: KeygenSigner(public, path))
