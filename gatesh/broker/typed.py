"""A shell whose commands are typed at a terminal, each one judged before the shell gets it.

    keys ─→ terminal ─→ E, which edits a line ──→ here ── judged ──→ channel ──→ bash
                └─────→ whatever runs                                               │
    screen ←── broker, recording ←── terminal ←───────── prompt, output ────────────┘

bash is interactive and has the terminal for its jobs, but takes its commands from a
socket whose other end is here: nothing typed reaches its parser.  E
(`gatesh.client.editor`) has the keyboard while bash waits.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import socket
import termios
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatesh import wire
from gatesh.broker.complete import LARGEST, Answer, as_typed, is_nothing, look
from gatesh.broker.earlier import Earlier
from gatesh.broker.hooks import SYSTEM_RC, Hooks, Report, options, startup_files
from gatesh.broker.relay import sealed
from gatesh.broker.screen import Screen
from gatesh.broker.session import GONE, Late, Turn
from gatesh.broker.surroundings import working_directory
from gatesh.caller import EXIT, Commands, Ending, Plan
from gatesh.transcript.recorder import Recorder

if TYPE_CHECKING:
    from gatesh.broker.link import Link

SYNTAX, INTERRUPTED = 2, 130
NO_EDITOR = "the program that reads what is typed was killed"


class Typed:
    """One session at a terminal, from its first prompt to its end."""

    def __init__(self, link: Link, plan: Plan, commands: Commands, late: Late) -> None:
        self.link = link
        self.plan = plan
        self.commands = commands
        self.late = late
        self.bash = os.fsdecode(plan.path)
        self.name = os.fsdecode(os.path.basename(plan.argv[0]))
        # Of all that is shown between commands: prompts, what is typed, words of late children.
        self.recorder = Recorder(link.running / plan.id, link.limits)
        link.screen_class = Screen
        self.relays, self.places = link.pipes(self.recorder)
        self.channel, self.lent = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.editor, self.lent_editor = socket.socketpair()
        self.hooks: Hooks | None = None
        self.screen: Screen | None = None
        self.notes: list[tuple[str, bytes]] = []  # for E, from what the shell has said
        self.report: Report | None = None
        self.before = Report()
        self.prompt = b"", True
        self.said: tuple[bytes, bytes] | None = None  # by E
        self.ready = False
        self.interrupted = False
        self.replaced = False  # the shell is another program now
        self.text = b""
        self.earlier = Earlier()
        self.fed = False
        self.left = False  # the command before was `exit`
        self.ended: tuple[int | None, int, str | None] | None = None

    # ---- from the first prompt to the last ---------------------------------------------

    def run(self) -> Ending:
        """Start the shell, give it what is typed, and return how it ended."""
        began = time.monotonic()
        try:
            call = self.commands.invocation
            argv = [self.plan.argv[0], *options(call)]
            if call.positionals:
                argv += [b"-s", b"--", *call.positionals]
            fds = [relay.inlet for relay in self.relays]
            self.places[0] = len(fds) + 1
            fds += [self.lent.detach(), self.lent_editor.detach()]
            self.link.start(self.places, self.plan.path, argv, fds, self.relays, kind=b"I")
            if self._arrived():
                self._converse()
            while self.ended is None:
                self._turn(None)
        finally:
            for end in (self.channel, self.editor, self.lent, self.lent_editor):
                end.close()
        how, value, why = self.ended
        drained = [relay.drain() for relay in self.relays]
        streams = self.recorder.finish(self.link.blobs.adopt, self.link.blobs.put)
        self.link.let_go(self.relays, self.recorder, self.late, over=all(drained))
        seconds, link = time.monotonic() - began, self.link
        return Ending(how, value, seconds, streams, link.broken or why, link.unseen)

    def _arrived(self) -> bool:
        """Return True when the shell stands at its first prompt."""
        while self.ended is None:
            if self.hooks is not None and self.link.shell_pid and self._found():
                break
            self._turn(None)
        if self.ended is not None or self.hooks is None:
            return False
        system = SYSTEM_RC.encode() in Path(self.bash).read_bytes()
        files = startup_files(self.commands.invocation, system=system)
        code = "\n".join(files)
        self.earlier = Earlier(os.fsencode(code) + b"\n")
        return self._feed(self.hooks.startup(files))

    def _found(self) -> bool:
        """Take the terminal that the client has sent."""
        for relay in self.relays:
            if isinstance(relay, Screen) and self.hooks is not None:
                relay.shell = self.link.shell_pid
                relay.told = self._told
                relay.begins, relay.ends = self.hooks.begins, self.hooks.ends
                self.screen = relay
        return self.screen is not None

    def _converse(self) -> None:
        text, answer = b"", Answer()
        while self.ended is None:
            prompt, shown = (self.before.continued, False) if text else self.prompt
            kind, line = self._edit(prompt, shown)
            if kind == b"I":
                text, answer = b"", Answer()
                self._set(INTERRUPTED)
            elif kind == b"D" and not text:
                leave = b"exit %d" % self.before.statuses[0]
                self._feed(Hooks.command(leave, self.before, once_more=self.left))
                self.left = True
            elif kind in (b"L", b"D"):
                if kind == b"L":
                    text += line.replace(b"\0", b"") + b"\n"
                if not text.strip():
                    self._nothing()
                    text = b""
                    continue
                if kind == b"L" and answer.more and answer.until not in line:
                    continue
                answer = self._typed(text, end=kind == b"D")
                if not answer.more:
                    text = b""

    def _typed(self, text: bytes, *, end: bool) -> Answer:
        """Take *text* through the gate if it is complete; return what the shell would say."""
        if is_nothing(text):
            self._nothing()
            return Answer()
        answer = look(text, bash=self.bash, name=self.name, line=1, end=end)
        if answer.more and not end and len(text) <= LARGEST:
            return answer
        self._tell_editor(b"A", text[:-1])
        if answer.message is not None and not answer.runs:
            self.show(as_typed(answer.message))
            self._set(SYNTAX)
            return Answer()
        self.text = text[:-1]
        self.fed = self.interrupted = False
        leave = self.commands.each(self.text, self.earlier.text, Typing(self), self._cwd)
        if not self.fed and self.ended is None:
            self._set(leave.value)
        self.left = self.text.split()[:1] in ([b"exit"], [b"logout"], [b"jobs"])
        return Answer()

    # ---- what the shell gets ---------------------------------------------------------------

    def _feed(self, text: bytes) -> bool:
        """Give the shell *text*; return True when it is back, False when it is over."""
        self._name()
        assert self.hooks is not None
        fd = sealed(text)
        self._hand_over((fd,))
        os.close(fd)
        return self._put(self.hooks.line(text))

    def _set(self, status: int) -> bool:
        """Have `$?` be *status*, as if a command had ended with it."""
        self.before = replace(self.before, statuses=(status,))
        self._name()
        self._hand_over()
        return self._put(Hooks.status(status), reports=False)

    def _nothing(self) -> bool:
        """Have the shell show its prompt once more, and what its jobs have done since."""
        self._hand_over()
        return self._put(b"\n", reports=False)

    def _name(self) -> None:
        """Have the command told to a terminal that wants to know, if the shell names one."""
        if self.screen is not None and self.commands.env.get(b"TERM_PROGRAM") == b"vscode":
            self.screen.command = self.text

    def _hand_over(self, fds: tuple[int, ...] = ()) -> None:
        """Have E give the shell the terminal."""
        self.ready = False
        self._tell_editor(b"C", b"", fds)
        while self.ended is None and not self.ready:
            self._turn(None)

    def _put(self, line: bytes, *, reports: bool = True) -> bool:
        """Give the shell a line of ours; return True when it is back, False when it is over.

        *reports*: it ends with the hook.
        """
        assert self.screen is not None
        self.screen.between = not reports
        self._send(line)
        if not self._back():
            return False
        self.prompt = self.screen.prompt()
        if reports and self.report is None:
            # Cut short by an interrupt or an error: it has shown its prompt, but told nothing.
            self.screen.mute = True
            self._send(Hooks.ask())
            self._back()
            self.screen.prompt()
            self.screen.mute = False
            if self.ended is None and self.report is None:
                self._end(GONE)
        if self.report is not None:
            self.before = self.report
        return self.ended is None

    def _send(self, line: bytes) -> None:
        self.report = None
        try:
            self.channel.send(line)
            # Whoever has taken the blank is back for the next command.
            self.channel.send(b" ")
        except OSError:
            pass  # it is over: the client is about to say so

    def _back(self) -> bool:
        """Wait until the shell is back, and all that was written until then has been shown."""
        assert self.screen is not None
        pause = 0.0005
        waiting = array.array("i", [0])
        while self.ended is None:
            fcntl.ioctl(self.channel.fileno(), termios.TIOCOUTQ, waiting)
            if not waiting[0] and not self.replaced:
                for relay in self.relays:
                    relay.drain()
                self._turn(0)
                if not self.replaced:
                    break
            self.screen.settle()
            pause = 0.0005 if self._turn(pause) else min(2 * pause, 0.03)
        return self.ended is None

    def _end(self, why: str) -> None:
        """End a session whose shell can no longer be trusted to run only what it is given."""
        self.show(b"gatesh: error: %s; the session is over\n" % why.encode())
        self.link.broken = self.link.broken or why
        self.link.kill()
        while self.ended is None:
            self._turn(None)

    # ---- who is heard ------------------------------------------------------------------------

    def _turn(self, seconds: float | None) -> bool:
        """Wait for the shell, its client or E, at most so long; tell whether something happened."""
        poll = select.poll()
        poll.register(self.link.sock, select.POLLIN)
        if self.editor.fileno() >= 0:
            poll.register(self.editor, select.POLLIN)
        if not self.replaced:
            poll.register(self.channel, 0)
        if self.screen is not None:
            poll.register(self.screen.news, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}
        if self.link.sock.fileno() in ready:
            self.ended = self.link.hear(self.relays, self.recorder)
        if self.screen is not None and self.screen.news.fileno() in ready:
            os.eventfd_read(self.screen.news.fileno())
        if self.channel.fileno() in ready and self.ended is None:
            self._lost_channel()
        if self.editor.fileno() in ready and self.ended is None:
            self._hear_editor()
        while self.notes:
            kind, told = self.notes.pop(0)
            self._tell_editor({"bind": b"B", "history": b"H"}[kind], told)
        return bool(ready)

    def _told(self, told: bytes) -> None:
        """Take what the shell says in the middle of what it shows; called by the screen."""
        assert self.screen is not None
        kind, text, report = Hooks.read(told)
        if report is not None:
            self.report = report
            self.screen.between = True
            self.screen.recorder = self.recorder  # the command's record ends here
        elif kind == "began":
            self.screen.mute = False
        elif kind in ("bind", "history"):
            self.notes.append((kind, text))

    def _lost_channel(self) -> None:
        """The shell has ended, has become another program by `exec`, or reads something else."""
        self.replaced = True
        if self.screen is not None:
            self.screen.shell = 0
        try:
            argv = Path(f"/proc/{self.link.shell_pid}/cmdline").read_bytes()
        except OSError:
            return
        if b"--noediting\0--norc\0" in argv:
            # Without the channel it would take its commands from the terminal, unjudged.  It
            # goes first: with its child stopped or dead it would go on to just that.
            self.link.kill_shell()
            self.show(b"gatesh: error: the shell has closed what it gets its commands by\n")
            self.link.broken = self.link.broken or GONE

    def _hear_editor(self) -> None:
        try:
            frame = wire.receive(self.editor)
        except (OSError, wire.WireError):
            frame = None
        if frame is None:
            self.editor.close()
            if not self.replaced:
                self._end(NO_EDITOR)
            return
        kind, body, fds = frame
        for fd in fds:
            os.close(fd)
        if kind == b"P":
            pid = int.from_bytes(body[:4], "big")
            self.hooks = Hooks(f"/proc/{pid}/fd/9", os.fsdecode(body[4:]))
        elif kind == b"C":
            self.ready = True
        elif kind == b"I" and self.said is not None:
            self.interrupted = True
        else:
            self.said = kind, body

    def _edit(self, prompt: bytes, shown: bool) -> tuple[bytes, bytes]:
        self.said = None
        self._tell_editor(b"E", bytes([shown]) + prompt)
        while self.ended is None and self.said is None:
            self._turn(None)
        return self.said or (b"", b"")

    def _tell_editor(self, kind: bytes, body: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        try:
            wire.send(self.editor, kind, body, fds)
        except OSError:
            pass  # killed: its end is seen in the next turn

    # ---- one command -------------------------------------------------------------------------

    def over(self) -> bool:
        """Tell whether nobody waits for the command any more, or nothing could run it."""
        self._turn(0)
        return self.ended is not None or self.interrupted or self.link.gone()

    def give(self, plan: Plan, late: Late) -> Ending:
        """Give the shell the command that was judged; return how it ended."""
        link = self.link
        recorder = Recorder(link.running / plan.id, link.limits)
        for relay in self.relays:
            relay.record_with(recorder)
        self.fed = True
        self.earlier.add(self.text)
        began = time.monotonic()
        self._feed(Hooks.command(self.text, self.before, once_more=self.left))
        for relay in self.relays:
            relay.drain()
            relay.record_with(self.recorder)
        seconds = time.monotonic() - began
        streams = recorder.finish(link.blobs.adopt, link.blobs.put)
        recorder.discard()
        if self.ended is not None:
            how, value, why = self.ended
            return Ending(how, value, seconds, streams, link.broken or why, link.unseen)
        return Ending(EXIT, self.before.statuses[0], seconds, streams, link.broken, link.unseen)

    def show(self, data: bytes) -> None:
        """Show words of our own on the terminal."""
        if self.screen is not None:
            self.screen.emit(data.replace(b"\n", b"\r\n"))

    def _cwd(self) -> Mapping[str, Any]:
        return working_directory(self.link.shell_pid, b"")


class Typing(Turn):
    """A typed session as the client of one of its commands."""

    session: Typed

    def wait(self, wake: int, seconds: float | None) -> bool:
        """Return when *wake* is readable, the client has spoken or somebody has typed Ctrl-C."""
        return self.session.link.wait(wake, seconds, spoken=True, also=self.session.editor.fileno())
