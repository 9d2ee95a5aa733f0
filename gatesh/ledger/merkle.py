"""Merkle tree hashes, roots and proofs exactly as in RFC 6962 §2.1, with SHA-256.

The tree keeps every node above 256 leaves and, below that, only the block being
filled: 64 bytes per 256 entries.  Proofs that reach into a finished block read
its leaf hashes again through *cold*.  Checking a proof shares no code with
making one; it follows the algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

HASH: Final = 32
WIDTH: Final = 256  # leaves of one block: a C2SP tile
_HEIGHT: Final = 8  # levels of one block
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries a log had, and the root hash over them."""

    size: int
    root: bytes

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.root) != HASH:
            raise ValueError("a head is a size and a root of 32 bytes")

    @property
    def base64(self) -> str:
        """The root as checkpoints and decisions write it."""
        return base64.b64encode(self.root).decode("ascii")


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of one entry (its line without the newline)."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _pairs(hashes: Sequence[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    return [
        sha256(b"\x01" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes) - 1, 2)
    ]


def _split(n: int) -> int:
    """The largest power of two smaller than *n*, for n > 1."""
    return 1 << ((n - 1).bit_length() - 1)


@dataclass(frozen=True, slots=True)
class Mark:
    """A size that a `Tree` can be taken back to."""

    size: int
    rows: tuple[tuple[list[bytes], int], ...]
    upper: tuple[int, ...]


