"""The law as files have it: read whole and once, written whole.

While a log is in first use these files are the law.  Once it is settled they are a copy of what
was approved, for people and for ssh-keygen to read.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gatesh import config, document
from gatesh.approval import proposal, rosterfile
from gatesh.approval.proposal import CONFIG, ROSTER, RULES
from gatesh.approval.roster import Roster
from gatesh.config import Config, Places
from gatesh.errors import ConfigError, GateshError
from gatesh.policy.engine import Policy
from gatesh.policy.packs import Layer, load, snapshot

SYSTEM = Path("/etc/gatesh/rules")
_HEADER = "# Settings as they were approved.  Changes: edit this file, then gatesh propose.\n"


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What the files say; a document is missing where its file cannot be used."""

    documents: Mapping[str, bytes]  # kind → the document that is law
    text: str  # of the settings file, comments and all
    hold_s: float | None  # the one setting that is not law; None where it cannot be read
    problems: Mapping[str, str] = field(default_factory=dict)  # kind → why it cannot be used


def read(places: Places) -> OnDisk:
    """Read everything; what cannot be used becomes a problem."""
    documents: dict[str, bytes] = {}
    problems: dict[str, str] = {}
    text, hold_s = "", None
    try:
        text = config.text_of(places.settings)
        given = config.given(text, places.settings)
        hold_s = config.from_given(given, places.settings).hold_s
        documents[CONFIG] = document.write(proposal.settings_document(config.law_of(given)))
    except (GateshError, ValueError, TypeError) as problem:
        problems[CONFIG] = str(problem)
    try:
        documents[RULES] = document.write(proposal.rules_document(_rules(places)))
    except (GateshError, document.MalformedDocument) as problem:
        problems[RULES] = str(problem)
    try:
        documents[ROSTER] = document.write(rosterfile.load(places.config).document())
    except GateshError as problem:
        problems[ROSTER] = str(problem)
    return OnDisk(documents, text, hold_s, problems)


def _rules(places: Places) -> dict[str, str]:
    found = {}
    for name, data in (snapshot(own_rules(places)).contents or {}).items():
        try:
            found[name] = data.decode("utf-8")
        except UnicodeDecodeError as problem:
            line = data.count(b"\n", 0, problem.start) + 1
            raise ConfigError(
                f"{places.rules / name}: cannot be used: line {line} is not UTF-8; save it as UTF-8"
            ) from None
    return found


# ---- what documents mean -------------------------------------------------------


def config_of(data: bytes, places: Places) -> Config:
    """Return the settings in the settings document *data*; raise `ConfigError`."""
    return config.from_given(proposal.settings_of(document.read(data)), places.settings)


def roster_of(data: bytes) -> Roster:
    """Return the roster in the roster document *data*; raise `ConfigError`."""
    return Roster.from_document(document.read(data))


def own_rules(places: Places, contents: Mapping[str, bytes] | None = None) -> Layer:
    """Return the layer of rules that this broker's people decide about."""
    return Layer("system" if places.guarded else "user", places.rules, contents)


def policy_of(rules: bytes, settings: Config, places: Places) -> Policy:
    """Return the policy of the rules document *rules* above what came with gatesh.

    Raises `ConfigError` naming every problem.
    """
    texts = proposal.rules_of(document.read(rules))
    contents = {name: text.encode("utf-8") for name, text in texts.items()}
    return load([*given_rules(places), own_rules(places, contents)], default=settings.default)


def given_rules(places: Places) -> list[Layer]:
    """Return the layers that are not this account's to change: the package's and root's."""
    found = [Layer("shipped", config.shipped_rules())]
    if not places.guarded and SYSTEM.is_dir():
        found.append(Layer("system", SYSTEM))
    return found


# ---- writing -------------------------------------------------------------------


def write(places: Places, kind: str, change: Mapping[str, Any]) -> None:
    """Make the files of *kind* say what *change* says: a roster, rules or settings file."""
    if kind == ROSTER:
        rosterfile.save(places.config, Roster.from_document(change))
    elif kind == RULES:
        _write_rules(places.rules, proposal.rules_of(change))
    elif kind == CONFIG:
        _write(places.settings, proposal.config_of(change))


def change_of(kind: str, data: bytes, on_disk: OnDisk) -> dict[str, Any]:
    """Return the change that would bring about the document *data* of the law.

    Settings get their text from the file, if that means the same.
    """
    if kind != CONFIG:
        return document.read(data)
    if on_disk.documents.get(CONFIG) == data:
        return proposal.config_document(on_disk.text)
    settings = proposal.settings_of(document.read(data))
    if on_disk.hold_s is not None:
        settings["hold"] = on_disk.hold_s
    text = _HEADER + (yaml.safe_dump(settings, sort_keys=True) if settings else "")
    return proposal.config_document(text)


def document_of(kind: str, change: Mapping[str, Any], places: Places) -> bytes:
    """Return the document of the law that *change* brings about; raise `ConfigError`."""
    try:
        if kind == ROSTER:
            return document.write(Roster.from_document(change).document())
        if kind == RULES:
            return document.write(proposal.rules_document(proposal.rules_of(change)))
        given = config.given(proposal.config_of(change), places.settings)
        config.from_given(given, places.settings)
        return document.write(proposal.settings_document(config.law_of(given)))
    except (document.MalformedDocument, KeyError, TypeError, ValueError) as problem:
        raise ConfigError(f"the proposed {kind} cannot be read: {problem}") from None


def _write_rules(directory: Path, files: Mapping[str, str]) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(directory / name, text)
    for place, _, names in os.walk(directory):
        for name in names:
            path = Path(place) / name
            known = path.relative_to(directory).as_posix() in files
            if not known and name.endswith((".yaml", ".yml")):
                path.unlink()


def _write(path: Path, text: str) -> None:
    trial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(trial, path)
    except BaseException:
        os.unlink(trial)
        raise
