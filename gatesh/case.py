"""A case: one call of the shell, taken apart and judged (`docs/life-of-a-command.md`, 2 to 5).

What is bound here is what an approval will be good for: the exact bytes for the
shell, how it is called, where, by whom, with which variables and files, under
which rules and which roster.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gatesh import document, pathsearch
from gatesh.approval import request as requests
from gatesh.approval.roster import Roster
from gatesh.bridge import is_bridge
from gatesh.config import Config
from gatesh.errors import GateshError
from gatesh.model import (
    Analysis,
    CodeFile,
    Invocation,
    Judgement,
    Kind,
    Mode,
    Requester,
    Span,
    Subject,
    Verdict,
)
from gatesh.policy.engine import Policy
from gatesh.policy.situation import Situation
from gatesh.syntax import Context, analyse, invocation
from gatesh.syntax.agents import recognise
from gatesh.wrapping import settle

INLINE = 4096  # bytes of a script that a log entry holds itself
FINDINGS = 16 * 1024  # bytes of findings that a log entry holds itself


@dataclass(frozen=True, slots=True)
class Law:
    """What holds at this moment: settings, rules, people."""

    config: Config
    policy: Policy
    roster: Roster

    def as_document(self) -> dict[str, str]:
        """Return the digests that a request is bound to."""
        return {"rules": self.policy.sha256, "roster": self.roster.sha256}


@dataclass(frozen=True, slots=True)
class Stdin:
    """What the caller's standard input is; `text` reads it all when commands come from there."""

    kind: str  # tty | null | file | pipe | closed
    text: Callable[[], bytes]
    live: bool = False  # a pipe or socket: commands may still come, one by one


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived.  `cwd` and `read` look again each time they are called."""

    argv: tuple[bytes, ...]
    env: Mapping[bytes, bytes]
    requester: Requester
    host: str
    stdin: Stdin
    cwd: Callable[[], Mapping[str, Any]]
    read: Callable[[str], bytes | None]  # a regular file's bytes, by absolute path
    # (pid, program) of the caller and of each parent above it, as the kernel has them now
    lineage: Callable[[], Iterable[tuple[int, str]]] = tuple
    identify: Callable[[str], CodeFile | None] = lambda _: None  # a program, by absolute path
    command: bytes | None = None  # one command of a session, which this call has started
    # (shell, options, script): would it refuse to run any of it?
    refused: Callable[[str, tuple[bytes, ...], bytes], bool] = lambda *_: False


@dataclass(frozen=True, slots=True)
class Case:
    """A call with its verdict, and everything the verdict is good for."""

    call: Call
    invocation: Invocation
    script: bytes
    analysis: Analysis
    judgement: Judgement
    law: Law
    bound: Mapping[str, Any]  # the fields that make the match digest
    stdin: Mapping[str, Any]
    missing: str | None = None  # the script file that is not there
    within: str | None = None  # the running command that this call comes from
    covered: bool = False  # what was decided about that one covers this call

    @property
    def match_sha256(self) -> str:
        """The digest by which a run of the same thing is recognised."""
        return requests.match_sha256(
            script=self.script,
            uid=self.call.requester.uid,
            host=self.call.host,
            **{name: self.bound[name] for name in ("invocation", "cwd", "env", "files", "policy")},
        )

    @property
    def script_sha256(self) -> str:
        """SHA-256 of the exact bytes for the shell."""
        return document.sha256(self.script)

    def changed(self, law: Law, salt: bytes) -> list[str]:
        """Return what is no longer as it was judged; looks again at everything outside."""
        now = _bound(
            self.call, self.invocation, self.analysis, law, salt, again=True, programs=True
        )
        names = [name for name, value in self.bound.items() if now[name] != value]
        if self.invocation.mode is Mode.FILE and self._script_again() != self.script:
            names.append("script")
        if self.invocation.mode is not Mode.STDIN and _stdin_read(self.call.stdin) != self.stdin:
            names.append("stdin")
        return names

    def _script_again(self) -> bytes | None:
        found = find_script(self.call, self.invocation)
        return found[1] if found else None


def consider(call: Call, law: Law, salt: bytes) -> Case:
    """Take *call* apart and judge it.  Reads files; changes nothing."""
    zero, *arguments = call.argv
    called = invocation.parse(zero, arguments, stdin_is_tty=call.stdin.kind == "tty")
    script, stdin, missing = b"", _stdin_document(call.stdin), None
    own: tuple[CodeFile, ...] = ()
    if call.command is not None:
        called = replace(called, mode=Mode.SESSION)
        script = call.command
    elif called.mode is Mode.COMMAND:
        script = called.script or b""
    elif is_live(call, called):
        pass  # what starts is only the shell: each command is a case of its own
    elif called.mode is Mode.STDIN:
        script = call.stdin.text()
        stdin = {"kind": "file", "sha256": document.sha256(script)}
    elif called.mode is Mode.FILE:
        found = find_script(call, called)
        if found is None:
            missing = requests.text_of(called.path or b"")
        else:
            path, script = found
            own = (CodeFile(path, document.sha256(script), len(script)),)
    elif called.mode is Mode.UNKNOWN:
        script = " ".join(shlex.quote(requests.text_of(a)) for a in call.argv).encode(
            "utf-8", "surrogateescape"
        )
    analysis = _analyse(call, called, script)
    if own:
        analysis = replace(analysis, files=(*own, *analysis.files))
    judgement = law.policy.judge(analysis, _situation(call))
    if (
        _only_unreadable(judgement)
        and called.mode is Mode.COMMAND
        and call.refused(law.config.shells[called.name], called.options, script)
    ):
        judgement = replace(judgement, verdict=Verdict.ALLOW)  # to print its own complaint
    programs = judgement.verdict is Verdict.APPROVE  # to read them all is worth it for these
    bound = _bound(call, called, analysis, law, salt, programs=programs)
    if programs and called.mode is not Mode.STDIN:
        stdin = _stdin_read(call.stdin)  # for all others it is not worth reading
    return Case(call, called, script, analysis, judgement, law, bound, stdin, missing)


def _only_unreadable(judgement: Judgement) -> bool:
    """Tell whether nothing but text that cannot be parsed stands against a command."""
    against = [f.subject for f in judgement.findings if f.verdict is not Verdict.ALLOW]
    return bool(against) and all(s.kind is Kind.FINDING and s.text == "opaque" for s in against)


def is_live(call: Call, called: Invocation) -> bool:
    """Tell whether the shell takes commands from a pipe, so that each is judged by itself."""
    return called.mode is Mode.STDIN and called.name == "bash" and call.stdin.live


def find_script(call: Call, called: Invocation) -> tuple[str, bytes] | None:
    """Return (absolute path, bytes) of the script file as bash looks for it.

    First as named, from the working directory; a bare name also along PATH.
    """
    name = requests.text_of(called.path or b"")
    places = [posixpath.join(str(call.cwd()["path"]), name)]
    if "/" not in name:
        path = requests.text_of(call.env.get(b"PATH", b""))
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


def _analyse(call: Call, called: Invocation, script: bytes) -> Analysis:
    """Find out what *script* and everything read before it would do."""
    preamble = recognise(
        script,
        argv=call.argv,
        zero=called.zero,
        positionals=called.positionals,
        env=call.env,
    )
    text = requests.text_of
    context = Context(
        cwd=str(call.cwd()["path"]),
        env={text(name): text(value) for name, value in call.env.items()},
        read=call.read,
        zero=text(called.zero or b"bash"),
        positionals=tuple(text(word) for word in called.positionals),
        shell=called.name,
        inner=text(preamble.inner) if preamble else None,
        agent=preamble.agent if preamble else None,
        stdin={"file": "a file", "pipe": "a pipe"}.get(call.stdin.kind),
    )
    if called.mode is Mode.UNKNOWN:
        unknown = Subject(
            Kind.FINDING, "opaque", Span(0, len(script)), detail=called.problem or "unknown call"
        )
        return Analysis(script, (unknown,))
    analysis = settle(analyse(script, context), preamble, context)
    for label, code in _before(call, called):
        more = analyse(code, replace(context, inner=None, agent=None))
        outside = tuple(
            replace(s, span=Span(0, 0), inside=(label, *s.inside)) for s in more.subjects
        )
        analysis = replace(
            analysis,
            subjects=analysis.subjects + outside,
            files=analysis.files + more.files,
        )
    return analysis


_EXPANDS = re.compile(rb"[$`]")
_ENDS_QUOTES = re.compile(rb"[\"'\\\n]")


def _before(call: Call, called: Invocation) -> list[tuple[str, bytes]]:
    """Return code the shell runs or keeps ready before its script: (where from, bytes).

    BASH_ENV is a script run first; an exported function replaces any command of
    its name.  Both come from the environment, which whoever calls us has written.
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
            path = posixpath.join(str(call.cwd()["path"]), requests.text_of(named))
            code = _code(call, path)
            if code is not None and not is_bridge(code):
                found.append((f"BASH_ENV={requests.text_of(named)}", code))
    trace = call.env.get(b"PS4", b"")
    if _EXPANDS.search(trace):  # printed, and so expanded, for each command under `set -x`
        found.append(("PS4", _within_quotes(b": ", trace)))
    for name, value in call.env.items():
        if name.startswith(b"BASH_FUNC_") and value.startswith(b"() {"):
            function = name[len(b"BASH_FUNC_") :].removesuffix(b"%%")
            found.append((f"exported function {requests.text_of(function)}", value[3:]))
    return found


