"""Expansion: a word becomes the fields that a command would see.

Follows bash's order: braces, tilde, parameters and substitutions, splitting, quote
removal.  File names are not filled in (nothing is read from disk); a field that
would be is marked `glob`.
"""

from __future__ import annotations

import re
from typing import Protocol

from gatesh.syntax import braces
from gatesh.syntax.nodes import Lit, Param, Part, Sub, Sum, Word
from gatesh.syntax.parameters import operate
from gatesh.syntax.state import OWN_VARIABLES, Shell, hole
from gatesh.syntax.values import Array, Choice, Field, Hole, Text, join, pieces, render

MAX_FIELDS = 2_000

_SPECIAL = re.compile(r"[{~*?\[]")
_GLOB = re.compile(r"[*?\[]")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POSITIONAL = re.compile(r"[0-9]+")


class Host(Protocol):
    """What expansion needs from whoever follows the line."""

    shell: Shell

    def substitute(self, sub: Sub) -> Text:
        """Follow the commands of a substitution; return what it becomes."""

    def hidden_code(self, text: str, why: str) -> None:
        """Take note of code that a value brings along (`a[$(rm)]` in arithmetic)."""


class Expander:
    """Expands words for one simple command, for one choice among the alternatives."""

    __slots__ = ("choice", "host", "open")

    def __init__(self, host: Host, choice: dict[str, int] | None = None) -> None:
        self.host = host
        self.choice = choice or {}
        self.open: dict[str, int] = {}  # variables with several values, and how many

    # ---- what callers want -----------------------------------------------

    def fields(self, words: list[Word]) -> list[Field]:
        """Return the fields of *words*, split and without quotes."""
        out: list[Field] = []
        for word in words:
            plain = word.plain
            if plain is not None and _SPECIAL.search(plain) is None:
                out.append(Field(plain, plain, False, False, word.start, word.end))
                continue
            first = len(out)
            parts = word.pieces()
            if braces.has_braces(parts):
                try:
                    for parts in braces.expand(word):
                        self._into(out, parts)
                except braces.TooMany:
                    out.append(Field("{…}", hole("{…}"), wild=True))
            else:
                self._into(out, parts)
            for made in out[first:]:
                made.start, made.end = word.start, word.end
            if len(out) > MAX_FIELDS:
                out[MAX_FIELDS:] = [Field("…", hole("…"), wild=True)]
        return out

    def text(self, word: Word, *, tildes: bool = False) -> Text:
        """Return *word* unsplit, as in assignments, redirections and here-documents.

        With *tildes* a tilde after a colon counts too, as in `PATH=~/a:~/b`.
        """
        if word.plain is not None and "~" not in word.plain:
            return word.plain
        made: list[str | Hole] = []
        for at, part in enumerate(word.pieces()):
            if isinstance(part, Lit):
                text = part.text
                if not part.quoted and "~" in text:
                    if at == 0:
                        text = self._tilde(text)
                    if tildes and ":~" in text:
                        text = ":".join([self._tilde(piece) for piece in text.split(":")])
                made.append(text)
            else:
                made += pieces(self._flat(self._value(part), part))
        return join(made)

    def visit(self, word: Word) -> None:
        """Expand only for what is run on the way."""
        self.text(word)

    # ---- building fields -------------------------------------------------

    def _into(self, out: list[Field], parts: tuple[Part, ...]) -> None:
        build = _Builder(out, self.host.shell.one("IFS"))
        for at, part in enumerate(parts):
            if isinstance(part, Lit):
                text = part.text
                if not part.quoted and at == 0 and text.startswith("~"):
                    text = self._tilde(text)
                build.literal(text, part.quoted)
            else:
                self._expansion(build, part)
        build.finish()

    def _expansion(self, build: _Builder, part: Part) -> None:
        if isinstance(part, Param):
            if part.name == "@" or (part.index is not None and _is_all(part.index) == "@"):
                value = self._value(part)
                if isinstance(value, Array):
                    build.words(value.items, part.quoted)
                    return
            elif part.op in ("-", ":-", "+", ":+", "=", ":=") and not part.quoted and part.arg:
                taken = self._default(part)
                if taken is not None:
                    for at, inner in enumerate(taken.pieces()):
                        if isinstance(inner, Lit) and not inner.quoted:
                            text = self._tilde(inner.text) if at == 0 else inner.text
                            build.split(text)
                        elif isinstance(inner, Lit):
                            build.literal(inner.text, True)
                        else:
                            self._expansion(build, inner)
                    return
        else:
            value = self._value(part)
            quoted = isinstance(part, Lit) or part.quoted
            build.text(self._flat(value, part), quoted)
            return
        build.text(self._flat(self._value(part), part), part.quoted)

    def _tilde(self, text: str) -> str:
        if not text.startswith("~"):
            return text
        user, slash, rest = text[1:].partition("/")
        if user == "":
            return (self.host.shell.one("HOME") or "~") + slash + rest
        if user == "+" and len(self.host.shell.cwd) == 1:
            return self.host.shell.cwd[0] + slash + rest
        return "/root" + slash + rest if user == "root" else text

    # ---- values ----------------------------------------------------------

    def _flat(self, value: Choice, part: Part) -> Text:
        if value is None:
            return ""
        if isinstance(value, Array):
            made: list[str | Hole] = []
            for at, item in enumerate(value.items):
                made += [" "] if at else []
                made += pieces(item.value)
            return join(made)
        return value

    def _value(self, part: Part) -> Choice:
        if isinstance(part, Sub):
            return self.host.substitute(part)
        if isinstance(part, Sum):
            self.sum(part)
            return hole(part.raw, one=True)
        assert isinstance(part, Param)
        if part.index is not None and not _is_all(part.index):
            self.sum(Sum(part.index.parts, True, part.raw))
        if part.op in ("-", ":-", "+", ":+", "=", ":=") and part.arg is not None:
            taken = self._default(part)
            return self._chosen(part) if taken is None else self.text(taken)
        value = self._chosen(part)
        if part.arg is None or part.op == "":
            return self._length(part, value) if part.length else value
        return operate(part.op, value, part.arg, self, part)

    def _default(self, part: Param) -> Word | None:
        """Return the word that `${x:-word}` and its kind take instead of the value, if they do."""
        assert part.arg is not None
        value = self._chosen(part)
        flat = self._flat(value, part)
        colon = part.op[0] == ":"
        missing = value is None or (colon and flat == "")
        if part.op[-1] == "+":
            return None if missing else part.arg
        if not missing:
            return None
        if part.op[-1] == "=" and part.index is None:
            self.host.shell.set(part.name, self.text(part.arg))
        return part.arg

    def _length(self, part: Param, value: Choice) -> Choice:
        if isinstance(value, Array):
            return str(len(value.items))
        return str(len(value)) if isinstance(value, str) else hole(part.raw, one=True)

    def _chosen(self, part: Param) -> Choice:
        """Return the value of the parameter itself, for the current choice."""
        value = self._named(part.name, part.raw)
        if part.indirect:
            if part.op in ("*", "@") or part.index is not None:
                return hole(part.raw)
            if not isinstance(value, str):
                return hole(part.raw)
            if "$(" in value or "`" in value:
                self.host.hidden_code(value, "an indirect expansion runs what its value names")
            if not re.fullmatch(r"[A-Za-z_]\w*|[0-9]+|[@*]", value):
                return hole(part.raw)
            return self._named(value, part.raw)
        if part.index is not None:
            return self._element(part, value)
        if isinstance(value, Array) and part.name not in ("@", "*"):
            return value.items[0].value if value.items else None
        return value

    def _element(self, part: Param, value: Choice) -> Choice:
        if not isinstance(value, Array):
            return value
        if _is_all(part.index):
            return value
        index = "".join(p.text for p in part.index.parts if isinstance(p, Lit)).strip()  # type: ignore[union-attr]
        if re.fullmatch(r"-?[0-9]{1,4}", index) and all(
            not i.wild and not i.glob for i in value.items
        ):
            at = int(index)
            return value.items[at].value if -len(value.items) <= at < len(value.items) else None
        return hole(part.raw)

    def _named(self, name: str, raw: str) -> Choice:
        shell = self.host.shell
        if name in ("@", "*"):
            if shell.positionals is None:
                return hole(raw)
            return Array(shell.positionals)
        if _POSITIONAL.fullmatch(name):
            if name == "0":
                return shell.zero
            if shell.positionals is None or any(p.wild for p in shell.positionals):
                return hole(raw)
            at = int(name) - 1
            return shell.positionals[at].value if at < len(shell.positionals) else None
        if name == "#" and shell.positionals is not None:
            return str(len(shell.positionals))
        if not name[0].isalpha() and name[0] != "_":
            return hole(raw, one=True)
        found = shell.lookup(name)
        if len(found) == 1:
            return found[0]
        at = self.choice.get(name, 0)
        if name not in self.choice:
            self.open[name] = len(found)
        return found[min(at, len(found) - 1)]

    def sum(self, sum: Sum) -> None:
        """Follow what arithmetic would run: substitutions, and variables that hold them."""
        shell = self.host.shell
        for part in sum.parts:
            if not isinstance(part, Lit):
                held = self._flat(self._value(part), part)
                if isinstance(held, str) and ("$(" in held or "`" in held):
                    self.host.hidden_code(held, f"arithmetic evaluates the value of {part.raw}")
                continue
            for name in _IDENTIFIER.findall(part.text):
                for value in shell.lookup(name):
                    if isinstance(value, str) and ("$(" in value or "`" in value):
                        self.host.hidden_code(value, f"arithmetic evaluates the value of {name}")


