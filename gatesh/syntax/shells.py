"""Text that is run as shell code: `bash -c`, `eval`, `source`, scripts, pipes, functions."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from gatesh.document import sha256
from gatesh.model import CodeFile, Kind
from gatesh.syntax import findings, tables
from gatesh.syntax.call import Call, located
from gatesh.syntax.origins import DECODER, GENERATOR, NETWORK
from gatesh.syntax.state import Routine
from gatesh.syntax.values import Field, Hole, Output, Text, holes, join, pieces, render, tail
from gatesh.syntax.wrappers import Options, options_of

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower
# A function is followed with the arguments of so many calls, then once with any.
MAX_CALLS = 24
MAX_CALLS_IN_FILES = 2
MAX_FILE = 96_000  # a script file beyond this is recorded, not followed

_OPTIONS = Options(frozenset("oO"), frozenset({"rcfile", "init-file", "emulate"}))
_FISH = Options(frozenset("cCdDf"), frozenset({"command", "init-command", "debug", "features"}))


# ---- invocations -------------------------------------------------------------


def shell(call: Call) -> Output:
    """Follow `bash …` in every form it can be called."""
    f = call.f
    if call.name in ("fish", "xonsh", "elvish", "nu", "csh", "tcsh", "osh", "oil"):
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
    if "c" in letters:
        if not rest:
            return Output()
        return nested(call, rest[0], label, zero=rest[1:2], positionals=rest[2:])
    if rest and not stdin:
        return script_file(call, rest[0], rest[1:], label)
    return from_stdin(call, label, rest)


def _other_shell(call: Call) -> Output:
    found = options_of(call.fields, 1, _FISH)
    for name, value in found.options:
        if name in ("-c", "-C", "--command", "--init-command") and value is not None:
            call.f.add(Kind.CODE, value.text, call.span, program=call.name)
            if call.name != "fish" or not value.known:
                nested(call, value, f"{call.name} -c")
            else:
                nested(call, value, f"{call.name} -c")
            return Output()
    if found.first < len(call.fields):
        return Output()
    return from_stdin(call, call.name, [])


def _interactive_file(call: Call, field: Field) -> None:
    if field.text not in ("/dev/null", ""):
        source_file(call, field, f"{call.name} --rcfile", apart=True)


def nested(
    call: Call,
    code: Field,
    label: str,
    *,
    zero: list[Field] | None = None,
    positionals: list[Field] | None = None,
    foreign: bool = False,
) -> Output:
    """Follow *code* as a new shell would."""
    f = call.f
    outer = f.shell
    inner = outer.child(foreign=foreign)
    inner.posix = call.name in tables.MAYBE_DASH
    inner.zero = zero[0].text if zero else call.name
    inner.positionals = tuple(positionals or ())
    f.shell = inner
    span = (code.start, code.end) if code.end else call.span
    try:
        return run_code(f, code.value, f.frame_inside(label, span), span, wild=code.wild)
    finally:
        f.shell = outer


def run_code(
    f: Follower, code: Text, frame: object, span: tuple[int, int], *, wild: bool = False
) -> Output:
    """Follow *code*, saying so when parts of it cannot be known."""
    from gatesh.syntax.frames import Frame

    assert isinstance(frame, Frame)
    skipped = False
    for hole in holes(code):
        origin = hole.source.origin if hole.source else frozenset()
        if GENERATOR in origin:
            skipped = True
        elif hole.one:
            continue
        elif NETWORK in origin:
            f.finding(findings.CODE_FROM_DATA, span, f"{hole.text} comes from the network")
        elif DECODER in origin:
            f.finding(findings.DECODED_CODE, span, f"{hole.text} is decoded when it runs")
        elif hole.source is not None and hole.source.file is not None:
            content = content_of(f, hole.source, span)
            if content is not None:
                f.text(content, frame, span)
        else:
            f.finding(findings.DYNAMIC_CODE, span, f"{hole.text} is run as code")
        skipped = skipped or not hole.one
    if skipped and not any(isinstance(piece, str) for piece in pieces(code)):
        return Output()
    return f.text(render(code), frame, span)


def from_stdin(call: Call, label: str, positionals: list[Field]) -> Output:
    """Follow what a shell reads from its standard input."""
    f = call.f
    stdin = f.stdin
    if stdin is None:
        return Output()  # the caller's own input: nothing of this line
    outer = f.shell
    f.shell = outer.child()
    f.shell.posix = call.name in tables.MAYBE_DASH
    f.shell.positionals = tuple(positionals)
    f.stdin = Output()
    try:
        return run_output(f, stdin, label, call.span)
    finally:
        f.shell, f.stdin = outer, stdin


def run_output(f: Follower, output: Output, label: str, span: tuple[int, int]) -> Output:
    """Follow what a command printed as shell code."""
    origin = output.origin
    known = code_text(f, output, span)
    if DECODER in origin and not (f.frame.file and known is not None):
        f.finding(findings.DECODED_CODE, span, f"{label} runs what a decoder prints")
    if known is not None:
        return run_code(f, known, f.frame_inside(label, span), span)
    if NETWORK in origin:
        f.finding(findings.CODE_FROM_DATA, span, f"{label} runs what comes from the network")
    elif GENERATOR not in origin and DECODER not in origin and output.file is None:
        f.finding(findings.DYNAMIC_CODE, span, f"{label} runs what another program prints")
    return Output()


def code_text(f: Follower, output: Output, span: tuple[int, int]) -> Text | None:
    """Return what *output* holds, reading the file it comes from."""
    if output.text is not None:
        return output.text
    return content_of(f, output, span) if output.file is not None else None


def content_of(f: Follower, output: Output, span: tuple[int, int]) -> str | None:
    """Read the file that *output* is the content of, as code."""
    assert output.file is not None
    return read_code(f, output.file, span)


# ---- files -------------------------------------------------------------------


def read_code(f: Follower, path: str, span: tuple[int, int], *, quiet: bool = False) -> str | None:
    """Return the text of a file that would run, and remember its bytes; None if there is none."""
    if not path.startswith("/"):
        return None
    try:
        data = f.read(path)
    except OSError as problem:
        if not quiet:
            f.finding(findings.UNREAD_CODE, span, f"{path}: {problem.strerror or problem}")
        return None
    if data is None:
        return None
    f.collector.files[path] = CodeFile(path, sha256(data), len(data))
    if len(data) > MAX_FILE:
        f.add(Kind.FINDING, findings.UNSURE_FILE, span, detail=f"{path}: too large to follow")
        return None
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")


def script_file(call: Call, field: Field, positionals: list[Field], label: str) -> Output:
    """Follow `bash FILE …`."""
    f = call.f
    span = (field.start, field.end) if field.end else call.span
    if (source := _produced(field)) is not None:
        return run_output(f, source, label, span)
    if field.text in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "-"):
        return from_stdin(call, label, positionals)
    outer = f.shell
    f.shell = outer.child()
    f.shell.posix = call.name in tables.MAYBE_DASH
    f.shell.zero = field.text
    f.shell.positionals = tuple(positionals)
    try:
        for path in located(f, field.text):
            if _run_file(f, path, field, f"{call.name} {field.text}", span):
                break
    finally:
        f.shell = outer
    return Output()


def _produced(field: Field) -> Output | None:
    """Return the output behind `<(cmd)`."""
    found = holes(field.value)
    if len(found) == 1 and len(pieces(field.value)) == 1 and found[0].text[:2] == "<(":
        return found[0].source
    return None


def _run_file(f: Follower, path: str, field: Field, label: str, span: tuple[int, int]) -> bool:
    """Follow the script at *path*; whether there was anything to follow."""
    written = f.shell.files.get(path)
    if written is None and "/" not in field.text and not path.startswith("/"):
        written = f.shell.files.get(field.text)
    if written is not None and written.file is None:
        _run_written(f, written, label, span, path)
        return True
    if written is not None and written.file is not None:
        path = written.file
        if written.text is not None:
            _run_written(f, written, label, span, path)
    if field.wild or field.glob or (holes(field.value) and not _named_tail(field)):
        if not field.glob:
            f.finding(findings.UNREAD_CODE, span, f"{field.text}: which file runs is not known")
        return True
    content = read_code(f, path, span)
    if content is None:
        return False
    # A sourced file may use names from the line, and define some for it.
    frame = replace(f.frame_inside(label, span), file=path)
    if not f.frame.file:
        stdin = f.stdin
        f.text(content, frame, span)
        f.stdin = stdin
    elif len(f.frame.inside) < 6:
        f.text(content, frame, span)
    return True


def _named_tail(field: Field) -> bool:
    return "/" in tail(field.value) and all(hole.one for hole in holes(field.value))


def _run_written(
    f: Follower, written: Output, label: str, span: tuple[int, int], path: str
) -> None:
    if written.text is not None:
        code = written.text
        if DECODER in written.origin:
            f.finding(findings.DECODED_CODE, span, f"{path} is decoded by this line and run")
        run_code(f, code, f.frame_inside(label, span), span)
        return
    if DECODER in written.origin:
        f.finding(findings.DECODED_CODE, span, f"{path} is decoded by this line and run")
    else:
        f.finding(findings.CODE_FROM_DATA, span, f"{path} is written by this line and run")


def source_file(call: Call, field: Field, label: str, *, apart: bool = False) -> Output:
    """Follow `source FILE`."""
    f = call.f
    span = (field.start, field.end) if field.end else call.span
    if (source := _produced(field)) is not None:
        return run_output(f, source, label, span)
    if field.text in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0") and f.stdin is not None:
        return run_output(f, f.stdin, label, span)
    outer = f.shell
    if apart:
        f.shell = outer.copy()
    for path in located(f, field.text):
        if _run_file(f, path, field, label, span):
            break
    f.shell = outer
    return Output()


def program_file(call: Call, program: str) -> Output | None:
    """Follow `./script`, by what its first line says."""
    f = call.f
    field = call.fields[0]
    for path in located(f, program):
        written = f.shell.files.get(path)
        if written is not None and written.file is None:
            head = render(written.text)[:200] if written.text is not None else ""
            shown = head.partition("\n")[0]
            if shown.startswith("#!") and not _is_shell(shown):
                if written.text is not None:
                    f.add(Kind.CODE, render(written.text), call.span, program=_interpreter(shown))
                    return None
            _apart(call, written, path)
            return None
        if written is not None and written.file is not None:
            path = written.file
        content = read_code(f, path, (field.start, field.end), quiet=True)
        if content is None:
            continue
        line = content.partition("\n")[0]
        if content.startswith("\x7fELF") or "\ufffd" in content[:200]:
            f.collector.files.pop(path, None)
            return None
        if line.startswith("#!") and not _is_shell(line):
            return None
        outer = f.shell
        f.shell = outer.child()
        f.shell.posix = call.name in tables.MAYBE_DASH
        f.shell.zero, f.shell.positionals = program, tuple(call.rest)
        try:
            span = (field.start, field.end) if field.end else call.span
            if len(f.frame.inside) < 6:
                f.text(content, replace(f.frame_inside(program, span), file=path), span)
        finally:
            f.shell = outer
        return None
    return None


def _apart(call: Call, written: Output, path: str) -> None:
    f = call.f
    outer = f.shell
    f.shell = outer.child()
    f.shell.posix = call.name in tables.MAYBE_DASH
    f.shell.zero, f.shell.positionals = path, tuple(call.rest)
    try:
        _run_written(f, written, call.fields[0].text, call.span, path)
    finally:
        f.shell = outer


def _interpreter(line: str) -> str:
    words = line[2:].split()
    names = [word.rpartition("/")[2] for word in words]
    if names and names[0] == "env":
        names = [name for name in names[1:] if name[:1] != "-" and "=" not in name]
    return names[0] if names else ""


def _is_shell(line: str) -> bool:
    return _interpreter(line) in tables.SHELLS


# ---- in the same shell -------------------------------------------------------


def eval_(call: Call) -> Output:
    """Follow `eval words`."""
    rest = call.rest
    if rest and rest[0].text == "--":
        rest = rest[1:]
    if not rest:
        return Output()
    made: list[str | Hole] = []
    for at, field in enumerate(rest):
        made += [" "] if at else []
        made += pieces(field.value)
    span = call.span_of(rest)
    f = call.f
    return run_code(f, join(made), f.frame_inside("eval", span), span)


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
