"""A shell that is fed through a pipe: each complete command is judged before it is given one.

    caller's stdin ── one line at a time ──→ here ── judged ──→ channel ──→ bash
         └───────────── whatever is left, for `read` and `cat` ──────────→ its commands

bash itself runs every command, in one process, so state, traps, jobs and `set -e` are
bash's own.  Not a byte is taken from the caller's stdin while a command runs.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gatesh import config
from gatesh.broker.channel import Channel
from gatesh.broker.complete import LARGEST, Answer, ends_in_backslash, is_nothing, look
from gatesh.broker.earlier import Earlier
from gatesh.broker.surroundings import working_directory
from gatesh.caller import EXIT, Commands, Ending, Plan
from gatesh.model import Invocation
from gatesh.transcript.recorder import Recorder

if TYPE_CHECKING:
    from gatesh.broker.link import Link
    from gatesh.broker.typed import Typed

Late = Callable[[Mapping[str, Any]], None]
SYNTAX = 2  # with what a script that cannot be parsed ends
SETTLED_S = 0.05
GONE = "the session's shell no longer reports what it does"


class Session:
    """One session, from its start to its end."""

    def __init__(self, link: Link, plan: Plan, commands: Commands, late: Late) -> None:
        self.link = link
        self.plan = plan
        self.commands = commands
        self.late = late  # for what is shown while no command runs: by children of the last one
        self.bash = os.fsdecode(plan.path)
        self.name = _name(commands.invocation)
        self.recorder = Recorder(link.running / plan.id, link.limits)
        stdin = link.lent[0]
        assert stdin is not None
        self.stdin = os.dup(stdin)
        self.relays, self.places = link.pipes(self.recorder)
        self.channel = Channel(
            config.places().run / f"session-{plan.id}",
            self.name,
            foreign=link.peer.uid != os.geteuid(),
        )
        self.ended: tuple[int | None, int, str | None] | None = None
        self.text = b""  # the command that is being judged, and how it stands in the script
        self.lines = 0
        self.skipped = 0
        self.earlier = Earlier()
        self.fed = False
        self.open_end = False

    # ---- from the first line to the last -------------------------------------------

    def run(self) -> Ending:
        """Start the shell, give it its commands, and return how it ended."""
        began = time.monotonic()
        try:
            call = self.commands.invocation
            argv = [
                *(b"env", b"-C", os.fsencode(self.channel.directory), self.plan.path),
                *options(call),
                *(b"--", os.fsencode(self.name), *call.positionals),
            ]
            fds = [relay.inlet for relay in self.relays]
            self.channel.begin(*self._where())
            self.link.start(self.places, b"/usr/bin/env", argv, fds, self.relays)
            if self._back():
                self._feed()
            elif self.ended is not None and self.ended[:2] == (EXIT, 125):
                self.show(b"gatesh: error: the session's shell did not start\n")
            while self.ended is None:
                self._hear()
        finally:
            os.close(self.stdin)
            self.channel.close()
        how, value, why = self.ended
        drained = [relay.drain() for relay in self.relays]
        streams = self._finish()
        if streams:
            self.late(streams)
        self.link.let_go(self.relays, self.recorder, self.late, over=all(drained))
        seconds, link = time.monotonic() - began, self.link
        return Ending(how, value, seconds, {}, link.broken or why, link.unseen)

    def _feed(self) -> None:
        """Give the shell one command after the other until it ends, or the caller's input does."""
        text, answer, line = b"", Answer(), 1
        while self.ended is None:
            piece = self._line()
            if piece is None:
                return
            end = not piece.endswith(b"\n")
            text += piece.replace(b"\0", b"")  # as bash reads it
            if end and not text:
                return self._end()
            whole = text if text.endswith(b"\n") else text + b"\n"
            if is_nothing(whole) and not end:
                self.skipped += 1
                text, line = b"", line + 1
                continue
            if not end and answer.more and answer.until not in piece:
                continue
            answer = look(whole, bash=self.bash, name=self.name, line=line, end=end)
            if answer.more and not end:
                if len(text) > LARGEST:
                    return self._fail(b"gatesh: error: a command of more than 16 MiB\n")
                continue
            if answer.message is not None and not answer.runs:
                return self._fail(answer.message)
            # Neither may the hook be joined to a line whose newline is escaped.
            self._command(whole[:-1], open_end=answer.more or ends_in_backslash(whole))
            line += whole.count(b"\n")
            text, answer = b"", Answer()
            if end:
                return self._end()

    def _command(self, text: bytes, *, open_end: bool) -> None:
        """Take *text* through the gate; *open_end*: only the end of input completes it."""
        self.text, self.lines = text, text.count(b"\n") + 1
        self.fed = False
        self.open_end = open_end
        leave = self.commands.each(text, self.earlier.text, Turn(self), self._cwd)
        if not self.fed and self.ended is None:
            # A status where the command would have been: `$?` is it, and `set -e` ends.
            self.channel.feed(b"__gatesh_status %d" % leave.value, self.lines, self.skipped)
            self._back()
        self.skipped = 0

    def _fail(self, message: bytes) -> None:
        """End the script as bash does when it cannot be parsed."""
        self.show(message)
        self.channel.feed(b"exit %d" % SYNTAX, 1)
        self._end()

    def _end(self) -> None:
        """Let the shell find the end of its input, once it has taken all there is."""
        if self._taken():
            self.channel.end()
        while self.ended is None:
            self._turn(1)

    def _back(self) -> bool:
        """Return True when the shell is back for more and has reported, False when it is over."""
        if self._taken() and self.channel.report is None:
            # Something has removed the hook, or takes the lines that are meant for bash.
            self.link.broken = self.link.broken or GONE
            self.link.kill()
            while self.ended is None:
                self._hear()
        return self.ended is None

    def _taken(self) -> bool:
        """Return True when the shell has taken all it was given, False when it is over.

        Without a report that has to be seen for a while: between two reads of a long
        text, the kernel has moments in which nothing seems to be left.
        """
        pause, since = 0.0005, 0.0
        while self.ended is None:
            self.channel.move()
            if not self.channel.waits():
                since = 0.0
            else:
                self.channel.move()
                now = time.monotonic()
                since = since or now
                if self.channel.report is not None or now - since > SETTLED_S:
                    return True
            pause = 0.0005 if self._turn(pause) else min(2 * pause, 0.02)
        return False

    def _turn(self, seconds: float) -> bool:
        """Wait for the shell or the client, at most so long; tell whether something happened."""
        self.channel.move()
        poll = select.poll()
        poll.register(
            self.channel.master,
            select.POLLIN | (select.POLLOUT if self.channel.unsent else 0),
        )
        poll.register(self.link.sock, select.POLLIN)
        ready = poll.poll(seconds * 1000)
        if any(fd == self.link.sock.fileno() for fd, _ in ready):
            self._hear()
        return bool(ready)

    def _hear(self) -> None:
        self.ended = self.link.hear(self.relays, self.recorder)

    # ---- the caller's input ------------------------------------------------------------

    def _line(self) -> bytes | None:
        """Return the next line, without its newline only at the end; None when it is over.

        Byte by byte: what follows the line belongs to the command.
        """
        line = bytearray()
        waiting = array.array("i", [0])
        poll = select.poll()
        poll.register(self.stdin, select.POLLIN)
        poll.register(self.link.sock, select.POLLIN)
        while True:
            ready = poll.poll()
            if any(fd != self.stdin for fd, _ in ready):
                self._hear()
                if self.ended is not None:
                    return None
                continue
            fcntl.ioctl(self.stdin, termios.FIONREAD, waiting)
            for _ in range(max(1, waiting[0])):
                try:
                    byte = os.read(self.stdin, 1)
                except BlockingIOError:
                    break  # somebody else was quicker
                line += byte
                if byte in (b"\n", b""):
                    return bytes(line)

    # ---- one command ---------------------------------------------------------------------

    def over(self) -> bool:
        """Tell whether the session is over: its shell may end while a command waits."""
        poll = select.poll()
        poll.register(self.link.sock, select.POLLIN)
        while self.ended is None and poll.poll(0):
            self._hear()
        return self.ended is not None or self.link.gone()

    def give(self, plan: Plan, late: Late) -> Ending:
        """Give the shell the command that was judged; return how it ended."""
        self._finish_idle()
        self.recorder = Recorder(self.link.running / plan.id, self.link.limits)
        for relay in self.relays:
            relay.record_with(self.recorder)
        self.late = late
        self.fed = True
        self.earlier.add(self.text)
        began = time.monotonic()
        if self.open_end:
            self.channel.last(b"\n" * self.skipped + self.text)
            self._end()
            while self.ended is None:
                self._hear()
        else:
            self.channel.feed(self.text, self.lines, self.skipped)
            self._back()
        for relay in self.relays:
            relay.drain()
        seconds = time.monotonic() - began
        streams, unseen = self._finish(), self.link.unseen
        if self.ended is not None:
            how, value, why = self.ended
            return Ending(how, value, seconds, streams, self.link.broken or why, unseen)
        assert self.channel.report is not None
        return Ending(EXIT, self.channel.report[0], seconds, streams, self.link.broken, unseen)

    def show(self, data: bytes) -> None:
        """Show words of our own on the session's standard error."""
        if self.places[2]:
            self.relays[self.places[2] - 1].emit(data)

    def _finish_idle(self) -> None:
        streams = self._finish()
        if streams:
            self.late(streams)
        self.recorder.discard()

    def _finish(self) -> dict[str, Any]:
        with self.link.blobs.batch() as batch:
            return self.recorder.finish(batch.adopt, batch.put)

    # ---- where it is ---------------------------------------------------------------------

    def _cwd(self) -> Mapping[str, Any]:
        return working_directory(self.link.shell_pid or self.link.pid, b"")

    def _where(self) -> tuple[str, str | None]:
        """Return the working directory as the caller's shell would name it, and the one before."""
        env = self.commands.env
        here = working_directory(self.link.pid, env.get(b"PWD", b""))
        before = env.get(b"OLDPWD")
        if before is not None and not os.path.isdir(before):
            before = None
        return str(here["path"]), None if before is None else os.fsdecode(before)


