"""One call of the shell as it arrived, and the law it is judged under."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gatesh.approval.request import text_of
from gatesh.approval.roster import Roster
from gatesh.config import Config
from gatesh.model import Analysis, CodeFile, Invocation, Mode, Requester
from gatesh.policy.engine import Policy
from gatesh.policy.situation import Facts, Situation


@dataclass(frozen=True, slots=True)
class Law:
    """What holds at this moment: settings, rules, people."""

    config: Config
    policy: Policy
    roster: Roster

    def as_document(self) -> dict[str, str]:
        """Return the digests that a request is bound to."""
        return {"rules": self.policy.sha256, "roster": self.roster.sha256}


class Environment(dict[bytes, bytes]):
    """The variables of a call; not to be changed, since calls with the same ones share it."""

    @functools.cached_property
    def texts(self) -> Mapping[str, str]:
        """The same as text."""
        return {text_of(name): text_of(value) for name, value in self.items()}


@dataclass(frozen=True, slots=True)
class Stdin:
    """What the caller's standard input is; `text` reads it all when commands come from there."""

    kind: str  # tty | null | file | pipe | closed
    text: Callable[[], bytes]
    live: bool = False  # a pipe or socket: commands may still come, one by one


@dataclass(frozen=True, slots=True)
class Project:
    """The rules that hold at a place: those of the law, and what the project there adds."""

    policy: Policy
    files: tuple[CodeFile, ...] = ()  # the project's own rule files


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived.  `cwd` and `read` look again each time they are called."""

    argv: tuple[bytes, ...]
    env: Environment
    requester: Requester
    host: str
    stdin: Stdin
    cwd: Callable[[], Mapping[str, Any]]
    read: Callable[[str], bytes | None]  # a regular file's bytes, by absolute path
    # (pid, program) of the caller and of each parent above it, as the kernel has them now
    lineage: Callable[[], Iterable[tuple[int, str]]] = tuple
    identify: Callable[[str], CodeFile | None] = lambda _: None  # a program, by absolute path
    # a file, by absolute path, that nobody but root can change
    settled: Callable[[str], bool] = lambda _: False
    command: bytes | None = None  # one command of a session, which this call has started
    earlier: bytes = b""  # the commands before it that may have defined something
    # (shell, options, script): would it refuse to run any of it?
    refused: Callable[[str, tuple[bytes, ...], bytes], bool] = lambda *_: False
    real: Callable[[str], str] = lambda path: path  # a path without links
    # (rules of the law, directories): with those of the projects that these lie in
    around: Callable[[Policy, tuple[str, ...]], Project] = lambda policy, _: Project(policy)

    def project(self, policy: Policy, analysis: Analysis) -> Project:
        """Return *policy* with the rules of the projects that the line works in; looks anew."""
        return self.around(policy, Facts(analysis, self.situation()).cwds())

    def situation(self) -> Situation:
        """Return what the `when:` of a rule can ask about."""
        cwd = str(self.cwd()["path"])
        return Situation(
            user=self.requester.user,
            person=self.requester.person,
            agent=self.requester.agent,
            cwd=cwd,
            real_cwd=self.real(cwd),
            host=self.host,
            env=self.env.texts,
        )


def is_live(call: Call, called: Invocation) -> bool:
    """Tell whether commands still come, on a pipe or typed, so that each is judged by itself."""
    if call.command is not None or called.name != "bash":
        return False
    if called.mode is Mode.SESSION:
        return call.stdin.kind == "tty"
    return called.mode is Mode.STDIN and call.stdin.live
