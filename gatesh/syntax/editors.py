"""Editors that run commands: vim and its kin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import foreign_code
from gatesh.syntax.call import file_output
from gatesh.syntax.code import nested_text
from gatesh.syntax.values import Output, render

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

_TAKES_CODE = re.compile(r"-[A-Za-z]*c|--cmd")
_TAKES_FILE = re.compile(r"-[A-Za-z]*[Sus]|-l")
_LEADING = re.compile(
    r"\s*(?::|\s|(?:sil\w*|verb\w*|bufdo|windo|tabdo|argdo|cdo|ldo|norm\w*|exe\w*|call|redir|g/.*?/"
    r"|vert\w*|top\w*|bot\w*)!?\s+)*[\"']?:*"
)
_BANG = re.compile(r"[%0-9,.$'<>]*\s*(?:r\w*\s+|w\w*\s+)?!+\s*(.+)", re.DOTALL)
_TERMINAL = re.compile(r"(?:te|term|terminal)!?\s+(?:\+\+\S+\s+)*(.+)")
_OTHER = re.compile(
    r"\b(?:system(?:list)?|job_?start|term_?start|termopen|execute|py3?|python3?|pyx|lua|perl|ruby)\b"
)


def editor(call: Call) -> Output | None:
    """`vim -c '!cmd'`, `+'!cmd'`, `--cmd`, scripts given with -S and -u."""
    f, fields = call.f, call.fields
    for at, field in enumerate(fields[1:], 1):
        text = field.text
        following = fields[at + 1] if at + 1 < len(fields) else None
        span = call.span_of([field])
        if text[:1] == "+" and len(text) > 1:
            _ex(call, text[1:], span)
        elif following is not None and _TAKES_CODE.fullmatch(text):
            _ex(call, following.text, span)
        elif text[:2] == "-c" and len(text) > 2:
            _ex(call, text[2:], span)
        elif following is not None and _TAKES_FILE.fullmatch(text):
            content = file_output(f, following.value).text
            if content is not None:
                _ex(call, render(content), span)
    if f.stdin is not None and isinstance(f.stdin.text, str) and call.name in ("ex", "vim", "vi"):
        _ex(call, f.stdin.text, call.span)
    return None


def _ex(call: Call, code: str, span: tuple[int, int]) -> None:
    """Follow the shell commands in lines of an editor's own language."""
    for line in re.split(r"\n|(?<!\\)(?<!\|)\|(?!\|)", code)[:200]:
        leading = _LEADING.match(line)
        rest = line[leading.end() :] if leading is not None else line
        found = _BANG.match(rest) or _TERMINAL.match(rest)
        if found is not None:
            quoted = "exe" in line[: len(line) - len(rest)]
            nested_text(
                call, found[1].rstrip("\"'") if quoted else found[1], span, f"{call.name} !"
            )
        elif _OTHER.search(line):
            call.f.add(Kind.CODE, line.strip(), span, program=call.name)
            foreign_code.look(call, "vim", line, span)
