"""The operating system's keyring, used only when it really keeps what it is given.

`keyring` also offers backends that forget (null), fail, keep plain text or prompt on standard
input; and its chainer may pick any of these.  So the backend is known by name, and a trial value
is written, read back and deleted before a key is trusted to it.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import Any

from gatesh.errors import KeyTrouble

# Class by class: a new backend is used once somebody has looked at it, not before.
_REAL = {
    "keyring.backends.SecretService.Keyring": "Secret Service",
    "keyring.backends.kwallet.DBusKeyring": "KWallet",
    "keyring.backends.libsecret.Keyring": "Secret Service",
    "keyring.backends.macOS.Keyring": "macOS Keychain",
    "keyring.backends.Windows.WinVaultKeyring": "Windows Credential Locker",
}
_CHAINER = "keyring.backends.chainer.ChainerBackend"
# Those that answer without ever asking a person; Secret Service only when it is unlocked.
_SILENT = {"macOS Keychain", "Windows Credential Locker"}


@dataclass(frozen=True, slots=True)
class OsKeyring:
    """A keyring that was seen to keep a value.  `name` is what people call it."""

    name: str
    _backend: Any

    @classmethod
    def open(cls, *, silent: bool = False) -> OsKeyring:
        """Return the keyring; raise `KeyTrouble` saying why there is none to use.

        With *silent*, refuse one that might ask a person something first.
        """
        found = cls._choose(silent)
        found._try_out()
        return found

    @classmethod
    def _choose(cls, silent: bool) -> OsKeyring:
        try:
            import keyring
        except ImportError as problem:
            raise KeyTrouble(f"no keyring: {problem}") from None
        try:
            backend: Any = keyring.get_keyring()
        except Exception as problem:  # backends raise what they like while being chosen
            raise KeyTrouble(f"no keyring: {problem}") from None
        refused = _class_name(backend)
        if refused == _CHAINER:
            # Its first member is where a value would land; the chain itself is never used.
            members = list(backend.backends)
            backend = next((b for b in members if _class_name(b) in _REAL), None)
        name = _REAL.get(_class_name(backend))
        if name is None:
            raise KeyTrouble(f"no real keyring: {refused} does not keep secrets safely")
        if silent and not _answers_silently(name):
            raise KeyTrouble(f"the {name} is locked or would ask a person first")
        return cls(name, backend)

    def _try_out(self) -> None:
        trial, value = f"trial-{secrets.token_hex(8)}", secrets.token_hex(16)
        try:
            self._backend.set_password("gatesh", trial, value)
            kept = self._backend.get_password("gatesh", trial)
        except Exception as problem:
            raise KeyTrouble(f"the {self.name} does not work: {problem}") from None
        finally:
            self.delete("gatesh", trial)
        if kept != value:
            raise KeyTrouble(f"the {self.name} does not keep what it is given")

    def get(self, service: str, name: str) -> str | None:
        """Return the secret kept under *name*, or None."""
        try:
            found = self._backend.get_password(service, name)
        except Exception as problem:
            raise KeyTrouble(f"the {self.name} does not answer: {problem}") from None
        return None if found is None else str(found)

    def put(self, service: str, name: str, secret: str) -> None:
        """Keep *secret* under *name*, and make sure of it."""
        try:
            self._backend.set_password(service, name, secret)
        except Exception as problem:
            raise KeyTrouble(f"the {self.name} does not accept the key: {problem}") from None
        if self.get(service, name) != secret:
            raise KeyTrouble(f"the {self.name} does not keep what it is given")

    def delete(self, service: str, name: str) -> None:
        """Forget what is kept under *name*, if anything is."""
        with contextlib.suppress(Exception):
            self._backend.delete_password(service, name)


def _class_name(backend: Any) -> str:
    kind = type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"


def _answers_silently(name: str) -> bool:
    if name in _SILENT:
        return True
    if name != "Secret Service":
        return False
    try:
        import secretstorage.collection as secretstorage
        from secretstorage import dbus_init

        connection = dbus_init()
        try:
            # By alias: `get_default_collection` would make a missing one, which asks a person.
            found = secretstorage.get_collection_by_alias(connection, "default")
            return not found.is_locked()
        finally:
            connection.close()
    except Exception:  # whatever is wrong with it: then it is not a keyring that just answers
        return False
