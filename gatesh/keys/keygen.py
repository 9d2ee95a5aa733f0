"""Signing through `ssh-keygen -Y sign`, with ssh-keygen's own questions on the terminal.

For private keys that only OpenSSH can open: those with a passphrase of its own, and those in
security keys.  gatesh never sees the passphrase.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gatesh.errors import KeyTrouble, Refused
from gatesh.keys import sshsig
from gatesh.keys.publickey import PublicKey

_SECONDS = 300  # for a person to type a passphrase and touch a key


@dataclass(frozen=True, slots=True)
class KeygenSigner:
    """A private key file that `ssh-keygen` signs with."""

    public: PublicKey
    path: Path

    def sshsig(self, message: bytes, namespace: str) -> bytes:
        """Return the armored, verified signature of *message*.

        Raises `KeyTrouble` if the person gives up or ssh-keygen signs with something else.
        """
        # Through a file, not standard input: that one stays the person's, for the passphrase.
        with tempfile.TemporaryDirectory(prefix="gatesh-sign-") as directory:
            source = Path(directory, "message")
            source.write_bytes(message)
            command = ["ssh-keygen", "-q", "-Y", "sign", "-f", os.path.abspath(self.path)]
            try:
                done = subprocess.run(
                    [*command, "-n", namespace, str(source)],
                    stdout=subprocess.DEVNULL,
                    timeout=_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as problem:
                raise KeyTrouble(f"ssh-keygen could not sign: {problem}") from None
            made = Path(directory, "message.sig")
            if done.returncode != 0 or not made.exists():
                raise KeyTrouble(
                    f"ssh-keygen did not sign with {self.path}",
                    hint=f"load it once with `ssh-add {self.path}`",
                )
            armor = made.read_bytes()
        try:
            signer = sshsig.verify(armor, message, namespace)
        except Refused as problem:
            raise KeyTrouble(f"ssh-keygen signed in a way not accepted here: {problem}") from None
        if signer != self.public:
            raise KeyTrouble(f"ssh-keygen signed with another key: {signer.fingerprint}")
        return armor

    def describe(self) -> str:
        """Say in words where the key is."""
        return f"{self.public.fingerprint} in {self.path}, through ssh-keygen"
