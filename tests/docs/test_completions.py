"""Completion as a person meets it: a real bash, the shipped script, the real program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT
from tests.world import BIN

COMPLETIONS = ROOT / "completions"


def completed(*words: str) -> set[str]:
    """Return what bash offers for the last of *words*."""
    typed = " ".join(f"'{word}'" for word in words)
    script = f"""
        source {COMPLETIONS}/gatesh.bash
        COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}
        $(complete -p gatesh | sed 's/.*-F \\([^ ]*\\) .*/\\1/') gatesh
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/nonexistent"}
    done = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("gatesh", "pe"), {"people", "pending"}),
        (("gatesh", "people", ""), {"list", "add", "remove"}),
        (("gatesh", "reject", "--me"), {"--message"}),
    ],
)
def test_bash_offers_what_can_come_next(words, offered):
    """
    The front door must tell a completion from a command line, or TAB would run something.
    """
    assert completed(*words) >= offered


def test_the_shipped_scripts_are_what_gatesh_prints():
    done = subprocess.run(
        [sys.executable, COMPLETIONS / "generate", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_zsh_finds_its_completion_by_the_first_line():
    assert (COMPLETIONS / "gatesh.zsh").read_text().startswith("#compdef gatesh\n")


def test_no_variable_of_completion_lets_a_command_run_ungated(world):
    """
    An agent that sets these variables must get a completion or an error, never a shell.
    """
    world.set_up()

    for name in ("_GATESH_COMPLETE", "_TYPER_COMPLETE_ARGS"):
        done = world.gatesh("-c", "touch ran", env={name: "complete_bash"})
        assert not (world.work / "ran").exists(), name
        assert not done.out
