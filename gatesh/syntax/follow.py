"""Following a line: what would run, in which order, with which values.

A `Follower` walks what `grammar` read, keeps the shell's memory, and adds a subject
for everything that would happen.  Where the line goes two ways it takes both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.call import file_output, located
from gatesh.syntax.collect import Collector
from gatesh.syntax.environment import assigned, shadowing
from gatesh.syntax.expand import Expander
from gatesh.syntax.expansions import Unsure
from gatesh.syntax.grammar import Reader
from gatesh.syntax.nodes import (
    AndOr,
    Assign,
    Case,
    Command,
    Coproc,
    For,
    Function,
    Group,
    If,
    Math,
    Pipeline,
    Redir,
    Script,
    Simple,
    Sub,
    Sum,
    Test,
    While,
    Word,
)  # fmt: skip
from gatesh.syntax.origins import WORD
from gatesh.syntax.paths import NOWHERE, ground
from gatesh.syntax.run import command as run_command
from gatesh.syntax.state import Routine, Shell, hole
from gatesh.syntax.values import Array, Choice, Field, Hole, Output, Text, join, pieces, render

MAX_DEPTH = 48  # scripts, functions and brackets inside each other while following
MAX_COMBINATIONS = 16

_DASH_DIFFERS = re.compile(r"\[\[|\(\(|\b(?:function|coproc|time|select)\b")

Temporary = list[tuple[str, Choice]]

NOTHING = Output("")
UNKNOWN = Output()


@dataclass(slots=True)
class Frame:
    """Where the text being followed came from."""

    inside: tuple[str, ...] = ()
    fixed: tuple[int, int] | None = None  # the span of everything here, if offsets mean nothing
    file: str = ""  # the script file it stands in, when the line did not write that itself


class Follower:
    """Follows one line; also what `Expander` asks for substitutions."""

    def __init__(self, shell: Shell, collector: Collector, read: Callable[[str], bytes | None]):
        self.shell = shell
        self.collector = collector
        self.read = read
        self.frame = Frame()
        self.ground = ground(shell.cwd[0], shell.one("HOME")) if shell.cwd else NOWHERE
        self.stdin: Output | None = None  # None: not redirected
        self.stays = False  # whether the redirections of this command outlive it
        self.wanted = 0  # whether anybody looks at what is printed here
        self.depth = 0
        self.leaving = False  # `exit`, `return`: what follows `||` has no way back
        self.calls: list[tuple[str, object]] = []
        self.defined: list[Routine] = []
        self.read_names: list[str] = []  # what `read` has set, for the loop around it
        self.last_text = ("", "")  # the last command: as written, and unwrapped
        self.unwrapped = ""  # what the command being followed turned out to run
        self.word_span = (0, 0)

    # ---- leaving marks ---------------------------------------------------

    def add(
        self,
        kind: Kind,
        text: str,
        span: tuple[int, int],
        also: tuple[str, ...] = (),
        program: str = "",
        detail: str = "",
    ) -> None:
        """Add a subject that stands in the current frame."""
        frame = self.frame
        self.collector.add((kind, text, frame.fixed or span, also, frame.inside, program, detail))

    def finding(self, word: str, span: tuple[int, int], detail: str) -> None:
        """Add a finding.  In a script file, what is merely unknown is one quiet finding a file."""
        file = self.frame.file
        if file and word not in (findings.CODE_FROM_DATA, findings.DECODED_CODE):
            word, detail = findings.UNSURE_FILE, f"{file}: {word}"
        self.add(Kind.FINDING, word, span, detail=detail)

    @contextmanager
    def deeper(self, frame: Frame | None = None) -> Iterator[None]:
        """Go one level down; *frame* replaces the current one there."""
        if self.depth >= MAX_DEPTH:
            raise Unsure("too many levels inside each other", 0)
        self.depth += 1
        before = self.frame
        if frame is not None:
            self.frame = frame
        try:
            yield
        finally:
            self.depth -= 1
            self.frame = before

    def frame_inside(self, label: str, span: tuple[int, int], *, offsets: bool = False) -> Frame:
        """Return the frame of what is unwrapped from *label*."""
        fixed = self.frame.fixed if offsets else (self.frame.fixed or span)
        return replace(self.frame, inside=(*self.frame.inside, label), fixed=fixed)

    def run(
        self, fields: list[Field], span: tuple[int, int], temporary: Temporary | None = None
    ) -> Output:
        """Follow one command whose words are known."""
        return run_command(self, fields, span, temporary)

    # ---- texts -----------------------------------------------------------

    def text(self, text: str, frame: Frame, span: tuple[int, int]) -> Output:
        """Read *text* as a script and follow it in the current shell."""
        with self.deeper(frame):
            self.as_dash(text, span)
            return self._read(Reader(text, 0, self.collector.budget), span)

    def as_dash(self, text: str, span: tuple[int, int]) -> None:
        """Follow *text* as dash reads it, where `sh` may be dash and that makes a difference.

        `((rm x))` is arithmetic for one and a command for the other.
        """
        if self.shell.posix and _DASH_DIFFERS.search(text) is not None:
            outer, self.shell = self.shell, self.shell.copy()
            self._read(Reader(text, 0, self.collector.budget, posix=True), span)
            self.shell = outer

    def _read(self, reader: Reader, span: tuple[int, int]) -> Output:
        try:
            script = reader.read()
        except Unsure as problem:
            output = self.script(Script(reader.done))
            if not reader.posix:
                self.finding(findings.OPAQUE, span, f"{problem} (in {reader.text[:60]!r})")
            return replace(output, text=None)
        return self.script(script)

    def substitute(self, sub: Sub) -> Text:
        """Follow a command or process substitution; return what it becomes."""
        frame = self.frame
        if sub.inner and frame.fixed is None:
            frame = replace(frame, fixed=self.word_span)
        shell, self.shell = self.shell, self.shell.copy()
        stdin, leaving = self.stdin, self.leaving
        if sub.kind == ">":
            self.stdin = UNKNOWN
        self.wanted += 1
        with self.deeper(frame):
            output = self.script(sub.script)
        self.wanted -= 1
        changed = self.shell
        self.shell, self.stdin, self.leaving = shell, stdin, leaving
        shell.renamed.update(changed.renamed)
        if sub.kind in "<>":
            return hole(sub.raw, one=True, source=output)
        if isinstance(output.text, str):
            return output.text.rstrip("\n")
        if output.text is not None:
            last = output.text[-1]
            if isinstance(last, str):
                return join([*output.text[:-1], last.rstrip("\n")])
            return output.text
        return hole(sub.raw, one=WORD in output.origin, source=output)

    def hidden_code(self, text: str, why: str) -> None:
        """Note code that comes along in a value, and follow what can be read of it."""
        self.finding(findings.DYNAMIC_CODE, self.word_span, why)
        self.follow_value(text)

    def follow_value(self, text: str) -> None:
        """Follow the substitutions in a value that is expanded once more."""
        start = min(at for at in (text.find("$("), text.find("`")) if at >= 0)
        self.text(": " + text[start:].rstrip("]"), self.frame_inside("value", self.word_span),
                  self.word_span)  # fmt: skip

    # ---- lists -----------------------------------------------------------

    def script(self, script: Script) -> Output:
        """Follow every command of *script*; return what all of it prints."""
        printed: list[Output] = []
        for item in script.items:
            if item.background:
                shell = self.shell
                self.shell = shell.copy()
                printed.append(self.and_or(item))
                self.shell = shell
            else:
                printed.append(self.and_or(item))
        return printed[0] if len(printed) == 1 else concatenated(printed)

    def and_or(self, item: AndOr) -> Output:
        """Follow `a && b || c`, taking both ways at each operator."""
        shell = self.shell
        shell.cd_may_fail = ()
        output = self.pipeline(item.pipelines[0])
        if not item.ops:
            self._settle_directory()
            return output
        printed = [output]
        for op, pipeline in zip(item.ops, item.pipelines[1:], strict=True):
            before = shell.copy()
            self.leaving = False
            if op == "||" and shell.cd_may_fail:
                shell.cwd, before.cd_may_fail = shell.cd_may_fail, ()
            printed.append(self.pipeline(pipeline))
            if op == "||" and self.leaving:
                # `cd x || exit`: whoever comes past this is where he wanted to be.
                shell.cwd, shell.vars, shell.cd_may_fail = before.cwd, before.vars, ()
            elif shell.version != before.version:
                shell.merge(before) if op == "||" else self._maybe(before)
        self.leaving = False
        self._settle_directory()
        return Output(None, None, frozenset().union(*(o.origin for o in printed)))

    def _maybe(self, before: Shell) -> None:
        """What `&&` leads to may not have happened; but the directory it saw was the new one."""
        cwd = self.shell.cwd
        failed = tuple(dict.fromkeys((*self.shell.cd_may_fail, *before.cd_may_fail, *before.cwd)))
        self.shell.merge(before)
        self.shell.cwd = cwd
        self.shell.cd_may_fail = () if failed == cwd else failed

    def _settle_directory(self) -> None:
        """At the end of a list a `cd` in it may have failed."""
        shell = self.shell
        if shell.cd_may_fail:
            if shell.cwd and "errexit" not in shell.options:
                shell.cwd = tuple(dict.fromkeys((*shell.cwd, *shell.cd_may_fail)))
            shell.cd_may_fail = ()

    def pipeline(self, pipeline: Pipeline) -> Output:
        """Follow `a | b`; add the pipeline itself."""
        commands = pipeline.commands
        if len(commands) == 1:
            return self.command(commands[0])
        if not commands:
            return NOTHING
        texts: list[tuple[str, str]] = []
        stdin, outer = self.stdin, self.shell
        self.wanted += 1
        for command in commands:
            self.wanted -= command is commands[-1]
            self.shell = outer.copy()
            self.last_text = ("", "")
            self.stdin = self.command(command)
            texts.append(self.last_text if self.last_text[0] else ("{…}", "{…}"))
        output = self.stdin or NOTHING
        self.stdin, self.shell = stdin, outer
        full = " | ".join([t[0] for t in texts])
        bare = " | ".join([t[1] for t in texts])
        also = () if bare == full else (bare,)
        self.add(Kind.PIPELINE, full, (pipeline.start, pipeline.end), also=also)
        return output

    # ---- commands --------------------------------------------------------

    def command(self, command: Command) -> Output:
        """Follow one command."""
        if isinstance(command, Simple):
            return self.simple(command)
        if isinstance(command, Function):
            self._define(command)
            return NOTHING
        if isinstance(command, Coproc):
            return self._apart(lambda: self.command(command.body))
        span = (command.start, command.end)
        with self.deeper(), self.redirected(command.redirs) as files:
            output = self._compound(command)
        texts = self.last_text
        if files:
            self.written(files, output)
            output = NOTHING
        self.word_span = span
        self.last_text = texts
        return output

    def _compound(self, command: Command) -> Output:
        if isinstance(command, Group):
            if command.subshell:
                return self._apart(lambda: self.script(command.body))
            return self.script(command.body)
        if isinstance(command, If):
            return self._if(command)
        if isinstance(command, While):
            return self._while(command)
        if isinstance(command, For):
            return self._for(command)
        if isinstance(command, Case):
            return self._case(command)
        if isinstance(command, Math):
            Expander(self).sum(command.sum)
            return self._loop(lambda: self.script(command.body or Script([])))
        if isinstance(command, Test):
            expander = Expander(self)
            for word in command.words:
                self.word_span = (word.start, word.end)
                expander.visit(word)
                value = render(expander.text(word))
                if "[$(" in value or "[`" in value:
                    self.hidden_code(value, "[[ evaluates a subscript")
        return NOTHING

    def _apart(self, follow: Callable[[], Output]) -> Output:
        shell, self.shell = self.shell, self.shell.copy()
        try:
            return follow()
        finally:
            self.shell = shell

    def _define(self, command: Function) -> None:
        routine = Routine(command.name, command.body, self.frame.fixed is not None, self.frame)
        self.shell.functions[command.name] = (routine,)
        self.shell.version += 1
        if command.name == "command_not_found_handle":
            self.aside(routine)
        elif not self.frame.file:
            self.defined.append(routine)
        shadowing(self, command.name, "a function", (command.start, command.end))

    def _if(self, command: If) -> Output:
        shell = self.shell
        printed = []
        after: list[Shell] = []
        for condition, body in command.arms:
            self.script(condition)
            before = shell.copy()
            printed.append(self.script(body))
            after.append(shell.copy())
            self.shell = shell = before
        if command.orelse is not None:
            printed.append(self.script(command.orelse))
        for other in after:
            shell.merge(other)
        return either(printed)

    def _case(self, command: Case) -> Output:
        expander = Expander(self)
        self.word_span = (command.subject.start, command.subject.end)
        expander.visit(command.subject)
        printed = []
        shell = self.shell
        for patterns, body in command.arms:
            for pattern in patterns:
                expander.visit(pattern)
            before = shell.copy()
            printed.append(self.script(body))
            shell.merge(before)
        return either(printed)

    def _while(self, command: While) -> Output:
        outer, self.read_names = self.read_names, []
        self.script(command.condition)
        output = self._loop(
            lambda: concatenated([self.script(command.body), self.script(command.condition)])
        )
        for name in self.read_names:  # the `read` that ends the loop leaves nothing
            self.shell.set(name, *dict.fromkeys((*self.shell.lookup(name), "")))
        self.read_names = outer
        return output

    def _for(self, command: For) -> Output:
        values: list[Choice]
        if command.words is None:
            known = self.shell.positionals
            fields = [Field("$@", hole("$@"), wild=True)] if known is None else list(known)
        else:
            expander = Expander(self)
            if command.words:
                self.word_span = (command.words[0].start, command.words[-1].end)
            fields = expander.fields(command.words)
        values = [self._element(field, command.name) for field in fields]
        values = list(dict.fromkeys(values)) or [None]
        self.shell.set(command.name, *values)
        return self._loop(lambda: self.script(command.body))

    def _element(self, field: Field, name: str) -> Choice:
        """Return what a loop variable is for one word of its list."""
        if field.glob or field.wild:
            one = field.glob and not field.wild
            return hole("$" + name, one=one)
        return field.value

    def _loop(self, follow: Callable[[], Output]) -> Output:
        """Follow a body that may run any number of times."""
        shell = self.shell
        before = shell.copy()
        follow()
        if shell.version != before.version and not self.frame.file:
            # The second round sees what the first left behind.
            shell.merge(before)
            follow()
            shell.merge(before)
        return UNKNOWN

    # ---- simple commands -------------------------------------------------

    def simple(self, node: Simple) -> Output:
        """Follow one simple command, once for each combination of values."""
        self.collector.step()
        words = node.words
        span = (node.start, node.end)
        self.word_span = span
        if not words:
            for assign in node.assigns:
                self.assign(assign, "")
            with self.redirected(node.redirs) as files:
                self.written(files, NOTHING)
            return NOTHING
        expander = Expander(self)
        fields = self.words(expander, words, node.declares)
        if node.assigns:
            # `A=1 cmd $A`: words are expanded before the assignments are made.
            temporary = [self.assign(assign, words[0].plain or "?") for assign in node.assigns]
        else:
            temporary = []
        variants: list[list[Field]] = [fields]
        if expander.open:
            variants += self._variants(expander, words, node.declares)
        if not node.redirs:
            return self._each(variants, span, temporary)
        with self.redirected(node.redirs) as files:
            output = self._each(variants, span, temporary)
        if files:
            self.written(files, output)
            return NOTHING
        return output

    def _each(
        self, variants: list[list[Field]], span: tuple[int, int], temporary: Temporary
    ) -> Output:
        outputs = []
        for made in variants:
            if made:
                outputs.append(run_command(self, made, span, temporary))
                continue
            for name, value in temporary:
                # `A=1 $empty`: without a command the assignments stay.
                old = self.shell.lookup(name) if len(variants) > 1 else ()
                self.shell.set(name, *dict.fromkeys((*old, value)))
        return outputs[0] if len(outputs) == 1 else either(outputs)

    def words(self, expander: Expander, words: list[Word], declares: bool) -> list[Field]:
        """Expand *words*, those that are assignments to `declare` and its kind as well."""
        if not declares:
            return expander.fields(words)
        fields: list[Field] = []
        for word in words:
            if word.assign is None:
                fields += expander.fields([word])
                continue
            name, value = self.assign(word.assign, "")
            shown = "(…)" if value is None or isinstance(value, Array) else render(value)
            fields.append(
                Field(f"{name}={shown}", f"{name}={shown}", start=word.start, end=word.end)
            )
        return fields

    def _variants(
        self, expander: Expander, words: list[Word], declares: bool
    ) -> Iterator[list[Field]]:
        """Yield the other combinations of variables with several values."""
        choices: list[dict[str, int]] = [{}]
        for name, count in expander.open.items():
            choices = [{**c, name: n} for c in choices for n in range(count)]
            if len(choices) > MAX_COMBINATIONS:
                choices = choices[:MAX_COMBINATIONS]
                self.finding(findings.DYNAMIC_PROGRAM, self.word_span,
                             "too many combinations of values to look at each")  # fmt: skip
                break
        for choice in choices[1:]:
            yield self.words(Expander(self, choice), words, declares)

    def assign(self, assign: Assign, command: str) -> tuple[str, Choice]:
        """Make an assignment, only for *command* if that is given; return name and value."""
        expander = Expander(self)
        span = (assign.start, assign.end)
        self.word_span = span
        if assign.index is not None:
            expander.sum(Sum(assign.index.parts, True, ""))
        value = self._value(assign, expander)
        shown = _shown(value)
        self.add(Kind.ENV, f"{assign.name}={shown}", span)
        assigned(self, assign.name, value, span)
        shell = self.shell
        if assign.name in shell.integers and ("$(" in shown or "`" in shown):
            self.hidden_code(shown, f"{assign.name} is an integer: its value is evaluated")
        if assign.append:
            choices = self._appended(assign.name, value)
        else:
            choices = [value, *self._other_values(assign, expander)]
        if command:
            return assign.name, choices[0] if len(choices) == 1 else hole("$" + assign.name)
        if assign.index is not None:
            choices = [hole("$" + assign.name)]
        shell.set(assign.name, *dict.fromkeys(choices))
        return assign.name, value

    def _value(self, assign: Assign, expander: Expander) -> Choice:
        if assign.array is not None:
            return Array(tuple(expander.fields(assign.array)))
        assert assign.value is not None
        return expander.text(assign.value, tildes=True)

    def _other_values(self, assign: Assign, expander: Expander) -> list[Choice]:
        """`B=$A` where A has several values gives B as many."""
        choices: list[dict[str, int]] = [{}]
        for name, count in expander.open.items():
            choices = [{**c, name: n} for c in choices for n in range(count)]
            if len(choices) > MAX_COMBINATIONS:
                return [hole("$" + assign.name)]
        return [self._value(assign, Expander(self, choice)) for choice in choices[1:]]

    def _appended(self, name: str, value: Choice) -> list[Choice]:
        """Return what `name+=value` can make of the variable."""
        made: list[Choice] = []
        for old in self.shell.lookup(name):
            if isinstance(value, Array):
                items = old.items if isinstance(old, Array) else ()
                known = old is None or isinstance(old, Array)
                made.append(Array(items + value.items) if known else hole("$" + name))
            elif isinstance(old, Array):
                made.append(hole("$" + name))
            else:
                made.append(join([*pieces(old or ""), *pieces(value or "")]))
        return made

    # ---- redirections ----------------------------------------------------

    @contextmanager
    def redirected(self, redirs: list[Redir]) -> Iterator[list[str]]:
        """Follow redirections; yield the files that standard output goes to."""
        files: list[str] = []
        if not redirs:
            yield files
            return
        before = self.stdin
        for redir in redirs:
            self._redirect(redir, files)
        self.wanted += bool(files)
        self.stays = False
        try:
            yield files
        finally:
            if not self.stays:  # `exec < file` stays
                self.stdin = before
            self.stays = False
            self.wanted -= bool(files)

    def _redirect(self, redir: Redir, files: list[str]) -> None:
        expander = Expander(self)
        span = (redir.start, redir.end)
        self.word_span = span
        value = expander.text(redir.target)
        op = redir.op
        if op in ("<<", "<<-"):
            if redir.fd in ("", "0"):
                self.stdin = Output(value)
            return
        if op == "<<<":
            if redir.fd in ("", "0"):
                self.stdin = Output(join([*pieces(value), "\n"]), None, sources(value))
            return
        text = render(value)
        if op in ("<&", ">&") and (text.rstrip("-").isdigit() or text == "-"):
            if op == "<&" and redir.fd in ("", "0"):
                self.stdin = UNKNOWN
            return
        if op in ("<", "<&", "<>"):
            for path in located(self, text):
                self.add(Kind.READ, path, span)
            if redir.fd in ("", "0"):
                self.stdin = file_output(self, value)
        if op not in ("<", "<&"):
            for path in located(self, text):
                self.add(Kind.WRITE, path, span)
                if redir.fd in ("", "1") and op != "<>":
                    files.append(("+" if op in (">>", "&>>") else "") + path)

    def written(self, files: list[str], output: Output) -> None:
        """Remember what the line has put into files."""
        for file in files:
            path = file.lstrip("+")
            if file[0] == "+":
                old = self.shell.files.get(path)
                output = concatenated([old, output]) if old is not None else output
                if old is None:
                    output = replace(output, text=None) if output.text is None else output
            self.shell.files[path] = output

    def uncalled(self) -> None:
        """Follow functions that the line defines and does not call: a later line may."""
        for routine in self.defined:
            if not routine.calls:
                self.aside(routine)

    def aside(self, routine: Routine) -> None:
        """Follow a function that something unseen may call, with any arguments."""
        routine.calls += 1
        outer, self.shell = self.shell, self.shell.copy()
        self.shell.positionals = None
        frame = routine.frame
        assert isinstance(frame, Frame)
        with self.deeper(replace(frame, inside=(*frame.inside, f"function {routine.name}"))):
            self.command(routine.body)
        self.shell = outer


def sources(value: Text) -> frozenset[str]:
    """Return where the unknown parts of *value* come from."""
    found: frozenset[str] = frozenset()
    for piece in pieces(value):
        if isinstance(piece, Hole) and piece.source is not None:
            found |= piece.source.origin
    return found


def _shown(value: Choice) -> str:
    if isinstance(value, Array):
        return "(" + " ".join([item.text for item in value.items]) + ")"
    return render(value or "")


def concatenated(outputs: list[Output]) -> Output:
    """Return what is printed when one prints after the other."""
    made: list[str | Hole] = []
    origin: frozenset[str] = frozenset()
    known = True
    for output in outputs:
        origin |= output.origin
        if output.text is None:
            known = False
        else:
            made += pieces(output.text)
    return Output(join(made) if known else None, None, origin)


def either(outputs: list[Output]) -> Output:
    """Return what is printed when one of them prints."""
    first = outputs[0] if outputs else NOTHING
    if all(output == first for output in outputs):
        return first
    return Output(None, None, frozenset().union(*(o.origin for o in outputs)))
