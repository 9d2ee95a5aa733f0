"""The roster on disk: `allowed_signers` (for ssh-keygen) and `people.json` beside it.

Effects live here; what the texts mean is `roster`'s business.  Each file is written whole to a
temporary name and renamed, in an order in which every pair a crash can leave is a sound roster.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatesh.approval.roster import BadRoster, Person, Roster, people_document
from gatesh.errors import ConfigError

SIGNERS, PEOPLE = "allowed_signers", "people.json"
_LONGEST = 4 * 1024 * 1024


def load(directory: Path) -> Roster:
    """Return the roster in *directory*, an empty one if there are no files yet.

    Raises `ConfigError` with every problem of both files, each with its line; also when anybody
    but its owner could write one of them, or only one of the two is there.
    """
    signers, people = _read_both(directory)
    if signers is None and people is None:
        return Roster()
    if signers is None or people is None:
        missing = SIGNERS if signers is None else PEOPLE
        raise ConfigError(
            f"the roster in {directory} is incomplete: {missing} is missing",
            hint="restore it from a backup",
        )
    try:
        return Roster.read(signers, _json(people))
    except BadRoster as bad:
        raise BadRoster(
            f"{directory}/{_with_line(problem, people)}" for problem in bad.problems
        ) from None


def _read_both(directory: Path) -> tuple[str | None, str | None]:
    """Read a pair that belongs together, though somebody may be saving meanwhile."""
    signers = _read(directory / SIGNERS)
    for _ in range(10):
        people = _read(directory / PEOPLE)
        again = _read(directory / SIGNERS)
        if again == signers:
            return signers, people
        signers = again
    raise ConfigError(f"the roster in {directory} keeps changing", hint="try again")


def _with_line(problem: str, people: str) -> str:
    """Name the line of `people.json` that a problem with a person is about."""
    match = re.match(r"people: (.+?): ", problem)
    if match is None:
        return problem
    at = people.find(json.dumps(match[1]))
    line = people.count("\n", 0, max(at, 0)) + 1
    return f"{PEOPLE}:{line}: {problem.removeprefix('people: ')}"


def save(directory: Path, roster: Roster) -> None:
    """Write *roster* to *directory*; whoever reads meanwhile sees whole files only."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        before: Mapping[str, Person] = load(directory).people
    except ConfigError:
        before = {}  # a broken roster is being replaced
    if not before.keys() <= roster.people.keys():
        # Those who leave stay known, without accounts or teams, until their keys are gone.
        _write_people(directory, {**{name: Person(name) for name in before}, **roster.people})
        _write(directory / SIGNERS, roster.allowed_signers)
    _write_people(directory, roster.people)
    _write(directory / SIGNERS, roster.allowed_signers)


def _write_people(directory: Path, people: Mapping[str, Person]) -> None:
    found = people_document(people)
    _write(directory / PEOPLE, json.dumps(found, indent=2, sort_keys=True) + "\n")


def _read(path: Path) -> str | None:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ConfigError(f"cannot open {path}: {problem.strerror}") from None
    try:
        _guarded(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(_LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > _LONGEST:
        raise ConfigError(f"{path} is longer than {_LONGEST} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8") from None


def _guarded(path: Path, status: os.stat_result) -> None:
    """Whoever can write the roster can approve everything."""
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path} is not a regular file")
    for name, found in ((path, status), (path.parent, os.stat(path.parent))):
        if found.st_uid not in (os.geteuid(), 0):
            raise ConfigError(f"{name} belongs to uid {found.st_uid}, not to this account")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigError(
                f"{name} can be written by others", hint=f"close it with `chmod go-w {name}`"
            )


def _json(text: str) -> Any:
    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise BadRoster([f"{PEOPLE}: a name is given twice"])
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=no_duplicates)
    except json.JSONDecodeError as problem:
        raise BadRoster([f"{PEOPLE}:{problem.lineno}: {problem.msg}"]) from None
    except RecursionError:
        raise BadRoster([f"{PEOPLE}: nested too deeply"]) from None


def _write(path: Path, text: str) -> None:
    trial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            # Whatever the umask: readable for ssh-keygen, writable for the owner alone.
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        os.replace(trial, path)
    except BaseException:
        os.unlink(trial)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
