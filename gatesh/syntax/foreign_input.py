"""Code in other languages that runs what it is given: its arguments, its standard input."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.syntax.code import nested, run_output
from gatesh.syntax.unwrap import inner

if TYPE_CHECKING:
    from gatesh.syntax.call import Call
    from gatesh.syntax.values import Field

_RUNS = (
    r"\b(?:exec\w*|system|spawn\w*|popen\w*|run|call|Popen|check_\w+|execute|getoutput|passthru"
    r"|shell_exec)\b"
)
_ARGUMENTS = re.compile(
    _RUNS + r"[^;\n]{0,80}?(?:\bARGV\b|\$argv\b|\bsys\.argv|process\.argv|\barg\[)"
)
_INPUT = re.compile(
    _RUNS
    + r"\W{0,4}(?:[\w.]{1,20}\()?(?:sys\.stdin|\bSTDIN\b|input\(|\$_(?!\w)|<STDIN>|<>|\bgets\b|\$<"
    r"|\bARGF\b|[\w.()\"']{0,30}readFileSync\(\s*(?:0|[\"']/dev/stdin))"
)


def look(call: Call, code: str, operands: list[Field]) -> None:
    """Follow what *code* runs of the words after it and of what it reads."""
    f = call.f
    if operands and _ARGUMENTS.search(code[:20_000]) is not None:
        if len(operands) == 1:
            nested(call, operands[0], call.name)
        else:
            inner(call, operands, call.name)
    if f.stdin is not None and _INPUT.search(code[:20_000]) is not None:
        run_output(f, f.stdin, call.name, call.span)
