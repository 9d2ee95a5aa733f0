"""What is not for the native client goes to the Python one: whole, and without a trace.

The Python client is played by a script that tells how it was called.
"""

from __future__ import annotations

import os
import pty
import runpy
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from gatesh.__main__ import PEOPLE, is_for_people
from tests.client.pretend import Pretend
from tests.world import PATIENCE

NATIVE = Path(__file__).parents[2] / "native" / "build.py"
# `front.py` and where it stands are arguments too; then the mask, argv[0], the rest.
TELL = """#!/bin/bash
printf '%s\\n' "$@" > TOLD
grep -E '^Sig(Blk|Ign|Pnd|Cgt)' /proc/self/status > SIGNALS
ls -l /proc/self/fd | grep -o '[0-9]* -> .*' > FDS
exit 33
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    build = runpy.run_path(str(NATIVE))
    if build["compiler"]() is None:
        pytest.skip("no C compiler here")
    place = tmp_path_factory.mktemp("built") / "gatesh"
    build["build_client"](str(place))
    return place


class Installed:
    """The native client in a prefix of its own, with a script for its Python."""

    def __init__(self, base: Path, program: Path) -> None:
        self.base = base
        self.bin = base / "bin"
        self.bin.mkdir()
        self.home = base / "h"
        shutil.copy(program, self.bin / "gatesh")
        python = base / "python"
        python.write_text(
            TELL.replace("TOLD", str(base / "told"))
            .replace("SIGNALS", str(base / "signals"))
            .replace("FDS", str(base / "fds"))
        )
        python.chmod(0o755)
        (self.bin / "gatesh-python").write_text(f"#!{python}\nimport sys\n")

    def run(self, *arguments: str, zero: str = "gatesh", env=None, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        environment = {"GATESH_HOME": str(self.home), "PATH": os.environ["PATH"], **(env or {})}
        return subprocess.run(
            [zero, *arguments],
            executable=self.bin / "gatesh",
            env=environment,
            timeout=PATIENCE,
            check=False,
            **how,
        )

    def told(self) -> list[str] | None:
        """Return what Python was called with, None when it was not."""
        try:
            return (self.base / "told").read_text().splitlines()
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        (self.base / "told").unlink(missing_ok=True)


@pytest.fixture
def installed(program):
    base = Path(tempfile.mkdtemp(prefix="gatesh-", dir="/tmp"))
    yield Installed(base, program)
    shutil.rmtree(base)


@pytest.fixture
def broker(installed):
    """Listens, and says `X 0` to whoever asks: so it is seen who did."""
    pretend = Pretend(installed.home)
    with pretend.answering(b"\0\0\0\3X\0\0") as seen:
        yield seen
    pretend.close()


def test_with_a_broker_a_shells_call_is_ours_and_python_never_starts(installed, broker):
    assert installed.run("-c", "x").returncode == 0
    assert installed.told() is None and len(broker) == 1


def test_every_call_goes_where_the_python_entry_would_send_it(installed, broker):
    """Two lists of the people's commands would part ways with the first new command."""
    calls = [[name, word] for word in PEOPLE for name in ("gatesh", "/usr/bin/gatesh")]
    calls += [[name, word] for word in ("pending", "audit") for name in ("bash", "-gatesh", "sh")]
    calls += [
        ["gatesh", "--help"], ["gatesh", "--version"], ["gatesh", "--help", "x"],
        ["gatesh"], ["gatesh", ""], ["gatesh", "pendin"], ["gatesh", "pending "],
        ["gatesh", "./pending"], ["gatesh", "-c", "pending"], ["gatesh-python", "pending"],
    ]  # fmt: skip
    for zero, *arguments in calls:
        before = len(broker)
        installed.run(*arguments, zero=zero)
        people = is_for_people([os.fsencode(word) for word in (zero, *arguments)])
        assert (installed.told() is not None) is people, (zero, arguments)
        assert (len(broker) > before) is not people, (zero, arguments)
        installed.forget()


@pytest.mark.parametrize("name", ["_GATESH_COMPLETE", "_TYPER_COMPLETE_ARGS"])
def test_completion_is_pythons(installed, broker, name):
    installed.run("-c", "x", env={name: ""})
    assert installed.told() is not None and not broker


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_terminal_is_pythons(installed, broker, stream):
    """It needs a terminal of its own in between, which the Python client makes."""
    ours, theirs = pty.openpty()
    installed.run("-c", "x", **{stream: theirs})
    os.close(ours)
    os.close(theirs)
    assert installed.told() is not None and not broker


def test_without_a_broker_python_is_asked_to_start_one(installed):
    done = installed.run("-c", "a b", "", zero="-name")
    assert done.returncode == 33
    assert installed.told()[-5:] == ["0", "-name", "-c", "a b", ""]


def test_a_socket_that_nobody_serves_any_more_is_no_broker(installed):
    pretend = Pretend(installed.home)
    pretend.close()
    assert installed.run("-c", "x").returncode == 33


@pytest.mark.parametrize("answer", [None, b"", b"\0\0\0\0", b"\0\0\0\5Sone\n\0\0\0\2Q!"])
def test_handing_over_leaves_no_trace(installed, answer):
    """Whether before or after a connection: nothing open, nothing blocked, nothing pending."""

    def prepare() -> None:
        os.close(0)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

    if answer is None:
        done = installed.run("-c", "x", preexec_fn=prepare)
    else:
        pretend = Pretend(installed.home)
        with pretend.answering(answer):
            done = installed.run("-c", "x", preexec_fn=prepare)
        pretend.close()
    assert done.returncode == 33
    ignored = sum(1 << n - 1 for n in (signal.SIGUSR1, signal.SIGPIPE, signal.SIGXFSZ))
    mask = int(installed.told()[-4], 16)
    assert mask & ~(1 << signal.SIGXFSZ - 1) == ignored & ~(1 << signal.SIGXFSZ - 1)
    found = dict(text.split(":") for text in (installed.base / "signals").read_text().splitlines())
    assert int(found["SigBlk"], 16) == 1 << signal.SIGUSR2 - 1
    assert int(found["SigPnd"], 16) == 0
    descriptors = (installed.base / "fds").read_text()
    assert "socket:" not in descriptors and "/dev/null" not in descriptors


def test_a_closed_reader_of_the_words_does_not_kill_the_client(installed):
    """Whoever closes standard error still learns the status."""
    reading, writing = os.pipe()
    os.close(reading)
    pretend = Pretend(installed.home)
    with pretend.answering(b"\0\0\0\5Sone\n" + b"\0\0\0\3X\0\x7e"):
        assert installed.run("-c", "x", stderr=writing).returncode == 126
    pretend.close()
    os.close(writing)


def test_without_a_python_nothing_runs_and_it_is_said(installed):
    (installed.bin / "gatesh-python").unlink()
    done = installed.run("-c", "x")
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr.startswith(b"gatesh: error: no interpreter in the first line of ")
    assert b"the command was not run" in done.stderr


def test_an_installed_package_is_entered_without_site(installed):
    """`-S front.py` starts in two thirds of the time that finding the package takes."""
    front = installed.base / "lib/python3.11/site-packages/gatesh/client/front.py"
    front.parent.mkdir(parents=True)
    front.touch()
    installed.run("-c", "x")
    assert installed.told() == ["-I", "-S", str(front), "0", "gatesh", "-c", "x"]

    other = installed.base / "lib/python3.12/site-packages/gatesh/client/front.py"
    other.parent.mkdir(parents=True)
    other.touch()
    installed.run("-c", "x")
    assert installed.told()[:3] == ["-I", "-m", "gatesh.client.front"]
