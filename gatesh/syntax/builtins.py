"""Builtins that change what later words mean, or run their arguments."""

from __future__ import annotations

import re

from gatesh.model import Kind
from gatesh.syntax import findings, outputs, paths
from gatesh.syntax.call import Call
from gatesh.syntax.code import run_code
from gatesh.syntax.environment import assigned, shadowing
from gatesh.syntax.state import hole
from gatesh.syntax.values import Array, Choice, Field, Output, Text, holes, pieces, render
from gatesh.syntax.wrappers import Options, options_of

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.DOTALL)
_SAFE_ALIAS = re.compile(r"[\w.@:+-]+")
# These change how the lines after the alias are read: an alias to `#` makes here-document
# lines commands, one to `<<X` makes commands data.
_ALIAS_GRAMMAR = re.compile(r"\n|<<|(?:^|\s)#|^\s*$")
MAX_LINES = 100  # that `mapfile` reads into an array of which every element is known
_SUBSCRIPT = re.compile(r"\[[^\]]*(?:\$\(|`)")


def cd(call: Call) -> Output:
    """Move; where to is unknown after `cd "$unknown"`."""
    shell = call.f.shell
    rest = [field for field in call.rest if not re.fullmatch(r"-[LPe@]+|--", field.text)]
    if not rest:
        home = shell.one("HOME")
        shell.go(*([home] if home else []))
    elif rest[0].known and not rest[0].glob and rest[0].text not in ("-", "") and (
        rest[0].text[0] == "/" or shell.cwd
    ):  # fmt: skip
        target = rest[0].text
        shell.go(*dict.fromkeys(paths.resolve(target, here) for here in shell.cwd or ("/",)))
    elif rest[0].known and rest[0].text == "":
        pass
    else:
        shell.go()
    return Output("")


def popd(call: Call) -> Output:
    """Back to a directory that is not kept track of."""
    call.f.shell.go()
    return Output()


def declare(call: Call) -> Output:
    """`export`, `declare`, `local`, `readonly`: assignments, and the attributes that matter."""
    f, shell = call.f, call.f.shell
    options = "".join(x.text[1:] for x in call.rest if x.text[:1] == "-" and x.text[:2] != "--")
    exports = call.name == "export" or "x" in options
    names = {field.text.partition("=")[0].rstrip("+") for field in call.rest}
    if "i" in options and call.name != "export":
        shell.integers |= names
    if set(options) & {"l", "u"} and call.name in ("declare", "typeset", "local"):
        shell.cased = {**shell.cased, **dict.fromkeys(names, "l" if "l" in options else "u")}
    for field in call.rest:
        if field.text[:1] in ("-", "+"):
            continue
        if "i" in options:
            _subscripts(call, field)
            for held in _named_values(call, field):
                f.hidden_code(held, f"{field.text} is evaluated")
        if "n" in options and _SUBSCRIPT.search(field.text):
            f.hidden_code(field.text, f"{call.name} -n evaluates a subscript whenever it is used")
        if ("a" in options or "A" in options) and re.search(
            r"=\(.*(?:\$\(|`)", field.text, re.DOTALL
        ):
            f.hidden_code(field.text, f"{call.name} expands a quoted array once more")
        found = _ASSIGNMENT.fullmatch(field.text)
        if found is None:
            _subscripts(call, field)
            if exports and "f" not in options and field.known:
                shell.export(field.text, "n" not in options)
            elif call.name == "local" and field.known:
                shell.set(field.text, None)
            continue
        name = found[1]
        if not field.text.endswith("=(…)") and not _was_assigned(call, field, name):
            value = after_equals(field)
            f.add(Kind.ENV, f"{name}={render(value)}", call.span_of([field]))
            assigned(f, name, value, call.span_of([field]))
            shell.set(name, hole("$" + name) if found[2] else value)
        elif name in shell.cased:
            shell.set(name, *shell.lookup(name))
        if exports:
            shell.export(name)
        if "n" in options and call.name != "export":
            shell.set(name, hole("$" + name))
    return Output()


def _named_values(call: Call, field: Field) -> list[str]:
    """Return the values with substitutions that `declare -i y=x` evaluates by way of a name."""
    names = re.findall(r"[A-Za-z_]\w*", field.text.partition("=")[2])
    values = [value for name in names for value in call.f.shell.lookup(name)]
    return [v for v in values if isinstance(v, str) and ("$(" in v or "`" in v)]


def _was_assigned(call: Call, field: Field, name: str) -> bool:
    """Whether the follower has already made this assignment (it was one to the grammar)."""
    span = call.span_of([field])
    frame = call.f.frame
    key = (Kind.ENV, field.text, frame.fixed or span, (), frame.inside, "", "")
    return key in call.f.collector.found


def after_equals(field: Field) -> Text:
    """Return what follows the first `=` of *field*."""
    made = list(pieces(field.value))
    first = made[0]
    assert isinstance(first, str)
    made[0] = first.partition("=")[2]
    return tuple(made) if len(made) > 1 else made[0] if isinstance(made[0], str) else ""


