"""What is shown as the command must be what bash would run as the command."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatesh.syntax.agents import recognise

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")

texts = st.one_of(
    st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.text("'\"\\$`!ab \n;", min_size=1, max_size=20),
    st.from_regex(r"[a-z0-9_./=-]{1,12}", fullmatch=True),
).filter(lambda text: text.strip())
checked = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# An exported function takes the place of the builtin and prints what it was given.
TELL = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "BASH_FUNC_eval%%": "() { printf '%s' \"$1\"; }"}


def run(script: str, *args: str, env: dict[str, str] | None = None, fds=()) -> bytes:
    return subprocess.run(
        ["bash", "-c", script, *args],
        env=TELL if env is None else env,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        pass_fds=fds,
        timeout=20,
    ).stdout


def inner(script: str, zero: bytes = b"bash", positionals: tuple[bytes, ...] = ()) -> bytes | None:
    found = recognise(
        script.encode(), argv=(b"-c", script.encode()), zero=zero, positionals=positionals, env={}
    )
    return None if found is None else found.inner


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where snapshots and the stand-ins for programs are."""
    place = tmp_path_factory.mktemp("place")
    for folder in ("shell-snapshots", "shell_snapshots", "bin", "claude-0"):
        (place / folder).mkdir()
    tell = place / "bin" / "bash"
    tell.write_text("#!/bin/sh\nprintf '%s' \"$2\"\n")
    tell.chmod(0o755)
    return place


def claude(command: str, place) -> str:
    """The wrapper, written with Python's own quoting."""
    snapshot = f"{place}/shell-snapshots/snapshot-bash-17-a1.sh"
    return (
        f"source {snapshot} 2>/dev/null || true && shopt -u extglob 2>/dev/null || true"
        f" && eval {shlex.quote(command)} < /dev/null && pwd -P >| {place}/claude-0/cwd-0f"
    )


def npm_quote(text: str) -> str:
    """shell-quote's `quote` for one word, from its description."""
    if any(c in text for c in "\"' \t\n\r\f\v") and "'" not in text:
        return "'" + text.replace("\\", "\\\\") + "'"
    if any(c in text for c in "\"' \t\n\r\f\v"):
        return '"' + "".join("\\" + c if c in '"\\$`!' else c for c in text) + '"'
    return "".join("\\" + c if c in "#!$&()*,:;<=>?@[\\]^`{|}" else c for c in text)


@checked
@given(command=texts)
def test_claude_code(place, command):
    """
    Any text at all, quotes, newlines and backslashes included.
    """
    script = claude(command, place)

    assert inner(script) == command.encode() == run(script)


@checked
@given(command=texts)
def test_codex(place, command):
    """
    The program that the restore script ends in prints what it is told to run.
    """
    uuid = "01a202d4-fd05-7190-a64c-3d9e26704866"
    names = ["CODEX_THREAD_ID", "A"]
    kind = "__CODEX_SNAPSHOT_OVERRIDE"
    captures = "\n".join(
        f'{kind}_SET_{i}="${{{n}+x}}"\n{kind}_{i}="${{{n}-}}"' for i, n in enumerate(names)
    )
    restores = "\n".join(
        f'if [ -n "${{{kind}_SET_{i}}}" ]; then\n'
        f'  if [ -z "${{{n}+x}}" ] || [ "${{{n}-}}" != "${{{kind}_{i}}}" ];'
        f' then export {n}="${{{kind}_{i}}}"; else export {n}; fi\n'
        f"else builtin unset {n} 2>/dev/null || command unset {n}; fi\n"
        f"builtin unset {kind}_SET_{i} {kind}_{i} 2>/dev/null"
        f" || command unset {kind}_SET_{i} {kind}_{i}"
        for i, n in enumerate(names)
    )
    quoted = "'" + command.replace("'", "'\"'\"'") + "'"
    script = (
        f"{captures}\n\nif . '{place}/shell_snapshots/{uuid}.17.sh' >/dev/null 2>&1; then :; fi"
        f"\n\n{restores}\n\nexec '{place}/bin/bash' -c {quoted}"
    )

    assert inner(script) == command.encode() == run(script)


@checked
@given(command=texts, seccomp=st.booleans())
def test_claude_code_in_its_sandbox(place, command, seccomp):
    """
    Three layers of quoting, of which some spoil a `!`: what is shown is what
    the innermost shell gets to see.
    """
    listen = "TCP-LISTEN:{},fork,reuseaddr UNIX-CONNECT:/tmp/claude-http-0f.sock >/dev/null 2>&1 &"
    wrapper = npm_quote(claude(command, place))
    proxies = "\n".join(
        [
            *(f"socat {listen.format(port)}" for port in (3128, 1080)),
            'trap "kill %1 %2 2>/dev/null; exit" EXIT',
        ]
    )
    stub = place / "bin" / "seccomp"
    stub.write_text('#!/bin/bash\nexec "$@"\n')  # not sh: dash drops exported functions
    stub.chmod(0o755)
    program = os.open(stub, os.O_RDONLY)
    last = f"ARGV0=apply-seccomp /proc/self/fd/{program} bash -c " if seccomp else "eval "
    script = f"bash -c {npm_quote(f'{proxies}{chr(10)}{last}{wrapper}')}"
    try:
        shown = inner(script)
        told = run(script, fds=(program,))
    finally:
        os.close(program)

    assert shown == (told if seccomp else run(told.decode()))
    assert shown == command.encode() or "!" in command


@checked
@given(command=texts)
def test_opencode(place, command):
    """
    What JSON and bash read differently is not taken off.
    """
    import json

    script = (
        "\n        shopt -s expand_aliases"
        "\n        [[ -f ~/.bashrc ]] && source ~/.bashrc >/dev/null 2>&1 || true"
        f'\n        cd -- "$1"\n        eval {json.dumps(command, ensure_ascii=False)}\n      '
    )

    shown = inner(script, b"opencode", (os.fsencode(place),))

    if shown is not None:
        assert shown == command.encode() == run(script, "opencode", str(place))
    else:
        assert any(c in "$`\\" or not c.isprintable() for c in command)


@checked
@given(command=st.from_regex(r"printf '%s' [a-z0-9]{1,9}", fullmatch=True))
def test_gemini(place, command):
    """
    The lines around the command print nothing and change nothing.
    """
    folder = place / "gemini-shell-Ab1"
    folder.mkdir(exist_ok=True)
    script = (
        "shopt -u promptvars nullglob extglob nocaseglob dotglob;"
        f" _bgpids_file={folder}/bgpids.tmp\n(\n"
        f"  trap 'jobs -p > \"$_bgpids_file\"' EXIT\n{command}\n)\n__code=$?\nexit $__code"
    )

    shown = inner(script)

    assert shown == command.encode()
    assert run(script, env={"PATH": "/usr/bin:/bin"}) == run(shown.decode(), env={})
