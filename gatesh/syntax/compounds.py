"""Compound commands: every branch is taken, every body runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gatesh.syntax.expand import Expander
from gatesh.syntax.nodes import Case, Compound, For, Group, If, Lit, Math, Script, Sum, Test, While
from gatesh.syntax.state import Shell, hole
from gatesh.syntax.values import Choice, Field, Output, concatenated, either, render

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

MAX_WIDENED = 50  # variables of one loop
_NUMERIC = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
NOTHING = Output("")
UNKNOWN = Output()


def compound(f: Follower, command: Compound) -> Output:
    """Follow a compound command, its redirections aside."""
    if isinstance(command, Group):
        if command.subshell:
            return f.apart(lambda: f.script(command.body))
        return f.script(command.body)
    if isinstance(command, If):
        return _if(f, command)
    if isinstance(command, While):
        return _while(f, command)
    if isinstance(command, For):
        return _for(f, command)
    if isinstance(command, Case):
        return _case(f, command)
    if isinstance(command, Math):
        Expander(f).sum(command.sum)
        return _loop(f, lambda: f.script(command.body or Script([])))
    if isinstance(command, Test):
        expander = Expander(f)
        for at, word in enumerate(command.words):
            f.word_span = (word.start, word.end)
            expander.visit(word)
            value = render(expander.text(word))
            beside = [*command.words[max(0, at - 1) : at], *command.words[at + 1 : at + 2]]
            if any(other.plain in _NUMERIC for other in beside):
                expander.sum(Sum((Lit(value, False),), True, value))
            if "[$(" in value or "[`" in value:
                f.hidden_code(value, "[[ evaluates a subscript")
    return NOTHING


def _if(f: Follower, command: If) -> Output:
    shell = f.shell
    printed = []
    after: list[Shell] = []
    since = len(shell.journal)
    for condition, body in command.arms:
        f.script(condition)
        before = shell.copy()
        printed.append(f.script(body))
        after.append(shell.copy())
        shell.become(before)
    if command.orelse is not None:
        printed.append(f.script(command.orelse))
    for other in after:
        shell.merge(other, since)
    return either(printed)


def _case(f: Follower, command: Case) -> Output:
    expander = Expander(f)
    f.word_span = (command.subject.start, command.subject.end)
    expander.visit(command.subject)
    printed = []
    shell = f.shell
    for patterns, body in command.arms:
        for pattern in patterns:
            expander.visit(pattern)
        before = shell.copy()
        printed.append(f.script(body))
        shell.merge(before)
    return either(printed)


def _while(f: Follower, command: While) -> Output:
    outer, f.read_names = f.read_names, []
    f.script(command.condition)
    output = _loop(f, lambda: concatenated([f.script(command.body), f.script(command.condition)]))
    for name in f.read_names:  # the `read` that ends the loop leaves nothing
        f.shell.set(name, *dict.fromkeys((*f.shell.lookup(name), "")))
    f.read_names = outer
    return output


def _for(f: Follower, command: For) -> Output:
    values: list[Choice]
    if command.words is None:
        known = f.shell.positionals
        fields = [Field("$@", hole("$@"), wild=True)] if known is None else list(known)
    else:
        expander = Expander(f)
        if command.words:
            f.word_span = (command.words[0].start, command.words[-1].end)
        fields = expander.fields(command.words)
    values = [_element(field, command.name) for field in fields]
    values = list(dict.fromkeys(values)) or [None]
    f.shell.set(command.name, *values)
    return _loop(f, lambda: f.script(command.body))


def _element(field: Field, name: str) -> Choice:
    """Return what a loop variable is for one word of its list."""
    if field.glob or field.wild:
        one = field.glob and not field.wild
        return hole("$" + name, one=one)
    return field.value


def _loop(f: Follower, follow: Callable[[], Output]) -> Output:
    """Follow a body that may run any number of times."""
    shell = f.shell
    before = shell.copy()
    since = len(shell.journal)
    follow()
    if shell.version != before.version and not f.frame.file:
        # The second round sees what the first left behind.
        shell.merge(before)
        once = {name: shell.lookup(name) for name in shell.journal[since:][:MAX_WIDENED]}
        follow()
        for name, choices in once.items():
            if _grows(choices, shell.lookup(name)):
                shell.set(name, hole("$" + name))  # `y+=$x`: nobody knows after which round
        shell.merge(before)
    return UNKNOWN


def _grows(before: tuple[Choice, ...], after: tuple[Choice, ...]) -> bool:
    """Whether every round of a loop puts more in front of or behind what a variable held."""
    held = [choice for choice in before if isinstance(choice, str) and choice]
    return any(
        isinstance(choice, str) and choice not in before and any(old in choice for old in held)
        for choice in after
    )