def _subscripts(call: Call, *fields: Field) -> None:
    for field in fields:
        if isinstance(field.value, str) and _SUBSCRIPT.search(field.value):
            call.f.hidden_code(field.value, f"{call.name} evaluates a subscript")


def unset(call: Call) -> Output:
    """Forget variables or functions."""
    shell = call.f.shell
    _subscripts(call, *call.rest)
    functions = any(field.text == "-f" for field in call.rest)
    for field in call.rest:
        if not field.known:
            shell.sure = False
        elif field.text[:1] != "-":
            if not functions:
                shell.set(field.text, None)
            else:
                shell.functions.pop(field.text, None)
                shell.changed(field.text)
    return Output("")


def read(call: Call) -> Output:
    """`read`: variables become the lines of what is known of standard input."""
    f, shell = call.f, call.f.shell
    _subscripts(call, *call.rest)
    found = options_of(call.fields, 1, Options(frozenset("adinNptu"), frozenset()))
    names = [field.text for field in call.fields[found.first :]] or ["REPLY"]
    for option, value in found.options:
        if option == "-a" and value is not None:
            line = stdin.text if (stdin := f.stdin) is not None else None
            if isinstance(line, str):
                words = _read_fields(line.partition("\n")[0], shell.one("IFS"), 0)
                shell.set(value.text, Array(tuple(Field(word, word) for word in words)))
            else:
                shell.set(value.text, hole("$" + value.text, source=stdin))
            return Output("")
    f.read_names += names
    stdin = f.stdin
    text = stdin.text if stdin is not None else None
    lines: list[list[str]] = []
    if any(option == "-u" for option, _ in found.options):
        number = next(value for option, value in found.options if option == "-u")
        stdin = f.fds.get(number.text) if number is not None else None
        text = stdin.text if stdin is not None else None
    if isinstance(text, str):
        text = text.replace("\0", "")
        ifs = shell.one("IFS")
        lines = [_read_fields(line, ifs, len(names)) for line in text.split("\n") if line.strip()][
            :9
        ]
    for at, name in enumerate(names):
        if lines:
            shell.set(
                name, *dict.fromkeys(line[at].strip() if at < len(line) else "" for line in lines)
            )
        else:
            shell.set(name, hole("$" + name, source=stdin))
    return Output("")


def _read_fields(line: str, ifs: str | None, count: int) -> list[str]:
    """Split *line* as `read` does; the last of *count* fields (0: any number) takes the rest."""
    if ifs is None or not ifs.strip(" \t\n"):
        return [line] if ifs == "" else line.split(None, count - 1)
    return re.split("[" + re.escape(ifs) + "]", line.strip(), maxsplit=max(0, count - 1))


def mapfile(call: Call) -> Output:
    """`mapfile -C code`: the callback is code."""
    found = options_of(call.fields, 1, Options(frozenset("CcdnOsu"), frozenset()))
    for option, value in found.options:
        if option == "-C" and value is not None:
            _code(call, value, "mapfile -C")
    stdin = call.f.stdin
    text = stdin.text if stdin is not None else None
    for field in call.fields[found.first : found.first + 1] or [Field("MAPFILE", "MAPFILE")]:
        if isinstance(text, str) and text.count("\n") < MAX_LINES:
            lines = tuple(Field(line, line) for line in text.replace("\0", "").splitlines())
            call.f.shell.set(field.text, Array(lines))
        else:
            call.f.shell.set(field.text, hole("$" + field.text, source=stdin))
    return Output("")


def _code(call: Call, value: Field, label: str) -> None:
    """Follow a word that is run later, in this shell, as code."""
    f = call.f
    shell, f.shell = f.shell, f.shell.copy()
    span = call.span_of([value])
    run_code(f, value.value, f.frame_inside(label, span), span)
    f.shell = shell


def set_(call: Call) -> Output:
    """`set -e`, `set -- words`."""
    shell = call.f.shell
    on = set(shell.options)
    rest = call.rest
    at = 0
    while at < len(rest):
        text = rest[at].text
        if text == "--":
            shell.positionals = tuple(rest[at + 1 :])
            shell.version += 1
            break
        if text[:1] not in ("-", "+") or len(text) < 2:
            shell.positionals = tuple(rest[at:])
            shell.version += 1
            break
        for letter in text[1:]:
            name = {"e": "errexit", "a": "allexport"}.get(letter)
            if letter == "o":
                at += 1
                name = rest[at].text if at < len(rest) else None
            if name:
                on.add(name) if text[0] == "-" else on.discard(name)
        at += 1
    shell.options = frozenset(on)
    return Output("")


def shift(call: Call) -> Output:
    """Drop positional parameters."""
    shell = call.f.shell
    if shell.positionals:
        count = call.rest[0].text if call.rest else "1"
        known = count.isdigit() and not any(p.wild for p in shell.positionals)
        shell.positionals = shell.positionals[int(count) :] if known else None
        shell.version += 1
    return Output("")


