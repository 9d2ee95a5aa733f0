"""One entry that can be shown to somebody who has nothing but the log's key."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.ledger.note import sign_checkpoint
from gatesh.ledger.proof import BadProof, Proof
from gatesh.ledger.prover import Prover
from tests.ledger.ledger_world import House, log_key


def read_by_the_specification(data: bytes) -> tuple[int, bytes, int, bytes]:
    """Return (index, computed root, size, root of the checkpoint), written from
    c2sp.org/tlog-proof and RFC 9162 §2.1.3.2 alone."""
    lines = data.decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    leaf = base64.b64decode(lines[1].removeprefix("extra "))
    index = int(lines[2].removeprefix("index "))
    gap = lines.index("")
    size, root = int(lines[gap + 2]), base64.b64decode(lines[gap + 3])
    fn, sn = index, size - 1
    node = hashlib.sha256(b"\0" + leaf).digest()
    for step in map(base64.b64decode, lines[3:gap]):
        if fn % 2 or fn == sn:
            node = hashlib.sha256(b"\1" + step + node).digest()
            while fn and not fn % 2:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = hashlib.sha256(b"\1" + node + step).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return index, node, size, root


def test_a_stranger_can_check_a_proof_with_the_specification_alone(house: House):
    house.live()
    with Prover(house.directory) as prover:
        for n in range(prover.head.size):
            index, computed, size, root = read_by_the_specification(prover.prove(n).encode())

            assert (index, size) == (n, prover.head.size)
            assert computed == root == prover.head.root


def test_every_byte_of_a_proof_matters(house: House):
    """
    Flip any bit: it is refused, or (in the signatures of others) it says the same.
    """
    house.live()
    with Prover(house.directory) as prover:
        whole = prover.prove(5).encode()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        with pytest.raises(BadProof):
            Proof.parse(bytes(changed)).check(house.key)


def test_a_proof_signed_by_another_key_of_the_same_name_is_refused(house: House):
    house.live()
    with Prover(house.directory) as prover:
        found, head = prover.prove(5), prover.head
    other, _ = log_key("somebody-else")
    forged = sign_checkpoint(head, house.key, lambda data: other.sign(data).signature)

    with pytest.raises(BadProof, match="not this log's"):
        Proof(found.line, found.index, found.path, forged).check(house.key)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fall_over(data: bytes):
    for bytes_ in (data, b"c2sp.org/tlog-proof@v1\nextra aGk=\nindex 1\n" + data):
        with pytest.raises(BadProof):
            Proof.parse(bytes_).check(log_key("build7")[1])


def test_proving_and_checking_as_people_do_it(house: House, gatesh, tmp_path):
    house.live()
    made = gatesh("audit", "proof", "5")
    path = tmp_path / "5.tlog-proof"
    path.write_text(made.out)

    checked = gatesh("audit", "check", path, "--vkey", str(house.key))

    assert (made.status, checked.status) == (0, 0)
    first, *fields = checked.out.splitlines()
    assert first.startswith(f"verified entry 5 of 17 in the log {house.key.name}")
    assert "  type                command.started" in fields


def test_the_key_beside_a_proof_is_not_asked_about_itself(house: House, gatesh, tmp_path):
    """
    Whoever forged a proof would forge its key as well; a guess must not look like a check.
    """
    house.live()
    path = tmp_path / "p"
    path.write_text(gatesh("audit", "proof", "5").out)

    status, out, err = gatesh("audit", "check", path)

    assert (status, out) == (2, "")
    assert "nobody here knows the key" in err and "--vkey" in err


def test_a_log_that_does_not_verify_proves_nothing(house: House, gatesh):
    house.live()
    journal = house.directory / "log.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"cwd":"/srv/app"', b'"cwd":"/srv/apx"', 1))

    status, out, err = gatesh("audit", "proof", "12")

    assert (status, out) == (125, "")
    assert "gatesh audit" in err


def test_what_bob_saw_is_named_when_it_is_still_there(house: House, gatesh, tmp_path):
    house.live()
    seen = tmp_path / "bobs-head.txt"
    seen.write_bytes((house.directory / "checkpoint").read_bytes())
    with house.open() as ledger:
        ledger.append([{"type": "heartbeat"}])

    said = gatesh("audit", "--head", seen, "--vkey", house.directory / "vkey")

    assert said.status == 0
    assert f"contains what {seen} saw: the first 17 entries are still the same" in said.out
    assert "1 entry after the last head a second person has seen is protected only" in said.out
