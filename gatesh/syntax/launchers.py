"""Programs that run others by rules of their own: env, xargs, find, parallel, ssh, …"""

from __future__ import annotations

import re
import shlex

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.call import Call, code_field, located
from gatesh.syntax.code import from_stdin, nested, nested_text, read_code
from gatesh.syntax.files import script_file
from gatesh.syntax.unwrap import environment, inner
from gatesh.syntax.values import Field, Hole, Output, holes, join, pieces
from gatesh.syntax.wrappers import Options, options_of

_ENV = Options(
    frozenset("uCSa"),
    frozenset("unset chdir split-string argv0 block-signal default-signal ignore-signal".split())
    - {"block-signal", "default-signal", "ignore-signal"},
)
_XARGS = Options(
    frozenset("aEdILnPsJRS"),
    frozenset("arg-file delimiter max-lines max-args max-procs max-chars process-slot-var".split()),
)
_SSH = Options(frozenset("BbcDEeFIiJLlmOopPQRSWw"), frozenset())
_SSH_CODE = re.compile(
    r"\s*(ProxyCommand|LocalCommand|KnownHostsCommand)\s*[= ]\s*(.*)", re.I | re.S
)
_PARALLEL = Options(
    frozenset("jnNLdICSsawE"),
    frozenset(
        "jobs max-args delimiter arg-file sshlogin joblog results timeout retries workdir colsep"
        " tmpdir tagstring halt load memfree nice delay basefile return transferfile env"
        " arg-sep arg-file-sep max-replace-args block recend recstart".split()
    ),
)


def env(call: Call) -> Output | None:
    """`env`, with `-S` that splits a string into words."""
    f = call.f
    fields = call.fields
    for _ in range(4):
        found = options_of(fields, 1, _ENV)
        split = [v for n, v in found.options if n in ("-S", "--split-string") and v is not None]
        if not split:
            break
        words = _split_string(split[0])
        if words is None:
            f.finding(findings.DYNAMIC_PROGRAM, call.span, f"env -S {split[0].text}")
            return Output()
        fields = [fields[0], *words, *fields[found.first :]]
    rest = fields[found.first :]
    names = {name for name, _ in found.options}
    if rest and rest[0].text == "-":
        rest, names = rest[1:], names | {"-i"}
    temporary = []
    while rest and (
        _settings_file(call, rest[0]) or ("=" in rest[0].text and not rest[0].text.startswith("="))
    ):
        if not rest[0].known:
            rest = rest[1:]
            continue
        temporary.append(environment(call, rest[0]))
        rest = rest[1:]
    if not rest:
        return None
    outer = f.shell
    f.shell = outer.copy()
    if names & {"-i", "--ignore-environment"}:
        f.shell.env = {}
        f.shell.exported = {}
    for name, value in found.options:
        if name in ("-u", "--unset") and value is not None:
            f.shell.set(value.text, None)
        if name in ("-C", "--chdir") and value is not None:
            places = located(f, value.text) if value.known else []
            f.shell.go(*places)
            f.shell.cd_may_fail = ()
    try:
        return inner(call, rest, "env", temporary=temporary)
    finally:
        f.shell = outer


def _settings_file(call: Call, field: Field) -> bool:
    """Whether *field* is `$(cat .env | xargs)`, and the file holds settings and nothing else."""
    if not field.wild or len(pieces(field.value)) != 1:
        return False
    hole = holes(field.value)[0]
    origin = hole.source.origin if hole.source is not None else frozenset()
    files = [one[5:] for one in origin if one.startswith("file:")]
    if not files or len(files) != len(origin - {"word"}):
        return False
    for path in files:
        if path in call.f.shell.files:
            return False
        content = read_code(call.f, path, call.span_of([field]))
        lines = (content or "").splitlines()
        if not all(re.fullmatch(r"\s*(?:#.*|(?:export )?[A-Za-z_]\w*=\S*)?\s*", x) for x in lines):
            return False
    return True


def _split_string(field: Field) -> list[Field] | None:
    if not isinstance(field.value, str):
        return None
    try:
        words = shlex.split(field.value.replace("\\_", " ").replace("\\t", " "), posix=True)
    except ValueError:
        return None
    return [
        Field(w, w if "$" not in w else (Hole(w),), wild=False, start=field.start, end=field.end)
        for w in words
    ]


def xargs(call: Call) -> Output | None:
    """`xargs cmd`: arguments come from standard input."""
    f = call.f
    found = options_of(call.fields, 1, _XARGS)
    rest = call.fields[found.first :]
    if not rest:
        return None
    stdin, replace_with = f.stdin, ""
    for name, value in found.options:
        if name in ("-I", "-J") and value is not None:
            replace_with = value.text
        elif name in ("-i", "--replace"):
            replace_with = value.text if value is not None and value.text else "{}"
    text = stdin.text if stdin is not None else None
    items: list[Field]
    if isinstance(text, str):
        words = [line.strip() for line in text.splitlines()] if replace_with else text.split()
        items = [Field(word.strip("'\""), word.strip("'\"")) for word in words if word]
    else:
        items = []
    more = Field("…", (Hole("…", source=stdin),), wild=True)
    f.stdin = None if any(name in ("-a", "--arg-file") for name, _ in found.options) else Output()
    try:
        if replace_with:
            for item in items[:8] or [Field(replace_with, (Hole(replace_with, source=stdin),))]:
                inner(call, [_replaced(field, replace_with, item) for field in rest], "xargs")
        elif _takes_code(rest):
            inner(call, [*rest, *(items or [more])], "xargs")
        else:
            inner(call, [*rest, *items[:64]], "xargs")
    finally:
        f.stdin = stdin
    return Output()


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


