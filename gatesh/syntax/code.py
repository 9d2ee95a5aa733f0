"""Text that is run as shell code, wherever it comes from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.document import sha256
from gatesh.model import CodeFile, Kind
from gatesh.syntax import findings, tables
from gatesh.syntax.call import Call
from gatesh.syntax.frames import Frame
from gatesh.syntax.origins import DECODER, GENERATOR, NETWORK
from gatesh.syntax.values import Field, Output, Text, holes, pieces, render

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

MAX_FILE = 96_000  # a script file beyond this is recorded, not followed


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
    if call.name == "zsh" and zsh_runs(code.text):
        f.finding(findings.OPAQUE, call.span_of([code]), "zsh runs code inside patterns")
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


_ZSH_RUNS = re.compile(r"\([^()\s]*(?:e[^\w\s()]|\+\w)|\$\{\([^)]*e[^)]*\)|<->")


def zsh_runs(text: str) -> bool:
    """Whether zsh may run code that bash takes for a pattern: `*(e:'rm x':)`, `${(e)x}`."""
    return _ZSH_RUNS.search(text) is not None


def nested_text(
    call: Call, text: str, span: tuple[int, int], label: str, *, foreign: bool = False
) -> Output:
    """Follow *text*, part of the word at *span*, as a new shell would."""
    return nested(call, Field(text, text, start=span[0], end=span[1]), label, foreign=foreign)


def run_code(
    f: Follower, code: Text, frame: Frame, span: tuple[int, int], *, wild: bool = False
) -> Output:
    """Follow *code*, saying so when parts of it cannot be known."""
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
    if stdin is None:  # the caller's own input: nothing of this line
        if f.input is not None:
            why = f"{label} runs what it reads from {f.input}, its standard input"
            f.finding(findings.DYNAMIC_CODE, call.span, why)
        return Output()
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
