"""Shell commands inside other languages: `os.system("…")`, `system("…")`, sed's `e`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.values import Field

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

MAX_LOOK = 200_000

_STRING = r"""(?:[rbuf]{0,2})("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_SHELL_CALL = re.compile(
    r"\b(?:system|popen2?|popen3|execSync|exec|shell_exec|passthru|getoutput|getstatusoutput"
    r"|check_output|check_call|call|run|Popen|create_subprocess_shell|spawnSync|spawn|proc_open"
    r"|capture2e?|capture3|sh|execute|shell-command(?:-to-string)?|async-shell-command|cmd)\s*\(?\s*"
    + _STRING
)
_LIST_CALL = re.compile(
    r"\b(?:check_output|check_call|call|run|Popen|spawnSync|spawn|execFileSync|execFile|execv?[lp]*e?"
    r"|posix_spawnp?|cmd)\s*\(\s*(?:"
    + _STRING
    + r"\s*,\s*)?[\[(]((?:\s*"
    + _STRING
    + r"\s*,?)+)[\])]"
)
_BACKTICKS = re.compile(r"(?<!\\)(?:`|%x\{|qx\{|qx\()([^`{}\n]{1,2000})[`})]")
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
_AWK_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|(?<![\w)$\]])/(?:[^/\\\n]|\\.)+/")
_AWK_LITERAL = re.compile(
    r"\bsystem\s*\(\s*\"((?:[^\"\\]|\\.)*)\"|\"((?:[^\"\\]|\\.)*)\"\s*\|\s*getline"
    r"|\|\s*\"((?:[^\"\\]|\\.)*)\""
)
_SED_RUNS = re.compile(
    r"(?:^|[;{}\n]|[0-9$/!])\s*e(?:\s+(?P<code>[^\n;}]*)|\s*$)"
    r"|s(?P<d>[^\w\s\\])(?:(?!(?P=d)).)*(?P=d)(?:(?!(?P=d)).)*(?P=d)[gpiImM0-9]*e",
    re.MULTILINE,
)
_BUILDS_CODE = frozenset({"python", "perl", "ruby", "node", "php"})


def look(call: Call, language: str, code: str, span: tuple[int, int]) -> None:
    """Follow the shell commands that *code* spells out; say so where it builds its own code."""
    f = call.f
    if len(code) > MAX_LOOK:
        f.finding(findings.OPAQUE, span, f"{call.name} code too long to look at")
        return
    if language in ("psql", "mysql", "sqlite3", "duckdb"):
        for found in re.finditer(
            r"^\s*(?:\\!|\\o\s*\||\.shell|\.system|system)\s+(.+)$", code, re.M
        ):
            _shell(call, found[1], span)
        return
    if language in ("bc", "dc", "cqlsh", "mongosh", "mongo", "clickhouse-client"):
        return
    if language in ("gdb", "ed", "lldb"):
        for found in re.finditer(r"^\s*(?:shell\b|!|platform shell)\s*(.+)$", code, re.M):
            _shell(call, found[1], span)
    if _DECODES.search(code) and _BUILT.search(code):
        f.finding(findings.DECODED_CODE, span, f"{call.name} code decodes and runs code")
    elif _IMPORTED.search(code):
        f.finding(findings.OPAQUE, span, f"{call.name} code builds the names it uses")
    elif language in _BUILDS_CODE and any(_builds(code, b) for b in _BUILT.finditer(code)):
        f.finding(findings.OPAQUE, span, f"{call.name} code runs code it builds")
    if language in ("expect", "tclsh", "wish"):
        for found in re.finditer(r"(?:^|[;{\[\n])\s*(?:spawn|exec|system)\s+([^\n;\]}]+)", code):
            _shell(call, found[1], span)
    if language in ("pwsh", "powershell"):
        _shell(call, code, span)
    seen = 0
    for found in _SHELL_CALL.finditer(code):
        seen += 1
        if seen > 50:
            break
        _shell(call, _unquoted(found[1]), span)
    for found in _LIST_CALL.finditer(code):
        words = [_unquoted(word) for word in re.findall(_STRING, found[2])]
        if found[1] and call.name.startswith("node"):
            words = [_unquoted(found[1]), *words]
        seen += 1
        if words and seen <= 100:
            _words(call, words, span)
    if language in ("perl", "ruby", "php"):
        for found in _BACKTICKS.finditer(code):
            _shell(call, found[1], span)


def _builds(code: str, found: re.Match[str]) -> bool:
    """Whether what is run is put together from pieces, not just a name from elsewhere."""
    argument = code[found.end() : found.end() + 200]
    return (
        re.match(r"[^)\n]*(?:\+|%|\.format|join\(|chr\(|decode|\bopen\(|read\(|input\()", argument)
        is not None
    )


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]).replace("\x00", "")


def _shell(call: Call, text: str, span: tuple[int, int]) -> None:
    """Follow *text* as a shell command, if it reads like one."""
    f = call.f
    if not re.match(r"\s*[\w./~$({-]", text) or len(text) > 20_000:
        return
    if not re.search(r"\s|/", text.strip()) and not re.fullmatch(r"\s*[a-z]{2,12}\s*", text):
        return
    outer = f.shell
    f.shell = outer.child()
    quiet = f.frame_inside(call.name, span)
    try:
        f.text(text, quiet, span)
    finally:
        f.shell = outer


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
    f = call.f
    text = code.text
    f.add(Kind.CODE, text, span, program=call.name)
    if language == "awk":
        if _AWK_RUNS.search(_AWK_STRING.sub('""', text)) is None:
            return
        literal = False
        for found in _AWK_LITERAL.finditer(text):
            command = found[1] or found[2] or found[3] or ""
            if command:
                literal = True
                _shell(call, _unquoted(f'"{command}"'), span)
        if not literal or re.search(r"system\s*\(\s*(?!\")", text):
            f.finding(findings.DYNAMIC_CODE, span, "awk runs commands it puts together")
        return
    runs = _SED_RUNS.search(text) if "e" in text else None
    if runs is not None:
        command = (runs["code"] or "").strip()
        if command:
            _shell(call, command, span)
        else:
            f.finding(findings.DYNAMIC_CODE, span, "sed runs the text it edits")