def trap(call: Call) -> Output:
    """`trap code SIGNAL`."""
    rest = call.rest
    if rest and rest[0].text == "--":
        rest = rest[1:]
    if len(rest) > 1 and rest[0].text not in ("-", "", "-p", "-l", "-P"):
        _code(call, rest[0], "trap")
    return Output("")


def alias(call: Call) -> Output:
    """`alias name=value`: the value is code."""
    f = call.f
    for field in call.rest:
        name, equals, value = field.text.partition("=")
        if not equals:
            continue
        span = call.span_of([field])
        if not _SAFE_ALIAS.fullmatch(name) or _ALIAS_GRAMMAR.search(value):
            f.finding(findings.OPAQUE, span, f"alias {name} changes how other text is read")
            continue
        code = Field(value, after_equals(field), start=field.start, end=field.end)
        f.shell.aliases.pop(name, None)  # a name is not expanded inside itself
        _code(call, code, f"alias {name}")
        f.shell.aliases[name] = value
        f.shell.version += 1
        if value.split(None, 1)[:1] != [name]:
            shadowing(f, name, "an alias", span)
    return Output("")


def unalias(call: Call) -> Output:
    """Forget aliases."""
    for field in call.rest:
        call.f.shell.aliases.pop(field.text, None)
    return Output("")


def hash_(call: Call) -> Output:
    """`hash -p path name` makes a name mean a path."""
    f = call.f
    found = options_of(call.fields, 1, Options(frozenset("p"), frozenset()))
    for option, value in found.options:
        if option == "-p" and value is not None:
            for field in call.fields[found.first :]:
                real = paths.name_of(value.text)
                f.finding(
                    findings.SHADOWED_PROGRAM, call.span, f"{field.text} becomes {value.text}"
                )
                f.shell.renamed[field.text] = real
    return Output("")


def shopt(call: Call) -> Output:
    """Remember options that change how the rest is read."""
    return Output("")


def printf(call: Call) -> Output:
    """`printf -v name` assigns."""
    rest = call.rest
    if len(rest) > 1 and rest[0].text[:2] == "-v":
        name = rest[0].text[2:] or rest[1].text
        used = 1 if rest[0].text[2:] else 2
        _subscripts(call, *rest[:used])
        inner = Call(call.f, [call.fields[0], *rest[used:]], "printf", call.span, call.text)
        made = outputs.printed(inner).text
        if isinstance(made, str):
            made = made.partition("\0")[0]
        choice: Choice = hole("$" + name) if made is None else made
        call.f.shell.set(name, choice)
        return Output("")
    return outputs.printed(call)


def subscripts(call: Call) -> Output:
    """`test -v 'a[$(rm)]'` and its kind."""
    _subscripts(call, *call.rest)
    return Output("")


def let(call: Call) -> Output:
    """Arithmetic, one expression a word."""
    f = call.f
    for field in call.rest:
        if "$(" in field.text or "`" in field.text:
            f.hidden_code(field.text, "let evaluates its arguments")
        for name in re.findall(r"[A-Za-z_]\w*", field.text):
            for value in f.shell.lookup(name):
                if isinstance(value, str) and ("$(" in value or "`" in value):
                    f.hidden_code(value, f"let evaluates the value of {name}")
        found = re.match(r"([A-Za-z_]\w*)", field.text)
        if found:
            f.shell.set(found[1], hole("$" + found[1], one=True))
    return Output("")


def leave(call: Call) -> Output:
    """`exit`, `return`, `break`: what follows in this list does not run."""
    call.f.leaving = True
    return Output("")


def complete(call: Call) -> Output:
    """`complete -C`, `bind -x`, `compgen -C`, `fc`, `enable -f`: code for later."""
    rest = call.rest
    if call.name == "fc" and not (rest and re.match(r"-[nr]*l", rest[0].text)):
        call.f.finding(findings.DYNAMIC_CODE, call.span, "fc runs lines of the history")
    for at, field in enumerate(rest[:-1]):
        value = rest[at + 1]
        if call.name in ("complete", "compgen") and field.text in ("-C", "-F"):
            _code(call, value, f"{call.name} {field.text}")
        elif field.text == "-W" and call.name != "bind" and holes(value.value) == []:
            if "$(" in value.text or "`" in value.text:
                call.f.hidden_code(value.text, f"{call.name} expands its words")
        elif call.name == "fc" and field.text == "-e" and value.text != "-":
            _code(call, value, "fc -e")
        elif call.name == "bind" and field.text == "-x":
            _, _, code = value.text.partition(":")
            code = code.strip().strip("\"'")
            _code(call, Field(code, code, start=value.start, end=value.end), "bind -x")
        elif call.name == "enable" and field.text.startswith("-") and "f" in field.text:
            call.f.finding(
                findings.CODE_IN_ENV, call.span, f"a builtin is loaded from {value.text}"
            )
    return Output()


def nothing(call: Call) -> Output:
    """Data stays data."""
    return outputs.printed(call)


__all__ = ["Array"]
