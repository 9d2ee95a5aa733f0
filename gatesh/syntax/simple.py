"""Reading simple commands: assignments, words, redirections and here-documents."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import NoReturn

from gatesh.syntax.expansions import END, MAX_WORDS, METACHARACTERS, Unsure
from gatesh.syntax.nodes import (
    Assign,
    Command,
    Compound,
    Function,
    Lit,
    Redir,
    Simple,
    Sum,
    Word,
)
from gatesh.syntax.words import WordReader

MAX_REDIRECTIONS = 200  # of one command
_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_RESERVED = re.compile(
    r"(?:if|then|elif|else|fi|while|until|do|done|for|select|case|esac|function|coproc|time"
    r"|\{|\}|!|\[\[)(?=[ \t\n;&|()<>\0])"
)
_REDIRECTION = re.compile(
    r"([0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\})?(<<<|<<-|<<|<>|<&|>>|>\||>&|<(?!\()|>(?!\())|(&>>|&>)"
)
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=|\[)")
# Words that dash takes for programs.
BASH_ONLY = frozenset({"[[", "function", "coproc", "time", "select"})
PARENTHESES = re.compile(r"[ \t]*\([ \t]*\)")
_DECLARERS = frozenset({"declare", "typeset", "local", "export", "readonly"})
CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
RESERVED = CLOSERS | {
    "if", "while", "until", "for", "select", "case", "function", "coproc", "time", "{", "!", "[[",
    "in",
}  # fmt: skip


class SimpleReader(WordReader):
    """Reads one simple command, and what may stand between commands."""

    __slots__ = ()

    @abstractmethod
    def function_body(self, name: str, start: int) -> Function:
        """Read the rest of a definition, from the parentheses on."""

    # ---- small things ----------------------------------------------------

    def _blank(self) -> str:
        """Skip blanks and line continuations; return the character there."""
        text = self.text
        c = text[self.at]
        if c in " \t\\":
            found = _BLANK.match(text, self.at)
            if found is not None:
                self.at = found.end()
                c = text[self.at]
        if c == "#":
            end = text.find("\n", self.at)
            self.at = len(text) - 1 if end < 0 else end
            c = text[self.at]
        return c

    def _newlines(self) -> str:
        """Skip blanks, comments and newlines, reading here-documents that are due."""
        while (c := self._blank()) == "\n":
            self._newline()
        return c

    def _newline(self) -> None:
        self.at += 1
        if self.pending:
            waiting, self.pending = self.pending, []
            for redir in waiting:
                self._body(redir)

    def _reserved(self) -> str:
        found = _RESERVED.match(self.text, self.at)
        if found is None or (self.posix and found.group() in BASH_ONLY):
            return ""
        return found.group()

    def _expect(self, token: str) -> None:
        self._newlines()
        if not self.text.startswith(token, self.at) or (
            token.isalpha() and self.text[self.at + len(token)] not in METACHARACTERS
        ):
            self._unexpected(f"`{token}` is missing")
        self.at += len(token)

    def _unexpected(self, why: str = "") -> NoReturn:
        c = self.text[self.at]
        what = "the end" if self.at >= len(self.text) - 1 else repr(c)
        raise Unsure(why or f"unexpected {what}", self.at)

    def _unsplit(self) -> None:
        """Refuse `&\\<newline>&`: bash joins the two before it looks."""
        if self.text.startswith("\\\n", self.at):
            before = self.text[self.at - 1]
            following = self.text[self.at + 2 : self.at + 3]
            if following == before or following in ("&", "|", ";", ">", "<", "("):
                raise Unsure("a line continuation splits an operator", self.at)

    def _literal(self, word: Word) -> str:
        if word.plain is not None:
            return word.plain
        if all(isinstance(part, Lit) for part in word.parts):
            return "".join(part.text for part in word.parts if isinstance(part, Lit))
        raise Unsure("a name is computed where bash wants it spelled out", word.start)

    # ---- simple commands -------------------------------------------------

    def _simple(self, prefix: tuple[str, int] | None = None) -> Command:
        text, start = self.text, self.at
        assigns: list[Assign] = []
        words: list[Word] = []
        redirs: list[Redir] = []
        declares = False
        if prefix is not None:
            name, start = prefix
            words.append(Word((Lit(name, False),), start, start + len(name), name))
        while True:
            c = self._blank()
            if c in "\n;|)\0" or (c == "&" and text[self.at + 1] != ">"):
                break
            if c in "<>&0123456789{" and (found := _REDIRECTION.match(text, self.at)) is not None:
                redirs.append(self._redirection(found))
                self.limit(redirs, MAX_REDIRECTIONS)
                continue
            if c == "(":
                if (
                    len(words) == 1
                    and not assigns
                    and not redirs
                    and PARENTHESES.match(text, self.at)
                ):
                    return self.function_body(self._literal(words[0]), start)
                self._unexpected()
            if (not words or declares) and (assign := self._assignment()) is not None:
                if words:
                    words.append(Word((), assign.start, assign.end, None, assign))
                else:
                    assigns.append(assign)
                continue
            word = self.word()
            words.append(word)
            if (len(words) == 1 and word.plain is not None) or (
                declares is False and len(words) > 1 and words[0].plain in ("command", "builtin")
            ):
                declares = word.plain in _DECLARERS
            if len(words) > MAX_WORDS:
                self.limit(words, MAX_WORDS)
        if not (assigns or words or redirs):
            self._unexpected()
        if words and words[0].plain in ("in", "]]") and words[0].start == start:
            self.at = start
            self._unexpected()
        if words and words[0].plain is None and self._spells_reserved(words[0]):
            raise Unsure("a reserved word is split by a line continuation", words[0].start)
        if words:
            self.seen.starts.add(words[0].start)
        return Simple(assigns, words, redirs, start, self.at, declares)

    def _spells_reserved(self, word: Word) -> bool:
        raw = self.text[word.start : word.end]
        return "\\\n" in raw and raw.replace("\\\n", "") in RESERVED

    def _assignment(self) -> Assign | None:
        text, start = self.text, self.at
        found = _ASSIGNMENT.match(text, start)
        if found is None:
            return None
        index: Word | None = None
        self.at = found.end()
        if found.group(2) == "[":
            index = self.subscript(found.end() - 1)
            append = text.startswith("+=", self.at)
            if index is None or not (append or text[self.at] == "="):
                self.at = start
                return None
            self.at += 2 if append else 1
        else:
            append = found.group(2) == "+="
        name = found.group(1)
        if text[self.at] == "(" and index is None:
            self.at += 1
            array = self._array()
            return Assign(name, start, self.at, append, None, None, array)
        value = self._value()
        return Assign(name, start, self.at, append, index, value)

    def _value(self) -> Word:
        c = self.text[self.at]
        if c in METACHARACTERS and not (c in "<>" and self.text[self.at + 1] == "("):
            return Word((), self.at, self.at, "")
        return self.word()

    def _array(self) -> list[Word]:
        words: list[Word] = []
        self.enter()
        while (c := self._newlines()) != ")":
            if c == END:
                self._unexpected("an array is never closed")
            at = self.at
            if c == "[" and (index := self.subscript(at)) is not None and self.text[self.at] == "=":
                self.at += 1
                value = self._value()
                words.append(Word((Sum(index.parts, True, ""), *value.pieces()), at, self.at))
                continue
            self.at = at
            words.append(self.word())
        self.at += 1
        self.leave()
        return words

    def _with_redirections(self, command: Compound) -> Compound:
        while (c := self._blank()) in "<>&0123456789{":
            if c == "&" and self.text[self.at + 1] != ">":
                break
            found = _REDIRECTION.match(self.text, self.at)
            if found is None:
                break
            command.redirs.append(self._redirection(found))
        return command

    def _redirection(self, found: re.Match[str]) -> Redir:
        start = self.at
        fd, op = found.group(1) or "", found.group(2) or found.group(3)
        self.at = found.end()
        self._unsplit()
        self._blank()
        if self.text[self.at] in METACHARACTERS and not (
            self.text[self.at] in "<>" and self.text[self.at + 1] == "("
        ):
            self._unexpected("a redirection names no file")
        target = self.word()
        redir = Redir(op, fd, target, start, self.at)
        if op in ("<<", "<<-"):
            raw = self.text[target.start : target.end]
            redir.quoted = any(c in raw for c in "\\'\"")
            redir.delimiter = raw if not redir.quoted else self._literal(target)
            redir.target = Word((), target.start, target.start, "")
            self.pending.append(redir)
        return redir

    def _body(self, redir: Redir) -> None:
        """Read the here-document of *redir*, which starts here."""
        text, start, last = self.text, self.at, len(self.text) - 1
        lines: list[str] = []
        tabs = redir.op == "<<-"
        while self.at < last:
            end = text.find("\n", self.at)
            end = last if end < 0 else end
            line = text[self.at : end]
            self.at = min(end + 1, last)
            if not redir.quoted:
                # A continued line is one line: its second half cannot be the delimiter.
                while (len(line) - len(line.rstrip("\\"))) % 2 and self.at < last:
                    end = text.find("\n", self.at)
                    end = last if end < 0 else end
                    line = line[:-1] + text[self.at : end]
                    self.at = min(end + 1, last)
            if tabs:
                line = line.lstrip("\t")
            if line == redir.delimiter:
                break
            lines.append(line + "\n")
        body = "".join(lines)
        self.seen.apart.append((start, self.at))
        if redir.quoted or not ("$" in body or "`" in body or "\\" in body):
            redir.target = Word((Lit(body, True),), start, self.at)
        else:
            reader = type(self)(body, self.depth, self.budget, posix=self.posix)
            redir.target = Word(reader.body_parts(), start, self.at)
