"""The one function of this room that others need for a script: `analyse`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gatesh.model import Analysis, Kind
from gatesh.syntax import findings, tables, witness
from gatesh.syntax.code import zsh_runs
from gatesh.syntax.collect import Collector, Exhausted
from gatesh.syntax.expansions import Unsure
from gatesh.syntax.follow import Follower
from gatesh.syntax.grammar import Reader
from gatesh.syntax.nodes import Script
from gatesh.syntax.state import Shell
from gatesh.syntax.values import known

BUG = "gatesh failed to follow this line"
MAX_SCRIPT = 1 << 20  # characters; a longer script is opaque


@dataclass(frozen=True, slots=True)
class Context:
    """Where a script would run.

    `read` is given absolute paths and returns the bytes of a regular file, None when
    there is none, and may raise `OSError` for one that is there but cannot be read or
    is too large.  `env` is the environment of the caller.  `shell` is bash, sh or zsh.
    `stdin` is what a shell would read commands from that nobody types: "a file", "a pipe".
    `typed`: the shell has a terminal, and gets what is typed there by another descriptor.
    """

    cwd: str
    env: Mapping[str, str]
    read: Callable[[str], bytes | None]
    zero: str = "bash"
    positionals: tuple[str, ...] = ()
    shell: str = "bash"
    inner: str | None = None
    agent: str | None = None
    stdin: str | None = None
    typed: bool = False


def analyse(script: bytes, context: Context) -> Analysis:
    """Return everything that *script* would do, as subjects for rules.

    Never raises: what cannot be read or followed ends in an `opaque` finding.
    """
    text = script.decode("utf-8", "replace")
    collector = Collector()
    whole = (0, len(text))
    problem = ""
    if "\0" in text:
        problem = "holds a NUL byte"
        text = text.replace("\0", "\ufffd")
    elif "\ufffd" in text and script.decode("utf-8", "ignore") != text:
        problem = "is not UTF-8"
    collector.add((Kind.SCRIPT, text, whole, (), (), "", ""))
    if problem:
        collector.finding(findings.OPAQUE, whole, f"the script {problem}")
    if len(text) > MAX_SCRIPT:
        collector.finding(findings.OPAQUE, whole, "the script is too large")
    else:
        _follow(text, context, collector)
    return Analysis(
        script,
        collector.subjects(script),
        tuple(collector.files.values()),
        context.inner,
        context.agent,
    )


def _follow(text: str, context: Context, collector: Collector) -> None:
    shell = Shell(
        context.env,
        (context.cwd,) if context.cwd.startswith("/") else (),
        zero=context.zero,
        posix=context.shell in tables.MAYBE_DASH,
        positionals=tuple(known(value) for value in context.positionals),
    )
    follower = Follower(shell, collector, context.read)
    follower.input = context.stdin
    follower.typed = context.typed
    reader = Reader(text)
    collector.budget = reader.budget
    whole = (0, len(text))
    try:
        try:
            script = reader.read()
        except Unsure as problem:
            where = (min(problem.at, len(text)), len(text))
            collector.finding(findings.OPAQUE, where, str(problem))
            script = Script(reader.done)
        else:
            differs = witness.disagreement(text, reader.seen)
            if differs is not None:
                why = f"two readers disagree about {text[slice(*differs)][:40]!r}"
                collector.finding(findings.OPAQUE, differs, why)
        follower.as_dash(text, whole)
        if context.shell == "zsh" and zsh_runs(text):
            collector.finding(findings.OPAQUE, whole, "zsh runs code inside patterns")
        follower.script(script)
        follower.uncalled()
    except (Unsure, Exhausted) as problem:
        collector.finding(findings.OPAQUE, whole, str(problem))
    except RecursionError:
        collector.finding(findings.OPAQUE, whole, "too many levels inside each other")
    except Exception as bug:
        # A mistake of ours must not let a line through, nor stop the broker.
        collector.finding(findings.OPAQUE, whole, f"{BUG} ({type(bug).__name__}: {bug})")
