"""Shells in every form they can be called, `eval` and `source`."""

from __future__ import annotations

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.call import Call, code_field
from gatesh.syntax.code import from_stdin, nested, run_code
from gatesh.syntax.files import script_file, source_file
from gatesh.syntax.values import Field, Output
from gatesh.syntax.wrappers import Options, options_of

_OPTIONS = Options(frozenset("oO"), frozenset({"rcfile", "init-file", "emulate"}))
_FISH = Options(frozenset("cCdDf"), frozenset({"command", "init-command", "debug", "features"}))


def shell(call: Call) -> Output:
    """Follow `bash …` in every form it can be called."""
    if call.name in ("fish", "xonsh", "elvish", "nu"):
        return _other_shell(call)
    fields = call.fields
    at, letters, stdin = 1, "", False
    while at < len(fields):
        text = fields[at].text
        if text in ("-", "--"):
            at += 1
            break
        if text[:2] == "--":
            name = text[2:].partition("=")[0]
            if name in ("rcfile", "init-file") and at + 1 < len(fields):
                at += 1
                _interactive_file(call, fields[at])
            elif name in ("version", "help"):
                return Output()
            at += 1
            continue
        if len(text) < 2 or text[0] not in "-+":
            break
        if fields[at].wild or (not fields[at].known and text[0] != "-"):
            break
        letters += text[1:] if text[0] == "-" else ""
        at += 1 + sum(letter in "oO" for letter in text[1:])
    stdin = "s" in letters
    label = " ".join([call.name, *[x.text for x in fields[1:at] if x.text[:1] == "-"]])
    rest = fields[at:]
    if "n" in letters and "i" not in letters and not any(x.text[:1] == "+" for x in fields[:at]):
        return Output()  # reads, and runs nothing
    if "c" in letters:
        if not rest:
            return Output()
        if rest[0].text == "" and not rest[1:]:
            why = f"{label} is given code that is empty now"
            call.f.finding(findings.DYNAMIC_CODE, call.span, why)
        return nested(call, rest[0], label, zero=rest[1:2], positionals=rest[2:])
    if rest and not stdin:
        return script_file(call, rest[0], rest[1:], label)
    return from_stdin(call, label, rest)


def _other_shell(call: Call) -> Output:
    found = options_of(call.fields, 1, _FISH)
    for name, value in found.options:
        if name in ("-c", "-C", "--command", "--init-command") and value is not None:
            call.f.add(Kind.CODE, value.text, call.span, program=call.name)
            nested(call, value, f"{call.name} -c")
            return Output()
    if found.first < len(call.fields):
        return Output()
    return from_stdin(call, call.name, [])


def _interactive_file(call: Call, field: Field) -> None:
    if field.text not in ("/dev/null", ""):
        source_file(call, field, f"{call.name} --rcfile", apart=True)


def eval_(call: Call) -> Output:
    """Follow `eval words`."""
    rest = call.rest
    if rest and rest[0].text == "--":
        rest = rest[1:]
    if not any(field.text for field in rest):
        call.f.finding(findings.DYNAMIC_CODE, call.span, "eval is given code that is empty now")
        return Output()
    code = code_field(rest)
    span = call.span_of(rest)
    return run_code(call.f, code.value, call.f.frame_inside("eval", span), span)


def source(call: Call) -> Output:
    """Follow `source FILE args`."""
    rest = call.rest
    if rest and rest[0].text == "--":
        rest = rest[1:]
    if not rest:
        return Output()
    shell = call.f.shell
    positionals = shell.positionals
    if rest[1:]:
        shell.positionals = tuple(rest[1:])
    source_file(call, rest[0], f"source {rest[0].text}")
    shell.positionals = positionals
    return Output()
