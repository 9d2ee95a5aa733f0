"""A client's own calls run unpaused, so they are known to the byte or not at all."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.syntax.agents import recognise
from gatesh.syntax.agents.preamble import Call
from gatesh.syntax.agents.snapshots import recognise as known_snapshot
from gatesh.syntax.agents.snapshots import skeleton

FILE = b"/home/me/.claude/shell-snapshots/snapshot-bash-17-a1b2.sh"
# In the manner of Claude Code's, which is its own and not copied here.
SNAPSHOT = b"""SNAPSHOT_FILE=%b
      source "/home/me/.bashrc" < /dev/null
      echo "# Snapshot file" >| "$SNAPSHOT_FILE"
      cat >> "$SNAPSHOT_FILE" << 'END'
  [[ -x $_cc_bin ]] || _cc_bin=/home/me/.local/bin/claude
END
      cat >> "$SNAPSHOT_FILE" << 'PATH_END_x1y2'
export PATH=/usr/bin:/bin
PATH_END_x1y2
"""
TEXT = SNAPSHOT % FILE
KNOWN = {hashlib.sha256(skeleton(TEXT).text).hexdigest(): "claude-code"}


def own(script: bytes, mark: bytes = b"claude-code_2-1-197_harness"):
    return recognise(
        script, argv=(b"-c", script), zero=b"bash", positionals=(), env={b"AI_AGENT": mark}
    )


def test_the_probe_of_the_environment():
    """
    `env` is only called the client's own when it says so; an agent that sets
    the mark has gained a word in the log.
    """
    assert own(b"env").harness
    assert own(b"env").by == "harness"
    assert own(b"env", b"claude-code_2-1-197_agent") is None
    for other in (b"env ", b"env -0", b"env; id", b"/usr/bin/env", b"env\n"):
        assert own(other) is None


def test_the_check_of_a_snapshot_names_the_file_it_runs():
    """
    The call is codex's, the file may be anybody's: it has to be pinned or judged.
    """
    file = b"/home/me/.codex/shell_snapshots/01a202d4-fd05-7190-a64c-3d9e26704866.tmp-17"

    found = own(b'set -e; . "' + file + b'"')

    assert found.harness
    assert found.sources == (file,)
    assert own(b'set -e; . "/home/me/evil"') is None
    assert own(b'set -e; . "' + file.replace(b"/home/me", b"/home/..") + b'"') is None
    assert own(b'set +e; . "' + file + b'"') is None


def test_a_known_snapshot_is_known_wherever_it_is_written():
    """
    Home, number and name of the end mark vary; the rest does not.
    """
    elsewhere = (
        TEXT.replace(b"/home/me", b"/srv/users/eve")
        .replace(b"17-a1b2", b"99-zz")
        .replace(b"x1y2", b"q9")
        .replace(b"/usr/bin:/bin", b"/opt/x/bin:/usr/bin")
    )

    found = known_snapshot(Call(elsewhere), KNOWN)

    assert (found.agent, found.harness) == ("claude-code", True)
    assert found.sources == (b"/srv/users/eve/.bashrc",)
    assert found.writes == (
        FILE.replace(b"/home/me", b"/srv/users/eve").replace(b"17-a1b2", b"99-zz"),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (FILE, b"/etc/profile.d/x.sh"),
        (FILE, b"/home/me/shell-snapshots/../.bashrc"),
        (FILE, FILE + b"; id"),
        (FILE, b"$(id)" + FILE),
        (b"/home/me/.bashrc", b"/tmp/evil.sh"),
        (b"/home/me/.bashrc", b"$(id)/.bashrc"),
        (b"/home/me/.bashrc", b"/home/../.bashrc"),
        (b"PATH=/usr/bin:/bin", b"PATH=$(id)"),
        (b"PATH=/usr/bin:/bin", b"PATH=/bin id"),
        (b"\nPATH_END_x1y2\n", b"\nPATH_END_z\nid\nPATH_END_x1y2\n"),
        (b"_cc_bin=/home/me/.local/bin/claude", b"_cc_bin=/bin/claude;id"),
        (b"_cc_bin=/home/me/.local/bin/claude", b"_cc_bin=/tmp/evil"),
        (b"# Snapshot file", b"# Snapshot file$(id)"),
        (b"< /dev/null", b"< /dev/null; id"),
    ],
)
def test_a_snapshot_with_anything_else_in_it_is_judged_as_any_other_script(old, new):
    """
    It runs unpaused, so one command more would be a way round every rule.
    """
    altered = TEXT.replace(old, new)

    assert altered != TEXT
    assert known_snapshot(Call(altered), KNOWN) is None


def test_the_places_that_are_left_out_cannot_be_written_by_hand():
    """
    A script that has the skeleton's own mark in place of a path would have the
    same digest; no argument can hold a NUL, and one that claims to is refused.
    """
    bare = skeleton(TEXT).text

    assert b"\0" in bare
    assert own(bare) is None
    assert own(b"env\0") is None


@given(place=st.integers(0, len(TEXT)), put=st.binary(min_size=1, max_size=5))
def test_a_digest_covers_all_but_the_named_places(place, put):
    """
    Whatever is added: it is in a name that is reported, or not recognised.
    """
    found = known_snapshot(Call(TEXT[:place] + put + TEXT[place:]), KNOWN)

    if found is not None:
        assert put.strip(b"_@%+=:,./-").isalnum() or not put.strip(b"_@%+=:,./-")
