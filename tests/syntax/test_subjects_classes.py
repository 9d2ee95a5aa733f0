"""The table of classes: what kind of line has which subjects."""

from __future__ import annotations

import pytest

from gatesh.model import Kind, Subject
from gatesh.syntax import analyse
from tests.syntax.table import context, lines, load

QUIET = {"unsure-file"}


def spelled(subject: Subject) -> set[str]:
    names = {f"{subject.kind} {text}" for text in (subject.text, *subject.also)}
    return names | {f"{name} <- {', '.join(subject.inside)}" for name in names}


@pytest.mark.parametrize("case", load().values(), ids=load().keys())
def test_class(case):
    """
    Each sentence is a promise to whoever writes rules.
    """
    subjects = analyse(case["line"].encode(), context(case)).subjects

    found = set().union(*(spelled(subject) for subject in subjects))
    found = {name.replace("\n", "␤") for name in found}
    assert [name for name in case.get("has", "").splitlines() if name not in found] == []
    assert [name for name in case.get("lacks", "").splitlines() if name in found] == []
    assert {s.text for s in subjects if s.kind is Kind.FINDING} == set(case.get("findings", []))


@pytest.mark.parametrize("line", lines("spellings.txt"))
def test_no_spelling_hides_a_command(line):
    """
    However it is written, the deletion is named, or the line is stopped for what cannot be known.
    """
    subjects = analyse(line.encode(), context({})).subjects

    named = any(
        text == "rm" or text.startswith("rm ")
        for s in subjects
        if s.kind is Kind.COMMAND
        for text in (s.text, *s.also)
    )
    assert named or [s for s in subjects if s.kind is Kind.FINDING and s.text not in QUIET]


@pytest.mark.parametrize("line", lines("harmless.txt"))
def test_ordinary_work_is_left_alone(line):
    """
    A gate that interrupts for nothing is switched off within a day.
    """
    subjects = analyse(line.encode(), context({})).subjects

    assert [(s.text, s.detail) for s in subjects if s.kind is Kind.FINDING] == []
    assert [
        s.text for s in subjects if s.kind is Kind.COMMAND and s.text.startswith("rm -rf /")
    ] == []
