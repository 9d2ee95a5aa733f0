"""Text that is typed into a terminal: tmux, screen and their kind.

Whoever sits in that terminal reads it: mostly a shell, sometimes an editor.  So what reads
as shell is followed, and what does not is no trouble by itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gatesh.syntax import findings, unwrap
from gatesh.syntax.call import code_field
from gatesh.syntax.code import nested
from gatesh.syntax.expansions import Unsure
from gatesh.syntax.grammar import Reader
from gatesh.syntax.spelling import bare_fields
from gatesh.syntax.values import Field, Hole, Output, join, pieces, render
from gatesh.syntax.wrappers import Options, options_of

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

MAX_LINES = 50  # of a text that is not shell throughout
_KEYS = {
    **dict.fromkeys(("enter", "c-m", "c-j", "kpenter", "return", "kp_enter"), "\n"),
    "space": " ", "tab": "\t", "c-i": "\t",
}  # fmt: skip
_SILENT = re.compile(
    r"(?:[CMS]-)+.|\^.|Escape|KP\w+|B?Tab|BSpace|Up|Down|Left|Right|Home|End|PageUp|PageDown|PPage"
    r"|NPage|PgUp|PgDn|IC|DC|Insert|Delete|F[0-9]+|Any",
    re.IGNORECASE,
)


def typed(call: Call, fields: list[Field], label: str) -> Output:
    """Follow the text that *fields* type, if it reads as shell."""
    made: list[str | Hole] = []
    for field in fields:
        made += pieces(field.value)
    value = join(made)
    if not render(value).strip():
        return Output()
    code = Field(render(value), value, start=fields[0].start, end=fields[-1].end)
    if all(not isinstance(piece, str) or not piece.strip() for piece in pieces(value)):
        return nested(call, code, label, foreign=True)  # nobody knows what is typed
    lines = [code]
    if _unreadable(code.text):
        lines = [
            Field(line, line, start=code.start, end=code.end)
            for line in code.text.split("\n")
            if line.strip() and not _unreadable(line)
        ]
    if len(lines) > MAX_LINES:
        call.f.finding(findings.OPAQUE, call.span, f"{label} types more lines than are looked at")
    for line in lines[:MAX_LINES]:
        nested(call, line, label, foreign=True)
    return Output()


def _unreadable(text: str) -> bool:
    try:
        Reader(text).read()
    except Unsure:
        return True
    return False


def keys(fields: list[Field], *, literal: bool) -> list[Field]:
    """Return what names of keys type: `Enter` a newline, `Escape` nothing."""
    if literal:
        return fields
    made = []
    for field in fields:
        text = _KEYS.get(field.text.lower())
        if text is None and _SILENT.fullmatch(field.text):
            text = ""
        made.append(field if text is None else replace(field, text=text, value=text))
    return made


_STARTS = frozenset(
    "new-session new new-window neww split-window splitw respawn-pane respawn-window respawnp"
    " respawnw popup display-popup".split()
)
_RUNS = frozenset("run-shell run if-shell if pipe-pane pipep".split())
_FLAGS = Options(frozenset("tscnxyFSeLTfp"), frozenset())


def tmux(call: Call) -> Output | None:
    """Commands for a new window, keys typed into a terminal, settings; one after the other."""
    fields = bare_fields("tmux", call.fields)[1:]
    one: list[Field] = []
    for field in [*fields, Field(";", ";")]:
        if field.text == ";":
            if one:
                _tmux(call, one)
            one = []
        else:
            one.append(field)
    return None


def _tmux(call: Call, fields: list[Field]) -> None:
    name, label = fields[0].text, f"tmux {fields[0].text}"
    found = options_of(fields, 1, _FLAGS)
    rest = fields[found.first :]
    if not rest:
        return
    if name in _STARTS:
        nested(call, code_field(rest), label)
    elif name in _RUNS:
        nested(call, rest[0], label)
        if name in ("if-shell", "if"):
            for field in rest[1:]:
                _words(call, field)
    elif name in ("send-keys", "send"):
        literal = any(option == "-l" for option, _ in found.options)
        typed(call, keys(rest, literal=literal), label)
    elif name in ("set-buffer", "setb"):
        typed(call, rest[:1], label)
    elif name in ("set-option", "set", "set-window-option", "setw") and len(rest) > 1:
        if rest[0].text in ("default-command", "default-shell", "lock-command", "copy-command"):
            nested(call, rest[1], label)
        elif "#(" in rest[1].text:
            for inner in re.findall(r"#\(([^)]*)\)", rest[1].text):
                nested(call, Field(inner, inner, start=rest[1].start, end=rest[1].end), label)
    elif name in ("set-hook", "bind-key", "bind", "confirm-before", "confirm") and len(rest) > 1:
        _tmux(call, rest[1:]) if len(rest) > 2 else _words(call, rest[1])


def _words(call: Call, field: Field) -> None:
    """Follow a tmux command that is spelled out in one word."""
    words = field.text.split(None, 1)
    found = re.fullmatch(r"\s*([\w-]+)((?:\s+-\w+)*)\s+(['\"]?)(.*)\3\s*", field.text, re.DOTALL)
    if found is not None and words:
        parts = [found[1], *found[2].split(), found[4]]
        _tmux(call, [Field(text, text, start=field.start, end=field.end) for text in parts])


def screen(call: Call) -> Output | None:
    """`screen cmd`, `screen -X stuff keys`."""
    texts = [field.text for field in call.fields]
    if "-X" in texts:
        at = texts.index("-X")
        name, rest = texts[at + 1 : at + 2], call.fields[at + 2 :]
        if name in (["exec"], ["screen"]) and rest:
            nested(
                call, code_field([x for x in rest if x.text not in (".", "!", "-")]), "screen -X"
            )
        elif name in (["stuff"], ["paste"], ["register"]) and rest:
            code = re.sub(r"\^[MJ]|\\n|\\r|\\015|\\012", "\n", rest[-1].text)
            typed(call, [replace(rest[-1], text=code, value=code)], "screen -X")
        return None
    found = options_of(call.fields, 1, Options(frozenset("cSehpstT"), frozenset()))
    rest = call.fields[found.first :]
    if any(name in ("-r", "-x", "-R", "-l", "-w") for name, _ in found.options) and not rest:
        return None
    return unwrap.inner(call, rest, "screen") if rest else None


# Words after which the rest is typed.
_TYPISTS = {
    "zellij": ("write-chars",), "xdotool": ("type",), "ydotool": ("type",), "wtype": ("",),
    "kitty": ("send-text",), "kitten": ("send-text",), "wezterm": ("send-text",),
    "herbstclient": ("type",),
}  # fmt: skip


def typist(call: Call) -> Output | None:
    """`xdotool type 'text'` and its kind."""
    texts = [field.text for field in call.fields]
    for word in _TYPISTS.get(call.name, ()):
        at = texts.index(word) if word in texts else (0 if word == "" else -1)
        rest = [x for x in call.fields[at + 1 :] if x.text[:1] != "-"] if at >= 0 else []
        if rest:
            typed(call, rest[-1:], f"{call.name} {word}".strip())
    return None
