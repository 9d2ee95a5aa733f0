"""Following a line: what would run, in which order, with which values.

A `Follower` walks what `grammar` read, keeps the shell's memory, and adds a subject
for everything that would happen.  Where the line goes two ways it takes both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.assign import MAX_COMBINATIONS, assign
from gatesh.syntax.compounds import NOTHING, UNKNOWN, compound
from gatesh.syntax.environment import shadowing
from gatesh.syntax.expand import Expander
from gatesh.syntax.expansions import Unsure
from gatesh.syntax.frames import Frame, Marks
from gatesh.syntax.grammar import Reader
from gatesh.syntax.nodes import (
    AndOr,
    Command,
    Coproc,
    Function,
    Pipeline,
    Script,
    Simple,
    Sub,
    Word,
)  # fmt: skip
from gatesh.syntax.origins import WORD
from gatesh.syntax.redirect import redirected, written
from gatesh.syntax.run import command as run_command
from gatesh.syntax.state import Routine, Shell, hole
from gatesh.syntax.values import (
    Array,
    Choice,
    Field,
    Output,
    Text,
    concatenated,
    either,
    join,
    pieces,
    render,
)  # fmt: skip

_DASH_DIFFERS = re.compile(r"\[\[|\(\(|\b(?:function|coproc|time|select)\b")

Temporary = list[tuple[str, Choice]]


class Follower(Marks):
    """Follows one line; also what `Expander` asks for substitutions."""

    def run(
        self, fields: list[Field], span: tuple[int, int], temporary: Temporary | None = None
    ) -> Output:
        """Follow one command whose words are known."""
        return run_command(self, fields, span, temporary)

    # ---- texts -----------------------------------------------------------

    def text(self, text: str, frame: Frame, span: tuple[int, int]) -> Output:
        """Read *text* as a script and follow it in the current shell."""
        text = text.replace("\0", "")  # as bash does
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
        if output.text is not None:
            made = [p.replace("\0", "") if isinstance(p, str) else p for p in pieces(output.text)]
            if made and isinstance(last := made[-1], str):
                made[-1] = last.rstrip("\n")
            return join(made)
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
            return self._coproc(command)
        span = (command.start, command.end)
        with self.deeper(), redirected(self, command.redirs) as files:
            output = compound(self, command)
        texts = self.last_text
        if files:
            written(self, files, output)
            output = NOTHING
        self.word_span = span
        self.last_text = texts
        return output

    def _coproc(self, command: Coproc) -> Output:
        """Follow a coprocess; the shell writes to what it reads."""
        stdin, self.stdin = self.stdin, UNKNOWN
        try:
            return self.apart(lambda: self.command(command.body))
        finally:
            self.stdin = stdin

    def apart(self, follow: Callable[[], Output]) -> Output:
        """Follow in a subshell."""
        shell, self.shell = self.shell, self.shell.copy()
        try:
            return follow()
        finally:
            self.shell = shell

    def _define(self, command: Function) -> None:
        routine = Routine(command.name, command.body, self.frame.fixed is not None, self.frame)
        self.shell.define(routine)
        if command.name == "command_not_found_handle":
            self.aside(routine)
        elif not self.frame.file:
            self.defined.append(routine)
        shadowing(self, command.name, "a function", (command.start, command.end))

    # ---- simple commands -------------------------------------------------

    def simple(self, node: Simple) -> Output:
        """Follow one simple command, once for each combination of values."""
        self.collector.step()
        words = node.words
        span = (node.start, node.end)
        self.word_span = span
        if not words:
            for one in node.assigns:
                assign(self, one, "")
            with redirected(self, node.redirs) as files:
                written(self, files, NOTHING)
                # `$(<file)` prints the file, `>file` alone nothing.
                alone = self.stdin if len(node.redirs) == 1 and node.redirs[0].op == "<" else None
            return NOTHING if alone is None or files else alone
        expander = Expander(self)
        fields = self.words(expander, words, node.declares)
        if node.assigns:
            # `A=1 cmd $A`: words are expanded before the assignments are made.
            temporary = [assign(self, one, words[0].plain or "?") for one in node.assigns]
        else:
            temporary = []
        variants: list[list[Field]] = [fields]
        if expander.open:
            variants += self._variants(expander, words, node.declares)
        if not node.redirs:
            return self._each(variants, span, temporary)
        with redirected(self, node.redirs) as files:
            output = self._each(variants, span, temporary)
        if files:
            written(self, files, output)
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
            name, value = assign(self, word.assign, "")
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

    # ---- functions nobody called -------------------------------------------

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
