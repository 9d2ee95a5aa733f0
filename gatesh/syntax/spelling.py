"""The further spellings under which a command is offered to rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    " tee find cat head tail less more tac nl od xxd hexdump strings base64 grep zip scp mkfs"
    " wipefs fdisk parted mount umount sed awk source . vim vi nano sort bat gzip ls stat du tree"
    " trash gio mkdir cut".split()
)
# Their first operand is a mode, an owner, a pattern or a program.
NOT_A_PATH_FIRST = frozenset("chmod chown chgrp chattr grep sed awk".split())
# Their options that are followed by a word that is no path.
VALUES = {
    **dict.fromkeys(("head", "tail"), "ncs"), **dict.fromkeys(("mount", "umount"), "tOLUN"),
    "grep": "eABCmdD", "ls": "wIT", "du": "dt", "tree": "LPI", "sort": "ktS", "sed": "e",
    "awk": "Fv", "truncate": "s", "touch": "dt", "install": "mog", "mkdir": "m", "zip": "nxi",
    "stat": "cft", "mkfs": "t", "cut": "dfbc", "xxd": "cgls", "od": "AjNtw", "nl": "bdfhilnsvw",
    "bat": "lr", "base64": "w", "hexdump": "nse", "strings": "nte", "chattr": "pv", "shred": "ns",
    "wipefs": "ot", "less": "p", "more": "np", "cp": "S", "mv": "S", "ln": "S", "gzip": "S",
    "scp": "PFlocSJ", "tee": "", "vim": "c", "vi": "c",
}  # fmt: skip
MAX_SPELLINGS = 12
_REMOTE = re.compile(r"[\w.@-]+:/")  # host:/path


@dataclass(frozen=True, slots=True)
class _Globals:
    before: Options  # what may stand before the subcommand
    anywhere: Options  # what may stand after it too


@cache
def _globals() -> dict[str, _Globals]:
    made: dict[str, _Globals] = {}
    for line in tables.GLOBAL_OPTIONS.splitlines():
        if line:
            name, short, long, anywhere = [*(part.strip(": ") for part in line.split(" :")), ""][:4]
            longs = frozenset(long.split())
            made[name] = _Globals(
                Options(frozenset(short.split()), longs),
                Options(frozenset(anywhere.split()), longs),
            )
    return made


def bare_fields(name: str, fields: list[Field]) -> list[Field]:
    """Return *fields* without the options that stand before the subcommand."""
    found = _globals().get(name)
    if found is None or len(fields) < 2:
        return fields
    if fields[1].text[:1] == "-":
        first = options_of(fields, 1, found.before).first
        fields = [fields[0], *fields[first:]]
    if len(fields) > 2 and fields[2].text[:1] == "-":
        second = _globals().get(f"{name} {fields[1].text}")
        if second is not None:
            first = options_of(fields, 2, second.before).first
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
        if text[:2] == "--" and text[2:].partition("=")[0] in found.anywhere.long:
            at += 1 if "=" in text else 2
            continue
        if text[:1] == "-" and text[1:2] in found.anywhere.short:
            at += 1 if len(text) > 2 else 2
            continue
        kept.append(fields[at])
        at += 1
    return kept if len(kept) != len(fields) else None


def spellings(call: Call) -> tuple[str, ...]:
    """Return the spellings besides the full text, most useful first."""
    name, fields = call.name, call.fields
    if name not in _globals() and name not in FILE_PROGRAMS:
        return ()
    found: dict[str, None] = {}
    if " -" in call.text:
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
    """Return spellings with operands resolved, and with globs that reach what is protected.

    What stays inside the directory the line started in needs no second spelling.
    """
    f = call.f
    shell = f.shell
    home = shell.one("HOME")
    made = []
    for directory in shell.cwd or ("",):
        changed = False
        words = [call.name]
        globs: list[tuple[int, str]] = []
        skip = call.name in NOT_A_PATH_FIRST
        letters = VALUES.get(call.name, "")
        before = ""
        for at, field in enumerate(call.fields[1:], 1):
            text, option = field.text, before
            before = text
            if (
                text[:1] in ("-", "!", "(", ")")
                and call.name == "find"
                and text not in ("-H", "-L", "-P")
            ):
                words += [field.text for field in call.fields[at:]]
                break
            if len(option) > 1 and option[0] == "-" != option[1] and option[-1] in letters:
                words.append(text)
                continue
            if text[:1] in ("", "-") or skip or (not directory and text[0] != "/"):
                skip = skip and text[:1] == "-"
                words.append(text)
                continue
            if text[0] in "$`<{(+…" or "://" in text or _REMOTE.match(text) is not None:
                words.append(text)
                continue
            key, _, value = text.partition("=") if call.name == "dd" else ("", "", text)
            path = paths.resolve(value, directory)
            changed = changed or (path != value and not path.startswith(f.ground))
            if field.glob:
                globs.append((len(words), path))
            words.append(f"{key}={path}" if key else path)
        if changed:
            made.append(" ".join(words))
        for at, pattern in globs:
            for reached in paths.reached(pattern, home):
                made.append(" ".join([*words[:at], reached, *words[at + 1 :]]))
    return made
