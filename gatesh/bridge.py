"""The files with which programs that take no setting are led to gatesh.

`bash-env.sh` is for the variable BASH_ENV: every `bash -c` reads it and hands its
call over.  The real shells that gatesh starts read it too, and must go on: they
know themselves by their parent, which is gatesh called with the very same
arguments.  No mark in the environment says so, since an agent could set it, and
since what runs inside a gated command is to be asked about again.

The broker compares such a file byte for byte with what this module writes, so
both sides of the bridge stand here.
"""

from __future__ import annotations

import functools
import os
import shlex
import sys
import sysconfig
from pathlib import Path

MARK = "Written by `gatesh shims`"

_BASH_ENV = r"""# bash reads this file when BASH_ENV names it, and hands its call over to gatesh.
# @MARK@; write it again with that after gatesh has moved.
{ __gatesh_flags=$-; set +x; } 2> /dev/null
if [[ $__gatesh_flags == *c* ]]; then
  __gatesh_parent= __gatesh_call=() __gatesh_from=()
  mapfile -d '' __gatesh_call < /proc/self/cmdline
  while read -r __gatesh_name __gatesh_value; do
    if [[ $__gatesh_name == PPid: ]]; then __gatesh_parent=/proc/$__gatesh_value; fi
  done < /proc/self/status
  if [[ ${#__gatesh_call[@]} -lt 3 || -z $__gatesh_parent ]]; then
    printf 'gatesh: error: %s\n' 'no usable /proc here; the command was not run' >&2
    exit 125
  fi
  if [[ $__gatesh_parent/exe -ef @PROGRAM@ ]]; then
    mapfile -d '' __gatesh_from < "$__gatesh_parent/cmdline"
    __gatesh_from=("${__gatesh_from[@]:1}")
  elif [[ $__gatesh_parent/exe -ef @PYTHON@ ]]; then
    mapfile -d '' __gatesh_from < "$__gatesh_parent/cmdline"
    if [[ ${__gatesh_from[*]:1:3} == "-I -S "@FRONT@ ||
          ${__gatesh_from[*]:1:3} == "-I -m gatesh.client.front" ]]; then
      __gatesh_from=("${__gatesh_from[@]:6}")
    elif [[ ${__gatesh_from[1]-} -ef @PROGRAM@ ]]; then
      __gatesh_from=("${__gatesh_from[@]:2}")
    else
      __gatesh_from=()
    fi
  fi
  __gatesh_name=${__gatesh_call[0]}
  __gatesh_call=("${__gatesh_call[@]:1}")
  # The shell that gatesh has started for exactly this call goes on: it was judged.
  if [[ ${__gatesh_from[*]@Q} != "${__gatesh_call[*]@Q}" ]]; then
    exec -a "$__gatesh_name" @PROGRAM@ "${__gatesh_call[@]}"
    exit 125
  fi
  unset __gatesh_parent __gatesh_call __gatesh_from __gatesh_name __gatesh_value
fi
if [[ $__gatesh_flags == *x* ]]; then unset __gatesh_flags; set -x; else unset __gatesh_flags; fi
"""

_PREFIX = r"""#!/bin/sh
# One argument is a whole command for the shell: for CLAUDE_CODE_SHELL_PREFIX.
# @MARK@; write it again with that after gatesh has moved.
if [ $# -ne 1 ]; then
  echo 'gatesh: error: gatesh-prefix takes one argument, the whole command' >&2
  exit 2
fi
exec @BASH@ -c "$1"
"""


@functools.cache
def program() -> Path | None:
    """Return the program of this installation, `bin/gatesh`; None when it cannot be found."""
    package = Path(__file__).resolve().parent
    places = [
        Path(sys.executable).parent,
        Path(sysconfig.get_path("scripts")),
        *(above / "bin" for above in package.parents[2:4]),  # bin beside lib/python3…
    ]
    for place in places:
        if os.access(place / "gatesh", os.X_OK):
            return place / "gatesh"
    return None


def bash_env() -> str:
    """Return the text of `bash-env.sh` for this installation.

    Literal absolute paths: an agent may strip the environment of everything but
    what it was told to set.  Raises `FileNotFoundError` without a program.
    """
    found = program()
    if found is None:
        raise FileNotFoundError("gatesh")
    front = Path(__file__).resolve().parent / "client" / "front.py"
    return _fill(
        _BASH_ENV,
        PROGRAM=str(found.resolve()),
        PYTHON=os.path.realpath(sys.executable),
        FRONT=str(front),
    )


def prefix(bash: Path) -> str:
    """Return the text of `gatesh-prefix`, which hands its one argument to *bash*."""
    return _fill(_PREFIX, BASH=str(bash))


def _fill(text: str, **values: str) -> str:
    text = text.replace("@MARK@", MARK)
    for name, value in values.items():
        text = text.replace(f"@{name}@", shlex.quote(value))
    return text


def is_bridge(code: bytes) -> bool:
    """Tell whether *code* is this installation's own `bash-env.sh`, to the byte."""
    try:
        return code == os.fsencode(bash_env())
    except FileNotFoundError:
        return False


def is_gatesh(path: str) -> bool:
    """Tell whether *path* leads to gatesh itself, by whatever name."""
    found = program()
    if found is None:
        return False
    try:
        return os.path.samefile(path, found)
    except OSError:
        return False
