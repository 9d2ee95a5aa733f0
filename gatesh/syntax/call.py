"""One command with its words known, and the questions everybody asks about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatesh.syntax import paths
from gatesh.syntax.values import Field, Hole, Output, Text, holes, join, pieces, render, tail

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower


@dataclass(slots=True)
class Call:
    """One command about to run, as handlers get it."""

    f: Follower
    fields: list[Field]  # the program is the first
    name: str  # the program's name, without its path
    span: tuple[int, int]
    text: str

    @property
    def rest(self) -> list[Field]:
        """Everything after the program."""
        return self.fields[1:]

    def span_of(self, fields: list[Field]) -> tuple[int, int]:
        """Return where *fields* stand."""
        placed = [field for field in fields if field.end]
        return (placed[0].start, placed[-1].end) if placed else self.span


def program_name(first: Field) -> str | None:
    """Return the name of the program a field stands for; None when it cannot be known."""
    value = first.value
    if isinstance(value, str):
        if first.wild:
            return None
        if first.glob and value not in ("[", "[["):
            return None
        name = value.rpartition("/")[2] or value
        return name[1:] if name[0:1] == "=" and len(name) > 1 else name  # zsh: `=rm` is /bin/rm
    if first.wild or first.glob:
        return None
    last = tail(value)
    _, slash, name = last.rpartition("/")
    return name if slash and name else None


def origins_of(value: Text) -> frozenset[str]:
    """Return where the unknown parts of *value* come from."""
    found: frozenset[str] = frozenset()
    for piece in holes(value):
        if piece.source is not None:
            found |= piece.source.origin
    return found


def located(f: Follower, path: str) -> list[str]:
    """Return *path* from every directory the line may be in; as it is where that is unknown."""
    if path.startswith("/"):
        return [paths.normal(path)]
    if path.startswith(("$", "~")) or not f.shell.cwd:
        return [path]
    return [paths.resolve(path, directory) for directory in f.shell.cwd]


def file_output(f: Follower, value: Text) -> Output:
    """Return what reading the file *value* yields."""
    for hole in pieces(value):
        if isinstance(hole, Hole) and hole.source is not None and len(pieces(value)) == 1:
            return hole.source  # < <(cmd)
    found = located(f, render(value))
    written = f.shell.files.get(found[0])
    return written if written is not None else Output(None, found[0])


def joined(fields: list[Field]) -> Text:
    """Return *fields* joined with blanks, as `eval`, `ssh` and `watch` do."""
    made: list[str | Hole] = []
    for at, field in enumerate(fields):
        made += [" "] if at else []
        made += pieces(field.value)
    return join(made)


def code_field(fields: list[Field]) -> Field:
    """Return the one field that *fields* are joined to."""
    text = joined(fields)
    shown = " ".join([field.text for field in fields])
    ends = [field for field in fields if field.end]
    return Field(shown, text, start=ends[0].start if ends else 0, end=ends[-1].end if ends else 0)
