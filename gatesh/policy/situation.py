"""Who asks, where: what `when:` and `system:` may refer to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gatesh.model import Analysis, Kind, Verdict
from gatesh.policy.patterns import compile as compile_pattern
from gatesh.policy.patterns import escape
from gatesh.policy.rule import Rule

# In an `except:`, the directory the agent works in: what lies below it is its
# own business by absolute path as much as by relative path.
HERE = "{cwd}"
# Likewise the home of whoever runs it, root's in many containers.  Never taken
# from the line itself, and only where homes are: `HOME=/etc` frees nothing.
HOME = "{home}"
_A_HOME = re.compile(r"/root|/(home|Users)/[A-Za-z0-9_][\w.-]*")
# How many names deep a directory must be to be somebody's work, by where it is.
_DEEP_ENOUGH = {
    **{"home": 3, "Users": 3, "root": 2, "opt": 2, "srv": 2, "mnt": 2, "media": 3, "tmp": 2},
    **{"usr/src": 3, "var/www": 3, "var/tmp": 3, "var/folders": 4},
}
_SYSTEM = frozenset(
    "bin boot dev etc lib lib32 lib64 proc run sbin sys usr var nix private"
    " System Library Applications".split()
)
# Where examples are taken to run, whoever tests them: analyse them there too.
EXAMPLE_HOME = "/home/you"
EXAMPLE_CWD = "/home/you/project"


def is_workplace(path: str) -> bool:
    """Return whether *path* can be a project: not a system directory, a home or hidden."""
    names = path.split("/")[1:]
    if not path.startswith("/") or path != posixpath.normpath(path) or not names[0]:
        return False
    if any(name.startswith(".") for name in names):
        return False
    depth = _DEEP_ENOUGH.get("/".join(names[:2]), _DEEP_ENOUGH.get(names[0]))
    return len(names) >= depth if depth else names[0] not in _SYSTEM


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts around a command.  `agent` is a hint, never authority."""

    user: str = ""
    person: str | None = None
    agent: str | None = None
    cwd: str = "/"
    real_cwd: str | None = None  # without links, where it differs: a link leads around no rule
    host: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


class Facts:
    """A situation, and what the line itself changes about it.

    `AWS_PROFILE=prod aws …` and `cd prod && terraform …` are judged where they
    go, not only where they start: a fact may have several values.
    """

    __slots__ = ("_analysis", "_cwds", "_env", "situation")

    def __init__(self, analysis: Analysis, situation: Situation | None) -> None:
        self._analysis = analysis
        self._cwds: tuple[str, ...] | None = None
        self._env: dict[str, str] | None = None
        self.situation = situation

    def env(self, name: str) -> tuple[str, ...]:
        """Return the values that *name* has in the line, the line's own last one first."""
        if self._env is None:
            pairs = (s.text for s in self._analysis.subjects if s.kind is Kind.ENV)
            self._env = dict(_assignment(text) for text in pairs if "=" in text)
        around = self.situation.env.get(name) if self.situation else None
        return tuple(v for v in (self._env.get(name), around) if v is not None)

    def cwds(self) -> tuple[str, ...]:
        """Return where the line starts and every directory it changes to."""
        if self._cwds is not None:
            return self._cwds
        here = self.situation.cwd if self.situation else EXAMPLE_CWD
        real = self.situation.real_cwd if self.situation else None
        places = [real, here] if real and real != here else [here]
        for subject in self._analysis.subjects:
            program, _, target = subject.text.partition(" ")
            if subject.kind is Kind.COMMAND and program in ("cd", "pushd") and target:
                here = posixpath.normpath(posixpath.join(here, target.removeprefix("-- ")))
                places.append(here)
        self._cwds = tuple(places)
        return self._cwds

    def workplace(self) -> str | None:
        """Return what `{cwd}` stands for; None where the agent works in no place of its own."""
        here = self.situation.cwd if self.situation else EXAMPLE_CWD
        return here if is_workplace(here) else None

    def home(self) -> str | None:
        """Return what `{home}` stands for; None where `HOME` is not where homes are."""
        home = self.situation.env.get("HOME", "") if self.situation else EXAMPLE_HOME
        return home if _A_HOME.fullmatch(home) else None

    def placed(self, pattern: str) -> str | None:
        """Return *pattern* with `{cwd}` and `{home}` filled in; None where one is unknown."""
        for mark, place in ((HERE, self.workplace), (HOME, self.home)):
            if mark in pattern:
                known = place()
                if known is None:
                    return None
                pattern = pattern.replace(mark, escape(known))
        return pattern

    def value(self, source: str) -> str | None:
        """Return what a template's *source* stands for, if it is known."""
        if source.startswith("env."):
            return next(iter(self.env(source[4:])), None)
        if self.situation is None:
            return None
        plain = {"host": self.situation.host, "user": self.situation.user}
        return self.cwds()[-1] if source == "cwd" else plain.get(source)


def _assignment(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.removesuffix("+"), value


def applies(rule: Rule, facts: Facts) -> bool:
    """Return whether every key of the rule's `when:` holds.

    Where a fact has several values, one of them is enough for a rule that
    tightens, while a rule that allows must hold for all of them.
    """
    when, situation = rule.when, facts.situation
    if situation is None:
        return True
    some = all if rule.verdict is Verdict.ALLOW else any
    doubt = rule.verdict is not Verdict.ALLOW
    return (
        (not when.user or _held(when.user, (situation.user,), some, doubt))
        and (not when.person or _held(when.person, (situation.person,), some, doubt))
        and (not when.agent or _held(when.agent, (situation.agent,), some, doubt))
        and (not when.host or _held(when.host, (situation.host,), some, doubt))
        and (not when.cwd or _held(when.cwd, facts.cwds(), some, doubt))
        and all(_held(p, facts.env(name), some, doubt) for name, p in when.env.items())
    )


def _held(
    patterns: Iterable[str],
    values: Iterable[str | None],
    some: Callable[[Iterable[bool]], bool],
    doubt: bool,
) -> bool:
    values = tuple(value for value in values if value is not None)
    if not values:  # unset, or nobody is known: there is nothing that could match
        return False
    try:
        return some(any(compile_pattern(p).search(v) for p in patterns) for v in values)
    except UnicodeEncodeError:
        return doubt
