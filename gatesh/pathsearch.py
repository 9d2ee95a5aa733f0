"""Which files the programs of a line are, as the shell would find them along PATH.

What the name `terraform` runs can be changed without changing the line: by another file in an
earlier directory, or in its place.  So an approval is also good for exactly these files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator

from gatesh.model import CodeFile, Kind, Subject

# What bash searches when PATH is not set at all.
USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def programs(
    subjects: Iterable[Subject],
    *,
    path: str | None,
    cwd: str,
    identify: Callable[[str], CodeFile | None],
) -> Iterator[CodeFile]:
    """Yield the file behind each program that *subjects* run and that can be found.

    Builtins and functions have none.  *identify* is given absolute paths and returns None where
    nothing can be run.  A line that changes directory or PATH on its way is followed as it began:
    what it would find then is not known here.
    """
    names = dict.fromkeys(s.program for s in subjects if s.kind is Kind.COMMAND and s.program)
    for name in names:
        for place in _places(name, USUAL if path is None else path, cwd):
            if (found := identify(place)) is not None:
                yield found
                break


def _places(name: str, path: str, cwd: str) -> Iterator[str]:
    if "/" in name:
        yield posixpath.join(cwd, name)
        return
    for directory in path.split(":"):
        yield posixpath.join(cwd, directory, name)  # an empty one is the working directory
