"""The OS keyring: a real Secret Service is used, and whatever only looks like one is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gatesh.errors import KeyTrouble
from gatesh.keys.oskeyring import OsKeyring

CHOOSE = """
from gatesh.keys.oskeyring import OsKeyring
from gatesh.errors import KeyTrouble
try:
    print("opened", OsKeyring.open(silent=SILENT).name)
except KeyTrouble as trouble:
    print("refused:", trouble)
"""


def python(code: str, tmp_path: Path, **environment: str) -> str:
    """Run *code* in a process that has only this environment; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- backends that are none ------------------------------------------------

BACKENDS = """
from keyring.backend import KeyringBackend
class PlaintextKeyring(KeyringBackend):
    priority = 9
    kept = {}
    def get_password(self, service, name): return self.kept.get((service, name))
    def set_password(self, service, name, secret): self.kept[service, name] = secret
    def delete_password(self, service, name): del self.kept[service, name]
"""


@pytest.mark.parametrize(
    "backend",
    ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "mine.PlaintextKeyring"],
)
@pytest.mark.parametrize("silent", [True, False])
def test_a_backend_that_forgets_fails_or_keeps_plain_text_is_refused(tmp_path, backend, silent):
    """
    `null` says yes to everything and keeps nothing: a key would be silently lost.
    """
    (tmp_path / "mine.py").write_text(BACKENDS)

    said = python(
        CHOOSE.replace("SILENT", str(silent)),
        tmp_path,
        PYTHON_KEYRING_BACKEND=backend,
        PYTHONPATH=str(tmp_path),
    )

    assert said.startswith(f"refused: no real keyring: {backend} ")


def test_a_chain_of_such_backends_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text(BACKENDS)
    code = "import mine, keyring; keyring.set_keyring(keyring.backends.chainer.ChainerBackend())\n"

    said = python(
        "import keyring.backends.chainer\n" + code + CHOOSE.replace("SILENT", "False"),
        tmp_path,
        PYTHONPATH=str(tmp_path),
    )

    assert said.startswith("refused: no real keyring: keyring.backends.chainer.ChainerBackend ")


def test_a_machine_without_any_keyring_is_no_trouble(tmp_path):
    """
    Headless servers have none; a key file takes its place.
    """
    assert python(CHOOSE.replace("SILENT", "True"), tmp_path).startswith("refused: no")


class Forgetful:
    """Accepts everything, as a broken service may."""

    def set_password(self, service, name, secret):
        pass

    def get_password(self, service, name):
        return None

    def delete_password(self, service, name):
        pass


class Locked(Forgetful):
    def set_password(self, service, name, secret):
        raise RuntimeError("Prompt dismissed")


@pytest.mark.parametrize(
    ("backend", "problem"), [(Forgetful(), "does not keep"), (Locked(), "Prompt dismissed")]
)
def test_a_trial_value_is_written_and_read_before_a_key_is_trusted_to_it(
    monkeypatch, backend, problem
):
    monkeypatch.setattr(OsKeyring, "_choose", classmethod(lambda cls, s: cls("Test", backend)))

    with pytest.raises(KeyTrouble, match=problem):
        OsKeyring.open()
    with pytest.raises(KeyTrouble, match=problem):
        OsKeyring("Test", backend).put("gatesh", "x", "secret")


def test_importing_gatesh_keys_does_not_import_keyring(tmp_path):
    """
    75 ms and a walk over all installed packages, paid only by those who use a keyring.
    """
    code = "import sys, gatesh.keys.signers, gatesh.keys.logkey; print('keyring' in sys.modules)"

    assert python(code, tmp_path) == "False\n"


# ---- a real Secret Service -------------------------------------------------


