"""`gatesh rules list|show|test|new|install|remove`."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gatesh import config
from gatesh.approval import proposal
from gatesh.broker import projects
from gatesh.broker.law import read_policy
from gatesh.cli import proposing, shouting
from gatesh.cli import show as rendering
from gatesh.cli.rulecard import card
from gatesh.cli.talk import ask
from gatesh.errors import ConfigError, GateshError, NotFound
from gatesh.policy import check as checking
from gatesh.policy import starter
from gatesh.policy.engine import Policy
from gatesh.syntax import Context, analyse
from gatesh.visible import visible

app = typer.Typer(no_args_is_help=True, help="The rules in force.")


def _policy() -> Policy:
    """Return the rules as the files have them; says so where others are in force."""
    places = config.places()
    law = read_policy(places, config.load(places.settings))
    try:
        edits = ask("law", start=False)["edits"]
    except GateshError:
        edits = []  # no broker runs here: nothing is in force
    shouting.shout(edit for edit in edits if edit["kind"] != "roster")
    return projects.added(law, os.getcwd(), os.geteuid())


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every rule in force: verdict, id, reason."""
    policy = _policy()
    if as_json:
        rows = [
            {"id": r.id, "pack": r.pack, "verdict": r.verdict.word, "on": str(r.on),
             "reason": r.reason, "severity": r.severity, "where": r.where, "layer": r.layer,
             "overrides": r.overrides, "tags": list(r.tags)}
            for r in policy.rules
        ]  # fmt: skip
        typer.echo(json.dumps(rows, indent=2))
        return
    for rule in policy.rules:
        notes = [rule.layer] if rule.layer != "shipped" else []
        notes += [f"replaces {visible(rule.overrides)}"] if rule.overrides else []
        over = f"  ({', '.join(notes)})" if notes else ""
        typer.echo(
            f"{rendering.verdict(rule.verdict.word)} {visible(rule.id):<34}"
            f" {visible(rule.reason)}{over}"
        )
    typer.echo(f"what matches nothing: {policy.default.word}", err=True)


@app.command()
def show(id: Annotated[str, typer.Argument(metavar="RULE", help="As in terraform.apply.")]) -> None:
    """Show one rule: reason, who may approve, examples.

    Example: gatesh rules show terraform.apply
    """
    policy = _policy()
    rule = policy.rule(id)
    if rule is None:
        near = difflib.get_close_matches(id, [known.id for known in policy.rules], 1)
        hint = f"did you mean {near[0]}?" if near else "see `gatesh rules list`"
        raise NotFound(f"there is no rule {visible(id)}", hint=hint)
    typer.echo("\n".join(card(rule)))


@app.command()
def test() -> None:
    """Run every example of every rule, and look for rules that cannot be meant so."""
    try:
        policy = _policy()
    except ConfigError as wrong:
        raise ConfigError(str(wrong), hint="mend it, then run this again") from None
    place = {"HOME": checking.EXAMPLE_HOME}
    context = Context(cwd=checking.EXAMPLE_CWD, env=place, read=lambda _path: None)
    problems = checking.test(policy, lambda line: analyse(line.encode(), context))
    for problem in problems:
        typer.echo(visible(str(problem)))
    failed = [p for p in problems if not p.warning]
    examples = sum(len(rule.must) + len(rule.must_not) for rule in policy.rules)
    typer.echo(
        f"{len(policy.rules)} rules, {examples} examples, {len(failed)} problems,"
        f" {len(problems) - len(failed)} warnings",
        err=True,
    )
    raise typer.Exit(78 if failed else 0)


@app.command()
def install(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Rule files, or directories of them.")
    ],
) -> None:
    """Ask for rule files to be put into force, under their own names.

    A file of the same name is replaced.  Once two people are enrolled this waits
    until another one has approved it (exit status 75 meanwhile).

    Example: gatesh rules install ours.yaml
    """
    found, base = proposing.in_force("rules")
    texts = proposal.rules_of(found)
    for name, path in _named(files):
        try:
            texts[name] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(f"{path} cannot be read: {problem}") from None
    proposing.propose("rules", {"files": texts, "type": proposal.RULES_TYPE}, base)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="As in ours.yaml.")],
) -> None:
    """Ask for rule files to be taken out of force; waits like `install`.

    Example: gatesh rules remove ours.yaml
    """
    found, base = proposing.in_force("rules")
    texts = proposal.rules_of(found)
    for name in names:
        if texts.pop(name, None) is None:
            known = ", ".join(map(visible, texts)) or "none"
            raise NotFound(f"no file {visible(name)} is in force", hint=f"there are: {known}")
    proposing.propose("rules", {"files": texts, "type": proposal.RULES_TYPE}, base)


def _named(files: list[Path]) -> Iterator[tuple[str, Path]]:
    """Yield each rule file with its name below the directory of rules."""
    for given in files:
        if not given.is_dir():
            yield given.name, given
            continue
        for path in sorted(given.rglob("*.y*ml")):
            if path.suffix in (".yaml", ".yml"):
                yield path.relative_to(given).as_posix(), path


@app.command()
def new(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="By default in your rules directory.")
    ] = None,
) -> None:
    """Write a commented file of rules to start from; it passes `gatesh rules test`."""
    places = config.places()
    path = file or places.rules / "ours.yaml"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(starter.TEXT)
    except FileExistsError:
        raise ConfigError(f"{path} is there already", hint="name another file") from None
    path.chmod(0o600)
    typer.echo(f"wrote {path}; change it, then `gatesh rules test` and `gatesh propose`", err=True)
