"""The few SSH wire types that keys, signatures and the agent are made of (RFC 4251 §5)."""

from __future__ import annotations


class Truncated(ValueError):
    """The bytes end early, or go on after the last field."""


def u32(number: int) -> bytes:
    """Return *number* as four bytes, big-endian."""
    return number.to_bytes(4, "big")


def string(data: bytes) -> bytes:
    """Return *data* behind its length.

    >>> string(b"ssh:")
    b'\\x00\\x00\\x00\\x04ssh:'
    """
    return u32(len(data)) + data


class Reader:
    """Takes fields off the front; raises `Truncated` rather than return less than asked for."""

    __slots__ = ("_data", "_at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return the next *count* bytes."""
        if count > len(self._data) - self._at:
            raise Truncated("the data ends in the middle of a field")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        """Return the next byte as a number."""
        return self.take(1)[0]

    def u32(self) -> int:
        """Return the next four bytes as a number."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Return the next length-prefixed field."""
        return self.take(self.u32())

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Raise unless everything was read: trailing bytes are a second spelling of one value."""
        if self._at != len(self._data):
            raise Truncated("bytes follow the last field")
