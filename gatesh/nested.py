"""A call from inside a command that runs already: part of what was judged, or something new?

Agents hand one command through the shell two to four times (codex: a restore script
that ends in `exec SHELL -c 'COMMAND'`), programs start shells of their own.  The kernel
says who called, and the process table under whom; nothing in the environment counts.

A nested call needs no second decision when it is a shell call that stands, word for
word, in the text that was decided on, started by that text's own shell, and when nothing
is found in it that was not found there.  Every other call is judged like any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gatesh.approval.request import text_of
from gatesh.case import Case
from gatesh.model import Finding, Invocation, Kind, Mode, Subject, Verdict


@dataclass(frozen=True, slots=True)
class Outer:
    """The running command that a call comes from; *between* are the programs on the way."""

    id: str
    case: Case
    between: tuple[str, ...]
    itself: bool  # the caller is the very shell that was started, or took its place


def outer(
    lineage: Iterable[tuple[int, str]], running: Mapping[int, tuple[str, Case]]
) -> Outer | None:
    """Return the nearest running command above a caller.

    *lineage* is (pid, program) of the caller and each of its parents; *running* maps the
    pid of a waiting client to what it runs.
    """
    steps: list[str] = []
    for pid, program in lineage:
        if steps and pid in running:
            id, case = running[pid]
            if len(steps) > 1 and steps[-1] == program:
                del steps[-1]  # the client's own process that looks after a terminal
            return Outer(id, case, tuple(steps[1:]), itself=len(steps) == 1)
        steps.append(program)
    return None


def goes_round(case: Case, outer: Outer) -> bool:
    """Tell whether the shell that was started for *outer* has started us: it would for ever."""
    same = outer.case.invocation.argv == case.invocation.argv
    return outer.itself and same and outer.case.script == case.script


def within(case: Case, outer: Outer) -> Case:
    """Return *case* as it stands inside *outer*: marked, and allowed when it is covered."""
    case = replace(case, within=outer.id)
    if case.judgement.verdict is Verdict.APPROVE and _is_covered(case, outer):
        judgement = replace(case.judgement, verdict=Verdict.ALLOW)
        return replace(case, judgement=judgement, covered=True)
    return case


def _is_covered(case: Case, outer: Outer) -> bool:
    known = {_of(finding) for finding in outer.case.judgement.findings}
    new = [f for f in case.judgement.findings if f.verdict is not Verdict.ALLOW]
    return all(_of(finding) in known for finding in new) and any(
        _is_call(subject, case.invocation) and _by_text(subject, outer)
        for subject in outer.case.analysis.subjects
    )


def _of(finding: Finding) -> tuple[str, ...]:
    """Return what makes a finding inside the same as one outside."""
    if finding.subject.kind is Kind.SCRIPT:
        return (finding.rule,)  # its text is the whole script, of which the other is a part
    subject = finding.subject
    return (finding.rule, subject.kind.value, subject.text, subject.detail)


def _is_call(subject: Subject, call: Invocation) -> bool:
    """Tell whether *subject* is the shell call *call*, as the text spells it."""
    if subject.kind is not Kind.COMMAND or call.mode is not Mode.COMMAND:
        return False
    if os.path.basename(subject.program) not in ("bash", "sh", "zsh", "dash"):
        return False
    return subject.text.partition(" ")[2] == " ".join(map(text_of, call.argv))


def _by_text(subject: Subject, outer: Outer) -> bool:
    """Tell whether only the judged text's shell, and wrappers named in it, stand between."""
    named = {word.partition(" ")[0] for word in subject.inside}
    shells: Sequence[str] = tuple(outer.case.law.config.shells.values())
    real = {os.path.realpath(shell) for shell in shells}
    return all(p in real or os.path.basename(p) in named for p in outer.between)
