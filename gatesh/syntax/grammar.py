"""Bash's grammar: a text becomes lists, pipelines and commands.

Strict on purpose.  tree-sitter recovers from anything, and so names commands that
bash would not run and hides some that it would; this reader follows bash 5.2 or
raises `Unsure`.  `witness` asks tree-sitter for a second opinion.
"""

from __future__ import annotations

from gatesh.syntax.expansions import END, METACHARACTERS, Unsure
from gatesh.syntax.nodes import (
    AndOr,
    Case,
    Command,
    Coproc,
    For,
    Function,
    Group,
    If,
    Lit,
    Math,
    Part,
    Pipeline,
    Script,
    Simple,
    Test,
    While,
    Word,
)  # fmt: skip
from gatesh.syntax.simple import CLOSERS, PARENTHESES, SimpleReader


class Reader(SimpleReader):
    """Reads commands.  One reader reads one text, once."""

    __slots__ = ("done",)

    def __init__(
        self, text: str, depth: int = 0, budget: list[int] | None = None, *, posix: bool = False
    ) -> None:
        super().__init__(text, depth, budget, posix=posix)
        self.done: list[AndOr] = []  # complete commands of the outermost list

    def read(self) -> Script:
        """Return the whole text as a script; on `Unsure`, `done` holds what bash would run."""
        self._list(self.done)
        if self.text[self.at] != END or self.at != len(self.text) - 1:
            self._unexpected()
        return Script(self.done)

    def nested(self, text: str) -> Script:
        """Read *text* as a script of its own."""
        return type(self)(text, self.depth, self.budget, posix=self.posix).read()

    def script_until_parenthesis(self) -> Script:
        """Read commands up to and including `)`."""
        items: list[AndOr] = []
        self._list(items)
        self._expect(")")
        return Script(items)

    # ---- lists -----------------------------------------------------------

    def _list(self, items: list[AndOr]) -> None:
        """Read commands until something that cannot start one."""
        line: list[AndOr] = []  # bash runs nothing of a line before all of it is read
        while True:
            while (c := self._blank()) == "\n":
                items += line
                line = []
                self._newline()
            if c in ");\0" or self._reserved() in CLOSERS:
                items += line
                return
            item = self._and_or()
            line.append(item)
            c = self._blank()
            if c == ";" and self.text[self.at + 1] not in ";&":
                self.at += 1
            elif c == "&" and self.text[self.at + 1] != "&":
                item.background = True
                self.at += 1
            elif c != "\n":
                # `{ (ls) }`: after a closing bracket reserved words count again.
                if c not in ")\0;" and self._reserved() not in CLOSERS:
                    self._unexpected()
                items += line
                return
            self._unsplit()

    def _and_or(self) -> AndOr:
        pipelines = [self._pipeline()]
        ops: list[str] = []
        while True:
            c = self._blank()
            if c not in "&|" or self.text[self.at + 1] != c:
                return AndOr(pipelines, ops)
            ops.append(c + c)
            self.at += 2
            self._newlines()
            pipelines.append(self._pipeline())

    def _pipeline(self) -> Pipeline:
        start = self.at
        self.seen.starts.add(start)  # `time` and `!` stand before the command
        word = self._reserved()
        while word in ("!", "time"):
            if word == "!" and self.text[self.at + 1] == "(" and "extglob" in self.text:
                raise Unsure(
                    "`!(` is a pattern or a negated subshell, depending on extglob", self.at
                )
            self.at += len(word)
            c = self._blank()
            while word == "time" and c == "-":
                option = self.word()
                if option.plain not in ("-p", "--"):
                    # `time -x` runs /usr/bin/time, or so says the reserved word's lookahead.
                    self.at = option.start
                    return Pipeline([self._simple(prefix=("time", start))], start, self.at)
                c = self._blank()
            if c in "\n;&)\0" and not self.text.startswith("&>", self.at):
                return Pipeline([], start, self.at)  # bare `time` or `!` runs nothing
            word = self._reserved()
        commands = [self._command()]
        while self._blank() == "|" and self.text[self.at + 1] != "|":
            self.at += 2 if self.text[self.at + 1] == "&" else 1
            self._unsplit()
            self._newlines()
            commands.append(self._command())
        return Pipeline(commands, start, self.at)

    # ---- commands --------------------------------------------------------

    def _command(self) -> Command:
        self.step()
        text, start = self.text, self.at
        c = text[start]
        if c == "(":
            arithmetic = text[start + 1] == "(" and not self.posix
            if arithmetic and (sum := self._sum(start + 2, start, True)) is not None:
                return self._with_redirections(Math(sum, None, [], start, self.at))
            self.at += 1
            self.enter()
            body = self.script_until_parenthesis()
            self.leave()
            return self._with_redirections(Group(body, True, [], start, self.at))
        word = self._reserved()
        if not word:
            return self._simple()
        if word == "time":
            return self._simple()  # after `|` it is the program of that name
        if word in CLOSERS or word == "!":
            self._unexpected(f"unexpected `{word}`")
        self.at += len(word)
        self.enter()
        made = self._compound(word, start)
        self.leave()
        return made

    def _compound(self, word: str, start: int) -> Command:
        if word == "{":
            body = self._body_until("}")
            return self._with_redirections(Group(body, False, [], start, self.at))
        if word == "if":
            return self._if(start)
        if word in ("while", "until"):
            condition = self._body_until("do")
            body = self._body_until("done")
            return self._with_redirections(While(condition, body, [], start, self.at))
        if word in ("for", "select"):
            return self._for(start)
        if word == "case":
            return self._case(start)
        if word == "[[":
            return self._test(start)
        if word == "function":
            self._blank()
            return self.function_body(self._literal(self.word()), start)
        return self._coproc(start)

    def _body_until(self, closer: str) -> Script:
        items: list[AndOr] = []
        self._list(items)
        if not items:
            self._unexpected(f"nothing before `{closer}`")
        self._expect(closer)
        return Script(items)

    def _if(self, start: int) -> Command:
        arms: list[tuple[Script, Script]] = []
        orelse: Script | None = None
        while True:
            condition = self._body_until("then")
            items: list[AndOr] = []
            self._list(items)
            if not items:
                self._unexpected("nothing after `then`")
            arms.append((condition, Script(items)))
            word = self._reserved()
            if word not in ("elif", "else", "fi"):
                self._unexpected("`fi` is missing")
            self.at += len(word)
            if word == "else":
                orelse = self._body_until("fi")
            if word != "elif":
                return self._with_redirections(If(arms, orelse, [], start, self.at))

    def _do(self) -> Script:
        """`do … done`, or the braces that `for` takes as well."""
        word = self._reserved()
        if word not in ("do", "{"):
            self._unexpected("`do` is missing")
        self.at += len(word)
        return self._body_until("done" if word == "do" else "}")

    def _for(self, start: int) -> Command:
        if self._blank() == "(":
            if self.text[self.at + 1] != "(":
                self._unexpected()
            sum = self._sum(self.at + 2, self.at, True)
            if sum is None:
                self._unexpected("`for ((` is never closed")
            if self._newlines() == ";":
                self.at += 1
                self._newlines()
            body = self._do()
            return self._with_redirections(Math(sum, body, [], start, self.at))
        name = self._literal(self.word())
        words: list[Word] | None = None
        c = self._newlines()
        if self.text.startswith("in", self.at) and self.text[self.at + 2] in METACHARACTERS:
            self.at += 2
            words = []
            while (c := self._blank()) not in ";\n\0&|)":
                words.append(self.word())
        if c in ";\n":
            if c == "\n":
                self._newline()
            else:
                self.at += 1
            self._newlines()
        return self._with_redirections(For(name, words, self._do(), [], start, self.at))

    def _case(self, start: int) -> Command:
        self._blank()
        subject = self.word()
        self._expect("in")
        arms: list[tuple[list[Word], Script]] = []
        while True:
            c = self._newlines()
            if self._reserved() == "esac":
                self.at += 4
                return self._with_redirections(Case(subject, arms, [], start, self.at))
            if c == "(":
                self.at += 1
                self._blank()
            patterns = [self.word()]
            while self._blank() == "|":
                self.at += 1
                self._blank()
                patterns.append(self.word())
            self._expect(")")
            items: list[AndOr] = []
            self._list(items)
            arms.append((patterns, Script(items)))
            for closer in (";;&", ";;", ";&"):
                if self.text.startswith(closer, self.at):
                    self.at += len(closer)
                    break
            else:
                if self._reserved() != "esac":
                    self._unexpected("`esac` is missing")

    def _test(self, start: int) -> Command:
        """`[[ … ]]`: its grammar does not matter, only where words begin and end."""
        words: list[Word] = []
        text = self.text
        while True:
            c = self._newlines()
            if c == END:
                raise Unsure("`[[` is never closed", start)
            if text.startswith("]]", self.at) and text[self.at + 2] in METACHARACTERS:
                self.at += 2
                return self._with_redirections(Test(words, [], start, self.at))
            if c in "()<>&|" and not (c in "<>" and text[self.at + 1] == "("):
                self.at += 1
                continue
            if c == ";":
                self._unexpected()
            word = self.word()
            words.append(word)
            if word.plain == "=~":
                words.append(self._regex())

    def _regex(self) -> Word:
        """The right side of `=~`, where brackets and bars are ordinary."""
        self._blank()
        start, level = self.at, 0
        parts: list[Part] = []
        while (c := self.text[self.at]) != END:
            if (c in " \t" and level == 0) or c == "\n":
                break
            if c in "()|<>&; \t":
                level += (c == "(") - (c == ")")
                parts.append(Lit(c, True))
                self.at += 1
            else:
                parts.extend(self.word().pieces())
        return Word(tuple(parts), start, self.at)

    def _coproc(self, start: int) -> Command:
        self._blank()
        name = ""
        at = self.at
        if not self._reserved() and self.text[at] not in METACHARACTERS:
            name = self._literal(self.word())
            c = self._blank()
            if c != "(" and self._reserved() not in (
                "{", "if", "while", "until", "for", "select", "case", "[["
            ):  # fmt: skip
                name, self.at = "", at
        return Coproc(name, self._command(), start, self.at)

    def function_body(self, name: str, start: int) -> Function:
        """Read the rest of a definition, from the parentheses on."""
        parentheses = PARENTHESES.match(self.text, self.at)
        if parentheses is not None:
            self.at = parentheses.end()
        self._newlines()
        body = self._command()
        if isinstance(body, Simple | Function | Coproc):
            raise Unsure("a function body must be a compound command", start)
        return Function(name, body, start, self.at)
