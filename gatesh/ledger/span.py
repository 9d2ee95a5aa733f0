"""Proving that some neighbouring entries are all there are between the first and the last.

Two inclusion proofs do it, that of the first entry and that of the last, together
with the leaf hashes of everything between: the first's path has every node to the
left of the span, the last's every node to the right, and the span itself gives
the rest.  If one entry were left out, added or moved, the root would be another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatesh.ledger.merkle import EMPTY_ROOT, HASH, Head, node_hash


def verify_span(
    first: int, leaves: Sequence[bytes], head: Head, left: Sequence[bytes], right: Sequence[bytes]
) -> bool:
    """Tell whether *leaves* are the entries *first* and following under *head*, without a gap.

    *left* is the inclusion proof of the first of them, *right* that of the last,
    both for the tree of `head.size`.
    """
    last = first + len(leaves) - 1
    if not leaves or not 0 <= first <= last < head.size:
        return False
    if any(len(step) != HASH for step in (*left, *right)):
        return False
    outside: dict[tuple[int, int], bytes] = {}
    for n, path in ((first, left), (last, right)):
        spans = list(_siblings(n, head.size))
        if len(spans) != len(path):
            return False
        outside.update(
            (span, step)
            for span, step in zip(spans, path, strict=True)
            if span[1] <= first or span[0] > last
        )
    return _node(0, head.size, first, leaves, outside) == head.root


def _split(start: int, end: int) -> int:
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _siblings(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield which leaves each step of the path of *n* covers, from the leaf's sibling up."""
    found = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if n < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    yield from reversed(found)


def _node(
    start: int,
    end: int,
    first: int,
    leaves: Sequence[bytes],
    outside: dict[tuple[int, int], bytes],
) -> bytes:
    if first <= start and end <= first + len(leaves):
        return _root(leaves[start - first : end - first])
    if (start, end) in outside:
        return outside[start, end]
    middle = _split(start, end)
    return node_hash(
        _node(start, middle, first, leaves, outside), _node(middle, end, first, leaves, outside)
    )


def _root(row: Sequence[bytes]) -> bytes:
    """The root over *row*.  An odd last node moves up as it is, which is RFC 6962's split."""
    if not row:
        return EMPTY_ROOT
    while len(row) > 1:
        row = [
            node_hash(row[i], row[i + 1]) if i + 1 < len(row) else row[i]
            for i in range(0, len(row), 2)
        ]
    return row[0]
