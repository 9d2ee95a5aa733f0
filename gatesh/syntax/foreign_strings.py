"""Strings and calls in the source of other languages, as far as commands are spelled out in them.

No parser of any language: what looks like a string is one.  That finds too much rather than
too little, and whatever is found is only looked at as a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatesh.syntax import ansi

MAX_WORDS = 40  # of one list of arguments
MAX_TOKENS = 200

STRING = r"""(?:[rbufRBUF]{0,2})("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
# What is no string is consumed too, escaped quotes above all: no quote is tried twice.
_STRING = re.compile(STRING + r"|\\.|[^\"'\\]+|[\"'\\]", re.DOTALL)
# Names that are handed a command: `os.system`, `Open3.capture2`, `uiop:run-program`, `System.cmd`.
_CALL = re.compile(
    r"(?<![\w-])(?P<name>(?:[\w$:.-]{0,60}?[.:_-])?(?:system[2*]?|popen[23]?|shell_exec|passthru"
    r"|getoutput|getstatusoutput|check_output|check_call|call|Popen|create_subprocess_(?:shell|exec)"
    r"|exec(?:Sync|File|FileSync|[vl][pe]*|ute)?|spawn(?:Sync|[vl][pe]*)?|posix_spawnp?|run|rundll"
    r"|proc_open|capture2e?|capture3|pipeline|sh|zsh|bash|cmd|Command|callCommand|callProcess"
    r"|readProcess|rawSystem|run-program|run-shell-command|start-process|call-process"
    r"|shell-command(?:-to-string)?|async-shell-command|shell|pcntl_exec|e?syscmd|expect_spawn"
    r"|launch|ShellExecute|StartProcess|subprocess|term))(?![\w-])"
    r"(?P<open>\s*+(?:\.\s*+new\s*+)?(?:[(\[{]\s*+){0,4}+)"
)
_BACKTICKS = re.compile(
    r"(?<!\\)(?:`([^`\n]{1,2000})`|(?:%x|\bqx)\s*(?:\{([^{}]*)\}|\(([^()]*)\)|\[([^\[\]]*)\]"
    r"|/((?:[^/\\]|\\.)*)/|!([^!]*)!|\|([^|]*)\|))"
)
_QUOTED = re.compile(
    r"(?:\bq(q|w)?|%[qQ]|%([wW]))\s*(?:\{([^{}]*)\}|\(([^()]*)\)|\[([^\[\]]*)\]|/([^/\n]*)/|\|([^|\n]*)\|)"
)
_TOKEN = re.compile(
    STRING + r"|(?P<name>[\w$@%.:*-]+)|(?P<mark>[()\[\]{},=;+\n])|(?P<other>\S)", re.DOTALL
)
# `"r" + "m"`, `"r" . "m"`, `"r""m"`: one string.  Python joins `"r" "m"` as well.
_JUNCTION = re.compile(r"(?<!\\)([\"'])(?:[ \t]*[+.][ \t]*)?\1")
_BLANK_JUNCTION = re.compile(r"(?<!\\)([\"'])[ \t]+\1")
_CONSTANT = re.compile(r"(?<![=!<>\w.])\$?([A-Za-z_]\w*)\s*=\s*" + STRING, re.DOTALL)


# Between the strings of one command: `(call-process "rm" nil (list "-rf"))`, `{args: ["-rf"]}`.
_FILLERS = frozenset("args arguments cmd list c nil 0".split())


@dataclass(frozen=True, slots=True)
class Handed:
    """What one call is handed: a text for a shell, or the words of a command."""

    name: str
    words: tuple[str, ...]
    listed: bool  # words, not a text


def plain(code: str, language: str) -> str:
    """Return *code* with its other ways of writing strings turned into quotes, and joined up."""
    if language in ("perl", "ruby"):
        code = _QUOTED.sub(_quotes, code)
    elif language in ("node", "deno", "bun"):
        code = re.sub(r"`([^`\"\n]{1,2000})`", r'"\1"', code)
    elif language in ("lua", "luajit", "latex"):
        code = re.sub(r"\[\[([^\"\]]*)\]\]", r'"\1"', code)
    code = code.replace('"""', '"').replace("'''", "'")
    if language in ("python", "awk"):
        code = _BLANK_JUNCTION.sub("", code)
    return _JUNCTION.sub("", code)


def _quotes(found: re.Match[str]) -> str:
    text = next((group for group in found.groups()[2:] if group is not None), "")
    text = text.replace('"', '\\"')
    if found[1] == "w" or found[2]:
        return ", ".join(f'"{word}"' for word in text.split())
    return f'"{text}"'


def text_of(literal: str) -> str:
    """Return what a string literal, quotes and all, stands for."""
    made = ansi.ansi_c(literal[1:-1].replace("\\\n", ""))
    return re.sub(r"\\(.)", r"\1", made).replace("\0", "")


def strings(code: str) -> Iterator[str]:
    """Yield what every string of *code* stands for."""
    for found in _STRING.finditer(code):
        if found[1] is not None:
            yield text_of(found[1])


def constants(code: str) -> dict[str, str]:
    """Return the names that *code* gives to strings."""
    return {found[1]: text_of(found[2]) for found in _CONSTANT.finditer(code)}


def backticks(code: str) -> Iterator[str]:
    """Yield commands between backticks, in `qx( )` and in `%x( )`."""
    for found in _BACKTICKS.finditer(code):
        yield next((group for group in found.groups() if group), "")


def calls(code: str) -> Iterator[Handed]:
    """Yield what *code* hands to calls that run commands."""
    named = constants(code)
    for found in _CALL.finditer(code):
        if not (found["open"].strip() or code[found.end() : found.end() + 1] in ("'", '"', "$")):
            continue
        made = _arguments(code, found.end(), "[" in found["open"], named)
        if made is not None:
            words, listed = made
            if re.search(r"(?:exec|spawn)[vl]", found["name"]) and len(words) > 1:
                words = words[1:]  # the program's path comes before its own list of words
            yield Handed(found["name"], tuple(words), listed or len(words) > 1)


def _arguments(
    code: str, at: int, listed: bool, named: dict[str, str]
) -> tuple[list[str], bool] | None:
    """Read strings from *at* on, up to the end of the call or its first named argument."""
    words: list[str] = []
    unknown = False
    for number, token in enumerate(_TOKEN.finditer(code, at, at + 20_000)):
        if number > (MAX_TOKENS if words else 8):
            break
        if token[1] is not None:
            if unknown and not listed:
                break
            words.append(text_of(token[1]))
        elif token["name"] in _FILLERS:
            continue
        elif token["name"]:
            following = code[token.end() : token.end() + 2].lstrip(" ")
            if following[:1] in ("=", ":") and following[:2] not in ("==", "::") and words:
                break
            name = token["name"].lstrip("$")
            if name in named and not (words and not listed):
                words.append(named[name])
            elif listed and words:
                words.append("…")
            elif not words and len(token["name"]) > 40:
                return None
            unknown = unknown or (bool(words) and not listed)
        elif (mark := token["mark"]) and (mark in "[{" or (mark == "(" and words)):
            listed = True
        elif mark and mark in ")];\n}" and (words or mark in ";)"):
            break
        elif mark == "+" and words and words[-1].endswith(" "):
            words[-1] += "…"
            break
        elif token["other"] and (words or token["other"] not in "&\\|<>!?'"):
            break
        if len(words) >= MAX_WORDS:
            break
    return (words, listed) if words else None
