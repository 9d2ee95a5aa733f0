"""Programs that run the program named after them: options off, and look again."""

from __future__ import annotations

import re

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.call import Call, code_field, program_name
from gatesh.syntax.code import from_stdin, nested
from gatesh.syntax.environment import assigned
from gatesh.syntax.spelling import bare_fields
from gatesh.syntax.values import Choice, Field, Output, join, pieces
from gatesh.syntax.wrappers import Wrapper, options_of, table

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def inner(
    call: Call,
    fields: list[Field],
    label: str,
    *,
    foreign: bool = False,
    temporary: list[tuple[str, Choice]] | None = None,
) -> Output:
    """Follow *fields* as the command that *label* runs."""
    f = call.f
    if not fields:
        return Output()
    outer = f.shell
    if foreign:
        f.shell = outer.child(foreign=True)
    span = call.span_of(fields)
    with f.deeper(f.frame_inside(label, span, offsets=True)):
        output = f.run(fields, span, temporary)
    f.shell = outer
    f.unwrapped = f.last_text[1]
    return output


def wrapper_of(call: Call) -> tuple[Wrapper, list[Field]] | None:
    """Return the table's line for this call, and its fields without global options."""
    found = table()[call.name]
    fields = bare_fields(call.name, call.fields)
    subcommand = fields[1].text if len(fields) > 1 else ""
    for wrapper in (*found.get(subcommand, ()), *(found.get("", ()) if subcommand else ())):
        rest = wrapper.words[2:]
        if not rest or tuple(field.text for field in fields[2 : 2 + len(rest)]) == rest:
            return wrapper, fields
    return None


def unwrap(call: Call, wrapper: Wrapper, fields: list[Field]) -> Output | None:
    """Follow what the wrapper runs; None when it runs nothing of its operands."""
    label = " ".join([call.name, *wrapper.words[1:]])
    if call.name in ("su", "runuser"):
        fields = [field for field in fields if field.text != "-"]
    found = options_of(fields, len(wrapper.words), wrapper.options)
    seen, first = list(found.options), found.first
    for _ in range(wrapper.skip):
        first += 1
        if wrapper.mixed:  # `su root -c cmd`: options may follow the operands that are skipped
            found = options_of(fields, first, wrapper.options)
            seen, first = seen + found.options, found.first
    if wrapper.skip and first < len(fields) and fields[first].text == "--":
        first += 1
    while wrapper.options_only and first < len(fields):
        found = options_of(fields, first + 1, wrapper.options)
        seen, first = seen + found.options, max(found.first, first + 1)
    program: Field | None = None
    for name, value in seen:
        if name in wrapper.drop:
            return None
        if value is not None and value.text and name in wrapper.code:
            nested(call, value, f"{label} {name}", foreign=wrapper.foreign)
        if value is not None and value.text and name in wrapper.program:
            program = value
    if wrapper.options_only:
        return None
    if wrapper.code & {name for name, value in seen if value is not None} and not wrapper.each:
        return Output()
    if wrapper.after:
        after = [at for at, field in enumerate(fields) if field.text in wrapper.after]
        if not after:
            return (
                _without(call, wrapper, label) if program is None else inner(call, [program], label)
            )
        first = after[0] + 1
    rest = fields[first:]
    temporary: list[tuple[str, Choice]] = []
    while wrapper.assigns and rest and _ASSIGNMENT.match(rest[0].text):
        temporary.append(environment(call, rest[0]))
        rest = rest[1:]
    if program is not None:
        rest = [program, *rest]
    if wrapper.python and rest and (rest[0].text == "-" or rest[0].text.endswith(".py")):
        rest = [Field("python", "python"), *rest]
    if wrapper.bash:
        rest = [Field("bash", "bash"), *rest]
    if not rest:
        return _without(call, wrapper, label)
    if wrapper.each:
        for field in rest:
            nested(call, field, label, foreign=wrapper.foreign)
        return Output()
    if wrapper.image and program is None and rest[0].text[:1] == "-":
        return Output()  # for the program that the image starts
    if rest[0].text[:1] == "-" and len(rest[0].text) > 1:
        # An option the table does not know: what follows it may be its value or the program.
        call.f.finding(findings.DYNAMIC_PROGRAM, call.span_of(rest), f"{label} {rest[0].text} …")
    _either_way(call, wrapper, seen, rest, label)
    if wrapper.joined:
        return nested(call, code_field(rest), label, foreign=wrapper.foreign)
    return inner(call, rest, label, foreign=wrapper.foreign, temporary=temporary)


def _either_way(
    call: Call,
    wrapper: Wrapper,
    seen: list[tuple[str, Field | None]],
    rest: list[Field],
    label: str,
) -> None:
    """Name the second word too, where the first may be the value of an option nobody knows."""
    unknown = seen and seen[-1][0].startswith("--") and seen[-1][1] is None and not wrapper.skip
    if unknown and len(rest) > 1 and rest[1].text[:1] != "-":
        name = program_name(rest[1])
        if name is not None:
            text = " ".join([name, *[field.text for field in rest[2:]]])
            with call.f.deeper(call.f.frame_inside(label, call.span, offsets=True)):
                call.f.add(Kind.COMMAND, text, call.span_of(rest[1:]), program=rest[1].text)


def _without(call: Call, wrapper: Wrapper, label: str) -> Output | None:
    """A wrapper without a program: some start a shell, which reads standard input."""
    if wrapper.asks or (call.name in ("sudo", "su", "doas", "nsenter", "chroot", "unshare")):
        return from_stdin(call, label, [])
    return None


def environment(call: Call, field: Field) -> tuple[str, Choice]:
    """Note `NAME=value` in front of a wrapped command."""
    f = call.f
    name = field.text.partition("=")[0]
    made = list(pieces(field.value))
    assert isinstance(made[0], str)
    made[0] = made[0][len(name) + 1 :]
    value = join(made)
    span = call.span_of([field])
    f.add(Kind.ENV, field.text, span)
    assigned(f, name, value, span)
    return name, value
