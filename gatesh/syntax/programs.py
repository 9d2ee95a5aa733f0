"""Programs with a way of their own to run others: git, tar, make, editors, …"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.syntax import findings
from gatesh.syntax.code import nested_text
from gatesh.syntax.gitconfig import runs_code
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
        _config(call, rest)
    if rest and rest[0].text == "grep":
        for field in rest[1:]:
            if field.text[:2] == "-O" and len(field.text) > 2:
                nested_text(call, field.text[2:], call.span_of([field]), "git grep -O")
    for field in rest[1:]:
        if field.text.startswith("ext::"):
            code = field.text[5:]
            nested_text(call, code, call.span_of([field]), "git ext::")
    if rest and rest[0].text in ("clone", "fetch", "pull"):
        for name, value in options_of(
            rest, 1, Options(frozenset("cuob"), frozenset({"config", "template"}))
        ).options:
            if name == "--template" and value is not None and value.text:
                why = f"git takes hooks from {value.text}"
                f.finding(findings.CODE_IN_ENV, call.span_of([value]), why)
            if name in ("-c", "--config") and value is not None:
                key, _, setting = value.text.partition("=")
                _setting(call, key, setting, value)
    return None


_CONFIG = Options(frozenset("f"), frozenset("file blob type default comment value".split()))


def _config(call: Call, rest: list[Field]) -> None:
    """`git config [set] key value`, with its options wherever they stand."""
    words: list[Field] = []
    at = 1
    while at < len(rest):
        found = options_of(rest, at, _CONFIG)
        words += rest[found.first : found.first + 1]
        at = found.first + 1
    words = [field for field in words if field.text != "set"]
    if len(words) > 1:
        _setting(call, words[0].text, words[1].text, words[1])


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


def crontab(call: Call) -> Output | None:
    """Lines for cron are commands that run later."""
    f = call.f
    if any(field.text == "-" for field in call.rest) and f.stdin is not None:
        text = f.stdin.text
        if isinstance(text, str):
            stdin, f.stdin = f.stdin, Output("")  # cron gives its commands nothing to read
            for line in text.splitlines():
                found = re.match(r"\s*(?:@\w+|(?:\S+\s+){4}\S+)\s+(.+)", line)
                if found and not line.lstrip().startswith("#"):
                    nested_text(call, found[1], call.span, "crontab")
            f.stdin = stdin
    return None


def apt(call: Call) -> Output | None:
    """`-o APT::Update::Pre-Invoke::=cmd`."""
    for field in call.rest:
        found = re.search(r"(?:Pre|Post)-Invoke(?:-\w+)?(?:::)?=(.+)", field.text, re.DOTALL)
        if found is not None:
            code = found[1].strip("\"'")
            nested_text(call, code, call.span_of([field]), f"{call.name} -o")
    return None
