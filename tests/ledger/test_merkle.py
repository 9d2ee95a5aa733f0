"""Roots and proofs against the recursive definitions of RFC 6962 §2.1, word for word."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatesh.ledger.merkle import HASH, Head, Tree, verify_consistency, verify_inclusion

LEAVES = [hashlib.sha256(b"\0leaf %d" % i).digest() for i in range(1100)]


def h(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def k_of(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    """RFC 6962 §2.1, on leaf hashes."""
    if not d:
        return h()
    if len(d) == 1:
        return d[0]
    k = k_of(len(d))
    return h(b"\1", mth(d[:k]), mth(d[k:]))


def path(m: int, d: list[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1."""
    if len(d) == 1:
        return []
    k = k_of(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    """RFC 6962 §2.1.2."""
    if m == len(d):
        return [] if b else [mth(d)]
    k = k_of(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def tree_of(size: int, *, cold: bool, step: int = 1) -> Tree:
    reads = (lambda block: b"".join(LEAVES[block * 256 : block * 256 + 256])) if cold else None
    tree = Tree(reads)
    for at in range(0, size, step):
        tree.extend(LEAVES[at : min(at + step, size)])
    return tree


sizes = st.integers(0, 700) | st.sampled_from([255, 256, 257, 511, 512, 513, 1024, 1025])


@given(sizes, st.booleans(), st.sampled_from([1, 7, 256, 300, 2000]))
@settings(max_examples=60, deadline=None)
def test_a_root_is_that_of_the_definition_however_the_tree_grew(size, cold, step):
    assert tree_of(size, cold=cold, step=step).root() == mth(LEAVES[:size])


@given(sizes.filter(bool), st.data())
@settings(max_examples=60, deadline=None)
def test_an_inclusion_proof_is_that_of_the_definition_and_verifies(size, data):
    tree = tree_of(1030, cold=True, step=512)
    n = data.draw(st.integers(0, size - 1))

    proof = tree.inclusion(n, size)

    assert proof == path(n, LEAVES[:size])
    assert verify_inclusion(LEAVES[n], n, Head(size, tree.root(size)), proof)


@given(sizes, sizes)
@settings(max_examples=60, deadline=None)
def test_a_consistency_proof_is_that_of_the_definition_and_verifies(a, b):
    old, new = sorted((a, b))
    tree = tree_of(1030, cold=True, step=512)

    proof = tree.consistency(old, new)

    if old:
        assert proof == subproof(old, LEAVES[:new], True)
    assert verify_consistency(Head(old, tree.root(old)), Head(new, tree.root(new)), proof)


@given(st.integers(1, 70), st.data())
@settings(max_examples=150, deadline=None)
def test_a_proof_that_was_touched_proves_nothing(size, data):
    """
    Any bit, any step too many or too few, any other index or size.
    """
    tree = tree_of(size, cold=False)
    n = data.draw(st.integers(0, size - 1))
    head = tree.head()
    proof = tree.inclusion(n)
    touched = list(proof)
    kind = data.draw(st.sampled_from(["bit", "drop", "add", "index", "leaf"]))
    index, leaf = n, LEAVES[n]
    if kind == "bit" and proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, HASH * 8 - 1))
        touched[at] = (int.from_bytes(proof[at]) ^ 1 << bit).to_bytes(HASH)
    elif kind == "drop" and proof:
        del touched[data.draw(st.integers(0, len(proof) - 1))]
    elif kind == "index" and size > 1:
        index = data.draw(st.integers(0, size - 1).filter(lambda i: i != n))
    elif kind == "leaf":
        leaf = LEAVES[n + 1]
    else:
        touched.append(LEAVES[0])

    assert not verify_inclusion(leaf, index, head, touched)


@given(st.integers(1, 70), st.integers(1, 70), st.data())
@settings(max_examples=150, deadline=None)
def test_a_rewritten_history_has_no_consistency_proof_from_the_old_one(a, b, data):
    """
    Whatever proof the holder of the rewritten log offers: the old root does not come out.
    """
    old, new = sorted((a, b))
    changed = data.draw(st.integers(0, old - 1))
    other = Tree()
    other.extend([*LEAVES[:changed], LEAVES[-1], *LEAVES[changed + 1 : new]])
    before = Head(old, mth(LEAVES[:old]))

    for proof in (other.consistency(old), tree_of(new, cold=False).consistency(old), []):
        assert not verify_consistency(before, other.head(), proof)


@given(st.integers(0, 600), st.lists(st.integers(0, 700), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_tree_taken_back_grows_again_as_if_nothing_had_happened(size, detours):
    """
    A round that fails on a full disk must leave no trace in the next root.
    """
    tree = tree_of(size, cold=True, step=300)
    for detour in detours:
        mark = tree.mark()
        tree.extend([LEAVES[-1]] * detour)
        tree.rewind(mark)
        assert tree.root() == mth(LEAVES[:size])
    tree.extend(LEAVES[size : size + 300])

    assert tree.root() == mth(LEAVES[: size + 300])


def test_leaves_read_back_from_disk_are_checked():
    """
    A file changed under a running broker must not end in a proof about other entries.
    """
    tree = Tree(lambda block: b"".join(LEAVES[1:257]))
    tree.extend(LEAVES[:300])

    with pytest.raises(ValueError, match="have changed"):
        tree.inclusion(3)
