"""One command with its words known, and the questions everybody asks about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatesh.syntax import paths
from gatesh.syntax.origins import NETWORK
from gatesh.syntax.values import Field, Hole, Output, Text, holes, join, pieces, render, tail

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower


_WINDOWS = re.compile(r"(?i)([\w.+-]+)\.(?:exe|cmd)")
# Another way to the root, to the directory one is in, to a descriptor.
_PROC = re.compile(
    r"/proc/(?:(?:self|thread-self|\$\$|\$BASHPID|\$PPID)/(?:root|cwd|fd|exe)|[0-9]+/root)(?=/|$)"
)
DESCRIPTOR = re.compile(r"/dev/fd/([0-9]+)")


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
        # zsh: `=rm` is /bin/rm
        return _plain_name(name[1:] if name[0:1] == "=" and len(name) > 1 else name)
    if first.wild or first.glob:
        return None
    last = tail(value)
    _, slash, name = last.rpartition("/")
    return _plain_name(name) if slash and name else None


def _plain_name(name: str) -> str:
    """Return *name* without the ending that Windows gives programs (`git.exe`, `npm.cmd`)."""
    found = _WINDOWS.fullmatch(name)
    return name if found is None else found[1]


def origins_of(value: Text) -> frozenset[str]:
    """Return where the unknown parts of *value* come from."""
    found: frozenset[str] = frozenset()
    for piece in holes(value):
        if piece.source is not None:
            found |= piece.source.origin
    return found


def plain_path(path: str) -> str:
    """Return *path* without detours through /proc; descriptors are all below /dev/fd."""
    if path == "/dev/stdin":
        return "/dev/fd/0"
    while path.startswith("/proc/") and (found := _PROC.match(path)) is not None:
        rest = path[found.end() :].lstrip("/")
        way = paths.name_of(found[0])
        if way == "exe":
            return path
        path = {"root": "/", "cwd": "./", "fd": "/dev/fd/"}[way] + rest
    return path


def itself(path: str) -> bool:
    """Whether *path* is the shell that is running: `/proc/self/exe`."""
    found = _PROC.fullmatch(path)
    return found is not None and path.endswith("/exe")


def located(f: Follower, path: str) -> list[str]:
    """Return *path* from every directory the line may be in; as it is where that is unknown."""
    path = plain_path(path)
    if path.startswith("/"):
        return [paths.normal(path)]
    if path.startswith(("$", "~")) or not f.shell.cwd:
        return [path.removeprefix("./") or path]
    return [paths.resolve(path, directory) for directory in f.shell.cwd]


def file_output(f: Follower, value: Text) -> Output:
    """Return what reading the file *value* yields."""
    for hole in pieces(value):
        if isinstance(hole, Hole) and hole.source is not None and len(pieces(value)) == 1:
            return hole.source  # < <(cmd)
    found = located(f, render(value))
    if (number := DESCRIPTOR.fullmatch(found[0])) is not None:
        return descriptor(f, number[1])
    if found[0].startswith(("/dev/tcp/", "/dev/udp/")):
        return Output(None, None, frozenset({NETWORK}))
    written = f.shell.files.get(found[0])
    return written if written is not None else Output(None, found[0])


def descriptor(f: Follower, number: str) -> Output:
    """Return what reading from a descriptor yields."""
    if number == "0":
        return f.stdin if f.stdin is not None else Output()
    return f.fds.get(number, Output())


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
