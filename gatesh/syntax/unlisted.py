"""Programs that no table knows, where their arguments say that they run another one.

`certbot --pre-hook 'cmd'`, `newtool /bin/sh -c 'cmd'`: the next launcher is always one nobody
has listed yet.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.syntax import tables
from gatesh.syntax.call import located
from gatesh.syntax.code import nested_text
from gatesh.syntax.expansions import Unsure
from gatesh.syntax.grammar import Reader
from gatesh.syntax.spelling import FILE_PROGRAMS
from gatesh.syntax.unwrap import inner
from gatesh.syntax.values import Field
from gatesh.syntax.wrappers import table

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

# What they are given is text or files, whatever it looks like.
_DATA = FILE_PROGRAMS | frozenset(
    "echo printf egrep fgrep rg gh glab jq yq logger say notify-send wall write test [ : true false"
    " read type which whereis man apropos whatis info file ldd readelf objdump nm strip patchelf"
    " md5sum sha1sum sha256sum sha512sum b2sum cksum diff cmp comm rpm dpkg dpkg-query apt-file"
    " realpath readlink basename dirname lsof fuser pgrep pidof pkill killall locate updatedb"
    " setcap getcap getfacl lsattr namei expr date cal bc sleep seq mail mutt sendmail curl http"
    " select case export declare local readonly alias set unset cmake meson pip pip3 cargo".split()
)
_TELLS = re.compile(
    r"--?[\w-]*(?:command|cmd|exec|hook|rsh|shell|script|editor|pager|program|runner|wrapper)(?:-[\w-]+)?"
)
_SETTING = re.compile(r"[\w.-]*(?:[cC]ommand|cmd|[eE]xec)[ =](.*\S\s+\S.*)", re.DOTALL)
_SYSTEM_PROGRAM = re.compile(r"/(?:usr/)?(?:local/)?s?bin/([\w.+-]+)")
_WORTH_A_LOOK = re.compile(
    r"/s?bin/|(?:ommand|cmd|xec|hook|rsh|shell|script|ditor|pager|program|runner|wrapper)"
)
_HARMLESS = frozenset("test true false echo ls cat env ".split())


def look(call: Call) -> None:
    """Follow what the arguments of an unlisted program name as a program with arguments."""
    if call.f.executable and call.name not in _DATA:
        for field in call.rest:
            for path in located(call.f, field.text.rpartition("=")[2]):
                if path in call.f.executable:  # why else would the line have made it so
                    inner(call, [Field(path, path, start=field.start, end=field.end)], call.name)
    if _WORTH_A_LOOK.search(call.text) is None or call.name in _DATA:
        return
    before = ""
    for at, field in enumerate(call.fields[1:], 1):
        text = field.text
        option, equals, value = text.partition("=")
        code = ""
        if equals and _TELLS.fullmatch(option):
            code = value
        elif _TELLS.fullmatch(before):
            code = text
        elif (setting := _SETTING.fullmatch(text)) is not None:
            code = setting[1]
        elif (program := _SYSTEM_PROGRAM.fullmatch(text)) is not None and at + 1 < len(call.fields):
            if _known(program[1]):
                inner(call, call.fields[at:], call.name)
                return
        elif (program := _SYSTEM_PROGRAM.match(text)) is not None and _known(program[1]):
            code = text
        if " " in code.strip() and _readable(code):
            nested_text(call, code, call.span_of([field]), call.name)
        before = "" if equals else text


def _known(name: str) -> bool:
    return (
        name in tables.SHADOWED or name in tables.SHELLS or name in table()
    ) and name not in _HARMLESS


def _readable(text: str) -> bool:
    if re.match(r"\s*[\w./~$-]", text) is None or len(text) > 20_000:
        return False
    try:
        Reader(text).read()
    except Unsure:
        return False
    return True
