"""The `system:` of a rule: a template that names what would be affected.

    aws:{profile|env.AWS_PROFILE|=default}

A field lists where its value may come from, first known wins: a named group of
`match:` or `capture:`, `cwd`, `host`, `user`, `env.NAME`, or `=` and a literal.
What nobody knows is written `?`: an approver should see that it is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_FIELD = re.compile(r"\{([^{}]*)\}")
_SOURCE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|env\.[A-Za-z_][A-Za-z0-9_]*|=[^|]+")
ALWAYS = frozenset({"cwd", "host", "user"})
UNKNOWN = "?"


class BadTemplate(ValueError):
    """The template cannot be filled; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed `system:`; `parts` are literal texts and lists of sources in turn."""

    parts: tuple[str | tuple[str, ...], ...]

    @property
    def groups(self) -> frozenset[str]:
        """The named groups it asks for."""
        return frozenset(
            source
            for part in self.parts
            if not isinstance(part, str)
            for source in part
            if source[0] != "=" and "." not in source and source not in ALWAYS
        )

    def fill(self, value_of: Callable[[str], str | None]) -> str:
        """Return the text, asking *value_of* for each source until one is known."""
        filled = []
        for part in self.parts:
            if isinstance(part, str):
                filled.append(part)
                continue
            known = (s[1:] if s[0] == "=" else value_of(s) for s in part)
            filled.append(next((value for value in known if value), UNKNOWN))
        return "".join(filled)


def parse(text: str, groups: Iterable[str]) -> Template:
    """Return the template *text*; raise `BadTemplate` if it asks for groups that are not there."""
    parts: list[str | tuple[str, ...]] = []
    end = 0
    for found in _FIELD.finditer(text):
        parts.append(text[end : found.start()])
        sources = tuple(found[1].split("|"))
        if odd := next((s for s in sources if not _SOURCE.fullmatch(s)), None):
            raise BadTemplate(f"{{{odd}}} is not a name, env.NAME or =text")
        if "" in sources:
            raise BadTemplate(f"{found[0]} has an empty alternative")
        parts.append(sources)
        end = found.end()
    parts.append(text[end:])
    if any(isinstance(p, str) and ("{" in p or "}" in p) for p in parts):
        raise BadTemplate("a brace is not paired")
    template = Template(tuple(part for part in parts if part))
    if missing := sorted(template.groups - set(groups)):
        raise BadTemplate(
            f"{{{missing[0]}}} is no named group of `match:` or `capture:`; "
            f"write (?P<{missing[0]}>…) in one of them, or use cwd, host, user, env.NAME"
        )
    return template
