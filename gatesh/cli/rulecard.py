"""One rule, as a person reads it."""

from __future__ import annotations

from gatesh.cli import show
from gatesh.model import Need, Verdict
from gatesh.policy.rule import Rule
from gatesh.visible import visible


def card(rule: Rule) -> list[str]:
    """Return everything about *rule*: what it says, where it holds, who decides, examples."""
    row = show.row
    lines = [
        row("rule", f"{visible(rule.id)}  ({visible(rule.where)}, {rule.layer})"),
        row("verdict", f"{rule.verdict.word}, severity {rule.severity}"),
        row("reason", visible(rule.reason)),
    ]
    if rule.overrides:
        lines.append(row("replaces", visible(f"{rule.overrides}: {rule.because}")))
    if rule.instead:
        lines.append(row("instead", visible(rule.instead)))
    if rule.system:
        lines.append(row("system", visible(rule.system)))
    if rule.verdict is Verdict.APPROVE:
        lines.append(row("needs", _need(rule.need or Need())))
    lines += _several("when", _when(rule))
    lines.append(row("on", str(rule.on)))
    lines += _several("match", rule.match)
    lines += _several("except", rule.unless)
    if rule.tags:
        lines.append(row("tags", visible(" ".join(rule.tags))))
    lines += _several("stops", rule.must)
    lines += _several("but not", rule.must_not)
    return lines


def _need(need: Need) -> str:
    found = {"quorum": need.quorum, "assurance": need.assurance, "break_glass": need.break_glass}
    who = show.need(found)
    return f"{who}, within {_span(need.within_s)}; good for {_span(need.run_within_s)}"


def _span(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _when(rule: Rule) -> list[str]:
    found = []
    for key, patterns in rule.when.as_document().items():
        if isinstance(patterns, dict):
            found += [f"{key} {name} matches {' or '.join(p)}" for name, p in patterns.items()]
        elif isinstance(patterns, list):
            found.append(f"{key} matches {' or '.join(patterns)}")
    return found


def _several(label: str, texts: list[str] | tuple[str, ...]) -> list[str]:
    return [show.row(label if n == 0 else "", visible(text)) for n, text in enumerate(texts)]
