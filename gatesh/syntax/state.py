"""The shell's memory while a line is followed: variables, functions, directory, files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gatesh.sensitive import secret_looking
from gatesh.syntax.nodes import Command
from gatesh.syntax.values import Array, Choice, Field, Hole, Output, Text

MAX_ALTERNATIVES = 8
_INERT = re.compile(r"[\w./:@%+=,?~^-]*")

# Set by bash itself: their characters can be cut out and made into anything.
OWN_VARIABLES = frozenset(
    "_ BASH BASHOPTS BASHPID BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_LINENO"
    " BASH_EXECUTION_STRING BASH_REMATCH BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION"
    " COLUMNS COMP_LINE COMP_WORDS COPROC DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME"
    " GROUPS HISTCMD HOSTNAME HOSTTYPE LINENO LINES MACHTYPE MAPFILE OLDPWD OPTARG OPTERR OPTIND"
    " OSTYPE PIPESTATUS PPID PS4 PWD RANDOM READLINE_LINE REPLY SECONDS SHELL SHELLOPTS SHLVL"
    " SRANDOM UID PATH TERM".split()
)


@dataclass(slots=True)
class Routine:
    """A function, with what is needed to show where it was defined."""

    name: str
    body: Command
    inner: bool  # its offsets mean nothing in the outermost text
    frame: object = None  # where it was defined
    calls: int = 0


@dataclass(slots=True)
class Shell:
    """One shell process.  `alternatives` of a variable are what it can be here."""

    env: Mapping[str, str]
    cwd: tuple[str, ...]  # every directory it may be in; empty: unknown
    vars: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    exported: dict[str, bool] = field(default_factory=dict)  # False: perhaps
    functions: dict[str, tuple[Routine, ...]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    files: dict[str, Output] = field(default_factory=dict)  # what the line itself has written
    renamed: dict[str, str] = field(default_factory=dict)  # path or name → the program behind it
    zero: str = "bash"
    positionals: tuple[Field, ...] | None = ()  # None: unknown
    sure: bool = True  # whether an unset variable is really unset
    journal: list[str] = field(default_factory=list)  # names that were set, in order; shared
    version: int = 0  # changes with everything that a later command could notice
    cd_may_fail: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()
    posix: bool = False  # may be dash
    integers: frozenset[str] = frozenset()  # `declare -i`: what is assigned is evaluated
    cased: Mapping[str, str] = field(default_factory=dict)  # `declare -l`: l or u
    forked: int = 0  # how long the journal was when this copy was made

    # ---- copies ----------------------------------------------------------

    def copy(self) -> Shell:
        """Return a subshell: what it changes is not seen here, but the files are the same."""
        made = Shell(
            self.env, self.cwd, dict(self.vars), dict(self.exported), dict(self.functions),
            dict(self.aliases), self.files, dict(self.renamed), self.zero, self.positionals,
            self.sure, self.journal, self.version, self.cd_may_fail, self.options, self.posix,
            self.integers, self.cased,
        )  # fmt: skip
        made.forked = len(self.journal)
        return made

    def become(self, other: Shell) -> None:
        """Forget what happened here and be as *other* is."""
        version = max(self.version, other.version) + (self.version != other.version)
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))
        self.version = version

    def child(self, *, foreign: bool = False) -> Shell:
        """Return a new process: it sees what is exported, or nothing known if *foreign*."""
        if foreign:
            return Shell({}, (), files=self.files, renamed=self.renamed, sure=False)
        made = Shell(
            self.env, self.cwd, functions=dict(self.functions), files=self.files,
            renamed=dict(self.renamed), sure=self.sure,
        )  # fmt: skip
        for name, choices in self.vars.items():
            certain = self.exported.get(name)
            if name in self.env or certain:
                made.vars[name] = tuple(c for c in choices if not isinstance(c, Array)) or (None,)
            elif certain is False:
                made.vars[name] = (*choices, None)
            if name in made.vars:
                made.exported[name] = True
        return made

    def merge(self, other: Shell, since: int | None = None) -> None:
        """Become what is known when either this happened or *other*.

        They were one until the journal was *since* long; until *other* was copied, if not given.
        """
        if self.version == other.version:
            return
        # Only what was set since: comparing all variables at every `&&` would be quadratic.
        for name in dict.fromkeys(self.journal[other.forked if since is None else since :]):
            mine, theirs = self.lookup(name), other.lookup(name)
            if mine != theirs:
                self.vars[name] = _union(mine, theirs, name)
            if self.exported.get(name) is not other.exported.get(name):
                self.exported[name] = False
            routines = other.functions.get(name)
            if routines is not None:
                kept = self.functions.get(name, ())
                self.functions[name] = kept + tuple(r for r in routines if r not in kept)
        self.aliases = {**self.aliases, **other.aliases}
        self.renamed = {**self.renamed, **other.renamed}
        self.cwd = () if not (self.cwd and other.cwd) else _both(self.cwd, other.cwd)
        self.cd_may_fail = _both(self.cd_may_fail, other.cd_may_fail)
        self.sure = self.sure and other.sure
        self.options |= other.options
        self.integers |= other.integers
        self.version = max(self.version, other.version) + 1

    def define(self, routine: Routine) -> None:
        """Define a function."""
        self.functions[routine.name] = (routine,)
        self.changed(routine.name)

    def changed(self, name: str) -> None:
        """Note that *name* means something else from here on."""
        self.version += 1
        self.journal.append(name)

    # ---- variables -------------------------------------------------------

    def lookup(self, name: str) -> tuple[Choice, ...]:
        """Return what `$name` can be; (None,) when it is certainly unset."""
        found = self.vars.get(name)
        if found is not None:
            return found
        if name == "PWD":
            return self.cwd or (hole("$PWD", one=True),)
        if name == "IFS":
            return (" \t\n",)
        value = self.env.get(name)
        if value is not None:
            # What a secret is set to belongs in no finding, no request and no log; bytes that
            # are not text cannot be matched, and are only data unless they are run.
            hidden = secret_looking(name) or not _is_text(value)
            # One that holds no shell syntax adds none to a nested script it is put into.
            return (
                (hole("$" + name, one=_INERT.fullmatch(value) is not None),) if hidden else (value,)
            )
        if name == "SHELL" and self.sure:
            return ("/bin/bash",)
        if name in OWN_VARIABLES:
            return (hole("$" + name, one=True),)
        return (None,) if self.sure else (hole("$" + name),)

    def set(self, name: str, *choices: Choice) -> None:
        """Assign; several *choices* when it is not known which."""
        if len(choices) > MAX_ALTERNATIVES:
            choices = (hole("$" + name),)
        if name in self.cased:
            lower = self.cased[name] == "l"
            choices = tuple(
                (c.lower() if lower else c.upper()) if isinstance(c, str) else c for c in choices
            )
        self.vars[name] = choices
        self.changed(name)
        if "allexport" in self.options:
            self.exported[name] = True

    def one(self, name: str) -> str | None:
        """Return the value of a variable that has exactly one, fully known."""
        found = self.lookup(name)
        return found[0] if len(found) == 1 and isinstance(found[0], str) else None

    def export(self, name: str, yes: bool = True) -> None:
        """`export name`, or `export -n name`."""
        if yes:
            self.exported[name] = True
        else:
            self.exported.pop(name, None)
        self.changed(name)

    def go(self, *directories: str) -> None:
        """`cd`: no directories means that nobody knows where."""
        self.cd_may_fail = self.cwd
        self.cwd = directories[:MAX_ALTERNATIVES]
        self.version += 1


def hole(text: str, *, one: bool = False, source: Output | None = None) -> Text:
    """Return a text of which nothing is known."""
    return (Hole(text, one, source),)


def _both(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(a + b))[:MAX_ALTERNATIVES]


def _union(a: tuple[Choice, ...], b: tuple[Choice, ...], name: str) -> tuple[Choice, ...]:
    merged = list(a)
    merged += [choice for choice in b if choice not in a]
    return tuple(merged) if len(merged) <= MAX_ALTERNATIVES else (hole("$" + name),)


def _is_text(value: str) -> bool:
    """Tell whether *value* was UTF-8: other bytes come as lone surrogates."""
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
