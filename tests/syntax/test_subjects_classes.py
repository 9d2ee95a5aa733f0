"""The table of classes: what kind of line has which subjects."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gatesh.model import Kind, Subject
from gatesh.syntax import Context, analyse

CLASSES = Path(__file__).parent / "classes"
QUIET = {"unsure-file"}


def load() -> dict[str, dict]:
    return {case["says"]: case for case in yaml.safe_load((CLASSES / "subjects.yaml").read_text())}


def lines(name: str) -> list[str]:
    text = (CLASSES / name).read_text().splitlines()
    return [line.replace("␤", "\n") for line in text if line and not line.startswith("# ")]


def context(case: dict) -> Context:
    files = {path: text.encode() for path, text in case.get("files", {}).items()}

    def read(path: str) -> bytes | None:
        if path in case.get("locked", []):
            raise PermissionError(13, "Permission denied")
        return files.get(path)

    env = {"HOME": "/home/dev", "PATH": "/usr/bin:/bin", **case.get("env", {})}
    return Context("/work/project", env, read)


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
    assert [s.text for s in subjects if s.kind is Kind.COMMAND and s.text.startswith("rm -rf /")] == []
