"""What a policy answers, given what a line would do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.model import Kind, Need, Span, Subject, Verdict
from gatesh.policy import patterns
from gatesh.policy.engine import Policy, Situation
from gatesh.policy.patterns import EngineFailed, PatternSet

from .made import analysis, policy, rule

HERE = Situation(user="bob", cwd="/home/bob/work", host="build-7")

ALLOW, APPROVE, DENY = Verdict

# fmt: off
RULES = (
    rule("match: '^git push'", "git.push"),
    rule("match: '^git push .*--force'\nverdict: deny", "git.push-force"),
    rule("match: '^git push fork '\nverdict: allow", "git.push-fork"),
)
CASES = {
    "no rule matches":                     (["git status"],                        ALLOW),
    "one rule matches":                    (["git push origin main"],              APPROVE),
    "two rules match, the stricter wins":  (["git push --force origin main"],      DENY),
    "an allow does not soften an approve": (["git push fork main"],                APPROVE),
    "the strictest part decides the line": (["git status", "git push --force x"],  DENY),
    "a name inside an argument is no use": (["echo git push"],                     ALLOW),
    "nothing at all":                      ([],                                    ALLOW),
}
# fmt: on


@pytest.mark.parametrize(("commands", "verdict"), CASES.values(), ids=CASES.keys())
def test_verdict(commands, verdict):
    assert policy(*RULES).judge(analysis(*commands), HERE).verdict is verdict


def test_the_first_finding_is_the_one_that_decided():
    """
    The person asked to sign reads the first reason; the others follow in the
    order of the line.
    """
    judged = policy(*RULES).judge(analysis("git push a", "git push --force b"), HERE)

    assert [(f.rule, f.subject.text) for f in judged.findings] == [
        ("git.push-force", "git push --force b"),
        ("git.push", "git push a"),
        ("git.push", "git push --force b"),
    ]


def test_any_spelling_of_a_subject_is_enough():
    """
    `git -C x push` is offered also as `git push`: options must not hide a command.
    """
    subject = Subject(Kind.COMMAND, "git -C x push", Span(0, 13), also=("git push",))

    assert policy(*RULES).judge(analysis(subject), HERE).verdict is APPROVE


def test_what_excuses_one_spelling_does_not_excuse_another():
    """
    `cd /etc && rm -rf x`: harmless as written, not as what it comes to.
    """
    delete = rule("match: '^rm '\nexcept: ['^rm -rf [^/]*$']")
    subject = Subject(Kind.COMMAND, "rm -rf x", Span(0, 8), also=("rm -rf /etc/x",))

    assert policy(delete).judge(analysis("rm -rf x"), HERE).verdict is ALLOW
    assert policy(delete).judge(analysis(subject), HERE).verdict is APPROVE


def test_a_newline_in_an_argument_hides_nothing():
    r"""
    `.` matches newlines: `curl -H $'a\nb' -d @secret` is still an upload.
    """
    upload = rule("match: '^curl .*-d @'")

    assert policy(upload).judge(analysis("curl -H a\nb -d @x"), HERE).verdict is APPROVE


def test_the_working_directory_excuses_only_where_somebody_works():
    """
    `{cwd}` in an exception is the agent's project.  In a home, in /etc or in a
    hidden directory it stands for nothing, or `cd /etc` would free all of it.
    """
    delete = rule("match: '^rm .*/'\nexcept: ['^rm {cwd}/']")

    def verdict(cwd: str) -> Verdict:
        return policy(delete).judge(analysis(f"rm {cwd}/x"), Situation(cwd=cwd)).verdict

    assert verdict("/home/bob/work") is ALLOW
    assert verdict("/testbed") is ALLOW
    for place in (
        "/",
        "/etc",
        "/home/bob",
        "/root",
        "/usr/lib/x",
        "/home/bob/.ssh",
        "/home/b/../c",
    ):
        assert verdict(place) is APPROVE, place


def test_the_callers_home_is_a_home_and_nothing_else_is():
    """
    Root's home is a home in a container; `HOME=/etc` must not free /etc.
    """
    write = rule("on: write\nmatch: '^/(etc|root|home)/'\nexcept: ['^{home}/[^.]']")

    def verdict(home: str, path: str) -> Verdict:
        subject = Subject(Kind.WRITE, path, Span(0, 1))
        situation = Situation(cwd="/srv", env={"HOME": home})
        return policy(write).judge(analysis(subject), situation).verdict

    assert verdict("/root", "/root/junk/a") is ALLOW
    assert verdict("/home/bob", "/home/bob/a") is ALLOW
    assert verdict("/home/bob", "/home/eve/a") is APPROVE
    for home in ("/etc", "/", "", "/home", "/home/../etc", "/root/../etc", "/home/b.*/"):
        assert verdict(home, "/etc/hosts") is APPROVE, home


def test_a_directory_name_cannot_be_a_pattern():
    """
    A project called `.*` must not make the exception match everything.
    """
    delete = rule("match: '^rm .*/'\nexcept: ['^rm {cwd}/']")
    judged = policy(delete).judge(analysis("rm /etc/passwd/x"), Situation(cwd="/work/a(.*"))

    assert judged.verdict is APPROVE


def test_text_that_is_not_utf8_needs_approval_and_never_reaches_the_matcher():
    """
    RE2 would say "no match" to bytes it cannot read, which would let them through.
    """
    judged = policy(*RULES).judge(analysis("rm \udcff"), HERE)

    assert (judged.verdict, judged.findings[0].rule) == (APPROVE, "gatesh.not-text")


def test_an_engine_that_gives_up_is_not_an_engine_that_finds_nothing(monkeypatch):
    """
    A `Set` out of memory answers "nothing"; the pattern that always matches tells.
    """
    judge = policy(*RULES)

    class Silent:
        def Match(self, text):
            return None

    for matcher in judge._sets.values():
        monkeypatch.setattr(matcher, "_set", Silent())
    judged = judge.judge(analysis("ls"), HERE)

    assert (judged.verdict, judged.findings[0].rule) == (APPROVE, "gatesh.engine")


def test_rules_that_do_not_fit_are_an_error_when_they_are_loaded(monkeypatch):
    """
    Not later, when the first command comes.
    """
    monkeypatch.setattr(patterns, "_OPTIONS", patterns._options(1 << 14))

    with pytest.raises(EngineFailed):
        PatternSet([(f"a{{{i}}}b", i) for i in range(1, 500)])


def test_five_thousand_rules_fit():
    many = PatternSet([(rf"^tool{i}\s(.*\s)?(apply|destroy)(\s|$)", i) for i in range(5000)])

    assert many.match(b"tool4711 -x apply") == [4711]
    assert many.match(b"tool4711 -x plan") == ()


# ---- need ---------------------------------------------------------------------


def test_the_needs_of_all_findings_must_be_met():
    """
    Two teams' rules match one line: both must sign, and the shorter time holds.
    """
    judge = policy(
        rule("match: '^x'\napprove: {need: {sre: 1}, within: 1h}", "a.x"),
        rule("match: '^x y'\napprove: {need: {sre: 2, dba: 1}, within: 10m}", "a.xy"),
        rule("match: '^x'\nverdict: allow", "a.fine"),
    )

    assert judge.judge(analysis("x y"), HERE).need == Need({"dba": 1, "sre": 2}, 600, 300, "key")


def test_without_a_word_about_it_one_other_person_is_needed():
    assert policy(rule("match: x")).judge(analysis("x"), HERE).need == Need()


# ---- default ------------------------------------------------------------------


def test_the_default_is_about_each_command_not_about_the_line():
    """
    `ls && unknown` under a default of approve: one allowed half frees nothing.
    """
    judge = Policy([rule("match: '^ls'\nverdict: allow", "a.ls")], default=APPROVE)

    assert judge.judge(analysis("ls -l"), HERE).verdict is ALLOW
    judged = judge.judge(analysis("ls", "unknown"), HERE)
    assert [(f.rule, f.subject.text) for f in judged.findings] == [
        ("gatesh.default", "unknown"),
        ("a.ls", "ls"),
    ]


def test_a_broken_policy_asks_about_everything_and_says_why():
    judged = Policy.broken("rules/x.yaml:3: not YAML").judge(analysis("ls", script=b"ls"), HERE)

    assert judged.verdict is APPROVE
    assert judged.findings[0].rule == "gatesh.rules-broken"
    assert judged.findings[0].subject.detail == "rules/x.yaml:3: not YAML"


@pytest.mark.parametrize("cwd", ["/srv/prod", "/tmp/link"])
def test_a_directory_is_meant_by_every_name_it_has(cwd):
    """
    A link into production does not lead around a rule about production.
    """
    here = Situation(cwd=cwd, real_cwd="/srv/prod")
    guarded = policy(rule("match: '^seed'\nwhen: {cwd: ['^/srv/prod']}"))

    assert guarded.judge(analysis("seed"), here).verdict is APPROVE
    assert guarded.judge(analysis("seed"), Situation(cwd="/tmp/link")).verdict is ALLOW


# ---- system -------------------------------------------------------------------


def system(text: str, subject: Subject | str, *around: Subject, env: dict[str, str] | None = None):
    made = rule(text)
    situation = Situation(user="bob", cwd="/srv/app", host="build-7", env=env or {})
    return policy(made).judge(analysis(*around, subject), situation).system


AWS = """match: '^aws (-\\S+ )*iam create'
capture: [' --profile (?P<profile>\\S+)']
system: 'aws:{profile|env.AWS_PROFILE|=default}'"""


def test_the_system_is_named_from_the_command_then_the_line_then_the_surroundings():
    """
    An approver must see prod when it is prod, wherever the word stands.
    """
    spelled = Subject(
        Kind.COMMAND, "aws --profile prod iam create-x", Span(0, 9), also=("aws iam create-x",)
    )
    assigned = Subject(Kind.ENV, "AWS_PROFILE=stage", Span(0, 5))

    assert system(AWS, spelled, assigned, env={"AWS_PROFILE": "dev"}) == "aws:prod"
    assert system(AWS, "aws iam create-x", assigned, env={"AWS_PROFILE": "dev"}) == "aws:stage"
    assert system(AWS, "aws iam create-x", env={"AWS_PROFILE": "dev"}) == "aws:dev"
    assert system(AWS, "aws iam create-x") == "aws:default"


def test_a_system_nobody_knows_is_shown_as_unknown():
    assert system("match: '^x( (?P<a>y))?'\nsystem: 'it:{a}'", "x") == "it:?"


def test_the_directory_is_the_one_the_line_changes_to():
    assert system("match: '^x'\nsystem: '{cwd}@{host}'", "x", "cd ../prod") == "/srv/prod@build-7"


# ---- when ---------------------------------------------------------------------


def fires(when: str, situation: Situation, *subjects, verdict: str = "approve") -> bool:
    made = rule(f"match: '^x'\nverdict: {verdict}\nwhen: {when}")
    found = policy(made).judge(analysis(*subjects, "x"), situation)
    return bool(found.findings)


def test_every_key_of_when_must_hold_by_one_of_its_patterns():
    both = "{user: ['^bob$', '^eve$'], host: ['^build-']}"

    assert fires(both, Situation(user="bob", host="build-7"))
    assert not fires(both, Situation(user="bob", host="web-1"))
    assert not fires(both, Situation(user="bobby", host="build-7"))


def test_an_unknown_agent_is_not_a_particular_agent():
    assert not fires("{agent: [claude]}", Situation(agent=None))
    assert fires("{agent: [claude]}", Situation(agent="claude-code"))


def test_a_line_cannot_leave_a_when_by_setting_the_variable_or_changing_directory():
    """
    `STAGE=dev true; x` where the surroundings say prod: the rule for prod still holds,
    and one for dev holds as well.
    """
    dev = Subject(Kind.ENV, "STAGE=dev", Span(0, 9))
    prod = Situation(cwd="/srv", env={"STAGE": "prod"})

    assert fires("{env: {STAGE: '^prod$'}}", prod, dev)
    assert fires("{env: {STAGE: '^dev$'}}", prod, dev)
    assert fires("{cwd: '^/etc'}", prod, "cd /etc")
    assert fires("{cwd: '^/srv$'}", prod, "cd /etc")


def test_an_allow_must_hold_wherever_the_line_goes():
    """
    An exception for /srv is none for a line that starts in /srv and leaves.
    """
    assert fires("{cwd: '^/srv'}", Situation(cwd="/srv"), verdict="allow")
    assert not fires("{cwd: '^/srv'}", Situation(cwd="/srv"), "cd /etc", verdict="allow")


# ---- digest -------------------------------------------------------------------


def test_the_digest_is_about_what_rules_do_not_where_they_stand():
    """
    Moving a rule to another file must not make waiting requests drift.
    """
    import dataclasses

    a, b = rule("match: a", "t.a"), rule("match: b", "t.b")
    moved = dataclasses.replace(a, where="elsewhere.yaml:9", layer="system", must=("q",))

    assert policy(a, b).sha256 == policy(b, moved).sha256


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "another"},
        {"verdict": DENY},
        {"match": ("a", "b")},
        {"unless": ("b",)},
        {"system": "x"},
        {"need": Need({"sre": 1})},
        {"severity": "low"},
    ],
    ids=str,
)
def test_the_digest_changes_with_anything_an_approver_relies_on(change):
    import dataclasses

    a = rule("match: a")

    assert policy(a).sha256 != policy(dataclasses.replace(a, **change)).sha256


def test_the_digest_covers_the_default():
    assert Policy([rule("match: a")]).sha256 != Policy([rule("match: a")], default=APPROVE).sha256


# ---- any text -----------------------------------------------------------------


@given(
    st.lists(
        st.builds(
            Subject,
            st.sampled_from(Kind),
            st.text(st.characters(), max_size=200),
            st.just(Span(0, 1)),
            st.lists(st.text(max_size=40), max_size=2).map(tuple),
        ),
        max_size=5,
    )
)
def test_judging_never_raises_and_more_subjects_never_soften(subjects):
    judge = policy(*RULES, rule("match: '^rm {cwd}'\nexcept: ['{cwd}']\nsystem: '{cwd}'", "a.rm"))

    whole = judge.judge(analysis(*subjects), HERE)
    parts = [judge.judge(analysis(subject), HERE).verdict for subject in subjects]

    assert whole.verdict == max(parts, default=ALLOW)
