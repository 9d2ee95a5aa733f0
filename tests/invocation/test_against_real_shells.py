"""What the real shells do with an argument list is the only authority on it.

Every word that could be taken for a script is one that tells what became of it:
as a `-c` string it prints C and its number, as a file F, and standard input
prints S; each with `$-`, whether it is a login shell, `$0` and the arguments.
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gatesh.model import Mode
from gatesh.syntax.invocation import parse

REPORT = b"""printf '\\001%s\\002' TAG "$-" "${BASHOPTS-}" "$0" "$@"; printf '\\003'"""


def word(tag: bytes, number: int) -> bytes:
    return REPORT.replace(b"TAG", b"%s%d" % (tag, number))


WORDS = tuple(word(b"C", n) for n in range(3))
HARMLESS = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
needs = {
    name: pytest.mark.skipif(shutil.which(name) is None, reason=f"no {name} here")
    for name in ("bash", "dash")
}


@dataclass(frozen=True)
class Ran:
    """One script that a shell really ran."""

    what: bytes  # C0 … C2, F0 … F2, S0
    interactive: bool
    login: bool
    zero: bytes
    positionals: tuple[bytes, ...]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A directory where every word is also the name of a script."""
    place = tmp_path_factory.mktemp("home")
    for number, name in enumerate(WORDS):
        (place / os.fsdecode(name)).write_bytes(word(b"F", number) + b"\n")
    return place


def really(program: str, argv0: bytes, args: list[bytes], home: Path) -> tuple[int, list[Ran]]:
    done = subprocess.run(
        [argv0, *args],
        executable=shutil.which(program),
        input=word(b"S", 0) + b"\n",
        capture_output=True,
        cwd=home,
        env={**HARMLESS, "HOME": str(home)},
        start_new_session=True,
        timeout=20,
    )
    found = []
    for report in done.stdout.split(b"\003"):
        if b"\001" in report:
            fields = [f.rpartition(b"\001")[2] for f in report.split(b"\002")[:-1]]
            what, flags, options, zero, *rest = fields
            found.append(
                Ran(what, b"i" in flags, b"login_shell" in options.split(b":"), zero, tuple(rest))
            )
    return done.returncode, found


def expected(call) -> list[Ran]:
    """What should be seen when *call* is right."""
    match call.mode:
        case Mode.COMMAND:
            what = b"C%d" % WORDS.index(call.script) if call.script in WORDS else None
        case Mode.FILE:
            what = b"F%d" % WORDS.index(call.path) if call.path in WORDS else None
        case Mode.STDIN | Mode.SESSION:
            what = b"S0"
        case _:
            what = None
    if what is None:
        return []
    return [Ran(what, call.interactive, call.login, call.zero, call.positionals)]


LETTERS = "abefhkmnptuvxBCEHPTilsrDcoO"
NAMES = [b"pipefail", b"noexec", b"errexit", b"posix", b"vi", b"extglob", b"login_shell", b"bogus"]
LONG = [
    *(b"--login", b"-login", b"--norc", b"--noprofile", b"--posix", b"--verbose", b"--noediting"),
    *(b"--rcfile", b"--init-file", b"--restricted", b"--dump-strings", b"--dump-po-strings"),
    *(b"--version", b"--help", b"--pretty-print", b"--debug", b"--bogus", b"-rcfile"),
]

clusters = st.builds(
    lambda sign, letters: (sign + letters).encode(),
    st.sampled_from("-----+"),
    st.text(LETTERS, min_size=1, max_size=4),
)
arguments = st.lists(
    st.one_of(
        clusters,
        st.sampled_from([b"-c", b"-lc", b"-i", b"-s", b"-n", b"-o", b"+o", b"-O", b"-e"]),
        st.sampled_from(WORDS),
        st.sampled_from(WORDS),
        st.sampled_from(NAMES),
        st.sampled_from(LONG),
        st.sampled_from([b"--", b"-", b"+", b"", b"a b", b"\xff", b"no-such-rc"]),
    ),
    max_size=6,
)
checked = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
C0, C1, C2 = WORDS
REFUSED = (2, 1)  # 1 when -e was read before


