"""Commands as syslog lines (RFC 5424), one for each command, for any collector.

    <110>1 2030-01-02T03:04:05.000000Z build7 gatesh - finished [gatesh@32473 id="k7q2m9xd" …] ls

Facility 13, log audit; severity info for what ran at once, notice for what was
held, warning for what was denied.
"""

from __future__ import annotations

import re
from typing import Final

from gatesh.evidence.story import Command
from gatesh.visible import visible

# 32473 is the number that RFC 5612 sets apart for whoever has none of their own.
SD_ID: Final = "gatesh@32473"
_FACILITY: Final = 13
_SEVERITY: Final = {"allow": 6, "approve": 5, "deny": 4}
_ESCAPED: Final = re.compile(r'(["\\\]])')
_NAME: Final = re.compile(r"[^\x21-\x7e]")


def line(c: Command, origin: str) -> str:
    """Return the line for *c*, a command of the log *origin*, without a newline."""
    asker = c.submitted["requester"]
    given: dict[str, object] = {
        "id": c.id,
        "log": origin,
        "entry": c.entries[0],
        "verdict": c.verdict,
        "user": asker["user"],
        "person": asker.get("person"),
        "agent": c.agent,
        "cwd": c.submitted["cwd"],
        "rule": c.rules[0] if c.rules else None,
        "system": c.system,
        "approved_by": " ".join(a.by for a in c.approvals) or None,
        "exit": c.exit,
        "signal": c.signal,
        "script_sha256": c.submitted["script_sha256"],
    }
    data = " ".join(f'{k}="{_value(v)}"' for k, v in given.items() if v is not None)
    host = _NAME.sub("?", origin.partition("/")[0])[:255] or "-"
    # The mark says that what follows is UTF-8; every control character is visible text by now.
    return (
        f"<{_FACILITY * 8 + _SEVERITY[c.verdict]}>1 {c.t} {host} gatesh - {c.state[:32]}"
        f" [{SD_ID} {data}] \ufeff{visible(c.text)}"
    )


def _value(value: object) -> str:
    return _ESCAPED.sub(r"\\\1", visible(str(value)))
