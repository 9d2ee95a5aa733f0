"""An agent can print every shape; nothing may hide behind one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatesh.syntax.agents import recognise

RECORDED = [
    json.loads(line)["script"].encode()
    for line in (Path(__file__).parent / "recorded.jsonl").read_text().splitlines()
]
GEMINI = (
    b"shopt -u promptvars nullglob extglob nocaseglob dotglob;"
    b" _bgpids_file=/tmp/gemini-shell-Ab12/bgpids.tmp\n(\n"
    b"  trap 'jobs -p > \"$_bgpids_file\"' EXIT\necho hello\n)\n__code=$?\nexit $__code"
)
OPENCODE = (
    b"\n        shopt -s expand_aliases"
    b"\n        [[ -f ~/.bashrc ]] && source ~/.bashrc >/dev/null 2>&1 || true"
    b'\n        cd -- "$1"\n        eval "echo \\"hello\\""\n      '
)
CHECK = b'set -e; . "/home/me/.codex/shell_snapshots/01a202d4-fd05-7190-a64c-3d9e26704866.tmp-17"'
WRAPPER = RECORDED[0]
SANDBOX = next(s for s in RECORDED if s.startswith(b"bwrap"))
RESTORE = next(s for s in RECORDED if s.startswith(b"__CODEX"))
SHAPES = [*RECORDED, GEMINI, OPENCODE, CHECK]
EACH = list({shape[:6]: shape for shape in SHAPES}.values())  # one of each kind
PAYLOADS = [b";touch HIT;", b"$(touch HIT)", b"`touch HIT`", b"'", b'"', b"\n", b"\\", b"&", b" "]


def look(script: bytes, *, positionals: tuple[bytes, ...] = (), env=None, zero=b"bash"):
    if script.startswith(b"\n        shopt -s"):
        zero, positionals = b"opencode", positionals or (b"/srv/project",)
    return recognise(
        script, argv=(b"-c", script), zero=zero, positionals=positionals, env=env or {}
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: repr(s[:24]))
def test_the_shapes_here_are_recognised_when_left_alone(shape):
    """
    Otherwise every refusal below would prove nothing.
    """
    assert look(shape) is not None


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("shape", EACH, ids=lambda s: repr(s[:24]))
def test_what_is_put_in_anywhere_is_either_shown_or_spoils_the_shape(shape, payload):
    """
    At every place, be it between two letters of a path: the shape is refused, or
    the addition stands in the command that people are shown or, a blank in a
    quoted path, in the name of a file that is reported.
    """
    shown = look(shape).inner
    for place in range(len(shape) + 1):
        found = look(shape[:place] + payload + shape[place:])
        if found is None:
            continue
        files = b"".join((*found.sources, *found.writes))
        assert len(payload) == 1 or b"touch HIT" in found.inner, f"hidden at {place}"
        assert found.inner != shown or payload == b" " in files, f"hidden at {place}"
        assert found.harness is (shape == CHECK)


@pytest.mark.parametrize(
    "shape", [s for s in SHAPES if s not in (GEMINI,)], ids=lambda s: repr(s[:24])
)
def test_a_second_command_before_or_after_spoils_the_shape(shape):
    """
    The human would see the first command and approve both.
    """
    for extra in (b"id", b"id;", b"; id", b"\nid", b" && id", b" | id", b" & id", b" # id"):
        assert look(shape + extra) is None
        assert look(extra + shape) is None
    assert look(shape + shape) is None


@pytest.mark.parametrize(
    "path",
    [
        b"/home/me/.claude/shell-snapshots/../../evil.sh",
        b"/home/me/.claude/shell-snapshots/snapshot-bash-1-$(id).sh",
        b"'/home/me/.claude/shell-snapshots/snapshot-bash-1-a.sh'/../x",
        b"/tmp/evil.sh",
        b"shell-snapshots/snapshot-bash-1-a.sh",
        b"/tmp/*/shell-snapshots/snapshot-bash-1-a.sh",
        b"'/tmp/a b/`id`/shell-snapshots/snapshot-bash-1-a.sh'",
        b"<(id)",
    ],
)
def test_only_a_snapshot_may_be_sourced(path):
    """
    `source` runs whatever the file holds, before the command that is shown.
    """
    start = WRAPPER.index(b"/")
    other = WRAPPER[:start] + path + WRAPPER[WRAPPER.index(b" ", start) :]

    assert look(other) is None


@pytest.mark.parametrize(
    "target",
    [
        b"/etc/cron.d/claude",
        b"/home/me/.bashrc",
        b"/tmp/claude-0238-cwd/../../etc/passwd",
        b"/tmp/claude-$RANDOM-cwd",
        b"claude-0238-cwd",
        b"/tmp/claude-0238-cwd2",
        b"/tmp/claude-0238-cwd /tmp/claude-0238-cwd",
        b"&2",
    ],
)
def test_the_directory_is_noted_in_its_own_file_only(target):
    """
    A trailer that writes elsewhere overwrites any file the account can write.
    """
    assert look(WRAPPER.rpartition(b" ")[0] + b" " + target) is None


@pytest.mark.parametrize(
    "command",
    [
        b"'echo ok'\"$(id)\"",
        b"'echo ok''; id'",
        b"'echo ok'; id #'",
        b"'echo ok' id",
        b'"echo ok"',
        b"$'echo ok'",
        b"'echo ok'\\''id'",
        b"echo\\ ok",
        b"$X",
        b"a*",
        b"~",
    ],
)
def test_a_quote_that_breaks_out_spoils_the_shape(command):
    """
    Only the client's own quoting is taken off; what reads differently is whole.
    """
    start = WRAPPER.index(b"eval ") + 5
    end = WRAPPER.index(b" < /dev/null && pwd")

    found = look(WRAPPER[:start] + command + WRAPPER[end:])

    assert found is None


def test_positional_arguments_spoil_the_shape():
    """
    `eval '"$@"'` with `rm -rf /` as its arguments would be shown as `"$@"`.
    """
    for shape in SHAPES:
        if shape is not OPENCODE:
            assert look(shape, positionals=(b"rm", b"-rf", b"/")) is None
    assert look(OPENCODE, positionals=(b"/srv", b"rm")) is None
    assert look(OPENCODE, positionals=(b"$(id)",)) is None


@pytest.mark.parametrize(
    ("shape", "name"),
    [(WRAPPER, "eval"), (WRAPPER, "pwd"), (RESTORE, "exec"), (SANDBOX, "bwrap"), (GEMINI, "jobs")],
)
def test_an_exported_function_with_a_name_from_the_wrapping_spoils_it(shape, name):
    """
    bash imports functions from the environment and prefers them to builtins:
    with `BASH_FUNC_eval%%` set, `eval 'ls'` does not do what it says.
    """
    hostile = {f"BASH_FUNC_{name}%%".encode(): b"() { rm -rf ~; }"}

    assert look(shape, env=hostile) is None
    assert look(shape, env={b"BASH_FUNC_module%%": b"() { :; }"}) is not None


@pytest.mark.parametrize(
    "option",
    [
        b"--setenv LD_PRELOAD /tmp/evil.so",
        b"--setenv BASH_ENV /tmp/evil.sh",
        b"--setenv PATH /tmp/evil",
        b'--setenv GIT_SSH_COMMAND "sh -c id"',
        b"--setenv GIT_CONFIG_PARAMETERS \"'core.pager=id'\"",
        b"--bind /tmp/evil /usr/bin",
        b"--ro-bind /tmp/evil /bin/ls",
        b"--ro-bind /tmp/claude-empty-../../x /bin/ls",
        b"--bind /dev/null /etc/passwd",
        b"--unshare-nothing",
        b"--chdir /tmp",
        b"--setenv",
        b"-- id",
    ],
)
def test_the_sandbox_does_only_what_the_client_asks_of_it(option):
    """
    A file bound over `ls`, or code named by a variable, would make the command
    do something else than it says.
    """
    start = SANDBOX.index(b"--ro-bind")

    assert look(SANDBOX[:start] + option + b" " + SANDBOX[start:]) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"exec '/opt", b"exec '/tmp/evil' '/opt"),
        (b"exec '/", b"exec -a x '/"),
        (b"; then :; fi", b"; then id; fi"),
        (b"SET_0=", b"SET_7="),
        (b"codex-path'", b"codex-path/../../evil'"),
        (b"codex-path':", b"bin':"),
        (b"else builtin unset", b"else id; builtin unset"),
        (b"/shell_snapshots/", b"/"),
        (b'+x}"', b'+x}$(id)"'),
        (b"\n\nexec", b"\nid\n\nexec"),
        (b"\n\nexec", b"\n\n\nexec"),
    ],
)
def test_the_restore_script_is_codex_s_to_the_byte(old, new):
    """
    In 38 kB nobody would notice one line more.
    """
    altered = RESTORE.replace(b"exec '/bin", b"exec '/opt").replace(old, new)

    assert altered != RESTORE
    assert look(altered) is None


@pytest.mark.parametrize("command", [b"echo $HOME", b"echo `id`", b"echo \\n", b"a\nb", b"a\\$b"])
def test_a_command_that_opencode_quotes_wrongly_is_left_whole(command):
    """
    opencode writes JSON where a shell reads double quotes: `$HOME` is expanded
    before `eval`, so the text is not the command.
    """
    start, end = OPENCODE.index(b'eval "') + 6, OPENCODE.rindex(b'"')

    assert look(OPENCODE[:start] + command + OPENCODE[end:]) is None


def test_a_gemini_command_that_leaves_the_subshell_is_shown_whole():
    """
    It is not quoted, so it may close the subshell; then all of it is shown.
    """
    found = look(GEMINI.replace(b"echo hello", b"true\n)\nrm -rf x\n(\ntrue"))

    assert found.inner == b"true\n)\nrm -rf x\n(\ntrue"


edits = st.tuples(st.integers(0), st.integers(0, 6), st.binary(max_size=6))


@settings(max_examples=400, deadline=None)
@given(
    shape=st.sampled_from([s for s in SHAPES if len(s) < 1000]), edits=st.lists(edits, max_size=3)
)
def test_damaged_shapes_never_raise_and_never_lose_a_byte(shape, edits):
    """
    Whatever an agent sends, the broker goes on.
    """
    for place, cut, put in edits:
        place %= len(shape) + 1
        shape = shape[:place] + put + shape[place + cut :]

    found = look(shape)

    if found is not None:
        before, after = found.outer_rest
        assert before + shape[found.span.start : found.span.end] + after == shape


@given(script=st.binary(), args=st.lists(st.binary(max_size=4)), zero=st.none() | st.binary())
def test_no_bytes_raise(script, args, zero):
    """
    The same, from nothing.
    """
    recognise(script, argv=args, zero=zero, positionals=args, env={b"AI_AGENT": script})


@pytest.mark.parametrize(
    "script",
    [
        WRAPPER[: WRAPPER.index(b"eval ") + 5] + b"'" + b"'\"'\"'" * 100_000,
        b'bash -c "' + b"\\\\" * 300_000,
        b"bash -c " + b"\\ " * 300_000,
        b"bwrap " + b"--new-session " * 50_000,
        b"source " + b"/a" * 300_000,
        b"source '" + b"/shell-snapshots" * 50_000,
        b"\n\nif . \n\nexec '" * 50_000,
        RESTORE[:200] * 3_000,
        b"SNAPSHOT_FILE=" + b"/a" * 300_000 + b"Snapshot file",
        b" || _cc_bin=/a" * 50_000 + b"Snapshot file",
        GEMINI + b"\n)\n__code=$?\nexit $__code" * 30_000,
    ],
    ids=lambda s: repr(s[:20]),
)
def test_long_scripts_take_time_in_proportion(script):
    """
    A script that is slow to look at would hold up everybody else's.
    """
    import time

    began = time.process_time()
    look(script)
    assert time.process_time() - began < 4
