"""The law in force: rules, roster and settings, and what the files say about them otherwise.

While a log is in first use the files are the law, read again when one changes.  Once it is settled
(`approval.standing`) the law is what was last approved, kept as blobs that the log names; a file
that says something else changes nothing, and the log and everybody who looks are told so.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatesh import document
from gatesh.approval import proposal
from gatesh.approval.proposal import CONFIG, LAW, ROSTER, RULES
from gatesh.approval.roster import Roster
from gatesh.approval.standing import FIELDS, FIRST_USE, UNREADABLE, Standing
from gatesh.broker import lawfiles
from gatesh.broker.lawfiles import SYSTEM, OnDisk
from gatesh.call import Law
from gatesh.config import Config, Places
from gatesh.errors import ConfigError, GateshError, NotFound, Refused
from gatesh.ledger.blobs import Blobs
from gatesh.policy.engine import Policy
from gatesh.policy.packs import Layer, load

log = logging.getLogger("gatesh.broker")

_NOTHING = {
    ROSTER: document.write(Roster().document()),
    RULES: document.write(proposal.rules_document({})),
    CONFIG: document.write(proposal.settings_document({})),
}

Stamps = tuple[tuple[str, int, int, int], ...]
Entry = dict[str, Any]
Record = Callable[[list[Entry]], object]


class Stale(Refused):
    """A change was made for a law that is no longer in force."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A file that says something else than what was approved; nobody obeys it."""

    kind: str
    sha256: str | None  # of the document that the file would make; None when it makes none
    problem: str | None = None

    def as_document(self) -> dict[str, Any]:
        """Return what `status` and `pending` tell."""
        return {"kind": self.kind, "sha256": self.sha256, "problem": self.problem}


def layers(places: Places) -> list[Layer]:
    """Return the directories of rules for *places* as they are on disk, most trusted first."""
    own = lawfiles.own_rules(places)
    return [*lawfiles.given_rules(places), *([own] if own.directory.is_dir() else [])]


def read_policy(places: Places, settings: Config) -> Policy:
    """Return the policy that the files on disk make; raise `ConfigError` naming every problem."""
    return load(layers(places), default=settings.default)


