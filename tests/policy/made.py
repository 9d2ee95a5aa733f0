"""Analyses made by hand: what the engine does must not depend on the parser."""

from __future__ import annotations

from gatesh.model import Analysis, Kind, Span, Subject
from gatesh.policy import reading
from gatesh.policy.engine import Policy
from gatesh.policy.rule import Rule


def analysis(*subjects: Subject | str, script: bytes = b"") -> Analysis:
    """An analysis of these subjects; a plain text is a command."""
    made = []
    at = 0
    for subject in subjects:
        if isinstance(subject, str):
            subject = Subject(Kind.COMMAND, subject, Span(at, at + len(subject)))
        at += len(subject.text) + 1
        made.append(subject)
    return Analysis(script, tuple(made))


def rules(text: str, layer: str = "user") -> tuple[Rule, ...]:
    """The rules of a pack written in a test."""
    found = reading.read(text, file="test.yaml", layer=layer)
    assert found.complaints == (), found.complaints
    return found.rules


def rule(fields: str, id: str = "test.rule") -> Rule:
    """One rule from the fields that matter in a test; the rest is filled in."""
    given = {line.split(":")[0] for line in fields.splitlines() if line[:1].isalpha()}
    usual = {
        "id": id,
        "match": "'^x'",
        "verdict": "approve",
        "reason": "because",
        "examples": "{match: [x], miss: [y]}",
    }
    lines = [f"{key}: {value}" for key, value in usual.items() if key not in given]
    lines += fields.splitlines()
    body = "\n".join("    " + line for line in lines).replace("    ", "  - ", 1)
    (only,) = rules(f"pack: test\nrules:\n{body}\n")
    return only


def policy(*made: Rule) -> Policy:
    return Policy(made)
