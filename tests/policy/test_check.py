"""What `gatesh rules test` says about rules that cannot be meant so."""

from __future__ import annotations

from gatesh.model import Analysis, Verdict
from gatesh.policy import check, reading, starter
from gatesh.policy.engine import Policy

from .made import analysis, policy, rule, rules


def analyse(text: str) -> Analysis:
    """A parser for lines without quotes: enough to test the tester."""
    return analysis(*(part.strip() for part in text.split("&&")))


def said(*made) -> list[str]:
    return [problem.message for problem in check.test(policy(*made), analyse)]


def test_good_rules_have_no_problems():
    assert said(rule("match: '^x'\nexamples: {match: [x, a && x y], miss: [y]}")) == []


def test_an_example_that_does_not_match_is_told_with_what_was_seen():
    """
    The author sees the subjects, so the next try is not a guess.
    """
    other = rule("match: '^q'\nexamples: {match: [q], miss: [y]}", "t.other")
    broken = rule("match: '^x'\nexamples: {match: [q && z], miss: [y]}")

    assert said(broken, other) == [
        "does not match its example 'q && z'; its command subjects are ['q', 'z']"
        "; fires instead: t.other"
    ]


def test_an_example_of_the_wrong_kind_is_told():
    (message,) = said(rule("match: '^x'\non: code\nexamples: {match: [x], miss: [y]}"))

    assert message == "does not match its example 'x', which has no code subject; is `on:` right?"


def test_a_path_in_a_pattern_is_explained():
    """
    `^/usr/bin/rm` can never match: programs are reduced to their names.
    """
    (message,) = said(rule("match: '^/usr/bin/x'\nexamples: {match: [x], miss: [y]}"))

    assert "write `^name`" in message


def test_a_near_miss_that_matches_is_told_with_the_subject_that_did():
    (message,) = said(rule("match: 'x'\nexamples: {match: [x], miss: [y && ax]}"))

    assert message == "must not match 'y && ax', but does: 'ax'"


def test_when_is_taken_to_hold_in_examples():
    made = rule("match: '^x'\nwhen: {user: ['^nobody-here$']}\nexamples: {match: [x], miss: [y]}")

    assert said(made) == []


def test_a_rule_that_another_always_beats_is_a_warning():
    beaten = rule("match: '^x'\nexamples: {match: [x 1], miss: [y]}", "t.beaten")
    winner = rule("match: '^x '\nverdict: deny\nexamples: {match: [x 1], miss: [y]}", "t.winner")

    (problem,) = check.test(policy(beaten, winner), analyse)
    assert (problem.rule, problem.warning) == ("t.beaten", True)
    assert "never wins" in problem.message


def test_an_allow_rule_may_lose_where_everything_is_allowed():
    """
    Packs of `allow` rules wait for sites whose default is approve.
    """
    made = rule("match: '^x'\nverdict: allow\nexamples: {match: [x], miss: [y]}")

    assert said(made) == []
    assert check.test(Policy([made], default=Verdict.APPROVE), analyse) == []


def test_patterns_that_match_everything_are_errors():
    for pattern in (".*", ".", "x*", "(a|)", r"^\s*"):
        made = rule(f"match: '{pattern}'\nexamples: {{match: [x], miss: [y]}}")
        assert any("matches everything" in message for message in said(made)), pattern


def test_everything_somewhere_is_a_fair_rule():
    made = rule("match: '.'\nwhen: {cwd: ['^/srv']}\nexamples: {match: [x], miss: [y]}")

    assert not any("matches everything" in message for message in said(made))


def test_an_exception_that_excepts_everything_is_an_error():
    made = rule("match: '^x'\nexcept: ['y*']\nexamples: {match: [x], miss: [y]}")

    assert any("never fires" in message for message in said(made))


def test_one_pattern_in_two_rules_is_a_warning():
    a, b = (rule("match: '^x'\nexamples: {match: [x], miss: [y]}", id) for id in ("t.a", "t.b"))

    (problem,) = check.test(policy(a, b), analyse)
    assert (problem.rule, problem.warning) == ("t.b", True)
    assert "also stands in t.a" in problem.message


def test_the_starter_is_a_good_file():
    read = reading.read(starter.TEXT, file="ours.yaml", layer="user")

    assert read.complaints == ()
    (only,) = rules(starter.TEXT)
    assert only.id == "ours.deploy-production"
    assert check.test(Policy([only]), _with_sudo) == []


def _with_sudo(text: str) -> Analysis:
    return analysis(text, text.removeprefix("sudo -u deployer "))
