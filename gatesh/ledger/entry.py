"""One line of the log: a document with `v`, `n`, `t`, `type` and the fields of its type.

`decode` accepts exactly what `encode` writes (`formats.md` §3).  Which fields a
type must carry is a table here, kept apart from decoding: a log that somebody
else wrote is read first and criticised afterwards, by `faults`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from gatesh import document

VERSION: Final = 1
LIMIT: Final = 65_535  # bytes of one line: a C2SP entry bundle counts them in a uint16
NUMBERING: Final = frozenset({"v", "n", "t", "type"})


class MalformedEntry(ValueError):
    """The bytes are not an entry as `encode` writes it."""


class TooLong(MalformedEntry):
    """The line has more bytes than an entry may have."""


def encode(entry: Mapping[str, Any]) -> bytes:
    """Return the line for *entry*, without its newline.

    Raises `MalformedEntry` when it is longer than 65,535 bytes, is not JSON, or
    lacks a sound `v`, `n`, `t` or `type`.

    >>> encode({"v": 1, "n": 4, "t": "2030-01-02T03:04:09.000000Z", "type": "heartbeat"})
    b'{"n":4,"t":"2030-01-02T03:04:09.000000Z","type":"heartbeat","v":1}'
    """
    try:
        line = document.write(dict(entry))
    except (TypeError, ValueError, RecursionError) as problem:
        raise MalformedEntry(f"cannot be written as JSON: {problem}") from None
    _check(entry, line)
    return line


def decode(line: bytes, *, canonical: bool = True) -> dict[str, Any]:
    """Parse one line without its newline; raise `MalformedEntry` for any other spelling.

    *canonical* is only false for lines whose spelling has been checked before.
    """
    if len(line) > LIMIT:
        raise TooLong(f"longer than {LIMIT:,} bytes")
    try:
        entry = document.read(line) if canonical else document.parse(line)
    except document.MalformedDocument as problem:
        raise MalformedEntry(str(problem)) from None
    _check(entry, line)
    return entry


_DAY: Final = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{6})?Z", re.ASCII)
_days: dict[str, bool] = {}


def _time(text: Any) -> None:
    # The calendar is asked once a day: an audit reads a million times.
    if isinstance(text, str) and text[:10] in _days and _DAY.fullmatch(text):
        return
    document.moment(text)
    if len(_days) > 1000:
        _days.clear()
    _days[text[:10]] = True


def _check(entry: Mapping[str, Any], line: bytes) -> None:
    if len(line) > LIMIT:
        raise TooLong(f"{len(line):,} bytes do not fit into an entry of {LIMIT:,}")
    if type(entry.get("v")) is not int or entry["v"] != VERSION:
        raise MalformedEntry(f"v is not {VERSION}")
    n = entry.get("n")
    if type(n) is not int or n < 0:
        raise MalformedEntry("n is not an index")
    try:
        _time(entry.get("t", ""))
    except document.MalformedDocument as problem:
        raise MalformedEntry(f"t is {problem}") from None
    if not isinstance(entry.get("type"), str) or not entry["type"]:
        raise MalformedEntry("type is not a word")


# ---- what each type must carry -------------------------------------------

Check = Callable[[Any], bool]

_HEX = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{8}")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _digest(value: Any) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _digests(value: Any) -> bool:
    return isinstance(value, list) and all(map(_digest, value))


def _moment(value: Any) -> bool:
    try:
        document.moment(value)
    except document.MalformedDocument:
        return False
    return True


def _id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _list(value: Any) -> bool:
    return isinstance(value, list)


def _listing(value: Any) -> bool:
    return isinstance(value, list | dict)


def _indexes(value: Any) -> bool:
    return isinstance(value, list) and all(_count(n) for n in value)


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _one_of(*words: str) -> Check:
    return lambda value: value in words


_PROCESS: Final[Mapping[str, Check]] = {"version": _text, "boot_id": _text, "pid": _count}
_REVISION: Final[Mapping[str, Check]] = {
    "id": _id,
    "revision": _count,
    "request_sha256": _digest,
}
_ENDED: Final[Mapping[str, Check]] = {**_REVISION, "why": _text}
_ORIGIN: Final[Mapping[str, Check]] = {"origin": _text, "vkey": _text}


def _log(value: Any) -> bool:
    """Another log, by its name and key."""
    return isinstance(value, dict) and _text(value.get("origin")) and _text(value.get("vkey"))


def _finished_log(value: Any) -> bool:
    return _log(value) and _count(value.get("size")) and _text(value.get("root"))


REQUIRED: Final[Mapping[str, Mapping[str, Check]]] = {
    "ledger.opened": _ORIGIN,
    "ledger.closed": _ORIGIN,
    "ledger.recovered": {"quarantine_sha256": _digest, "bytes": _count},
    "broker.started": {**_PROCESS, "clean": _flag},
    "broker.stopped": _PROCESS,
    "policy.loaded": {"policy_sha256": _digest, "files": _listing},
    "roster.loaded": {"roster_sha256": _digest, "allowed_signers": _text, "people": _listing},
    # A file that says otherwise than what was approved; `sha256` null when it says nothing usable.
    "law.edited": {"kind": _text, "sha256": _or_null(_digest), "in_force": _digest},
    "command.submitted": {
        "id": _id,
        "script_sha256": _digest,
        "cwd": _text,
        "requester": _object,
        "verdict": _one_of("allow", "approve", "deny"),
        "findings": _list,
        "policy_sha256": _digest,
        "roster_sha256": _digest,
    },
    "request.opened": _REVISION,
    "request.revised": _REVISION,
    "request.cancelled": _ENDED,
    "request.expired": _ENDED,
    "request.lapsed": _ENDED,
    "decision.accepted": {
        "id": _id,
        "decision": _one_of("approve", "reject", "ask", "revoke"),
        "by": _text,
        "key": _text,
        "assurance": _text,
        "decision_sha256": _digest,
        "signature_sha256": _digest,
        "request_sha256": _digest,
    },
    # What one person starts alone, and what another says of it later.
    "override.accepted": {
        "id": _id,
        "by": _text,
        "key": _text,
        "assurance": _text,
        "override_sha256": _digest,
        "signature_sha256": _digest,
        "request_sha256": _digest,
    },
    "override.reviewed": {
        "id": _id,
        "by": _text,
        "key": _text,
        "assurance": _text,
        "override_sha256": _digest,
        "review_sha256": _digest,
        "signature_sha256": _digest,
    },
    "decision.refused": {"id": _or_null(_text), "why": _text},
    "command.started": {
        "id": _id,
        "script_sha256": _digest,
        "request_sha256": _or_null(_digest),
        "decisions": _indexes,
    },
    "command.finished": {"id": _id, "seconds": _number, "streams": _object},
    # What background children wrote after the end of their shell was recorded.
    "command.output": {"id": _id, "streams": _object},
    "command.lost": {"id": _id},
    # Blobs that an approved act has removed; what they were stays proven by their digests.
    "transcripts.removed": {"before": _moment, "removed": _digests},
    "heartbeat": {},
}

STREAMS: Final = frozenset({"stdout", "stderr", "tty", "timing"})


def faults(entry: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the fields of *entry*, in words; nothing when it is sound.

    Fields beyond the required ones are allowed: a later gatesh may write more.
    """
    required = REQUIRED.get(entry["type"])
    if required is None:
        return [f"unknown type {entry['type']!r}"]
    found = []
    for name, check in required.items():
        if name not in entry:
            found.append(f"{name} is missing")
        elif not check(entry[name]):
            found.append(f"{name} is not as specified")
    if entry["type"] == "ledger.opened" and not _or_null(_finished_log)(entry.get("predecessor")):
        found.append("predecessor is not as specified")
    if entry["type"] == "ledger.closed" and not _or_null(_log)(entry.get("successor")):
        found.append("successor is not as specified")
    if entry["type"] == "command.finished" and ("exit" in entry) == ("signal" in entry):
        found.append("exactly one of exit and signal must be given")
    if "streams" in entry and not found:
        found += _stream_faults(entry)
    return found


