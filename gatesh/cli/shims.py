"""`gatesh shims`: a directory of names under which programs accept gatesh as their shell."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated

import typer

from gatesh import bridge
from gatesh.errors import ConfigError, GateshError, Refused
from gatesh.visible import visible

# What is made there, and who insists on the name.
NAMES = {
    "bash": 'codex, opencode, VS Code: the name is bash; Claude Code: the path has "bash" in it;'
    " gemini-cli, qwen-code, swe-rex: the first bash in PATH",
    "sh": "programs that look for sh in PATH; /bin/sh by its full path goes round it",
    "zsh": "accounts whose shell is zsh; the real one has to be installed",
    "bash-env.sh": "for BASH_ENV, where /bin/bash is started by its full path: Copilot CLI, Cline,"
    " pi, codex; set SHLVL=1 with it",
    "gatesh-prefix": "for CLAUDE_CODE_SHELL_PREFIX: also hooks and MCP servers of Claude Code",
}
LINKS = ("bash", "sh", "zsh")


def shims(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Made when it is not there, as in ~/.gatesh/bin.")
    ],
) -> None:
    """Make the names under which programs take gatesh for their shell.

    Run it again after gatesh has moved; what is there and is not gatesh's stays untouched.

    Example: gatesh shims ~/.gatesh-bash/bin
    """
    place = write(directory.expanduser().absolute())
    width = max(map(len, NAMES))
    for name, needed in NAMES.items():
        typer.echo(f"{visible(str(place))}/{name:<{width}}  {needed}")
    typer.echo("\nNext: gatesh setup CLIENT, then gatesh doctor CLIENT", err=True)


def write(place: Path) -> Path:
    """Make or renew every name in *place* and return it.

    Raises `ConfigError` when others could change what lies there, `Refused` when
    something else has one of the names.
    """
    program = bridge.program()
    if program is None:
        raise GateshError("the program gatesh was not found beside its Python", hint="install it")
    target = program.resolve()
    refuse_if_others_can_write(place)
    taken = [name for name in NAMES if not _is_free(place / name)]
    if taken:
        raise Refused(
            f"{place / taken[0]} is there and is not gatesh's",
            hint="remove it, or name another DIR",
        )
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in LINKS:
        new = place / f".{name}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(place / name)  # at no moment is there a name that starts nothing
    _put(place / "bash-env.sh", bridge.bash_env(), 0o644)
    _put(place / "gatesh-prefix", bridge.prefix(place / "bash"), 0o755)
    return place


def refuse_if_others_can_write(place: Path) -> None:
    """Raise `ConfigError` when another account could put a program of its own into *place*.

    Or could put another directory in its place: each one above counts as well.
    """
    for above in (place, *place.parents):
        try:
            found = above.stat()
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(found.st_mode):
            raise ConfigError(f"{above} is not a directory")
        sticky = found.st_mode & stat.S_ISVTX and above != place
        if found.st_mode & 0o022 and not sticky:
            raise ConfigError(f"{above} can be written by others", hint=f"chmod go-w {above}")
        if found.st_uid not in (0, os.geteuid()):
            raise ConfigError(f"{above} belongs to another account", hint="name another DIR")


def _is_free(path: Path) -> bool:
    """Tell whether *path* is not there, or was put there by us."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return True
    if path.name in LINKS:
        return stat.S_ISLNK(found.st_mode) and Path(os.readlink(path)).name == "gatesh"
    return stat.S_ISREG(found.st_mode) and bridge.MARK.encode() in path.read_bytes()


def _put(path: Path, text: str, mode: int) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.write_bytes(os.fsencode(text))
    new.chmod(mode)
    new.replace(path)
