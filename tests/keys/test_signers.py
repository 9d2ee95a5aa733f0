"""Which key signs: real ssh-agent, real ssh-keygen, and agents that misbehave."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from gatesh.errors import KeyTrouble
from gatesh.keys import generate, signers, sshsig
from gatesh.keys.agent import Agent
from gatesh.keys.keyfile import Cost
from gatesh.keys.keygen import KeygenSigner
from gatesh.keys.oskeyring import OsKeyring
from gatesh.keys.sshwire import string, u32

NAMESPACE = "decision.v1@gatesh"
CHEAP = Cost(operations=1, kib=8)


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    """No agent, no keyring, an empty home: what a test needs it brings."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GATESH_HOME", str(tmp_path / "gatesh"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    def none(*, silent: bool = False) -> OsKeyring:
        raise KeyTrouble("no real keyring: test")

    monkeypatch.setattr(OsKeyring, "open", none)


@pytest.fixture
def ssh_add(tmp_path, monkeypatch):
    """A real agent; call it with a key file to load one."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("ssh-agent is not installed")
    path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    while not path.exists() and agent.poll() is None:
        pass
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))

    def add(key_file: Path, *options: str) -> None:
        subprocess.run(["ssh-add", "-q", *options, str(key_file)], check=True)

    yield add
    agent.terminate()
    agent.wait(timeout=10)


def find(choice=None, **options):
    return signers.find(str(choice) if choice else None, ask_passphrase=None, **options)


def signs(signer) -> bool:
    """Whether its signature verifies, here and as the key that it says it is."""
    armor = signer.sshsig(b"hello", NAMESPACE)
    return sshsig.verify(armor, b"hello", NAMESPACE) == signer.public


def new(directory: Path, name: str = "bob") -> generate.NewKey:
    return generate.new(
        name,
        directory=directory,
        comment="",
        passphrase=lambda: "correct horse",
        use_keyring=False,
        cost=CHEAP,
    )


# ---- a key by name ---------------------------------------------------------


def test_a_private_key_file_signs(new_key):
    key = new_key()

    signer = find(key.path)

    assert signer.public == key.public
    assert signs(signer)
    assert signer.describe() == f"{key.public.fingerprint} in {key.path}"


def test_a_public_key_signs_through_the_agent(new_key, ssh_add):
    """
    The private half may be nowhere on this disk.
    """
    key = new_key()
    ssh_add(key.path)
    key.path.unlink()

    signer = find(f"{key.path}.pub")

    assert signs(signer)
    assert signer.describe().endswith("in ssh-agent (id@test)")


def test_a_public_key_signs_with_the_file_beside_it(new_key):
    key = new_key()

    assert signs(find(f"{key.path}.pub"))


def test_a_public_key_whose_private_half_is_nowhere_says_what_to_do(new_key):
    key = new_key()
    key.path.unlink()

    with pytest.raises(KeyTrouble, match="neither in ssh-agent nor beside it") as caught:
        find(f"{key.path}.pub")

    assert caught.value.hint == f"load it with `ssh-add {key.path}`"


def test_an_encrypted_openssh_key_signs_through_the_agent_that_holds_it(
    new_key, ssh_add, ssh_keygen, tmp_path
):
    key = new_key(passphrase="correct horse")
    plain = tmp_path / "plain"
    shutil.copy(key.path, plain)
    assert ssh_keygen("-q", "-p", "-P", "correct horse", "-N", "", "-f", plain).returncode == 0
    ssh_add(plain)
    plain.unlink()

    signer = find(key.path)

    assert "ssh-agent" in signer.describe()
    assert signs(signer)


def test_an_encrypted_openssh_key_signs_through_ssh_keygen(new_key, tmp_path, monkeypatch):
    """
    The person types the passphrase to ssh-keygen; here its askpass program does.
    """
    key = new_key(passphrase="correct horse")
    askpass = tmp_path / "askpass"
    askpass.write_text("#!/bin/sh\necho correct horse\n")
    askpass.chmod(0o700)
    monkeypatch.setenv("SSH_ASKPASS", str(askpass))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    monkeypatch.setenv("DISPLAY", ":0")

    signer = signers.find(str(key.path), ask_passphrase=lambda question: "never asked")

    assert isinstance(signer, KeygenSigner)
    assert signs(signer)

    askpass.write_text("#!/bin/sh\necho wrong\n")
    with pytest.raises(KeyTrouble, match="did not sign"):
        signer.sshsig(b"hello", NAMESPACE)


def test_an_encrypted_key_without_anybody_to_ask_is_an_error(new_key):
    with pytest.raises(KeyTrouble, match="ssh-agent does not hold it"):
        find(new_key(passphrase="correct horse").path)


def test_a_key_file_of_gatesh_signs_after_its_passphrase(tmp_path):
    made = new(tmp_path)
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "correct horse"

    signer = signers.find(made.kept, ask_passphrase=ask)

    assert signs(signer)
    assert signer.public == made.public
    assert asked == [f"Passphrase for the key in {made.kept}: "]
    with pytest.raises(KeyTrouble, match="wrong passphrase"):
        signers.find(made.kept, ask_passphrase=lambda question: "no")
    with pytest.raises(KeyTrouble, match="nobody can be asked"):
        find(made.kept)
    assert signers.find(str(made.pub_file), ask_passphrase=ask).public == made.public


def test_a_fingerprint_finds_its_key_wherever_it_is(new_key, ssh_add):
    one, other = new_key("one"), new_key("other")
    ssh_add(one.path)
    ssh_add(other.path)

    assert find(other.public.fingerprint).public == other.public
    with pytest.raises(KeyTrouble, match="no key SHA256:x here"):
        find("SHA256:x")


# fmt: off
NO_KEYS = {
    "nothing":           (None, "no such file"),
    "an RSA key":        ("rsa", "'ssh-rsa' is not accepted"),
    "some text":         (b"hello\n", "not an Ed25519 private key"),
    "readable by all":   (0o644, "open to others"),
}
# fmt: on


@pytest.mark.parametrize(("what", "problem"), NO_KEYS.values(), ids=NO_KEYS.keys())
def test_what_is_no_usable_key_says_why_and_what_to_do(new_key, tmp_path, what, problem):
    path = tmp_path / "id"
    if what == "rsa":
        new_key(kind="rsa")
    elif isinstance(what, bytes):
        path.write_bytes(what)
        path.chmod(0o600)
    elif what:
        new_key().path.chmod(what)

    with pytest.raises(KeyTrouble, match=problem) as caught:
        find(path)

    assert "gatesh keys new" in caught.value.hint


# ---- no key named ----------------------------------------------------------


def test_without_a_choice_the_order_is_kept(new_key, ssh_add, tmp_path):
    """
    gatesh's own key file, then the agent, then ~/.ssh.
    """
    home_key, agent_key = new_key("home_key"), new_key("agent_key")
    (tmp_path / "home" / ".ssh").mkdir()
    shutil.copy(home_key.path, tmp_path / "home" / ".ssh" / "id_ed25519")
    assert find().public == home_key.public

    ssh_add(agent_key.path)
    assert find().public == agent_key.public

    made = new(signers.default_key_dir())
    chosen = signers.find(None, ask_passphrase=lambda question: "correct horse")
    assert chosen.public == made.public


def test_a_key_that_the_roster_knows_comes_first(new_key, ssh_add):
    """
    An agent full of other keys does not get in the way.
    """
    keys = [new_key(name) for name in ("a", "b", "c")]
    for key in keys:
        ssh_add(key.path)

    assert find(enrolled=lambda key: key == keys[2].public).public == keys[2].public
    assert find(enrolled=lambda key: False).public == keys[0].public


def test_without_any_key_the_next_step_is_named():
    with pytest.raises(KeyTrouble, match="no key to sign with") as caught:
        find()

    assert "gatesh keys new" in caught.value.hint


def test_the_survey_says_what_is_where_and_why_not(new_key, tmp_path):
    """
    What `gatesh keys doctor` prints.
    """
    (tmp_path / "home" / ".ssh").mkdir()
    locked = new_key(passphrase="x")
    shutil.copy(locked.path, tmp_path / "home" / ".ssh" / "id_ed25519")

    found = list(signers.survey())

    assert [(place.where, place.trouble) for place in found] == [
        ("OS keyring", "no real keyring: test"),
        ("ssh-agent", "SSH_AUTH_SOCK is not set"),
        (
            f"in {tmp_path}/home/.ssh/id_ed25519",
            "the key file is encrypted, and ssh-agent does not hold it",
        ),
    ]
    assert found[2].public == locked.public


# ---- ssh-agent -------------------------------------------------------------


def test_the_agent_lists_ed25519_keys_and_passes_over_others(new_key, ssh_add):
    key = new_key("mine")
    ssh_add(new_key("rsa", kind="rsa").path)
    ssh_add(key.path)

    assert Agent.from_environment().keys() == ((key.public, "mine@test"),)


def test_a_locked_agent_says_so(new_key, ssh_add, tmp_path, monkeypatch):
    key = new_key()
    ssh_add(key.path)
    signer = find(key.public.fingerprint)
    subprocess.run(["ssh-add", "-q", "-D"], check=True)

    with pytest.raises(KeyTrouble, match="refused"):
        signer.sshsig(b"hello", NAMESPACE)


@pytest.fixture
def fake_agent(tmp_path):
    """An agent that answers every connection with the same bytes, or hangs up."""
    sockets = []

    def start(answer: bytes) -> Agent:
        path = str(tmp_path / f"fake{len(sockets)}")
        server = socket.socket(socket.AF_UNIX)
        sockets.append(server)
        server.bind(path)
        server.listen(1)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return Agent(path)

    yield start
    for server in sockets:
        server.close()


# fmt: off
ANSWERS = {
    "silence":                 b"",
    "half a length":           b"\0\0",
    "no message":              u32(0),
    "a message of 4 GiB":      b"\xff\xff\xff\xff\x0c",
    "less than announced":     u32(100) + b"\x0c",
    "a refusal":               string(b"\x05"),
    "another answer":          string(b"\x0e" + u32(0)),
    "a list without count":    string(b"\x0c"),
    "4 billion keys":          string(b"\x0c\xff\xff\xff\xff"),
    "a key cut short":         string(b"\x0c" + u32(1) + u32(500) + b"x"),
    "bytes after the list":    string(b"\x0c" + u32(0) + b"x"),
}
# fmt: on


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_agent_that_answers_nonsense_is_an_error(fake_agent, answer):
    """
    It may be a forwarded one, on a machine that somebody else runs.
    """
    with pytest.raises(KeyTrouble, match="ssh-agent"):
        fake_agent(answer).keys()


def test_nothing_is_read_of_a_message_that_is_too_long(fake_agent):
    """
    Otherwise an agent could fill the memory of whoever asks it.
    """
    with pytest.raises(KeyTrouble, match="announced a message of 4294967295 bytes"):
        fake_agent(b"\xff\xff\xff\xff\x0c").keys()


def test_a_key_with_a_hostile_comment_is_still_a_key(fake_agent, new_key):
    key = new_key()
    entry = string(key.public.blob) + string(b"\xff\x1b[2K")

    assert fake_agent(string(b"\x0c" + u32(1) + entry)).keys()[0][0] == key.public


def test_an_agent_that_signs_with_something_else_is_noticed(fake_agent, new_key):
    key = new_key()
    junk = string(b"ssh-ed25519") + string(bytes(64))
    agent = fake_agent(string(b"\x0e" + string(junk)))
    signer = signers.BlobSigner(key.public, lambda data: agent.sign(key.public, data), "here")

    with pytest.raises(Exception, match="does not verify"):
        signer.sshsig(b"hello", NAMESPACE)


def test_an_agent_that_is_not_there_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))

    with pytest.raises(KeyTrouble, match="cannot be reached"):
        Agent.from_environment().keys()
    assert (
        "cannot be reached" in next(p for p in signers.survey() if p.where == "ssh-agent").trouble
    )


def test_an_agent_that_never_answers_is_given_up(tmp_path, monkeypatch):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "mute"))
    server.listen(1)
    monkeypatch.setattr("gatesh.keys.agent._LIST_SECONDS", 0.05)

    with server, pytest.raises(KeyTrouble, match="did not answer"):
        Agent(str(tmp_path / "mute")).keys()


def test_where_keys_are_kept_follows_the_configuration(monkeypatch, tmp_path):
    assert signers.default_key_dir() == tmp_path / "gatesh" / "config" / "keys"
    monkeypatch.delenv("GATESH_HOME")
    assert signers.default_key_dir() == Path(os.environ["HOME"]) / ".config" / "gatesh" / "keys"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    assert signers.default_key_dir() == Path("/x/gatesh/keys")
