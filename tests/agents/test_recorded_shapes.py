"""Every shape that a real client was seen to send, and the command in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatesh.syntax.agents import recognise
from gatesh.syntax.invocation import parse

HERE = Path(__file__).parent
UUID = "01a202d4-fd05-7190-a64c-3d9e26704866"
SNAPSHOT = "/home/me/.claude/shell-snapshots/snapshot-bash-1795343794298-jmgpzk.sh"
PLACEHOLDERS = {
    "$SHELL_PATH": "/opt/gatesh-bash/bin/bash",
    "$HOME/.codex/shell_snapshots/UUID.tmp-NANOS": f"/home/me/.codex/shell_snapshots/{UUID}.tmp-17",
    "$HOME/.claude/shell-snapshots/snapshot-bash-MILLIS-ID.sh": SNAPSHOT,
    "$TMPDIR/claude-HEX-cwd": "/tmp/claude-0238-cwd",
    "$TMPDIR/gemini-shell-ID": "/tmp/gemini-shell-Ab12Cd",
    "source SNAP ": f"source {SNAPSHOT} ",
    "CWDFILE": "/tmp/claude-0238-cwd",
    "$CWD": "/srv/project",
    "VERSION": "2-1-197",
}
# Left out: not texts but descriptions of texts, which `recorded.jsonl` has in full.
DESCRIBED = ("<~", "...")


def filled(text: str) -> bytes:
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    return text.encode()


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


SAMPLES = [
    sample
    for sample in lines("samples.jsonl")
    if not any(mark in arg for arg in sample["argv"] for mark in DESCRIBED)
]
RECORDED = lines("recorded.jsonl")
WRAPPED = {"claude-code", "gemini-cli", "opencode"}


def seen(sample: dict):
    """The preamble found in a sample, and its script."""
    args = [filled(arg) for arg in sample["argv"][1:]]
    env = dict(v.split("=", 1) for v in map(str, sample.get("env", [])) if "=" in v)
    env_bytes = {name.encode(): filled(value) for name, value in env.items()}
    if sample["argv"][0] == "$GATE":  # prefix mode: one argument is the whole script
        return args[0], recognise(args[0], argv=args, zero=None, positionals=(), env=env_bytes)
    call = parse(b"bash", args)
    if call.script is None:
        return None, None
    found = recognise(
        call.script, argv=call.argv, zero=call.zero, positionals=call.positionals, env=env_bytes
    )
    return call.script, found


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if isinstance(s["expect"], dict)],
    ids=lambda s: f"{s['client']} {s.get('note', '')}".strip(),
)
def test_the_command_a_person_cares_about_is_found(sample):
    """
    An approver reads `terraform apply`, not four lines of somebody's plumbing.
    """
    script, found = seen(sample)

    shown = script if found is None else found.inner

    # The sample of a here-document has lost the quote that closes 'E'.
    assert shown == filled(sample["expect"]["command"].replace("<<'E\n", "<<'E'\n"))
    if found is not None:
        assert found.agent == sample["client"]
        assert found.by == sample["by"]


@pytest.mark.parametrize("sample", RECORDED, ids=lambda s: f"{s['client']} {s['script'][:6]}")
def test_whole_recordings_come_apart_without_a_byte_missing(sample):
    """
    Recorded by starting the clients with a logging shell; home directories and
    the length of lists were changed, nothing else.
    """
    script = sample["script"].encode()

    found = recognise(script, argv=(b"-c", script), zero=b"bash", positionals=(), env={})

    assert found is not None
    assert (found.agent, found.by, found.harness) == (sample["client"], "agent", False)
    assert found.inner == sample["inner"].encode()
    before, after = found.outer_rest
    assert before + script[found.span.start : found.span.end] + after == script
    assert all(source in script for source in (*found.sources, *found.writes))
    assert len(found.sources) >= 1


@pytest.mark.parametrize(
    ("client", "script"),
    [
        ("codex", "echo hello"),
        ("qwen-code", "echo hello"),
        ("pi", "PREFIX\necho hello"),
        ("make", "echo hi\ncd /\npwd"),
        ("sshd", "scp -t DEST"),
        ("claude-code in prefix mode, a hook", "cat >/dev/null; echo hooked"),
    ],
)
def test_a_script_that_is_the_command_is_left_alone(client, script):
    """
    Where a client adds nothing there is nothing to take off, and pi's prefix is
    the user's own text, which cannot be told from the command.
    """
    script = script.encode()

    assert recognise(script, argv=(b"-c", script), zero=None, positionals=(), env={}) is None
