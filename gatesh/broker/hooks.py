"""What a typed session's shell is given around each command: pure text for bash.

The line that bash reads holds nothing of the agent's, so that no accident while it is
read can turn a judged text into another:

    { { eval -- "$(</proc/E/fd/9)"; } 0<>TERMINAL; }

E's descriptor 9 is a sealed file with the text.  What is left of the line when an
interrupt arrives while bash reads it ends in a `}` too many: a syntax error.  Around
the text stand a prologue, which puts back what the shell has between two commands
(`$?`, `$_`, `set -e`, `set -x`), and the hook, which reports and takes them away, so
that neither ends or traces what is ours.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from gatesh.model import Invocation
from gatesh.syntax.invocation import rcfile

# In bash 5.2 `set -o vi` replaces the input that is being read, and a shell in the middle of an
# `eval` crashes; a sourced file is safe from that.
_EDITS = re.compile(rb"\b(vi|emacs)\b")
SYSTEM_PROFILE, SYSTEM_RC = "/etc/profile", "/etc/bash.bashrc"
_FLAGS = re.compile(rb"([^;]*);((?:\d{1,3};)+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Report:
    """What the shell said when a command had ended."""

    flags: str = ""  # as in `$-`
    statuses: tuple[int, ...] = (0,)  # `$?`, then PIPESTATUS
    continued: bytes = b"> "  # PS2, expanded


class Hooks:
    """The texts of one session.  *place* is where E holds them, *terminal* what commands read."""

    def __init__(self, place: str, terminal: str) -> None:
        self.place = place
        self.terminal = terminal
        self.nonce = secrets.token_hex(16)
        self.begins = b"\x1b]7770;%s;" % self.nonce.encode()
        self.ends = b";%s;" % self.nonce.encode()

    # ---- the lines that are fed ------------------------------------------------------

    def line(self, text: bytes) -> bytes:
        """Return the line that runs what E holds ready, *text* among it."""
        how = f". {self.place}" if _EDITS.search(text) else f'eval -- "$(<{self.place})"'
        return f"{{ {{ {how}; }} 0<>{self.terminal}; }}\n".encode()

    @staticmethod
    def status(status: int) -> bytes:
        """Return a line after which `$?` is *status*."""
        return b"{ { __gatesh_status %d && :; } 2>/dev/null; }\n" % status

    @staticmethod
    def ask() -> bytes:
        """Return a line that has a shell report whose command was cut short."""
        return b'{ { __gatesh_end "$?" "${PIPESTATUS[@]}" "${_-}" && :; } 2>/dev/null; }\n'

    # ---- the texts that E holds ready ------------------------------------------------

    def startup(self, files: Sequence[str]) -> bytes:
        """Return what comes before the first prompt: our functions, then the start-up *files*."""
        mark = f"builtin printf '%s;' $'\\e]7770;{self.nonce}'"
        told = f"{self.nonce} >{self.terminal}"
        lines = [
            f"{mark} began {told}",
            '__gatesh_status() { return "$1"; }',
            "__gatesh_end() {",
            '  local __gatesh_ps2="${PS2-}" __gatesh_flags="$-"',
            "  builtin set +ex +o history",
            "  [[ ! -o vi && ! -o emacs ]] || builtin set +o vi +o emacs",
            '  __gatesh_last="${@: -1}"',
            f'  {mark} end "$__gatesh_flags" "${{@:1:$#-1}}" "${{__gatesh_ps2@P}}" {told}',
            '  [ -z "${HISTFILE-}" ] || builtin history -a',
            '  return "$1"',
            "}",
            # Keys are bound where lines are edited.
            "bind() {",
            '  case "$#$1" in',
            f'    1[!-]*) {mark} bind "$1" {told} ;;',
            '    *) builtin bind "$@" 2>/dev/null ;;',
            "  esac",
            "}",
            "readonly -f __gatesh_status __gatesh_end",
            *files,
            # bash looks at them when they are set, and for us that was too early.
            *(
                f'[ -z "${{{n}+x}}" ] || {n}="${n}"'
                for n in ("HISTCONTROL", "HISTIGNORE", "HISTSIZE")
            ),
            "builtin history -c",
            '[ -z "${HISTFILE-}" ] || builtin history -r 2>/dev/null',
            f'{mark} history "${{HISTFILE-}}" {told}',
            "{ __gatesh_end 0 0 _; } 2>/dev/null # vi",
        ]
        return os.fsencode("\n".join(lines) + "\n")

    @staticmethod
    def command(text: bytes, before: Report, *, once_more: bool = False) -> bytes:
        """Return *text* between its prologue and the hook.

        *once_more*: the command before was `exit`, and bash has warned of jobs; it wants to
        see that this one follows at once, and takes `jobs` for no interruption.
        """
        status, *each = before.statuses
        kept = b"".join(b"set -%s; " % letter.encode() for letter in "ex" if letter in before.flags)
        guard = b' && : "${__gatesh_last-}"' if status else b""
        if len(each) > 1:
            again = b" | ".join(b"__gatesh_status %d" % one for one in each)
        else:
            again = b'__gatesh_status %d "${__gatesh_last-}"' % status
        jobs = b"; builtin jobs >/dev/null" if once_more else b""
        quoted = b"'%s'" % text.replace(b"'", b"'\\''")
        return b"".join(
            (
                b"{ builtin history -s -- ", quoted, b'; : "${__gatesh_last-}"; ', kept,
                again, guard, jobs, b"; } 2>/dev/null\n", text, b"\n",
                b'{ __gatesh_end "$?" "${PIPESTATUS[@]}" "${_-}" && :; } 2>/dev/null\n',
            )
        )  # fmt: skip

    # ---- what comes back ---------------------------------------------------------------

    @staticmethod
    def read(told: bytes) -> tuple[str, bytes, Report | None]:
        """Return (kind, text, report) of what stood in a mark."""
        kind, _, rest = told.partition(b";")
        if kind == b"end" and (found := _FLAGS.fullmatch(rest)):
            numbers = tuple(int(number) for number in found[2].split(b";") if number)
            return "end", b"", Report(found[1].decode("ascii", "replace"), numbers, found[3])
        return kind.decode("ascii", "replace"), rest, None


def options(call: Invocation) -> list[bytes]:
    """Return the options for a shell that is to be interactive and reads no start-up files itself.

    >>> from gatesh.syntax.invocation import parse
    >>> options(parse(b"-bash", [b"--rcfile", b"x", b"-e", b"-o", b"pipefail"]))[5:]
    [b'-e', b'-o', b'pipefail', b'-i', b'-l']
    """
    long, short = [b"--noediting", b"--norc", b"--noprofile"], [b"+o", b"history"]
    words = iter(call.options)
    for word in words:
        if word in (b"--", b"-"):
            break
        name = word.lstrip(b"-")
        if name in (b"rcfile", b"init-file") and word.startswith(b"-"):
            next(words, None)
        elif name in (b"norc", b"noprofile", b"noediting", b"login") and word.startswith(b"-"):
            continue
        elif word.startswith(b"--"):
            long.append(word)
        else:
            kept = word[:1] + bytes(letter for letter in word[1:] if letter not in b"sil")
            if len(kept) > 1:
                short.append(kept)
            short += [next(words, b"") for letter in word[1:] if letter in b"oO"]
    return [*long, *short, b"-i", *([b"-l"] if call.login else [])]


def startup_files(call: Invocation, *, system: bool) -> list[str]:
    """Return code that reads the files which the shell would read, had it not been told not to.

    *system*: this build of bash reads `/etc/bash.bashrc`, as its distribution wants.
    """
    said = {word.lstrip(b"-") for word in call.options if word.startswith(b"-")}
    if call.login:
        if b"noprofile" in said:
            return []
        own = [f"~/{name}" for name in (".bash_profile", ".bash_login", ".profile")]
        first = "\nel".join(f"if [ -r {name} ]; then . {name}" for name in own)
        return [_read(SYSTEM_PROFILE), f"{first}\nfi"]
    if b"norc" in said:
        return []
    named = rcfile(call)
    own = ["~/.bashrc" if named is None else shlex.quote(os.fsdecode(named))]
    return [_read(name) for name in ([SYSTEM_RC] if system else []) + own]


def _read(file: str) -> str:
    return f"if [ -r {file} ]; then . {file}; fi"
