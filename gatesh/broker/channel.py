"""The private way by which a session's shell gets its commands, one at a time.

The shell runs a "script" that is a raw pseudo-terminal, whose other end is here.
Unlike a pipe, nobody else can put anything into it: what is written to the shell's
end arrives here.  After each command stands a hook that reports its status the same
way, and after the hook one blank: when that has been taken, and only then, the shell
is back and waits.  No command can forge that, because the shell reads byte by byte.

The hook keeps `$?`, `$_`, PIPESTATUS, `set -e` and `set -x` as they were, and puts the
number of the next line right in the one place where bash does not put it back:
the expansion of a redirection.
"""

from __future__ import annotations

import os
import re
import secrets
import select
import shlex
import termios
import tty
from pathlib import Path

MOST = 1 << 16  # bytes without a report that are kept; the rest is noise


class Channel:
    """One session's channel.  *name* is what the shell calls its script, and itself (`$0`)."""

    def __init__(self, directory: Path, name: str, *, foreign: bool) -> None:
        self.master, self.slave = os.openpty()
        for fd in (self.master, self.slave):
            os.set_inheritable(fd, False)
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)
        if foreign:  # another account's shell has to open it
            os.fchmod(self.slave, 0o666)
        self.directory = directory
        directory.mkdir(mode=0o711)
        (directory / name).symlink_to(self.path)
        self.name = name
        self.nonce = secrets.token_hex(16)
        self.unsent = b""
        self.heard = b""
        self.report: tuple[int, ...] | None = None  # $? and PIPESTATUS after the last command
        self.line = 0  # lines of the script that the shell has had
        self._report = re.compile(rb" %s((?: \d{1,3})+) \n" % self.nonce.encode())

    def close(self) -> None:
        """End the shell's input; what it has not taken is lost."""
        if self.master >= 0:
            os.close(self.master)
            os.close(self.slave)
            self.master = self.slave = -1
            (self.directory / self.name).unlink(missing_ok=True)
            self.directory.rmdir()

    # ---- what is written ---------------------------------------------------------

    def begin(self, cwd: str, oldpwd: str | None) -> None:
        """Give the first line: the hooks, and from *directory* back to where the caller is."""
        old = "unset OLDPWD; declare -x OLDPWD"
        if oldpwd is not None:
            old = f"OLDPWD={shlex.quote(oldpwd)}"
        report = f"builtin printf ' %s' {self.nonce} \"${{@:1:$#-1}}\" $'\\n' >{self.path}"
        self._write(
            os.fsencode(
                '{ __gatesh_status() { return "$1"; }; '
                f'__gatesh_end() {{ {report}; return "$1"; }}; '
                f"builtin cd -- {shlex.quote(cwd)} || exit 125; {old}; __gatesh_end 0 0 _; }} "
            )
        )

    def feed(self, text: bytes, lines: int, skipped: int = 0) -> None:
        """Give one command that stands for *lines*, after *skipped* that hold none."""
        before = b"\n" * skipped
        if self.report is not None and len(self.report) > 2:
            status, *each = self.report
            again = " | ".join(f"__gatesh_status {one}" for one in each)
            guard = ' && : "${_-}"' if status else ""
            before = self._hook(f"{{ {again}{guard}; }} ") + before
        self.line += skipped + lines
        hook = '{ __gatesh_end "$?" "${PIPESTATUS[@]}" "${_-}" && : "${_-}"; } '
        self._write(before + text + b"\n" + hook.encode())

    def last(self, text: bytes) -> None:
        """Give a text, but for its last newline, that only the end of input completes."""
        self.report = None
        self.unsent += text

    def _write(self, line: bytes) -> None:
        # The blank is for `waits`: whoever has taken it has come back for the next command.
        self.report = None
        self.unsent += self._hook(line.decode("utf-8", "surrogateescape")) + b" "

    def _hook(self, line: str) -> bytes:
        return os.fsencode(f'{line}2>/dev/null"${{0:LINENO={self.line}:0}}"\n')

    def end(self) -> None:
        """Give the end of input to a shell that waits: a Ctrl-D, which ends a line-wise read.

        The newline first releases a read that began before the terminal was line-wise.
        """
        modes = termios.tcgetattr(self.slave)
        modes[3] |= termios.ICANON
        modes[6][termios.VEOF] = b"\4"
        termios.tcsetattr(self.slave, termios.TCSANOW, modes)
        self.unsent += b"\n" + b"\4" * 8

    # ---- what comes back -----------------------------------------------------------

    def move(self) -> None:
        """Send and receive what can be sent and received now."""
        if self.unsent:
            try:
                self.unsent = self.unsent[os.write(self.master, self.unsent) :]
            except BlockingIOError:
                pass
        try:
            while part := os.read(self.master, 4096):
                self.heard = (self.heard + part)[-MOST:]
        except OSError:
            pass  # nothing there
        for found in self._report.finditer(self.heard):
            self.report = tuple(int(number) for number in found[1].split())
        if self.report is not None:
            self.heard = b""

    def waits(self) -> bool:
        """Tell whether the shell has taken everything and come back for more."""
        if self.unsent:
            return False
        # Asking for input makes the kernel deliver what it still holds back.
        look = select.poll()
        look.register(self.slave, select.POLLIN)
        return not look.poll(0)


def sweep(place: Path) -> None:
    """Remove what the channels of a killed broker have left in *place*."""
    for directory in place.glob("session-*"):
        for link in directory.iterdir():
            link.unlink()
        directory.rmdir()
