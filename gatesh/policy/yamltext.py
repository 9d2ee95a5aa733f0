"""YAML with line numbers, and only the part of YAML that rule files need.

One document; mappings, lists and scalars; no anchors, aliases, tags or
duplicate keys, and a depth limit.  Built from parser events: libyaml's own
composer is recursive and crashes the process on deep nesting, and aliases are
how a small file becomes a large one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

DEPTH = 16


class BadYaml(ValueError):
    """The text is not YAML of the kind rule files use; `line` says where."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar: its text, and what YAML takes it for (`str`, `int`, `bool`, `null`, …)."""

    text: str
    type: str
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping from text to nodes; `lines` has the line of each key."""

    entries: dict[str, Node]
    lines: dict[str, int]
    line: int


Node = Scalar | Items | Table

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()


def parse(text: str) -> Node | None:
    """Return the one document in *text*, None if there is none; raise `BadYaml`."""
    try:
        events = iter(yaml.parse(text, Loader=_LOADER))
        documents = 0
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise BadYaml(_line(event), "holds a second document; use one file for each")
                root = _node(next(events), events, 0)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        said = " ".join(filter(None, (problem.context, problem.problem)))
        raise BadYaml(mark.line + 1 if mark else 1, f"not YAML: {said}") from None
    except yaml.YAMLError as problem:
        raise BadYaml(1, f"not YAML: {' '.join(str(problem).split())}") from None
    return root


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return int(mark.line) + 1 if mark else 1


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
    line = _line(event)
    if depth > DEPTH:
        raise BadYaml(line, f"is nested more than {DEPTH} deep")
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise BadYaml(line, "uses an anchor or alias; write the value out")
    if tag := getattr(event, "tag", None):
        raise BadYaml(line, f"uses the tag {tag}; write plain text, lists and mappings")
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(event.value, _type(event), line)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            items.append(_node(inner, events, depth + 1))
        return Items(tuple(items), line)
    table = Table({}, {}, line)
    while not isinstance(inner := next(events), yaml.MappingEndEvent):
        key = _node(inner, events, depth + 1)
        if not isinstance(key, Scalar):
            raise BadYaml(key.line, "has a key that is not text")
        if key.text in table.entries:
            # Readers differ on which of the two counts; neither may.
            first = table.lines[key.text]
            raise BadYaml(key.line, f"gives `{key.text}` twice (first on line {first})")
        table.lines[key.text] = key.line
        table.entries[key.text] = _node(next(events), events, depth + 1)
    return table


def _type(event: yaml.ScalarEvent) -> str:
    if event.style:  # quoted or a block
        return "str"
    tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False))  # type: ignore[no-untyped-call]
    return str(tag).rpartition(":")[2]
