"""The roster: which people there are, their accounts and teams, and the keys they sign with.

Keys are an OpenSSH `allowed_signers` file, so that stock `ssh-keygen -Y verify` reads the same
text; people (accounts, teams) stand beside it.  A `Roster` is immutable: adding or removing
somebody returns a new one, with everything else in the text left as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from gatesh import document
from gatesh.approval import signers_text
from gatesh.approval.signers_text import (
    DECISIONS,
    OVERRIDES,
    PRINCIPAL,
    REVIEWS,
    SignerLine,
)
from gatesh.errors import ConfigError, NotFound
from gatesh.keys.publickey import PublicKey

TYPE = "gatesh/roster/v1"
ANYBODY = "any"  # the team everybody is in; only ever a word of a quorum
_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@\\+-]{0,127}\$?")
_TEAM = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Person:
    """One human being.  `accounts` are login names on machines, `teams` count for quorums."""

    name: str  # the principal in allowed_signers
    accounts: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


class BadRoster(ConfigError):
    """The roster cannot be used; `problems` holds one line for each thing that is wrong."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), hint="see `gatesh people list`")


@dataclass(frozen=True, slots=True)
class Roster:
    """People and keys, checked as a whole when made (`Roster.read`).

    `allowed_signers` is the text as it was read; `sha256` names this very roster in requests
    and log entries.
    """

    allowed_signers: str = ""
    people: Mapping[str, Person] = field(default_factory=dict)
    keys: tuple[SignerLine, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "people", MappingProxyType(dict(sorted(self.people.items()))))
        problems: list[str] = []
        lines, bad = signers_text.parse(self.allowed_signers)
        problems += bad
        problems += _problems_of_people(self.people)
        problems += _problems_of_keys(lines, self.people)
        if problems:
            raise BadRoster(problems)
        object.__setattr__(self, "keys", tuple(lines))

    # ---- reading and writing -------------------------------------------------

    @classmethod
    def read(cls, allowed_signers: str, people: Any) -> Roster:
        """Build a roster from both texts' content; raise `BadRoster` with every problem.

        *people* is `{"bob@example.com": {"accounts": ["bob"], "teams": ["sre"]}}`.
        """
        try:
            return cls(allowed_signers, _people(people))
        except BadRoster as bad:
            # Both files' problems at once, even when the people cannot be read at all.
            _, more = signers_text.parse(allowed_signers)
            raise BadRoster(dict.fromkeys([*more, *bad.problems])) from None

    @classmethod
    def from_document(cls, found: Mapping[str, Any]) -> Roster:
        """Build the roster that `document` described, or a `roster.loaded` entry carries."""
        return cls.read(found["allowed_signers"], found["people"])

    def people_document(self) -> dict[str, Any]:
        """Return people as documents and `people.json` hold them."""
        return people_document(self.people)

    def document(self) -> dict[str, Any]:
        """Return the roster document, whose SHA-256 is its identity."""
        people = self.people_document()
        return {"allowed_signers": self.allowed_signers, "people": people, "type": TYPE}

    @property
    def sha256(self) -> str:
        """Lowercase hex SHA-256 of the roster document."""
        return document.sha256(document.write(self.document()))

    # ---- looking up ----------------------------------------------------------

    def owner_of(self, key: PublicKey) -> str | None:
        """Return who this key was ever enrolled for, in whatever period and for any purpose."""
        return next((line.principal for line in self.keys if line.key.point == key.point), None)

    def person_of_key(self, key: PublicKey, at: datetime, namespace: str = DECISIONS) -> str | None:
        """Return the person for whom *key* was valid at *at*, or None."""
        for line in self.keys:
            if line.key == key and line.valid(at) and namespace in line.namespaces:
                return line.principal
        return None

    def person_of_account(self, user: str) -> str | None:
        """Return the person who answers for the login name *user*, or None."""
        return next((p.name for p in self.people.values() if user in p.accounts), None)

    def teams_of(self, person: str) -> frozenset[str]:
        """Return the teams of *person*; empty for a stranger."""
        found = self.people.get(person)
        return frozenset(found.teams) if found else frozenset()

    def keys_of(self, person: str) -> tuple[SignerLine, ...]:
        """Return the lines that enrol keys for *person*."""
        return tuple(line for line in self.keys if line.principal == person)

    @property
    def settles(self) -> bool:
        """Whether there are two people of whom one can sign what the other asks for.

        From the first roster on for which this holds, a log's law changes only with a signature.
        Without an account nobody is known to ask, so whoever has a key and no account can sign.
        """
        signers = [p for p in self.people.values() if self.keys_of(p.name)]
        return any(
            not signer.accounts or other.accounts
            for signer in signers
            for other in self.people.values()
            if other is not signer
        )

    # ---- changing ------------------------------------------------------------

    def add(
        self,
        person: str,
        *,
        accounts: Iterable[str] = (),
        teams: Iterable[str] = (),
        key: PublicKey | None = None,
        valid_after: datetime | None = None,
        valid_before: datetime | None = None,
    ) -> Roster:
        """Return a roster with *person*, or with more accounts, teams or a key for them.

        A key needs both times, aware and in whole seconds.  Raises `BadRoster` when the key,
        an account or the name is somebody else's.
        """
        old = self.people.get(person, Person(person))
        new = Person(
            person,
            tuple(dict.fromkeys([*old.accounts, *accounts])),
            tuple(dict.fromkeys([*old.teams, *teams])),
        )
        text = self.allowed_signers
        if key is not None:
            if valid_after is None or valid_before is None:
                raise BadRoster(["a key needs the times from and until when it is valid"])
            purposes = (DECISIONS, OVERRIDES, REVIEWS)
            line = SignerLine(0, person, purposes, valid_after, valid_before, key)
            text += "" if text.endswith("\n") or not text else "\n"
            text += line.text + "\n"
        return Roster(text, {**self.people, person: new})

    def remove(self, person: str) -> Roster:
        """Return a roster without *person*, their accounts and their keys."""
        if person not in self.people:
            raise NotFound(f"nobody called {person} is enrolled", hint="see `gatesh people list`")
        gone = {line.number for line in self.keys_of(person)}
        return Roster(
            signers_text.without(self.allowed_signers, gone),
            {name: p for name, p in self.people.items() if name != person},
        )

    def remove_key(self, key: PublicKey) -> Roster:
        """Return a roster in which *key* is nobody's."""
        gone = {line.number for line in self.keys if line.key == key}
        if not gone:
            raise NotFound(f"no such key is enrolled: {key.fingerprint}")
        return Roster(signers_text.without(self.allowed_signers, gone), self.people)


