"""What a client's wrapping adds to a command, told from what the command itself does.

The whole outer script is judged, wrapping included, and the files it takes in are
followed and pinned.  Some of what they hold is no doing of anybody's and would
only stop every command of such a client: a snapshot that defines aliases and puts the
shell's own switches and variables back as they are, what nobody can know about the
start-up files that a client's probe reads, and gatesh's own bridge in BASH_ENV.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import replace

from gatesh import document
from gatesh.approval.request import text_of
from gatesh.bridge import is_bridge
from gatesh.model import Analysis, CodeFile, Kind, Subject
from gatesh.syntax import Context, analyse
from gatesh.syntax.agents import Preamble

# Switches of the one shell that runs this one command; not even its history is kept.
_SWITCH = re.compile(r"shopt -[su] [a-z0-9_]+|set [-+]o [a-z-]+")
# How Claude Code's sandbox lets its network traffic out: to its own proxies and no further.
_PROXY = re.compile(
    r"socat TCP-LISTEN:(?:3128|1080),fork,reuseaddr"
    r" UNIX-CONNECT:/[A-Za-z0-9_/.-]+/claude-(?:http|socks)-[0-9a-f]+\.sock"
)
_LOADS = re.compile(r"(?:BASH_ENV|ENV)=(.*) makes programs load code", re.DOTALL)

STARTUP = (".bashrc", ".bash_profile", ".bash_login", ".profile")

Read = Callable[[str], bytes | None]
Steps = tuple[str, ...]


def settle(analysis: Analysis, preamble: Preamble | None, context: Context) -> Analysis:
    """Return *analysis* without what only looks like an act, with the inner command judged.

    Every file that the wrapping takes in is pinned.
    """
    subjects = _without_bridge(analysis.subjects, context.read)
    if preamble is None:
        return replace(analysis, subjects=subjects)
    given = context.env
    home = given.get("HOME", "/")
    sources = [_absolute(text_of(source), home) for source in preamble.sources]
    labels = {f"source {text_of(source)}" for source in preamble.sources}
    labels |= {f"source {path}" for path in sources}
    # The client's own helper, opened by the client; what it is handed is judged below.
    helpers = {
        f"{text_of(source)} is whatever was opened there"
        for source in preamble.sources
        if source.startswith(b"/proc/self/fd/")
    }
    startup = {f"source {posixpath.join(home, name)}" for name in STARTUP if preamble.harness}
    used = {(s.inside, s.text.partition(" ")[0]) for s in subjects if s.kind is Kind.COMMAND}

    def is_no_act(subject: Subject) -> bool:
        inside = set(subject.inside)
        if subject.kind is Kind.COMMAND and _PROXY.fullmatch(subject.text):
            return True
        if subject.kind is Kind.FINDING and subject.detail in helpers:
            return True
        if startup & inside and subject.kind is Kind.FINDING:
            return True  # as with any login shell: pinned, and what it plainly does is judged
        if not (labels | startup) & inside:
            return False
        return _restores(subject, given) or _defines(subject, labels | startup, used)

    kept = tuple(_raw(s, preamble) for s in subjects if not is_no_act(s))
    return replace(
        analysis,
        subjects=(*kept, *_not_reached(kept, preamble, context)),
        files=_pinned(analysis.files, sources, context.read),
    )


def _raw(subject: Subject, preamble: Preamble) -> Subject:
    """Return the whole raw text as the inner command's, for rules that look at raw text.

    The rest is the client's to the byte, or it would not have been recognised; what it
    does is followed all the same.
    """
    if subject.kind is not Kind.SCRIPT or subject.inside or preamble.harness:
        return subject
    return replace(subject, text=text_of(preamble.inner), span=preamble.span)


def _not_reached(
    subjects: tuple[Subject, ...], preamble: Preamble, context: Context
) -> tuple[Subject, ...]:
    """Return what the inner command does, if following the whole script did not lead to it.

    Claude Code's sandbox hands it to a program that is only a number of a descriptor.
    """
    if preamble.harness:
        return ()
    alone = analyse(preamble.inner, replace(context, inner=None, agent=None, positionals=()))
    seen = {subject.text for subject in subjects if subject.kind is Kind.COMMAND}
    if all(s.text in seen for s in alone.subjects if s.kind is Kind.COMMAND):
        return ()
    return tuple(
        replace(subject, span=preamble.span, inside=(preamble.agent, *subject.inside))
        for subject in alone.subjects
    )


def _defines(subject: Subject, labels: set[str], used: Container[tuple[Steps, str]]) -> bool:
    """Tell whether *subject* only stands in an alias that its own file does not use.

    Where the command uses it, what it does is found there again.
    """
    for at, step in enumerate(subject.inside):
        if step.startswith("alias ") and at > 0 and subject.inside[at - 1] in labels:
            return (subject.inside[:at], step.removeprefix("alias ")) not in used
    return False


def _restores(subject: Subject, env: Mapping[str, str]) -> bool:
    """Tell whether *subject* leaves the shell as it was, or turns one of its switches."""
    if subject.kind is Kind.ENV:
        name, equals, value = subject.text.partition("=")
        return equals == "=" and env.get(name) == value
    return subject.kind is Kind.COMMAND and _SWITCH.fullmatch(subject.text) is not None


def _without_bridge(subjects: tuple[Subject, ...], read: Read) -> tuple[Subject, ...]:
    """Leave out that BASH_ENV names our own bridge, when it names nothing else."""
    loads = [(s, found[1]) for s in subjects if (found := _LOADS.fullmatch(s.detail))]
    if not loads or not all(_leads_here(path, read) for _, path in loads):
        return subjects
    ours = {id(subject) for subject, _ in loads}
    # Only where that was found: in another file, BASH_ENV may be another's.
    below = {(*subject.inside, "BASH_ENV") for subject, _ in loads}
    return tuple(
        s
        for s in subjects
        if id(s) not in ours and not any(s.inside[: at + 1] in below for at in range(len(s.inside)))
    )


def _leads_here(path: str, read: Read) -> bool:
    code = read(path) if path.startswith("/") else None
    return code is not None and is_bridge(code)


def _absolute(path: str, home: str) -> str:
    return posixpath.join(home, path[2:]) if path.startswith("~/") else path


def _pinned(files: tuple[CodeFile, ...], paths: list[str], read: Read) -> tuple[CodeFile, ...]:
    """Return *files* and those of *paths* that are regular files, as they are now."""
    known = {file.path for file in files}
    more = []
    for path in dict.fromkeys(paths):
        if path in known or path.startswith("/proc/"):
            continue  # a descriptor of the caller's: a number that means another file to us
        if (content := read(path)) is not None:
            more.append(CodeFile(path, document.sha256(content), len(content)))
    return (*files, *more)
