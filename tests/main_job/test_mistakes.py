"""A line no shell would accept is the shell's to complain about, not a person's to approve."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatesh.broker.refusal import refused


@pytest.mark.parametrize("line", ["if", "echo a; )", "echo 'open", "for x in; do", "case x in"])
def test_a_plain_syntax_error_is_answered_as_bash_answers_it(world, line):
    """
    An agent that forgot a quote reads bash's own words at once.
    """
    world.set_up()

    ours, bash = world.gatesh("-c", line), world.start("-c", line, program="bash").end()

    assert (ours.status, ours.out, ours.err) == (bash.status, bash.out, bash.err)


@pytest.mark.parametrize(
    ("line", "env"),
    [
        ("touch ran\n)", {}),
        ("guarded !(x)", {"BASHOPTS": "extglob"}),
        ("guarded !(x)", {"BASH_ENV": "/dev/null"}),
    ],
    ids=["an error only on the second line", "another grammar", "a grammar set by a file"],
)
def test_where_some_of_it_could_run_a_person_is_asked(world, line, env):
    world.settings("hold: 0\n")
    world.set_up()

    done = world.gatesh("-c", line, env=env)

    assert done.status == 75
    assert not (world.work / "ran").exists()


LINES = st.lists(
    st.sampled_from(
        ["touch ran", ";", "&&", "(", ")", "{", "}", "if", "then", "fi", "'", '"', "$(", "`", "<<E",
         "|", "&", "!", "case", "in", "esac", "x", "=", "[[", "]]", ">", "<(", "\\", "#", "do"]
    ),
    min_size=1,
    max_size=7,
).map(" ".join)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(LINES)
def test_a_line_taken_for_refused_runs_nothing_in_bash(tmp_path_factory, line):
    """
    The claim that lets a line through unread, held against bash itself.
    """
    if not refused("/bin/bash", (b"-c",), line.encode(), {}):
        return
    place = tmp_path_factory.mktemp("w")

    done = subprocess.run(
        ["/bin/bash", "-c", line], cwd=place, stdin=subprocess.DEVNULL, capture_output=True
    )

    assert done.returncode != 0
    assert not (place / "ran").exists()
