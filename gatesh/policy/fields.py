"""Typed access to the nodes of a rule file; collects complaints instead of stopping."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatesh.policy import patterns
from gatesh.policy.yamltext import Items, Node, Scalar, Table

_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_COUNT = re.compile(r"[1-9][0-9]?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_WAIT = 30 * 86400
LONGEST_TEXT = 2000  # characters of a reason, an `instead`, a tag


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with a file: where, in which rule, and what to do."""

    line: int
    rule: str | None
    message: str


class Fields:
    """Reads nodes; what cannot be read leaves a complaint and yields an empty value."""

    def __init__(self) -> None:
        self.complaints: list[Complaint] = []
        self.rule: str | None = None  # the rule that is being read, for complaints

    def complain(self, line: int, message: str) -> None:
        """Note what is wrong on *line*."""
        self.complaints.append(Complaint(line, self.rule, message))

    def table(
        self, node: Node, what: str, known: Iterable[str], needed: Iterable[str] = ()
    ) -> Mapping[str, Node]:
        """Return the entries of a mapping with the *known* keys, of which some are *needed*."""
        if not isinstance(node, Table):
            self.complain(node.line, f"{what} must be a mapping (`key: value` lines)")
            return {}
        known = tuple(known)
        for key in node.entries:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"
                self.complain(node.lines[key], f"unknown key `{key}` in {what}; {hint}")
        for key in needed:
            if key not in node.entries:
                self.complain(node.line, f"{what} needs `{key}`; {_WHY.get(key, 'add it')}")
        return node.entries

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """Return the items of a list."""
        if isinstance(node, Items):
            return node.items
        self.complain(node.line, f"{what} must be a list (`- item` lines)")
        return ()

    def text(self, node: Node | None, what: str, *, lines: bool = False) -> str | None:
        """Return one text; a single line unless *lines*."""
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.complain(node.line, f"{what} must be text, not a list or mapping")
        elif node.type != "str":
            shown = node.text or "nothing"
            kind = "empty" if node.type == "null" else f"a YAML {node.type}"
            self.complain(node.line, f"{what} must be text, {shown} is {kind}; put it in quotes")
        elif not node.text.strip():
            self.complain(node.line, f"{what} is empty; say something or leave it out")
        elif not lines and any(ord(c) < 32 or ord(c) == 127 for c in node.text.strip()):
            self.complain(node.line, f"{what} must be one line of plain text")
        elif len(node.text) > LONGEST_TEXT and not lines:
            self.complain(node.line, f"{what} is longer than {LONGEST_TEXT} characters; shorten it")
        else:
            return node.text if lines else node.text.strip()
        return None

    def texts(self, node: Node | None, what: str, *, lines: bool = False) -> tuple[str, ...]:
        """Return one text or a list of texts as a tuple."""
        if node is None:
            return ()
        if isinstance(node, Scalar):
            node = Items((node,), node.line)
        found = (self.text(item, what, lines=lines) for item in self.items(node, what))
        return tuple(text for text in found if text is not None)

    def patterns(self, node: Node | None, what: str) -> tuple[tuple[str, ...], frozenset[str]]:
        """Return one or more RE2 patterns, and the names of their groups."""
        if node is None:
            return (), frozenset()
        if isinstance(node, Scalar):
            node = Items((node,), node.line)
        good: list[str] = []
        groups: set[str] = set()
        for item in self.items(node, what):
            if not isinstance(item, Scalar) or item.type not in ("str", "int", "float", "bool"):
                self.complain(item.line, f"{what} must be a pattern in quotes, or a list of them")
                continue
            try:
                groups.update(patterns.compile(item.text).groupindex)
                good.append(item.text)
            except patterns.BadPattern as problem:
                self.complain(item.line, f"{what} {problem}")
        return tuple(good), frozenset(groups)

    def choice(self, node: Node | None, what: str, among: Iterable[str]) -> str | None:
        """Return one word out of *among*."""
        if node is None:
            return None
        among = tuple(among)
        if isinstance(node, Scalar) and node.text in among:
            return node.text
        said = f"`{node.text}`" if isinstance(node, Scalar) else "a list or mapping"
        self.complain(node.line, f"{what} is {said}; it must be one of {', '.join(among)}")
        return None

    def count(self, node: Node, what: str) -> int | None:
        """Return a head count, 1 to 99."""
        if isinstance(node, Scalar) and node.type == "int" and _COUNT.fullmatch(node.text):
            return int(node.text)
        self.complain(node.line, f"{what} must be a number of people from 1 to 99")
        return None

    def duration(self, node: Node | None, what: str) -> int | None:
        """Return seconds from a text like `90s`, `15m`, `4h`, `2d`; at most 30 days."""
        if node is None:
            return None
        found = _DURATION.fullmatch(node.text) if isinstance(node, Scalar) else None
        if found is None:
            self.complain(node.line, f"{what} must be a time such as 90s, 15m, 4h or 2d")
        elif (seconds := int(found[1]) * _SECONDS[found[2]]) > LONGEST_WAIT:
            self.complain(node.line, f"{what} is longer than 30 days; shorten it")
        else:
            return seconds
        return None


_WHY = {
    "id": "name it like `aws.iam-write`",
    "match": "a pattern for the commands it is about",
    "verdict": "one of allow, approve, deny",
    "reason": "what an approver should know, in a few words",
    "examples": "`match:` and `miss:`, one full command line each at least",
    "miss": "a near miss: a command line that looks alike and must not match",
    "pack": "the name of the pack, such as `aws`",
    "rules": "the list of rules",
}