class Turn:
    """The session as the client of one of its commands (`gatesh.caller.Client`)."""

    def __init__(self, session: Session | Typed) -> None:
        self.session = session

    @property
    def pid(self) -> int:
        """The client's process id."""
        return self.session.link.pid

    def say(self, text: str) -> None:
        """Print *text* on the session's standard error."""
        self.session.show(text.encode("utf-8", "surrogateescape"))

    def gone(self) -> bool:
        """Tell whether there is no shell any more to give it to."""
        return self.session.over()

    def wait(self, wake: int, seconds: float | None) -> bool:
        """Return when *wake* is readable or the client has spoken; False when time is up."""
        return self.session.link.wait(wake, seconds, spoken=True)

    def stop(self, words: str) -> None:
        """Print *words* and kill the session: what its shell would do next is nobody's guess."""
        self.session.link.stop(words)

    def run(self, plan: Plan, late: Late) -> Ending:
        """Give the shell the command that was judged."""
        return self.session.give(plan, late)


def _name(call: Invocation) -> str:
    """Return what `$0` is to be, as far as a file can be called so."""
    base = os.path.basename(os.fsdecode(call.zero or b"bash"))
    if base.startswith(("gatesh", "-gatesh")):
        base = "-bash" if base.startswith("-") else "bash"
    return base if base not in ("", ".", "..") else "bash"


def options(call: Invocation) -> list[bytes]:
    """Return the options for a shell that runs a script instead of its standard input.

    >>> from gatesh.syntax.invocation import parse
    >>> options(parse(b"-bash", [b"-es", b"-o", b"pipefail", b"--", b"x"]))
    [b'--login', b'-e', b'-o', b'pipefail']
    """
    found = [b"--login"] if call.login else []
    words = iter(call.options)
    for word in words:
        if word in (b"--", b"-"):
            break
        if word.startswith(b"--") or (word[:1] not in (b"-", b"+")):
            found.append(word)
            if word in (b"--rcfile", b"--init-file"):
                found.append(next(words, b""))
            continue
        kept = word[:1] + bytes(letter for letter in word[1:] if letter not in b"sl")
        if len(kept) > 1:
            found.append(kept)
        found += [next(words, b"") for letter in word[1:] if letter in b"oO"]
    return [word for at, word in enumerate(found) if at == 0 or word != b"--login"]
