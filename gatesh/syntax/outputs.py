"""What a command prints, as far as its words tell."""

from __future__ import annotations

import base64
import binascii
import re

from gatesh.syntax import ansi
from gatesh.syntax.call import Call, file_output, located
from gatesh.syntax.origins import (
    DECODER,
    DECODERS,
    GENERATOR,
    GENERATORS,
    NETWORK,
    NETWORK_PROGRAMS,
    WORD,
    WORD_PROGRAMS,
)  # fmt: skip
from gatesh.syntax.values import Field, Hole, Output, Text, join, pieces

MAX_DECODED = 100_000
_GENERATORS = {tuple(words) for words in GENERATORS}
_FILTERS = frozenset(
    "tee pv head tail sort uniq grep egrep fgrep rg sed awk gawk cut paste fold fmt cat nl column"
    " jq yq tac tr sponge stdbuf unbuffer buffer mbuffer dos2unix expand unexpand xargs".split()
)


def printed(call: Call) -> Output:
    """Return what the command of *call* prints."""
    name, rest = call.name, call.rest
    stdin = call.f.stdin
    if name == "echo":
        if call.f.shell.posix and "\\" in call.text:
            return Output()  # dash's echo knows escapes, bash's does not
        return Output(_echo(rest), None, _origins(rest))
    if name == "printf":
        return Output(_printf(rest), None, _origins(rest))
    if name in ("cat", "tee"):
        operands = [] if name == "tee" else [f for f in rest if f.text[:1] != "-" or f.text == "-"]
        if not operands:
            return stdin or Output()
        found = _files(call, operands)
        files = {"file:" + path for path in _named_files(call)}
        return Output(found.text, found.file, found.origin | files)
    if name == "pwd" and len(call.f.shell.cwd) == 1:
        return Output(call.f.shell.cwd[0] + "\n", None, frozenset({WORD}))
    if name in ("which", "command", "type") and rest:
        return _which(call, rest)
    if name in ("basename", "dirname") and rest and all(f.known for f in rest):
        return _name(name, [f.text for f in rest])
    origin = _declared_origin(name, rest)
    if name in _FILTERS:
        origin |= {"file:" + path for path in _named_files(call)}
    decoded = _decoded(name, rest, call) if DECODER in origin else None
    if stdin is not None and (name in _FILTERS or DECODER in origin):
        origin |= stdin.origin
    for field in rest:
        origin |= _origins([field])
    return Output(decoded, None, origin)


def _named_files(call: Call) -> list[str]:
    """Return the files whose lines a filter passes on (`grep -v '^#' .env`)."""
    names = [field.text for field in call.rest if field.known and field.text[:1] != "-"]
    found = [path for name in names for path in located(call.f, name) if path.startswith("/")]
    return found[-1:] if call.name != "cat" else found


