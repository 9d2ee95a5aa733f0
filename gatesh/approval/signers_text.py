"""OpenSSH `allowed_signers` text, the strict part of it that gatesh accepts.

One line for each key, as in ssh-keygen(1) ALLOWED SIGNERS:

    bob@example.com namespaces="decision.v1@gatesh",valid-after="…Z",valid-before="…Z" TYPE KEY

OpenSSH allows more: patterns, lists of principals, authorities, missing limits, local times.
Each of these would let a key speak for somebody, some time or some purpose that nobody wrote down.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timezone

from gatesh.keys.publickey import BadKey, PublicKey

DECISIONS = "decision.v1@gatesh"
OVERRIDES, REVIEWS = "override.v1@gatesh", "review.v1@gatesh"
PRINCIPAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+@-]{0,127}")
_LINE = re.compile(
    r'([^ \t"]+)[ \t]+((?:[^ \t"]|"[^"]*")+)[ \t]+([^ \t]+)[ \t]+([^ \t]+)(?:[ \t]+.*)?'
)
_OPTION = re.compile(r'([a-z-]+)="([^"\\]*)"(?:,(?=.)|$)')
_NAMESPACE = re.compile(r"[A-Za-z0-9._+@-]+")
_FORMS = {9: "%Y%m%dZ", 13: "%Y%m%d%H%MZ", 15: "%Y%m%d%H%M%SZ"}
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class SignerLine:
    """One key of one person, for some purposes and a period (both ends included)."""

    number: int  # of the line in the text, from 1
    principal: str
    namespaces: tuple[str, ...]
    valid_after: datetime
    valid_before: datetime
    key: PublicKey

    def valid(self, at: datetime) -> bool:
        """Whether the key may sign at *at*."""
        return self.valid_after <= at <= self.valid_before

    @property
    def text(self) -> str:
        """The line as it is written, without its newline."""
        return (
            f'{self.principal} namespaces="{",".join(self.namespaces)}",'
            f'valid-after="{_time_text(self.valid_after)}",'
            f'valid-before="{_time_text(self.valid_before)}" {self.key.text}'
        )


def parse(text: str) -> tuple[list[SignerLine], list[str]]:
    """Return the keys in *text* and every problem, each with its line number.

    Empty lines and lines that start with `#` say nothing.
    """
    lines: list[SignerLine] = []
    problems: list[str] = []
    if len(text) > _LONGEST:
        return [], [f"allowed_signers: longer than {_LONGEST} bytes"]
    for number, line in enumerate(text.split("\n"), 1):
        if not line or (line.startswith("#") and line.isprintable()):
            continue
        try:
            lines.append(_parse_line(number, line))
        except (BadKey, ValueError) as problem:
            problems.append(f"allowed_signers:{number}: {problem}")
    return lines, problems


def without(text: str, numbers: Container[int]) -> str:
    """Return *text* without the lines of these numbers, all others as they were."""
    lines = text.split("\n")
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in numbers)


def _parse_line(number: int, line: str) -> SignerLine:
    # A carriage return or an escape sequence could show a person another line than ssh reads.
    if not line.replace("\t", " ").isprintable():
        raise ValueError("a control character or unprintable text")
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError('not `PERSON namespaces="…",valid-after="…",valid-before="…" TYPE KEY`')
    principal, options, kind, encoded = match.groups()
    if not PRINCIPAL.fullmatch(principal):
        raise ValueError(f"{principal} is not one exact name (no patterns, no lists)")
    found = _options(options)
    namespaces = tuple(found.pop("namespaces", "").split(","))
    if not all(_NAMESPACE.fullmatch(name) for name in namespaces):
        raise ValueError("`namespaces` is missing, or not a list of exact names")
    if DECISIONS not in namespaces:
        raise ValueError(f"`namespaces` does not contain {DECISIONS}")
    after = _time("valid-after", found.pop("valid-after", ""))
    before = _time("valid-before", found.pop("valid-before", ""))
    if found:
        raise ValueError(f"option {min(found)} is not accepted")
    if after >= before:
        raise ValueError("`valid-before` is not later than `valid-after`")
    key = PublicKey.from_text(f"{kind} {encoded}")
    return SignerLine(number, principal, namespaces, after, before, key)


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None:
            raise ValueError(f"options are not understood from `{text[at : at + 40]}`")
        name, value = match.groups()
        if name in found:
            raise ValueError(f"option {name} is given twice")
        found[name] = value
        at = match.end()
    return found


def _time(name: str, text: str) -> datetime:
    form = _FORMS.get(len(text))
    if form is None or not text[:-1].isdecimal() or not text.isascii() or text[-1] != "Z":
        # Without the Z, ssh-keygen reads local time: two auditors would disagree.
        raise ValueError(f"`{name}` is missing, or not a UTC time like 20300101000000Z")
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)


def _time_text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y%m%d%H%M%SZ")
