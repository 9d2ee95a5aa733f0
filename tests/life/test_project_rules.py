"""A project's own rules, `.gatesh/rules` beside the work: they tighten, whoever wrote them."""

from __future__ import annotations

import pytest

from tests.world import World, until

SEED = """\
pack: shop
rules:
  - id: shop.seed
    match: '^seed( |$)'
    verdict: approve
    reason: fills the database that the whole team shares
    examples: {match: [seed], miss: [echo seed]}
"""
FREE = """\
pack: shop
rules:
  - id: shop.free
    match: '^guarded'
    verdict: allow
    reason: we never liked that rule
    examples: {match: [guarded], miss: [echo guarded]}
"""


@pytest.fixture
def project(world: World) -> World:
    """A world whose work has a rule of its own, and a directory inside."""
    world.set_up()
    world.program("seed", "echo seeded")
    (world.work / "src").mkdir()
    write(world, SEED)
    return world


def write(world: World, text: str, name: str = "shop.yaml") -> None:
    place = world.work / ".gatesh" / "rules"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)


def test_a_projects_rule_holds_below_the_project_and_nowhere_else(project):
    """
    A team says once, in its repository, what its own tools must not do unasked.
    """
    elsewhere = project.gatesh("-c", "seed", cwd=project.base)
    entering = project.start("-c", "cd work && seed", cwd=project.base)
    project.reject(project.waiting())
    asking = project.start("-c", "seed", cwd=project.work / "src")
    id = project.waiting()
    project.approve(id)
    done = asking.end()

    assert (elsewhere.status, elsewhere.text) == (0, "seeded\n")
    assert 'rule "shop.seed"' in done.words
    assert (done.status, done.text) == (0, "seeded\n")
    assert entering.wait() == 126
    assert project.audit()["ok"]


def test_what_was_approved_under_other_rules_of_the_project_does_not_run(project):
    """
    Whoever approves has seen which rules the project had; the agent may write those files.
    """
    asking = project.start("-c", "seed")
    first = project.waiting()
    write(project, SEED.replace("the whole team shares", "nobody minds"))
    project.approve(first)
    until(lambda: any(p["id"] != first and p["waiting"] for p in project.pending()))
    (lapsed,) = project.entries("request.lapsed")
    project.approve(project.waiting())

    assert asking.end().text == "seeded\n"
    assert lapsed["id"] == first
    assert "project rules" in lapsed["why"]


def test_a_project_cannot_allow_and_while_it_tries_everything_there_waits(project):
    """
    An agent that writes itself a permission gets the opposite, and so does a broken edit.
    """
    write(project, FREE, "free.yaml")

    ordinary = project.start("-c", "echo hi")
    project.reject(project.waiting())
    refused = ordinary.end()

    assert project.gatesh("-c", "forbidden x").status == 126
    assert refused.status == 126 and refused.text == ""
    assert "free.yaml:3: rule shop.free: a project can only tighten" in refused.words
    assert project.gatesh("-c", "echo hi", cwd=project.base).text == "hi\n"
