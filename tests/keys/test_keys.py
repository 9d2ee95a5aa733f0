"""Keys in files: made by gatesh or by OpenSSH, and read by both."""

from __future__ import annotations

import base64
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from gatesh.errors import KeyTrouble, UsageError
from gatesh.keys import generate, keyfile, opensshkey, privatefile
from gatesh.keys.keyfile import Cost
from gatesh.keys.opensshkey import NotPlain, PrivateKey
from gatesh.keys.publickey import SK_ED25519, BadKey, PublicKey
from gatesh.keys.sshwire import string

SEED = bytes(range(32))
KEY = PrivateKey.from_seed(SEED, "bob@test")
PUBLIC = KEY.public
CHEAP = Cost(operations=1, kib=8)  # stored in the header, so a real file stays as dear as it was


def line(*fields: bytes, kind: str = "ssh-ed25519") -> str:
    return f"{kind} {base64.b64encode(b''.join(map(string, fields))).decode()}"


# ---- public keys -----------------------------------------------------------


def test_fingerprints_are_those_of_ssh_keygen(ssh_keygen, new_key):
    """
    People compare them over the telephone.
    """
    key = new_key()

    printed = ssh_keygen("-l", "-f", f"{key.path}.pub").stdout.decode()

    assert printed.split()[1] == key.public.fingerprint


def test_a_public_key_survives_its_line():
    assert PublicKey.from_line(PUBLIC.line("bob's laptop")) == PUBLIC
    token = PublicKey(SK_ED25519, PUBLIC.point, "ssh:")
    assert PublicKey.from_line(token.line()) == token
    assert token.fingerprint != PUBLIC.fingerprint


# The small-order points, their non-canonical spellings, and points outside the main subgroup.
# fmt: off
UNSOUND = {
    "order 1":                      "0100000000000000000000000000000000000000000000000000000000000000",
    "order 2":                      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order 4":                      "0000000000000000000000000000000000000000000000000000000000000000",
    "order 4, other sign":          "0000000000000000000000000000000000000000000000000000000000000080",
    "order 8":                      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, other sign":          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order 8, the other":           "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 8, the other, sign":     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "order 1, spelt otherwise":     "0100000000000000000000000000000000000000000000000000000000000080",
    "order 1 plus the prime":       "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order 4 plus the prime":       "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "not on the curve":             "0200000000000000000000000000000000000000000000000000000000000000",
    "31 bytes":                     "58" * 31,
    "33 bytes":                     "58" * 33,
}
# fmt: on


@pytest.mark.parametrize("point", UNSOUND.values(), ids=UNSOUND.keys())
def test_a_key_under_which_anybody_can_sign_is_refused(point):
    """
    Under a small-order key one signature verifies for many messages, with no secret at all.
    """
    with pytest.raises(BadKey, match=r"not a sound Ed25519 point"):
        PublicKey.from_line(line(b"ssh-ed25519", bytes.fromhex(point)))


def test_a_point_with_a_small_order_part_is_refused():
    """
    Such a key is somebody's, yet strict and lenient verifiers would disagree about it.
    """
    from nacl.bindings import crypto_core_ed25519_add

    eighth = bytes.fromhex(UNSOUND["order 8"])
    mixed = crypto_core_ed25519_add(PUBLIC.point, eighth)

    with pytest.raises(BadKey, match=r"not a sound"):
        PublicKey("ssh-ed25519", mixed)


# fmt: off
BAD_LINES = {
    "nothing":             "",
    "one word":            "ssh-ed25519",
    "two lines":           PUBLIC.line() + PUBLIC.line(),
    "RSA":                 line(b"ssh-rsa", b"\3", b"\5", kind="ssh-rsa"),
    "RSA under our name":  line(b"ssh-rsa", b"\3", b"\5"),
    "no padding":          PUBLIC.text.rstrip("=") + "A",
    "bytes after":         line(b"ssh-ed25519", PUBLIC.point, b""),
    "cut short":           PUBLIC.text[:-4],
    "a site's token":      line(SK_ED25519.encode(), PUBLIC.point, b"https://x", kind=SK_ED25519),
    "not base64":          "ssh-ed25519 !!!!",
    "not ASCII":           "ssh-ed25519 ÄÄÄÄ",
    "a private key":       "-----BEGIN OPENSSH PRIVATE KEY-----",
}
# fmt: on


