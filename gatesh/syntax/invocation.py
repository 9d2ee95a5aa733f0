"""How was the shell called?  Its arguments taken apart as the real shell will do it.

    bash -euo pipefail -c STRING ZERO ONE …     COMMAND
    bash FILE ONE …                             FILE
    bash -s ONE …, bash < pipe                  STDIN
    bash -i, bash on a terminal                 SESSION
    bash --version, bash -n FILE                NOTHING

Follows `parse_long_options` and `parse_shell_options` of bash 5.2, `options`
and `procargs` of dash 0.5.12 and `parseopts` of zsh 5.9.  `sh` is dash on some
systems and bash on others: such a call is read both ways, and where both would
run something it must be the same.

Pure: no file is looked for and no environment consulted.  So NOTHING means
that the arguments leave nothing to run, and COMMAND that the shell runs this
string or refuses the call; start-up files (`-l`, `-i`, BASH_ENV) come on top.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gatesh.model import Invocation, Mode


class _Usage(Exception):
    """Every version of the shell answers with a usage message; nothing runs."""


class _Refused(_Usage):
    """The version described here refuses an option that another may know."""


class _Strange(Exception):
    """What would run cannot be said."""


@dataclass(slots=True)
class _Options:
    """What the options said, and how many arguments they took."""

    count: int = 0
    command: bool = False
    stdin: bool = False
    interactive: bool | None = None  # None: nothing said, the terminal decides
    login: bool = False
    noexec: bool = False
    quits: bool = False  # --version, --help
    pretty: bool = False


def parse(argv0: bytes, args: Sequence[bytes], *, stdin_is_tty: bool = False) -> Invocation:
    """Return what a shell called as *argv0* with *args* would do.

    Never raises.  *stdin_is_tty* is whether standard input *and* standard error
    are terminals; with both, a shell without a script is interactive.  `options`
    of the result are the arguments before the script, as given.

    A call that makes no sense is UNKNOWN, with the `problem` in words.  NOTHING
    with a `problem` is a call that every version of the shell answers with a
    usage message and status 2 (1 after `-e`, and from zsh), such as `-c` without a string.

    >>> call = parse(b"bash", [b"-euo", b"pipefail", b"-c", b"make $1", b"_", b"all"])
    >>> call.mode.name, call.script, call.zero, call.positionals
    ('COMMAND', b'make $1', b'_', (b'all',))
    >>> parse(b"bash", [b"-c"]).problem
    '-c: option requires an argument'
    """
    argv0, argv = bytes(argv0), tuple(bytes(arg) for arg in args)
    name = shell_name(argv0)
    try:
        if any(b"\0" in arg for arg in (argv0, *argv)):
            # execve could not have passed it on: somebody made this call up.
            raise _Strange("an argument contains a NUL byte")
        if name == "sh":
            return _read_sh(argv0, argv, stdin_is_tty)
        return _read(name, argv0, argv, stdin_is_tty)
    except (_Refused, _Strange) as problem:
        mode, why = Mode.UNKNOWN, str(problem)
    except _Usage as problem:
        mode, why = Mode.NOTHING, str(problem)
    login = argv0.startswith(b"-")
    return Invocation(name, argv, mode, zero=argv0, login=login, problem=why)


def rcfile(call: Invocation) -> bytes | None:
    """Return the start-up file that a call of bash itself names with `--rcfile`.

    >>> rcfile(parse(b"bash", [b"--norc", b"--init-file", b"x", b"-i"]))
    b'x'
    """
    words = iter(call.options)
    found = None
    for word in words:
        if word.lstrip(b"-") in (b"rcfile", b"init-file"):
            found = next(words, None)
        elif not word.startswith(b"--"):
            break
    return found


def shell_name(argv0: bytes) -> str:
    """Return which real shell is meant: `bash`, `sh` or `zsh`.

    A name that is no known shell's (`gatesh`, a link of one's own) means bash.

    >>> [shell_name(n) for n in (b"-sh", b"/opt/gate/bin/zsh", b"rbash", b"-gatesh", b"")]
    ['sh', 'zsh', 'bash', 'bash', 'bash']
    """
    base = argv0.rpartition(b"/")[2]
    if argv0.startswith(b"-"):
        base = base.removeprefix(b"-")
    return {b"sh": "sh", b"dash": "sh", b"zsh": "zsh", b"rzsh": "zsh"}.get(base, "bash")


def _read_sh(argv0: bytes, argv: tuple[bytes, ...], tty: bool) -> Invocation:
    """Read a call of `sh`, which may be dash or bash.

    Where one of them refuses the call, nothing can run but what the other would.
    """
    try:
        as_dash = _read("sh", argv0, argv, tty)
    except _Usage:
        return replace(_read("bash", argv0, argv, tty), name="sh")
    try:
        as_bash = replace(_read("bash", argv0, argv, tty), name="sh")
    except _Usage:
        return as_dash
    if as_bash != as_dash:
        raise _Strange("bash and dash read these arguments differently")
    return as_dash


def _read(name: str, argv0: bytes, argv: tuple[bytes, ...], tty: bool) -> Invocation:
    said = _SCAN[name](argv)
    login = said.login or argv0.startswith(b"-")
    call = Invocation(name, argv, Mode.NOTHING, zero=argv0, options=argv[: said.count], login=login)
    if said.quits:
        return call
    rest = argv[said.count :]
    if said.command:
        if not rest:
            raise _Usage("-c: option requires an argument")
        call = replace(
            call,
            mode=Mode.COMMAND,
            script=rest[0],
            zero=rest[1] if len(rest) > 1 else argv0,
            positionals=rest[2:],
            interactive=bool(said.interactive),
        )
    elif rest and not said.stdin:
        call = replace(
            call,
            mode=Mode.FILE,
            path=rest[0],
            zero=rest[0],
            positionals=rest[1:],
            interactive=bool(said.interactive),
        )
    else:
        talks = tty if said.interactive is None else said.interactive
        call = replace(
            call,
            mode=Mode.SESSION if talks else Mode.STDIN,
            positionals=rest,
            interactive=talks,
        )
    if said.noexec:
        if call.interactive:
            # bash 5.2 started so reads commands and runs none, other shells
            # and `set -n` inside a session ignore the option.
            raise _Strange("-n for an interactive shell")
        return replace(call, mode=Mode.NOTHING)
    if said.pretty and not call.interactive:
        raise _Strange("--pretty-print runs start-up files but not the script")
    return call


# ---- bash ------------------------------------------------------------------

_BASH_LONG = {
    *(b"debug", b"debugger", b"dump-po-strings", b"dump-strings", b"help", b"init-file"),
    *(b"login", b"noediting", b"noprofile", b"norc", b"posix", b"pretty-print"),
    *(b"rcfile", b"restricted", b"verbose", b"version"),
}
_BASH_LETTERS = frozenset(b"abefhkmnprtuvxBCEHPT")
_BASH_O = frozenset(
    b"allexport braceexpand emacs errexit errtrace functrace hashall histexpand history"
    b" ignoreeof interactive-comments keyword monitor noclobber noexec noglob nolog notify"
    b" nounset onecmd physical pipefail posix privileged verbose vi xtrace".split()
)
_BASH_SHOPT = frozenset(
    b"autocd assoc_expand_once cdable_vars cdspell checkhash checkjobs checkwinsize cmdhist"
    b" compat31 compat32 compat40 compat41 compat42 compat43 compat44 complete_fullquote"
    b" direxpand dirspell dotglob execfail expand_aliases extdebug extglob extquote failglob"
    b" force_fignore globasciiranges globskipdots globstar gnu_errfmt histappend histreedit"
    b" histverify hostcomplete huponexit inherit_errexit interactive_comments lastpipe lithist"
    b" localvar_inherit localvar_unset login_shell mailwarn no_empty_cmd_completion nocaseglob"
    b" nocasematch noexpand_translation nullglob patsub_replacement progcomp progcomp_alias"
    b" promptvars restricted_shell shift_verbose sourcepath syslog_history varredir_close"
    b" xpg_echo".split()
)


def _scan_bash(argv: tuple[bytes, ...]) -> _Options:
    said = _Options()
    at = said.count = _scan_bash_long(argv, said)
    if said.quits:
        return said  # at once: the short options are not even looked at
    restricted = any(arg in (b"--restricted", b"-restricted") for arg in argv[:at])
    dumps = said.noexec
    while at < len(argv) and argv[at][:1] in (b"-", b"+"):
        word = argv[at]
        at += 1
        if word in (b"-", b"--"):
            break
        on = word[:1] == b"-"
        for letter in word[1:]:
            if letter == ord("c"):  # +c as well, and the same for l, s and D
                said.command = True
            elif letter == ord("l"):
                said.login = True
            elif letter == ord("s"):
                said.stdin = True
            elif letter == ord("D"):
                dumps = True
            elif letter == ord("i"):
                said.interactive = True if on else None
            elif letter == ord("n"):
                said.noexec = on
            elif letter in b"oO":
                if at < len(argv):  # without a name it lists them all and goes on
                    _check_name(argv[at], _BASH_O if letter == ord("o") else _BASH_SHOPT)
                    said.noexec = on if argv[at] == b"noexec" else said.noexec
                    at += 1
            elif letter not in _BASH_LETTERS or (letter == ord("r") and restricted and not on):
                raise _Refused(f"{_show(word)}: invalid option")
            elif letter == ord("r"):
                restricted = on
    said.noexec |= dumps
    said.count = at
    return said


def _scan_bash_long(argv: tuple[bytes, ...], said: _Options) -> int:
    """Read the long options, which bash knows only before the first short one."""
    at = 0
    while at < len(argv) and argv[at].startswith(b"-"):
        double = len(argv[at]) > 2 and argv[at].startswith(b"--")
        long = argv[at][2 if double else 1 :]  # -login is --login
        if long not in _BASH_LONG:
            if double:
                raise _Refused(f"{_show(argv[at])}: invalid option")
            break
        at += 1
        if long in (b"rcfile", b"init-file"):
            if at == len(argv):
                raise _Usage(f"{_show(long)}: option requires an argument")
            at += 1
        said.login |= long == b"login"
        said.quits |= long in (b"version", b"help")
        said.noexec |= long in (b"dump-strings", b"dump-po-strings")
        said.pretty |= long == b"pretty-print"
    return at


def _check_name(name: bytes, known: frozenset[bytes]) -> None:
    if name not in known:
        raise _Refused(f"{_show(name)}: invalid option name")


def _show(word: bytes) -> str:
    return word[:80].decode("utf-8", "backslashreplace")


# ---- dash ------------------------------------------------------------------

_DASH_LETTERS = frozenset(b"abefimnpsuvxCEIV")
_DASH_O = frozenset(
    b"errexit noglob ignoreeof interactive monitor noexec stdin xtrace verbose vi emacs"
    b" noclobber allexport notify nounset privileged nolog debug".split()
)


def _scan_dash(argv: tuple[bytes, ...]) -> _Options:
    said = _Options()
    at = 0
    while at < len(argv) and argv[at][:1] in (b"-", b"+"):
        word = argv[at]
        at += 1
        if word in (b"-", b"--"):
            break
        on = word[:1] == b"-"
        for letter in word[1:]:
            name = b""
            if letter == ord("c"):  # +c and +l as well
                said.command = True
            elif letter == ord("l"):
                said.login = True
            elif letter == ord("o"):
                if at < len(argv):
                    name = argv[at]
                    _check_name(name, _DASH_O)
                    at += 1
            elif letter not in _DASH_LETTERS:
                raise _Refused(f"{_show(word)}: illegal option")
            if letter == ord("i") or name == b"interactive":
                said.interactive = on
            elif letter == ord("n") or name == b"noexec":
                said.noexec = on
            elif letter == ord("s") or name == b"stdin":
                said.stdin = on
    if said.command and said.stdin and at < len(argv):
        raise _Strange("dash runs the string of -c and then what -s reads")
    said.count = at
    return said


# ---- zsh -------------------------------------------------------------------

# Not tried against a zsh: what is not plain here stays unknown.
_ZSH_LETTERS = frozenset(b"adefghiklmnprstuvwxyCBX")
_ZSH_NAME = re.compile(rb"[A-Za-z_]+")
_ZSH_MODES = (b"exec", b"interactive", b"shinstdin", b"stdin", b"loginshell", b"login")


def _scan_zsh(argv: tuple[bytes, ...]) -> _Options:
    said = _Options()
    at = 0
    while at < len(argv) and argv[at][:1] in (b"-", b"+"):
        word = argv[at]
        at += 1
        if word in (b"-", b"--"):
            break
        if word in (b"--version", b"--help"):
            said.quits = True  # at once, whatever follows
            break
        if word.startswith(b"--"):
            _check_zsh_name(word[2:].replace(b"-", b"_"))
            continue
        if not word[1:]:
            raise _Strange("+: not understood")
        on = word[:1] == b"-"
        for place, letter in enumerate(word[1:], 2):
            if letter == ord("c"):
                said.command = True
            elif letter == ord("o"):
                name = word[place:]  # -opipefail is -o pipefail
                if not name:
                    if at == len(argv):
                        raise _Usage("string expected after -o")
                    name = argv[at]
                    at += 1
                _check_zsh_name(name)
                break
            elif letter not in _ZSH_LETTERS:
                raise _Strange(f"{_show(word)}: not understood")
            elif letter == ord("i"):
                said.interactive = on
            elif letter == ord("l"):
                said.login = on
            elif letter == ord("s"):
                said.stdin = on
            # -n stays out: judging a script that is only checked does no harm.
    if said.command and said.stdin:
        raise _Strange("-c together with -s")
    said.count = at
    return said


def _check_zsh_name(name: bytes) -> None:
    """Pass the name of an option that changes nothing about what is run."""
    plain = name.replace(b"_", b"").lower().removeprefix(b"no")
    if not _ZSH_NAME.fullmatch(name) or plain in _ZSH_MODES or plain.startswith(b"emulate"):
        raise _Strange(f"{_show(name)}: not understood as an option name")


_SCAN: dict[str, Callable[[tuple[bytes, ...]], _Options]] = {
    "bash": _scan_bash,
    "sh": _scan_dash,
    "zsh": _scan_zsh,
}
