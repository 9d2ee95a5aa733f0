"""Rules, roster and settings as they stand: read again when a file changes, and logged."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatesh import config
from gatesh.approval import rosterfile
from gatesh.approval.roster import Roster
from gatesh.call import Law
from gatesh.config import Config, Places
from gatesh.errors import GateshError
from gatesh.policy.engine import Policy
from gatesh.policy.packs import Layer, load

Signature = tuple[tuple[str, int, int, int], ...]


def layers(places: Places) -> list[Layer]:
    """Return the directories of rules in force for *places*, most trusted first."""
    found = [Layer("shipped", config.shipped_rules())]
    if not places.guarded and Path("/etc/gatesh/rules").is_dir():
        found.append(Layer("system", Path("/etc/gatesh/rules")))
    if places.rules.is_dir():
        found.append(Layer("system" if places.guarded else "user", places.rules))
    return found


def read_policy(places: Places, settings: Config) -> Policy:
    """Return the policy in force; raise `ConfigError` naming every problem."""
    return load(layers(places), default=settings.default)


class LawBook:
    """The law, kept current.

    An edit that cannot be used keeps the last law that could, and says so in the
    log; when there never was one, everything needs approval until all of it can be read.
    """

    def __init__(self, places: Places, record: Callable[[list[dict[str, Any]]], object]) -> None:
        self.places = places
        self.record = record
        self.lock = threading.Lock()
        self.seen: Signature | None = None
        self.law: Law | None = None

    def current(self) -> Law:
        """Return the law of this moment; appends to the log when it has changed."""
        with self.lock:
            seen = self._look()
            if self.law is None or seen != self.seen:
                self.law = self._read(self.law)
                self.seen = seen
            return self.law

    def _look(self) -> Signature:
        """Return what tells a changed file.  Shipped packs change only with the program."""
        found = _stamps(self.places.config, deep=False)
        for root in (self.places.rules, Path("/etc/gatesh/rules")):
            found += _stamps(root, deep=True)
        return tuple(sorted(found))

    def _read(self, before: Law | None) -> Law:
        entries: list[dict[str, Any]] = []
        problems: list[str] = []
        roster_problem: str | None = None
        broken = before is None or before.policy.problems is not None
        settings = before.config if before else Config()
        policy = before.policy if before else None
        roster = before.roster if before else None
        try:
            settings = config.load(self.places.settings)
        except GateshError as problem:
            problems.append(str(problem))
        try:
            policy = read_policy(self.places, settings)
        except GateshError as problem:
            problems.append(str(problem))
        try:
            roster = rosterfile.load(self.places.config)
        except GateshError as problem:
            roster_problem = str(problem)
            problems.append(roster_problem)
        if policy is None or (problems and broken):
            # Never had a law that works: settings or rules that cannot be read may have asked
            # for more than the shipped ones do.  A second edit that fails does not change that.
            policy = Policy.broken("; ".join(problems).replace("\n", "; "))
        if roster is None:
            roster = Roster()
        if before is None or problems or policy.sha256 != before.policy.sha256:
            entry: dict[str, Any] = {
                "type": "policy.loaded",
                "policy_sha256": policy.sha256,
                "files": {file.path: file.sha256 for file in policy.files},
            }
            if problems:
                entry["problem"] = "; ".join(problems)[:8000]
            entries.append(entry)
        if before is None or roster_problem or roster.sha256 != before.roster.sha256:
            loaded: dict[str, Any] = {
                "type": "roster.loaded",
                "roster_sha256": roster.sha256,
                "allowed_signers": roster.allowed_signers,
                "people": roster.people_document(),
            }
            if roster_problem:
                loaded["problem"] = roster_problem[:8000]
            entries.append(loaded)
        if entries:
            self.record(entries)
        return Law(settings, policy, roster)


def _stamps(root: Path, *, deep: bool) -> list[tuple[str, int, int, int]]:
    found = []
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                at = entry.stat(follow_symlinks=True)
                found.append((entry.path, at.st_mtime_ns, at.st_size, at.st_ino))
                if deep and entry.is_dir():
                    found += _stamps(Path(entry.path), deep=True)
    except OSError:
        pass  # `load` says what is wrong with it; here it only counts as changed
    return found
