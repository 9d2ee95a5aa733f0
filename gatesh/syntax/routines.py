"""Functions and aliases: a name that stands for other commands."""

from __future__ import annotations

import shlex
from dataclasses import replace

from gatesh.syntax import findings
from gatesh.syntax.call import Call
from gatesh.syntax.state import Routine
from gatesh.syntax.values import Output

# A function is followed with the arguments of so many calls, then once with any.
MAX_CALLS = 24
MAX_CALLS_IN_FILES = 2


def call_function(call: Call, routines: tuple[Routine, ...]) -> Output:
    """Follow the body of a function with the arguments of this call."""
    f = call.f
    shell = f.shell
    key = (call.name, (id(routines[-1].body), *((field.text, field.wild) for field in call.rest)))
    if key in f.calls:
        return Output()  # the same call inside itself shows nothing new
    if sum(name == call.name for name, _ in f.calls) > 3:
        f.finding(findings.OPAQUE, call.span, f"{call.name} calls itself with other arguments")
        return Output()
    f.calls.append(key)
    positionals, shell.positionals = shell.positionals, tuple(call.rest)
    outputs = []
    for routine in routines:
        routine.calls += 1
        limit = MAX_CALLS_IN_FILES if f.frame.file else MAX_CALLS
        if routine.calls > limit + 1:
            continue
        if routine.calls > limit:
            shell.positionals = None  # stands for every call from here on
        frame = f.frame_inside(f"function {call.name}", call.span)
        if not routine.inner:
            frame = replace(frame, fixed=None)
        with f.deeper(frame):
            outputs.append(f.command(routine.body))
    f.shell.positionals = positionals
    f.calls.pop()
    f.leaving = False
    return outputs[0] if len(outputs) == 1 else Output()


def call_alias(call: Call, value: str) -> None:
    """Follow what an alias puts in the place of its name."""
    f = call.f
    shell = f.shell
    f.shell = shell.copy()
    f.shell.aliases.pop(call.fields[0].text, None)
    words = [shlex.quote(x.text) if x.known and not x.glob else x.text for x in call.rest]
    f.text(" ".join([value, *words]), f.frame_inside(f"alias {call.name}", call.span), call.span)
    f.shell = shell
