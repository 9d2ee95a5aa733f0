"""Where a project's rules are looked for, and what they may say."""

from __future__ import annotations

import os

import pytest

from gatesh.broker.projects import added, around, places
from gatesh.errors import ConfigError
from gatesh.model import Verdict
from gatesh.policy import reading
from gatesh.policy.engine import Policy, Situation
from tests.policy.test_shipped import look

RULE = """\
pack: shop
{default}rules:
  - id: {id}
    match: '^seed( |$)'
    {more}verdict: {verdict}
    reason: fills the shared database
    examples: {{match: [seed], miss: [echo seed]}}
"""
OURS = reading.read(
    RULE.format(id="ours.never", default="", more="", verdict="deny").replace("seed", "burn"),
    file="ours.yaml",
    layer="user",
)
BASE = Policy(OURS.rules)
ME = os.geteuid()


def write(project, id="shop.seed", default="", more="", verdict="approve", name="shop.yaml"):
    place = project / ".gatesh" / "rules"
    place.mkdir(parents=True, exist_ok=True)
    text = RULE.format(id=id, default=default, more=more, verdict=verdict)
    (place / name).write_text(text)
    return place


def verdict(policy, line):
    return policy.judge(look(line), Situation()).verdict


def test_every_project_above_counts_so_none_can_hide_another(tmp_path):
    """
    Else a directory with rules of its own, made by the agent, would shadow those of the whole.
    """
    write(tmp_path)
    inner = tmp_path / "inner" / "deep"
    inner.mkdir(parents=True)
    write(tmp_path / "inner", id="inner.seed")

    policy = around(BASE, (str(inner),), ME).policy

    assert {rule.id for rule in policy.rules} == {"ours.never", "shop.seed", "inner.seed"}


def test_a_link_into_a_project_does_not_lead_around_its_rules(tmp_path):
    (tmp_path / "project" / "src").mkdir(parents=True)
    rules = write(tmp_path / "project")
    (tmp_path / "link").symlink_to(tmp_path / "project" / "src")

    assert places((str(tmp_path / "link"),), None) == [rules]


def test_neither_a_home_nor_what_everybody_can_write_to_is_a_project(tmp_path):
    """
    Anybody could put rules into /tmp that stop everybody else's work there.
    """
    shared, work = tmp_path / "shared", tmp_path / "shared" / "work"
    work.mkdir(parents=True)
    write(shared)

    assert places((str(work),), str(shared)) == []
    shared.chmod(0o1777)
    assert places((str(work),), None) == []
    shared.chmod(0o755)
    assert places((str(work),), None) != []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"verdict": "allow"}, "a project can only tighten"),
        ({"more": "override: {id: ours.never, reason: it stops us}\n    "}, "can only tighten"),
        ({"id": "ours.never"}, "id is used"),
        ({"verdict": "perhaps"}, "must be one of allow, approve, deny"),
    ],
    ids=["allow", "override", "another's id", "nonsense"],
)
def test_rules_that_cannot_be_used_hold_everything_and_free_nothing(tmp_path, wrong, said):
    write(tmp_path, **wrong)

    policy = around(BASE, (str(tmp_path),), ME).policy

    assert verdict(policy, "ls") is Verdict.APPROVE
    assert verdict(policy, "burn") is Verdict.DENY
    assert said in policy.judge(look("ls"), Situation()).findings[0].reason
    with pytest.raises(ConfigError, match=said):
        added(BASE, str(tmp_path), ME)


def test_rules_that_others_can_write_are_refused_and_a_team_is_no_other(tmp_path):
    """
    A checkout of a team is writable by its group; nobody's business is everybody's.
    """
    rules = write(tmp_path)
    file = rules / "shop.yaml"
    file.chmod(0o664)
    assert verdict(around(BASE, (str(tmp_path),), ME).policy, "ls") is Verdict.ALLOW

    file.chmod(0o666)
    assert verdict(around(BASE, (str(tmp_path),), ME).policy, "ls") is Verdict.APPROVE
    file.chmod(0o644)
    rules.parent.chmod(0o777)
    assert verdict(around(BASE, (str(tmp_path),), ME).policy, "ls") is Verdict.APPROVE


def test_a_project_can_ask_about_everything_it_does_not_name(tmp_path):
    write(tmp_path, default="default: approve\n")

    assert verdict(around(BASE, (str(tmp_path),), ME).policy, "ls") is Verdict.APPROVE


def test_an_edit_counts_at_the_next_command(tmp_path):
    rules = write(tmp_path, verdict="approve")
    before = around(BASE, (str(tmp_path),), ME)
    write(tmp_path, verdict="deny")
    after = around(BASE, (str(tmp_path),), ME)
    (rules / "shop.yaml").unlink()

    assert verdict(before.policy, "seed") is Verdict.APPROVE
    assert verdict(after.policy, "seed") is Verdict.DENY
    assert before.files[0].sha256 != after.files[0].sha256
    assert verdict(around(BASE, (str(tmp_path),), ME).policy, "seed") is Verdict.ALLOW
