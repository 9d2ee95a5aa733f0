"""Hostile and broken input: an answer, always the same, in bounded work."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatesh.model import Kind, Subject
from gatesh.syntax import Context, analyse
from gatesh.syntax.analysis import BUG
from gatesh.syntax.collect import MAX_COMMANDS, MAX_SUBJECTS
from tests.syntax.table import lines

HERE = Context("/work/project", {"HOME": "/home/dev", "PATH": "/usr/bin:/bin"}, lambda path: None)

TOKENS = st.sampled_from(
    "a ls rm x=1 $x ${x} ${x:-y} ${x/a/b} ${!x} ${x@P} $( ) ` \" ' \\ \n ; & | && || ( ) { } [[ ]] (( )) $(( < > >> "
    "<<E <<-E <<< E 2>&1 &> <( >( # ! time coproc if then elif else fi while until do done for in case esac ;; ;& function f() "
    "* ? [a] {a,b} {1..9} ~ $'a\\x41' eval source bash sh -c sudo env xargs find -exec {} \\; alias trap export declare -a -n "
    "local read unset set -- shift cd / . .. python3 curl base64 -d tee cat echo printf %s é \ufffd a[ ]= += $@ $* $1 $# $? $!".split(
        " "
    )
)
soup = st.lists(st.tuples(TOKENS, st.sampled_from(["", " "])), max_size=40).map(
    lambda pairs: "".join(token + gap for token, gap in pairs)
)


def sound(script: bytes) -> None:
    """Check what holds for every analysis."""
    analysis = analyse(script, HERE)

    assert [s.kind for s in analysis.subjects].count(Kind.SCRIPT) == 1
    for subject in analysis.subjects:
        assert 0 <= subject.span.start <= subject.span.end <= max(len(script), subject.span.end)
        assert not subject.detail.startswith(BUG), subject.detail
        "\n".join((subject.text, *subject.also, *subject.inside, subject.program)).encode()
    assert analyse(script, HERE) == analysis


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(soup)
def test_no_line_of_shell_words_breaks_the_analysis(line):
    """
    An exception would be a line nobody judged.
    """
    sound(line.encode())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_no_bytes_break_the_analysis(script):
    """
    Scripts come from outside; they need not be text.
    """
    sound(script)


SAMPLES = lines("spellings.txt")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from(SAMPLES),
    st.integers(0, 200),
    st.integers(0, 3),
    st.sampled_from("\"'`$({;|&<\n\\x"),
)
def test_no_damaged_line_breaks_the_analysis(line, at, cut, added):
    """
    One character more or less is how parsers are found wanting.
    """
    at %= len(line) + 1
    sound((line[:at] + added + line[at + cut :]).encode())


@pytest.mark.parametrize("script", [b"rm \xff x", b"ls\0rm", b"\xed\xa0\x80", b"echo \xc3"])
def test_what_is_not_text_is_opaque_and_reaches_no_rule_as_bytes(script):
    """
    RE2 matches nothing in invalid UTF-8, so a rule that matters would silently not match.
    """
    subjects = analyse(script, HERE).subjects

    assert "opaque" in {s.text for s in subjects if s.kind is Kind.FINDING}
    assert all(s.text.encode() for s in subjects)


def test_spans_count_bytes_of_what_was_sent():
    """
    A person is shown the part that matters, underlined in the bytes that would run.
    """
    script = "echo é; rm ü".encode()

    spans = {s.text: s.span for s in analyse(script, HERE).subjects if s.kind is Kind.COMMAND}
    assert script[spans["rm ü"].start : spans["rm ü"].end] == "rm ü".encode()


# fmt: off
DEEP = {
    "substitutions":  lambda n: "echo " + "$(echo " * n + "rm x" + ")" * n,
    "unclosed":       lambda n: "$(" * n,
    "arithmetic":     lambda n: "echo " + "$((" * n,
    "subshells":      lambda n: "( " * n + "rm x" + ")" * n,
    "groups":         lambda n: "{ " * n + "rm x;" + " };" * n,
    "quotes":         lambda n: '"$(' * n + "rm x" + ')"' * n,
    "defaults":       lambda n: "echo " + "${x:-" * n + "rm" + "}" * n,
    "braces":         lambda n: "echo " + "{a," * n + "b" + "}" * n,
    "conditions":     lambda n: "if true; then " * n + "rm x; " + "fi; " * n,
    "eval":           lambda n: "eval " * n + "rm x",
    "sudo":           lambda n: "sudo " * n + "rm x",
    "processes":      lambda n: "cat " + "<(cat " * n + ")" * n,
    "functions":      lambda n: "f() { " * n + "rm x; " + "}; " * n,
    "patterns":       lambda n: "echo " + "@(a" * n + ")" * n,
    "subscripts":     lambda n: "a[" * n + "]" * n + "=1",
}
LONG = {
    "one word":       lambda n: "echo " + "a" * n,
    "words":          lambda n: "echo" + " a" * (n // 2),
    "commands":       lambda n: "ls;" * (n // 3),
    "pipes":          lambda n: "ls" + "|ls" * (n // 3),
    "ands":           lambda n: "ls" + "&&ls" * (n // 4),
    "variables":      lambda n: "".join(f"a{i}=b;" for i in range(n // 8)),
    "growth":         lambda n: "a=x;" + "a=$a$a;" * min(n // 7, 64),
    "redirections":   lambda n: "ls" + " >a" * (n // 3),
    "heredoc":        lambda n: "cat <<E\n" + "$x `y`\n" * (n // 8) + "E",
    "heredocs":       lambda n: "cat <<E\nE\n" * (n // 10),
    "quotes":         lambda n: "echo " + "'a'\"b\"" * (n // 6),
    "backslashes":    lambda n: "echo " + "\\" * n,
    "dollars":        lambda n: "echo " + "$" * n,
    "unclosed quote": lambda n: "echo '" + "a" * n,
    "stars":          lambda n: "x=" + "a" * 300 + ";echo ${x#" + "*a" * (n // 2) + "}",
    "globs":          lambda n: "rm /" + "*/" * (n // 2),
    "functions":      lambda n: "f(){ f $1a; };" + "f;" * (n // 2),
    "doubling":       lambda n: "".join(f"f{i+1}() {{ f{i}; f{i}; }};" for i in range(min(n // 20, 40))) + "f40",
    "loops":          lambda n: "for a in 1 2; do x=$x$a; " * min(n // 24, 30) + ":; " + "done; " * min(n // 24, 30),
    "python":         lambda n: "python3 -c '" + "system(" * (n // 7) + "'",
    "perl":           lambda n: "perl -e '" + "exec q(" * (n // 7) + "'",
    "node":           lambda n: "node -e '" + "spawn(\"a\",[" * (n // 11) + "'",
    "constants":      lambda n: "python3 -c '" + "".join(f'a{i}="b";system(a{i});' for i in range(n // 20)) + "'",
    "makefile":       lambda n: "make -f - <<E\na:\n" + "\tls $(shell x)\n" * (n // 15) + "E",
    "keys":           lambda n: "tmux send-keys " + "a Space " * (n // 8),
    "parallel":       lambda n: "parallel {1} {2} ::: " + "a " * (n // 4) + "::: " + "b " * (n // 4),
    "descriptors":    lambda n: "exec" + " 3<a" * (n // 4),
    "options":        lambda n: "fzf" + " --bind=a:execute(x)" * (n // 20),
    "unlisted":       lambda n: "tool" + " --exec=a\\ b" * (n // 14),
    "copies":         lambda n: "cp a b;" * (n // 7) + "c;" * (n // 40),
    "awk":            lambda n: "awk '" + "\"a" * (n // 2) + "'",
    "sed":            lambda n: "sed '" + "s/" * (n // 2) + "'",
    "alternatives":   lambda n: "".join(f"[ a ] && v{i}=1$v{i};" for i in range(n // 24)) + "echo $v1$v2$v3",
}
# fmt: on


@pytest.mark.parametrize("make", DEEP.values(), ids=DEEP.keys())
def test_three_thousand_levels_end_in_an_answer(make):
    """
    bash itself dies of some of these; the gate must not, and must not let them pass.
    """
    deep = analyse(make(3000).encode(), HERE).subjects

    # Either all of it was followed, or it says that it was not.
    assert len(deep) > 1
    assert not any(s.detail.startswith(BUG) for s in deep)


@pytest.mark.parametrize("make", DEEP.values(), ids=DEEP.keys())
def test_a_few_levels_are_followed(make):
    """
    The limits are for attackers; people nest four deep.
    """
    texts = [s.text for s in analyse(make(4).encode(), HERE).subjects]

    assert "opaque" not in texts or make(1).count(")") < make(1).count("(")


def work(script: bytes) -> tuple[int, tuple[Subject, ...]]:
    """Count the Python calls of one analysis: work that does not depend on the machine."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        subjects = analyse(script, HERE).subjects
    finally:
        sys.setprofile(None)
    return calls, subjects