@pytest.fixture
def secret_service(tmp_path):
    """Run Python code inside a session bus with an unlocked gnome-keyring."""
    for program in ("dbus-run-session", "gnome-keyring-daemon"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)

    def run(code: str, unlock: bool = True) -> str:
        (tmp_path / "code.py").write_text(textwrap.dedent(code))
        start = "printf 'secret' | gnome-keyring-daemon --unlock --components=secrets >/dev/null"
        if not unlock:
            start = "gnome-keyring-daemon --start --components=secrets >/dev/null"
        done = subprocess.run(
            ["dbus-run-session", "--", "sh", "-c", f"{start}; exec '{sys.executable}' code.py"],
            cwd=tmp_path,
            env={
                "HOME": str(tmp_path),
                "XDG_RUNTIME_DIR": str(runtime),
                "PATH": os.environ["PATH"],
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_secret_service_keeps_a_persons_key(secret_service, tmp_path):
    """
    Made by `gatesh keys new`, found again without a word, never written to a file.
    """
    said = secret_service("""
        import os
        from pathlib import Path
        from gatesh.keys import generate, signers, sshsig
        made = generate.new("bob", directory=Path("keys"), comment="", passphrase=None,
                            use_keyring=True)
        print(made.kept, sorted(os.listdir("keys")))
        for choice in (None, "keyring"):
            signer = signers.find(choice, ask_passphrase=None)
            armor = signer.sshsig(b"hello", "decision.v1@gatesh")
            print(sshsig.verify(armor, b"hello", "decision.v1@gatesh") == made.public)
        try:
            generate.new("two", directory=Path("keys"), comment="", passphrase=None,
                         use_keyring=True)
        except Exception as trouble:
            print(trouble)
    """)

    assert said.splitlines() == [
        "the Secret Service ['bob.pub']",
        "True",
        "True",
        "the Secret Service holds a key of gatesh already",
    ]


def test_the_secret_service_keeps_the_logs_key(secret_service, tmp_path):
    """
    `log.key` then only says where it is; without the service no second key is made.
    """
    said = secret_service("""
        from pathlib import Path
        from gatesh.keys.logkey import LogKey
        Path("state").mkdir(mode=0o700)
        one, two = (LogKey.open(Path("state"), "h", use_keyring=True) for _ in range(2))
        print(one.kept, one.public == two.public, two.origin)
    """).split()

    assert said[:4] == ["the", "Secret", "Service", "True"]
    head, name = (tmp_path / "state" / "log.key").read_text().splitlines()
    assert head == f"gatesh-log-key/v1 keyring {said[4]}"
    assert name.startswith("log-")
    from gatesh.keys.logkey import LogKey

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
        with pytest.raises(KeyTrouble):
            LogKey.open(tmp_path / "state", "h", use_keyring=True)


@pytest.mark.parametrize("existing", [True, False], ids=["locked", "never made"])
def test_a_keyring_that_would_ask_is_not_used_for_the_logs_key(secret_service, existing):
    """
    A broker has nobody to answer a prompt: it takes a file instead of hanging on one.
    """
    if existing:
        secret_service("from gatesh.keys.oskeyring import OsKeyring; OsKeyring.open()")

    said = secret_service(
        """
        from pathlib import Path
        from gatesh.keys.logkey import LogKey
        from gatesh.keys.oskeyring import OsKeyring
        Path("state").mkdir(mode=0o700)
        print(LogKey.open(Path("state"), "h", use_keyring=True).kept)
        try:
            OsKeyring.open(silent=True)
        except Exception as trouble:
            print(trouble)
        """,
        unlock=False,
    )

    assert said.splitlines() == [
        "state/log.key",
        "the Secret Service is locked or would ask a person first",
    ]


def test_nothing_of_the_trial_is_left_in_the_keyring(secret_service):
    said = secret_service("""
        import secretstorage
        from gatesh.keys.oskeyring import OsKeyring
        OsKeyring.open()
        bus = secretstorage.dbus_init()
        print(len(list(secretstorage.get_default_collection(bus).get_all_items())))
    """)

    assert said == "0\n"
