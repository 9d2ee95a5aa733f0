"""Reading what a call would run: the script itself, and all the code that comes before it."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import replace

from gatesh.approval.request import text_of
from gatesh.bridge import is_bridge
from gatesh.call import Call
from gatesh.errors import GateshError
from gatesh.model import Analysis, Invocation, Kind, Mode, Span, Subject
from gatesh.syntax import Context, analyse
from gatesh.syntax.agents import recognise
from gatesh.syntax.invocation import rcfile
from gatesh.wrapping import settle

EARLIER = 128 << 10  # bytes of definitions; beyond, nobody could say what a name means


def find_script(call: Call, called: Invocation) -> tuple[str, bytes] | None:
    """Return (absolute path, bytes) of the script file as bash looks for it.

    First as named, from the working directory; a bare name also along PATH.
    """
    name = text_of(called.path or b"")
    places = [posixpath.join(str(call.cwd()["path"]), name)]
    if "/" not in name:
        path = text_of(call.env.get(b"PATH", b""))
        places += [posixpath.join(place or ".", name) for place in path.split(":")]
    for place in places:
        content = _code(call, place)
        if content is not None:
            return place, content
    return None


def _code(call: Call, path: str) -> bytes | None:
    """Return what *path* holds, None when it is not there; refuse what nobody can look at."""
    try:
        return call.read(path)
    except OSError as problem:
        raise GateshError(
            f"{path} would be run and cannot be read: {problem.strerror}",
            hint="make it a readable file of at most 16 MiB",
        ) from None


def analysis(call: Call, called: Invocation, script: bytes) -> Analysis:
    """Find out what *script* and everything read before it would do."""
    preamble = recognise(
        script,
        argv=call.argv,
        zero=called.zero,
        positionals=called.positionals,
        env=call.env,
    )
    context = Context(
        cwd=str(call.cwd()["path"]),
        env=call.env.texts,
        read=call.read,
        zero=text_of(called.zero or b"bash"),
        positionals=tuple(text_of(word) for word in called.positionals),
        shell=called.name,
        inner=text_of(preamble.inner) if preamble else None,
        agent=preamble.agent if preamble else None,
        stdin={"file": "a file", "pipe": "a pipe"}.get(call.stdin.kind),
        typed=call.command is not None and call.stdin.kind == "tty",
    )
    if called.mode is Mode.UNKNOWN:
        unknown = Subject(
            Kind.FINDING, "opaque", Span(0, len(script)), detail=called.problem or "unknown call"
        )
        return Analysis(script, (unknown,))
    found = settle(analyse(script, context), preamble, context)
    if call.earlier:
        found = _with_earlier(found, call.earlier, context)
    for label, code in _before(call, called):
        more = analyse(code, replace(context, inner=None, agent=None))
        outside = tuple(
            replace(s, span=Span(0, 0), inside=(label, *s.inside)) for s in more.subjects
        )
        found = replace(
            found,
            subjects=found.subjects + outside,
            files=found.files + more.files,
        )
    return found


def _with_earlier(found: Analysis, earlier: bytes, context: Context) -> Analysis:
    """Return *found* with what its script does only because of *earlier* commands.

    `alias g=git` and then `g push --force`: the two are read together, and what the first
    does alone is taken away again.
    """
    whole = Span(0, len(found.script))
    if len(earlier) > EARLIER:
        much = Subject(Kind.FINDING, "opaque", whole, detail="too much was defined before it")
        return replace(found, subjects=(*found.subjects, much))
    earlier += f"cd -- {shlex.quote(context.cwd)} || exit\n".encode("utf-8", "surrogateescape")
    alone, both = analyse(earlier, context), analyse(earlier + found.script, context)
    known = {_doing(s) for s in (*alone.subjects, *found.subjects)}
    more = []
    for s in both.subjects:
        own = s.span.start >= len(earlier)
        if s.kind is Kind.SCRIPT or (not own and _doing(s) in known):
            continue
        start = max(0, s.span.start - len(earlier))
        span = Span(start, max(start, s.span.end - len(earlier))) if own else whole
        more.append(replace(s, span=span))
    fresh = [s for s in more if s not in found.subjects]
    files = [file for file in both.files if file not in (*alone.files, *found.files)]
    return replace(found, subjects=(*found.subjects, *fresh), files=(*found.files, *files))


def _doing(subject: Subject) -> tuple[str, ...]:
    return subject.kind.value, subject.text, subject.detail, *subject.inside


_PROMPT_ESCAPES = re.compile(rb"\\[^0-7]", re.DOTALL)
_OCTAL = re.compile(rb"\\[0-7]")
_EXPANDS = re.compile(rb"[$`]")
_ENDS_QUOTES = re.compile(rb"[\"'\\\n]")


def _before(call: Call, called: Invocation) -> list[tuple[str, bytes]]:
    """Return code the shell runs or keeps ready before its script: (where from, bytes).

    BASH_ENV is a script run first, and so is what --rcfile names; an exported function
    replaces any command of its name.  Whoever calls us has chosen or written them.
    """
    if called.name != "bash" or b"-p" in called.options or called.mode is Mode.NOTHING:
        return []
    if call.command is not None:
        return []  # judged when the session began
    found = []
    named = call.env.get(b"BASH_ENV", b"")
    if named and not called.interactive:
        if _EXPANDS.search(named):
            # bash expands the value before it takes it for a path: `$(…)` in it is code too.
            found.append(("BASH_ENV", _within_quotes(b". ", named)))
        else:
            path = posixpath.join(str(call.cwd()["path"]), text_of(named))
            code = _code(call, path)
            if code is not None and not is_bridge(code):
                found.append((f"BASH_ENV={text_of(named)}", code))
    if called.mode is Mode.SESSION and (rc := rcfile(called)) is not None:
        # Named by whoever calls, unlike the person's own.  That of an editor's terminal belongs
        # to the editor, which root has installed.
        path = posixpath.join(str(call.cwd()["path"]), text_of(rc))
        code = _code(call, path)
        if code is not None and not call.settled(path):
            found.append((f"--rcfile {path}", code))
    if called.mode is Mode.SESSION:
        found += _at_prompts(call)
    trace = call.env.get(b"PS4", b"")
    if _EXPANDS.search(trace):  # printed, and so expanded, for each command under `set -x`
        found.append(("PS4", _within_quotes(b": ", trace)))
    for name, value in call.env.items():
        if name.startswith(b"BASH_FUNC_") and value.startswith(b"() {"):
            function = name[len(b"BASH_FUNC_") :].removesuffix(b"%%")
            found.append((f"exported function {text_of(function)}", value[3:]))
    return found


def _at_prompts(call: Call) -> list[tuple[str, bytes]]:
    """Return code from the environment that an interactive shell runs before each command."""
    found = []
    if command := call.env.get(b"PROMPT_COMMAND", b""):
        found.append(("PROMPT_COMMAND", command))
    for name in (b"PS0", b"PS1", b"PS2", b"MAILPATH"):
        value = _PROMPT_ESCAPES.sub(b"", call.env.get(name, b""))
        if _OCTAL.search(value) or _EXPANDS.search(value):  # \044 is a dollar sign
            found.append((name.decode(), _within_quotes(b": ", value)))
    return found


def _within_quotes(command: bytes, value: bytes) -> bytes:
    """Return code that expands *value* as bash does, or code nobody can read.

    A value that could end the quotes we put around it (`\\" '$(…)'`) would hide what it runs.
    """
    if _ENDS_QUOTES.search(value):
        return b"("
    return command + b'"' + value + b'"'
