"""Script files: `bash FILE`, `source FILE`, `./FILE`, written by the line itself or before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import findings, tables
from gatesh.syntax.call import DESCRIPTOR, Call, descriptor, located, plain_path
from gatesh.syntax.code import from_stdin, read_code, run_code, run_output
from gatesh.syntax.origins import DECODER
from gatesh.syntax.values import Field, Output, holes, pieces, render, tail

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

MAX_NESTED_FILES = 6  # files that run files that run files …


def script_file(call: Call, field: Field, positionals: list[Field], label: str) -> Output:
    """Follow `bash FILE …`."""
    f = call.f
    span = (field.start, field.end) if field.end else call.span
    if (source := _produced(field)) is not None:
        return run_output(f, source, label, span)
    place = plain_path(field.text)
    if place in ("/dev/fd/0", "-"):
        return from_stdin(call, label, positionals)
    outer = f.shell
    f.shell = outer.child()
    f.shell.posix = call.name in tables.MAYBE_DASH
    f.shell.zero = field.text
    f.shell.positionals = tuple(positionals)
    try:
        if (number := DESCRIPTOR.fullmatch(place)) is not None:
            return run_output(f, descriptor(f, number[1]), label, span)
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
    _follow_file(f, content, path, label, span)
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
    number = DESCRIPTOR.fullmatch(plain_path(field.text))
    if number is not None and (number[1] != "0" or f.stdin is not None):
        return run_output(f, descriptor(f, number[1]), label, span)
    outer = f.shell
    if apart:
        f.shell = outer.copy()
    for path in located(f, field.text):
        if _run_file(f, path, field, label, span):
            break
    f.shell = outer
    return Output()


def program_file(call: Call, program: str) -> None:
    """Follow `./script`, by what its first line says; programs that are no scripts stay closed."""
    f = call.f
    field = call.fields[0]
    span = call.span_of([field])
    for place in located(f, program):
        written = f.shell.files.get(place)
        if written is not None and written.text is not None:
            _written_program(call, written, place)
        elif written is not None and written.file is None:
            _run_written(f, written, program, span, place)
        path = written.file if written is not None else place
        content = read_code(f, path, span, quiet=True) if path is not None else None
        if content is None or path is None:
            if written is not None:
                return
            continue
        first = content.partition("\n")[0]
        if content.startswith("\x7fELF") or "\ufffd" in content[:200]:
            f.collector.files.pop(path, None)
        elif not first.startswith("#!") or _is_shell(first):
            with _script_shell(call, program, first):
                _follow_file(f, content, path, program, span)
        return


def _written_program(call: Call, written: Output, path: str) -> None:
    """Follow a script that the line has written itself."""
    f = call.f
    assert written.text is not None
    text = render(written.text)
    first = text[:200].partition("\n")[0]
    if first.startswith("#!") and not _is_shell(first):
        f.add(Kind.CODE, text, call.span, program=_interpreter(first))
        return
    with _script_shell(call, path, first):
        _run_written(f, written, call.fields[0].text, call.span, path)


@contextmanager
def _script_shell(call: Call, zero: str, first: str) -> Iterator[None]:
    """Follow in the shell that a script's first line names."""
    f = call.f
    outer = f.shell
    f.shell = outer.child()
    f.shell.posix = _interpreter(first) in tables.MAYBE_DASH
    f.shell.zero, f.shell.positionals = zero, tuple(call.rest)
    try:
        yield
    finally:
        f.shell = outer


def _follow_file(f: Follower, content: str, path: str, label: str, span: tuple[int, int]) -> None:
    """Follow the text of a script file; what is unknown in there is noted quietly."""
    if len(f.frame.inside) >= MAX_NESTED_FILES:
        f.add(Kind.FINDING, findings.UNSURE_FILE, span, detail=f"{path}: too many scripts deep")
        return
    stdin = f.stdin
    f.text(content, replace(f.frame_inside(label, span), file=path), span)
    f.stdin = stdin


def _interpreter(line: str) -> str:
    words = line[2:].split()
    names = [word.rpartition("/")[2] for word in words]
    if names and names[0] == "env":
        names = [name for name in names[1:] if name[:1] != "-" and "=" not in name]
    return names[0] if names else ""


def _is_shell(line: str) -> bool:
    return _interpreter(line) in tables.SHELLS
