"""A reader of C2SP tiled logs, written from https://c2sp.org/tlog-tiles alone.

It shares no code with gatesh: paths, tiles, bundles, roots and the note are all
done again, so that gatesh and it can only agree if both follow the page.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def number(n: int) -> str:
    out = f"{n % 1000:03}"
    while n >= 1000:
        n //= 1000
        out = f"x{n % 1000:03}/{out}"
    return out


def fetch(prefix: Path, level: str, n: int, width: int) -> bytes:
    return (
        prefix / "tile" / level / (number(n) + (f".p/{width}" if width < 256 else ""))
    ).read_bytes()


def mth(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        pairs = [hashes[i : i + 2] for i in range(0, len(hashes), 2)]
        hashes = [
            hashlib.sha256(b"\1" + b"".join(p)).digest() if len(p) == 2 else p[0] for p in pairs
        ]
    return hashes[0]


def read(prefix: Path) -> tuple[int, list[bytes]]:
    """Verify the whole log; return its size and entries."""
    name, key_id, body = (prefix / "vkey").read_text().rstrip("\n").split("+", 2)
    key = base64.b64decode(body)
    assert key[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    text, _, signatures = (prefix / "checkpoint").read_text().rpartition("\n\n")
    origin, size_text, root_text = text.split("\n")
    for line in signatures.splitlines():
        dash, who, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if dash == "—" and who == name and raw[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], (text + "\n").encode())
            break
    else:
        raise AssertionError("no signature by the log")
    assert origin == name
    size, root = int(size_text), base64.b64decode(root_text)

    entries: list[bytes] = []
    leaves: list[bytes] = []
    for n in range((size + 255) // 256):
        width = min(256, size - n * 256)
        tile = fetch(prefix, "0", n, width)
        assert len(tile) == 32 * width
        bundle, at, count = fetch(prefix, "entries", n, width), 0, 0
        while at < len(bundle):
            length = int.from_bytes(bundle[at : at + 2], "big")
            entry = bundle[at + 2 : at + 2 + length]
            assert hashlib.sha256(b"\0" + entry).digest() == tile[32 * count : 32 * count + 32]
            entries.append(entry)
            at, count = at + 2 + length, count + 1
        assert count == width
        leaves += [tile[i : i + 32] for i in range(0, len(tile), 32)]
    assert mth(leaves) == root
    level, below = 1, leaves
    while len(below) >= 256:
        below = [mth(below[i * 256 : i * 256 + 256]) for i in range(len(below) // 256)]
        for n in range((len(below) + 255) // 256):
            here = below[n * 256 : n * 256 + 256]
            assert fetch(prefix, str(level), n, len(here)) == b"".join(here)
        level += 1
    return size, entries