class _Builder:
    """Collects the fields of one word."""

    __slots__ = ("fields", "glob", "ifs", "made", "present", "wild")

    def __init__(self, fields: list[Field], ifs: str | None) -> None:
        self.fields = fields
        self.ifs = ifs
        self.made: list[str | Hole] = []
        self.present = self.glob = self.wild = False

    def literal(self, text: str, quoted: bool) -> None:
        self.present = True
        self.made.append(text)
        if not quoted and _GLOB.search(text) is not None:
            self.glob = True

    def text(self, value: Text, quoted: bool) -> None:
        """Add the result of an expansion."""
        if quoted:
            self.present = True
            self.made += pieces(value)
            return
        for piece in pieces(value):
            if isinstance(piece, str):
                self.split(piece)
            else:
                self.present = True
                self.wild = self.wild or not piece.one
                self.made.append(piece)

    def split(self, text: str) -> None:
        """Add unquoted text that may fall apart into fields."""
        if not text:
            return
        ifs = self.ifs
        if ifs is None:
            self.wild = self.present = True
            self.made.append(Hole(text))
            return
        if ifs == " \t\n":
            words = text.split()
            edges = (text[0] in ifs, text[-1] in ifs)
        elif ifs == "":
            words, edges = [text], (False, False)
        else:
            words = re.split("[" + re.escape(ifs) + "]+", text)
            edges = (words[0] == "", words[-1] == "")
            words = [word for word in words if word]
        if edges[0]:
            self.finish()
        for at, word in enumerate(words):
            if at:
                self.finish()
            self.literal(word, False)
        if edges[1] and words:
            self.finish()

    def words(self, items: tuple[Field, ...], quoted: bool) -> None:
        """Add `"$@"` or `$@`."""
        for at, item in enumerate(items):
            if at:
                self.finish()
            if quoted:
                self.present = True
                self.made += pieces(item.value)
                self.glob = self.glob or item.glob
                self.wild = self.wild or item.wild
            else:
                self.text(item.value, False)

    def finish(self) -> None:
        """The field ends here."""
        if self.present:
            value = join(self.made)
            self.fields.append(Field(render(value), value, self.glob, self.wild))
        self.made = []
        self.present = self.glob = self.wild = False


def _is_all(index: Word | None) -> str:
    """Return `@` or `*` when the subscript is that."""
    if index is not None and len(index.parts) == 1:
        part = index.parts[0]
        if isinstance(part, Lit) and part.text in ("@", "*"):
            return part.text
    return ""


__all__ = ["Expander", "Host", "OWN_VARIABLES"]
