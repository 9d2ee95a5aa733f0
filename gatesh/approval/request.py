"""The request document: what a person is asked to sign off (formats.md §1).

`build` makes the bytes, `read` parses them and refuses anything `build` would not have made.
The SHA-256 of the bytes is the request's identity; `match_sha256` recognises a re-run.

Byte strings of the system (paths, arguments) stand in the document as Python's
`surrogateescape` decodes them, so every byte survives.  The shapes of the nested fields:

    invocation  {"argv_sha256", "interactive", "login", "mode", "options", "path", "positionals",
                 "shell", "zero"}                      see `invocation_document`
    cwd         {"dev", "ino", "path"}
    env         {NAME: VALUE or {"salted_sha256": …}}  see `env_document`
    files       [{"path", "sha256", "size"}, …], sorted by path
    stdin       {"kind": "tty" | "null" | "unseen"} or {"kind": "file", "sha256": …}
    policy      {"roster": SHA-256, "rules": SHA-256}
    need        {"assurance": "key" | "presence", "quorum": {TEAM: COUNT}}, perhaps "break_glass"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gatesh import document
from gatesh.approval.request_shape import problems
from gatesh.document import MalformedDocument
from gatesh.model import CodeFile, Invocation, Need
from gatesh.sensitive import secret_looking

TYPE = "gatesh/request/v1"
INLINE = 16 * 1024  # bytes of script that stand in the document itself
LONGEST = 8 * 1024 * 1024  # bytes of a request document


# ---- the parts -------------------------------------------------------------


def text_of(data: bytes) -> str:
    """Return *data* as documents hold system bytes: UTF-8, other bytes as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def script_fields(script: bytes) -> dict[str, Any]:
    """Return `script` (None when it is long or not UTF-8), `script_bytes`, `script_sha256`."""
    inline: str | None = None
    if len(script) <= INLINE:
        try:
            inline = script.decode("utf-8")
        except UnicodeDecodeError:
            inline = None
    return {
        "script": inline,
        "script_bytes": len(script),
        "script_sha256": document.sha256(script),
    }


def invocation_document(call: Invocation) -> dict[str, Any]:
    """Return how the shell was called; `argv_sha256` binds the exact arguments."""
    # An argument cannot contain NUL, so joining by it cannot make two lists equal.
    argv = b"".join(argument + b"\0" for argument in call.argv)
    return {
        "argv_sha256": document.sha256(argv),
        "interactive": call.interactive,
        "login": call.login,
        "mode": call.mode.value,
        "options": [text_of(option) for option in call.options],
        "path": None if call.path is None else text_of(call.path),
        "positionals": [text_of(word) for word in call.positionals],
        "shell": call.name,
        "zero": None if call.zero is None else text_of(call.zero),
    }


def cwd_document(path: bytes, device: int, inode: int) -> dict[str, Any]:
    """Return the working directory: a name can be moved to another directory, an inode not."""
    return {"dev": device, "ino": inode, "path": text_of(path)}


def env_document(values: Mapping[bytes, bytes], salt: bytes) -> dict[str, Any]:
    """Return the variables that change meaning; secret-looking ones only as salted digests.

    *salt* (16 bytes or more, known to the broker alone, the same for all its requests) keeps a
    reader of the log from trying out likely secrets, and still lets the broker see that a re-run
    has the same ones.  Digest: SHA-256 over `gatesh/env/v1` and a newline, then salt, name and
    value, each behind its length as 8 bytes big-endian.
    """
    if len(salt) < 16:
        raise ValueError("a salt has at least 16 bytes")
    found: dict[str, Any] = {}
    for name, value in values.items():
        if secret_looking(text_of(name)):
            digest = _framed(b"gatesh/env/v1\n", (salt, name, value))
            found[text_of(name)] = {"salted_sha256": digest}
        else:
            found[text_of(name)] = text_of(value)
    return found


def files_document(files: Iterable[CodeFile]) -> list[dict[str, Any]]:
    """Return the files that would be read as code, each once, sorted by path."""
    once = {(f.path, f.sha256, f.size) for f in files}
    return [{"path": path, "sha256": sha256, "size": size} for path, sha256, size in sorted(once)]


def need_document(need: Need) -> dict[str, Any]:
    """Return what an approval takes; its two times stand in fields of their own."""
    found: dict[str, Any] = {"assurance": need.assurance, "quorum": dict(need.quorum)}
    if need.break_glass:
        found["break_glass"] = need.break_glass
    return found