class LawBook:
    """The law, kept current.  Its lock is taken before the ledger's and never with `turn` inside.

    In first use, an edit that cannot be used keeps the last law that could, and says so in the
    log; when there never was one, everything needs approval until all of it can be read.
    """

    def __init__(self, places: Places, record: Record, blobs: Blobs, standing: Standing) -> None:
        self.places = places
        self.record = record
        self.blobs = blobs
        self.standing = standing
        self.lock = threading.RLock()
        self.seen: Stamps | None = None
        self.law: Law | None = None
        self.held: dict[str, bytes] = {}  # kind → its document in force
        self.edits: tuple[Edit, ...] = ()
        if standing.settled:
            self._recall()

    def current(self) -> Law:
        """Return the law of this moment; appends to the log when it has changed."""
        with self.lock:
            seen = self._look()
            if self.law is None or seen != self.seen:
                self.law = self._read(self.law)
                self.seen = seen
            return self.law

    def document(self, kind: str) -> bytes:
        """Return the document of *kind* in force."""
        with self.lock:
            self.current()
            return self.held.get(kind, _NOTHING[kind])

    # ---- changing it ----------------------------------------------------------------

    def check(self, kind: str, change: Mapping[str, Any]) -> bytes:
        """Return the document that *change* makes; raise `ConfigError` if it could not be law."""
        with self.lock:
            self.current()
            made = lawfiles.document_of(kind, change, self.places)
            self._law_with(kind, made)
            return made

    def change(self, kind: str, base: str, change: Mapping[str, Any], record: Record) -> None:
        """Put *change* into force: *record* the entry, then write the files.

        Raises `Stale` when the document in force is not *base* any more, and `ConfigError`.
        """
        with self.lock:
            before = self.document(kind)
            if document.sha256(before) != base:
                raise Stale(f"the {kind} in force has changed since", why="changed")
            on_disk = lawfiles.read(self.places)
            if kind in on_disk.problems and not self.standing.settled:
                raise ConfigError(on_disk.problems[kind])  # the file is the law, and is broken
            made = lawfiles.document_of(kind, change, self.places)
            if made == before:
                return  # only in first use: nobody asks for this
            law = self._law_with(kind, made)
            self.blobs.put(made)
            held = {**self.held, kind: made}
            entry = self._roster_entry(law) if kind == ROSTER else self._policy_entry(law, held)
            entry |= {"kind": kind, "replaces": base}
            record([entry])
            self.standing.apply(entry)
            self.held, self.law, self.seen = held, law, None
            if on_disk.documents.get(kind) == before != made:  # else somebody has edited it
                try:
                    lawfiles.write(self.places, kind, change)
                except (OSError, GateshError) as problem:  # it is in force; the files say otherwise
                    log.error("the %s could not be written: %s", kind, problem)

    def proposed(self, kind: str) -> dict[str, Any]:
        """Return what the files on disk would change *kind* to; raise `ConfigError`."""
        on_disk = lawfiles.read(self.places)
        if kind not in on_disk.documents:
            raise Refused(
                on_disk.problems[kind], why="unusable", hint="mend it, or gatesh propose --undo"
            )
        return lawfiles.change_of(kind, on_disk.documents[kind], on_disk)

    def undo(self) -> list[str]:
        """Write what is in force over every edit; return the kinds."""
        with self.lock:
            self.seen = None
            self.current()
            kinds = [edit.kind for edit in self.edits]
            for kind in kinds:
                try:
                    self._write_held(kind, lawfiles.read(self.places))
                except OSError as problem:
                    raise ConfigError(
                        f"the {kind} cannot be written: {problem.strerror}",
                        hint=f"see who may write in {self.places.config}",
                    ) from None
            self.seen = None
            self.current()
            return kinds

    # ---- what is in force --------------------------------------------------------------

    def _recall(self) -> None:
        """Take up the law that the log names."""
        assert self.standing.roster is not None
        roster = Roster.from_document(self.standing.roster)
        self.held[ROSTER] = document.write(roster.document())
        for kind in (RULES, CONFIG):
            digest = self.standing.digests.get(kind)
            try:
                if digest is not None:
                    self.held[kind] = self.blobs.get(digest)
            except NotFound:
                log.error("the %s last approved, %s, are not kept any more", kind, digest)
        on_disk = lawfiles.read(self.places)
        for kind, old in self.standing.replaced.items():
            # The broker ended between the entry and the files: they are still the ones before.
            data = on_disk.documents.get(kind)
            if data is not None and document.sha256(data) == old and kind in self.held:
                self._write_held(kind, on_disk)

    def _write_held(self, kind: str, on_disk: OnDisk) -> None:
        lawfiles.write(self.places, kind, lawfiles.change_of(kind, self.held[kind], on_disk))

    def _law_with(self, kind: str, made: bytes) -> Law:
        """Return the law with *made* in the place of what is in force of *kind*."""
        law = self.current()
        if kind == ROSTER:
            return dataclasses.replace(law, roster=lawfiles.roster_of(made))
        held = {**self.held, kind: made}
        settings = law.config
        if CONFIG in held:
            settings = lawfiles.config_of(held[CONFIG], self.places)
            settings = dataclasses.replace(settings, hold_s=law.config.hold_s)
        policy = law.policy
        if RULES in held:
            policy = lawfiles.policy_of(held[RULES], settings, self.places)
        return dataclasses.replace(law, config=settings, policy=policy)

    def _read(self, before: Law | None) -> Law:
        """Read the files; return the law and append what has changed."""
        on_disk = lawfiles.read(self.places)
        held, problems, edits, adopted = dict(self.held), {}, [], set()
        for kind in LAW:
            data = on_disk.documents.get(kind)
            digest = None if data is None else document.sha256(data)
            stands = self.standing.digests.get(kind)
            if data is not None and digest == stands:
                held[kind] = data
            elif self.standing.settled and stands is not None:
                edits.append(Edit(kind, digest, on_disk.problems.get(kind)))
            elif data is None:
                problems[kind] = on_disk.problems[kind]
            else:
                held[kind] = data
                adopted.add(kind)
        roster = lawfiles.roster_of(held[ROSTER]) if ROSTER in held else Roster()
        settings = Config()
        if CONFIG in held:
            try:
                settings = lawfiles.config_of(held[CONFIG], self.places)
            except GateshError as problem:  # a setting that this version does not know any more
                problems[CONFIG] = str(problem)
        settings = dataclasses.replace(settings, hold_s=on_disk.hold_s)
        policy = before.policy if before else None
        if RULES in held:
            try:
                policy = lawfiles.policy_of(held[RULES], settings, self.places)
            except GateshError as problem:
                problems[RULES] = str(problem)
        elif self.standing.settled and RULES not in problems:
            problems[RULES] = "the rules last approved are not kept any more"
        if RULES in problems and RULES in adopted:
            adopted.discard(RULES)  # they were never in force
            held.pop(RULES)
            if RULES in self.held:
                held[RULES] = self.held[RULES]
        edits = [self._examined(edit, on_disk, settings) for edit in edits]
        broken = before is None or before.policy.problems is not None
        if policy is None or (problems and broken):
            # Never had a law that works: settings or rules that cannot be read may have asked
            # for more than the shipped ones do.  A second edit that fails does not change that.
            policy = Policy.broken("; ".join(problems.values()).replace("\n", "; "))
        law = Law(settings, policy, roster)
        self.held = held
        self._append(before, law, adopted, problems, edits)
        self.edits = tuple(edits)
        return law

    def _examined(self, edit: Edit, on_disk: OnDisk, settings: Config) -> Edit:
        """Return *edit* with what would be wrong if it were approved."""
        if edit.kind != RULES or edit.problem is not None:
            return edit
        try:
            lawfiles.policy_of(on_disk.documents[RULES], settings, self.places)
        except GateshError as problem:
            return dataclasses.replace(edit, problem=str(problem))
        return edit

    # ---- telling the log ---------------------------------------------------------------

    def _append(
        self,
        before: Law | None,
        law: Law,
        adopted: set[str],
        problems: Mapping[str, str],
        edits: list[Edit],
    ) -> None:
        entries: list[Entry] = []
        of_policy = adopted & {RULES, CONFIG}
        changed = before is None or law.policy.sha256 != before.policy.sha256
        if changed or problems or of_policy:
            entry = self._policy_entry(law, self.held)
            if problems:
                entry["problem"] = "; ".join(problems.values())[:8000]
            if of_policy:
                entry["trust"] = FIRST_USE
            entries.append(entry)
        changed = before is None or law.roster.sha256 != before.roster.sha256
        if changed or ROSTER in problems:
            entry = self._roster_entry(law)
            if ROSTER in problems:
                entry["problem"] = problems[ROSTER][:8000]
            if ROSTER in adopted:
                entry["trust"] = FIRST_USE
            entries.append(entry)
        for edit in edits:
            if self.standing.noted.get(edit.kind) != (edit.sha256 or UNREADABLE):
                entries.append(self._edited(edit))
        if entries:
            for data in self.held.values():
                self.blobs.put(data)
            self.record(entries)
            for entry in entries:
                self.standing.apply(entry)
        for kind in self.standing.noted.keys() - {edit.kind for edit in edits}:
            del self.standing.noted[kind]  # put back; the same edit later is another one

    def _policy_entry(self, law: Law, held: Mapping[str, bytes]) -> Entry:
        entry: Entry = {
            "type": "policy.loaded",
            "policy_sha256": law.policy.sha256,
            "files": {file.path: file.sha256 for file in law.policy.files},
        }
        for kind, field in FIELDS.items():
            if kind in held:
                entry[field] = document.sha256(held[kind])
        return entry

    def _roster_entry(self, law: Law) -> Entry:
        return {
            "type": "roster.loaded",
            "roster_sha256": law.roster.sha256,
            "allowed_signers": law.roster.allowed_signers,
            "people": law.roster.people_document(),
            "settled": self.standing.settled or law.roster.settles,
        }

    def _edited(self, edit: Edit) -> Entry:
        entry: Entry = {
            "type": "law.edited",
            "kind": edit.kind,
            "sha256": edit.sha256,
            "in_force": self.standing.digests[edit.kind],
        }
        if edit.problem:
            entry["problem"] = edit.problem[:8000]
        return entry

    def _look(self) -> Stamps:
        """Return what tells a changed file.  Shipped packs change only with the program."""
        found = _stamps(self.places.config, deep=False)
        for root in (self.places.rules, SYSTEM):
            found += _stamps(root, deep=True)
        return tuple(sorted(found))


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
