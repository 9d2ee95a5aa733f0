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
from gatesh.syntax.values import Field, Hole, Output, holes, pieces
from gatesh.syntax.wrappers import Options, options_of

_ENV = Options(
    frozenset("uCSaP"),
    frozenset("unset chdir split-string argv0 block-signal default-signal ignore-signal".split())
    - {"block-signal", "default-signal", "ignore-signal"},
)
_SSH = Options(frozenset("BbcDEeFIiJLlmOopPQRSWw"), frozenset())
_AUTOSSH = Options(frozenset("BbcDEeFIiJLlmOopPQRSWwM"), frozenset())
_SSH_CODE = re.compile(
    r"\s*(ProxyCommand|LocalCommand|KnownHostsCommand|Match\s*[= ]\s*(?:\S+ )*!?exec)"
    r"\s*[= ]\s*(.*)",
    re.I | re.S,
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


def ssh(call: Call) -> Output | None:
    """`ssh host cmd`: the words are joined and given to a shell over there."""
    fields = call.fields
    found = options_of(fields, 1, _AUTOSSH if call.name == "autossh" else _SSH)
    seen = list(found.options)
    host = fields[found.first : found.first + 1]
    after = options_of(fields, found.first + 1, _SSH)
    seen += after.options
    for name, value in seen:
        code = _SSH_CODE.match(value.text) if name == "-o" and value is not None else None
        if code is not None and value is not None and code[2].lower() != "none":
            _setting(call, code, value)
    if not host:
        return None
    label = f"{call.name} {host[0].text}"
    rest = fields[after.first :]
    if rest:
        return nested(call, code_field(rest), label, foreign=True)
    if call.f.stdin is not None:
        return from_stdin(call, label, [])
    return None


def _setting(call: Call, code: re.Match[str], value: Field) -> None:
    """Follow what a setting of ssh runs: `ProxyCommand=…`, `Match exec "…"`."""
    text = code[2].strip()
    if text[:1] == text[-1:] == '"':
        text = text[1:-1]
    nested_text(call, text, call.span_of([value]), f"{call.name} {code[1]}")


def ssh_options(call: Call) -> Output | None:
    """scp, sftp: `-o ProxyCommand=…` as with ssh, but no remote command."""
    for name, value in options_of(call.fields, 1, _SSH).options:
        code = _SSH_CODE.match(value.text) if name == "-o" and value is not None else None
        if code is not None and value is not None and code[2].lower() != "none":
            _setting(call, code, value)
    return None


def applet(call: Call) -> Output | None:
    """`busybox rm …`."""
    rest = call.rest
    if rest and rest[0].text.startswith("--coreutils-prog"):
        name = rest[0].text.partition("=")[2]
        return inner(call, [Field(name, name), *rest[1:]] if name else rest[1:], call.name)
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
