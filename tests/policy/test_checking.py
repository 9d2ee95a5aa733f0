"""`gatesh check`: what would happen, told without running anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def check(tmp_path):
    """Return a function that runs `gatesh check` in an empty project with the shipped rules."""
    (tmp_path / "work").mkdir()
    env = {"GATESH_HOME": str(tmp_path / "g"), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def run(*arguments: str, stdin: str = "", command: tuple[str, ...] = ("check",)):
        return subprocess.run(
            [sys.executable, "-m", "gatesh", *command, *arguments],
            cwd=tmp_path / "work",
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_history_is_judged_line_by_line(check):
    """
    A policy is tried on what agents really ran before it stops anybody.
    """
    lines = ["git status", "git push -f origin main", "gatesh approve k7q2-m9xd", "ls 'oops"]

    done = check("--batch", stdin="".join(json.dumps({"id": n, "cmd": c}) + "\n"
                                          for n, c in enumerate(lines)))  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]

    assert [f["id"] for f in found] == [0, 1, 2, 3]
    assert [f["verdict"] for f in found] == ["allow", "approve", "deny", "allow"]
    assert "git.push-force" in found[1]["rules"] and found[0]["rules"] == []


def test_what_the_shell_would_refuse_is_not_said_to_wait(check):
    """
    A missing quote runs nothing: the shell says so itself, and nobody is asked.
    """
    one, two = check("echo 'oops"), check("guarded\necho 'oops")

    assert (one.returncode, two.returncode) == (0, 75)
    assert "bash cannot read it either" in one.stdout


def test_the_explanation_says_what_was_seen_and_where_the_rule_stands(check):
    done = check("cd infra && sudo -E bash -lc 'terraform -chdir=prod apply'", "--explain")

    assert done.returncode == 75
    for words in (
        "approve   terraform.apply  changes real infrastructure",
        "(rules/terraform.yaml:",
        "command terraform -chdir=prod apply  inside bash -lc,  inside sudo,",
        "also seen  command  cd infra",
    ):
        assert words in done.stdout


def test_a_rule_is_shown_with_everything_that_decides(check, tmp_path):
    """
    Where it holds and how long people have matter as much as what it matches.
    """
    rules = tmp_path / "g" / "config" / "rules"
    rules.mkdir(parents=True, mode=0o700)
    (rules / "ours.yaml").write_text(
        "pack: ours\nrules:\n  - id: ours.push\n    match: '^git push'\n    verdict: approve\n"
        "    override: {id: git.push-force, reason: we rebase}\n    reason: pushes\n"
        "    approve: {need: {any: 2}, within: 2h, run_within: 90s}\n"
        "    when: {agent: [claude], env: {STAGE: ['^prod']}}\n"
        "    examples: {match: [git push], miss: [git pull]}\n"
    )
    (rules / "ours.yaml").chmod(0o600)

    shown = check("ours.push", command=("rules", "show")).stdout

    for words in (
        "replaces   git.push-force: we rebase",
        "needs      2 of anybody else, within 2h; good for 90s",
        "when       agent matches claude",
        "           env STAGE matches ^prod",
    ):
        assert words in shown
    missing = check("ours.pusch", command=("rules", "show"))
    assert missing.returncode != 0 and "did you mean ours.push?" in missing.stderr
