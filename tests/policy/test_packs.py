"""Rule files: what is refused, how it is said, and which layer may do what."""

from __future__ import annotations

import hashlib
import os
import textwrap

import pytest

from gatesh.errors import ConfigError
from gatesh.model import CodeFile, Verdict
from gatesh.policy import reading
from gatesh.policy.packs import LARGEST, Layer, load

GOOD = """\
pack: {pack}
rules:
  - id: {pack}.one
    match: '^{pack} go'
    verdict: approve
    reason: it goes
    examples: {{match: [{pack} go], miss: [{pack} stop]}}
"""


@pytest.fixture(autouse=True)
def _strict_umask():
    """Rule files others may write to are refused; tests must not depend on the umask."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def write(directory, name, text):
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(textwrap.dedent(text))
    return path


def good(directory, pack="alpha", extra=""):
    text = GOOD.format(pack=pack) + textwrap.indent(textwrap.dedent(extra), "    ")
    return write(directory, f"{pack}.yaml", text)


def problems(*layers, **options) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(layers, **options)
    return str(raised.value).splitlines()


def user(path):
    return Layer("user", path)


# ---- one file ------------------------------------------------------------------


def test_all_problems_of_all_files_are_said_at_once(tmp_path):
    """
    An author fixes a file once, not once for each mistake.
    """
    a = write(
        tmp_path,
        "a.yaml",
        r"""
        pack: a
        rules:
          - id: a.one
            match: '^a(?!b)'
            verdict: maybe
            reason: because
            examples: {match: [a], miss: [b]}
          - id: a.two
            match: '(a'
            verdict: approve
            examples: {match: [a]}
            raeson: because
        """,
    )
    b = write(tmp_path, "b.yml", "pack: b\nrules: [\n")

    assert problems(user(tmp_path)) == [
        f"{a}:5: rule a.one: `match` RE2 refuses it (invalid perl operator: (?!); "
        "there is no lookahead; use `except:`",
        f"{a}:6: rule a.one: `verdict` is `maybe`; it must be one of allow, approve, deny",
        f"{a}:9: rule a.two: the rule needs `reason`; what an approver should know, in a few words",
        f"{a}:10: rule a.two: `match` RE2 refuses it (missing ): (a); "
        "a parenthesis is not closed; write \\( for a literal one",
        f"{a}:12: rule a.two: `examples` needs `miss`; a near miss: "
        "a command line that looks alike and must not match",
        f"{a}:13: rule a.two: unknown key `raeson` in the rule; did you mean `reason`?",
        f"{b}:3: not YAML: while parsing a flow node did not find expected node content",
    ]


ONE = """\
pack: t
rules:
  - id: t.r
    match: '^t'
    verdict: approve
    reason: because
    examples: {{match: [t], miss: [u]}}
{}"""

# fmt: off
REFUSED = {
    "a lookahead":            ("    except: '(?=x)'",                  "there is no lookahead"),
    "a lookbehind":           ("    except: '(?<!x)y'",                "there is no lookbehind; use `except:`"),
    "a backreference":        (r"    except: '(a)\1'",                 "there are no backreferences"),
    "a possessive quantifier": ("    except: 'a++'",                   "there are no possessive quantifiers"),
    "an empty pattern":       ("    except: ''",                       "is empty"),
    "a huge pattern":         (f"    except: '{'a' * 5000}'",          "longer than 4096 characters"),
    "a number as reason":     ("    instead: 12",                      "12 is a YAML int; put it in quotes"),
    "yes as text":            ("    instead: yes",                     "yes is a YAML bool; put it in quotes"),
    "nothing as text":        ("    instead:",                         "is empty"),
    "a list as text":         ("    instead: [a]",                     "must be text, not a list"),
    "a newline in a reason":  ('    instead: "a\\nb"',                 "must be one line"),
    "an escape in a reason":  ('    instead: "a\\eb"',                 "must be one line"),
    "an unknown kind":        ("    on: commands",                     "it must be one of command, pipeline"),
    "an unknown severity":    ("    severity: huge",                   "low, medium, high, critical"),
    "a bad duration":         ("    approve: {within: 15}",            "such as 90s, 15m, 4h or 2d"),
    "a negative duration":    ("    approve: {within: -15m}",          "such as 90s, 15m, 4h or 2d"),
    "an endless duration":    ("    approve: {within: 400d}",          "longer than 30 days"),
    "nobody needed":          ("    approve: {need: {any: 0}}",        "a number of people from 1 to 99"),
    "no team needed":         ("    approve: {need: {}}",              "must map teams to head counts"),
    "an unknown assurance":   ("    approve: {assurance: hope}",       "must be one of key, presence"),
    "a glass without limit":  ("    approve: {break_glass: true}",     "number from 1 to 9"),
    "an unknown key":         ("    whne: {user: x}",                  "did you mean `when`?"),
    "an empty when":          ("    when: {}",                         "`when` is empty"),
    "a bad variable name":    ("    when: {env: {A-B: x}}",            "which no variable is"),
    "a tag with blanks":      ("    tags: ['a b']",                    "must be one word"),
    "an unknown group":       ("    system: 'aws:{profile}'",          "write (?P<profile>…)"),
    "an unpaired brace":      ("    system: 'aws:{profile'",           "a brace is not paired"),
    "a key given twice":      ("    match: '^u'",                      "gives `match` twice (first on line 4)"),
    "an anchor":              ("    instead: &a x",                    "uses an anchor or alias"),
    "a tag of YAML":          ("    instead: !!python/none x",         "uses the tag"),
    "a merge key":            ("    <<: {on: code}",                   "unknown key `<<`"),
    "nesting without end":    ("    tags: " + "[" * 1000,              "nested more than 16 deep"),
    "a second document":      ("---\npack: u\n",                       "second document"),
    "an override of nothing": ("    override: {reason: x}",            "`override` needs `id`"),
}
# fmt: on


@pytest.mark.parametrize(("line", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(line, said):
    complaints = reading.read(ONE.format(line), file="t.yaml").complaints

    assert said in " / ".join(c.message for c in complaints)


def test_the_file_of_these_tests_is_good_without_the_bad_line():
    assert reading.read(ONE.format(""), file="t.yaml").complaints == ()


def test_millions_of_brackets_are_refused_not_followed():
    """
    libyaml's composer is recursive: such a file would kill the broker.
    """
    for text in ("[" * 500_000, "{a: " * 200_000, "- " * 200_000):
        (complaint,) = reading.read(text, file="t.yaml").complaints
        assert "nested" in complaint.message


@pytest.mark.parametrize("id", ["Big.one", "one", "a..b", "a.b ", "gatesh.engine", "-a.b"])
def test_ids_have_one_form_and_some_are_taken(id):
    complaints = reading.read(ONE.format("").replace("t.r", id), file="t.yaml").complaints

    assert complaints or id.endswith(" ")  # blanks at the end are YAML's business


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"pack: a\nabout: caf\xe9\n")

    assert problems(user(tmp_path)) == [
        f"{tmp_path}/a.yaml: cannot be used: line 2 is not UTF-8; save it as UTF-8"
    ]


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"#" * (LARGEST + 1))

    assert "larger than" in problems(user(tmp_path))[0]


# ---- who may write -------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_rule_file_others_may_write_is_refused(tmp_path, mode):
    """
    Whoever can write a rule can let anything through.
    """
    good(tmp_path).chmod(mode)

    assert problems(user(tmp_path)) == [
        f"{tmp_path}/alpha.yaml: cannot be used: it can be written by others; run chmod go-w on it"
    ]


def test_so_is_a_directory_others_may_write(tmp_path):
    good(tmp_path / "sub")
    (tmp_path / "sub").chmod(0o777)

    assert problems(user(tmp_path)) == [
        f"{tmp_path}/sub: the directory can be written by others; run chmod go-w on it"
    ]


def test_a_link_is_followed_to_a_safe_file_only(tmp_path):
    rules, elsewhere = tmp_path / "rules", tmp_path / "elsewhere"
    target = good(elsewhere)
    rules.mkdir()
    (rules / "link.yaml").symlink_to(target)

    assert [rule.id for rule in load([user(rules)]).rules] == ["alpha.one"]
    elsewhere.chmod(0o777)
    assert "the directory it links to can be written" in problems(user(rules))[0]


def test_a_link_to_a_directory_is_not_followed(tmp_path):
    good(tmp_path / "elsewhere")
    good(tmp_path / "rules", "beta")
    (tmp_path / "rules" / "more").symlink_to(tmp_path / "elsewhere")

    assert "is a link to a directory" in problems(user(tmp_path / "rules"))[0]


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.yaml", 0o600)

    assert "not a regular file" in problems(user(tmp_path))[0]


def test_a_dangling_link_is_a_problem_not_an_absence(tmp_path):
    """
    A rule that silently disappears is a rule that lets things through.
    """
    (tmp_path / "a.yaml").symlink_to(tmp_path / "gone")

    assert "cannot be used" in problems(user(tmp_path))[0]


# ---- layers --------------------------------------------------------------------


def test_no_rules_at_all_is_an_error(tmp_path):
    assert "no rules were found" in problems(user(tmp_path))[0]


def test_missing_shipped_rules_are_an_error_even_beside_others(tmp_path):
    good(tmp_path / "u")

    said = problems(Layer("shipped", tmp_path / "gone"), user(tmp_path / "u"))
    assert said == [f"{tmp_path}/gone: the rules that come with gatesh are missing; reinstall it"]


def test_layers_may_be_absent(tmp_path):
    good(tmp_path / "s")

    policy = load([Layer("shipped", tmp_path / "s"), user(tmp_path / "gone")])
    assert [(r.id, r.layer, r.where) for r in policy.rules] == [
        ("alpha.one", "shipped", "rules/alpha.yaml:3")
    ]


def test_one_id_in_two_files_is_an_error(tmp_path):
    good(tmp_path / "a")
    good(tmp_path / "b")

    assert problems(user(tmp_path / "a"), Layer("project", tmp_path / "b")) == [
        f"{tmp_path}/b/alpha.yaml:3: rule alpha.one: id is used at {tmp_path}/a/alpha.yaml:3; "
        "rename one"
    ]


def overriding(directory, verdict="allow", of="alpha.one"):
    return write(
        directory,
        "o.yaml",
        f"""
        pack: o
        rules:
          - id: o.mine
            override: {{id: {of}, reason: we do that all day}}
            match: '^alpha go'
            verdict: {verdict}
            reason: fine here
            examples: {{match: [alpha go], miss: [alpha stop]}}
        """,
    )


@pytest.mark.parametrize("layer", ["shipped", "user", "system"])
def test_a_shipped_rule_can_be_replaced_and_that_shows(tmp_path, layer):
    good(tmp_path / "s")
    overriding(tmp_path / "o")

    policy = load([Layer("shipped", tmp_path / "s"), Layer(layer, tmp_path / "o")])

    assert [rule.id for rule in policy.rules] == ["o.mine"]
    assert [rule.id for rule in policy.replaced] == ["alpha.one"]
    assert (policy.rules[0].overrides, policy.rules[0].because) == (
        "alpha.one",
        "we do that all day",
    )


@pytest.mark.parametrize(
    ("theirs", "mine"), [("system", "user"), ("user", "project"), ("shipped", "project")]
)
def test_nobody_replaces_a_rule_of_a_layer_above(tmp_path, theirs, mine):
    """
    A project is often written by the agent itself.
    """
    good(tmp_path / "t")
    overriding(tmp_path / "m", verdict="approve")

    said = problems(Layer(theirs, tmp_path / "t"), Layer(mine, tmp_path / "m"))
    assert f"{mine} rules cannot replace {theirs} rules" in said[0]


def test_an_override_must_name_a_rule_that_exists(tmp_path):
    good(tmp_path)
    overriding(tmp_path, of="alpha.gone")

    assert "alpha.gone, which is no rule" in problems(user(tmp_path))[0]


def test_a_project_cannot_allow(tmp_path):
    """
    It would have no effect, and its author would believe it has.
    """
    path = good(tmp_path, extra="")
    path.write_text(path.read_text().replace("verdict: approve", "verdict: allow"))

    assert "a project can only tighten" in problems(Layer("project", tmp_path))[0]


def test_a_file_can_raise_the_default_and_never_lower_it(tmp_path):
    path = good(tmp_path)
    assert load([user(tmp_path)]).default is Verdict.ALLOW

    path.write_text("default: approve\n" + path.read_text())
    assert load([user(tmp_path)]).default is Verdict.APPROVE

    path.write_text(path.read_text().replace("default: approve", "default: allow"))
    assert load([user(tmp_path)], default=Verdict.APPROVE).default is Verdict.APPROVE


def test_a_user_cannot_allow_what_the_system_asks_about_by_default(tmp_path):
    path = good(tmp_path)
    path.write_text(path.read_text().replace("verdict: approve", "verdict: allow"))

    said = problems(user(tmp_path), default=Verdict.APPROVE, default_layer="system")
    assert "user rules cannot allow" in said[0]
    assert load([user(tmp_path)], default=Verdict.APPROVE, default_layer="user").rules


def test_the_digest_does_not_depend_on_files_and_their_order(tmp_path):
    good(tmp_path / "a", "alpha")
    good(tmp_path / "a", "beta")
    good(tmp_path / "b" / "deep", "beta")
    good(tmp_path / "b", "alpha")

    assert load([user(tmp_path / "a")]).sha256 == load([user(tmp_path / "b")]).sha256


def test_the_policy_knows_the_files_it_was_made_from(tmp_path):
    """
    The log says which bytes the rules of a day were.
    """
    path = good(tmp_path)
    data = path.read_bytes()

    assert load([user(tmp_path)]).files == (
        CodeFile(str(path), hashlib.sha256(data).hexdigest(), len(data)),
    )