def find(call: Call) -> Output | None:
    """`find … -exec cmd {} ;` and its kind."""
    fields = call.fields
    at = 1
    while at < len(fields):
        if fields[at].text in ("-exec", "-execdir", "-ok", "-okdir"):
            end = at + 1
            while end < len(fields) and not (
                fields[end].text == ";"
                or (fields[end].text == "+" and fields[end - 1].text == "{}")
            ):
                end += 1
            command = fields[at + 1 : end]
            if command and command[0].text == "{}":
                command = [Field("{}", (Hole("{}"),), start=command[0].start, end=command[0].end),
                           *command[1:]]  # fmt: skip
            inner(call, command, f"find {fields[at].text}")
            at = end
        elif fields[at].text in ("-fprint", "-fprintf", "-fls", "-fprint0") and at + 1 < len(
            fields
        ):
            for path in located(call.f, fields[at + 1].text):
                call.f.add(Kind.WRITE, path, call.span_of([fields[at + 1]]))
        at += 1
    return None


def fd(call: Call) -> Output | None:
    """`fd pattern -x cmd`."""
    for at, field in enumerate(call.fields):
        if field.text in ("-x", "-X", "--exec", "--exec-batch"):
            return inner(call, call.fields[at + 1 :], f"fd {field.text}")
    return None


def parallel(call: Call) -> Output | None:
    """GNU parallel: the command is shell text, and so are the inputs when there is none."""
    found = options_of(call.fields, 1, _PARALLEL)
    rest = call.fields[found.first :]
    marks = [at for at, field in enumerate(rest) if re.fullmatch(r":::[:+]*", field.text)]
    command = rest[: marks[0]] if marks else rest
    inputs = [f for f in rest[marks[0] :] if not f.text.startswith(":::")] if marks else []
    remote = any(name in ("-S", "--sshlogin") for name, _ in found.options)
    if command:
        nested(call, code_field(command), "parallel", foreign=remote)
        for field in inputs[:8]:
            words = [_replaced(word, "{}", field) for word in command]
            if all("{}" not in word.text for word in command):
                words.append(field)
            nested(call, code_field(words), "parallel", foreign=remote)
    elif inputs:
        for field in inputs:
            nested(call, field, "parallel", foreign=remote)
    elif call.f.stdin is not None:
        from_stdin(call, "parallel", [])
    return Output()


def ssh(call: Call) -> Output | None:
    """`ssh host cmd`: the words are joined and given to a shell over there."""
    fields = call.fields
    found = options_of(fields, 1, _SSH)
    seen = list(found.options)
    host = fields[found.first : found.first + 1]
    after = options_of(fields, found.first + 1, _SSH)
    seen += after.options
    for name, value in seen:
        code = _SSH_CODE.match(value.text) if name == "-o" and value is not None else None
        if code is not None and value is not None and code[2].lower() != "none":
            nested_text(call, code[2], call.span_of([value]), f"{call.name} {code[1]}")  # fmt: skip
    if not host:
        return None
    label = f"{call.name} {host[0].text}"
    rest = fields[after.first :]
    if rest:
        return nested(call, code_field(rest), label, foreign=True)
    if call.f.stdin is not None:
        return from_stdin(call, label, [])
    return None


def ssh_options(call: Call) -> Output | None:
    """scp, sftp: `-o ProxyCommand=…` as with ssh, but no remote command."""
    for name, value in options_of(call.fields, 1, _SSH).options:
        code = _SSH_CODE.match(value.text) if name == "-o" and value is not None else None
        if code is not None and value is not None and code[2].lower() != "none":
            made = Field(code[2], code[2], start=value.start, end=value.end)
            nested(call, made, f"{call.name} {code[1]}")
    return None


def applet(call: Call) -> Output | None:
    """`busybox rm …`."""
    rest = call.rest
    if rest and rest[0].text[:1] == "-":
        return None
    return inner(call, rest, call.name)


def exec_(call: Call) -> Output | None:
    """`exec cmd`; without a command only the redirections stay."""
    found = options_of(call.fields, 1, Options(frozenset("a"), frozenset()))
    rest = call.fields[found.first :]
    if not rest:
        call.f.stays = True
        return Output("")
    return inner(call, rest, "exec")


def stdin_code(call: Call) -> Output | None:
    """`at`, `batch`: standard input is shell code; `-f` names a file of it."""
    found = options_of(call.fields, 1, Options(frozenset("fqt"), frozenset()))
    for name, value in found.options:
        if name == "-f" and value is not None:
            return script_file(call, value, [], call.name)
    if any(name in ("-l", "-c", "-d", "-r") for name, _ in found.options):
        return None
    return from_stdin(call, call.name, [])
