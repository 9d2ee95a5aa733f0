"""Commands as OCSF events: class Process Activity (1007), one event for each command.

Profiles `host`, `security_control` (what the rules and people decided) and
`record_integrity`, which is coming with version 1.9 of the schema: the fingerprint is
the SHA-256 of the event in canonical JSON (JCS), without the fingerprint itself, and
`chain_uid` with `metadata.sequence` name the entry of the log that proves it
(`gatesh audit proof N`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from gatesh import __version__
from gatesh.document import moment
from gatesh.evidence.story import Command
from gatesh.visible import visible

VERSION: Final = "1.9.0-dev"
_SEVERITY: Final = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"),
                    "critical": (5, "Critical")}  # fmt: skip
_ALLOWED, _DENIED, _UNKNOWN = (1, "Allowed"), (2, "Denied"), (0, "Unknown")
# state → action, disposition; what started was allowed or approved
_OUTCOME: Final[Mapping[str, tuple[tuple[int, str], tuple[int, str]]]] = {
    "denied": (_DENIED, (2, "Blocked")),
    "rejected": (_DENIED, (25, "Rejected")),
    "revoked": (_DENIED, (24, "Access Revoked")),
    "expired": (_DENIED, (6, "Dropped")),
    "cancelled": (_DENIED, (6, "Dropped")),
    "lapsed": (_DENIED, (6, "Dropped")),
    "pending": (_UNKNOWN, (14, "Delayed")),
    "asked": (_UNKNOWN, (14, "Delayed")),
    "approved": (_UNKNOWN, (14, "Delayed")),  # by somebody; perhaps not enough, and not started
}


def event(c: Command, origin: str) -> dict[str, Any]:
    """Return the event for *c*, a command of the log *origin*."""
    asker = c.submitted["requester"]
    strictest = next(iter(c.submitted["findings"]), None)
    severity_id, severity = (1, "Informational")
    if strictest is not None:
        severity_id, severity = _SEVERITY.get(strictest.get("severity"), (0, "Unknown"))
    user = _given(
        name=visible(asker["user"]), uid=str(asker["uid"]), email_addr=_mail(asker.get("person"))
    )
    made: dict[str, Any] = {
        "activity_id": 1,
        "activity_name": "Launch",
        "actor": {"user": user, **_parent(asker)},
        "category_name": "System Activity",
        "category_uid": 1,
        "class_name": "Process Activity",
        "class_uid": 1007,
        "device": {"hostname": origin.partition("/")[0], "type_id": 0},
        "message": visible(c.text),
        "metadata": _metadata(c, origin),
        "process": _given(
            cmd_line=visible(c.text),
            created_time=_ms(c.started),
            uid=c.id,
            user=user,
            working_directory=visible(c.submitted["cwd"]),
        ),
        "severity": severity,
        "severity_id": severity_id,
        "time": _ms(c.t),
        "type_name": "Process Activity: Launch",
        "type_uid": 100701,
        "unmapped": {"gatesh": _own(c)},
        **_outcome(c),
    }
    if strictest is not None:
        made["policy"] = {
            "desc": visible(strictest["reason"]),
            "is_applied": True,
            "name": strictest["rule"],
            "uid": c.submitted["policy_sha256"],
        }
    if c.answers:
        made["authorizations"] = [{"decision": said} for said in c.by]
    return _attested(made, origin, c.entries[0])


def line(c: Command, origin: str) -> str:
    """Return the event as one line of JSON."""
    return json.dumps(event(c, origin), sort_keys=True, separators=(",", ":"))


def _outcome(c: Command) -> dict[str, Any]:
    action, disposition = _OUTCOME.get(
        c.state, (_ALLOWED, (8, "Approved") if c.verdict == "approve" else (1, "Allowed"))
    )
    status_id, status = 0, "Unknown"
    if c.exit is not None or c.signal is not None:
        status_id, status = (1, "Success") if c.exit == 0 else (2, "Failure")
    elif action is _DENIED:
        status_id, status = 2, "Failure"
    return _given(
        action=action[1],
        action_id=action[0],
        disposition=disposition[1],
        disposition_id=disposition[0],
        duration=None if c.seconds is None else round(c.seconds * 1000),
        end_time=_ms(c.ended),
        exit_code=c.exit,
        is_alert=c.verdict == "deny" or bool(c.refused),
        start_time=_ms(c.started),
        status=status,
        status_detail=c.ending,
        status_id=status_id,
    )


def _metadata(c: Command, origin: str) -> dict[str, Any]:
    return _given(
        correlation_uid=c.id,
        event_code=c.verdict,
        labels=c.tags or None,
        log_name=origin,
        original_time=c.t,
        product={"name": "gatesh", "vendor_name": "gatesh", "version": __version__},
        profiles=["host", "security_control", "record_integrity"],
        sequence=c.entries[0],
        uid=f"{origin}#{c.entries[0]}",
        version=VERSION,
    )


def _own(c: Command) -> dict[str, Any]:
    return _given(
        agent=c.agent,
        approved_by=[a.by for a in c.approvals] or None,
        entries=c.entries,
        request_sha256=c.requests[-1] if c.requests else None,
        rules=c.rules or None,
        script_sha256=c.submitted["script_sha256"],
        signal=c.signal,
        streams=c.streams,
        system=c.system,
    )


def _parent(asker: Mapping[str, Any]) -> dict[str, Any]:
    ancestry = asker.get("ancestry") or []
    if not ancestry:
        return {}
    pid, name = ancestry[0]
    return {"process": {"name": visible(str(name)), "pid": pid}}


def _attested(made: dict[str, Any], origin: str, n: int) -> dict[str, Any]:
    attestation: dict[str, Any] = {"authority_uid": origin, "chain_uid": origin, "uid": str(n)}
    digest = hashlib.sha256(canonical({**made, "attestation_list": [attestation]})).hexdigest()
    fingerprint = {
        "algorithm": "SHA-256",
        "algorithm_id": 3,
        "encoding": "Hex",
        "encoding_id": 1,
        "serialization": "JCS",
        "serialization_id": 2,
        "value": digest,
    }
    return {**made, "attestation_list": [{**attestation, "fingerprint": fingerprint}]}


def canonical(event: Mapping[str, Any]) -> bytes:
    """Return *event* as the JSON Canonicalization Scheme (RFC 8785) has it.

    For what events are made of: names in ASCII, text, and integers that a double holds.
    """
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _mail(person: str | None) -> str | None:
    return visible(person) if person and "@" in person else None


def _ms(t: str | None) -> int | None:
    return None if t is None else int(moment(t).timestamp() * 1000)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
