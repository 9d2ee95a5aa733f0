"""`gatesh doctor`: what is set up, what is protected and what is not."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from gatesh import __version__, bridge, config, document
from gatesh.approval import rosterfile
from gatesh.approval.roster import Roster
from gatesh.broker import projects
from gatesh.broker.law import read_policy
from gatesh.cli import show
from gatesh.cli.setup import DIRECTORY, named
from gatesh.cli.shouting import NAMES
from gatesh.cli.talk import ask
from gatesh.errors import GateshError
from gatesh.visible import visible


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, `note` or `bad`, and what to do about it."""

    level: str
    text: str


def doctor(
    client: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLIENT]", help="Try a program's way to its shell: claude, codex …"
        ),
    ] = None,
) -> None:
    """Check this set-up and say what it does and does not protect.

    With a CLIENT: find the shell as it would, run a command through it, and say whether that
    came to the gate. Exit status 1 when something is broken, or the command did not come.

    Example: gatesh doctor claude
    """
    if client is not None:
        raise typer.Exit(1 if _print(_client(client)) else 0)
    places = config.places()
    typer.echo(f"gatesh {__version__}, {'guarded' if places.guarded else 'embedded'}")
    checks: list[Callable[[config.Places], list[Finding]]] = [
        _program, _settings, _rules, _people, _law, _shells, _broker, _limits,
    ]  # fmt: skip
    bad = False
    for check in checks:
        try:
            found = check(places)
        except GateshError as problem:
            hint = f"  ({problem.hint})" if problem.hint else ""
            found = [Finding("bad", f"{problem}{hint}")]
        bad = _print(found) or bad
    raise typer.Exit(1 if bad else 0)


def _print(findings: list[Finding]) -> bool:
    """Print *findings*; tell whether one of them is bad."""
    for finding in findings:
        mark = {"ok": "32", "note": "33", "bad": "31"}[finding.level]
        for line in finding.text.split("\n"):
            typer.echo(f"{show.colour(f'{finding.level:<5}', mark)} {visible(line)}")
    return any(finding.level == "bad" for finding in findings)


def _client(name: str) -> list[Finding]:
    """Try the look-up of the program called *name*."""
    from gatesh.cli import lookup

    client = named(name)
    found = lookup.look_up(client, os.environ)
    trial = lookup.try_out(client, found)
    findings = [Finding("note", text) for text in found.passed_over]
    findings.append(Finding("ok", f"{client.name} starts {found.shell}: {found.because}"))
    if trial.arrived and trial.ran:
        findings.append(Finding("ok", "a command run so came to the gate and is in the log"))
    elif trial.arrived:
        findings.append(Finding("bad", f"a command run so was stopped:\n{trial.printed}"))
    else:
        findings.append(Finding("bad", f"a command run so went round gatesh: gatesh setup {name}"))
        findings += [Finding("note", f"it said: {trial.printed}")] if trial.printed else []
        if "BASH_ENV" in found.environment and found.environment.get("SHLVL", "0") == "0":
            text = "without SHLVL, bash on a socket leaves BASH_ENV unread: set SHLVL=1 as well"
            findings.append(Finding("note", text))
    if stale := lookup.stale_bridge(found.environment):
        directory = os.path.dirname(stale)
        findings.append(
            Finding("bad", f"{stale} is of another gatesh: run `gatesh shims {directory}` again")
        )
    directory = str(DIRECTORY.expanduser())
    findings += [
        Finding("note", "goes round it: " + text.replace("{dir}", directory))
        for text in client.goes_round
    ]
    return findings


def _program(_places: config.Places) -> list[Finding]:
    found = bridge.program()
    if found is None:
        return [Finding("bad", "the program gatesh is not beside its Python: install it again")]
    with found.open("rb") as file:
        native = file.read(4) == b"\x7fELF"
    if native:
        return [Finding("ok", f"{found}, the native client")]
    return [
        Finding(
            "note",
            f"{found} is a script: slower, and it cannot see a login shell's dash or ignored\n"
            "signals; install it again where there is a C compiler",
        )
    ]


def _settings(places: config.Places) -> list[Finding]:
    settings = config.load(places.settings)
    hold = "as long as each agent can" if settings.hold_s is None else f"{settings.hold_s:g} s"
    return [
        Finding("ok", f"settings {places.settings}: default {settings.default.word}, hold {hold}")
    ]


def _rules(places: config.Places) -> list[Finding]:
    policy = read_policy(places, config.load(places.settings))
    found = [Finding("ok", f"{len(policy.rules)} rules, digest {policy.sha256[:16]}…")]
    here = projects.added(policy, os.getcwd(), os.geteuid())
    if more := len(here.rules) - len(policy.rules):
        found.append(Finding("ok", f"{more} more of the project here, in {projects.PLACE}"))
    return found


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


def _law(_places: config.Places) -> list[Finding]:
    law = ask("law")
    found = [
        Finding(
            "bad",
            f"not in force: {NAMES[edit['kind']]} as edited on disk\n"
            "gatesh propose asks for it, gatesh propose --undo puts back what was approved",
        )
        for edit in law["edits"]
    ]
    roster = Roster.from_document(document.read(law["documents"]["roster"].encode("ascii")))
    if ending := _ending(roster):
        text = f"no key is valid in 30 days: {', '.join(ending)}\nrenew while somebody can approve"
        found.append(Finding("note", f"{text}: gatesh people add NAME --key FILE.pub"))
    if law["settled"]:
        found.append(Finding("ok", "people, rules and settings change only with a signature"))
    else:
        text = "first use: people, rules and settings change without anybody's signature"
        found.append(Finding("note", f"{text}\nuntil two people are enrolled"))
    return found


def _ending(roster: Roster) -> list[str]:
    """Return those who can sign now, or could, and no more in 30 days."""
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
    return [
        name
        for name in roster.people
        if (keys := roster.keys_of(name)) and not any(line.valid(soon) for line in keys)
    ]


def _account() -> str:
    from gatesh.broker.surroundings import user_name

    return user_name(os.geteuid())


def _shells(places: config.Places) -> list[Finding]:
    found = []
    for name, path in config.load(places.settings).shells.items():
        if not os.access(path, os.X_OK):
            level = "bad" if name == "bash" else "note"
            found.append(Finding(level, f"{path} is not there: calls as {name} fail"))
        elif bridge.is_gatesh(path):
            found.append(Finding("bad", f"{path} is gatesh itself: set another shell for {name}"))
    return found or [Finding("ok", "the real shells are there")]


def _broker(_places: config.Places) -> list[Finding]:
    status = ask("status")
    found = [Finding("ok", f"the broker answers: pid {status['pid']}, {status['size']} entries")]
    for witness in status["witnesses"]:
        if witness["trouble"]:
            text = f"the witness {witness['name']} fails: {witness['trouble']}"
            found.append(Finding("bad", text))
        else:
            text = f"the witness {witness['name']} has seen {witness['size']} entries"
            found.append(Finding("ok", text))
    return found


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
