"""Reading expansions: `$name`, `${…}`, `$(…)`, backticks, `$(( … ))`.

What cannot be read with certainty raises `Unsure`; the caller keeps what came before.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sized
from dataclasses import dataclass, field

from gatesh.syntax.ansi import ansi_c
from gatesh.syntax.nodes import Lit, Param, Part, Redir, Script, Sub, Sum, Word

END = "\0"  # callers refuse texts with NUL, so it can mark the end

MAX_DEPTH = 40  # brackets within brackets; people use four
MAX_PARTS = 20_000  # expansions and quotes of one word
MAX_WORDS = 50_000  # words of one command
MAX_STEPS = 20_000  # brackets and commands of one line, nested texts included

_BODY = re.compile(r"[^\\`$\0]+")
_BRACED = re.compile(r"[^\\'\"`$}<>\0]+")
_SUBSCRIPT = re.compile(r"[^\\'\"`$\[\]\0]+")
_MATH = re.compile(r"[^\\'\"`$()\[\]\0]+")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!-]")
_BRACED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_OPERATOR = re.compile(r":[-=+?]|[-=+?]|##|#|%%|%|//|/#|/%|/|\^\^|\^|,,|,|@|:")
_PATTERN_OPERATORS = frozenset({"##", "#", "%%", "%", "//", "/#", "/%", "/", "^^", "^", ",,", ","})
_BACKTICK = re.compile(r"(?:[^`\\\0]|\\[^\0])*`")

METACHARACTERS = frozenset(" \t\n;&|()<>\0")


class Unsure(Exception):
    """The text cannot be read with certainty.  `at` is where, the message is why."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


class TooMuch(Unsure):
    """Reading on would cost more than a line is worth; no second reading is tried."""


@dataclass(slots=True)
class Seen:
    """Where commands were read, for the witness: starts, and texts read on their own."""

    starts: set[int] = field(default_factory=set)
    apart: list[tuple[int, int]] = field(default_factory=list)


