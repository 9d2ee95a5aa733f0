"""What `gatesh rules test` finds: broken promises, and rules that cannot be meant so.

Examples go through the real syntax analysis, as whole command lines: a rule is
tested the way it will be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gatesh.model import Analysis, Finding, Kind, Verdict
from gatesh.policy.engine import Policy
from gatesh.policy.patterns import compile as compile_pattern
from gatesh.policy.rule import Rule
from gatesh.policy.situation import EXAMPLE_CWD, EXAMPLE_HOME

__all__ = ["EXAMPLE_CWD", "EXAMPLE_HOME", "Problem", "test"]

Analyse = Callable[[str], Analysis]

# Nothing any rule could be about.
_NEUTRAL = ("zq7 xkcd 42", "/qqq/zzz", "zq=7", "\n", "~")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something `gatesh rules test` reports.  A `warning` does not fail the test."""

    rule: str
    where: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        return f"{self.where}: rule {self.rule}: {kind}{self.message}"


def test(policy: Policy, analyse: Analyse) -> list[Problem]:
    """Return everything that is wrong with the rules of *policy*, by place.

    A `match` example must make its own rule fire (with `when:` taken to hold),
    a `miss` example must not.  `analyse` is `gatesh.syntax.analyse` for somebody
    who works in `EXAMPLE_CWD` and lives in `EXAMPLE_HOME`, so that the answer
    does not depend on where the test runs.
    """
    found: list[Problem] = []
    for rule in policy.rules:
        found += _examples(policy, rule, analyse)
        found += _patterns(rule)
    found += _twins(policy)
    return sorted(found, key=lambda problem: (problem.where, problem.rule))


test.__test__ = False  # type: ignore[attr-defined]  # pytest: this is not one of yours


def _examples(policy: Policy, rule: Rule, analyse: Analyse) -> Iterator[Problem]:
    wins = False
    for line in rule.must:
        findings = policy.findings(analyse(line), None)
        if any(finding.rule == rule.id for finding in findings):
            wins = wins or _decides(rule, findings)
        else:
            yield Problem(rule.id, rule.where, _did_not_fire(rule, line, findings, analyse))
            wins = True  # said enough about this rule
    for line in rule.must_not:
        for finding in policy.findings(analyse(line), None):
            if finding.rule == rule.id:
                said = f"must not match {line!r}, but does: {finding.subject.text!r}"
                yield Problem(rule.id, rule.where, said)
                break
    if not wins and not (rule.verdict is Verdict.ALLOW and policy.default is Verdict.ALLOW):
        said = "never wins: on each of its examples another rule is stricter"
        yield Problem(rule.id, rule.where, said, warning=True)


def _decides(rule: Rule, findings: list[Finding]) -> bool:
    return rule.verdict >= max(finding.verdict for finding in findings)


def _did_not_fire(rule: Rule, line: str, findings: list[Finding], analyse: Analyse) -> str:
    seen = [s.text for s in analyse(line).subjects if s.kind is rule.on]
    said = f"does not match its example {line!r}"
    if any(pattern.startswith("^/") for pattern in rule.match) and rule.on is Kind.COMMAND:
        return f"{said}; a program's path is reduced to its name, so write `^name`"
    if not seen:
        return f"{said}, which has no {rule.on} subject; is `on:` right?"
    others = ", ".join(sorted({finding.rule for finding in findings}))
    fired = f"; fires instead: {others}" if others else ""
    return f"{said}; its {rule.on} subjects are {seen!r}{fired}"


def _patterns(rule: Rule) -> Iterator[Problem]:
    for pattern in rule.match:
        compiled = compile_pattern(pattern)
        if compiled.search("") or (
            not _limited(rule) and all(compiled.search(text) for text in _NEUTRAL)
        ):
            said = f"`{pattern}` matches everything; say what it is about"
            yield Problem(rule.id, rule.where, said)
    for pattern in rule.unless:
        if compile_pattern(pattern).search(""):
            said = f"`except: {pattern}` excepts everything, so the rule never fires"
            yield Problem(rule.id, rule.where, said)


def _limited(rule: Rule) -> bool:
    """A rule for certain people or places may well be about everything they do."""
    return bool(rule.when.as_document())


def _twins(policy: Policy) -> Iterator[Problem]:
    first: dict[object, Rule] = {}
    for rule in policy.rules:
        for pattern in rule.match:
            key = (rule.on, pattern, rule.unless, repr(rule.when))
            if (other := first.setdefault(key, rule)) is not rule:
                said = f"`{pattern}` also stands in {other.id} ({other.where}); keep one"
                yield Problem(rule.id, rule.where, said, warning=True)
