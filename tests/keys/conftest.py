"""Real OpenSSH tools, and keys made by them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatesh.keys.publickey import PublicKey


@dataclass(frozen=True)
class KeyFile:
    """A key pair that `ssh-keygen` made."""

    path: Path

    @property
    def public(self) -> PublicKey:
        return PublicKey.from_line(self.path.with_name(self.path.name + ".pub").read_text())


@pytest.fixture
def ssh_keygen() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")

    def run(*args: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["ssh-keygen", *map(str, args)], input=stdin, capture_output=True, timeout=30
        )

    return run


@pytest.fixture
def new_key(ssh_keygen, tmp_path) -> Callable[..., KeyFile]:
    def make(name: str = "id", passphrase: str = "", kind: str = "ed25519") -> KeyFile:
        path = tmp_path / name
        made = ssh_keygen("-q", "-t", kind, "-N", passphrase, "-C", f"{name}@test", "-f", path)
        assert made.returncode == 0, made.stderr
        return KeyFile(path)

    return make