@pytest.mark.parametrize("make", LONG.values(), ids=LONG.keys())
def test_twice_the_line_is_at_most_about_twice_the_work(make):
    """
    Quadratic work is how one line stops a broker that serves everybody.
    """
    analyse(make(500).encode(), HERE)

    once, twice = work(make(4_000).encode())[0], work(make(8_000).encode())[0]
    assert twice < 2.6 * once + 2_000


@pytest.mark.parametrize("make", LONG.values(), ids=LONG.keys())
def test_a_megabyte_ends_in_bounded_work(make):
    """
    What is too much is opaque: refused to be judged, not judged in part.
    """
    calls, subjects = work(make(1_000_000).encode())

    assert calls < 400 * MAX_COMMANDS
    assert len(subjects) <= MAX_SUBJECTS + 10
    assert not any(s.detail.startswith(BUG) for s in subjects)


@pytest.mark.parametrize(
    "line",
    [
        "python3 -c '"
        + "".join(f'os.system("ls {n}");' for n in range(99))
        + 'os.system("rm x")\'',
        "make -f - <<E\na:\n" + "".join(f"\tls {n}\n" for n in range(400)) + "\trm x\nE",
        "tmux send-keys '" + "".join(f"ls {n}\n" for n in range(99)) + "rm x\n(' Enter",
    ],
    ids=["calls", "recipes", "typed lines"],
)
def test_more_than_is_looked_at_ends_in_a_finding(line):
    """
    The command after the last one that was looked at is where somebody would hide his.
    """
    texts = [s.text for s in analyse(line.encode(), HERE).subjects]

    assert "rm x" not in texts
    assert "opaque" in texts


