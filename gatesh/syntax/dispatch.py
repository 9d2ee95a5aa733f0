"""Which function looks inside which program."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from gatesh.syntax import (
    builtins,
    editors,
    effects,
    inline,
    inputs,
    interpreters,
    launchers,
    programs,
    recipes,
    shells,
    tables,
    typed,
    unwrap,
)
from gatesh.syntax.values import Output
from gatesh.syntax.wrappers import table

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

Handler = Callable[["Call"], Output]

_BUILTINS: dict[str, Handler] = {
    "cd": builtins.cd, "pushd": builtins.cd, "chdir": builtins.cd, "popd": builtins.popd,
    "export": builtins.declare, "declare": builtins.declare, "typeset": builtins.declare,
    "local": builtins.declare, "readonly": builtins.declare, "unset": builtins.unset,
    "read": builtins.read, "mapfile": builtins.mapfile, "readarray": builtins.mapfile,
    "set": builtins.set_, "shift": builtins.shift, "trap": builtins.trap,
    "alias": builtins.alias, "unalias": builtins.unalias, "hash": builtins.hash_,
    "shopt": builtins.shopt, "printf": builtins.printf, "test": builtins.subscripts,
    "[": builtins.subscripts, "wait": builtins.subscripts, "let": builtins.let,
    "exit": builtins.leave, "return": builtins.leave, "break": builtins.leave,
    "continue": builtins.leave, "logout": builtins.leave, "complete": builtins.complete,
    "compgen": builtins.complete, "bind": builtins.complete, "enable": builtins.complete,
    "fc": builtins.complete,
    "eval": shells.eval_, "source": shells.source, ".": shells.source,
}  # fmt: skip

_PROGRAMS: dict[str, Callable[[Call], Output | None]] = {
    "env": launchers.env, "genv": launchers.env,
    "xargs": inputs.xargs, "gxargs": inputs.xargs,
    "find": launchers.find, "gfind": launchers.find, "fd": launchers.fd, "fdfind": launchers.fd,
    "parallel": inputs.parallel,
    "ssh": launchers.ssh, "slogin": launchers.ssh, "autossh": launchers.ssh,
    "scp": launchers.ssh_options, "sftp": launchers.ssh_options,
    "busybox": launchers.applet, "toybox": launchers.applet, "coreutils": launchers.applet,
    "sbase-box": launchers.applet, "ubase-box": launchers.applet,
    "exec": launchers.exec_, "at": launchers.stdin_code, "batch": launchers.stdin_code,
    "git": programs.git, "tar": programs.tar, "gtar": programs.tar, "bsdtar": programs.tar,
    "make": recipes.make, "gmake": recipes.make, "bmake": recipes.make,
    "npm": recipes.package, "yarn": recipes.package, "pnpm": recipes.package,
    "composer": recipes.package,
    "bun": recipes.package, "socat": programs.socat,
    "vim": editors.editor, "vi": editors.editor, "nvim": editors.editor, "ex": editors.editor,
    "view": editors.editor, "vimdiff": editors.editor, "gvim": editors.editor,
    "tmux": typed.tmux, "byobu": typed.tmux, "screen": typed.screen, "zellij": typed.typist,
    "xdotool": typed.typist, "ydotool": typed.typist, "wtype": typed.typist,
    "kitty": typed.typist, "kitten": typed.typist, "wezterm": typed.typist,
    "expect": interpreters.run,
    "crontab": programs.crontab, "apt-get": programs.apt, "apt": programs.apt,
}  # fmt: skip


@cache
def find(name: str) -> Handler | None:
    """Return the function that looks inside the program *name*, None if nothing is inside."""
    if name in _BUILTINS:
        return _BUILTINS[name]
    if name in tables.SHELLS or re.fullmatch(r"(?:bash|zsh|ksh|dash)-?[0-9.]+", name):
        return shells.shell
    if name.startswith(("busybox.", "busybox-")):
        name = "busybox"
    special = _PROGRAMS.get(name)
    wraps = name in table()
    interprets = interpreters.spec(name) is not None
    if special is None and name in interpreters.fronts():
        special = interpreters.run_front
    holds = inline.has(name)
    if special is None and not wraps and not interprets and not holds:
        return None

    def look(call: Call) -> Output:
        if holds:
            inline.look(call)
        output = special(call) if special is not None else None
        if output is None and wraps and (found := unwrap.wrapper_of(call)) is not None:
            output = unwrap.unwrap(call, *found)
        if output is None and interprets:
            output = interpreters.run(call)
        ordinary = effects.ordinary(call)
        return ordinary if output is None else output

    return look
