"""What everybody who looks has to hear: law that is not in force, and commands started alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from gatesh.cli import show
from gatesh.model import show_id
from gatesh.visible import visible

NAMES = {"roster": "the roster", "rules": "the rules", "config": "config.yaml"}


def warn_of_edits(edits: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lines that shout about files that say something else than was approved."""
    lines = []
    for edit in edits:
        problem = f" ({visible(edit['problem'])})" if edit.get("problem") else ""
        lines.append(
            show.colour("NOT IN FORCE", "31;1", sys.stderr)
            + f": {NAMES.get(edit['kind'], edit['kind'])} as edited on disk{problem};"
            " what was approved stays in force"
        )
    if lines:
        lines.append(
            "  ask for it: gatesh propose      put back what was approved: gatesh propose --undo"
        )
    return lines


def shout(edits: Iterable[Mapping[str, Any]], unreviewed: Iterable[Mapping[str, Any]] = ()) -> None:
    """Say on standard error which files are not in force, and what was started alone."""
    for line in [*warn_of_edits(edits), *banner(unreviewed)]:
        typer.echo(line, err=True)


def banner(unreviewed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lines that shout about what nobody has reviewed yet."""
    lines = []
    for item in unreviewed:
        id = show_id(item["id"])
        shouted = show.colour("OVERRIDE", "31;1", sys.stderr)
        lines.append(
            f"{shouted} {id} by {visible(item['by'])}, {show.when(item['at'])}:"
            f" {visible(item['reason'])}\n"
            f"  nobody else has reviewed it: gatesh show {id}; gatesh review {id} -m TEXT"
        )
    return lines
