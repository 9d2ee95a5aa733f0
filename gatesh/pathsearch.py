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

# What every shell we run does by itself, and what is no command at all.
OWN = frozenset(
    """. : [ [[ alias bg bind break builtin caller cd command compgen complete compopt continue
    coproc declare dirs disown echo enable eval exec exit export false fc fg getopts hash help
    history jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return
    set shift shopt source suspend test time times trap true type typeset ulimit umask unalias
    unset wait""".split()
)
SHELLS = frozenset({"bash", "sh", "zsh", "eval", "source", "."})


def programs(
    subjects: Iterable[Subject],
    *,
    agent: str | None = None,
    path: str | None,
    cwd: str,
    identify: Callable[[str], CodeFile | None],
) -> Iterator[CodeFile]:
    """Yield the file behind each program that *subjects* run and that can be found.

    Builtins and functions have none; but `sudo echo` runs a file.  *agent* is the name of the
    wrapping around the line, if there is one.  *identify* is given absolute paths and returns
    None where nothing can be run.  A line that changes directory or PATH on its way is followed
    as it began: what it would find then is not known here.
    """
    run = [s for s in subjects if s.kind is Kind.COMMAND and s.program]
    own = OWN if all(s.program != "enable" for s in run) else frozenset()  # `enable -n echo`
    names = dict.fromkeys(s.program for s in run if s.program not in own or _by_another(s, agent))
    for name in names:
        for place in _places(name, USUAL if path is None else path, cwd):
            if (found := identify(place)) is not None:
                yield found
                break


def _by_another(subject: Subject, agent: str | None) -> bool:
    """Tell whether something else than a shell starts what *subject* names."""
    inside = subject.inside[1:] if subject.inside[:1] == (agent,) else subject.inside
    if not inside:
        return False
    outer = inside[-1].split()
    return not outer or posixpath.basename(outer[0]) not in SHELLS


def _places(name: str, path: str, cwd: str) -> Iterator[str]:
    if "/" in name:
        yield posixpath.join(cwd, name)
        return
    for directory in path.split(":"):
        yield posixpath.join(cwd, directory, name)  # an empty one is the working directory
