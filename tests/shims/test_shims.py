"""The names under which programs take gatesh for their shell."""

from __future__ import annotations

import os
import subprocess


def test_each_name_is_the_shell_it_says(world, shims):
    """
    Clients look at the name alone: what it starts has to be that shell.
    """
    by_bash = world.start("-c", 'echo "$BASH_VERSION"', program=str(shims / "bash")).end()
    by_sh = world.start("-c", 'echo "x$BASH_VERSION"', program=str(shims / "sh")).end()
    real_sh = world.start("-c", 'echo "x$BASH_VERSION"', program="/bin/sh").end()

    assert by_bash.text.startswith(("4", "5"))
    assert by_sh.text == real_sh.text
    assert len(world.entries("command.submitted")) == 2


def test_claude_code_finds_bash_in_the_path_of_every_name_it_may_use(shims):
    """
    Its test is a substring, and what fails it is passed over without a word.
    """
    assert "bash" in str(shims / "bash")
    assert os.access(shims / "bash", os.X_OK)


def test_the_prefix_takes_one_argument_and_lends_everything(world, shims):
    """
    CLAUDE_CODE_SHELL_PREFIX: hooks read JSON on standard input, MCP servers talk
    on 0 and 1 for a whole session.
    """
    server = world.start(
        'while read -r line; do printf "%s\\n" "<$line>"; done',
        program=str(shims / "gatesh-prefix"),
        stdin=subprocess.PIPE,
    )
    pipe, answers = server.process.stdin, server.process.stdout
    for number in range(3):
        pipe.write(b"%d\n" % number)
        pipe.flush()
        assert answers.readline() == b"<%d>\n" % number
    pipe.close()
    server.process.stdin = None

    assert server.wait() == 0
    assert world.gatesh("a", "b", program=str(shims / "gatesh-prefix")).status == 2
    assert len(world.entries("command.submitted")) == 1


def test_a_denied_command_is_denied_by_every_name(world, shims):
    for name, arguments in {
        "bash": ["-lc", "forbidden x"],
        "sh": ["-c", "forbidden x"],
        "gatesh-prefix": ["forbidden x"],
    }.items():
        done = world.gatesh(*arguments, program=str(shims / name))
        assert (done.status, done.out) == (126, b""), name


def test_it_can_be_run_again(world, shims):
    """
    After gatesh has moved, the same command puts everything right.
    """
    before = sorted(path.name for path in shims.iterdir())
    (shims / "bash").unlink()
    (shims / "bash").symlink_to("/gone/bin/gatesh")

    assert world.gatesh("shims", str(shims)).status == 0

    assert sorted(path.name for path in shims.iterdir()) == before
    assert world.start("-c", "echo up", program=str(shims / "bash")).end().text == "up\n"


def test_nothing_of_anybody_elses_is_overwritten(world):
    """
    DIR may be ~/bin.
    """
    for name in ("bash", "gatesh-prefix"):
        place = world.base / f"bin-with-{name}"
        place.mkdir()
        (place / name).write_text("mine")

        done = world.gatesh("shims", str(place))

        assert done.status == 126
        assert f"{place / name} is there and is not gatesh's" in done.words
        assert [(path.name, path.read_text()) for path in place.iterdir()] == [(name, "mine")]


def test_a_directory_that_others_can_write_is_refused(world):
    """
    Whoever can write there, or above, becomes the shell of every agent.
    """
    open_to_all = world.base / "shared"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)

    for place in (open_to_all, open_to_all / "below" / "bin"):
        done = world.gatesh("shims", str(place))
        assert done.status == 78
        assert "can be written by others" in done.words
    assert not list(open_to_all.iterdir())