def people_document(people: Mapping[str, Person]) -> dict[str, Any]:
    """Return *people* as documents and `people.json` hold them."""
    return {p.name: {"accounts": list(p.accounts), "teams": list(p.teams)} for p in people.values()}


def _people(found: Any) -> dict[str, Person]:
    if not isinstance(found, dict):
        raise BadRoster(["people: not an object of names"])
    people: dict[str, Person] = {}
    problems: list[str] = []
    for name, fields in found.items():
        wrong = not isinstance(fields, dict) or not set(fields) <= {"accounts", "teams"}
        lists = [] if wrong else [fields.get("accounts", []), fields.get("teams", [])]
        if wrong or not all(
            isinstance(words, list) and all(isinstance(word, str) for word in words)
            for words in lists
        ):
            problems.append(f"people: {name}: needs `accounts` and `teams`, lists of words")
            continue
        people[name] = Person(name, tuple(lists[0]), tuple(lists[1]))
    if problems:
        raise BadRoster(problems)
    return people


def _problems_of_people(people: Mapping[str, Person]) -> Iterable[str]:
    seen: dict[str, str] = {}
    owner: dict[str, str] = {}
    for name, person in people.items():
        if not PRINCIPAL.fullmatch(name):
            yield f"people: {name}: cannot be a person's name (use an e-mail address)"
        # bob@example.com and Bob@example.com would be one human who counts as two.
        if (other := seen.setdefault(name.casefold(), name)) != name:
            yield f"people: {name}: differs from {other} only in case"
        for account in person.accounts:
            if not _ACCOUNT.fullmatch(account):
                yield f"people: {name}: {account!r} is not a login name"
            if (other := owner.setdefault(account, name)) != name:
                yield f"people: {name}: account {account} belongs to {other} already"
        for team in person.teams:
            if not _TEAM.fullmatch(team) or team == ANYBODY:
                yield f"people: {name}: {team!r} cannot be a team's name"
        for words in (person.accounts, person.teams):
            if len(set(words)) != len(words):
                yield f"people: {name}: something is listed twice"


def _problems_of_keys(lines: Iterable[SignerLine], people: Mapping[str, Person]) -> Iterable[str]:
    owner: dict[bytes, str] = {}
    for line in lines:
        where = f"allowed_signers:{line.number}"
        if line.principal not in people:
            yield f"{where}: {line.principal} is not among the people"
        # By the point, not the blob: one secret behind two key types is still one human.
        other = owner.setdefault(line.key.point, line.principal)
        if other != line.principal:
            yield f"{where}: this key already belongs to {other}; a key is one person's alone"
