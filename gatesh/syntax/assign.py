"""Assignments: every value a variable can have afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax.environment import assigned
from gatesh.syntax.expand import Expander
from gatesh.syntax.nodes import Assign, Sum
from gatesh.syntax.state import hole
from gatesh.syntax.values import Array, Choice, join, pieces, render

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

MAX_COMBINATIONS = 16


def assign(f: Follower, assign: Assign, command: str) -> tuple[str, Choice]:
    """Make an assignment, only for *command* if that is given; return name and value."""
    expander = Expander(f)
    span = (assign.start, assign.end)
    f.word_span = span
    if assign.index is not None:
        expander.sum(Sum(assign.index.parts, True, ""))
    value = _value(assign, expander)
    shown = _shown(value)
    f.add(Kind.ENV, f"{assign.name}={shown}", span)
    assigned(f, assign.name, value, span)
    shell = f.shell
    if assign.name in shell.integers and ("$(" in shown or "`" in shown):
        f.hidden_code(shown, f"{assign.name} is an integer: its value is evaluated")
    if assign.append:
        choices = _appended(f, assign.name, value)
    else:
        choices = [value, *_other_values(f, assign, expander)]
    if command:
        return assign.name, choices[0] if len(choices) == 1 else hole("$" + assign.name)
    if assign.index is not None:
        choices = [hole("$" + assign.name)]
    shell.set(assign.name, *dict.fromkeys(choices))
    return assign.name, value


def _value(assign: Assign, expander: Expander) -> Choice:
    if assign.array is not None:
        return Array(tuple(expander.fields(assign.array)))
    assert assign.value is not None
    return expander.text(assign.value, tildes=True)


def _other_values(f: Follower, assign: Assign, expander: Expander) -> list[Choice]:
    """`B=$A` where A has several values gives B as many."""
    choices: list[dict[str, int]] = [{}]
    for name, count in expander.open.items():
        choices = [{**c, name: n} for c in choices for n in range(count)]
        if len(choices) > MAX_COMBINATIONS:
            return [hole("$" + assign.name)]
    return [_value(assign, Expander(f, choice)) for choice in choices[1:]]


def _appended(f: Follower, name: str, value: Choice) -> list[Choice]:
    """Return what `name+=value` can make of the variable."""
    made: list[Choice] = []
    for old in f.shell.lookup(name):
        if isinstance(value, Array):
            items = old.items if isinstance(old, Array) else ()
            known = old is None or isinstance(old, Array)
            made.append(Array(items + value.items) if known else hole("$" + name))
        elif isinstance(old, Array):
            made.append(hole("$" + name))
        else:
            made.append(join([*pieces(old or ""), *pieces(value or "")]))
    return made


def _shown(value: Choice) -> str:
    if isinstance(value, Array):
        return "(" + " ".join([item.text for item in value.items]) + ")"
    return render(value or "")
