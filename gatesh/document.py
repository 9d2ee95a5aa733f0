"""Documents: one line of JSON that can be hashed and signed.

UTF-8, keys sorted, separators `,` and `:`, non-ASCII escaped (`docs/spec/formats.md`).
A document is verified as the bytes that were stored and never re-serialised, so
`read` is only called on bytes whose digest or signature already holds.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


# Made once: json.dumps and json.loads with arguments make one for every call.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
)


class MalformedDocument(ValueError):
    """The bytes are not one canonical line of JSON."""


def write(value: dict[str, Any]) -> bytes:
    """Return the one line for *value*, without a newline.

    >>> write({"b": "é", "a": 1})
    b'{"a":1,"b":"\\\\u00e9"}'
    """
    return _ENCODER.encode(value).encode("ascii")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        # Two readers could disagree on which of two `by` fields was signed.
        raise MalformedDocument("a key is given twice")
    return value


def _no_constant(name: str) -> Any:
    raise MalformedDocument(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def parse(data: bytes) -> dict[str, Any]:
    """Parse a document that was read before: any spelling of a JSON object with unique keys."""
    try:
        value = _DECODER.decode(data.decode("ascii"))
    except MalformedDocument:
        raise
    except (ValueError, RecursionError) as problem:
        raise MalformedDocument(f"not a line of JSON: {problem}") from None
    if not isinstance(value, dict):
        raise MalformedDocument("not a JSON object")
    return value


def read(data: bytes) -> dict[str, Any]:
    """Parse one document; raise `MalformedDocument` for anything `write` would not have written."""
    value = parse(data)
    try:
        same = write(value) == data
    except ValueError:  # a number like 1e999, which JSON can spell and nobody can hold
        same = False
    if not same:
        raise MalformedDocument("not in canonical form (sorted keys, no spaces, ASCII)")
    return value


def sha256(data: bytes) -> str:
    """Return the lowercase hex SHA-256 of *data*."""
    return hashlib.sha256(data).hexdigest()


def stamp(moment: datetime.datetime, *, micros: bool = True) -> str:
    """Return *moment* as documents write it: UTC, ending in `Z`.

    >>> stamp(datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), micros=False)
    '2030-01-02T03:04:05Z'
    """
    utc = moment.astimezone(datetime.timezone.utc)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micros else "%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime.datetime:
    """Return the time that *text* names; raise `MalformedDocument` for any other form."""
    if not isinstance(text, str) or not TIME.fullmatch(text):
        raise MalformedDocument(f"not a UTC time like 2030-01-02T03:04:05Z: {text!r}")
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as problem:
        raise MalformedDocument(f"no such time: {text} ({problem})") from None
