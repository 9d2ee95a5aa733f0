"""Other languages: inline code, code on standard input, script files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from gatesh.model import Kind
from gatesh.syntax import findings, foreign_code, foreign_input, paths
from gatesh.syntax.call import DESCRIPTOR, Call, descriptor, located, plain_path
from gatesh.syntax.code import read_code
from gatesh.syntax.origins import DECODER, NETWORK
from gatesh.syntax.tables_interpreters import FRONTS, INTERPRETERS, SAME_AS
from gatesh.syntax.values import Field, Output, holes, render
from gatesh.syntax.wrappers import Options, options_of

_VERSIONED = re.compile(
    r"(python|pypy|perl|ruby|lua|php|node|tclsh|guile|gcc|pwsh)-?[0-9][0-9.]*[a-z]?"
)


# Read commands from standard input whatever their operands, and mostly data.
_DATA_TOO = frozenset(
    "psql mysql sqlite3 mongosh mongo duckdb cqlsh clickhouse-client sqlcmd bc dc ed gdb".split()
)


@dataclass(frozen=True, slots=True)
class Spec:
    """How one interpreter is called."""

    name: str
    options: Options
    code: frozenset[str]
    flags: frozenset[str]


@cache
def _specs() -> dict[str, Spec]:
    made = {}
    for line in INTERPRETERS.splitlines():
        if not line:
            continue
        name, short, long, code, flags = (part.strip() for part in line.split(" :", 4))
        made[name] = Spec(
            name,
            Options(
                frozenset(short.lstrip(": ").split()),
                frozenset(long.lstrip(": ").split()),
                rest=frozenset(flags.partition("rest=")[2]),
            ),
            frozenset(code.lstrip(": ").split()),
            frozenset(flags.lstrip(": ").split()),
        )
    return made


@cache
def spec(name: str) -> Spec | None:
    """Return how the interpreter *name* is called, None if it is none."""
    found = _specs().get(SAME_AS.get(name, name))
    if found is None and (versioned := _VERSIONED.fullmatch(name)) is not None:
        found = _specs().get(versioned[1])
    return found


def run(call: Call) -> Output | None:
    """Note the code that an interpreter would run."""
    how = spec(call.name)
    assert how is not None
    fields = call.fields
    options, operands = _arguments(call, 1, how.options, mixed="mixed" in how.flags)
    codes = [value for name, value in options if name in how.code and value is not None]
    codes += [
        fields[at + 1]
        for at in range(1, len(fields) - 1)
        if fields[at].text in how.code and fields[at].text[:2] != "--" and len(fields[at].text) > 2
    ]
    for code in {id(value): value for value in codes}.values():
        _code(call, how, code)
        if how.name not in _DATA_TOO:
            foreign_input.look(call, code.text, operands)
    _in_place(call, how, options, operands, bool(codes))
    for name, value in options:
        if name in ("-f", "--file") and how.name in _SCRIPT_OPTION and value is not None:
            _file(call, how, value)
    if codes or _module(call, how, options, operands):
        return None
    if "none" in how.flags:
        return None
    given = {name for name, _ in options}
    if "first" in how.flags and operands and not given & {"-f", "--file"}:
        _code(call, how, operands[0])
        return None
    if "second" in how.flags and len(operands) > 1:
        _code(call, how, operands[1])
        return None
    if operands and operands[0].text == "eval" and "eval" in how.code:
        rest = [f for f in operands[1:] if f.text[:1] != "-"]
        if rest:
            _code(call, how, rest[0])
        return None
    if operands and operands[0].text == "run" and how.name in ("deno", "bun"):
        operands = [f for f in operands[1:] if f.text[:1] != "-" or f.text == "-"]
    if given & {"-V", "--version", "-v", "-h", "--help"} and not operands and how.name != "psql":
        return None
    if "stdin" in how.flags and not given & {"-f", "--file"}:
        if not operands or operands[0].text == "-" or how.name in _DATA_TOO:
            _stdin(call, how)
        else:
            _file(call, how, operands[0])
            front(call, operands)
    return None


def _in_place(
    call: Call,
    how: Spec,
    options: list[tuple[str, Field | None]],
    operands: list[Field],
    code: bool,
) -> None:
    """`perl -i` and `awk -i inplace` write the files they read."""
    edits = any(
        name == "-i" and (how.name in ("perl", "ruby") or (value and value.text == "inplace"))
        for name, value in options
    )
    if edits and how.name in ("perl", "ruby", "awk"):
        for field in operands if code else operands[1:]:
            for path in located(call.f, field.text):
                call.f.add(Kind.WRITE, path, call.span_of([field]))


# `-f` of these names a file of code.
_SCRIPT_OPTION = frozenset({"awk", "sed", "php", "dc"})


def _arguments(
    call: Call, at: int, options: Options, *, mixed: bool
) -> tuple[list[tuple[str, Field | None]], list[Field]]:
    """Return options and operands; *mixed* options may follow operands."""
    found = options_of(call.fields, at, options)
    if not mixed:
        return found.options, call.fields[found.first :]
    seen, operands = list(found.options), []
    while found.first < len(call.fields):
        operands.append(call.fields[found.first])
        found = options_of(call.fields, found.first + 1, options)
        seen += found.options
    return seen, operands


@cache
def fronts() -> dict[str, dict[str, Spec]]:
    """Return the programs whose subcommand takes code, by program and subcommand."""
    made: dict[str, dict[str, Spec]] = {}
    for line in FRONTS.splitlines():
        if line:
            words, language, short, long, code, flags = (
                part.lstrip(": ").split() for part in line.split(" :", 5)
            )
            options = Options(frozenset(short), frozenset(long))
            spec = Spec(language[0], options, frozenset(code), frozenset(flags))
            made.setdefault(words[0], {})[words[1]] = spec
    return made


def front(call: Call, fields: list[Field]) -> None:
    """Note the code that a subcommand is given (`rails runner CODE`, `manage.py shell -c CODE`)."""
    known = fronts().get(paths.name_of(fields[0].text))
    if known is None or len(fields) < 2 or (how := known.get(fields[1].text)) is None:
        return
    inner = Call(call.f, fields, call.name, call.span, call.text)
    options, operands = _arguments(inner, 2, how.options, mixed=True)
    codes = [value for name, value in options if name in how.code and value is not None]
    if not codes and "first" in how.flags:
        codes = operands[:1]
    for code in codes:
        _code(call, how, code)
    if not codes and "stdin" in how.flags:
        _stdin(call, how)
    if "file" in how.flags and operands:
        _file(call, how, operands[0])


def run_front(call: Call) -> Output | None:
    """Like `run`, for programs that are no interpreters themselves."""
    front(call, call.fields)
    return None


def _module(
    call: Call, how: Spec, options: list[tuple[str, Field | None]], operands: list[Field]
) -> bool:
    """Whether `-m module` runs instead of code; some modules are given code."""
    name = next((value.text for name, value in options if name == "-m" and value is not None), "")
    if not name or how.name not in ("python", "ipython"):
        return name != ""
    if name in ("timeit", "cProfile", "trace", "pdb", "IPython"):
        for at, field in enumerate(operands):
            takes = at > 0 and operands[at - 1].text in ("-s", "-c", "--setup")
            if takes or (name == "timeit" and field.text[:1] != "-"):
                _code(call, how, field)
    return True


def _code(call: Call, how: Spec, code: Field) -> None:
    f = call.f
    span = call.span_of([code])
    if how.name in ("awk", "sed"):
        foreign_code.little(call, how.name, code, span)
        return
    f.add(Kind.CODE, code.text, span, program=call.name)
    if not code.text and how.name in ("python", "node", "php"):  # `perl -pe ''` is an idiom
        f.finding(findings.DYNAMIC_CODE, span, f"{call.name} is given code that is empty now")
    for hole in holes(code.value):
        origin = hole.source.origin if hole.source else frozenset()
        if NETWORK in origin:
            f.finding(
                findings.CODE_FROM_DATA, span, f"{call.name} runs what comes from the network"
            )
        elif DECODER in origin:
            f.finding(findings.DECODED_CODE, span, f"{call.name} runs what a decoder prints")
        elif hole.text == code.text and not hole.one:
            f.finding(findings.DYNAMIC_CODE, span, f"{call.name} runs {hole.text}")
    foreign_code.look(call, how.name, code.text, span)


def _stdin(call: Call, how: Spec) -> None:
    f = call.f
    stdin = f.stdin
    if stdin is None:
        return
    span = call.span
    text = stdin.text
    if text is None and stdin.file is not None:
        text = read_code(f, stdin.file, span)
    if DECODER in stdin.origin and how.name not in _DATA_TOO:
        f.finding(findings.DECODED_CODE, span, f"{call.name} runs what a decoder prints")
    if text is not None:
        _text(call, how, render(text), span)
    elif NETWORK in stdin.origin and how.name not in ("bc", "dc"):
        f.finding(findings.CODE_FROM_DATA, span, f"{call.name} runs what comes from the network")


def _text(call: Call, how: Spec, text: str, span: tuple[int, int]) -> None:
    """Note *text*, a whole program."""
    text = text.replace("\0", "")
    if how.name in ("awk", "sed"):
        foreign_code.little(call, how.name, Field(text, text), span)
        return
    call.f.add(Kind.CODE, text, span, program=call.name)
    foreign_code.look(call, how.name, text, span)


def _file(call: Call, how: Spec, field: Field) -> None:
    f = call.f
    span = call.span_of([field])
    for hole in holes(field.value):
        if hole.text[:2] == "<(" and hole.source is not None:
            outer, f.stdin = f.stdin, hole.source
            _stdin(call, how)
            f.stdin = outer
            return
    if field.glob or holes(field.value):
        written = f.shell.files.get(field.text)
        if written is None:
            return
    place = "/dev/fd/0" if field.text == "-" else plain_path(field.text)
    if (number := DESCRIPTOR.fullmatch(place)) is not None:
        outer, f.stdin = f.stdin, descriptor(f, number[1])
        _stdin(call, how)
        f.stdin = outer
        return
    for path in located(f, field.text):
        written = f.shell.files.get(path)
        if written is not None and written.file is None:
            if written.text is not None:
                _text(call, how, render(written.text), span)
            elif NETWORK in written.origin:
                f.finding(findings.CODE_FROM_DATA, span, f"{path} is fetched by this line and run")
            elif DECODER in written.origin:
                f.finding(findings.DECODED_CODE, span, f"{path} is decoded by this line and run")
            return
        source = written.file if written is not None and written.file is not None else path
        if not source.startswith("/"):
            continue
        if how.name in ("awk", "sed"):
            content = read_code(f, source, span, quiet=True)
            if content is not None:
                _text(call, how, content, span)
        else:
            _pin(call, source, span)


def _pin(call: Call, path: str, span: tuple[int, int]) -> None:
    """Remember the bytes of a script that is not followed: it must not change before it runs."""
    from gatesh.document import sha256
    from gatesh.model import CodeFile

    f = call.f
    try:
        data = f.read(path)
    except OSError:
        return
    if data is not None:
        f.collector.files[path] = CodeFile(path, sha256(data), len(data))