class ExpansionReader(ABC):
    """A position in a text, and the expansions that can be read from there."""

    __slots__ = ("at", "budget", "depth", "inner", "pending", "posix", "seen", "text")

    def __init__(
        self, text: str, depth: int = 0, budget: list[int] | None = None, *, posix: bool = False
    ) -> None:
        self.text = text + END
        self.posix = posix  # as dash reads it: no `[[`, no `((`, no `function`
        self.inner = budget is not None  # offsets mean nothing in the outermost text
        self.at = 0
        self.depth = depth
        # Shared with the readers of nested texts.  `$((` may be read twice, so without it
        # forty of them inside each other would be read 2**40 times.
        self.budget = [MAX_STEPS] if budget is None else budget
        self.seen = Seen()
        self.pending: list[Redir] = []  # here-documents whose bodies come after the next newline

    @abstractmethod
    def script_until_parenthesis(self) -> Script:
        """Read commands up to and including `)`."""

    @abstractmethod
    def nested(self, text: str) -> Script:
        """Read *text*, which stands in backticks, as a script of its own."""

    @abstractmethod
    def _double(self, parts: list[Part]) -> None:
        """Read `"…"`."""

    @abstractmethod
    def _escaped(self, parts: list[Part]) -> None:
        """Read a backslash and what it protects, outside quotes."""

    @abstractmethod
    def _inside_double(self, parts: list[Part], c: str, special: str) -> None:
        """Read what starts with *c*, a backslash, dollar or backtick, where double quotes rule."""

    def enter(self) -> None:
        """Go one bracket deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooMuch(f"more than {MAX_DEPTH} brackets inside each other", self.at)
        self.step()

    def step(self) -> None:
        """Count one piece of work."""
        self.budget[0] -= 1
        if self.budget[0] < 0:
            raise TooMuch("too many commands and expansions", self.at)

    def limit(self, parts: Sized, most: int = MAX_PARTS) -> None:
        """Refuse a word, or a command, of more than *most* parts."""
        if len(parts) > most:
            raise TooMuch(f"more than {most} parts in one place", self.at)

    def leave(self) -> None:
        """Come back out of a bracket."""
        self.depth -= 1

    # ---- expansions ------------------------------------------------------

    def _dollar(self, parts: list[Part], *, quoted: bool) -> None:
        text, start = self.text, self.at
        c = text[start + 1]
        if c == "(":
            if text[start + 2] == "(" and (sum := self._sum(start + 3, start, quoted)) is not None:
                parts.append(sum)
                return
            self.at = start + 2
            script = self._substitution()
            parts.append(Sub(script, "$", quoted, text[start : self.at], self.inner))
        elif c == "{":
            parts.append(self._braced(start, quoted))
        elif c == "[":
            self.at = start + 2
            inner = self._bracketed("]")
            parts.append(Sum(tuple(inner), quoted, text[start : self.at]))
        elif c == "'" and not quoted:
            self.at = start + 2
            parts.append(Lit(self._ansi(), True))
        elif c == '"' and not quoted:
            self.at = start + 1
            self._double(parts)
        elif (name := _PARAMETER.match(text, start + 1)) is not None:
            self.at = name.end()
            parts.append(Param(name.group(), quoted, text[start : self.at]))
        elif c == "\\" and text[start + 2] == "\n":
            # `$\<newline>(rm)` is `$(rm)`: the continuation vanishes before anything is read.
            raise Unsure("a line continuation splits an expansion", start)
        else:
            parts.append(Lit("$", True))
            self.at = start + 1

    def _substitution(self) -> Script:
        self.enter()
        waiting, self.pending = self.pending, []
        script = self.script_until_parenthesis()
        if self.pending:
            raise Unsure("a here-document is not finished inside its substitution", self.at)
        self.pending = waiting
        self.leave()
        return script

    def _process(self, parts: list[Part]) -> None:
        start = self.at
        self.at += 2
        script = self._substitution()
        parts.append(Sub(script, self.text[start], False, self.text[start : self.at], self.inner))

    def _backtick(self, parts: list[Part], *, quoted: bool) -> None:
        start = self.at
        body = _BACKTICK.match(self.text, start + 1)
        if body is None:
            raise Unsure("a backtick is never closed", start)
        inner = re.sub(r'\\([$`\\"])' if quoted else r"\\([$`\\])", r"\1", body.group()[:-1])
        self.at = body.end()
        self.seen.apart.append((start, self.at))
        self.enter()
        script = self.nested(inner)
        self.leave()
        parts.append(Sub(script, "`", quoted, self.text[start : self.at], True))

    def _ansi(self) -> str:
        r"""Read the rest of `$'…'`, where `\'` does not close it."""
        at = self.at
        while (c := self.text[at]) != "'":
            if c == END:
                raise Unsure("a single quote is never closed", self.at)
            at += 2 if c == "\\" and self.text[at + 1] != END else 1
        inner, self.at = self.text[self.at : at], at + 1
        return ansi_c(inner)

    def _braced(self, start: int, quoted: bool) -> Part:
        """`${ … }`, whose inside has its own idea of quotes."""
        text = self.text
        self.at = start + 2
        indirect = length = False
        if text[self.at] in " \t\n|":
            raise Unsure("`${ command; }` runs a command in newer shells", start)
        if text[self.at] == "!" and text[self.at + 1] not in "}:-+=?#%/@":
            indirect = True
            self.at += 1
        elif text[self.at] == "#" and text[self.at + 1] not in "}:-+=?#%/":
            length = True
            self.at += 1
        name = _BRACED_NAME.match(text, self.at)
        if name is None:
            raise Unsure("not a parameter expansion bash knows", start)
        self.at = name.end()
        index: Word | None = None
        if text[self.at] == "[":
            at = self.at
            self.at += 1
            index = Word(tuple(self._bracketed("]")), at, self.at)
        op = ""
        arg: Word | None = None
        if text[self.at] != "}":
            operator = _OPERATOR.match(text, self.at)
            if operator is None:
                if not (indirect and text[self.at] in "*@"):
                    raise Unsure("not a parameter expansion bash knows", start)
                op = text[self.at]
                self.at += 1
            else:
                op = operator.group()
                self.at = operator.end()
            at = self.at
            inner = self._braced_rest(start, op, quoted)
            arg = Word(tuple(inner), at, self.at)
        self.at += 1
        raw = text[start : self.at]
        return Param(name.group(), quoted, raw, op, arg, index, indirect, length)

    def _braced_rest(self, start: int, op: str, quoted: bool) -> list[Part]:
        """Read up to the closing brace and stop there."""
        text = self.text
        parts: list[Part] = []
        # In "${x:-'}'}" the quote is an ordinary character, in "${x#'}'}" it is not.
        quotes = not quoted or op in _PATTERN_OPERATORS
        self.enter()
        while (c := text[self.at]) != "}":
            self.limit(parts)
            run = _BRACED.match(text, self.at)
            if run is not None:
                parts.append(Lit(run.group(), quoted and not quotes))
                self.at = run.end()
            elif c == END:
                raise Unsure("`${` is never closed", start)
            elif c == "'":
                close = text.find("'", self.at + 1) if quotes else self.at
                if close < 0:
                    raise Unsure("a single quote is never closed", self.at)
                parts.append(Lit(text[self.at + 1 : close] if quotes else "'", True))
                self.at = close + 1
            elif c == '"':
                self._double(parts)
            elif c == "$":
                if text[self.at + 1] == "'" and quotes:
                    self.at += 2
                    parts.append(Lit(self._ansi(), True))
                else:
                    self._dollar(parts, quoted=quoted)
            elif c == "`":
                self._backtick(parts, quoted=quoted)
            elif c in "<>":
                if text[self.at + 1] == "(" and not quoted:
                    self._process(parts)
                else:
                    parts.append(Lit(c, quoted))
                    self.at += 1
            elif quoted:
                self._inside_double(parts, c, '$`"\\}')
            else:
                self._escaped(parts)
        self.leave()
        return parts

    # ---- arithmetic ------------------------------------------------------

    def _sum(self, body: int, start: int, quoted: bool) -> Sum | None:
        """Read `…))` from *body*; None when it is a subshell in a substitution after all."""
        inner: list[Part] | None
        where, waiting, depth = self.at, self.pending, self.depth
        self.at = body
        try:
            inner = self._bracketed(")")
        except TooMuch:
            raise
        except Unsure:
            inner = None
        if inner is None or self.text[self.at] != ")":
            self.at, self.pending, self.depth = where, waiting, depth
            return None
        self.at += 1
        return Sum(tuple(inner), quoted, self.text[start : self.at])

    def _bracketed(self, close: str) -> list[Part]:
        """Read up to and including the bracket that matches; only its expansions matter."""
        text, start = self.text, self.at
        opening = "[" if close == "]" else "("
        run_of = _SUBSCRIPT if close == "]" else _MATH
        parts: list[Part] = []
        level = 0
        self.enter()
        while True:
            run = run_of.match(text, self.at)
            if run is not None:
                parts.append(Lit(run.group(), True))
                self.at = run.end()
            c = text[self.at]
            if c == END:
                raise Unsure("a bracket is never closed", start)
            self.limit(parts)
            if c == opening:
                level += 1
            elif c == close:
                if level == 0:
                    break
                level -= 1
            if c == "$":
                self._dollar(parts, quoted=True)
            elif c == "`":
                self._backtick(parts, quoted=True)
            elif c == '"':
                self._double(parts)
            elif c == "'":
                end = text.find("'", self.at + 1)
                if end < 0:
                    raise Unsure("a single quote is never closed", self.at)
                # Arithmetic expands what stands in quotes a second time.
                parts.extend(self._again(text[self.at + 1 : end]))
                self.at = end + 1
            elif c == "\\":
                self._escaped(parts)
            else:
                parts.append(Lit(c, True))
                self.at += 1
        self.at += 1
        self.leave()
        return parts

    def _again(self, text: str) -> tuple[Part, ...]:
        """Read *text* once more, as `a['$(rm)']` makes bash do."""
        if "$" not in text and "`" not in text:
            return (Lit(text, True),)
        return type(self)(text, self.depth, self.budget, posix=self.posix).body_parts()

    def body_parts(self) -> tuple[Part, ...]:
        """Read the whole text the way bash reads an unquoted here-document."""
        parts: list[Part] = []
        while True:
            run = _BODY.match(self.text, self.at)
            if run is not None:
                parts.append(Lit(run.group(), True))
                self.at = run.end()
            c = self.text[self.at]
            if c == END:
                return tuple(parts)
            self.limit(parts)
            self._inside_double(parts, c, "$`\\")

    def subscript(self, start: int) -> Word | None:
        """Read `[…]` at *start* as a subscript; None (position kept) if it does not close."""
        where, depth = self.at, self.depth
        self.at = start + 1
        try:
            inner = self._bracketed("]")
        except TooMuch:
            raise
        except Unsure:
            self.at, self.depth = where, depth
            return None
        return Word(tuple(inner), start, self.at)