class Tree:
    """A tree that grows at its right edge and can prove everything about its past.

    *cold(block)* returns the 256 leaf hashes of a finished block, joined.  They
    are checked against the tree's own nodes.  Without *cold* all leaf hashes
    stay in memory.
    """

    def __init__(self, cold: Callable[[int], bytes] | None = None) -> None:
        self.size = 0
        self._kept: list[bytes] | None = None if cold is not None else []
        self._cold = cold
        self._block: list[list[bytes]] = [[] for _ in range(_HEIGHT)]  # levels 0-7, block in work
        self._upper: list[bytearray] = []  # levels 8 and up, complete nodes joined
        self._warm: tuple[int, list[list[bytes]]] = (-1, [])

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.size += 1
        node, level = leaf, 0
        while level < _HEIGHT:
            row = self._block[level]
            row.append(node)
            if len(row) % 2:
                return
            node = node_hash(row[-2], row[-1])
            level += 1
        self._finish_block(node)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add many leaf hashes; whole blocks cost about one hash per leaf."""
        at = 0
        while at < len(leaves):
            if self.size % WIDTH == 0 and len(leaves) - at >= WIDTH:
                rows = [list(leaves[at : at + WIDTH])]
                while len(rows[-1]) > 1:
                    rows.append(_pairs(rows[-1]))
                self._block = rows[:_HEIGHT]
                self.size += WIDTH
                self._finish_block(rows[_HEIGHT][0])
                at += WIDTH
            else:
                self.append(leaves[at])
                at += 1

    def _finish_block(self, node: bytes) -> None:
        if self._kept is not None:
            self._kept.append(b"".join(self._block[0]))
        self._block = [[] for _ in range(_HEIGHT)]
        for level in range(64):
            if level == len(self._upper):
                self._upper.append(bytearray())
            row = self._upper[level]
            row += node
            if len(row) // HASH % 2:
                return
            node = node_hash(bytes(row[-2 * HASH : -HASH]), bytes(row[-HASH:]))

    def mark(self) -> Mark:
        """Return what `rewind` needs to come back to this size."""
        rows = [(row, len(row)) for row in self._block]
        return Mark(self.size, tuple(rows), tuple(len(row) for row in self._upper))

    def rewind(self, mark: Mark) -> None:
        """Forget every leaf added since *mark*."""
        self.size = mark.size
        self._block = [row for row, _ in mark.rows]
        for row, length in mark.rows:
            del row[length:]
        del self._upper[len(mark.upper) :]
        for upper, length in zip(self._upper, mark.upper, strict=True):
            del upper[length:]
        if self._kept is not None:
            del self._kept[mark.size // WIDTH :]
        self._warm = (-1, [])

    # ---- nodes and roots ----

    def node(self, level: int, index: int) -> bytes:
        """Return the complete node that covers leaves index*2^level up to (index+1)*2^level."""
        if (index + 1) << level > self.size:
            raise IndexError("that node is not complete")
        if level >= _HEIGHT:
            at = index * HASH
            return bytes(self._upper[level - _HEIGHT][at : at + HASH])
        per_block = WIDTH >> level
        block, within = divmod(index, per_block)
        if block == self.size // WIDTH:
            return self._block[level][within]
        return self._rows(block)[level][within]

    def _rows(self, block: int) -> list[list[bytes]]:
        if self._warm[0] != block:
            if self._kept is not None:
                joined = self._kept[block]
            else:
                assert self._cold is not None
                joined = self._cold(block)
            rows = [[joined[i : i + HASH] for i in range(0, len(joined), HASH)]]
            while len(rows[-1]) > 1:
                rows.append(_pairs(rows[-1]))
            if len(joined) != WIDTH * HASH or rows[_HEIGHT][0] != self.node(_HEIGHT, block):
                # What lies on disk is no longer what was hashed when it was written.
                raise ValueError(f"entries {block * WIDTH} and following have changed")
            self._warm = (block, rows)
        return self._warm[1]

    def _hash(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]), where start is a multiple of a power of two ≥ end - start."""
        n = end - start
        if n & (n - 1) == 0:
            level = n.bit_length() - 1
            return self.node(level, start >> level)
        middle = start + _split(n)
        return node_hash(self._hash(start, middle), self._hash(middle, end))

    def root(self, size: int | None = None) -> bytes:
        """Return the root over the first *size* leaves (all of them by default)."""
        size = self._checked(size)
        return self._hash(0, size) if size else EMPTY_ROOT

    def head(self) -> Head:
        """Return size and root as they are now."""
        return Head(self.size, self.root())

    def _checked(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise IndexError(f"there is no tree of size {size} yet")
        return size

    # ---- proofs ----

    def inclusion(self, n: int, size: int | None = None) -> list[bytes]:
        """Return PATH(n, D[size]): the proof that leaf *n* is in the tree of *size*."""
        size = self._checked(size)
        if not 0 <= n < size:
            raise IndexError(f"entry {n} is not in a tree of size {size}")
        proof: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if n < middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(start, middle))
                start = middle
        return proof[::-1]

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Return PROOF(old, D[new]): that the tree of *old* is a prefix of the tree of *new*.

        Empty when *old* is 0 or both are the same.
        """
        new = self._checked(new)
        if not 0 <= old <= new:
            raise IndexError(f"a log of {new} entries is no successor of one of {old}")
        if old in (0, new):
            return []
        proof: list[bytes] = []
        start, end, complete = 0, new, True
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(start, middle))
                start, complete = middle, False
        if not complete:
            proof.append(self._hash(start, end))
        return proof[::-1]


# ---- checking proofs -------------------------------------------------------


def verify_inclusion(leaf: bytes, n: int, head: Head, proof: Sequence[bytes]) -> bool:
    """Tell whether *proof* shows leaf hash *leaf* at index *n* under *head* (RFC 9162 §2.1.3.2)."""
    if not 0 <= n < head.size or any(len(step) != HASH for step in proof):
        return False
    fn, sn, r = n, head.size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            if not fn & 1:
                while fn and not fn & 1:
                    fn >>= 1
                    sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1
        sn >>= 1
    return sn == 0 and r == head.root


def verify_consistency(old: Head, new: Head, proof: Sequence[bytes]) -> bool:
    """Tell whether *proof* shows that *new* only adds to *old* (RFC 9162 §2.1.4.2)."""
    if old.size > new.size or any(len(step) != HASH for step in proof):
        return False
    if old.size == new.size:
        return not proof and old.root == new.root
    if old.size == 0:
        # Every log starts empty; the RFC leaves this case out.
        return not proof and old.root == EMPTY_ROOT
    steps = list(proof)
    if old.size & (old.size - 1) == 0:
        steps.insert(0, old.root)
    if not steps:
        return False
    fn, sn = old.size - 1, new.size - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = steps[0]
    for c in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1
        sn >>= 1
    return sn == 0 and fr == old.root and sr == new.root
