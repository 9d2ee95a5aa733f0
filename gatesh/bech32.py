"""Bech32 (BIP 173) without its limit of length, as age writes keys: a typing error shows itself."""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def encode(prefix: str, data: bytes) -> str:
    """Return *data* under *prefix*, in lower case.

    >>> encode("age-secret-key-", b"B" * 32).upper()  # the example of https://c2sp.org/age
    'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX'
    """
    words = _regroup(list(data), 8, 5)
    words += _checksum(prefix, words)
    return f"{prefix}1{''.join(_ALPHABET[word] for word in words)}"


def decode(prefix: str, text: str) -> bytes:
    """Return the bytes in *text*; raise ValueError for another prefix or a wrong checksum."""
    low = text.lower()
    if text not in (low, text.upper()):
        raise ValueError("upper and lower case are mixed")
    start, _, rest = low.rpartition("1")
    if start != prefix.lower() or len(rest) < 6 or any(c not in _ALPHABET for c in rest):
        raise ValueError(f"expected {prefix}1…")
    words = [_ALPHABET.index(c) for c in rest]
    if _checksum(start, words[:-6]) != words[-6:]:
        raise ValueError("a character is wrong: its checksum does not fit")
    data = bytes(_regroup(words[:-6], 5, 8))
    if encode(start, data) != low:
        raise ValueError("it has stray bits")
    return data


def _regroup(words: list[int], size: int, into: int) -> list[int]:
    """Cut bits of *words* anew; a rest is filled up with zeros, or dropped when bytes are made."""
    bits, count, found = 0, 0, []
    for word in words:
        bits, count = (bits << size) | word, count + size
        while count >= into:
            count -= into
            found.append((bits >> count) & ((1 << into) - 1))
    if count and into == 5:
        found.append((bits << (into - count)) & ((1 << into) - 1))
    return found


def _checksum(prefix: str, words: list[int]) -> list[int]:
    spread = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    value = 1
    for word in [*spread, *words, 0, 0, 0, 0, 0, 0]:
        top = value >> 25
        value = (value & 0x1FFFFFF) << 5 ^ word
        for at, generator in enumerate(_GENERATOR):
            value ^= generator if (top >> at) & 1 else 0
    value ^= 1
    return [(value >> 5 * (5 - at)) & 31 for at in range(6)]