def _within_quotes(command: bytes, value: bytes) -> bytes:
    """Return code that expands *value* as bash does, or code nobody can read.

    A value that could end the quotes we put around it (`\\" '$(…)'`) would hide what it runs.
    """
    if _ENDS_QUOTES.search(value):
        return b"("
    return command + b'"' + value + b'"'


def _situation(call: Call) -> Situation:
    text = requests.text_of
    return Situation(
        user=call.requester.user,
        person=call.requester.person,
        agent=call.requester.agent,
        cwd=str(call.cwd()["path"]),
        host=call.host,
        env={text(name): text(value) for name, value in call.env.items()},
    )


STARTUP = ("/etc/profile", "~/.bash_profile", "~/.bash_login", "~/.profile")


def _bound(
    call: Call,
    called: Invocation,
    analysis: Analysis,
    law: Law,
    salt: bytes,
    *,
    again: bool = False,
    programs: bool = False,
) -> dict[str, Any]:
    """Return everything an approval is good for.

    The first time, files count as they were when they were judged; *again* looks anew.
    *programs*: also the files that the line's programs are.
    """
    judged = {file.path: file for file in analysis.files}
    paths = list(judged)
    home = requests.text_of(call.env.get(b"HOME", b""))
    if called.login and b"--noprofile" not in called.options:
        paths += [place.replace("~", home) for place in STARTUP]
    if called.interactive and b"--norc" not in called.options:
        paths += ["/etc/bash.bashrc", f"{home}/.bashrc"]
    if bash_env := requests.text_of(call.env.get(b"BASH_ENV", b"")):
        paths.append(posixpath.join(str(call.cwd()["path"]), bash_env))
    files = []
    for path in dict.fromkeys(paths):
        if path in judged and not again:
            files.append(judged[path])
        else:
            files += _look(call, path)
    if programs:
        search = call.env.get(b"PATH")
        files += pathsearch.programs(
            analysis.subjects,
            agent=analysis.agent,
            path=None if search is None else requests.text_of(search),
            cwd=str(call.cwd()["path"]),
            identify=call.identify,
        )
    kept = {n: v for n, v in call.env.items() if law.config.binds(requests.text_of(n))}
    return {
        "invocation": requests.invocation_document(called),
        "cwd": call.cwd(),
        "env": requests.env_document(kept, salt),
        "files": requests.files_document(files),
        "policy": law.as_document(),
    }


