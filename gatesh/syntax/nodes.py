"""What bash's grammar makes of a text, before anything is expanded.

Offsets count characters of the text that was read.  The classes are slotted but
not frozen: a line makes hundreds of them and a frozen one costs three times as
much to build.  Nobody changes a node after `grammar` returned it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Lit:
    """Characters that stand for themselves; unquoted ones may still glob, brace or split."""

    text: str
    quoted: bool


@dataclass(slots=True)
class Param:
    """`$name`, `${name…}`: `op` and `arg` are what follows the name."""

    name: str
    quoted: bool
    raw: str
    op: str = ""
    arg: Word | None = None
    index: Word | None = None  # the subscript of `${a[…]}`
    indirect: bool = False  # `${!name}`
    length: bool = False  # `${#name}`


@dataclass(slots=True)
class Sub:
    """A command or process substitution.  `kind` is one of ``$ ` < >``."""

    script: Script
    kind: str
    quoted: bool
    raw: str
    inner: bool  # read from a text of its own: its offsets mean nothing outside


@dataclass(slots=True)
class Sum:
    """Arithmetic: `$(( … ))`, `$[ … ]`, a subscript.  `parts` are the expansions inside."""

    parts: tuple[Part, ...]
    quoted: bool
    raw: str


Part = Lit | Param | Sub | Sum


@dataclass(slots=True)
class Word:
    """One word.  `plain` is set, and `parts` empty, when it is nothing but ordinary characters."""

    parts: tuple[Part, ...]
    start: int
    end: int
    plain: str | None = None
    assign: Assign | None = None  # `export NAME=value`: the same word, read as an assignment

    def pieces(self) -> tuple[Part, ...]:
        """Return the parts, one for a plain word too."""
        return (Lit(self.plain, False),) if self.plain else self.parts


@dataclass(slots=True)
class Assign:
    """`name=value`, `name+=value`, `name[index]=value`, `name=( … )`."""

    name: str
    start: int
    end: int
    append: bool = False
    index: Word | None = None
    value: Word | None = None
    array: list[Word] | None = None


@dataclass(slots=True)
class Redir:
    """One redirection.  For a here-document `target` is the body, `quoted` if literal."""

    op: str
    fd: str
    target: Word
    start: int
    end: int
    quoted: bool = False
    delimiter: str = ""


@dataclass(slots=True)
class Simple:
    """Assignments, words, redirections."""

    assigns: list[Assign]
    words: list[Word]
    redirs: list[Redir]
    start: int
    end: int
    declares: bool = False  # some words are assignments: `export A=1`


@dataclass(slots=True)
class Group:
    """`{ …; }` or, as `subshell`, `( … )`."""

    body: Script
    subshell: bool
    redirs: list[Redir]
    start: int
    end: int


@dataclass(slots=True)
class If:
    """`if`/`elif` arms in order; `orelse` may be missing."""

    arms: list[tuple[Script, Script]]
    orelse: Script | None
    redirs: list[Redir]
    start: int
    end: int


@dataclass(slots=True)
class While:
    """`while` and `until`."""

    condition: Script
    body: Script
    redirs: list[Redir]
    start: int
    end: int


@dataclass(slots=True)
class For:
    """`for` and `select`; `words` is None for the positional parameters."""

    name: str
    words: list[Word] | None
    body: Script
    redirs: list[Redir]
    start: int
    end: int


@dataclass(slots=True)
class Case:
    """`case word in pattern) …`; patterns are words too, and may hold substitutions."""

    subject: Word
    arms: list[tuple[list[Word], Script]]
    redirs: list[Redir]
    start: int
    end: int


@dataclass(slots=True)
class Math:
    """`(( … ))`, and the header of `for (( … ))` with its body."""

    sum: Sum
    body: Script | None
    redirs: list[Redir]
    start: int
    end: int


@dataclass(slots=True)
class Test:
    """`[[ … ]]`: only its words matter, for the substitutions in them."""

    words: list[Word]
    redirs: list[Redir]
    start: int
    end: int


@dataclass(slots=True)
class Function:
    """A definition.  Nothing of `body` runs until the name is called."""

    name: str
    body: Command
    start: int
    end: int


@dataclass(slots=True)
class Coproc:
    """`coproc [NAME] command`."""

    name: str
    body: Command
    start: int
    end: int


Compound = Group | If | While | For | Case | Math | Test
Command = Simple | Compound | Function | Coproc


@dataclass(slots=True)
class Pipeline:
    """Commands joined by `|`.  `both` says for each `|` whether it was `|&`."""

    commands: list[Command]
    start: int
    end: int


@dataclass(slots=True)
class AndOr:
    """Pipelines joined by `&&` and `||`."""

    pipelines: list[Pipeline]
    ops: list[str]
    background: bool = False


@dataclass(slots=True)
class Script:
    """Everything between two brackets, or a whole text."""

    items: list[AndOr]
