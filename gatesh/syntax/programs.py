"""Programs with a way of their own to run others: git, tar, make, editors, …"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import findings, unwrap
from gatesh.syntax.call import code_field
from gatesh.syntax.code import nested, nested_text
from gatesh.syntax.gitconfig import runs_code
from gatesh.syntax.spelling import bare_fields
from gatesh.syntax.values import Field, Output
from gatesh.syntax.wrappers import Options, options_of

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

_GIT = Options(
    frozenset("Cc"),
    frozenset(
        "git-dir work-tree namespace super-prefix config-env exec-path list-cmds"
        " attr-source".split()
    ),
)


def git(call: Call) -> Output | None:
    """`-c key=value`, `git config key value`, aliases that run commands, `ext::` addresses."""
    f = call.f
    found = options_of(call.fields, 1, _GIT)
    for name, value in found.options:
        if value is None:
            continue
        if name == "-c":
            key, _, setting = value.text.partition("=")
            _setting(call, key, setting, value)
        elif name == "--config-env":
            f.finding(
                findings.CODE_IN_ENV, call.span_of([value]), "a git setting comes from a variable"
            )
        elif name == "--exec-path":
            f.finding(
                findings.CODE_IN_ENV, call.span_of([value]), f"git runs programs in {value.text}"
            )
    rest = call.fields[found.first :]
    if len(rest) > 2 and rest[0].text == "config":
        words = [field for field in rest[1:] if field.text[:1] != "-" and field.text != "set"]
        if len(words) > 1:
            _setting(call, words[0].text, words[1].text, words[1])
    for field in rest[1:]:
        if field.text.startswith("ext::"):
            code = field.text[5:]
            nested_text(call, code, call.span_of([field]), "git ext::")
    if rest and rest[0].text in ("clone", "fetch", "pull"):
        for name, value in options_of(
            rest, 1, Options(frozenset("cuob"), frozenset({"config"}))
        ).options:
            if name in ("-c", "--config") and value is not None:
                key, _, setting = value.text.partition("=")
                _setting(call, key, setting, value)
    return None


def _setting(call: Call, key: str, value: str, field: Field) -> None:
    f = call.f
    if not runs_code(key, value):
        return
    span = call.span_of([field])
    low = key.lower()
    if low in ("core.hookspath", "init.templatedir", "protocol.ext.allow"):
        f.finding(findings.CODE_IN_ENV, span, f"git -c {key}={value} makes git run other code")
        return
    code = value.removeprefix("!")
    if low == "core.sshcommand" and re.fullmatch(
        r"ssh(?:\s+-i\s+\S+|\s+-o\s+(?!Proxy|Local|Known\w*Comm)\S+|\s+-[46qTv])*", code
    ):
        return
    f.finding(findings.CODE_IN_ENV, span, f"{key} makes git run `{code}`")
    nested_text(call, code, call.span_of([field]), f"git {key}")


def tar(call: Call) -> Output | None:
    """Checkpoint actions; the table knows the other options."""
    for at, field in enumerate(call.fields):
        text = field.text
        if text == "--checkpoint-action" and at + 1 < len(call.fields):
            text = "--checkpoint-action=" + call.fields[at + 1].text
        found = re.match(r"--checkpoint-a[a-z]*=exec=(.*)", text, re.DOTALL)
        if found is not None:
            code = found[1].strip("'\"")
            nested_text(call, code, call.span_of([field]), "tar checkpoint")
    return None


def make(call: Call) -> Output | None:
    """`--eval`, `SHELL=`, makefiles on standard input."""
    f = call.f
    fields = call.fields
    for at, field in enumerate(fields):
        text = field.text
        value = ""
        if text.startswith("--eval"):
            value = text.partition("=")[2] or (fields[at + 1].text if at + 1 < len(fields) else "")
        elif re.fullmatch(r"-E.+", text):
            value = text[2:]
        elif text == "-E" and at + 1 < len(fields):
            value = fields[at + 1].text
        elif re.match(r"(?:SHELL|\.SHELLFLAGS|MAKEFLAGS)=", text):
            f.finding(
                findings.CODE_IN_ENV, call.span_of([field]), f"make runs its recipes with {text}"
            )
        if value:
            _makefile(call, value, call.span_of([field]))
        if text in ("-f-", "--file=-") or (
            text in ("-f", "--file", "--makefile")
            and at + 1 < len(fields)
            and fields[at + 1].text in ("-", "/dev/stdin")
        ):
            content = f.stdin.text if f.stdin is not None else None
            if isinstance(content, str):
                _makefile(call, content, call.span)
            else:
                f.finding(findings.DYNAMIC_CODE, call.span, "make reads rules that are not known")
    return None


def _makefile(call: Call, text: str, span: tuple[int, int]) -> None:
    f = call.f
    f.add(Kind.CODE, text, span, program="make")
    for found in re.finditer(
        r"\$\(shell\s+([^)]*)\)|(?:^|\n)\t[@+-]*([^\n]+)|:[^\n;=]*;\s*([^\n]+)|!=\s*([^\n]+)", text
    ):
        code = next((group for group in found.groups() if group), "")
        if code:
            code = code.replace("$$", "$")
            nested_text(call, code, span, "make")


def socat(call: Call) -> Output | None:
    """`EXEC:` and `SYSTEM:` addresses."""
    for field in call.rest:
        found = re.match(r"(?i)(exec|system|shell):(.*)", field.text, re.DOTALL)
        if found is not None:
            code = re.split(r"(?<!\\),(?=[a-z]+(?:=|,|$))", found[2])[0].strip("'\"")
            nested_text(
                call,
                code,
                call.span_of([field]),
                f"socat {found[1].lower()}",
            )
    return None


def editor(call: Call) -> Output | None:
    """`vim -c '!cmd'`, `+'!cmd'`, `--cmd`."""
    fields = call.fields
    for at, field in enumerate(fields):
        text = field.text
        if text[:1] == "+" and len(text) > 1:
            code = text[1:]
        elif text in ("-c", "--cmd", "-S", "-s") and at + 1 < len(fields):
            code = fields[at + 1].text
        elif text[:2] == "-c" and len(text) > 2:
            code = text[2:]
        else:
            continue
        _ex(call, code, call.span_of([field]))
    if (
        call.f.stdin is not None
        and isinstance(call.f.stdin.text, str)
        and call.name in ("ex", "vim", "vi")
    ):
        _ex(call, call.f.stdin.text, call.span)
    return None


def _ex(call: Call, code: str, span: tuple[int, int]) -> None:
    f = call.f
    for line in re.split(r"\n|(?<!\\)\|", code):
        found = re.match(
            r"\s*:*\s*(?:sil\w*!?\s*)*(?:[%0-9,.$]*)(?:r\w*\s+|w\w*\s+)?!+\s*(.+)", line
        )
        found = found or re.match(r"\s*:*\s*(?:term\w*|te\w*)\s+(.+)", line)
        if found is not None:
            text = found[1]
            nested_text(call, text, span, f"{call.name} !")
        elif re.search(
            r"\b(?:system(?:list)?|job_start|term_start|execute|py3?|python3?|lua|perl|ruby)\b",
            line,
        ):
            f.add(Kind.CODE, line.strip(), span, program=call.name)
            if (
                literal := re.search(r"\b(?:system(?:list)?|job_start)\s*\(\s*([\"'])(.*?)\1", line)
            ) is not None:
                text = literal[2]
                nested_text(call, text, span, f"{call.name} system")


_TMUX_STARTS = frozenset(
    "new-session new new-window neww split-window splitw respawn-pane respawn-window popup"
    " display-popup".split()
)


def tmux(call: Call) -> Output | None:
    """Commands for a new window, and keys typed into a terminal."""
    fields = bare_fields("tmux", call.fields)
    if len(fields) < 2:
        return None
    name = fields[1].text
    options = Options(frozenset("tscnxyFSeLTfp"), frozenset())
    found = options_of(fields, 2, options)
    rest = fields[found.first :]
    if name in _TMUX_STARTS and rest:
        return nested(call, code_field(rest), f"tmux {name}")
    if name in ("run-shell", "run", "if-shell", "if", "pipe-pane", "pipep") and rest:
        return nested(call, rest[0], f"tmux {name}")
    if name in ("send-keys", "send") and rest:
        keys = [
            f
            for f in rest
            if not re.fullmatch(r"C-.|Enter|Escape|KP\w+|Tab|Space|BSpace|Up|Down|M-.", f.text)
        ]
        if keys:
            return nested(call, code_field(keys), "tmux send-keys", foreign=True)
    return None


def screen(call: Call) -> Output | None:
    """`screen cmd`, `screen -X stuff keys`."""
    texts = [field.text for field in call.fields]
    if "-X" in texts:
        at = texts.index("-X")
        rest = call.fields[at + 2 :]
        if texts[at + 1 : at + 2] in (["stuff"], ["exec"], ["screen"]) and rest:
            code = rest[0].text.replace("^M", "\n").replace("\\n", "\n")
            nested(call, Field(code, code, start=rest[0].start, end=rest[0].end), "screen -X")
        return None
    found = options_of(call.fields, 1, Options(frozenset("cSehpstT"), frozenset()))
    rest = call.fields[found.first :]
    if any(name in ("-r", "-x", "-R", "-l", "-w") for name, _ in found.options) and not rest:
        return None
    return unwrap.inner(call, rest, "screen") if rest else None


def crontab(call: Call) -> Output | None:
    """Lines for cron are commands that run later."""
    f = call.f
    if any(field.text == "-" for field in call.rest) and f.stdin is not None:
        text = f.stdin.text
        if isinstance(text, str):
            for line in text.splitlines():
                found = re.match(r"\s*(?:@\w+|(?:\S+\s+){4}\S+)\s+(.+)", line)
                if found and not line.lstrip().startswith("#"):
                    code = found[1]
                    nested_text(call, code, call.span, "crontab")
    return None


def apt(call: Call) -> Output | None:
    """`-o APT::Update::Pre-Invoke::=cmd`."""
    for field in call.rest:
        found = re.search(r"(?:Pre|Post)-Invoke(?:-\w+)?(?:::)?=(.+)", field.text, re.DOTALL)
        if found is not None:
            code = found[1].strip("\"'")
            nested_text(call, code, call.span_of([field]), f"{call.name} -o")
    return None