@pytest.mark.parametrize("text", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_what_is_not_one_ed25519_public_key_is_refused(text):
    with pytest.raises(BadKey):
        PublicKey.from_line(text)


# ---- OpenSSH private key files ---------------------------------------------


def test_a_key_file_of_ssh_keygen_is_read(new_key):
    key = new_key("bob")

    found = opensshkey.parse(key.path.read_bytes())

    assert (found.public, found.comment) == (key.public, "bob@test")


def test_an_encrypted_key_file_says_which_key_it_is(new_key):
    key = new_key(passphrase="correct horse")

    with pytest.raises(NotPlain, match="encrypted") as caught:
        opensshkey.parse(key.path.read_bytes())

    assert caught.value.public == key.public


def test_an_rsa_key_file_is_refused(new_key):
    with pytest.raises(KeyTrouble, match="'ssh-rsa' is not accepted"):
        opensshkey.parse(new_key(kind="rsa").path.read_bytes())


def test_a_key_file_with_a_foreign_public_half_is_refused(new_key):
    """
    Signing under another public key than the seed's own gives the seed away.
    """
    one, other = new_key("one"), new_key("other")
    lines = one.path.read_text().splitlines()
    blob = base64.b64decode("".join(lines[1:-1]))
    swapped = blob.replace(one.public.point, other.public.point)
    text = base64.b64encode(swapped).decode()

    with pytest.raises(KeyTrouble, match="do not belong together"):
        opensshkey.parse(f"{lines[0]}\n{text}\n{lines[-1]}\n".encode())


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_key_file_is_refused_and_never_crashes(data):
    blob = bytearray(base64.b64decode(_plain_file()))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= 1 << data.draw(st.integers(0, 7))
    text = base64.b64encode(bytes(blob)).decode()

    try:
        found = opensshkey.parse(
            f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n".encode()
        )
    except KeyTrouble:
        return
    assert found.seed == SEED  # only the comment and the key derivation's options are unprotected


def _plain_file() -> bytes:
    """What ssh-keygen would write for KEY, without a passphrase."""
    secret = b"\1\2\3\4" * 2 + string(b"ssh-ed25519") + string(PUBLIC.point)
    secret += string(SEED + PUBLIC.point) + string(b"bob@test")
    secret += bytes(range(1, 1 + -len(secret) % 8))
    head = b"openssh-key-v1\0" + string(b"none") * 2 + string(b"") + (1).to_bytes(4, "big")
    return base64.b64encode(head + string(PUBLIC.blob) + string(secret))


def test_printing_a_key_does_not_show_its_secret():
    """
    A traceback or a debug log is not a place for a seed.
    """
    assert SEED.hex() not in repr(KEY)
    assert repr(SEED)[2:-1] not in repr(KEY)
    assert "SigningKey" not in repr(KEY)


# ---- gatesh's own encrypted files ------------------------------------------


def test_a_locked_key_opens_with_its_passphrase_alone():
    data = keyfile.lock(KEY, "correct horse", CHEAP)
    found = keyfile.parse(data)

    assert (found.public, found.comment, found.cost) == (PUBLIC, "bob@test", CHEAP)
    assert found.unlock("correct horse").seed == SEED
    with pytest.raises(KeyTrouble, match="wrong passphrase"):
        found.unlock("correct horsE")


def test_nothing_secret_stands_in_the_file_and_no_two_are_alike():
    one, other = (keyfile.lock(KEY, "correct horse", CHEAP) for _ in range(2))

    for spelling in (SEED, SEED.hex().encode(), base64.b64encode(SEED), b"correct"):
        assert spelling not in one
    assert one.splitlines()[2] != other.splitlines()[2]


def test_by_default_a_guess_costs_256_mib():
    assert Cost() == Cost(operations=3, kib=262144)


def test_a_file_with_another_public_half_is_refused():
    """
    The header is not inside the box; it must still not make the seed sign as another key.
    """
    other = PrivateKey.from_seed(bytes(32)).public
    data = keyfile.lock(KEY, "x", CHEAP).replace(PUBLIC.text.encode(), other.text.encode())

    with pytest.raises(KeyTrouble, match="differ"):
        keyfile.parse(data).unlock("x")


GOOD = keyfile.lock(KEY, "x", CHEAP)
# fmt: off
DAMAGED = {
    "version 2":            GOOD.replace(b"/v1", b"/v2"),
    "a line missing":       GOOD[: GOOD.rindex(b"\n", 0, -1) + 1],
    "a line too many":      GOOD + b"x\n",
    "no last newline":      GOOD[:-1],
    "another derivation":   GOOD.replace(b"argon2id", b"scrypt"),
    "too much memory":      GOOD.replace(b"argon2id 1 8 ", b"argon2id 1 99999999 "),
    "too many passes":      GOOD.replace(b"argon2id 1 8 ", b"argon2id 999 8 "),
    "no memory":            GOOD.replace(b"argon2id 1 8 ", b"argon2id 1 0 "),
    "another key type":     GOOD.replace(b"ssh-ed25519 ", b"ssh-rsa "),
    "not UTF-8":            GOOD.replace(b"bob@test", b"\xff"),
    "a short salt":         re.sub(rb"(argon2id 1 8 )\S+", rb"\1AAAA", GOOD),
    "nothing":              b"",
}
# fmt: on


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_key_file_of_any_other_form_is_refused(data):
    with pytest.raises(KeyTrouble):
        keyfile.parse(data)


def test_an_empty_passphrase_is_refused():
    with pytest.raises(KeyTrouble, match="protects nothing"):
        keyfile.lock(KEY, "", CHEAP)


# ---- files that hold secrets -----------------------------------------------


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(0o600)
    return path


def test_a_private_file_is_read(secret_file):
    assert privatefile.read(secret_file, what="key") == b"x"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777])
