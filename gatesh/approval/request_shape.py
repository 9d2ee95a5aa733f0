"""The shape of a request document: which fields, of which kind, with which limits.

A small table of checks instead of a schema library: the gate must never sign off a document
that it cannot explain field by field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gatesh.approval.proposal import MODE
from gatesh.document import MalformedDocument, moment
from gatesh.model import Mode, Verdict, read_id

Check = Callable[[Any], bool]

_MODES = {mode.value for mode in Mode} | {MODE}
_VERDICTS = {verdict.word for verdict in Verdict}
_HEX = re.compile(r"[0-9a-f]*")
_TEAM = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def text(value: Any) -> bool:
    """Any text at all."""
    return isinstance(value, str)


def word(value: Any) -> bool:
    """Text that says something."""
    return isinstance(value, str) and value != ""


def flag(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


def clean_text(value: Any) -> bool:
    """Text that is UTF-8 without escapes for other bytes."""
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def number(least: int) -> Check:
    """A whole number, not smaller than *least* and fit for 64 bits."""
    # bool is an int in Python: `"revision": true` must not pass for 1.
    return lambda value: type(value) is int and least <= value < 1 << 64


def hexed(size: int) -> Check:
    """*size* bytes in lowercase hex."""
    return lambda v: isinstance(v, str) and len(v) == 2 * size and bool(_HEX.fullmatch(v))


def one_of(words: Iterable[str]) -> Check:
    """One of these words."""
    known = frozenset(words)
    return lambda value: isinstance(value, str) and value in known


def maybe(check: Check) -> Check:
    """Null, or what *check* takes."""
    return lambda value: value is None or check(value)


def listed(check: Check) -> Check:
    """A list of what *check* takes."""
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def shaped(fields: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object of exactly these fields, perhaps with the optional ones."""
    more = optional or {}

    def check(value: Any) -> bool:
        if not isinstance(value, dict) or not fields.keys() <= value.keys():
            return False
        known = {**fields, **more}
        return all(name in known and known[name](item) for name, item in value.items())

    return check


def mapped(name: Check, check: Check) -> Check:
    """An object of any names that *name* takes."""
    return lambda value: (
        isinstance(value, dict) and all(name(key) and check(item) for key, item in value.items())
    )


def _id(value: Any) -> bool:
    return isinstance(value, str) and read_id(value) == value


def time(value: Any) -> bool:
    """A time as documents write it."""
    try:
        moment(value)
    except MalformedDocument:
        return False
    return True


def _step(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and number(0)(value[0]) and text(value[1])


def _span(value: Any) -> bool:
    return listed(number(0))(value) and len(value) == 2 and value[0] <= value[1]


def _team(value: Any) -> bool:
    return isinstance(value, str) and bool(_TEAM.fullmatch(value))


def _stdin(value: Any) -> bool:
    if isinstance(value, dict) and value.get("kind") == "file":
        return shaped({"kind": word, "sha256": hexed(32)})(value)
    return shaped({"kind": one_of(("tty", "null", "unseen"))})(value)


def _quorum(value: Any) -> bool:
    # An empty quorum would be reached by nobody at all.
    return bool(value) and mapped(_team, number(1))(value)


_FINDING = shaped(
    {
        "rule": word,
        "pack": text,
        "verdict": one_of(_VERDICTS),
        "reason": text,
        "severity": text,
        "system": maybe(text),
        "on": word,
        "command": text,
        "span": _span,
        "inside": listed(text),
    },
    {"detail": text, "instead": text, "tags": listed(text)},
)
_REQUESTER = shaped(
    {
        "uid": number(0),
        "gid": number(0),
        "user": text,
        "person": maybe(word),
        "agent": maybe(shaped({"name": word, "by": text})),
        "session": number(0),
        "ancestry": listed(_step),
    }
)
_INVOCATION = shaped(
    {
        "argv_sha256": hexed(32),
        "interactive": flag,
        "login": flag,
        "mode": one_of(_MODES),
        "options": listed(text),
        "path": maybe(text),
        "positionals": listed(text),
        "shell": word,
        "zero": maybe(text),
    }
)

SHAPE: Mapping[str, Check] = {
    "approve_by": time,
    "boot_id": text,
    "cwd": shaped({"dev": number(0), "ino": number(0), "path": word}),
    "env": mapped(word, lambda v: text(v) or shaped({"salted_sha256": hexed(32)})(v)),
    "files": listed(shaped({"path": word, "sha256": hexed(32), "size": number(0)})),
    "findings": listed(_FINDING),
    "host": word,
    "id": _id,
    "inner": maybe(text),
    "invocation": _INVOCATION,
    "need": shaped(
        {"assurance": one_of(("key", "presence")), "quorum": _quorum},
        {"break_glass": number(1)},
    ),
    "nonce": hexed(16),
    "opened": time,
    "origin": word,
    "policy": shaped({"roster": hexed(32), "rules": hexed(32)}),
    "purpose": maybe(text),
    "requester": _REQUESTER,
    "revision": number(1),
    "run_within_s": number(1),
    "script": maybe(clean_text),
    "script_bytes": number(0),
    "script_sha256": hexed(32),
    "stdin": _stdin,
    "system": maybe(text),
    "type": word,
}


def problems(found: Mapping[str, Any]) -> Iterable[str]:
    """Yield one line for each field that is missing, unknown or not of its shape."""
    for name in sorted(SHAPE.keys() | found.keys()):
        if name not in found:
            yield f"`{name}` is missing"
        elif name not in SHAPE:
            yield f"`{name}` is not a field of a request"
        elif not SHAPE[name](found[name]):
            yield f"`{name}` is not of its shape"
