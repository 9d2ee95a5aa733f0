"""The caller's end of one connection: what the gate says and asks of it, as frames."""

from __future__ import annotations

import os
import select
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gatesh import wire, words
from gatesh.broker.lent import consume, keep, terminal
from gatesh.broker.relay import Relay, sealed
from gatesh.broker.session import Session
from gatesh.broker.stopping import Command, kill_rest, kill_tree
from gatesh.broker.surroundings import Peer, began, is_null, same_description
from gatesh.broker.typed import Typed
from gatesh.caller import SIGNAL, Ending, Leave, Plan
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.rounds import LedgerFull
from gatesh.model import Mode
from gatesh.transcript.recorder import Limits, Recorder

KILL = 9


class Link:
    """One client, from its submission to its leave.  Implements `gatesh.caller.Client`.

    *lent* are its descriptors 0, 1 and 2, None where it had none; the link owns them.
    *starter* is (pid, start) of what the client was started for, None when nothing is known.
    """

    def __init__(
        self,
        sock: socket.socket,
        peer: Peer,
        lent: list[int | None],
        *,
        running: Path,
        blobs: Blobs,
        limits: Limits,
        starter: tuple[int, int] | None = None,
    ) -> None:
        self.sock = sock
        self.starter = starter
        self.watched = -1  # a pidfd of the starter, once somebody waits
        self.relays: list[Relay] = []
        self.errors: Relay | None = None  # where the command's standard error passes
        self.peer = peer
        self.lent = lent
        self.running = running
        self.blobs = blobs
        self.limits = limits
        self.sending = threading.Lock()
        self.broken: str | None = None
        self.shell = -1  # a pidfd, once the client has told us the pid
        self.shell_pid = 0
        self.command = Command(peer.pid)
        self.stopping = False  # somebody wants the end of all that the shell has started
        self.unseen: tuple[str, ...] = ()  # of stdout and stderr, what does not pass through us
        self.screen_class = Relay
        self.screen = -1  # where a command's new terminal is shown, until the client sends it

    def close(self) -> None:
        """Give back what was lent; relays keep what they still need."""
        for at, fd in enumerate(self.lent):
            if fd is not None:
                os.close(fd)
                self.lent[at] = None
        if self.shell >= 0:
            os.close(self.shell)
            self.shell = -1
        if self.watched >= 0:
            os.close(self.watched)
            self.watched = -1

    # ---- what the gate asks ---------------------------------------------------

    @property
    def pid(self) -> int:
        """The client's process id."""
        return self.peer.pid

    def say(self, text: str) -> None:
        """Print *text* on the caller's standard error."""
        self._send(b"S", text.encode("utf-8", "surrogateescape"))

    def leave(self, leave: Leave) -> None:
        """Tell the client how to end."""
        self._send(b"X", bytes([leave.how, leave.value]))

    def gone(self) -> bool:
        """Tell whether the client has left, or who started it: nobody would read the answer."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(0)) or self._orphaned()

    def _orphaned(self) -> bool:
        """Tell whether the client's starter has left.

        Agents that are killed leave their shells waiting; an approval must not start those.
        """
        if self.starter is None:
            return False
        if self.watched < 0:
            pid, start = self.starter
            try:
                self.watched = os.pidfd_open(pid)
            except OSError:
                return True
            # Compared after opening: its number may be another process's by now.
            if began(pid) != start:
                return True
        poll = select.poll()
        poll.register(self.watched, select.POLLIN)
        return bool(poll.poll(0))

    def wait(
        self, wake: int, seconds: float | None, *, spoken: bool = False, also: int = -1
    ) -> bool:
        """Return when *wake* is readable or the client has left; False when time is up.

        With *spoken*, also when the client has sent something: how its shell has ended.
        With *also*, when that can be read.
        """
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        if also >= 0:
            poll.register(also, select.POLLIN)
        if self.watched >= 0:
            poll.register(self.watched, select.POLLIN)
        # Not POLLIN before anything runs: a client that chatters waits all the same.
        poll.register(self.sock, select.POLLRDHUP | (select.POLLIN if spoken else 0))
        # Rounded up: a poll that returns a moment early would only spin.
        ready = poll.poll(None if seconds is None else int(seconds * 1000) + 1)
        if any(fd == wake for fd, _ in ready):
            os.eventfd_read(wake)
        return bool(ready)

    def kill(self, signal: int = KILL) -> None:
        """Send *signal* to the shell: by the client, or past it when it is gone."""
        self._send(b"K", bytes([signal]))

    def kill_shell(self) -> None:
        """Kill the shell itself, at once."""
        import signal

        if self.shell >= 0:
            try:
                signal.pidfd_send_signal(self.shell, KILL)
                return
            except OSError:
                pass  # another account's, or gone
        self.kill()

    def stop(self, text: str) -> None:
        """Print *text* on the command's standard error, then kill it and all it has started."""
        if self.errors is not None:
            # Not waited for without end: a reader that has stopped reading must not save it.
            data = text.encode("utf-8", "surrogateescape")
            saying = threading.Thread(target=self.errors.emit, args=(data,), daemon=True)
            saying.start()
            saying.join(0.5)
        self._kill_all()

    def _kill_all(self) -> None:
        """Kill the shell and all it has started.

        What it starts until its end, or has started before its client told us of it, is found
        again when that end is reported.
        """
        self.stopping = True
        if self.shell >= 0 and not self._ended():
            kill_tree(self.shell_pid)
        self.kill()
        kill_rest(self.command, lambda: False)

    def _ended(self) -> bool:
        """Tell whether the shell has ended: its number may be another process's then."""
        poll = select.poll()
        poll.register(self.shell, select.POLLIN)
        return bool(poll.poll(0))

    def _send(self, kind: bytes, body: bytes, fds: tuple[int, ...] = ()) -> None:
        with self.sending:
            try:
                wire.send(self.sock, kind, body, fds)
            except OSError:
                pass  # it has left; whoever reads next will see that

    # ---- a run ------------------------------------------------------------------

    def run(self, plan: Plan, late: Callable[[Mapping[str, Any]], None]) -> Ending:
        """Start the shell on recorded pipes, wait for its end, drain what it wrote."""
        try:
            return self._run(plan, late)
        except (OSError, LedgerFull):
            self.kill()  # what cannot be recorded does not go on
            raise

    def _run(self, plan: Plan, late: Callable[[Mapping[str, Any]], None]) -> Ending:
        if plan.commands is not None:
            typed = plan.commands.invocation.mode is Mode.SESSION
            return (Typed if typed else Session)(self, plan, plan.commands, late).run()
        recorder = Recorder(self.running / plan.id, self.limits)
        if plan.stdin is not None:
            consume(self.lent[0])
        relays, places = self.pipes(recorder)
        fds = [relay.inlet for relay in relays]
        if plan.stdin is not None:
            fds.append(sealed(plan.stdin))
            places[0] = len(fds)
        argv, place = plan.argv, self.running.with_name("scripts") / plan.id
        if plan.copy is not None:
            argv = (argv[0], *plan.copy.argv(keep(place, plan.copy)))
        began = time.monotonic()
        self.start(places, plan.path, list(argv), fds, [])
        how, value, why = self._until_end(relays, recorder)
        seconds = time.monotonic() - began
        if self.screen >= 0:  # the terminal that never came
            os.close(self.screen)
            self.screen = -1
        drained = [relay.drain() for relay in relays]
        streams = self._blobs_of(recorder)
        if plan.copy is not None:
            shutil.rmtree(place, ignore_errors=True)
        self.let_go(relays, recorder, late, over=all(drained))
        return Ending(how, value, seconds, streams, self.broken or why, self.unseen)

    def start(
        self,
        places: list[int],
        path: bytes,
        argv: list[bytes],
        fds: list[int],
        relays: list[Relay],
        *,
        kind: bytes = b"R",
    ) -> None:
        """Have the client start the shell, with *fds* attached; begin to relay."""
        self._send(kind, wire.run(places, path, argv), tuple(fds))
        for fd in fds:
            os.close(fd)
        for relay in relays:
            relay.start()

    def let_go(
        self,
        relays: list[Relay],
        recorder: Recorder,
        late: Callable[[Mapping[str, Any]], None],
        *,
        over: bool,
    ) -> None:
        """The shell has ended; *over* when nobody can write any more, else go on relaying."""
        if over:
            recorder.discard()
        else:
            threading.Thread(
                target=self._await_children, args=(relays, recorder, late), daemon=True
            ).start()

    def pipes(self, recorder: Recorder) -> tuple[list[Relay], list[int]]:
        """Return the relays this caller needs, and for 0, 1, 2 the place of its descriptor."""
        relays = self.relays = list[Relay]()
        places, self.screen = terminal(self.lent)
        out, err = self.lent[1], self.lent[2]
        for target, fd, letter in ((1, out, "o"), (2, err, "e")):
            if fd is None or is_null(fd):
                # Closed stays closed; /dev/null has no reader, and programs look for it.
                self.unseen += ("stdout" if target == 1 else "stderr",)
                continue
            if places[target]:
                continue
            if target == 2 and out is not None and places[1] and same_description(out, fd):
                places[2] = places[1]  # `2>&1`: two pipes would lose the order
                continue
            relays.append(Relay(letter, os.dup(fd), recorder, self._cannot_record))
            self.command.pipes.add(os.fstat(relays[-1].source).st_ino)
            places[target] = len(relays)
        if 0 < places[2] <= len(relays):
            self.errors = relays[places[2] - 1]
        self.close()  # ours alone now: with our copy kept, a reader would never see the end
        return relays, places

    def _show(self, fds: list[int], relays: list[Relay], recorder: Recorder) -> None:
        """Begin to pass on what appears on the command's terminal, once."""
        if len(fds) != 2 or self.screen < 0 or not os.isatty(fds[0]):
            for fd in fds:
                os.close(fd)
            return
        self.command.shown_on(fds[0])
        relay = self.screen_class("t", self.screen, recorder, self._cannot_record, *fds)
        self.screen = -1
        self.errors = relay
        relays.append(relay)
        relay.start()

    def _cannot_record(self, problem: OSError) -> None:
        self.broken = problem.strerror or "the transcript cannot be written"
        if self.errors is not None:  # the client has given its own copy away by now
            self.errors.tell(words.unrecorded(self.broken).encode())
        self._kill_all()
        for relay in self.relays:  # whom we could not kill must not keep the caller waiting
            relay.silence()

    def _until_end(
        self, relays: list[Relay], recorder: Recorder
    ) -> tuple[int | None, int, str | None]:
        """Return (how, value, why) of the shell's end.  Relays what it prints, once it does."""
        try:
            while True:
                self._listen(relays)
                ended = self.hear(relays, recorder)
                if ended is not None:
                    return ended
        except BaseException:
            for relay in relays:
                if not relay.begun:
                    relay.start()  # it gives its descriptors back when the command is gone
            raise

    def _listen(self, relays: list[Relay]) -> None:
        """Return when the client has something to say; start what has something to pass on.

        Most of what agents run is silent on one stream or on both: no thread waits for those.
        """
        silent = {relay.source: relay for relay in relays if not relay.begun}
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        for source in silent:
            poll.register(source, select.POLLIN)
        while silent:
            for fd, event in poll.poll():
                if fd not in silent:
                    return
                poll.unregister(fd)
                relay = silent.pop(fd)
                if event & select.POLLIN:
                    relay.start()
                else:
                    relay.drain()  # closed on the other side: so it is on the caller's at once

    def hear(
        self, relays: list[Relay], recorder: Recorder
    ) -> tuple[int | None, int, str | None] | None:
        """Take one frame from the client; return (how, value, why) if the shell has ended."""
        ended = self._hear(relays, recorder)
        if ended is not None:
            if self.stopping:
                kill_rest(self.command, lambda: any(relay.held() for relay in self.relays))
            self.command.terminal = 0  # the number may be another session's from now on
        return ended

    def _hear(
        self, relays: list[Relay], recorder: Recorder
    ) -> tuple[int | None, int, str | None] | None:
        try:
            frame = wire.receive(self.sock)
        except (OSError, wire.WireError):
            frame = None
        if frame is None:
            return self._end_without_client()
        kind, body, fds = frame
        if kind == b"T":
            self._show(fds, relays, recorder)
            return None
        for fd in fds:
            os.close(fd)
        if kind == b"D":
            for relay in relays:
                relay.drain()
            self._send(b"D", b"")
        elif kind == b"P" and len(body) == 4:
            self._watch(int.from_bytes(body, "big"))
        elif kind == b"F" and len(body) == 2:
            return body[0], body[1], None
        return None

    def _watch(self, pid: int) -> None:
        """Take *pid* for the shell that was started, if it belongs to whoever asked.

        Its parent tells nothing when the client is killed before we have read this.  With the
        account's own process, all that a lie can have killed is what the liar could kill.
        """
        try:
            shell = os.pidfd_open(pid)
        except OSError:
            return
        try:
            own = os.stat(f"/proc/{pid}").st_uid == self.peer.uid  # after opening: the same process
        except OSError:
            own = False
        if own:
            self.shell, self.shell_pid = shell, pid
        else:
            os.close(shell)

    def _end_without_client(self) -> tuple[int | None, int, str | None]:
        """The client was killed: so is its shell, as bash's own death would end it."""
        if self.shell < 0:
            return None, 0, "the client left before it said what it had started"
        import signal

        try:
            signal.pidfd_send_signal(self.shell, KILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            return None, 0, "the client was killed; its shell belongs to another account"
        poll = select.poll()
        poll.register(self.shell, select.POLLIN)
        poll.poll()
        os.close(self.shell)
        self.shell = -1
        return SIGNAL, KILL, "the client was killed"

    def _blobs_of(self, recorder: Recorder) -> dict[str, Any]:
        """Make what was recorded blobs; return the `streams` of the entry."""
        if not recorder.streams:
            return {}
        with self.blobs.batch() as batch:
            return recorder.finish(batch.adopt, batch.put)

    def _await_children(
        self,
        relays: list[Relay],
        recorder: Recorder,
        late: Callable[[Mapping[str, Any]], None],
    ) -> None:
        for relay in relays:
            relay.ended.wait()
        streams = self._blobs_of(recorder)
        recorder.discard()
        if streams:
            late(streams)