def test_a_secret_that_others_could_have_is_refused(secret_file, mode):
    secret_file.chmod(mode)

    with pytest.raises(KeyTrouble, match="open to others"):
        privatefile.read(secret_file, what="key")
    with pytest.raises(KeyTrouble, match="open to others"):
        privatefile.read(secret_file, what="key", strict=False)


def test_links_are_refused_where_nobody_has_reason_to_make_them(secret_file, tmp_path):
    (tmp_path / "link").symlink_to(secret_file)
    with pytest.raises(KeyTrouble, match="is a link"):
        privatefile.read(tmp_path / "link", what="key")
    assert privatefile.read(tmp_path / "link", what="key", strict=False) == b"x"

    os.link(secret_file, tmp_path / "second")
    with pytest.raises(KeyTrouble, match="second name"):
        privatefile.read(secret_file, what="key")


def test_what_is_not_a_file_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "fifo", 0o600)

    for name in ("fifo", "."):
        with pytest.raises(KeyTrouble, match="not a regular file"):
            privatefile.read(tmp_path / name, what="key")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_accounts_file_is_refused(secret_file):
    os.chown(secret_file, 12345, -1)

    with pytest.raises(KeyTrouble, match="belongs to uid 12345"):
        privatefile.read(secret_file, what="key")


def test_creating_never_overwrites_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "key"

    assert privatefile.create(path, b"first")
    assert not privatefile.create(path, b"second")

    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert os.listdir(tmp_path) == ["key"]


# ---- new keys --------------------------------------------------------------


def make(directory, **changes):
    arguments = {
        "directory": directory,
        "comment": "bob@example.com",
        "passphrase": lambda: "correct horse",
        "use_keyring": False,
        "cost": CHEAP,
    }
    return generate.new("bob", **{**arguments, **changes})


def test_a_new_key_is_a_pub_file_for_others_and_a_locked_file_for_oneself(tmp_path, ssh_keygen):
    made = make(tmp_path / "keys")

    assert (
        ssh_keygen("-l", "-f", made.pub_file).stdout.split()[1].decode() == made.public.fingerprint
    )
    assert made.pub_file.read_text().endswith(" bob@example.com\n")
    locked = keyfile.parse(privatefile.read(tmp_path / "keys" / "bob.key", what="key"))
    assert locked.unlock("correct horse").public == made.public
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_no_two_new_keys_are_alike(tmp_path):
    assert make(tmp_path / "a").public != make(tmp_path / "b").public


def test_an_existing_key_is_never_overwritten(tmp_path):
    made = make(tmp_path)
    before = (tmp_path / "bob.key").read_bytes()

    with pytest.raises(KeyTrouble, match="exists already"):
        make(tmp_path)
    made.pub_file.unlink()
    with pytest.raises(KeyTrouble, match="exists already"):
        make(tmp_path)

    assert (tmp_path / "bob.key").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../bob", ".bob", "a b", "x" * 65])
def test_the_name_of_a_key_is_no_path(tmp_path, name):
    with pytest.raises(UsageError):
        generate.new(
            name, directory=tmp_path, comment="", passphrase=lambda: "x", use_keyring=False
        )


def test_a_comment_cannot_smuggle_in_a_second_line(tmp_path):
    with pytest.raises(UsageError):
        make(tmp_path, comment="bob\nssh-ed25519 AAAA")


def test_without_keyring_and_passphrase_no_key_is_made(tmp_path):
    """
    A key that nobody protects is worse than none.
    """
    with pytest.raises(KeyTrouble, match="nobody can be asked"):
        make(tmp_path, passphrase=None)

    assert os.listdir(tmp_path) == []


def test_a_seed_is_all_a_key_needs():
    assert bytes(SigningKey(SEED).verify_key) == PUBLIC.point
