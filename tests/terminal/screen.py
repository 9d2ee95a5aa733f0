"""A person at a terminal, who types and reads: the same session with bash and with gatesh."""

from __future__ import annotations

import os
import re
import signal
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pexpect

from tests.world import GATESH, PATIENCE, World

BASH = "/bin/bash"
PROMPT = "P> "


class Screen(pexpect.spawn):  # type: ignore[misc]
    """A terminal with one program on it."""

    def key(self, text: str, then: str | None = None) -> str:
        """Type *text*; return what the screen shows until *then*."""
        self.send(text)
        return self.until(then) if then is not None else ""

    def until(self, text: str) -> str:
        """Return what the screen shows until *text* appears."""
        self.expect_exact(text)
        return clean(str(self.before))

    def over(self) -> tuple[str, int | None, int | None]:
        """Wait for the end; return (the rest shown, exit status, signal)."""
        self.expect(pexpect.EOF)
        self.close()
        return clean(str(self.before)), self.exitstatus, self.signalstatus

    def modes(self) -> list[Any]:
        """Return the terminal's modes, without the speed."""
        found = termios.tcgetattr(self.child_fd)
        return [*found[:4], found[6]]


class Screens:
    """Starts screens, and ends every one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open: list[Screen] = []

    def start(
        self, program: str, *arguments: str, env: Mapping[str, str] | None = None, **how: Any
    ) -> Screen:
        made = Screen(
            program,
            list(arguments),
            env={**self.world.env, "PS1": PROMPT, "HISTFILE": "/dev/null", **(env or {})},
            cwd=str(self.world.work),
            encoding="utf-8",
            codec_errors="backslashreplace",
            timeout=PATIENCE,
            dimensions=(30, 400),  # wider than any line typed here, wherever gatesh is installed
            **how,
        )
        made.delaybeforesend = None
        made.delayafterclose = made.delayafterterminate = 0.02
        self.open.append(made)
        return made

    def same(self, scene: Callable[[str], Any]) -> Any:
        """Play *scene* with gatesh and with bash; fail unless both end alike."""
        ours, theirs = scene(GATESH), scene(BASH)
        assert ours == theirs, f"{ours}\n{theirs}"
        return ours

    def prompt(self) -> Screen:
        """Return an interactive bash, the caller of what is tried."""
        made = self.start(BASH, "--norc", "--noprofile")
        made.until(PROMPT)
        return made

    def end(self) -> None:
        for screen in self.open:
            try:
                os.kill(screen.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            screen.close(force=True)


def clean(text: str) -> str:
    """Return *text* as a reader sees it: job and process numbers differ in every run."""
    text = text.replace("\r", "").replace(GATESH, "SH").replace(BASH, "SH")
    text = re.sub(r"\x1b\[\?2004[hl]", "", text)
    text = re.sub(r"\[1\]([+-]?) \d+", r"[1]\1 N", text)
    return re.sub(r"(\[1\].*?) {2,}", r"\1 ", text)


def runs(command: str) -> bool:
    """Tell whether a process with exactly these arguments runs, words joined by spaces."""
    return bool(_stats(command))


def in_front(command: str) -> bool:
    """Tell whether it runs, not stopped, and keys such as Ctrl-C reach it."""
    return any(state != b"T" and group == front for state, _, group, _, _, front in _stats(command))


def _stats(command: str) -> list[list[bytes]]:
    """Return state, parent, group, session, terminal and foreground group of each."""
    wanted = command.encode().replace(b" ", b"\0") + b"\0"
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "cmdline").read_bytes() == wanted:
                stat = (directory / "stat").read_bytes()
                found.append(stat.rpartition(b") ")[2].split()[:6])
        except OSError:
            continue
    return found
