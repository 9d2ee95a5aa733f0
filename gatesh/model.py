"""The nouns that cross rooms: plain frozen values that touch nothing outside.

An *invocation* is how the shell was called.  Its *subjects* are what would
happen, each tested against rules; a rule that matches leaves a *finding*; the
strictest finding is the *judgement*.
"""

from __future__ import annotations

import enum
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field


class Verdict(enum.IntEnum):
    """What a rule asks for, ordered from lenient to strict."""

    ALLOW = 0
    APPROVE = 1
    DENY = 2

    @property
    def word(self) -> str:
        """The verdict as rules, logs and people write it."""
        return self.name.lower()


class Mode(enum.Enum):
    """Where the shell would take its commands from."""

    COMMAND = "command"  # -c STRING
    FILE = "file"  # a script named as an argument
    STDIN = "stdin"  # -s, or no arguments and standard input is not a terminal
    SESSION = "session"  # a terminal, or -i without -c
    NOTHING = "nothing"  # --version, --help, -n: prints or checks, runs nothing
    UNKNOWN = "unknown"  # gatesh could not tell; needs approval, never passed through


@dataclass(frozen=True, slots=True)
class Invocation:
    """How the shell was called, taken apart as bash would.

    `argv` is exactly what the real shell will be given after its name.
    `script` is the `-c` string; `path` the script file; `zero` what `$0` will
    be; `positionals` what `$1…` will be.  `problem` says in words why the mode
    is UNKNOWN, or how the call is wrong (the real shell would exit 2).
    """

    name: str  # bash | sh | zsh: which real shell is meant
    argv: tuple[bytes, ...]
    mode: Mode
    script: bytes | None = None
    path: bytes | None = None
    zero: bytes | None = None
    positionals: tuple[bytes, ...] = ()
    options: tuple[bytes, ...] = ()
    login: bool = False
    interactive: bool = False
    problem: str | None = None


class Kind(str, enum.Enum):
    """What a subject is; the `on:` field of a rule."""

    COMMAND = "command"
    PIPELINE = "pipeline"
    WRITE = "write"
    READ = "read"
    ENV = "env"
    CODE = "code"
    SCRIPT = "script"
    FINDING = "finding"  # something that cannot be known: opaque, dynamic-program, …

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` up to but not including `end` of the outermost script."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing a line would do, in the form rules are matched against.

    `text` is the full spelling after quote removal; `also` are further
    spellings offered to the same rules (global options removed, …).  `inside`
    names what it was unwrapped from, outermost first: ("sudo", "bash -lc").
    For a FINDING, `text` is its fixed word and `detail` says what and why.
    """

    kind: Kind
    text: str
    span: Span
    also: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    program: str = ""  # the program as written, path and all
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file that the line would run as code, and the bytes it had when judged."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything `syntax` found out about one script.

    `inner` is the human's view of a recognised agent preamble, `agent` the
    preamble's name; both empty when the script was taken as it stands.
    """

    script: bytes
    subjects: tuple[Subject, ...]
    files: tuple[CodeFile, ...] = ()
    inner: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What an approval takes.  `quorum` maps a team (or `any`) to a head count."""

    quorum: Mapping[str, int] = field(default_factory=lambda: {"any": 1})
    within_s: int = 900  # how long people may take to answer
    run_within_s: int = 300  # how long after the last approval it may start
    assurance: str = "key"  # key | presence (a security key that was touched)
    break_glass: int = 0  # how often a day one person may start it alone, to be reviewed later

    def stricter(self, other: Need) -> Need:
        """Return what satisfies both: the larger head counts, the shorter times."""
        teams = {*self.quorum, *other.quorum}
        return Need(
            {t: max(self.quorum.get(t, 0), other.quorum.get(t, 0)) for t in sorted(teams)},
            min(self.within_s, other.within_s),
            min(self.run_within_s, other.run_within_s),
            "presence" if "presence" in (self.assurance, other.assurance) else "key",
            min(self.break_glass, other.break_glass),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that matched a subject, with all that is needed to explain it."""

    rule: str
    pack: str
    verdict: Verdict
    reason: str
    subject: Subject
    where: str = ""  # file:line of the rule
    severity: str = "medium"
    system: str | None = None
    instead: str | None = None
    tags: tuple[str, ...] = ()
    need: Need | None = None

    def as_document(self) -> dict[str, object]:
        """Return the fields that requests and log entries keep."""
        found: dict[str, object] = {
            "rule": self.rule,
            "pack": self.pack,
            "verdict": self.verdict.word,
            "reason": self.reason,
            "severity": self.severity,
            "system": self.system,
            "on": str(self.subject.kind),
            "command": self.subject.text,
            "span": [self.subject.span.start, self.subject.span.end],
            "inside": list(self.subject.inside),
        }
        if self.subject.detail:
            found["detail"] = self.subject.detail
        if self.instead:
            found["instead"] = self.instead
        if self.tags:
            found["tags"] = list(self.tags)
        return found


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer of the policy for one command line, strictest findings first."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    need: Need = field(default_factory=Need)

    @property
    def system(self) -> str | None:
        """The affected system of the strictest finding that names one."""
        return next((f.system for f in self.findings if f.system), None)


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks: what the kernel says of the socket peer, and who answers for it.

    `ancestry` is (pid, program) of each parent, nearest first.  `agent` is the
    recognised client and how it was recognised; a hint, never authority.
    """

    uid: int
    gid: int
    pid: int
    user: str
    person: str | None = None
    agent: str | None = None
    agent_by: str = ""  # what gave the agent away: NAME=value of a variable
    session: int = 0
    ancestry: tuple[tuple[int, str], ...] = ()

    def as_document(self) -> dict[str, object]:
        """Return the fields that requests and log entries keep."""
        return {
            "uid": self.uid,
            "gid": self.gid,
            "user": self.user,
            "person": self.person,
            "agent": {"name": self.agent, "by": self.agent_by} if self.agent else None,
            "session": self.session,
            "ancestry": [list(step) for step in self.ancestry],
        }


# ---- request ids ---------------------------------------------------------

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32: no i, l, o, u
_ID = re.compile(f"[{_ALPHABET}]{{8}}")


def new_id() -> str:
    """Return eight random characters (40 bits) of Crockford base32, lowercase."""
    bits = secrets.randbits(40)  # asked for at once
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, 40, 5))


def show_id(id: str) -> str:
    """Return *id* as people see it.

    >>> show_id("k7q2m9xd")
    'k7q2-m9xd'
    """
    return f"{id[:4]}-{id[4:]}"


def read_id(text: str) -> str | None:
    """Return the id a person typed, or None if it cannot be one.

    Any case, with or without the dash; `i` and `l` read as 1, `o` as 0.

    >>> read_id("K7Q2-M9XD"), read_id("../../etc")
    ('k7q2m9xd', None)
    """
    if len(text) > 9 or not text.isascii():
        return None
    id = text.lower().replace("-", "", 1).translate(str.maketrans("ilo", "110"))
    return id if _ID.fullmatch(id) else None
