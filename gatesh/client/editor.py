"""E: reads what is typed at a session's prompt, a line at a time, and gives it to the broker.

It has the keyboard only while the shell waits: then its process group is in the
foreground of the session's terminal, else the shell's.  The line is edited by GNU
readline, which bash itself uses; without bash's own additions there is nothing in it
that could run anything.  Type-ahead stays in the terminal until a command or E reads it.

    broker → E    E edit (shown already? 1, prompt)   C the shell is next (attached: its text)
                  H a history file to read            B a key binding
                  A a line for the history
    E → broker    P here (pid 4, name of the terminal)
                  L a line    D end of input    I interrupt    C done
"""

import _signal
import io
import os
import posix
import re
import select
import sys
from _socket import socket
from collections.abc import Callable
from typing import Any

from gatesh.wire import WireError, receive, send, u32

PLACE = 9  # of the text that comes next: /proc/PID/fd/9
KEPT = 5000  # lines of an old history
_INVISIBLE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, and what VS Code looks for
    r"|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|[\x00-\x08\x0e-\x1f]"
)
BREAKS = " \t\n\"'@><=;|&(:"  # what ends a word, as in bash


class Editor:
    """E.  *sock* leads to the broker; *shell* is the group that has the terminal otherwise."""

    def __init__(self, sock: socket, shell: int) -> None:
        self.sock = sock
        self.shell = shell
        self.readline: Any = None
        self.offered: list[str] = []
        self.already: Any = None  # readline's own "the prompt stands there already"
        self.woken, self.alarm = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)

    def run(self) -> None:
        """Serve until the broker closes the connection."""
        self._settle_in()
        send(self.sock, b"P", u32(posix.getpid()) + os.fsencode(posix.ttyname(0)))
        while True:
            frame = self._wait()
            if frame is None:
                return
            kind, body, fds = frame
            if kind == b"E":
                self._edit(body[1:].decode("utf-8", "surrogateescape"), shown=body[:1] == b"\1")
            elif kind == b"C":
                if fds:
                    posix.dup2(fds[0], PLACE, False)
                posix.tcsetpgrp(0, self.shell)
                send(self.sock, b"C")
            elif self.readline is not None:
                self._remember(kind, body.decode("utf-8", "surrogateescape"))
            for fd in fds:
                posix.close(fd)

    def _settle_in(self) -> None:
        _signal.set_wakeup_fd(-1)
        for number in (
            _signal.SIGTTOU, _signal.SIGTTIN, _signal.SIGTSTP, _signal.SIGQUIT, _signal.SIGTERM,
        ):  # fmt: skip
            _signal.signal(number, _signal.SIG_IGN)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        _signal.signal(_signal.SIGHUP, _over)
        posix.setpgid(0, 0)
        for fd in (1, 2):
            posix.dup2(0, fd)
        # Anew: Python's own know what our caller's standard input and output were.
        sys.stdin = _as_text(io.FileIO(0, closefd=False))
        sys.stdout = _as_text(io.FileIO(1, "w", closefd=False))
        self._waiting()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        try:
            import readline
        except ImportError:
            return  # then lines are edited by the terminal alone, as with `bash --noediting`
        self.readline = readline
        readline.set_auto_history(False)
        readline.set_completer_delims(BREAKS)
        readline.set_completer(self._complete)
        lines = ["tab: complete"]
        if os.environ.get("TERM") not in (None, "", "dumb"):
            lines.append("set enable-bracketed-paste on")  # which Python turns off
        for line in lines:
            readline.parse_and_bind(line)
        try:
            readline.read_init_file()  # again: what the person has set comes last
        except OSError:
            pass
        try:
            import ctypes

            library = ctypes.CDLL(getattr(readline, "__file__", None))
            self.already = ctypes.c_int.in_dll(library, "rl_already_prompted")
        except (ImportError, OSError, ValueError):
            pass

    # ---- while the shell has the terminal, or a command is judged ---------------------

    def _waiting(self) -> None:
        """A Ctrl-C is told to the broker from now on, and raises nothing."""
        _signal.signal(_signal.SIGINT, lambda *_: None)
        _signal.set_wakeup_fd(self.alarm, warn_on_full_buffer=False)

    def _wait(self) -> "tuple[bytes, bytes, list[int]] | None":
        poll = select.poll()
        poll.register(self.woken, select.POLLIN)
        poll.register(self.sock.fileno(), select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self.woken in ready and _signal.SIGINT in posix.read(self.woken, 4096):
                send(self.sock, b"I")
            if self.sock.fileno() in ready:
                return receive(self.sock)

    # ---- while a person types ------------------------------------------------------------

    def _edit(self, prompt: str, *, shown: bool) -> None:
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGINT, _interrupted)
        try:
            try:
                posix.chdir(f"/proc/{self.shell}/cwd")  # where file names are completed
            except OSError:
                pass
            posix.tcsetpgrp(0, posix.getpgrp())
            line = None
            while line is None:
                try:
                    line = self._line(prompt, shown=shown)
                except EOFError:
                    if posix.tcgetpgrp(0) == posix.getpgrp():
                        raise
                    # The shell has got a signal, taken the terminal and shown a new prompt.
                    posix.tcsetpgrp(0, posix.getpgrp())
                    shown = True
            self._waiting()
            kind, body = b"L", line.encode("utf-8", "surrogateescape")
        except EOFError:
            kind, body = b"D", b""
        except KeyboardInterrupt:
            kind, body = b"I", b""
        self._waiting()
        if kind == b"I":
            posix.write(1, b"^C\n" if self._echoes() else b"\n")
        send(self.sock, kind, body)

    def _line(self, prompt: str, *, shown: bool) -> str:
        if self.readline is None:
            if not shown:
                posix.write(1, prompt.encode("utf-8", "surrogateescape"))
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.removesuffix("\n")
        if not shown:
            return input(_INVISIBLE.sub("\1\\g<0>\2", prompt))
        if self.already is None:
            return input("")
        self.already.value = 1
        try:
            return input(_INVISIBLE.sub("", prompt))
        finally:
            self.already.value = 0

    def _complete(self, text: str, state: int) -> "str | None":
        if state == 0:
            from gatesh.client.completing import candidates

            before = self.readline.get_line_buffer()[: self.readline.get_begidx()]
            self.offered = candidates(before, text, f"/proc/{self.shell}/exe")
        return self.offered[state] if state < len(self.offered) else None

    def _echoes(self) -> bool:
        import termios

        return bool(termios.tcgetattr(0)[3] & termios.ECHO)

    def _remember(self, kind: bytes, text: str) -> None:
        if kind == b"A":
            count = self.readline.get_current_history_length()
            if text[:1] != " " and (not count or self.readline.get_history_item(count) != text):
                self.readline.add_history(text)
        elif kind == b"B":
            self.readline.parse_and_bind(text)
        elif kind == b"H":
            try:
                with open(text, encoding="utf-8", errors="surrogateescape") as file:
                    lines = file.read().splitlines()[-KEPT:]
            except OSError:
                return
            for line in lines:
                if not re.fullmatch(r"#\d+", line):  # the time of the next one
                    self.readline.add_history(line)


def _as_text(file: io.FileIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape")


def _interrupted(number: int, _frame: object) -> None:
    _signal.signal(number, lambda *_: None)  # once: a storm of Ctrl-C is one
    raise KeyboardInterrupt


def _over(_number: int, _frame: object) -> None:
    """The shell has ended, or the terminal is gone."""
    raise SystemExit


def serve(sock: socket, keep: "Callable[[set[int]], None]", shell: int) -> None:
    """Be E, in a child of the session's monitor.  Does not return."""
    try:
        keep({0, 1, 2, sock.fileno()})
        Editor(sock, shell).run()
    except (OSError, WireError, SystemExit):
        pass  # the session is over
    finally:
        posix._exit(0)
