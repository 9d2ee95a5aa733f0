"""One command with its words known: what it is, and who must look inside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import effects, findings, paths, tables
from gatesh.syntax.nodes import Sum
from gatesh.syntax.origins import DECODER, NETWORK
from gatesh.syntax.spelling import bare_fields, spellings
from gatesh.syntax.values import (
    Array,
    Choice,
    Field,
    Hole,
    Output,
    Text,
    holes,
    pieces,
    render,
    tail,
)

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

_SYSTEM_DIRECTORY = re.compile(r"/(?:usr/(?:local/)?)?s?bin/|/usr/lib/|/lib(?:64)?/|/opt/|/snap/")


@dataclass(slots=True)
class Call:
    """One command about to run, as handlers get it."""

    f: Follower
    fields: list[Field]  # the program is the first
    name: str  # the program's name, without its path
    span: tuple[int, int]
    text: str

    @property
    def rest(self) -> list[Field]:
        """Everything after the program."""
        return self.fields[1:]

    def span_of(self, fields: list[Field]) -> tuple[int, int]:
        """Return where *fields* stand."""
        placed = [field for field in fields if field.end]
        return (placed[0].start, placed[-1].end) if placed else self.span


def command(
    f: Follower,
    fields: list[Field],
    span: tuple[int, int],
    temporary: list[tuple[str, Choice]] | None = None,
) -> Output:
    """Follow one command; return what it prints."""
    if not temporary:
        return _command(f, fields, span)
    shell = f.shell
    before = [(name, shell.vars.get(name), shell.exported.get(name)) for name, _ in temporary]
    for name, value in temporary:
        shell.vars[name] = (value,)
        shell.exported[name] = True
    try:
        return _command(f, fields, span)
    finally:
        for name, choices, exported in before:
            _restore(shell.vars, name, choices)
            _restore(shell.exported, name, exported)


def _restore(where: dict[str, object] | object, name: str, value: object) -> None:
    assert isinstance(where, dict)
    if value is None:
        where.pop(name, None)
    else:
        where[name] = value


def _command(f: Follower, fields: list[Field], span: tuple[int, int]) -> Output:
    f.collector.step()
    first = fields[0]
    name = program_name(first)
    if name is None:
        return _dynamic(f, fields, span)
    text = " ".join([name, *[field.text for field in fields[1:]]])
    call = Call(f, fields, name, span, text)
    program = first.text
    f.add(Kind.COMMAND, text, span, also=spellings(call), program=program)
    f.last_text = (text, text)
    routines = f.shell.functions.get(program)
    if routines:
        from gatesh.syntax.shells import call_function

        return call_function(call, routines)
    alias = f.shell.aliases.get(program)
    if alias is not None:
        from gatesh.syntax.shells import call_alias

        call_alias(call, alias)
    known = handler(name)
    f.unwrapped = ""
    if "/" in program or program in f.shell.renamed:
        behind = _behind(call, program)
        if behind is not None:
            return behind
    output = known(call) if known is not None else effects.ordinary(call)
    f.last_text = (text, f.unwrapped or text)
    f.unwrapped = ""
    return output


def handler(name: str) -> Callable[[Call], Output] | None:
    """Return what knows how to look inside *name*."""
    from gatesh.syntax.dispatch import find

    return find(name)


def program_name(first: Field) -> str | None:
    """Return the name of the program a field stands for; None when it cannot be known."""
    value = first.value
    if isinstance(value, str):
        if first.wild:
            return None
        if first.glob and value not in ("[", "[["):
            return None
        return value.rpartition("/")[2] or value
    if first.wild or first.glob:
        return None
    last = tail(value)
    _, slash, name = last.rpartition("/")
    return name if slash and name else None


def _dynamic(f: Follower, fields: list[Field], span: tuple[int, int]) -> Output:
    """The program's name is only known when it runs."""
    first = fields[0]
    where = (first.start, first.end) if first.end else span
    text = " ".join([field.text for field in fields])
    f.finding(findings.DYNAMIC_PROGRAM, where, f"{first.text} decides which program runs")
    origin = origins_of(first.value)
    if NETWORK in origin:
        f.finding(findings.CODE_FROM_DATA, where, f"{first.text} comes from the network")
    if DECODER in origin:
        f.finding(findings.DECODED_CODE, where, f"{first.text} is decoded when it runs")
    f.add(Kind.COMMAND, text, span, program=first.text)
    f.last_text = (text, text)
    if first.wild and len(fields) > 1 and program_name(fields[1]) is not None:
        # `$SUDO rm -rf x`: if the first word vanishes, the second is the program.
        return _command(f, fields[1:], span)
    return Output()


def _behind(call: Call, program: str) -> Output | None:
    """Follow a program that is another one in disguise, or a script."""
    from gatesh.syntax import shells

    f = call.f
    shell = f.shell
    for path in (program, *located(f, program)) if "/" in program else (program,):
        real = shell.renamed.get(path)
        if real is not None and real != call.name:
            f.finding(
                findings.SHADOWED_PROGRAM, call.span, f"{program} is {real} under another name"
            )
            f.shell = shell.copy()
            f.shell.renamed.pop(path, None)
            try:
                return _command(f, [Field(real, real), *call.rest], call.span)
            finally:
                f.shell = shell
    if "/" not in program or _SYSTEM_DIRECTORY.match(program):
        return None
    return shells.program_file(call, program)


def origins_of(value: Text) -> frozenset[str]:
    """Return where the unknown parts of *value* come from."""
    found: frozenset[str] = frozenset()
    for piece in holes(value):
        if piece.source is not None:
            found |= piece.source.origin
    return found


def located(f: Follower, path: str) -> list[str]:
    """Return *path* from every directory the line may be in; as it is where that is unknown."""
    if path.startswith("/"):
        return [paths.normal(path)]
    if path.startswith(("$", "~")) or not f.shell.cwd:
        return [path]
    return [paths.resolve(path, directory) for directory in f.shell.cwd]


def file_output(f: Follower, value: Text) -> Output:
    """Return what reading the file *value* yields."""
    for hole in pieces(value):
        if isinstance(hole, Hole) and hole.source is not None and len(pieces(value)) == 1:
            return hole.source  # < <(cmd)
    found = located(f, render(value))
    written = f.shell.files.get(found[0])
    return written if written is not None else Output(None, found[0])


def assigned(f: Follower, name: str, value: Choice, span: tuple[int, int], command: str) -> None:
    """Look at an assignment for code that other programs would run."""
    from gatesh.syntax.environment import assigned as look

    if name in tables.watched_variables() or name.startswith(("LD_", "GIT_CONFIG", "BASH_FUNC_")):
        look(f, name, "" if isinstance(value, Array) else value, span, command)


def shadowing(f: Follower, name: str, what: str, span: tuple[int, int]) -> None:
    """Note that a well-known name is given another meaning."""
    if name in tables.SHADOWED:
        f.finding(findings.SHADOWED_PROGRAM, span, f"{name} becomes {what}")


__all__ = ["Call", "Sum", "bare_fields", "command"]