@needs["bash"]
@checked
@given(args=arguments, argv0=st.sampled_from([b"bash", b"-bash", b"gatesh", b"/x/-gatesh"]))
@example(args=[b"-euo", b"pipefail", b"-c", C0, C1, b"x"], argv0=b"bash")
@example(args=[b"-cl", C0], argv0=b"-gatesh")
@example(args=[b"+c", C0], argv0=b"bash")
@example(args=[b"-c", b"-l", C0], argv0=b"bash")
@example(args=[b"-co", b"noexec", b"+n", C0], argv0=b"bash")
@example(args=[b"-D", b"+n", b"-c", C0], argv0=b"bash")
@example(args=[b"--rcfile", b"no-such-rc", b"-i"], argv0=b"bash")
@example(args=[b"-s", b"-c", C0, C1], argv0=b"bash")
@example(args=[b"-c", b"--", C0, b"--login"], argv0=b"bash")
@example(args=[b"-", b"-c", C0], argv0=b"bash")
@example(args=[b"-i", C0, b"-n"], argv0=b"bash")
@example(args=[b"-O", b"extglob", b"+O", b"extglob", C1, b"-c"], argv0=b"bash")
def test_bash_runs_what_the_reading_says_and_nothing_else(home, args, argv0):
    """
    A script that is judged but not run is a nuisance; one that runs without
    being judged is the end of the gate.
    """
    call = parse(argv0, args)
    status, ran = really("bash", argv0, args, home)

    if call.mode is Mode.UNKNOWN:
        assert call.problem
        assert status in REFUSED or "-n for" in call.problem or "--pretty-print" in call.problem
    else:
        assert ran == expected(call)
        assert call.problem is None or (call.mode is Mode.NOTHING and status in REFUSED)


@needs["dash"]
@needs["bash"]
@checked
@given(args=arguments, argv0=st.sampled_from([b"sh", b"-sh"]))
@example(args=[b"-s", b"-c", C0], argv0=b"sh")
@example(args=[b"-ec", C0, C1], argv0=b"sh")
@example(args=[b"-o", b"pipefail", b"-c", C0], argv0=b"sh")
@example(args=[b"-o", b"stdin", C0], argv0=b"sh")
@example(args=[b"-posix", C0], argv0=b"sh")
@example(args=[b"-nc", C0], argv0=b"sh")
@example(args=[b"+i", b"-s"], argv0=b"sh")
@example(args=[b"+s", C0], argv0=b"sh")
def test_sh_runs_at_most_what_the_reading_says_whichever_shell_it_is(home, args, argv0):
    """
    `/bin/sh` is dash on Debian and bash on Fedora; the same argument list must
    not slip through on either.
    """
    call = parse(argv0, args)

    answers = [really(program, argv0, args, home)[1] for program in ("bash", "dash")]

    if call.mode is not Mode.UNKNOWN:
        for ran in answers:
            assert [(r.what, r.zero, r.positionals) for r in ran] in (
                [],
                [(r.what, r.zero, r.positionals) for r in expected(call)],
            )
        assert expected(call) == [] or any(answers)


@needs["bash"]
def test_the_option_names_are_those_of_bash():
    """
    A name that is missing here makes people wait for an approval they do not
    need; the shell itself says which names there are.
    """
    listed = subprocess.run(["bash", "-c", "shopt -o; shopt"], capture_output=True).stdout
    only_o = subprocess.run(["bash", "-c", "shopt -o"], capture_output=True).stdout
    shopt_o = {line.split()[0] for line in only_o.splitlines()}
    assert len(shopt_o) > 20
    for line in listed.splitlines():
        name = line.split()[0]
        letter = b"-o" if name in shopt_o else b"-O"
        assert parse(b"bash", [letter, name, b"-c", b"x"]).problem is None


def on_a_terminal(home: Path, *args: str) -> bytes:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        env = {**HARMLESS, "HOME": str(home), "PS1": "", "TERM": "dumb"}
        os.execve(shutil.which("bash"), ["bash", *args], env)
    output = b""
    try:
        os.write(terminal, b"echo '<'$-'>'; exit\n")
        while chunk := os.read(terminal, 4096):
            output += chunk
    except OSError:  # EIO: the terminal's last user is gone
        pass
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return output.rpartition(b"<")[2].partition(b">")[0]


@needs["bash"]
@pytest.mark.parametrize("args", [(), ("-s", "a"), ("--norc",), ("-l",), ("+i",)])
def test_a_terminal_without_a_script_is_a_session(home, args):
    """
    What is typed is not known yet, so it must be judged line by line.
    """
    assert b"i" in on_a_terminal(home, *args)

    assert parse(b"bash", [os.fsencode(a) for a in args], stdin_is_tty=True).mode is Mode.SESSION
