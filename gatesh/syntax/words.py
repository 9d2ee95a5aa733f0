"""Reading words: quotes and what they protect, as bash 5.2 reads them."""

from __future__ import annotations

import re

from gatesh.syntax.expansions import END, ExpansionReader, Unsure
from gatesh.syntax.nodes import Lit, Part, Word

_RUN = re.compile(r"[^ \t\n\\'\"`$&|;<>()\0]+")
_DOUBLE = re.compile(r"[^\\\"`$\0]+")


class WordReader(ExpansionReader):
    """Reads one word at a time."""

    __slots__ = ()

    # ---- words -----------------------------------------------------------

    def word(self) -> Word:
        """Read one word; the position must not be at a metacharacter other than `<(` or `>(`."""
        text, start = self.text, self.at
        run = _RUN.match(text, start)
        if (
            run is not None
            and (c := text[run.end()]) in " \t\n;&|)<>\0"
            and not (c in "<>" and text[run.end() + 1] == "(")  # `--file=<(cmd)` is one word
        ):
            self.at = run.end()
            plain = run.group()
            return Word((), start, self.at, plain)
        return self._word(start)

    def _word(self, start: int) -> Word:
        text = self.text
        parts: list[Part] = []
        while True:
            run = _RUN.match(text, self.at)
            if run is not None:
                parts.append(Lit(run.group(), False))
                self.at = run.end()
            c = text[self.at]
            self.limit(parts)
            if c == "\\":
                self._escaped(parts)
            elif c == "'":
                close = text.find("'", self.at + 1)
                if close < 0:
                    raise Unsure("a single quote is never closed", self.at)
                parts.append(Lit(text[self.at + 1 : close], True))
                self.at = close + 1
            elif c == '"':
                self._double(parts)
            elif c == "$":
                self._dollar(parts, quoted=False)
            elif c == "`":
                self._backtick(parts, quoted=False)
            elif c in "<>" and text[self.at + 1] == "(":
                self._process(parts)
            elif c == "(" and run is not None and run.group()[-1] in "?*+@!":
                self._pattern_group(parts)
            else:
                break
        if self.at == start:
            raise Unsure(f"unexpected {text[start]!r}", start)
        return Word(tuple(parts), start, self.at)

    def _escaped(self, parts: list[Part]) -> None:
        c = self.text[self.at + 1]
        if c == END:
            parts.append(Lit("\\", True))
            self.at += 1
            return
        if c != "\n":  # backslash-newline is nothing at all
            parts.append(Lit(c, True))
        self.at += 2

    def _pattern_group(self, parts: list[Part]) -> None:
        """`@(a|b)` and its kind: alternatives are kept as unquoted text."""
        self.enter()
        parts.append(Lit("(", False))
        self.at += 1
        while (c := self.text[self.at]) != ")":
            if c == END:
                raise Unsure("a pattern group is never closed", self.at)
            if c in "|&;<> \t\n":
                parts.append(Lit(c, c != "|"))
                self.at += 1
            elif c == "(":
                self._pattern_group(parts)
            else:
                parts.extend(self._word(self.at).parts)
        parts.append(Lit(")", False))
        self.at += 1
        self.leave()

    def _double(self, parts: list[Part]) -> None:
        text, opened = self.text, self.at
        self.at += 1
        before = len(parts)
        while True:
            run = _DOUBLE.match(text, self.at)
            if run is not None:
                parts.append(Lit(run.group(), True))
                self.at = run.end()
            c = text[self.at]
            if c == '"':
                self.at += 1
                break
            if c == END:
                raise Unsure("a double quote is never closed", opened)
            self.limit(parts)
            self._inside_double(parts, c, '$`"\\')
        if len(parts) == before:
            parts.append(Lit("", True))

    def _inside_double(self, parts: list[Part], c: str, special: str) -> None:
        """Read what starts with backslash, dollar or backtick where double quotes rule."""
        if c == "$":
            self._dollar(parts, quoted=True)
        elif c == "`":
            self._backtick(parts, quoted=True)
        else:
            following = self.text[self.at + 1]
            if following == END:
                parts.append(Lit("\\", True))
                self.at += 1
                return
            if following in special:
                parts.append(Lit(following, True))
            elif following != "\n":
                parts.append(Lit("\\" + following, True))
            self.at += 2
