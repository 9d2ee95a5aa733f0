"""`gatesh doctor`: what is set up, what is protected and what is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import typer

from gatesh import __version__, config
from gatesh.approval import rosterfile
from gatesh.broker.law import read_policy
from gatesh.cli import show
from gatesh.cli.talk import ask
from gatesh.errors import GateshError
from gatesh.visible import visible


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, `note` or `bad`, and what to do about it."""

    level: str
    text: str


def doctor() -> None:
    """Check this set-up and say what it does and does not protect.

    Exit status 1 when something is broken.
    """
    places = config.places()
    typer.echo(f"gatesh {__version__}, {'guarded' if places.guarded else 'embedded'}")
    checks: list[Callable[[config.Places], list[Finding]]] = [
        _settings, _rules, _people, _shells, _broker, _limits,
    ]  # fmt: skip
    bad = False
    for check in checks:
        try:
            found = check(places)
        except GateshError as problem:
            hint = f"  ({problem.hint})" if problem.hint else ""
            found = [Finding("bad", f"{problem}{hint}")]
        for finding in found:
            bad = bad or finding.level == "bad"
            mark = {"ok": "32", "note": "33", "bad": "31"}[finding.level]
            for line in finding.text.split("\n"):
                typer.echo(f"{show.colour(f'{finding.level:<5}', mark)} {visible(line)}")
    raise typer.Exit(1 if bad else 0)


def _settings(places: config.Places) -> list[Finding]:
    settings = config.load(places.settings)
    hold = "as long as each agent can" if settings.hold_s is None else f"{settings.hold_s:g} s"
    return [
        Finding("ok", f"settings {places.settings}: default {settings.default.word}, hold {hold}")
    ]


def _rules(places: config.Places) -> list[Finding]:
    policy = read_policy(places, config.load(places.settings))
    return [Finding("ok", f"{len(policy.rules)} rules, digest {policy.sha256[:16]}…")]


def _people(places: config.Places) -> list[Finding]:
    roster = rosterfile.load(places.config)
    account = roster.person_of_account(_account())
    found = []
    if account is None:
        found.append(Finding("bad", "nobody answers for this account: gatesh init --me PERSON"))
    able = [name for name in roster.people if roster.keys_of(name) and name != account]
    if able:
        found.append(Finding("ok", f"{len(able)} people can approve: {', '.join(able)}"))
    else:
        found.append(
            Finding("bad", "nobody can approve yet: gatesh people add NAME --key FILE.pub")
        )
    return found


def _account() -> str:
    from gatesh.broker.surroundings import user_name

    return user_name(os.geteuid())


def _shells(places: config.Places) -> list[Finding]:
    found = []
    own = shutil.which("gatesh")
    for name, path in config.load(places.settings).shells.items():
        if not os.access(path, os.X_OK):
            level = "bad" if name == "bash" else "note"
            found.append(Finding(level, f"{path} is not there: calls as {name} fail"))
        elif own and os.path.samefile(path, own):
            found.append(Finding("bad", f"{path} is gatesh itself: set another shell for {name}"))
    return found or [Finding("ok", "the real shells are there")]


def _broker(_places: config.Places) -> list[Finding]:
    status = ask("status")
    return [Finding("ok", f"the broker answers: pid {status['pid']}, {status['size']} entries")]


def _limits(places: config.Places) -> list[Finding]:
    if places.guarded:
        return []
    return [
        Finding(
            "note",
            "embedded: the broker runs under this account, so code that runs as this account\n"
            "could stop or replace it; history is protected up to the last head an approver signed",
        ),
        Finding("note", "a gate on what is asked for, not a container: see docs/threat-model.md"),
    ]
