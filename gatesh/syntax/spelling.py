"""The further spellings under which a command is offered to rules."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from gatesh.syntax import paths, tables
from gatesh.syntax.values import Field
from gatesh.syntax.wrappers import Options, options_of

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

# Programs whose operands are files: `cd / && rm -rf .` is offered as `rm -rf /` too.
FILE_PROGRAMS = frozenset(
    "rm rmdir unlink shred srm mv cp install ln chmod chown chgrp chattr setfacl touch truncate dd"
    " tee find cat head tail less more tac nl od xxd hexdump strings base64 grep tar zip rsync scp"
    " mkfs wipefs fdisk parted mount umount sed awk source . vim vi nano ed sort bat gzip openssl"
    " ls stat du tree trash gio mkdir cut".split()
)
MAX_SPELLINGS = 12


@cache
def _globals() -> dict[str, tuple[tuple[str, ...], Options]]:
    made: dict[str, tuple[tuple[str, ...], Options]] = {}
    for line in tables.GLOBAL_OPTIONS.splitlines():
        if line and not line.startswith("#"):
            words, short, long = (part.strip() for part in line.split(" :", 2))
            name = tuple(words.split())
            made[words] = (
                name,
                Options(
                    frozenset(short.lstrip(": ").split()), frozenset(long.lstrip(": ").split())
                ),
            )
    return made


def bare_fields(name: str, fields: list[Field]) -> list[Field]:
    """Return *fields* without the options that stand before the subcommand."""
    found = _globals().get(name)
    if found is None or len(fields) < 2:
        return fields
    if fields[1].text[:1] == "-":
        first = options_of(fields, 1, found[1]).first
        fields = [fields[0], *fields[first:]]
    if len(fields) > 2 and fields[2].text[:1] == "-":
        second = _globals().get(f"{name} {fields[1].text}")
        if second is not None:
            first = options_of(fields, 2, second[1]).first
            fields = [*fields[:2], *fields[first:]]
    return fields


def _anywhere(name: str, fields: list[Field]) -> list[Field] | None:
    """Return *fields* without global options wherever they stand (`kubectl delete -n x pod a`)."""
    found = _globals().get(name)
    if found is None:
        return None
    kept = [fields[0]]
    at = 1
    while at < len(fields):
        text = fields[at].text
        if text == "--":
            kept += fields[at:]
            break
        if text[:2] == "--" and text[2:].partition("=")[0] in found[1].long:
            at += 1 if "=" in text else 2
            continue
        kept.append(fields[at])
        at += 1
    return kept if len(kept) != len(fields) else None


def spellings(call: Call) -> tuple[str, ...]:
    """Return the spellings besides the full text, most useful first."""
    name, fields = call.name, call.fields
    found: dict[str, None] = {}
    bare = bare_fields(name, fields)
    if bare is not fields:
        found[_text(name, bare)] = None
    anywhere = _anywhere(name, bare)
    if anywhere is not None:
        found[_text(name, anywhere)] = None
    if name in FILE_PROGRAMS:
        for spelled in _located(call):
            found[spelled] = None
    found.pop(call.text, None)
    return tuple(found)[:MAX_SPELLINGS]


def _text(name: str, fields: list[Field]) -> str:
    return " ".join([name, *[field.text for field in fields[1:]]])


def _located(call: Call) -> list[str]:
    """Return spellings with operands resolved, and with globs that reach what is protected."""
    shell = call.f.shell
    home = shell.one("HOME")
    made = []
    for directory in shell.cwd or ("",):
        changed = False
        words = [call.name]
        globs: list[tuple[int, str]] = []
        for field in call.fields[1:]:
            text = field.text
            if text[:1] in ("-", "") or (not directory and text[0] != "/") or text[0] in "$+(":
                words.append(text)
                continue
            if "=" in text and call.name == "dd":
                key, _, value = text.partition("=")
                path = f"{key}={paths.resolve(value, directory)}" if value else text
            else:
                path = paths.resolve(text, directory)
            changed = changed or path != text
            if (field.glob and path.rstrip("*") != path[:-1]) or (
                field.glob and path.endswith("*")
            ):
                globs.append((len(words), path))
            words.append(path)
        if changed:
            made.append(" ".join(words))
        for at, pattern in globs:
            for reached in paths.reached(pattern, home):
                made.append(" ".join([*words[:at], reached, *words[at + 1 :]]))
    return made
