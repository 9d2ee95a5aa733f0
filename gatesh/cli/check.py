"""`gatesh check`: the verdict, without running anything."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.approval import rosterfile
from gatesh.broker import incoming, projects, surroundings
from gatesh.broker.law import read_policy
from gatesh.broker.refusal import refused
from gatesh.case import only_unreadable
from gatesh.cli import show
from gatesh.errors import UsageError
from gatesh.model import Analysis, Judgement, Verdict
from gatesh.policy.situation import Facts, Situation
from gatesh.syntax import Context, analyse
from gatesh.visible import visible


class Checker:
    """Judges lines as the broker would, with the rules as they stand on disk."""

    def __init__(self) -> None:
        places = config.places()
        settings = config.load(places.settings)
        self.bash = settings.shells["bash"]
        self.law = read_policy(places, settings)
        user = surroundings.user_name(os.geteuid())
        person = rosterfile.load(places.config).person_of_account(user)
        env = dict(os.environ)
        self.context = Context(cwd=os.getcwd(), env=env, read=incoming.read)
        self.situation = Situation(
            user=user,
            person=person,
            cwd=os.getcwd(),
            real_cwd=os.path.realpath("."),
            host=surroundings.host_name(),
            env=env,
        )

    def judge(self, line: str) -> tuple[Analysis, Judgement]:
        """Return what *line* would do and what the rules say to that."""
        analysis = analyse(line.encode("utf-8", "surrogateescape"), self.context)
        cwds = Facts(analysis, self.situation).cwds()
        policy = projects.around(self.law, cwds, os.geteuid()).policy
        judgement = policy.judge(analysis, self.situation)
        if only_unreadable(judgement) and self._refused(analysis.script):
            judgement = replace(judgement, verdict=Verdict.ALLOW)  # to complain, and run nothing
        return analysis, judgement

    def _refused(self, script: bytes) -> bool:
        return refused(self.bash, (b"-c",), script, os.environb)


def check(
    command: Annotated[str | None, typer.Argument(metavar="CMD", help="A command line.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what was seen, and why.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Read JSON lines {id, cmd}; write {id, verdict, rules}.")
    ] = False,
) -> None:
    """Say what would happen to a command, without running it.

    Exit status 0 when it would run, 75 when it would wait, 126 when it would be
    refused; with --json and --batch always 0.

    Example: gatesh check 'cd infra && terraform apply' --explain
    """
    if batch:
        _batch()
        return
    if command is None:
        raise UsageError("give a command line", hint="gatesh check 'rm -rf /' --explain")
    analysis, judgement = Checker().judge(command)
    if as_json:
        typer.echo(json.dumps(_document(analysis, judgement), indent=2))
        return
    typer.echo("\n".join(_lines(analysis, judgement, explain)))
    raise typer.Exit({Verdict.ALLOW: 0, Verdict.APPROVE: 75, Verdict.DENY: 126}[judgement.verdict])


def _batch() -> None:
    checker = Checker()
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            asked = json.loads(line)
            id, command = asked["id"], asked["cmd"]
            if not isinstance(command, str):
                raise TypeError("cmd is not a string")
        except (ValueError, KeyError, TypeError) as problem:
            raise UsageError(
                f"line {number} is not a JSON object with id and cmd: {problem}",
                hint='write lines like {"id": 1, "cmd": "ls"}',
            ) from None
        _, judgement = checker.judge(command)
        rules = list(dict.fromkeys(f.rule for f in judgement.findings))
        typer.echo(json.dumps({"id": id, "verdict": judgement.verdict.word, "rules": rules}))


def _document(analysis: Analysis, judgement: Judgement) -> dict[str, Any]:
    return {
        "verdict": judgement.verdict.word,
        "system": judgement.system,
        "findings": [{**f.as_document(), "where": f.where} for f in judgement.findings],
        "subjects": [
            {
                "on": str(s.kind),
                "text": s.text,
                "also": list(s.also),
                "span": [s.span.start, s.span.end],
                "inside": list(s.inside),
                "program": s.program,
                "detail": s.detail,
            }
            for s in analysis.subjects
        ],
        "files": [{"path": f.path, "sha256": f.sha256, "size": f.size} for f in analysis.files],
    }


def _lines(analysis: Analysis, judgement: Judgement, explain: bool) -> list[str]:
    if not judgement.findings:
        lines = [f"{show.verdict(judgement.verdict.word)}  nothing matches"]
    elif judgement.verdict is Verdict.ALLOW and only_unreadable(judgement):
        lines = [f"{show.verdict('allow')}  bash cannot read it either, and runs nothing of it"]
    else:
        lines = []
        for found in judgement.findings:
            where = f"  ({found.where})" if found.where else ""
            lines.append(
                f"{show.verdict(found.verdict.word)}  {visible(found.rule)}"
                f"  {visible(found.reason)}{visible(where)}"
            )
            if explain:
                lines += _subject_lines(found)
    if explain:
        seen = {f.subject for f in judgement.findings}
        for subject in analysis.subjects:
            if subject not in seen and str(subject.kind) != "script":
                inside = "".join(f", inside {step}" for step in reversed(subject.inside))
                lines.append(visible(f"also seen  {subject.kind}  {subject.text}{inside}"))
    return lines


def _subject_lines(found: Any) -> list[str]:
    subject = found.subject
    inside = "".join(f"  inside {step}," for step in reversed(subject.inside))
    words = subject.detail or subject.text if str(subject.kind) == "finding" else subject.text
    lines = [
        visible(
            f"  {subject.kind!s:<8}{words}{inside}  bytes {subject.span.start}–{subject.span.end}"
        )
    ]
    if found.system:
        lines.append(visible(f"  system  {found.system}"))
    if found.instead:
        lines.append(visible(f"  instead {found.instead}"))
    return lines
