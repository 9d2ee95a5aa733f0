"""A policy judges what a line would do.

Strictest wins: rules of all packs are one set, so adding a pack never makes
gatesh more permissive, and the order of files means nothing.  An `allow` rule
lowers the *default* for the subject it matches and never another rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import reduce

from gatesh import document
from gatesh.model import (
    Analysis,
    CodeFile,
    Finding,
    Judgement,
    Kind,
    Need,
    Span,
    Subject,
    Verdict,
)
from gatesh.policy import template
from gatesh.policy.patterns import EngineFailed, PatternSet
from gatesh.policy.patterns import compile as compile_pattern
from gatesh.policy.rule import SEVERITIES, Rule
from gatesh.policy.situation import HERE, HOME, Facts, Situation, applies

__all__ = ["Policy", "Situation"]

_FORM = b"gatesh/policy/v1\n"
# What the default verdict is about.  The other kinds are other views of the
# same acts, or what they read; a rule that minds them says so.
_ACTS = frozenset({Kind.COMMAND, Kind.CODE, Kind.WRITE})
_SEVERITY = {word: rank for rank, word in enumerate(SEVERITIES)}


class Policy:
    """Compiled rules.  Immutable; safe to use from several threads."""

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        default: Verdict = Verdict.ALLOW,
        replaced: Iterable[Rule] = (),
        files: Iterable[CodeFile] = (),
        problems: str | None = None,
    ) -> None:
        """Compile *rules*; raise `EngineFailed` if RE2 cannot hold them all.

        *replaced* are rules that an `override:` took out and *files* what was
        read; both are kept to be listed.  Layers and duplicates are the business of `packs`.
        """
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.id))
        self.replaced: tuple[Rule, ...] = tuple(sorted(replaced, key=lambda rule: rule.id))
        self.files: tuple[CodeFile, ...] = tuple(files)
        self.default = default
        self.problems = problems
        self.sha256 = _digest(self.rules, default, problems)
        self._ruling = tuple(_Ruling(rule) for rule in self.rules)
        self._sets = _sets(self.rules)

    @classmethod
    def broken(cls, problems: str) -> Policy:
        """Return the policy for when there is none: everything needs approval, and says why."""
        return cls((), default=Verdict.APPROVE, problems=problems or "no reason was given")

    def blocked(self, problems: str) -> Policy:
        """Return these rules for where more of them cannot be used: nothing runs unasked."""
        return Policy(
            self.rules,
            default=self.default,
            replaced=self.replaced,
            files=self.files,
            problems=problems,
        )

    def rule(self, id: str) -> Rule | None:
        """Return the rule called *id*, if it is in force."""
        return next((rule for rule in self.rules if rule.id == id), None)

    def judge(self, analysis: Analysis, situation: Situation) -> Judgement:
        """Return the strictest verdict of all rules for all subjects, with every reason.

        Never raises for any analysis: what cannot be matched needs approval.
        """
        if self.problems is not None:
            found = self.findings(analysis, situation) if self.rules else []
            return _judgement([*found, _broken(analysis, self.problems, some=bool(self.rules))])
        return _judgement(self.findings(analysis, situation))

    def findings(self, analysis: Analysis, situation: Situation | None) -> list[Finding]:
        """Return what fires, unsorted.  Without a *situation* every `when:` holds (for tests)."""
        facts = Facts(analysis, situation)
        found: list[Finding] = []
        for subject in analysis.subjects:
            fired: list[Finding] = []
            try:
                for index, texts in self._hits(subject):
                    if finding := self._ruling[index].on(subject, texts, facts):
                        fired.append(finding)
            except UnicodeEncodeError:
                fired.append(_builtin(subject, "gatesh.not-text", _NOT_TEXT))
            except EngineFailed as problem:
                fired.append(_builtin(subject, "gatesh.engine", f"{_ENGINE}: {problem}"))
            if not fired and self.default is not Verdict.ALLOW and subject.kind in _ACTS:
                fired.append(_builtin(subject, "gatesh.default", _DEFAULT))
            found += fired
        return found

    def _hits(self, subject: Subject) -> list[tuple[int, tuple[str, ...]]]:
        """Return the rules (by index) of which a pattern occurs in some spelling, with those."""
        spellings = (subject.text, *subject.also)
        matcher = self._sets.get(subject.kind)
        encoded = [text.encode() for text in spellings]  # even without rules: see not-text
        if matcher is None:
            return []
        if len(spellings) == 1:
            return [(index, spellings) for index in matcher.match(encoded[0])]
        hits: dict[int, tuple[str, ...]] = {}
        for text, data in zip(spellings, encoded, strict=True):
            for index in matcher.match(data):
                hits[index] = (*hits.get(index, ()), text)
        return list(hits.items())


class _Ruling:
    """A rule with its own patterns compiled: for `except:` and the groups of `system:`."""

    __slots__ = ("_capture", "_match", "_template", "_unless", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._match = tuple(compile_pattern(pattern) for pattern in rule.match)
        self._unless = tuple(compile_pattern(pattern) for pattern in rule.unless)
        self._capture = tuple(compile_pattern(pattern) for pattern in rule.capture)
        groups = {g for p in (*self._match, *self._capture) for g in p.groupindex}
        self._template = None if rule.system is None else template.parse(rule.system, groups)

    def on(self, subject: Subject, texts: Sequence[str], facts: Facts) -> Finding | None:
        """Return the finding for *subject*, of which *texts* are the spellings that match."""
        rule = self.rule
        if self._unless and all(self._excepted(text, subject.text, facts) for text in texts):
            return None
        if not applies(rule, facts):
            return None
        return Finding(
            rule=rule.id,
            pack=rule.pack,
            verdict=rule.verdict,
            reason=rule.reason,
            subject=subject,
            where=rule.where,
            severity=rule.severity,
            system=self._system(subject, texts, facts),
            instead=rule.instead,
            tags=rule.tags,
            need=rule.need,
        )

    def _excepted(self, text: str, full: str, facts: Facts) -> bool:
        """Return whether *text*, a spelling of *full*, is excused.

        One spelling by one: what excuses `rm x` does not excuse the `rm /etc/x`
        that it comes to.  But where a spelling only leaves words out, the words
        left out may excuse it (`systemctl --user restart`).
        """
        if self._excuses(text, facts):
            return True
        return text != full and _leaves_out(text, full) and self._excuses(full, facts)

    def _excuses(self, text: str, facts: Facts) -> bool:
        for pattern, written in zip(self._unless, self.rule.unless, strict=True):
            if HERE in written or HOME in written:
                placed = facts.placed(written)
                if placed is not None and compile_pattern(placed).search(text):
                    return True
            elif pattern.search(text):
                return True
        return False

    def _system(self, subject: Subject, texts: Sequence[str], facts: Facts) -> str | None:
        if self._template is None:
            return None
        known: dict[str, str] = {}
        if self._template.groups:
            sources = [(pattern, text) for pattern in self._match for text in texts]
            every = (subject.text, *subject.also)
            sources += [(pattern, text) for pattern in self._capture for text in every]
            for pattern, text in sources:
                if found := pattern.search(text):
                    for name, value in found.groupdict().items():
                        if value:
                            known.setdefault(name, value)
        return self._template.fill(lambda source: known.get(source) or facts.value(source))


def _leaves_out(text: str, full: str) -> bool:
    words = iter(full.split(" "))
    return all(word in words for word in text.split(" "))


def _sets(rules: Sequence[Rule]) -> dict[Kind, PatternSet]:
    by_kind: dict[Kind, list[tuple[str, int]]] = {}
    for index, rule in enumerate(rules):
        by_kind.setdefault(rule.on, []).extend((pattern, index) for pattern in rule.match)
    return {kind: PatternSet(patterns) for kind, patterns in by_kind.items()}


def _digest(rules: Sequence[Rule], default: Verdict, problems: str | None) -> str:
    digest = hashlib.sha256(_FORM)
    head: dict[str, object] = {"default": default.word, "rules": len(rules)}
    if problems is not None:
        head["problems"] = problems
    for line in (head, *(rule.as_document() for rule in rules)):
        digest.update(document.write(line) + b"\n")
    return digest.hexdigest()


# ---- findings without a rule ----------------------------------------------

_NOT_TEXT = "contains bytes that are not text, so no rule could be tried"
_ENGINE = "the rules could not be tried"
_DEFAULT = "no rule speaks for it, and the policy asks about everything else"


def _builtin(subject: Subject, rule: str, reason: str) -> Finding:
    severity = "medium" if rule == "gatesh.default" else "high"
    return Finding(rule, "gatesh", Verdict.APPROVE, reason, subject, severity=severity)


def _broken(analysis: Analysis, problems: str, *, some: bool) -> Finding:
    text = analysis.script.decode("utf-8", "backslashreplace")
    whole = Subject(Kind.SCRIPT, text, Span(0, len(analysis.script)), detail=problems)
    reason = "the rules cannot be loaded, so everything needs approval; run `gatesh rules test`"
    if some:
        first = problems.partition("\n")[0]
        reason = f"rules of this project cannot be used, so everything here needs approval: {first}"
    return _builtin(whole, "gatesh.rules-broken", reason)


def _judgement(findings: list[Finding]) -> Judgement:
    if not findings:
        return Judgement(Verdict.ALLOW)
    findings.sort(key=_strictest_first)
    verdict = findings[0].verdict
    asking = [f.need or Need() for f in findings if f.verdict is Verdict.APPROVE]
    need = reduce(Need.stricter, asking) if asking else Need()
    once = {(f.rule, f.subject): f for f in findings}
    return Judgement(verdict, tuple(once.values()), need)


def _strictest_first(finding: Finding) -> tuple[int, int, int, int, str]:
    span = finding.subject.span
    return (-finding.verdict, span.start, span.end, -_SEVERITY[finding.severity], finding.rule)
