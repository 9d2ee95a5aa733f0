"""What can be relied on about a reading of a shell's arguments."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.model import Invocation, Mode
from gatesh.syntax.invocation import parse

SAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "agents" / "samples.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if isinstance(s["expect"], dict) and s["argv"][0] != "$GATE"],
    ids=lambda s: s["client"],
)
def test_every_recorded_command_is_read_as_a_command(sample):
    """
    These are the argument lists of twelve agents, and of make, su, cron and sshd.
    """
    args = [a.encode() for a in sample["argv"][1:]]

    call = parse(sample.get("argv0", "bash").encode(), args)

    assert call.mode is Mode.COMMAND
    assert call.script in args
    assert call.problem is None
    said = {b"-l", b"-lc"} & set(args[: args.index(call.script)])
    assert call.login == bool(said or sample["expect"].get("login"))


@pytest.mark.parametrize(
    ("argv0", "args", "mode"),
    [
        ("bash", "-n", Mode.NOTHING),
        ("bash", "-n script", Mode.NOTHING),
        ("bash", "--version -c x", Mode.NOTHING),
        ("bash", "--help", Mode.NOTHING),
        ("bash", "-c", Mode.NOTHING),
        ("bash", "--rcfile", Mode.NOTHING),
        ("bash", "-i -n", Mode.UNKNOWN),
        ("bash", "--pretty-print script", Mode.UNKNOWN),
        ("bash", "-c x --version", Mode.COMMAND),
        ("bash", "-x --version", Mode.UNKNOWN),
        ("bash", "-ic x", Mode.COMMAND),
        ("bash", "--rcfile F -i", Mode.SESSION),
        ("bash", "--init-file F", Mode.STDIN),
        ("rbash", "-c x", Mode.COMMAND),
        ("sh", "-s -c x", Mode.UNKNOWN),
        ("sh", "+s script", Mode.UNKNOWN),
        ("sh", "-O extglob -c x", Mode.COMMAND),
        ("zsh", "-lic x", Mode.COMMAND),
        ("zsh", "-opipefail -c x", Mode.COMMAND),
        ("zsh", "--no-rcs -f script", Mode.FILE),
        ("zsh", "--emulate sh -c x", Mode.UNKNOWN),
        ("zsh", "-n script", Mode.FILE),
        ("zsh", "-o NO_EXEC -c x", Mode.UNKNOWN),
        ("zsh", "-sc x", Mode.UNKNOWN),
        ("zsh", "--version", Mode.NOTHING),
        ("zsh", "-b -c x", Mode.UNKNOWN),
    ],
)
def test_the_mode_of_a_call(argv0, args, mode):
    """
    The rows that are easily got wrong; zsh's are from its documentation.
    """
    assert parse(argv0.encode(), args.encode().split()).mode is mode


def test_options_are_what_stands_before_the_script():
    """
    Whoever starts the real shell another way needs them apart from the script.
    """
    call = parse(b"bash", [b"-e", b"-o", b"pipefail", b"-c", b"--", b"s", b"zero", b"one"])

    assert call.options == (b"-e", b"-o", b"pipefail", b"-c", b"--")
    assert (call.script, call.zero, call.positionals) == (b"s", b"zero", (b"one",))
    assert call.argv == (*call.options, b"s", b"zero", b"one")


def test_a_terminal_does_not_make_a_script_interactive():
    """
    `bash FILE` typed by a person still runs the file, not a session.
    """
    assert parse(b"bash", [b"f"], stdin_is_tty=True).mode is Mode.FILE
    assert parse(b"bash", [b"-c", b"x"], stdin_is_tty=True).interactive is False
    assert parse(b"zsh", [], stdin_is_tty=True).mode is Mode.SESSION


def test_an_argument_that_no_kernel_passes_on_is_not_understood():
    """
    A client that speaks to the broker by hand can send a NUL; a shell would
    stop reading there, and run something shorter than what was judged.
    """
    assert parse(b"bash", [b"-c", b"ls\0; id"]).mode is Mode.UNKNOWN


pieces = st.one_of(st.binary(max_size=6), st.sampled_from([b"-c", b"-o", b"--", b"-", b"+", b"x"]))


@given(
    argv0=st.one_of(st.binary(max_size=8), st.sampled_from([b"sh", b"-zsh", b"bash", b"/"])),
    args=st.lists(pieces, max_size=8),
    tty=st.booleans(),
)
def test_no_bytes_are_too_strange_and_every_call_is_accounted_for(argv0, args, tty):
    """
    An exception here would be a shell that does not start, or starts ungated.
    """
    call = parse(argv0, args, stdin_is_tty=tty)

    assert isinstance(call, Invocation)
    assert call.argv == tuple(args)
    assert (call.script is not None) >= (call.mode is Mode.COMMAND)
    assert (call.path is not None) >= (call.mode is Mode.FILE)
    assert (call.problem is not None) >= (call.mode is Mode.UNKNOWN)
    for given_by in (*call.positionals, *call.options):
        assert given_by in args


def test_two_megabytes_of_options_are_read_in_a_blink():
    """
    The broker reads this before anybody has been asked anything.
    """
    for name in (b"bash", b"sh", b"zsh"):
        began = time.process_time()
        parse(name, [b"-" + b"e" * 1_000_000, *[b"-e"] * 100_000, b"-c", b"x"])
        assert time.process_time() - began < 5