def _origins(fields: list[Field]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for field in fields:
        for piece in pieces(field.value):
            if isinstance(piece, Hole) and piece.source is not None:
                found |= piece.source.origin - {WORD, GENERATOR}
    return found


def _declared_origin(name: str, rest: list[Field]) -> frozenset[str]:
    words = [field.text for field in rest[:2]]
    found: set[str] = set()
    for length in range(3):
        if (name, *words[:length]) in _GENERATORS:
            found.add(GENERATOR)
    if name in WORD_PROGRAMS:
        found.add(WORD)
    if name in NETWORK_PROGRAMS and name not in ("kubectl", "docker"):
        found.add(NETWORK)
    wanted = DECODERS.get(name)
    if wanted is not None and (
        not wanted or any(f.text.startswith(w) for f in rest for w in wanted)
    ):
        found.add(DECODER)
    return frozenset(found)


def _echo(rest: list[Field]) -> Text:
    newline, escapes = True, False
    at = 0
    while at < len(rest) and re.fullmatch(r"-[neE]+", rest[at].text):
        newline = newline and "n" not in rest[at].text
        escapes = "e" in rest[at].text or (escapes and "E" not in rest[at].text)
        at += 1
    made: list[str | Hole] = []
    for n, field in enumerate(rest[at:]):
        made += [" "] if n else []
        made += [
            ansi.echo_e(p) if escapes and isinstance(p, str) else p for p in pieces(field.value)
        ]
    return join([*made, "\n"] if newline else made)


_DIRECTIVE = re.compile(r"%(?:%|(-?)(0?)([0-9]*)(?:\.([0-9]+))?([a-zA-Z]))")


def _printf(rest: list[Field]) -> Text | None:
    """Follow `printf` for the directives that code is smuggled with; None otherwise."""
    if rest and rest[0].text == "--":
        rest = rest[1:]
    if not rest or not isinstance(rest[0].value, str):
        return None
    form, arguments = rest[0].value, list(rest[1:])
    made: list[str | Hole] = []
    for _ in range(50):
        before = len(arguments)
        at = 0
        for found in _DIRECTIVE.finditer(form):
            made.append(ansi.echo_e(form[at : found.start()]))
            at = found.end()
            if found.group() == "%%":
                made.append("%")
                continue
            value: Text = arguments.pop(0).value if arguments else ""
            letter = found[5]
            if letter == "b":
                made += [ansi.echo_e(p) if isinstance(p, str) else p for p in pieces(value)]
            elif letter in "sq":
                made += pieces(value)
            elif letter == "c" and isinstance(value, str):
                made.append(value[:1])
            elif letter in "dixXou" and isinstance(value, str):
                number = _number(value)
                if number is None:
                    return None
                made.append(
                    format(number, f"{found[2]}{found[3]}{'d' if letter in 'iu' else letter}")
                )
            else:
                return None
        made.append(ansi.echo_e(form[at:]))
        if not arguments or len(arguments) == before:
            break
    return join(made)


def _number(value: str) -> int | None:
    if value[:1] in "'\"" and len(value) > 1:
        return ord(value[1])
    try:
        return int(value or "0", 0 if not re.fullmatch(r"0[0-7]+", value) else 8)
    except ValueError:
        return None


def _files(call: Call, operands: list[Field]) -> Output:
    found = [
        (call.f.stdin or Output()) if field.text == "-" else file_output(call.f, field.value)
        for field in operands
    ]
    if len(found) == 1:
        return found[0]
    made: list[str | Hole] = []
    origin: frozenset[str] = frozenset()
    known = True
    for output in found:
        origin |= output.origin
        known = known and output.text is not None
        made += pieces(output.text or "")
    return Output(join(made) if known else None, None, origin)


def _which(call: Call, rest: list[Field]) -> Output:
    names = [field for field in rest if field.text[:1] != "-"]
    asked = {letter for field in rest if field.text[:1] == "-" for letter in field.text[1:]}
    tells = call.name == "which" or asked & ({"v"} if call.name == "command" else {"p", "P"})
    if tells and len(names) == 1 and names[0].known and not names[0].glob:
        name = names[0].text
        shell = call.f.shell
        own = "/" in name or name in shell.functions or name in shell.aliases
        return Output(f"{'' if own else '/usr/bin/'}{name}\n", None, frozenset({WORD}))
    return Output(None, None, frozenset({WORD}))


def _name(name: str, words: list[str]) -> Output:
    if words[0].startswith("-"):
        return Output(None, None, frozenset({WORD}))
    path = words[0].rstrip("/") or "/"
    head, slash, last = path.rpartition("/")
    if name == "dirname":
        made = head or ("/" if slash else ".")
    else:
        made = last or path
        if len(words) > 1 and made.endswith(words[1]) and made != words[1]:
            made = made[: -len(words[1])]
    return Output(made + "\n", None, frozenset({WORD}))


def _decoded(name: str, rest: list[Field], call: Call) -> str | None:
    """Decode what is spelled out in the line, so that people and rules see it."""
    stdin = call.f.stdin
    text = stdin.text if stdin is not None else None
    if not isinstance(text, str) or len(text) > MAX_DECODED:
        return None
    data: bytes
    try:
        if name in ("base64", "gbase64"):
            data = base64.b64decode(re.sub(r"[^A-Za-z0-9+/=]", "", text))
        elif name == "base32":
            data = base64.b32decode(re.sub(r"\s", "", text))
        elif name == "xxd":
            data = bytes.fromhex(re.sub(r"[^0-9A-Fa-f]", "", text))
        elif name == "rev":
            return "\n".join(line[::-1] for line in text.split("\n"))
        elif name == "tac":
            return "".join(line + "\n" for line in reversed(text.rstrip("\n").split("\n")))
        elif name == "tr" and len(rest) == 2 and all(f.known for f in rest):
            return _tr(text, rest[0].text, rest[1].text)
        else:
            return None
        return data.decode("utf-8")
    except (ValueError, binascii.Error):
        return None


def _tr(text: str, old: str, new: str) -> str | None:
    def spread(spec: str) -> str | None:
        if re.search(r"[\[\\]", spec):
            return None
        return re.sub(
            r"(.)-(.)",
            lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))) if m[1] <= m[2] else "",
            spec,
        )

    a, b = spread(old), spread(new)
    if not a or not b or len(a) > 300 or len(b) > 300:
        return None
    b += b[-1] * (len(a) - len(b))
    return text.translate(dict(zip(map(ord, a), b, strict=False)))
