"""Programs that make arguments of what they read: xargs, parallel."""

from __future__ import annotations

import itertools
import re
import shlex

from gatesh.syntax.call import Call, code_field, file_output
from gatesh.syntax.code import from_stdin, nested
from gatesh.syntax.files import script_file
from gatesh.syntax.unwrap import inner
from gatesh.syntax.values import Field, Hole, Output, holes, join, known, pieces
from gatesh.syntax.wrappers import Options, options_of

MAX_ITEMS = 64
MAX_RUNS = 8  # of the command, each with other arguments

_XARGS = Options(
    frozenset("aEdILnPsJRS"),
    frozenset("arg-file delimiter max-lines max-args max-procs max-chars process-slot-var".split()),
    rest=frozenset("iel"),
)
_PARALLEL = Options(
    frozenset("jnNLdICSsawEP"),
    frozenset(
        "jobs max-args delimiter arg-file sshlogin joblog results timeout retries workdir colsep"
        " tmpdir tagstring halt load memfree nice delay basefile return transferfile env"
        " arg-sep arg-file-sep max-replace-args block recend recstart sshloginfile max-procs"
        " replace shuf limit termseq wd profile".split()
    ),
    rest=frozenset("i"),
)
_SEPARATOR = re.compile(r":::[:+]*")


def xargs(call: Call) -> Output | None:
    """`xargs cmd`: arguments come from standard input."""
    f = call.f
    found = options_of(call.fields, 1, _XARGS)
    rest = call.fields[found.first :]
    if not rest:
        return None
    stdin, mark, separator = f.stdin, "", ""
    for name, value in found.options:
        if name in ("-I", "-J") and value is not None:
            mark = value.text
        elif name in ("-i", "--replace"):
            mark = value.text if value is not None and value.text else "{}"
        elif name in ("-d", "--delimiter") and value is not None:
            separator = value.text.replace("\\n", "\n").replace("\\0", "\0")
        elif name in ("-0", "--null"):
            separator = "\0"
        elif name in ("-a", "--arg-file") and value is not None:
            stdin = _file(call, value)
    text = stdin.text if stdin is not None else None
    items = _items(text, separator or ("\n" if mark else "")) if isinstance(text, str) else []
    more = Field("…", (Hole("…", source=stdin),), wild=True)
    outer, f.stdin = f.stdin, f.stdin if stdin is not f.stdin else Output("")
    try:
        if mark:
            for item in items[:MAX_RUNS] or [Field(mark, (Hole(mark, source=stdin),))]:
                inner(call, [_replaced(field, mark, item) for field in rest], "xargs")
        elif _takes_code(rest):
            inner(call, [*rest, *(items or [more])], "xargs")
        else:
            inner(call, [*rest, *items[:MAX_ITEMS]], "xargs")
    finally:
        f.stdin = outer
    return Output()


def _file(call: Call, field: Field) -> Output:

    return file_output(call.f, field.value)


def _items(text: str, separator: str) -> list[Field]:
    """Return the words of *text* as xargs splits them: blanks and quotes, unless told otherwise."""
    words: list[str]
    if separator == "\n":
        words = [line.strip() for line in text.replace("\0", "").splitlines()]
    elif separator:
        words = [word.strip("\n") for word in text.split(separator)]
    else:
        try:
            words = shlex.split(text[:20_000].replace("\0", ""))
        except ValueError:
            words = text.replace("\0", "").split()
    return [known(word) for word in words if word]


def _takes_code(fields: list[Field]) -> bool:
    """Whether the next word would be code or a program (`xargs bash -c`, `xargs sudo`)."""
    last = fields[-1].text
    return len(fields) == 1 or last in ("-c", "-e", "-lc", "-ic", "-ec", "-xc", "--", "-S")


def _replaced(field: Field, mark: str, item: Field) -> Field:
    if mark not in field.text or not isinstance(field.value, str):
        return field
    made: list[str | Hole] = []
    for at, piece in enumerate(field.value.split(mark)):
        made += pieces(item.value) if at else []
        made.append(piece)
    value = join(made)
    if holes(value) and field.value != mark:
        # A file name inside code is an argument there; alone it is the code.
        value = field.value.replace(mark, item.text)
    return Field(field.text.replace(mark, item.text), value, start=field.start, end=field.end)


def parallel(call: Call) -> Output | None:
    """GNU parallel: the command is shell text, and so are the inputs when there is none."""
    f = call.f
    found = options_of(call.fields, 1, _PARALLEL)
    rest = call.fields[found.first :]
    marks = [at for at, field in enumerate(rest) if _SEPARATOR.fullmatch(field.text)]
    command = rest[: marks[0]] if marks else rest
    remote = any(name in ("-S", "--sshlogin") for name, _ in found.options)
    lists = [
        rest[start + 1 : end]
        for start, end in itertools.pairwise([*marks, len(rest)])
        if not rest[start].text.startswith("::::")
    ]
    stdin = f.stdin
    for name, value in found.options:
        if name in ("-a", "--arg-file") and value is not None:
            if not command:
                return script_file(call, value, [], "parallel")
            stdin = _file(call, value)
    if not command:
        for field in itertools.chain(*lists):
            nested(call, field, "parallel", foreign=remote)
        return Output() if lists else from_stdin(call, "parallel", [])
    if any(name in ("--pipe", "--pipepart", "--spreadstdin") for name, _ in found.options):
        return nested(call, code_field(command), "parallel", foreign=remote)
    f.stdin = Output()
    try:
        nested(call, code_field(command), "parallel", foreign=remote)
        text = stdin.text if stdin is not None else None
        if not lists and isinstance(text, str):
            lists = [_items(text, "\n")]
        for chosen in itertools.islice(itertools.product(*lists), MAX_RUNS if lists else 0):
            nested(call, code_field(_placed(command, chosen)), "parallel", foreign=remote)
    finally:
        f.stdin = stdin
    return Output()


def _placed(command: list[Field], chosen: tuple[Field, ...]) -> list[Field]:
    """Put the inputs where `{}`, `{1}`, `{2}` … stand, else at the end."""
    words, used = command, False
    for number, item in [(0, chosen[0]), *enumerate(chosen, 1)] if chosen else []:
        mark = f"{{{number or ''}}}"
        used = used or any(mark in word.text for word in words)
        words = [_replaced(word, mark, item) for word in words]
    return words if used else [*words, *chosen]
