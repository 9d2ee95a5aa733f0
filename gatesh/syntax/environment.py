"""Assignments that make other programs run code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.syntax import findings, tables
from gatesh.syntax.code import read_code, run_code
from gatesh.syntax.gitconfig import runs_code
from gatesh.syntax.values import Array, Choice, render

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

# What a sourced file sets of these stays for every program of the line.
_LOADED_ANYWHERE = frozenset("BASH_ENV LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES PERL5OPT".split())
_SHARED = re.compile(r"(?:/tmp|/var/tmp|/dev/shm)/?|\.|")
_RISKY_SSH = "ProxyCommand|LocalCommand|KnownHostsCommand|PermitLocalCommand|Match"
_PLAIN_SSH = re.compile(
    rf"ssh(?:\s+(?:-[46AaCnqTtvxy]+|-[ilpFb]\s*\S+|-o\s*(?!{_RISKY_SSH})\w+[= ]\S+))*\s*",
    re.IGNORECASE,
)


def assigned(f: Follower, name: str, value: Choice, span: tuple[int, int]) -> None:
    """Look at an assignment for code that other programs would run."""
    if name in ("BASH_CMDS", "BASH_ALIASES"):
        items = [item.text for item in value.items] if isinstance(value, Array) else [value or ""]
        for text in items:
            _renaming(f, name, text if isinstance(text, str) else render(text), span)
    elif name in tables.watched_variables() or name.startswith(("LD_", "GIT_CONFIG", "BASH_FUNC_")):
        for one in [item.value for item in value.items] if isinstance(value, Array) else [value]:
            _watched(f, name, one, span)


def shadowing(f: Follower, name: str, what: str, span: tuple[int, int]) -> None:
    """Note that a well-known name is given another meaning."""
    if name in tables.SHADOWED:
        f.finding(findings.SHADOWED_PROGRAM, span, f"{name} becomes {what}")


def _renaming(f: Follower, name: str, text: str, span: tuple[int, int]) -> None:
    """bash's own tables of aliases and of paths can be written like arrays."""
    f.finding(findings.SHADOWED_PROGRAM, span, f"{name} makes a name mean {text}")
    if name == "BASH_ALIASES":
        shell, f.shell = f.shell, f.shell.copy()
        code = text.partition("=")[2] if text.startswith("[") else text
        run_code(f, code, f.frame_inside(name, span), span)
        f.shell = shell


def _watched(f: Follower, name: str, value: Choice, span: tuple[int, int]) -> None:
    """Follow the code in *value*, and say so where it cannot be told to be harmless."""
    if value is None:
        return
    text = render(value) if not isinstance(value, str) and isinstance(value, tuple) else str(value)
    if name == "PATH":
        _path(f, text, span)
    elif name == "IFS":
        return
    elif name in tables.PROMPT_VARIABLES:
        _prompt(f, name, text, span)
    elif name in tables.COMMAND_VARIABLES:
        _command(f, name, text, span, value)
    elif name.startswith("BASH_FUNC_"):
        f.finding(findings.CODE_IN_ENV, span, f"{name} defines a function in every bash")
    elif name.startswith("GIT_CONFIG_VALUE_") or name.startswith("GIT_CONFIG_KEY_"):
        _git(f, name, text, span)
    elif name in tables.CODE_VARIABLES:
        _code(f, name, text, span)
    elif text and name.startswith("LD_") and name not in ("LD_RUN_PATH", "LD_BIND_NOW", "LD_DEBUG"):
        f.finding(findings.CODE_IN_ENV, span, f"{name} changes how programs are loaded")


def _prompt(f: Follower, name: str, text: str, span: tuple[int, int]) -> None:
    if "$(" in text or "`" in text:
        if name in ("PS0", "PS4", "PROMPT"):
            f.finding(findings.CODE_IN_ENV, span, f"{name} runs what it holds again and again")
        f.follow_value(text)


def _code(f: Follower, name: str, text: str, span: tuple[int, int]) -> None:
    harmless = tables.CODE_VARIABLES[name]
    if text == "" or re.fullmatch(harmless, text, re.DOTALL):
        return
    sourced = bool(f.frame.inside) and f.frame.inside[-1].startswith(("source ", "BASH_ENV"))
    loud = sourced and name in _LOADED_ANYWHERE
    f.finding(findings.CODE_IN_ENV, span, f"{name}={text} makes programs load code", loud=loud)
    if name in ("BASH_ENV", "ENV") and text.startswith("/"):
        content = read_code(f, text, span)
        if content is not None:
            shell, f.shell = f.shell, f.shell.copy()
            f.text(content, f.frame_inside(name, span), span)
            f.shell = shell


def _command(f: Follower, name: str, text: str, span: tuple[int, int], value: Choice) -> None:
    first = text.split(None, 1)[0].rpartition("/")[2] if text.strip() else ""
    plain = not re.search(r"[;&|`$(){}<>\n]", text)
    if not text.strip() or (plain and _PLAIN_SSH.fullmatch(text)):
        return
    editor = first in tables.HARMLESS_COMMANDS and first != "ssh"
    if plain and editor and not re.search(r"\s[-+]\S*[!]|--cmd|--eval|-c\b", text):
        return
    f.finding(findings.CODE_IN_ENV, span, f"{name} makes another program run `{text}`")
    assert isinstance(value, str | tuple)
    shell, f.shell = f.shell, f.shell.copy()
    run_code(f, value, f.frame_inside(name, span), span)
    f.shell = shell


def _git(f: Follower, name: str, text: str, span: tuple[int, int]) -> None:
    if name.startswith("GIT_CONFIG_KEY_"):
        if runs_code(text, "!x"):
            f.finding(findings.CODE_IN_ENV, span, f"{name} sets {text}, which runs a program")
    elif text.startswith("!"):
        f.finding(findings.CODE_IN_ENV, span, f"{name} makes git run `{text[1:]}`")


def _path(f: Follower, text: str, span: tuple[int, int]) -> None:
    """Directories that come before the old `$PATH` decide what every name means."""
    old = f.shell.one("PATH") or "$PATH"
    before, found, _ = text.partition(old)
    entries = before[:-1].split(":") if found and before else [] if found else text.split(":")
    for entry in entries:
        written = any(path.startswith(entry.rstrip("/") + "/") for path in _touched(f) if entry)
        if _SHARED.fullmatch(entry) or written:
            where = entry or "the current directory"
            f.finding(findings.SHADOWED_PROGRAM, span, f"PATH looks into {where} first")
            return


def _touched(f: Follower) -> list[str]:
    return [*f.shell.files, *f.shell.renamed]
