"""A proposal: a change that a second person has to approve, as the script of a request.

Roster, rules and settings are never edited in force: what is to replace them is shown, signed and
carried out like a command.  The document stands where a command's script would, so everything that
holds for a script (bound by digest, shown whole, approved once) holds for it:

    {"base": SHA-256, "change": {"type": …, …}, "kind": "roster", "type": "gatesh/proposal/v1"}

`change` is the whole new thing, never a difference; `base` names the document that it replaces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatesh import document
from gatesh.document import MalformedDocument

TYPE = "gatesh/proposal/v1"
MODE = "proposal"  # `invocation.mode` of its request
ROSTER, RULES, CONFIG = "roster", "rules", "config"
LAW = (ROSTER, RULES, CONFIG)  # the kinds that are the law; acts of other kinds may follow
RULES_TYPE, CONFIG_TYPE = "gatesh/rules/v1", "gatesh/config/v1"
SETTINGS_TYPE = "gatesh/settings/v1"
LONGEST = 4 << 20  # bytes of a proposal
_KIND = re.compile(r"[a-z][a-z-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to replace what.  `base` is the SHA-256 of the document in force."""

    kind: str
    base: str
    change: Mapping[str, Any]

    def write(self) -> bytes:
        """Return the document; raise `MalformedDocument` if it could not be read."""
        data = document.write(
            {"base": self.base, "change": dict(self.change), "kind": self.kind, "type": TYPE}
        )
        Proposal.read(data)
        return data

    @classmethod
    def read(cls, data: bytes) -> Proposal:
        """Parse *data*; raise `MalformedDocument` for anything else than a v1 proposal."""
        if len(data) > LONGEST:
            raise MalformedDocument(f"a proposal has at most {LONGEST:,} bytes")
        found = document.read(data)
        if found.keys() != {"base", "change", "kind", "type"} or found["type"] != TYPE:
            raise MalformedDocument(f"not of type {TYPE}")
        base, kind, change = found["base"], found["kind"], found["change"]
        if not isinstance(base, str) or not _SHA256.fullmatch(base):
            raise MalformedDocument("`base` is not a SHA-256")
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise MalformedDocument("`kind` is not a word")
        if not isinstance(change, dict) or not isinstance(change.get("type"), str):
            raise MalformedDocument("`change` is not a document with a type")
        return cls(kind, base, change)


# ---- what rules and settings are, as documents ---------------------------------


def rules_document(files: Mapping[str, str]) -> dict[str, Any]:
    """Return the document of a directory of rules: texts by path; raise `MalformedDocument`."""
    found = {"files": dict(files), "type": RULES_TYPE}
    rules_of(found)
    return found


def rules_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a rules document by path below the directory of rules."""
    if found.keys() != {"files", "type"} or found["type"] != RULES_TYPE:
        raise MalformedDocument(f"not of type {RULES_TYPE}")
    files = found["files"]
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise MalformedDocument("`files` is not texts by name")
    for name in files:
        # They are written below a directory: nothing may lead out of it, or hide in it.
        plain = all(part not in ("", ".", "..") for part in name.split("/")) and name.isprintable()
        if not plain or len(name) > 200 or not name.endswith((".yaml", ".yml")):
            raise MalformedDocument(f"{name!r} is not the name of a rule file (such as ours.yaml)")
    parts = [name.split("/") for name in files]
    folders = {"/".join(names[:deep]) for names in parts for deep in range(1, len(names))}
    if both := folders & files.keys():
        raise MalformedDocument(f"{min(both)!r} is both a file and a directory")
    return dict(files)


def settings_document(law: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of the settings that are law, `config.law_of` a settings file."""
    return {"settings": dict(law), "type": SETTINGS_TYPE}


def settings_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in a settings document."""
    if found.keys() != {"settings", "type"} or found["type"] != SETTINGS_TYPE:
        raise MalformedDocument(f"not of type {SETTINGS_TYPE}")
    if not isinstance(found["settings"], dict):
        raise MalformedDocument("`settings` is not names and values")
    return dict(found["settings"])


def config_document(text: str) -> dict[str, Any]:
    """Return the document of a settings file."""
    return {"text": text, "type": CONFIG_TYPE}


def config_of(found: Mapping[str, Any]) -> str:
    """Return the text of a settings file's document."""
    if found.keys() != {"text", "type"} or found["type"] != CONFIG_TYPE:
        raise MalformedDocument(f"not of type {CONFIG_TYPE}")
    if not isinstance(found["text"], str):
        raise MalformedDocument("`text` is not text")
    return found["text"]
