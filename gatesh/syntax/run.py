"""One command with its words known: what it is, and who must look inside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import effects, findings, lookalikes, paths, tables, unlisted
from gatesh.syntax.call import (
    DESCRIPTOR,
    Call,
    descriptor,
    itself,
    located,
    origins_of,
    plain_path,
    program_name,
)
from gatesh.syntax.dispatch import find
from gatesh.syntax.files import program_file
from gatesh.syntax.origins import DECODER, NETWORK
from gatesh.syntax.routines import call_alias, call_function
from gatesh.syntax.spelling import spellings
from gatesh.syntax.values import Choice, Field, Output
from gatesh.syntax.wrappers import table

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

_SPECIAL_BUILTINS = frozenset(
    ": . break continue eval exec exit export readonly return set shift source times trap"
    " unset".split()
)
_SYSTEM_DIRECTORY = re.compile(r"/(?:usr/(?:local/)?)?s?bin/|/usr/lib/|/lib(?:64)?/|/opt/|/snap/")


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
        # `A=1 eval …` leaves A behind where special builtins are POSIX's.
        stays = shell.posix and fields[0].text in _SPECIAL_BUILTINS
        for name, choices, exported in before:
            _restore(shell.exported, name, exported)
            if stays:
                shell.set(name, *dict.fromkeys((*shell.vars[name], *(choices or (None,)))))
            else:
                _restore(shell.vars, name, choices)


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
    plain = lookalikes.meant(name)
    if plain is not None:
        f.finding(findings.OPAQUE, span, f"{name!a} looks like {plain} and is not")
        f.add(Kind.COMMAND, plain + text[len(name) :], span, program=plain)
    f.add(Kind.COMMAND, text, span, also=spellings(call), program=program)
    f.last_text = (text, text)
    routines = f.shell.functions.get(program)
    if routines:
        return call_function(call, routines)
    alias = f.shell.aliases.get(program)
    if alias is not None:
        call_alias(call, alias)
    known = find(name)
    f.unwrapped = ""
    if "/" in program or f.shell.renamed:
        behind = _behind(call, program)
        if behind is not None:
            return behind
    if known is None:
        unlisted.look(call)
    output = known(call) if known is not None else effects.ordinary(call)
    f.last_text = (text, f.unwrapped or text)
    f.unwrapped = ""
    return output


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


def _content(f: Follower, path: str) -> str | None:
    """Return which program's bytes are behind *path*: `exec 3</bin/rm`, `cat /bin/rm >x`."""
    number = DESCRIPTOR.fullmatch(path)
    output = descriptor(f, number[1]) if number is not None else f.shell.files.get(path)
    if output is None or output.text is not None or output.file is None:
        return None
    return paths.name_of(output.file) if _SYSTEM_DIRECTORY.match(output.file) else None


def _installed(f: Follower, name: str) -> str | None:
    """Return which known program the line has put somewhere under *name*."""
    for path, real in f.shell.renamed.items():
        known = real in tables.SHADOWED or real in tables.SHELLS or real in table()
        if known and path.endswith("/" + name) and real.rstrip("0123456789.") != name:
            return real
    return None


def _behind(call: Call, program: str) -> Output | None:
    """Follow a program that is another one in disguise, or a script."""
    f = call.f
    shell = f.shell
    number = DESCRIPTOR.fullmatch(plain_path(program))
    if number is not None and _content(f, number[0]) is None:
        f.finding(findings.DYNAMIC_PROGRAM, call.span, f"{program} is whatever was opened there")
    if itself(program):
        return _command(f, [Field("bash", "bash"), *call.rest], call.span)
    for path in (program, *located(f, program)) if "/" in program else (program,):
        real = shell.renamed.get(path) or _content(f, path)
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
    if "/" not in program and (real := _installed(f, program)) is not None:
        return _command(f, [Field(real, real), *call.rest], call.span)
    if "/" not in program or _SYSTEM_DIRECTORY.match(program):
        return None
    program_file(call, program)
    return None
