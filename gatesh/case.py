"""A case: one call of the shell, taken apart and judged (`docs/life-of-a-command.md`, 2 to 5)."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gatesh import document, reading
from gatesh.approval import request as requests
from gatesh.binding import bind, stdin_document, stdin_read
from gatesh.call import Call, Law, is_live
from gatesh.model import Analysis, CodeFile, Invocation, Judgement, Kind, Mode, Verdict
from gatesh.syntax import invocation

INLINE = 4096  # bytes of a script that a log entry holds itself
FINDINGS = 16 * 1024  # bytes of findings that a log entry holds itself


@dataclass(frozen=True, slots=True)
class Case:
    """A call with its verdict, and everything the verdict is good for."""

    call: Call
    invocation: Invocation
    script: bytes
    analysis: Analysis
    judgement: Judgement
    law: Law
    bound: Mapping[str, Any]  # the fields that make the match digest, when it needs approval
    stdin: Mapping[str, Any]
    missing: str | None = None  # the script file that is not there
    within: str | None = None  # the running command that this call comes from
    covered: bool = False  # what was decided about that one covers this call
    project_sha256: str | None = None  # of the law's rules and the project's together

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
        now = bind(self.call, self.invocation, self.analysis, law, salt, again=True)
        names = [name for name, value in self.bound.items() if now[name] != value]
        if self.invocation.mode is Mode.FILE and self._script_again() != self.script:
            names.append("script")
        if self.invocation.mode is not Mode.STDIN and stdin_read(self.call.stdin) != self.stdin:
            names.append("stdin")
        project = self.call.project(law.policy, self.analysis).policy
        if "policy" not in names and project.sha256 != self.project_sha256:
            names.append("project rules")
        return names

    def _script_again(self) -> bytes | None:
        found = reading.find_script(self.call, self.invocation)
        return found[1] if found else None


def consider(call: Call, law: Law, salt: bytes) -> Case:
    """Take *call* apart and judge it.  Reads files; changes nothing."""
    here = call.cwd()  # one place for all of it
    case = _considered(replace(call, cwd=lambda: here), law, salt)
    return replace(case, call=call)  # to look again


def _considered(call: Call, law: Law, salt: bytes) -> Case:
    zero, *arguments = call.argv
    called = invocation.parse(zero, arguments, stdin_is_tty=call.stdin.kind == "tty")
    script, stdin, missing = b"", stdin_document(call.stdin), None
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
        found = reading.find_script(call, called)
        if found is None:
            missing = requests.text_of(called.path or b"")
        else:
            path, script = found
            own = (CodeFile(path, document.sha256(script), len(script)),)
    elif called.mode is Mode.UNKNOWN:
        script = " ".join(shlex.quote(requests.text_of(a)) for a in call.argv).encode(
            "utf-8", "surrogateescape"
        )
    analysis = reading.analysis(call, called, script)
    project = call.project(law.policy, analysis)
    analysis = replace(analysis, files=(*own, *analysis.files, *project.files))
    judgement = project.policy.judge(analysis, call.situation())
    if (
        only_unreadable(judgement)
        and called.mode is Mode.COMMAND
        and call.refused(law.config.shells[called.name], called.options, script)
    ):
        judgement = replace(judgement, verdict=Verdict.ALLOW)  # to print its own complaint
    asked = judgement.verdict is Verdict.APPROVE  # to look at all of it is worth it for these
    bound = bind(call, called, analysis, law, salt) if asked else {"cwd": call.cwd()}
    if asked and called.mode is not Mode.STDIN:
        stdin = stdin_read(call.stdin)  # for all others it is not worth reading
    return Case(
        call,
        called,
        script,
        analysis,
        judgement,
        law,
        bound,
        stdin,
        missing,
        project_sha256=project.policy.sha256,
    )


def only_unreadable(judgement: Judgement) -> bool:
    """Tell whether nothing but text that cannot be parsed stands against a command."""
    against = [f.subject for f in judgement.findings if f.verdict is not Verdict.ALLOW]
    return bool(against) and all(s.kind is Kind.FINDING and s.text == "opaque" for s in against)


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
