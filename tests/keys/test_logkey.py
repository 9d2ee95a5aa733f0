"""The ledger's key: one for each log, for its whole life, readable by the broker alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gatesh.errors import KeyTrouble
from gatesh.keys import logkey
from gatesh.keys.logkey import LogKey

VKEY = (Path(__file__).parents[1] / "vectors" / "ledger" / "vkey").read_text().strip()


def opened(directory: Path, host: str = "build7") -> LogKey:
    return LogKey.open(directory, host, use_keyring=False)


@pytest.fixture
def state(tmp_path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_the_key_is_made_once_and_found_again(state):
    first, second = opened(state), opened(state)

    assert (first.origin, first.public) == (second.origin, second.public)
    path = state / "log.key"
    assert path.stat().st_mode & 0o7777 == 0o600
    head, seed = path.read_text().splitlines()
    assert head == f"gatesh-log-key/v1 file {first.origin}"
    assert len(bytes.fromhex(seed)) == 32


def test_its_name_follows_the_format(state):
    key = opened(state)

    assert key.origin == f"build7/gatesh/{hashlib.sha256(key.public).hexdigest()[:8]}"
    name, number, _ = key.vkey.split("+", 2)
    assert (name, bytes.fromhex(number)) == (key.origin, logkey.key_id(key.origin, key.public))


def test_the_verifier_key_is_spelt_as_other_software_spells_it():
    """
    The vector was made by OpenSSL and the signed-note specification.
    """
    import base64

    name, _, encoded = VKEY.split("+", 2)

    assert logkey.vkey_of(name, base64.b64decode(encoded)[1:]) == VKEY


def test_its_signatures_verify_elsewhere(state):
    key = opened(state)

    Ed25519PublicKey.from_public_bytes(key.public).verify(key.sign(b"note"), b"note")
    assert len(key.sign(b"note")) == 64


def test_a_renamed_machine_keeps_its_logs_name(state):
    """
    Otherwise the first checkpoint after a rename would belong to another log.
    """
    assert opened(state).origin == opened(state, "renamed").origin


def test_salts_differ_by_purpose_and_by_log(state, tmp_path):
    (tmp_path / "other").mkdir(mode=0o700)
    key, other = opened(state), opened(tmp_path / "other")

    assert key.secret("env") == opened(state).secret("env")
    assert len({key.secret("env"), key.secret("x"), other.secret("env")}) == 3


def test_no_second_key_is_made_for_a_log_that_lost_its_own(state):
    """
    A new key under an old log would look exactly like somebody who took it over.
    """
    (state / "ledger").mkdir()
    (state / "ledger" / "log.jsonl").touch()

    with pytest.raises(KeyTrouble, match="no second key"):
        opened(state)

    assert not (state / "log.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o700 | 0o050])
def test_a_key_that_others_could_read_is_refused(state, mode):
    opened(state)
    (state / "log.key").chmod(mode)

    with pytest.raises(KeyTrouble, match="open to others"):
        opened(state)


def test_a_directory_that_others_can_write_is_refused(state):
    state.chmod(0o770)

    with pytest.raises(KeyTrouble, match="can be written by others"):
        opened(state)


def test_a_link_in_place_of_the_key_is_refused(state):
    opened(state)
    (state / "log.key").rename(state / "elsewhere")
    (state / "log.key").symlink_to("elsewhere")

    with pytest.raises(KeyTrouble, match="is a link"):
        opened(state)


# fmt: off
BROKEN = {
    "empty":             "",
    "cut off":           "gatesh-log-key/v1 file h/gatesh/00000000\n",
    "a short seed":      "gatesh-log-key/v1 file h/gatesh/00000000\n00\n",
    "another version":   "gatesh-log-key/v2 file h/gatesh/00000000\n" + "00" * 32 + "\n",
    "another key":       "gatesh-log-key/v1 file h/gatesh/00000000\n" + "00" * 32 + "\n",
    "a plus in it":      "gatesh-log-key/v1 file h+/gatesh/00000000\n" + "00" * 32 + "\n",
}
# fmt: on


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_damaged_key_is_refused_and_left_as_it_is(state, text):
    (state / "log.key").write_text(text)
    (state / "log.key").chmod(0o600)

    with pytest.raises(KeyTrouble):
        opened(state)

    assert (state / "log.key").read_text() == text


@pytest.mark.parametrize("host", ["", "a b", "a+b", "a\nb", "../x", "x" * 300])
def test_a_host_name_that_cannot_stand_in_a_checkpoint_is_refused(state, host):
    with pytest.raises(KeyTrouble, match="cannot be part of a log's name"):
        opened(state, host)


def test_brokers_that_start_at_once_agree_on_one_key(state):
    """
    Fifty first clients may start more than one broker; only one key may come of it.
    """
    code = (
        "import sys; from pathlib import Path; from gatesh.keys.logkey import LogKey;"
        "print(LogKey.open(Path(sys.argv[1]), 'h', use_keyring=False).origin)"
    )
    command = [sys.executable, "-c", code, str(state)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]

    origins = {process.communicate(timeout=60)[0] for process in started}

    assert len(origins) == 1
    assert os.listdir(state) == ["log.key"]


def test_printing_it_does_not_show_its_secret(state):
    key = opened(state)
    seed = (state / "log.key").read_text().splitlines()[1]

    assert seed not in repr(key)
    assert "SigningKey" not in repr(key)


def test_the_next_key_takes_over_and_the_one_before_is_gone(state):
    """
    Whoever gets hold of the machine later has no key to add to a finished log with.
    """
    old = LogKey.open(state, "build7", use_keyring=False)
    following = LogKey.next(state, "build7", use_keyring=False)
    assert following.vkey == LogKey.next(state, "build7", use_keyring=False).vkey != old.vkey
    secret = (state / "log.key").read_bytes()

    for _ in range(2):  # a crash behind it only means that it is done again
        LogKey.take_over(state, following.vkey)
        assert LogKey.open(state, "build7", use_keyring=False).vkey == following.vkey

    assert [path.name for path in state.iterdir()] == ["log.key"]
    assert (state / "log.key").read_bytes() != secret


def test_a_key_that_the_finished_log_has_not_named_does_not_take_over(state):
    """
    Else whoever can write one file chooses the next log's key.
    """
    old = LogKey.open(state, "build7", use_keyring=False)
    named = LogKey.next(state, "build7", use_keyring=False)
    (state / "next.key").unlink()
    with pytest.raises(KeyTrouble, match="not the key that the finished log names"):
        LogKey.take_over(state, named.vkey)
    LogKey.next(state, "build7", use_keyring=False)
    with pytest.raises(KeyTrouble, match="not the key that the finished log names"):
        LogKey.take_over(state, named.vkey)

    assert LogKey.open(state, "build7", use_keyring=False).vkey == old.vkey


def test_no_key_is_made_anew_while_there_are_finished_logs(state):
    (state / "ledger.000000").mkdir()
    (state / "ledger.000000" / "log.jsonl").touch()

    with pytest.raises(KeyTrouble, match="makes no second key"):
        LogKey.open(state, "build7", use_keyring=False)