def need_of(found: Mapping[str, Any]) -> Need:
    """Return the `Need` that a request document asks for (`within_s` as it was when opened)."""
    within = document.moment(found["approve_by"]) - document.moment(found["opened"])
    need = found["need"]
    return Need(
        dict(need["quorum"]),
        int(within.total_seconds()),
        found["run_within_s"],
        need["assurance"],
        need.get("break_glass", 0),
    )


# ---- the whole -------------------------------------------------------------


def build(
    *,
    id: str,
    revision: int,
    opened: datetime,
    approve_by: datetime,
    run_within_s: int,
    nonce: bytes,
    host: str,
    boot_id: str,
    origin: str,
    requester: Mapping[str, Any],
    script: bytes,
    invocation: Mapping[str, Any],
    cwd: Mapping[str, Any],
    env: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    stdin: Mapping[str, Any],
    policy: Mapping[str, Any],
    need: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]] = (),
    inner: str | None = None,
    system: str | None = None,
    purpose: str | None = None,
) -> bytes:
    """Return the request document; raise `MalformedDocument` if a field cannot be meant.

    *nonce* is 16 fresh random bytes.  *requester* and *findings* are the `as_document()` of
    `model.Requester` and `model.Finding`.
    """
    found: dict[str, Any] = {
        "approve_by": document.stamp(approve_by),
        "boot_id": boot_id,
        "cwd": dict(cwd),
        "env": dict(env),
        "files": [dict(file) for file in files],
        "findings": [dict(finding) for finding in findings],
        "host": host,
        "id": id,
        "inner": inner,
        "invocation": dict(invocation),
        "need": dict(need),
        "nonce": nonce.hex(),
        "opened": document.stamp(opened),
        "origin": origin,
        "policy": dict(policy),
        "purpose": purpose,
        "requester": dict(requester),
        "revision": revision,
        "run_within_s": run_within_s,
        "stdin": dict(stdin),
        "system": system,
        "type": TYPE,
        **script_fields(script),
    }
    data = document.write(found)
    read(data)
    return data


def read(data: bytes) -> dict[str, Any]:
    """Parse a request; raise `MalformedDocument` naming everything that is wrong with it."""
    if len(data) > LONGEST:
        raise MalformedDocument(f"longer than {LONGEST} bytes")
    found = document.read(data)
    if found.get("type") != TYPE:
        raise MalformedDocument(f"not of type {TYPE}")
    wrong = list(problems(found))
    if not wrong:
        wrong = list(_contradictions(found))
    if wrong:
        raise MalformedDocument("; ".join(wrong))
    return found


def _contradictions(found: Mapping[str, Any]) -> Iterable[str]:
    """Yield what each field alone allows but two together do not."""
    if document.moment(found["approve_by"]) <= document.moment(found["opened"]):
        yield "`approve_by` is not later than `opened`"
    script = found["script"]
    if script is not None:
        raw = script.encode("utf-8")
        # People read `script` and the shell gets what `script_sha256` names: one text, or nothing.
        if document.sha256(raw) != found["script_sha256"] or len(raw) != found["script_bytes"]:
            yield "`script` is not what `script_sha256` and `script_bytes` say"
        if len(raw) > INLINE:
            yield f"`script` is longer than {INLINE} bytes"
    if [file["path"] for file in found["files"]] != sorted(f["path"] for f in found["files"]):
        yield "`files` is not sorted by path"


# ---- recognising a re-run --------------------------------------------------


def match_sha256(
    *,
    script: bytes,
    invocation: Mapping[str, Any],
    cwd: Mapping[str, Any],
    uid: int,
    host: str,
    env: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    policy: Mapping[str, Any],
) -> str:
    """Return the match digest: equal exactly for two runs that would do the same (formats.md §1).

    *script* is the bytes for the shell, *uid* its decimal digits, *host* UTF-8; the others are
    canonical JSON of the request's fields.
    """
    parts = (
        script,
        _json(invocation),
        _json(cwd),
        str(uid).encode("ascii"),
        host.encode("utf-8", "surrogateescape"),
        _json(env),
        _json(files),
        _json(policy),
    )
    return _framed(b"gatesh/match/v1\n", parts)


def match_of(found: Mapping[str, Any], script: bytes) -> str:
    """Return the match digest of a parsed request, given the bytes its `script_sha256` names."""
    if document.sha256(script) != found["script_sha256"]:
        raise ValueError("these are not the bytes of this request's script")
    return match_sha256(
        script=script,
        invocation=found["invocation"],
        cwd=found["cwd"],
        uid=found["requester"]["uid"],
        host=found["host"],
        env=found["env"],
        files=found["files"],
        policy=found["policy"],
    )


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _framed(head: bytes, parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256(head)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
