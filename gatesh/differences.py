"""What a change of the law changes, in lines that people can read.  Pure.

First what it means (who is added, which rule goes), then the whole difference of the texts, so that
nothing is approved unseen.  The text is untrusted: whoever prints it makes it visible first.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gatesh import config, document
from gatesh.approval import proposal
from gatesh.approval.proposal import CONFIG, ROSTER, RULES
from gatesh.approval.roster import Roster
from gatesh.approval.signers_text import SignerLine
from gatesh.document import stamp
from gatesh.model import Need
from gatesh.policy import reading
from gatesh.policy.rule import Rule

Change = Mapping[str, Any]


def meaning(kind: str, before: bytes, change: Change) -> list[str]:
    """Return a line for each thing that changes: `+` new, `-` gone, `~` other than before.

    *before* is the document in force.  Raises `ConfigError` or `MalformedDocument` for what could
    not be law.
    """
    return list(_MEANING[kind](document.read(before), change))


def texts(kind: str, before: bytes, change: Change) -> list[str]:
    """Return the whole difference of the texts, as `diff -u` would, three lines around each."""
    old, new = (_TEXTS[kind](found) for found in (document.read(before), change))
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        lines += difflib.unified_diff(
            old.get(name, "").splitlines(),
            new.get(name, "").splitlines(),
            f"{name} (in force)",
            f"{name} (proposed)",
            lineterm="",
        )
    return lines


def summary(kind: str, before: bytes, change: Change) -> str:
    """Return one line that says what changes, in figures where it is much."""
    lines = meaning(kind, before, change)
    said = (
        "; ".join(line if len(line) <= 200 else f"{line[:200]}…" for line in lines[:3])
        or "only the text differs"
    )
    more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"change {_NAMES[kind]}: {said}{more}"


# ---- people --------------------------------------------------------------------


def _of_roster(before: Change, after: Change) -> Iterator[str]:
    old, new = Roster.from_document(before), Roster.from_document(after)
    for name in sorted(old.people.keys() | new.people.keys()):
        was, now = old.people.get(name), new.people.get(name)
        if was is None:
            yield f"+ {name}"
        if now is None:
            yield f"- {name}"
        for label in ("accounts", "teams"):
            yield from _words(
                f"{label[:-1]} of {name}", getattr(was, label, ()), getattr(now, label, ())
            )
        yield from _words(
            f"key of {name}", map(_key, old.keys_of(name)), map(_key, new.keys_of(name))
        )


def _key(line: SignerLine) -> str:
    return (
        f"{line.key.fingerprint}, {stamp(line.valid_after, micros=False)} to"
        f" {stamp(line.valid_before, micros=False)}, for {' '.join(line.namespaces)}"
    )


def _words(label: str, before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    old, new = Counter(before), Counter(after)  # the same key may stand there twice
    yield from (f"+ {label}: {word}" for word in (new - old).elements())
    yield from (f"- {label}: {word}" for word in (old - new).elements())


# ---- rules ---------------------------------------------------------------------


def _of_rules(before: Change, after: Change) -> Iterator[str]:
    (old, was), (new, now) = _rules(before), _rules(after)
    for id in sorted(old.keys() | new.keys()):
        if id not in old:
            yield f"+ rule {id}: {_rule(new[id])}"
        elif id not in new:
            yield f"- rule {id}: {_rule(old[id])}"
        elif old[id].as_document() != new[id].as_document():
            was_said, is_said = _rule(old[id]), _rule(new[id])
            same = was_said == is_said  # what differs are details, which follow
            yield f"~ rule {id}" + ("" if same else f": {was_said} -> {is_said}")
            yield from _fields(id, old[id].as_document(), new[id].as_document())
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield f"~ default in {name}: {was.get(name, 'none')} -> {now.get(name, 'none')}"


def _rules(found: Change) -> tuple[dict[str, Rule], dict[str, str]]:
    rules: dict[str, Rule] = {}
    defaults: dict[str, str] = {}
    for name, text in proposal.rules_of(found).items():
        read = reading.read(text, file=name, layer="user")
        rules |= {rule.id: rule for rule in read.rules}
        if read.default is not None:
            defaults[name] = read.default.word
    return rules, defaults


def _rule(rule: Rule) -> str:
    need = rule.need or Need()
    quorum = " and ".join(f"{count} of {team}" for team, count in sorted(need.quorum.items()))
    who = f" by {quorum}" if rule.verdict.word == "approve" else ""
    over = f", instead of {rule.overrides}" if rule.overrides else ""
    return f"{rule.verdict.word}{who} {' | '.join(rule.match)}{over}"


def _fields(id: str, old: Change, new: Change) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"~   {name}: {_json(old.get(name))} -> {_json(new.get(name))}"


# ---- settings ------------------------------------------------------------------


def _of_config(before: Change, after: Change) -> Iterator[str]:
    old = proposal.settings_of(before)
    new = config.law_of(config.given(proposal.config_of(after), Path("config.yaml")))
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"+ {name}: {_json(new[name])}"
        elif name not in new:
            yield f"- {name}: {_json(old[name])}"
        elif old[name] != new[name]:
            yield f"~ {name}: {_json(old[name])} -> {_json(new[name])}"


def _json(value: Any) -> str:
    return "none" if value is None else json.dumps(value, sort_keys=True)


def _roster_texts(found: Change) -> dict[str, str]:
    return {
        "allowed_signers": found["allowed_signers"],
        "people.json": json.dumps(found["people"], indent=2, sort_keys=True),
    }


def _config_texts(found: Change) -> dict[str, str]:
    if found.get("type") == proposal.SETTINGS_TYPE:
        return {}  # the text in force is not kept, what it means is
    return {"config.yaml": proposal.config_of(found)}


_NAMES = {ROSTER: "the people who can approve", RULES: "the rules", CONFIG: "the settings"}
_MEANING: Mapping[str, Callable[[Change, Change], Iterator[str]]] = {
    ROSTER: _of_roster,
    RULES: _of_rules,
    CONFIG: _of_config,
}
_TEXTS: Mapping[str, Callable[[Change], dict[str, str]]] = {
    ROSTER: _roster_texts,
    RULES: proposal.rules_of,
    CONFIG: _config_texts,
}