def _stream_faults(entry: Mapping[str, Any]) -> list[str]:
    if not _object(entry["streams"]):
        return ["streams is not as specified"]
    found = []
    for name, stream in entry["streams"].items():
        if name not in STREAMS:
            found.append(f"unknown stream {name!r}")
        elif not _stream(stream):
            found.append(f"stream {name} is not as specified")
    return found


def _stream(value: Any) -> bool:
    if not (
        isinstance(value, dict) and _count(value.get("bytes")) and _digest(value.get("sha256"))
    ):
        return False
    if "sealed" in value and not _sealed(value["sealed"]):
        return False
    kept = value.get("kept")
    if kept == "all":
        return True
    return (
        isinstance(kept, dict)
        and set(kept) == {"head", "tail"}
        and all(
            isinstance(part, list) and len(part) == 2 and _count(part[0]) and _digest(part[1])
            for part in kept.values()
        )
        and kept["head"][0] + kept["tail"][0] <= value["bytes"]
    )


def _sealed(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"bytes", "sha256", "to"}
        and _count(value["bytes"])
        and _digest(value["sha256"])
        and _text(value["to"])
    )


def kept_blobs(entry: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return (digest, bytes) of each transcript blob that the streams of *entry* name.

    A part of no bytes has no blob.
    """
    parts: list[tuple[str, int]] = []
    for stream in entry["streams"].values():
        if stream["kept"] == "all":
            parts.append((stream["sha256"], stream["bytes"]))
        else:
            parts += [(digest, size) for size, digest in stream["kept"].values()]
        if "sealed" in stream:
            parts.append((stream["sealed"]["sha256"], stream["sealed"]["bytes"]))
    return [(digest, size) for digest, size in parts if size]
