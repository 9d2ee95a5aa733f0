"""Files of recipes that the line itself writes: makefiles, package.json."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.call import file_output, located
from gatesh.syntax.code import nested_text
from gatesh.syntax.origins import NETWORK
from gatesh.syntax.values import Field, Output, render
from gatesh.syntax.wrappers import Options, options_of

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

MAX_LINES = 200  # of a makefile that are followed

_MAKE = Options(
    frozenset("CEfIoW"),
    frozenset("directory file makefile eval include-dir old-file what-if".split()),
    rest=frozenset("jlO"),
)
_NAMES = ("GNUmakefile", "makefile", "Makefile", "BSDmakefile")
_CODE = re.compile(
    r"\$[({]shell\s++([^)}]{0,2000})[)}]|(?:^|\n)\t[@+-]*+([^\n]+)|:[^\n;=:]*+;[ \t]*+([^\n]+)"
    r"|!=[ \t]*+([^\n]+)"
)
_SCRIPTS = re.compile(r'"scripts"\s*+:\s*+\{([^{}]*+)\}')
_SCRIPT = re.compile(r'"([^"\\]+)"\s*:\s*"((?:[^"\\]|\\.)*)"')


def make(call: Call) -> Output | None:
    """`--eval`, `SHELL=`, makefiles that the line brings along."""
    f = call.f
    fields = call.fields
    files: list[Field] = []
    folder = ""
    at = 1
    while at < len(fields):
        found = options_of(fields, at, _MAKE)
        for name, value in found.options:
            if value is None:
                continue
            if name in ("--eval", "-E"):
                _makefile(call, value.text, call.span_of([value]))
            elif name in ("-f", "--file", "--makefile"):
                files.append(value)
            elif name in ("-C", "--directory"):
                folder = f"{folder}{value.text.rstrip('/')}/"
        if found.first < len(fields):
            field = fields[found.first]
            if re.match(r"(?:SHELL|\.SHELLFLAGS|MAKEFLAGS)=", field.text):
                why = f"make runs its recipes with {field.text}"
                f.finding(findings.CODE_IN_ENV, call.span_of([field]), why)
        at = found.first + 1
    for field in files:
        known = field.text == "-" or not folder
        content = (f.stdin or Output("")) if field.text == "-" else _content(call, field, folder)
        if known or content.text is not None:
            _file(call, content)
    if not files:
        for name in _NAMES:
            for path in located(f, folder + name):
                _file(call, f.shell.files.get(path, Output("")))
    return None


def _content(call: Call, field: Field, folder: str) -> Output:
    if folder and field.known:
        return call.f.shell.files.get(located(call.f, folder + field.text)[0], Output(""))
    return file_output(call.f, field.value)


def _file(call: Call, content: Output) -> None:
    """Follow a makefile of which something is known; others are read by people."""
    if content.text is not None:
        if content.text:
            _makefile(call, render(content.text), call.span)
    elif NETWORK in content.origin:
        why = f"{call.name} runs rules that come from the network"
        call.f.finding(findings.CODE_FROM_DATA, call.span, why)
    elif content.file is None:
        call.f.finding(findings.DYNAMIC_CODE, call.span, "make reads rules that are not known")


def _makefile(call: Call, text: str, span: tuple[int, int]) -> None:
    text = text.replace("\0", "")
    call.f.add(Kind.CODE, text, span, program="make")
    for number, found in enumerate(_CODE.finditer(text)):
        code = next((group for group in found.groups() if group), "").replace("$$", "$")
        if number == MAX_LINES:
            call.f.finding(findings.OPAQUE, span, "make has more recipes than are followed")
            return
        if code:
            nested_text(call, re.sub(r"\$[({]shell\s+", "$(", code), span, "make")


def package(call: Call) -> Output | None:
    """`npm run x`: the scripts of a package.json that the line itself has written."""
    f = call.f
    verbs = {field.text for field in call.rest[:3]}
    starts = "run run-script test start stop restart install i ci t exec".split()
    if not verbs.intersection(starts) and call.name not in ("yarn", "pnpm", "bun"):
        return None
    file = "composer.json" if call.name == "composer" else "package.json"
    for path in located(f, file):
        written = f.shell.files.get(path)
        text = render(written.text) if written is not None and written.text is not None else ""
        for scripts in _SCRIPTS.finditer(text[:100_000]):
            for script in _SCRIPT.finditer(scripts[1]):
                code = script[2].replace('\\"', '"')
                nested_text(call, code, call.span, f"{call.name} run {script[1]}")
    return None
