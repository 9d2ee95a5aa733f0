"""How a proposal is shown: what it means, line by line, then the whole difference of the texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gatesh import differences
from gatesh.approval.proposal import LAW, Proposal
from gatesh.cli import show
from gatesh.document import MalformedDocument, sha256
from gatesh.errors import GateshError
from gatesh.visible import visible

Render = Callable[[bytes, Mapping[str, Any]], list[str]]


def lines(script: bytes, files: Mapping[str, bytes]) -> list[str]:
    """Return the lines that show the proposal *script*; *files* hold what it replaces, by digest.

    Nothing is left out: what cannot be compared is shown as it stands.
    """
    try:
        found = Proposal.read(script)
        before = files.get(found.base)
        if before is None or sha256(before) != found.base:
            raise MalformedDocument("what it would replace was not sent along")
        return [
            show.row("changes", f"{visible(found.kind)}, in force {found.base[:16]}…"),
            *RENDER.get(found.kind, _whole)(before, found.change),
        ]
    except (MalformedDocument, GateshError, KeyError, TypeError, ValueError) as problem:
        said = f"cannot be compared ({visible(str(problem))}); the proposal as it stands:"
        return [show.row("changes", said), show.quoted(script.decode("utf-8", "surrogateescape"))]


def _law(kind: str) -> Render:
    def render(before: bytes, change: Mapping[str, Any]) -> list[str]:
        meaning = [_coloured(line) for line in differences.meaning(kind, before, change)]
        texts = [_coloured(line) for line in differences.texts(kind, before, change)]
        found = meaning or [show.quoted("only the text differs")]
        return [*found, show.row("text", "the whole difference"), *texts]

    return render


def _coloured(line: str) -> str:
    codes = {"+": "32", "-": "31", "~": "33"}
    return show.colour(show.quoted(line), codes.get(line[:1], "0"))


def _whole(_before: bytes, change: Mapping[str, Any]) -> list[str]:
    return [show.quoted(json.dumps(change, indent=2, sort_keys=True))]


def _retention(_before: bytes, change: Mapping[str, Any]) -> list[str]:
    gone = f"- what commands printed before {change['before']}, for good, in all logs"
    stays = "  entries, digests, sizes, scripts, requests and decisions stay"
    return [_coloured(gone), _coloured(stays)]


RENDER: dict[str, Render] = {**{kind: _law(kind) for kind in LAW}, "retention": _retention}