HOSTILE = {
    "dots": ("python3", "a."),
    "escaped quotes": ("python3", '\\"'),
    "blanks": ("perl", " "),
    "openings": ("ruby", "open('"),
    "lists": ("node", 'run(["a",'),
    "awk": ("awk -f -", '\\"'),
    "make": ("make -f -", "$(shell "),
}


@pytest.mark.parametrize(("program", "piece"), HOSTILE.values(), ids=HOSTILE.keys())
def test_patterns_do_not_backtrack(program, piece):
    """
    Counting calls does not see what a regular expression does inside one.

    Quadratic would be sixteen times; a busy machine slows both alike.
    """

    def seconds(length: int) -> float:
        line = f"{program} <<'E'\nsystem exec open\n{piece * (length // len(piece))}\nE"
        began = time.process_time()
        analyse(line.encode(), HERE)
        return time.process_time() - began

    assert min(seconds(16_000) for _ in range(2)) < 9 * min(seconds(4_000) for _ in range(3)) + 0.1


def test_more_than_a_megabyte_is_opaque():
    """
    Nobody approves what nobody can read.
    """
    subjects = analyse(b"echo " + b"a" * (1 << 21), HERE).subjects

    assert {s.text for s in subjects if s.kind is Kind.FINDING} == {"opaque"}
