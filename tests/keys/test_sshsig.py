"""Signatures that strangers can check: gatesh and stock `ssh-keygen` agree, or gatesh is stricter."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from gatesh.errors import Refused
from gatesh.keys import sshsig
from gatesh.keys.publickey import SK_ED25519, PublicKey
from gatesh.keys.sshwire import string, u32

VECTORS = Path(__file__).parents[1] / "vectors" / "decision"
NAMESPACE = "decision.v1@gatesh"
KEY = SigningKey(bytes(range(32)))
PUBLIC = PublicKey("ssh-ed25519", bytes(KEY.verify_key))
TOUCHED = PublicKey(SK_ED25519, bytes(KEY.verify_key), "ssh:")


def plain(data: bytes) -> bytes:
    """What ssh-agent answers for a plain key."""
    return string(b"ssh-ed25519") + string(KEY.sign(data).signature)


def security_key(flags: int = 1, counter: int = 7):
    """An emulated security key; *flags* 1 says somebody touched it."""

    def sign(data: bytes) -> bytes:
        signed = hashlib.sha256(b"ssh:").digest() + bytes([flags]) + u32(counter)
        signature = KEY.sign(signed + hashlib.sha256(data).digest()).signature
        return string(SK_ED25519.encode()) + string(signature) + bytes([flags]) + u32(counter)

    return sign


def armored(*fields: bytes, head: bytes = b"SSHSIG" + u32(1), tail: bytes = b"") -> bytes:
    """Armor for any fields, sound or not."""
    text = base64.b64encode(head + b"".join(map(string, fields)) + tail)
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    frame = b"-----%s SSH SIGNATURE-----"
    return b"\n".join([frame % b"BEGIN", *lines, frame % b"END", b""])


def fields(message: bytes = b"hello") -> list[bytes]:
    inner = plain(sshsig.signed_data(message, NAMESPACE))
    return [PUBLIC.blob, NAMESPACE.encode(), b"", b"sha512", inner]


def why(armor: bytes, message: bytes = b"hello", namespace: str = NAMESPACE) -> str:
    with pytest.raises(Refused) as caught:
        sshsig.verify(armor, message, namespace)
    assert caught.value.why in sshsig.WHY
    return caught.value.why


# ---- with ssh-keygen -------------------------------------------------------


@pytest.mark.parametrize("name", ["good", "reject", "other-request", "after-key-expiry"])
def test_signatures_made_by_ssh_keygen_verify(name):
    """
    The vectors' roster questions are not asked here: bytes, key and namespace hold.
    """
    message = (VECTORS / f"{name}.json").read_bytes()

    signer = sshsig.verify((VECTORS / f"{name}.json.sig").read_bytes(), message, NAMESPACE)

    assert signer.line() == (VECTORS / "bob.pub").read_text()


@pytest.mark.parametrize(
    ("name", "word"),
    [("edited-after-signing", "signature-wrong"), ("wrong-namespace", "namespace-wrong")],
)
def test_bad_vectors_are_refused_for_their_own_reason(name, word):
    message = (VECTORS / f"{name}.json").read_bytes()

    assert why((VECTORS / f"{name}.json.sig").read_bytes(), message) == word


def test_gatesh_writes_the_very_bytes_that_ssh_keygen_writes(ssh_keygen, new_key, tmp_path):
    """
    Ed25519 is deterministic: same key, same message, same file. There is one canonical form.
    """
    from gatesh.keys import opensshkey

    key = new_key()
    message = tmp_path / "message"
    message.write_bytes(b"anything \x00\xff at all")
    assert ssh_keygen("-Y", "sign", "-f", key.path, "-n", NAMESPACE, message).returncode == 0
    private = opensshkey.parse(key.path.read_bytes())

    ours = sshsig.sign(message.read_bytes(), namespace=NAMESPACE, key=key.public, sign=private.sign)

    assert ours == (tmp_path / "message.sig").read_bytes()


@pytest.mark.parametrize(
    ("public", "signer"), [(PUBLIC, plain), (TOUCHED, security_key())], ids=["plain", "sk"]
)
def test_ssh_keygen_accepts_what_gatesh_signs(ssh_keygen, tmp_path, public, signer):
    """
    An auditor has OpenSSH and no gatesh.
    """
    armor = sshsig.sign(b"hello", namespace=NAMESPACE, key=public, sign=signer)
    (tmp_path / "sig").write_bytes(armor)
    (tmp_path / "allowed").write_text(f'bob namespaces="{NAMESPACE}" {public.line()}')
    arguments = ("-Y", "verify", "-f", tmp_path / "allowed", "-I", "bob", "-n", NAMESPACE)

    assert ssh_keygen(*arguments, "-s", tmp_path / "sig", stdin=b"hello").returncode == 0
    assert ssh_keygen(*arguments, "-s", tmp_path / "sig", stdin=b"hellO").returncode != 0
    assert sshsig.verify(armor, b"hello", NAMESPACE) == public


def test_an_untouched_security_key_is_refused_although_ssh_keygen_accepts_it(ssh_keygen, tmp_path):
    """
    Malware on the approver's machine can ask the key for a signature, but cannot touch it.
    """
    with pytest.raises(Refused) as caught:
        sshsig.sign(b"hello", namespace=NAMESPACE, key=TOUCHED, sign=security_key(flags=0))
    assert caught.value.why == "presence-missing"

    inner = security_key(flags=0)(sshsig.signed_data(b"hello", NAMESPACE))
    armor = armored(TOUCHED.blob, NAMESPACE.encode(), b"", b"sha512", inner)
    (tmp_path / "sig").write_bytes(armor)
    (tmp_path / "allowed").write_text(f"bob {TOUCHED.line()}")
    lenient = ssh_keygen(
        *("-Y", "verify", "-f", tmp_path / "allowed", "-I", "bob", "-n", NAMESPACE),
        *("-s", tmp_path / "sig"),
        stdin=b"hello",
    )

    assert lenient.returncode == 0
    assert why(armor) == "presence-missing"


# ---- one spelling ----------------------------------------------------------

GOOD = armored(*fields())

# fmt: off
DEFECTS = {
    "nothing at all":                    (b"", "armor-malformed"),
    "text before":                       (b"hi\n" + GOOD, "armor-malformed"),
    "text after":                        (GOOD + b"hi\n", "armor-malformed"),
    "a second signature":                (GOOD + GOOD, "armor-malformed"),
    "no last newline":                   (GOOD[:-1], "armor-malformed"),
    "two last newlines":                 (GOOD + b"\n", "armor-malformed"),
    "Windows line ends":                 (GOOD.replace(b"\n", b"\r\n"), "armor-malformed"),
    "one long line":                     (GOOD.replace(b"\n", b"").replace(b"-----U", b"-----\nU")
                                              .replace(b"=-----E", b"=\n-----E") + b"\n", "armor-malformed"),
    "spaces at line ends":               (GOOD.replace(b"\n", b" \n"), "armor-malformed"),
    "another header":                    (GOOD.replace(b"SSH SIG", b"PGP SIG"), "armor-malformed"),
    "not base64":                        (GOOD.replace(b"U1NI", b"U!NI"), "armor-malformed"),
    "far too long":                      (armored(*fields(), tail=bytes(10000)), "armor-malformed"),
    "another magic":                     (armored(*fields(), head=b"SSHSIH" + u32(1)), "signature-malformed"),
    "nothing in it":                     (armored(head=b""), "signature-malformed"),
    "version 2":                         (armored(*fields(), head=b"SSHSIG" + u32(2)), "signature-version"),
    "bytes after the last field":        (armored(*fields(), tail=b"\0"), "signature-malformed"),
    "a field missing":                   (armored(*fields()[:4]), "signature-malformed"),
    "reserved is not empty":             (armored(*fields()[:2], b"x", *fields()[3:]), "signature-reserved"),
    "SHA-256":                           (armored(*fields()[:3], b"sha256", *fields()[4:]), "signature-hash"),
    "an unknown hash":                   (armored(*fields()[:3], b"md5", *fields()[4:]), "signature-hash"),
    "another namespace":                 (armored(PUBLIC.blob, b"git", *fields()[2:]), "namespace-wrong"),
    "an empty namespace":                (armored(PUBLIC.blob, b"", *fields()[2:]), "namespace-wrong"),
    "a namespace that is not ASCII":     (armored(PUBLIC.blob, b"\xff", *fields()[2:]), "namespace-wrong"),
    "an RSA key":                        (armored(string(b"ssh-rsa") + string(b"\3") + string(b"\5"),
                                              *fields()[1:]), "key-type"),
    "a key of order 4":                  (armored(string(b"ssh-ed25519") + string(bytes(32)),
                                              *fields()[1:]), "key-unsound"),
    "bytes after the key":               (armored(PUBLIC.blob + b"\0", *fields()[1:]), "key-unsound"),
    "a security key for a web site":     (armored(TOUCHED.blob[:-8] + string(b"https://x"),
                                              *fields()[1:]), "key-application"),
    "a plain signature, a touched key":  (armored(TOUCHED.blob, *fields()[1:]), "signature-malformed"),
    "a signature of 63 bytes":           (armored(*fields()[:4], string(b"ssh-ed25519") + string(bytes(63))),
                                              "signature-malformed"),
    "bytes after the signature":         (armored(*fields()[:4], fields()[4] + b"\0"), "signature-malformed"),
    "another message":                   (armored(*fields(b"hellO")), "signature-wrong"),
}
# fmt: on


@pytest.mark.parametrize(("armor", "word"), DEFECTS.values(), ids=DEFECTS.keys())
def test_every_defect_has_its_own_word(armor, word):
    assert why(armor) == word


def test_the_signature_this_table_breaks_is_sound():
    assert sshsig.verify(GOOD, b"hello", NAMESPACE) == PUBLIC


def test_adding_the_group_order_to_s_does_not_give_a_second_signature():
    """
    Malleable signatures would let one decision exist under two digests.
    """
    order = 2**252 + 27742317777372353535851937790883648493
    raw = KEY.sign(sshsig.signed_data(b"hello", NAMESPACE)).signature
    s = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")

    armor = armored(*fields()[:4], string(b"ssh-ed25519") + string(raw[:32] + s))

    assert why(armor) == "signature-wrong"


@given(st.data())
def test_no_flipped_bit_is_accepted(data):
    """
    Whatever is changed in the armor, it is refused: there is no second spelling.
    """
    at = data.draw(st.integers(0, len(GOOD) - 1))
    bit = data.draw(st.integers(0, 7))
    altered = bytearray(GOOD)
    altered[at] ^= 1 << bit

    why(bytes(altered))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_and_never_crash_the_reader(blob):
    why(armored(head=blob))
    why(blob)


@given(message=st.binary(max_size=300), namespace=st.from_regex(r"\A[a-z0-9.@-]{1,30}\Z"))
def test_what_is_signed_verifies_for_its_message_and_namespace_alone(message, namespace):
    armor = sshsig.sign(message, namespace=namespace, key=PUBLIC, sign=plain)

    assert sshsig.verify(armor, message, namespace) == PUBLIC
    assert why(armor, message + b"\0", namespace) == "signature-wrong"
    assert why(armor, message, namespace + "x") == "namespace-wrong"


def test_a_signer_that_signs_something_else_is_noticed_at_once():
    """
    A confused agent must not produce a decision that only the auditor finds broken.
    """
    with pytest.raises(Refused, match="does not verify"):
        sshsig.sign(b"a", namespace=NAMESPACE, key=PUBLIC, sign=lambda data: plain(b"other"))
