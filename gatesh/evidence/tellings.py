"""Parts of a report that count and list: who asked, what was in force, controls, all commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from gatesh.evidence import controls
from gatesh.evidence.charts import text
from gatesh.evidence.html import ROWS, count, cut, table
from gatesh.evidence.numbers import seconds_between
from gatesh.evidence.sample import duration, when
from gatesh.evidence.story import Command
from gatesh.model import show_id

if TYPE_CHECKING:
    from gatesh.evidence.derive import Period

_NAMED: Final = 12  # commands named under each control
_SYSTEMS: Final = 30

_K = TypeVar("_K", str, tuple[str, str])


def who(period: Period) -> str:
    """Tell who asked through which program, and what was affected."""
    askers: dict[tuple[str, str], list[Command]] = {}
    systems: dict[str, list[Command]] = {}
    for c in period.population:
        askers.setdefault((c.requester, c.agent or "none that is known"), []).append(c)
        if c.system is not None:
            systems.setdefault(c.system, []).append(c)
    heads = ("Command lines", "Held", "Held and run", "Denied by a rule")
    return (
        "<section class=counts><h2>Who asked, and for what</h2>"
        + table(
            ("Person", "Agent", *heads),
            [(text(who), text(agent), *_counts(those)) for (who, agent), those in _many(askers)],
        )
        + "<p class=quiet>The person is the one on the roster who answers for the account that the"
        " kernel named. The agent is what its own variables say, which it could set otherwise.</p>"
        + table(
            ("Affected system", *heads),
            [(text(system), *_counts(those)) for system, those in _many(systems)[:_SYSTEMS]],
        )
        + (f"<p>{len(systems) - _SYSTEMS:,} more are in commands.csv.</p>"
           if len(systems) > _SYSTEMS else "")
        + "<p class=quiet>The affected system is what the rule that held a command says of it. What"
        " no rule matched names none.</p></section>"
    )  # fmt: skip


def _many(groups: Mapping[_K, Sequence[Command]]) -> list[tuple[_K, Sequence[Command]]]:
    """Return the groups, largest first."""
    return sorted(groups.items(), key=lambda group: (-len(group[1]), str(group[0])))


def _counts(commands: Sequence[Command]) -> tuple[str, ...]:
    held = [c for c in commands if c.verdict == "approve"]
    ran = sum(1 for c in held if c.started)
    denied = sum(1 for c in commands if c.verdict == "deny")
    return f"{len(commands):,}", f"{len(held):,}", f"{ran:,}", f"{denied:,}"


def law(period: Period) -> str:
    """Tell which rules and people were in force, and how that changed."""
    rows = []
    for entry in period.law[:ROWS]:
        basis = ", ".join(f"entry {n:,}" for n in entry.get("decisions") or ())
        if entry["type"] == "law.edited":
            what, said = f"Edit of {text(entry['kind'])}", "on disk and not approved: not in force"
        elif entry["type"] == "roster.loaded":
            people = sorted(entry["people"])
            what, said = (
                "People",
                f"{count(len(people), 'person', 'people')}: {text(', '.join(people))}",
            )
        else:
            what, said = "Rules", f"digest {text(entry['policy_sha256'][:16])}…"
        rows.append(
            (when(entry["t"]), f"{entry['n']:,}", what, said,
             f"approved: {basis}" if basis else "")
        )  # fmt: skip
    return (
        "<section><h2>Rules and people in force</h2><p>The state at the first start within these"
        " entries, and each change after it. Files of rules and keys of people stand in the entries"
        " themselves.</p>"
        + (table(("When", "Entry", "What", "In force from here", "Rests on"), rows)
           or "<p>Neither was loaded or changed within these entries.</p>")
        + "</section>"
    )  # fmt: skip


def by_control(period: Period) -> str:
    """Tell what this is evidence of, control by control, and what it is not."""
    named = controls.by_control(period.population)
    held = [c for c in period.population if c.approvals and c.started]
    whole = {
        **dict.fromkeys(controls.ALWAYS, "all command lines"),
        **dict.fromkeys(controls.APPROVED, count(len(held), "approved run")),
    }
    rows = []
    for tag in controls.in_order([*controls.CONTROLS, *named]):
        if tag not in named and tag not in whole:
            continue
        found, commands = controls.control(tag), named.get(tag, [])
        by_rule = ""
        if commands:
            ran = sum(1 for c in commands if c.started)
            denied = sum(1 for c in commands if c.verdict == "deny")
            by_rule = f"{count(len(commands), 'command')} by rule: {ran:,} ran, {denied:,} denied"
            by_rule += f"<br><small>{_ids(commands)}</small>"
        rows.append(
            (
                f"<b>{text(found.title)}</b>",
                "<br>".join(x for x in (by_rule, whole.get(tag, "")) if x),
                text(found.shows),
                text(found.not_shown),
            )
        )
    return (
        "<section class=controls><h2>By control</h2><p>The left columns say what this report is"
        " evidence of. The right one says what has to be asked elsewhere. Which rule belongs to"
        " which control is what the rules say of themselves in their tags.</p>"
        + table(("Control", "Population", "The log shows", "It does not show"), rows)
        + "</section>"
    )


def _ids(commands: Sequence[Command]) -> str:
    shown = ", ".join(f"<nobr>{show_id(c.id)}</nobr>" for c in commands[:_NAMED])
    more = len(commands) - _NAMED
    return shown + (f" and {more:,} more, see the column controls of commands.csv" * (more > 0))


def listing(population: Sequence[Command]) -> str:
    """List what was held or denied."""
    held = [c for c in population if c.verdict != "allow"]
    rows = [
        (
            f"<nobr>{show_id(c.id)}</nobr>",
            f"<nobr>{text(c.t[:16].replace('T', ' '))}</nobr>",
            text(c.requester),
            text(" ".join(c.rules)),
            _approvers(c),
            text(c.ending),
            f"<code>{text(cut(c.text))}</code>",
        )
        for c in held[:ROWS]
    ]
    more = len(held) - ROWS
    head = ("Id", "Asked", "By", "Rules", "Approved by", "End")
    return (
        f"<section><h2>Every command that was held or denied ({len(held):,})</h2>"
        + (table(head, rows) or "<p>None.</p>")
        + (f"<p>{more:,} more are in commands.csv.</p>" if more > 0 else "")
        + "<p class=quiet>Commands that no rule held are in commands.csv.</p></section>"
    )


def _approvers(c: Command) -> str:
    return "<br>".join(
        f"{text(a.by)} <small>after {duration(wait)}</small>"
        for a in c.approved_by
        if (wait := seconds_between(c.opened, a.t)) is not None
    )