def _look(call: Call, path: str) -> list[CodeFile]:
    try:
        content = call.read(path)
    except OSError as problem:  # there, and closed to us: that much is known of it
        return [CodeFile(path, document.sha256(f"unread {problem.errno}".encode()), 0)]
    if content is None:
        return []
    return [CodeFile(path, document.sha256(content), len(content))]


def _stdin_document(stdin: Stdin) -> dict[str, Any]:
    return {"kind": stdin.kind if stdin.kind in ("tty", "null") else "unseen"}


def _stdin_read(stdin: Stdin) -> dict[str, Any]:
    """Return what commands will read, by digest when it is a file; its position stays."""
    if stdin.kind == "file":
        try:
            return {"kind": "file", "sha256": document.sha256(stdin.text())}
        except (GateshError, OSError):
            pass  # too large to be read for this, or only open for writing
    return _stdin_document(stdin)


def submitted(case: Case, id: str, keep: Callable[[bytes], str]) -> dict[str, Any]:
    """Return the fields of the `command.submitted` entry; *keep* stores a blob."""
    found: dict[str, Any] = {
        "type": "command.submitted",
        "id": id,
        "script_sha256": case.script_sha256,
        "cwd": case.bound["cwd"]["path"],
        "requester": case.call.requester.as_document(),
        "verdict": case.judgement.verdict.word,
        "findings": [finding.as_document() for finding in case.judgement.findings],
        "policy_sha256": case.law.policy.sha256,
        "roster_sha256": case.law.roster.sha256,
    }
    try:
        text = case.script.decode("utf-8") if len(case.script) <= INLINE else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        keep(case.script)
    else:
        found["script"] = text
    if case.within is not None:
        found["within"] = case.within
    if case.covered:
        found["covered"] = True
    if case.analysis.inner is not None:
        inner = case.analysis.inner.encode("utf-8", "surrogateescape")
        if len(inner) <= INLINE:
            found["inner"] = case.analysis.inner
    listed = document.write({"findings": found["findings"]})
    if len(listed) > FINDINGS:
        # One entry holds 64 KiB: the rest lies beside it, by digest.
        found["findings_sha256"] = keep(listed)
        found["findings"] = [
            {k: v for k, v in finding.items() if k in ("rule", "pack", "verdict", "reason")}
            for finding in found["findings"][:8]
        ]
    return found
