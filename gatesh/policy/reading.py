"""The text of one rule file → its rules, and everything that is wrong with it.

The fields are those of `rules/gatesh.schema.json`.  Nothing is guessed: an
unknown key, a wrong type or a pattern RE2 refuses is a complaint, because a
rule that silently does nothing is worse than a file that does not load.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gatesh.model import Kind, Need, Verdict
from gatesh.policy import template, yamltext
from gatesh.policy.fields import Complaint, Fields
from gatesh.policy.rule import SEVERITIES, Rule, When
from gatesh.policy.yamltext import Node, Scalar, Table

ID = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+")
PACK = re.compile(r"[a-z][a-z0-9-]*")
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._()-]*")
TEAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]*")
_TIMES = re.compile(r"[1-9]")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = "gatesh.engine", "gatesh.rules-broken", "gatesh.default", "gatesh.not-text"

_FILE = ("pack", "about", "default", "system", "capture", "approve", "rules")
_RULE = (
    *("id", "match", "except", "on", "verdict", "reason", "system", "capture", "severity"),
    *("instead", "tags", "approve", "when", "override", "examples"),
)
_WORDS = tuple(v.word for v in Verdict)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """What one file holds.  With complaints, the rules are those that could be read."""

    rules: tuple[Rule, ...] = ()
    default: Verdict | None = None
    complaints: tuple[Complaint, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pack:
    """What every rule of a file inherits."""

    name: str
    system: str | None
    capture: tuple[str, ...]
    groups: frozenset[str]
    need: Need | None
    layer: str
    file: str


def read(text: str, *, file: str, layer: str = "") -> RuleFile:
    """Return what *text* holds; *file* is how its place is written in findings."""
    fields = Fields()
    try:
        root = yamltext.parse(text)
    except yamltext.BadYaml as problem:
        return RuleFile(complaints=(Complaint(problem.line, None, str(problem)),))
    if root is None:
        return RuleFile(complaints=(Complaint(1, None, "is empty; `gatesh rules new` shows how"),))
    top = fields.table(root, "the file", _FILE, needed=("pack", "rules"))
    fields.text(top.get("about"), "`about`", lines=True)
    default = fields.choice(top.get("default"), "`default`", _WORDS[:2])
    capture, groups = fields.patterns(top.get("capture"), "`capture`")
    pack = _Pack(
        _named(fields, top.get("pack"), "`pack`", PACK, "lowercase letters, digits and dashes")
        or "unnamed",
        fields.text(top.get("system"), "`system`"),
        capture,
        groups,
        _need(fields, top.get("approve")),
        layer,
        file,
    )
    rules = tuple(_rule(fields, n, pack) for n in _list(fields, top.get("rules")))
    return RuleFile(
        tuple(rule for rule in rules if rule is not None),
        Verdict[default.upper()] if default else None,
        tuple(sorted(fields.complaints, key=lambda complaint: complaint.line)),
    )


def _list(fields: Fields, node: Node | None) -> tuple[Node, ...]:
    return () if node is None else fields.items(node, "`rules`")


def _named(
    fields: Fields, node: Node | None, what: str, form: re.Pattern[str], words: str
) -> str | None:
    text = fields.text(node, what)
    if text is None or node is None:
        return None
    if form.fullmatch(text):
        return text
    fields.complain(node.line, f"{what} is {text!r}; use {words}")
    return None


def _rule(fields: Fields, node: Node, pack: _Pack) -> Rule | None:
    before = len(fields.complaints)
    id_node = node.entries.get("id") if isinstance(node, Table) else None
    fields.rule = id_node.text if isinstance(id_node, yamltext.Scalar) else None
    needed = ("id", "match", "verdict", "reason", "examples")
    entries = fields.table(node, "the rule", _RULE, needed)
    id = _named(fields, entries.get("id"), "`id`", ID, "a name like `aws.iam-write`")
    if id in RESERVED:
        fields.complain(node.line, f"`id` {id} is reserved for gatesh; choose another")
    on = fields.choice(entries.get("on"), "`on`", (str(kind) for kind in Kind))
    match, groups = fields.patterns(entries.get("match"), "`match`")
    unless, _ = fields.patterns(entries.get("except"), "`except`")
    capture, more = fields.patterns(entries.get("capture"), "`capture`")
    if "match" in entries and not match and len(fields.complaints) == before:
        fields.complain(entries["match"].line, "`match` is an empty list; give a pattern")
    verdict = fields.choice(entries.get("verdict"), "`verdict`", _WORDS)
    system = fields.text(entries.get("system"), "`system`") or pack.system
    if system is not None:
        try:
            template.parse(system, groups | more | pack.groups)
        except template.BadTemplate as problem:
            fields.complain(node.line, f"`system` cannot be filled: {problem}")
    if "approve" in entries and verdict not in (None, "approve"):
        fields.complain(entries["approve"].line, f"`approve` needs verdict approve, not {verdict}")
    reason = fields.text(entries.get("reason"), "`reason`")
    need = _need(fields, entries.get("approve")) or pack.need
    overrides, because = _override(fields, entries.get("override"))
    must, must_not = _examples(fields, entries.get("examples"))
    rule = {
        "severity": fields.choice(entries.get("severity"), "`severity`", SEVERITIES) or "medium",
        "instead": fields.text(entries.get("instead"), "`instead`"),
        "tags": _tags(fields, entries.get("tags")),
        "when": _when(fields, entries.get("when")),
    }
    fields.rule = None
    if len(fields.complaints) > before or id is None or verdict is None or reason is None:
        return None
    return Rule(
        id=id,
        pack=pack.name,
        match=match,
        verdict=Verdict[verdict.upper()],
        reason=reason,
        on=Kind(on) if on else Kind.COMMAND,
        unless=unless,
        system=system,
        capture=capture + pack.capture,
        need=need if verdict == "approve" else None,
        overrides=overrides,
        because=because,
        must=must,
        must_not=must_not,
        layer=pack.layer,
        where=f"{pack.file}:{node.line}",
        **rule,  # type: ignore[arg-type]
    )


def _tags(fields: Fields, node: Node | None) -> tuple[str, ...]:
    tags = fields.texts(node, "`tags`")
    for tag in tags:
        if node is not None and not TAG.fullmatch(tag):
            fields.complain(node.line, f"tag {tag!r} must be one word such as soc2:CC6.1")
    return tags


def _need(fields: Fields, node: Node | None) -> Need | None:
    if node is None:
        return None
    usual = Need()
    known = ("need", "within", "run_within", "assurance", "break_glass")
    entries = fields.table(node, "`approve`", known)
    quorum: dict[str, int] = {}
    if (teams := entries.get("need")) is not None:
        names: Mapping[str, Node] = teams.entries if isinstance(teams, Table) else {}
        if not names:
            fields.complain(teams.line, "`need` must map teams to head counts, such as {any: 1}")
        for team, count in names.items():
            if not TEAM.fullmatch(team):
                fields.complain(count.line, f"`need` names the team {team!r}; use one plain word")
            quorum[team] = fields.count(count, f"`need: {team}`") or 1
    return Need(
        quorum or dict(usual.quorum),
        fields.duration(entries.get("within"), "`within`") or usual.within_s,
        fields.duration(entries.get("run_within"), "`run_within`") or usual.run_within_s,
        fields.choice(entries.get("assurance"), "`assurance`", ("key", "presence"))
        or usual.assurance,
        _times(fields, entries.get("break_glass")),
    )


def _times(fields: Fields, node: Node | None) -> int:
    if node is None:
        return 0
    if isinstance(node, Scalar) and node.type == "int" and _TIMES.fullmatch(node.text):
        return int(node.text)
    fields.complain(
        node.line, "`break_glass` must say how often a day one person may: a number from 1 to 9"
    )
    return 0


def _when(fields: Fields, node: Node | None) -> When:
    if node is None:
        return When()
    plain = ("user", "person", "agent", "cwd", "host")
    entries = fields.table(node, "`when`", (*plain, "env"))
    if not entries:
        fields.complain(node.line, "`when` is empty; leave it out, or say when")
    found = {k: fields.patterns(entries.get(k), f"`when: {k}`")[0] for k in plain}
    env: dict[str, tuple[str, ...]] = {}
    if (variables := entries.get("env")) is not None:
        if not isinstance(variables, Table) or not variables.entries:
            fields.complain(variables.line, "`when: env` must map variables to patterns")
        else:
            for name, value in variables.entries.items():
                if not VARIABLE.fullmatch(name):
                    fields.complain(value.line, f"`when: env` names {name!r}, which no variable is")
                env[name], _ = fields.patterns(value, f"`when: env: {name}`")
    return When(**found, env=env)


def _override(fields: Fields, node: Node | None) -> tuple[str | None, str | None]:
    if node is None:
        return None, None
    keys = ("id", "reason")
    entries = fields.table(node, "`override`", keys, needed=keys)
    return (
        _named(fields, entries.get("id"), "`override: id`", ID, "the id of the rule it replaces"),
        fields.text(entries.get("reason"), "`override: reason`"),
    )


def _examples(fields: Fields, node: Node | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if node is None:
        return (), ()
    keys = ("match", "miss")
    entries = fields.table(node, "`examples`", keys, needed=keys)
    found = {k: fields.texts(entries.get(k), f"`examples: {k}`", lines=True) for k in keys}
    for key in keys:
        if key in entries and not found[key]:
            fields.complain(entries[key].line, f"`examples: {key}` has no command line; give one")
    return found["match"], found["miss"]
