# ruff: noqa: E501
"""Arguments that hold a command somewhere inside: a table, one line each; add freely.

    programs (comma) ␠ pattern

The pattern is searched in each argument, and in each option together with the argument after
it (`-wrapper sh,-c`).  What its groups match is given to a shell.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from gatesh.syntax.code import nested_text

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

_TABLE = r"""
fzf,sk               (?:execute|execute-silent|reload|reload-sync|become|transform)(?:[a-z-]*)(?:\((.{0,2000}?)\)(?:$|\+|,)|:(.*))
less,more,most,pg    ^\+!(.*)
svn                  ^--config-option[= ]config:tunnels:\w+=(.*)
hg,chg               ^--config[= ](?:alias\.[\w-]+|hooks\.[\w.-]+|ui\.(?:editor|merge|ssh)|(?:merge-tools|extdiff)\.[^\s=]+)=!?(.*)
rpm,rpmbuild,rpmspec,rpmdb,rpmquery,rpmverify,rpmkeys %\((.{0,2000}?)\)
rpm                  ^--pipe[= ](.*)
gs                   %pipe%([^)]*)
identify,convert,magick,mogrify,composite,montage ^\|(.*)
strace               ^-o ?\|(.*)
cargo                (?:rustc-wrapper|rustc-workspace-wrapper|runner|linker)\s*=\s*["']?([^"']*)
mvn,mvnw             ^-Dexec\.executable=(.*)
latex,pdflatex,xelatex,lualatex,tex,etex,pdftex \\write18\s*\{([^}]*)\}
lualatex,luatex,latex os\.execute\s*\(?\s*["'\[]+([^"'\]]*)
gcc,g++,cc,c++,cpp,clang,clang++ ^-wrapper (.*)
make,gmake,bmake     \$[({]shell\s+([^)}]*)
make,gmake,bmake     ^(?:CC|CXX|CPP|LD|AR|AS|NM|RM|MV|CP|LN|INSTALL|PYTHON|NODE|GO|CARGO|DOCKER|MAKE|SUDO)=(\S+\s.*)
dialog,whiptail      ^--prgbox (.*)
rofi                 ^-modi \w+:(.*)
xfce4-terminal,terminator,mate-terminal ^--command[= ](.*)
man                  ^-H(.+)
ffmpeg,ffplay        ^pipe:\|(.*)
nmap                 os\.execute\s*\(?\s*["']+([^"']*)
bpftrace             ^-c (.*)
busctl               argv[0-9]+=([^,]*\s[^,]*)
latexmk              ^-(?:pdf|xe|lua|dvi)?latex=(.*)
pip,pip3             ^--editor[= ](.*)
puppet               exec\s*\{\s*["']([^"']*)
chef-apply           execute\s+["']([^"']*)
"""


@cache
def _patterns() -> dict[str, tuple[re.Pattern[str], ...]]:
    made: dict[str, tuple[re.Pattern[str], ...]] = {}
    for line in _TABLE.splitlines():
        if line:
            names, pattern = line.split(None, 1)
            for name in names.split(","):
                made[name] = (*made.get(name, ()), re.compile(pattern, re.DOTALL))
    return made


def has(name: str) -> bool:
    """Whether arguments of *name* may hold commands."""
    return name in _patterns()


def look(call: Call) -> None:
    """Follow the commands that stand inside arguments."""
    before = ""
    for field in call.rest:
        for pattern in _patterns()[call.name]:
            for text in (field.text, f"{before} {field.text}") if before else (field.text,):
                found = pattern.search(text)
                code = next((group for group in found.groups() if group), "") if found else ""
                if code:
                    if call.name in ("gcc", "g++", "cc", "c++", "cpp", "clang", "clang++"):
                        code = code.replace(",", " ")
                    nested_text(call, code.strip("'\""), call.span_of([field]), call.name)
                    break
        before = field.text if field.text[:1] == "-" and "=" not in field.text else ""
