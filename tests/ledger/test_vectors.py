"""Logs, checkpoints and keys made by other software (OpenSSL's Ed25519)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gatesh.ledger import entry, note
from gatesh.ledger.merkle import EMPTY_ROOT, Head, Tree, leaf_hash, verify_consistency

from .ledger_world import House

VECTORS = Path(__file__).parent.parent / "vectors" / "ledger"
LINES = (VECTORS / "log.jsonl").read_bytes().splitlines()
KEY = note.Key.parse((VECTORS / "vkey").read_text())


@pytest.mark.parametrize("size", range(8))
def test_every_checkpoint_is_the_root_of_its_lines(size):
    """
    A stranger's software and ours agree on what was signed, from the empty log on.
    """
    tree = Tree()
    tree.extend([leaf_hash(line) for line in LINES[:size]])

    found = note.open_checkpoint((VECTORS / f"checkpoint.{size}").read_bytes(), KEY)

    assert found == note.Checkpoint("gatesh.example/build-7", tree.head())


def test_the_empty_log_has_the_root_of_rfc_6962():
    assert Tree().head() == Head(0, EMPTY_ROOT)


@pytest.mark.parametrize("n", range(7))
def test_every_line_is_an_entry_as_we_would_write_it(n):
    found = entry.decode(LINES[n])

    assert found["n"] == n
    assert entry.encode(found) == LINES[n]


def test_each_checkpoint_continues_those_before_it():
    tree = Tree()
    tree.extend([leaf_hash(line) for line in LINES])
    heads = [
        note.open_checkpoint((VECTORS / f"checkpoint.{i}").read_bytes(), KEY).head for i in range(8)
    ]

    for old in heads:
        for new in heads[old.size :]:
            assert verify_consistency(old, new, tree.consistency(old.size, new.size))


def test_the_verifier_key_is_written_as_it_was_read():
    assert f"{KEY}\n" == (VECTORS / "vkey").read_text()


def test_flipping_any_byte_of_a_checkpoint_breaks_it():
    data = (VECTORS / "checkpoint.7").read_bytes()

    for at in range(len(data)):
        for bit in range(8):
            altered = bytearray(data)
            altered[at] ^= 1 << bit
            with pytest.raises((note.MalformedNote, note.BadNoteSignature)):
                note.open_checkpoint(bytes(altered), KEY)


def test_openssl_verifies_what_we_sign(tmp_path, house: House):
    """
    `docs/verify-by-hand.md` step 3: no gatesh code is needed to check a checkpoint.
    """
    with house.open() as ledger:
        ledger.append([{"type": "heartbeat"}])
        signed = note.Note.parse(ledger.checkpoint)
    # SubjectPublicKeyInfo of an Ed25519 key is this prefix and the 32 bytes (RFC 8410).
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + house.key.public)
    (tmp_path / "text").write_bytes(signed.text.encode())
    (tmp_path / "signature").write_bytes(signed.signatures[0].body)

    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der",
         "-rawin", "-in", "text", "-sigfile", "signature"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "Signature Verified Successfully" in done.stdout, done.stderr
