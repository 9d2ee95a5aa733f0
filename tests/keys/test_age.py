"""Sealed files: only the key opens them, and nothing of them can be changed, moved or cut."""

from __future__ import annotations

import io
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh import bech32
from gatesh.keys.age import CHUNK, CannotUnseal, Identity, Recipient
from tests.keys import age_reader

KEY = Identity(b"B" * 32)  # the example of the specification
LENGTHS = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 17)


def opened(sealed: bytes, key: Identity = KEY) -> bytes:
    return b"".join(key.unseal(io.BytesIO(sealed)))


def some(length: int) -> bytes:
    return bytes(n * 31 % 251 for n in range(length))


def test_keys_are_written_as_the_specification_has_them():
    assert str(KEY) == "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    assert str(KEY.recipient) == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    assert Identity.parse(f"# created: today\n\n{KEY}\n") == KEY
    assert Recipient.parse(str(KEY.recipient)) == KEY.recipient


@pytest.mark.parametrize("length", LENGTHS)
def test_another_reader_of_the_specification_agrees(length):
    assert age_reader.read(KEY.recipient.seal(some(length)), KEY.scalar) == some(length)


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")
@pytest.mark.parametrize("length", LENGTHS)
def test_age_itself_agrees_in_both_directions(tmp_path, length):
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    theirs = ["age", "-d", "-i", str(key)]
    done = subprocess.run(theirs, input=KEY.recipient.seal(some(length)), capture_output=True)
    assert done.stdout == some(length), done.stderr

    made = subprocess.run(
        ["age", "-r", str(KEY.recipient)], input=some(length), capture_output=True, check=True
    )
    assert opened(made.stdout) == some(length)


def test_every_flipped_byte_and_every_cut_is_found():
    sealed = KEY.recipient.seal(b"secret")
    for at in range(len(sealed)):
        flipped = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(CannotUnseal):
            opened(flipped)
        with pytest.raises(CannotUnseal):
            opened(sealed[:at])
    with pytest.raises(CannotUnseal):
        opened(sealed + b"x")


def test_chunks_cannot_be_left_out_or_change_places():
    sealed = KEY.recipient.seal(some(3 * CHUNK))
    size = CHUNK + 16
    start = len(sealed) - 3 * size
    head, chunks = sealed[:start], [sealed[start + n * size :][:size] for n in range(3)]
    a, b, c = chunks
    assert opened(head + a + b + c) == some(3 * CHUNK)
    for order in ((a, b), (a, c), (b, a, c), (a, b, c, c), (c,), ()):
        with pytest.raises(CannotUnseal):
            opened(head + b"".join(order))


def test_another_key_opens_nothing():
    with pytest.raises(CannotUnseal, match="another key"):
        opened(KEY.recipient.seal(b"secret"), Identity.new())


def test_a_point_that_would_give_the_key_away_is_not_sealed_to():
    """
    With a point of low order the shared secret is zero, whoever asks.
    """
    for point in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(ValueError, match="no point"):
            Recipient(point).seal(b"secret")


@given(
    st.binary(max_size=60), st.integers(0, 59), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l")
)
def test_a_wrong_letter_in_a_key_is_noticed(data, at, letter):
    text = bech32.encode("age", data)
    assert bech32.decode("age", text) == data
    place = 4 + at % (len(text) - 4)
    if text[place] != letter:
        with pytest.raises(ValueError):
            bech32.decode("age", text[:place] + letter + text[place + 1 :])
