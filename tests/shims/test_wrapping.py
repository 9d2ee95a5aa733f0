"""What clients put around a command stops nothing by itself, and hides nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatesh.approval.roster import Roster
from gatesh.bridge import bash_env
from gatesh.call import Call, Environment, Law, Stdin
from gatesh.case import consider
from gatesh.config import Config, shipped_rules
from gatesh.model import Requester, Verdict
from gatesh.policy.packs import Layer, load

RECORDED = Path(__file__).parents[1] / "agents" / "recorded.jsonl"
PLAIN = "echo hello; pwd"
SHAPES = [
    shape for shape in map(json.loads, RECORDED.read_text().splitlines()) if shape["inner"] == PLAIN
]
SNAPSHOT = "/home/me/.claude/shell-snapshots/snapshot-bash-1795343794298-jmgpzk.sh"
CHECKED = "/home/me/.codex/shell_snapshots/01a202d4-fd05-7190-a64c-3d9e26704866.tmp-17"
# In the manner of a recorded one, with an alias and a function of the user's own.
KEPT = b"""# Snapshot file
unalias -a 2>/dev/null || true
eval "$(echo 'ZGVwbG95ICgpIHsgdGVycmFmb3JtIGRlc3Ryb3k7IH0K' | base64 -d)" > /dev/null 2>&1
shopt -u histappend
set +o history
shopt -s expand_aliases
alias -- please='sudo'
export GATESH_HOME=/srv/gatesh
"""
ENV = {b"HOME": b"/home/me", b"PATH": b"/usr/bin:/bin", b"GATESH_HOME": b"/srv/gatesh"}


@pytest.fixture(scope="module")
def law():
    rules = load([Layer("shipped", shipped_rules())], default=Verdict.ALLOW)
    return Law(Config(), rules, Roster())


@pytest.fixture
def judge(law):
    """Judge a call with every shipped rule; *files* are all there are."""

    def judge(*arguments, files=None, env=None):
        call = Call(
            argv=(b"bash", *(a.encode() for a in arguments)),
            env=Environment({**ENV, **(env or {})}),
            requester=Requester(uid=1000, gid=1000, pid=1, user="me"),
            host="here",
            stdin=Stdin("null", lambda: b""),
            cwd=lambda: {"path": "/srv/project", "dev": 1, "ino": 1},
            read=lambda path: (files or {}).get(path),
        )
        return consider(call, law, b"salt" * 8)

    return judge


def found(case):
    return {f.rule for f in case.judgement.findings if f.verdict is not Verdict.ALLOW}


def claude(command):
    return (
        f"source {SNAPSHOT} 2>/dev/null || true && shopt -u extglob 2>/dev/null || true"
        f" && eval '{command}' < /dev/null && pwd -P >| /tmp/claude-0238-cwd"
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s['client']} {s['script'][:6]}")
def test_a_recorded_shape_is_what_its_command_is(judge, shape):
    """
    A rule that stops the wrapping stops the whole client; one it hides from stops nothing.
    """
    harmless = judge("-c", shape["script"])
    assert harmless.judgement.verdict is Verdict.ALLOW, found(harmless)

    destroys = judge("-c", shape["script"].replace(PLAIN, "terraform destroy"))
    assert destroys.judgement.verdict is Verdict.APPROVE
    assert destroys.analysis.inner == "terraform destroy"
    assert any(f.subject.text == "terraform destroy" for f in destroys.judgement.findings)


def test_rules_on_raw_text_read_what_the_agent_wrote(judge):
    """
    Some rules look at the text itself; in a wrapping, its first line is the client's.
    """
    assert "shell.bare-shell" in found(judge("-c", claude("bash")))


def test_a_snapshot_restores_and_is_pinned(judge):
    """
    Aliases, switches and variables as they were: nobody has to be asked about these.
    """
    case = judge("-c", claude("echo hi"), files={SNAPSHOT: KEPT})

    assert case.judgement.verdict is Verdict.ALLOW, found(case)
    assert [file.path for file in case.analysis.files] == [SNAPSHOT]


@pytest.mark.parametrize("command", ["please apt-get remove x", "deploy"])
def test_what_a_snapshot_defines_is_judged_where_it_is_used(judge, command):
    """
    An alias that stops nothing when it is made must not be a way round when it is used.
    """
    case = judge("-c", claude(command), files={SNAPSHOT: KEPT})

    assert case.judgement.verdict is Verdict.APPROVE


@pytest.mark.parametrize(
    "more",
    [
        b"terraform destroy\n",
        b"please x\n",
        b"eval 'please x'\n",
        b"export GATESH_HOME=/tmp/mine\n",
    ],
)
def test_a_snapshot_that_does_more_is_judged(judge, more):
    """
    The agent can write there, and a shape is easily printed.
    """
    for script in (claude("echo hi"), f'set -e; . "{CHECKED}"'):
        case = judge("-c", script, files={SNAPSHOT: KEPT + more, CHECKED: KEPT + more})
        assert case.judgement.verdict is Verdict.APPROVE, script


def test_a_probe_reads_start_up_files_as_a_login_shell_does(judge):
    """
    What cannot be known about ~/.bashrc must not hold up every start of a client; a plain
    command in it is another matter.
    """
    check = f'set -e; . "{CHECKED}"'
    for rc, verdict in ((b"$(x which) init\n", Verdict.ALLOW), (b"sudo x\n", Verdict.APPROVE)):
        files = {CHECKED: b". /home/me/.bashrc\n", "/home/me/.bashrc": rc}
        case = judge("-c", check, files=files)
        assert case.judgement.verdict is verdict
        assert "/home/me/.bashrc" in {file.path for file in case.analysis.files}


def test_our_own_bridge_in_bash_env_is_no_finding_and_another_is(judge):
    """
    Every command of a bridged client has it in the environment; codex exports it again.
    """
    ours = bash_env().encode()
    export = "export BASH_ENV=/g/bash-env.sh; bash -c 'echo hi'"
    for script in ("echo hi", export):
        for code, verdict in ((ours, Verdict.ALLOW), (ours + b"sudo x\n", Verdict.APPROVE)):
            case = judge(
                "-c", script, env={b"BASH_ENV": b"/g/bash-env.sh"}, files={"/g/bash-env.sh": code}
            )
            assert case.judgement.verdict is verdict, (script, found(case))


def test_a_bridge_of_ours_hides_no_other(judge):
    """
    One good BASH_ENV in the text must not vouch for a second in a file.
    """
    files = {
        "/g/bash-env.sh": bash_env().encode(),
        "/g/other.sh": b"terraform destroy\n",
        "/g/file": b"export BASH_ENV=/g/other.sh\n",
    }
    case = judge("-c", "export BASH_ENV=/g/bash-env.sh; . /g/file; bash -c 'echo hi'", files=files)

    assert case.judgement.verdict is Verdict.APPROVE


def test_the_approver_sees_the_command_and_not_the_plumbing(world):
    world.set_up()
    asking = world.start("-c", claude("terraform destroy"), env={"CLAUDECODE": "1"})

    shown = world.gatesh("show", world.waiting())
    world.reject(world.waiting())

    assert "the agent's command" in shown.text
    assert "│ terraform destroy\n" in shown.text
    assert asking.wait() == 126
