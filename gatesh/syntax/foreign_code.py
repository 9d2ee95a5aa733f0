"""Shell commands inside other languages: `os.system("…")`, `system("…")`, sed's `e`."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import findings, foreign_files, foreign_strings, tables
from gatesh.syntax.call import located
from gatesh.syntax.expansions import Unsure
from gatesh.syntax.grammar import Reader
from gatesh.syntax.values import Field

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

MAX_LOOK = 200_000  # characters of code
MAX_LITTLE = 20_000  # of awk
MAX_CALLS = 400  # that may run something, in one piece of code
MAX_FOUND = 60  # commands that one piece of code spells out; more is opaque

_BUILT = re.compile(
    r"\b(?:exec|eval|compile|__import__|Function|runInThisContext|loadstring|class_eval"
    r"|instance_eval|create_function|assert)\s*\(\s*(?!\s*[\"'][^\"'+%]*[\"']\s*[,)])(?=[^)\s])"
)
_DECODES = re.compile(
    r"b64decode|base64_decode|fromhex|unhexlify|codecs\.decode|atob\(|decode_base64|gzinflate"
    r"|str_rot13|marshal\.loads|pickle\.loads|zlib\.decompress|Buffer\.from\([^)]*(?:base64|hex)"
    r"|pack\(\s*[\"'][Hhm]|unpack\(\s*[\"'][um]|FromBase64String|-EncodedCommand"
)
_IMPORTED = re.compile(r"(?:__import__|getattr|import_module)\s*\([^)]*[\"']\s*\+\s*[\"']")
_AWK_RUNS = re.compile(r"\bsystem\s*\(|\|\s*getline|\bprintf?\b[^;}\n|]*\|(?!\|)|\|\s*\"")
# An escaped quote is consumed as one, so that no string is looked for from there.
_AWK_STRING = re.compile(r"\\.|(\"(?:[^\"\\]|\\.)*+\"|(?<![\w)$\]])/(?:[^/\\\n]|\\.){1,400}+/)")
_AWK_LITERAL = re.compile(
    r"\bsystem\s*\(\s*\"((?:[^\"\\]|\\.)*)\"|(?<!\\)\"((?:[^\"\\]|\\.)*+)\"\s*+\|&?\s*getline"
    r"|\|&?\s*\"((?:[^\"\\]|\\.)*)\"|(?:\bsystem\s*\(|\|&?)\s*(?!getline)([A-Za-z_]\w*)"
)
_AWK_FILE = re.compile(
    r"\bprintf?\b[^;}\n>|]{0,200}>>?\s*\"([^\"]+)\"|\bgetline\s+\w*\s*<\s*\"([^\"]+)\""
)
_AWK_READS = re.compile(r"([\w$)\]]{1,60})\s*\|&?\s*getline")
_SED_RUNS = re.compile(
    r"(?:^|[;{}\n]|[0-9$/!])\s*e(?:\s+(?P<code>[^\n;}]*)|\s*$)"
    r"|s(?P<d>[^\w\s\\])(?:\\.|(?!(?P=d))[^\\])*+(?P=d)(?:\\.|(?!(?P=d))[^\\])*+(?P=d)[gpiImM0-9]*e",
    re.MULTILINE,
)
_BUILDS_CODE = frozenset({"python", "perl", "ruby", "node", "php"})
# What a line of theirs hands to a shell.
_ESCAPES = {
    **dict.fromkeys(
        ("psql", "mysql", "sqlite3", "duckdb"),
        re.compile(
            r"^\s*(?:\\!|\\[ogw]\s*\||\.(?:shell|system)\b|system\b|\.(?:once|output)\s*\|)\s*(.+)$",
            re.M,
        ),
    ),
    **dict.fromkeys(
        ("gdb", "lldb", "ed", "dc", "gnuplot", "debugfs", "r2", "ftp", "ipython"),
        re.compile(
            r"^\s*(?:\d*,?\d*[rw]\s+!|shell\b|!!?|pipe\b[^|]*\||platform shell|%?sx\b|%system\b)"
            r"\s*(.+)$",
            re.M,
        ),
    ),
}
_ONLY_ESCAPES = frozenset("psql mysql sqlite3 duckdb dc ed debugfs r2 ftp".split())
_ONLY_DATA = frozenset("bc cqlsh clickhouse-client sqlcmd bq".split())
# `COPY … TO PROGRAM 'cmd'`
_SQL_PROGRAM = re.compile(r"\bprogram\s+(?:E)?'((?:[^']|'')*)'", re.I)
_MAY_RUN = re.compile(
    r"system|popen|exec|spawn|subprocess|child_process|shell|getoutput|passthru|Command|[Pp]rocess"
    r"|\bsh\b|\bopen\b|\bsend\b|[cC]ommand|[:.]cmd\b|run-program|Runtime|\bpty\b|\.run\(|capture"
    r"|proc_open|\bqx|term|launch|\$\w+\s*\(|\beval"
)
# Code with one of these has its strings looked at as well.
_RUNS = re.compile(
    r"\b(?:system[2*]?|popen\w*|subprocess|spawn\w*|exec(?:[lv]\w*|Sync|File\w*)?|shell_exec|passthru"
    r"|proc_open|getoutput|Runtime|run-program|pty|term|[cC]allCommand|call-process|start-process"
    r"|shell-command|send|ShellExecute)\b|child_process|\.execute\(\)|sys\.process|shell script"
    r"|[:.]cmd\b|Sys\.command|ext:shell|\$\w+\s*\("
)
_SURE = re.compile(r"(?:system|popen[23]?|getoutput|getstatusoutput|shell_exec|passthru|execSync)$")
_EVALUATES = re.compile(
    r"\b(?:eval|exec|compile|Function|runIn\w*Context|loadstring|load|instance_eval)\s*+\(?\s*+"
    + foreign_strings.STRING,
    re.S,
)
# The first words of strings that are looked at as commands wherever they stand in such code.
_PROGRAMS = (
    tables.SHADOWED | tables.SHELLS | frozenset(
        "shutdown reboot halt poweroff mkfs dd shred userdel groupdel useradd usermod chattr fdisk"
        " parted wipefs iptables nft ufw killall pkill systemctl umount rmdir unlink nc ncat socat"
        " nohup setsid truncate crontab visudo mkfs.ext4 passwd".split()
    )
) - frozenset(
    "find which make type test read head less more sort set time command kill touch source . [ cut"
    " true false echo printf print alias unset trap tail cat pwd export cd ls".split()
)  # fmt: skip


def look(call: Call, language: str, code: str, span: tuple[int, int], depth: int = 0) -> None:
    """Follow the shell commands that *code* spells out; say so where it builds its own code."""
    f = call.f
    if len(code) > MAX_LOOK:
        f.finding(findings.OPAQUE, span, f"{call.name} code too long to look at")
        return
    found = _Found(call, span)
    if (escapes := _ESCAPES.get(language)) is not None:
        for escape in escapes.finditer(code):
            found.text(escape[1], sure=True)
        if language in ("psql", "mysql"):
            for program in _SQL_PROGRAM.finditer(code):
                found.text(program[1].replace("''", "'"), sure=True)
    if language in _ONLY_ESCAPES or language in _ONLY_DATA:
        return
    if language in ("expect", "tclsh", "wish"):
        for escape in re.finditer(r"(?:^|[;{\[\n])\s*(?:spawn|exec|system)\s+([^\n;\]}]+)", code):
            found.text(escape[1])
    if language in ("pwsh", "powershell"):
        found.text(code)
    if language == "m4":
        for escape in re.finditer(r"\be?syscmd\(\s*[`\"]?([^)'\"]*)", code):
            found.text(escape[1])
    _unknown(call, language, code, span)
    foreign_files.look(call, code, span)
    if _MAY_RUN.search(code) is None and "`" not in code and "%x" not in code:
        return
    plain = foreign_strings.plain(code, language)
    for text in dict.fromkeys((code, plain)):
        for number, handed in enumerate(foreign_strings.calls(text)):
            if number == MAX_CALLS:
                f.finding(findings.OPAQUE, span, f"{call.name} code has too many calls to look at")
                break
            if handed.listed:
                found.words(list(handed.words))
            else:
                found.text(handed.words[0], sure=_SURE.search(handed.name) is not None)
    if language in ("perl", "ruby", "php", "julia", "bun", "node"):
        for text in foreign_strings.backticks(code):
            found.text(text)
    runs = _RUNS.search(plain) is not None or (language in ("perl", "ruby") and "open" in plain)
    for text in map(str.strip, foreign_strings.strings(plain)) if runs else ():
        piped = text.strip("|").strip() if language in ("perl", "ruby") else text
        first = piped.split(None, 1)[0].rpartition("/")[2] if piped else ""
        if (first in _PROGRAMS and " " in piped) or (piped != text and first):
            found.text(piped)
    for evaluated in _EVALUATES.finditer(code):
        if depth < 2:
            look(call, language, foreign_strings.text_of(evaluated[1]), span, depth + 1)


class _Found:
    """Commands found in one piece of code: each is followed once, and not without end."""

    def __init__(self, call: Call, span: tuple[int, int]) -> None:
        self.call = call
        self.span = span
        self.seen: set[tuple[str, ...]] = set()

    def _new(self, *words: str) -> bool:
        if words in self.seen:
            return False
        self.seen.add(words)
        if len(self.seen) == MAX_FOUND:
            why = f"{self.call.name} code runs more commands than are looked at"
            self.call.f.finding(findings.OPAQUE, self.span, why)
        return len(self.seen) < MAX_FOUND

    def text(self, text: str, *, sure: bool = False) -> None:
        """Look at *text* as a shell would; unless *sure*, only where it can be read as one."""
        if self._new(text):
            _shell(self.call, text, self.span, sure=sure)

    def words(self, words: list[str]) -> None:
        """Look at *words* as a command."""
        if self._new(*words):
            _words(self.call, words, self.span)


def _unknown(call: Call, language: str, code: str, span: tuple[int, int]) -> None:
    """Say so where *code* decodes or builds what it runs."""
    f = call.f
    if _DECODES.search(code) and _BUILT.search(code):
        f.finding(findings.DECODED_CODE, span, f"{call.name} code decodes and runs code")
    elif _IMPORTED.search(code):
        f.finding(findings.OPAQUE, span, f"{call.name} code builds the names it uses")
    elif language in _BUILDS_CODE and any(_builds(code, b) for b in _BUILT.finditer(code)):
        f.finding(findings.OPAQUE, span, f"{call.name} code runs code it builds")


def _builds(code: str, found: re.Match[str]) -> bool:
    """Whether what is run is put together from pieces, not just a name from elsewhere."""
    argument = re.sub(foreign_strings.STRING, '""', code[found.end() : found.end() + 200])
    return (
        re.match(r"[^)\n]*(?:\+|%|\.format|join\(|chr\(|decode|\bopen\(|read\(|input\()", argument)
        is not None
    )


def _shell(call: Call, text: str, span: tuple[int, int], *, sure: bool = True) -> None:
    """Follow *text* as a shell command, if it reads like one."""
    f = call.f
    text = text.strip("\n")
    if not re.match(r"\s*[\w./~$({-]", text) or len(text) > 20_000:
        return
    if not re.search(r"\s|/", text.strip()) and not re.fullmatch(r"\s*[a-z]{2,12}\s*", text):
        return
    if not sure and not _readable(text):
        return
    outer = f.shell
    f.shell = outer.child()
    quiet = f.frame_inside(call.name, span)
    try:
        f.text(text, quiet, span)
    finally:
        f.shell = outer


def _readable(text: str) -> bool:
    try:
        Reader(text).read()
    except Unsure:
        return False
    return True


def _words(call: Call, words: list[str], span: tuple[int, int]) -> None:
    f = call.f
    outer = f.shell
    f.shell = outer.child()
    try:
        with f.deeper(f.frame_inside(call.name, span)):
            f.run([Field(w, w, start=span[0], end=span[1]) for w in words], span)
    finally:
        f.shell = outer


def little(call: Call, language: str, code: Field, span: tuple[int, int]) -> None:
    """awk and sed: code only where it runs something, else it is what everyone writes."""
    call.f.add(Kind.CODE, code.text, span, program=call.name)
    if language == "awk":
        _awk(call, code.text, span)
    else:
        _sed(call, code.text, span)


def _awk(call: Call, text: str, span: tuple[int, int]) -> None:
    f = call.f
    for match in _AWK_FILE.finditer(text[:MAX_LITTLE]):
        for path in located(f, match[1] or match[2]):
            f.add(Kind.WRITE if match[1] else Kind.READ, path, span)
    if len(text) > MAX_LITTLE:
        f.finding(findings.OPAQUE, span, "awk code too long to look at")
        return
    if (
        _AWK_RUNS.search(_AWK_STRING.sub(lambda found: '""' if found[1] else found[0], text))
        is None
    ):
        return
    found = _Found(call, span)
    plain = foreign_strings.plain(text, "awk")
    named = foreign_strings.constants(plain)
    named |= {x.partition("=")[0]: x.partition("=")[2] for x in _words_after(call, "-v")}
    literal, unknown = False, any(read[1] not in named for read in _AWK_READS.finditer(plain))
    for read in _AWK_READS.finditer(plain):
        if read[1] in named:
            literal = True
            found.text(named[read[1]], sure=True)
    for match in _AWK_LITERAL.finditer(plain):
        command = next((group for group in match.groups() if group), "")
        if match[4]:
            unknown = unknown or command not in named
            command = named.get(command, "")
        if command.startswith("/inet/"):
            literal = True
        elif command:
            literal = True
            made = foreign_strings.text_of(f'"{command}"')
            found.text(made, sure=True)
            if match[3] and made.split(None, 1)[0].rpartition("/")[2] in tables.SHELLS:
                f.finding(findings.DYNAMIC_CODE, span, f"awk writes code for {made}")
                for line in foreign_strings.strings(plain):
                    found.text(line)
    if unknown or not literal or re.search(r"system\s*\(\s*(?![\"\w])", plain):
        f.finding(findings.DYNAMIC_CODE, span, "awk runs commands it puts together")


def _words_after(call: Call, option: str) -> list[str]:
    """Return the values that follow *option*, wherever it stands."""
    texts = [field.text for field in call.fields]
    return [value for name, value in itertools.pairwise(texts) if name == option]


_SED_FILE = re.compile(
    r"(?:^|[;{}\n]|[0-9$/!~])\s*([wWrR])\s+([^\s;}]+)"
    r"|s([^\w\s\\])(?:\\.|(?!\3)[^\\])*+\3(?:\\.|(?!\3)[^\\])*+\3[gpiImMe0-9]*w\s+(\S+)"
)


def _sed(call: Call, text: str, span: tuple[int, int]) -> None:
    f = call.f
    for match in _SED_FILE.finditer(text):
        kind = Kind.READ if match[1] in ("r", "R") else Kind.WRITE
        for path in located(f, match[2] or match[4]):
            if path != "/dev/stdout":
                f.add(kind, path, span)
    for runs in _SED_RUNS.finditer(text) if "e" in text else ():
        command = (runs["code"] or "").strip()
        if command:
            _shell(call, command, span)
        else:
            f.finding(findings.DYNAMIC_CODE, span, "sed runs the text it edits")
            return
