"""The process itself: listens, gives each connection a thread, keeps time, stops cleanly."""

from __future__ import annotations

import errno
import logging
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

from gatesh import wire, words
from gatesh.broker import hands, incoming
from gatesh.broker.desk import Desk
from gatesh.broker.link import Link
from gatesh.broker.proposals import Proposals
from gatesh.broker.surroundings import Peer, peer_of, starter
from gatesh.caller import Leave
from gatesh.errors import GateshError, LedgerError
from gatesh.gate import Gate
from gatesh.ledger.rounds import LedgerFull
from gatesh.transcript.recorder import Limits

HEARTBEAT_S = 3600
STOPPING_S = 5.0  # what a reader that has stopped reading can hold us up
BACKLOG = 512

log = logging.getLogger("gatesh.broker")


class Server:
    """Serves one gate on one listening socket until told to stop."""

    def __init__(
        self,
        gate: Gate,
        proposals: Proposals,
        listener: socket.socket,
        running: Path,
        *,
        guarded: bool,
    ) -> None:
        self.gate = gate
        self.listener = listener
        self.running = running
        self.guarded = guarded
        self.stop_r, self.stop_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.desk = Desk(gate, proposals, self.stop, running)
        self.last_entry = time.monotonic()
        self.links: set[Link] = set()
        self.lock = threading.Lock()
        self.failed = False

    def stop(self) -> None:
        """Ask `serve` to return; safe in a signal handler."""
        try:
            os.write(self.stop_w, b".")
        except OSError:
            pass

    def serve(self) -> bool:
        """Serve until stopped; True when that was asked for, False when the log broke."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        threading.Thread(target=self._keep_time, name="timer", daemon=True).start()
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        poll.register(self.stop_r, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self.stop_r:
                    return not self.failed
                self._accept()

    def _accept(self) -> None:
        try:
            sock, _ = self.listener.accept()
        except OSError as problem:
            if problem.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.05)  # out of descriptors: let some callers finish first
            return
        hands.do(self._serve_one, sock)

    def _serve_one(self, sock: socket.socket) -> None:
        with sock:
            try:
                peer = peer_of(sock)
                if not self.guarded and peer.uid not in (0, os.geteuid()):
                    return
                frame = wire.receive(sock)
                if frame is None:
                    return
                kind, body, fds = frame
                if kind == b"C":
                    self._call(sock, peer, body, fds)
                elif kind == b"J":
                    self.desk.serve(sock, peer, body)
            except (wire.WireError, OSError) as problem:
                log.info("a connection ended: %s", problem)
            except Exception:
                log.exception("a bug while serving a connection")

    def _call(self, sock: socket.socket, peer: Peer, body: bytes, fds: list[int]) -> None:
        law = self.gate.docket.law()
        limits = Limits.of(law.config)
        lent: list[int | None] = list(fds)
        call = None
        problem: str | None = None
        if body[:1] != bytes([wire.VERSION]):
            problem = "this client and the broker are of different versions of gatesh"
        else:
            person = law.roster.person_of_account(peer.user)
            call, lent = incoming.call(body, fds, peer, person)
        chain = call.requester.ancestry if call else ()
        link = Link(
            sock,
            peer,
            lent,
            running=self.running,
            blobs=self.gate.docket.blobs,
            limits=limits,
            starter=starter(chain),
        )
        with self.lock:
            self.links.add(link)
        try:
            if call is None:
                link.say(words.trouble(problem or "", "stop it with `gatesh broker stop`"))
                link.leave(Leave(125))
            else:
                link.leave(self.gate.handle(call, link))
        except LedgerFull as full:  # nothing was kept of it, and the log is as it was
            link.say(words.trouble(str(full), full.hint))
            link.leave(Leave(125))
        except LedgerError as problem_:
            # After a failed write nobody knows what is on the disk: the next broker looks.
            log.error("the log failed: %s", problem_)
            self.failed = True
            self.stop()
            link.say(words.trouble(str(problem_), problem_.hint))
            link.leave(Leave(125))
        except GateshError as error:
            link.say(words.trouble(str(error), error.hint))
            link.leave(Leave(125))
        except Exception as bug:
            log.exception("a bug while handling a call")
            link.say(words.trouble(f"the broker failed: {bug!r}", "this is a bug in gatesh"))
            link.leave(Leave(125))
        finally:
            link.close()
            with self.lock:
                self.links.discard(link)

    def _keep_time(self) -> None:
        size = self.gate.docket.ledger.head.size
        while True:
            time.sleep(1)
            try:
                self.gate.docket.expire()
                now = self.gate.docket.ledger.head.size
                if now != size:
                    size, self.last_entry = now, time.monotonic()
                elif time.monotonic() - self.last_entry >= HEARTBEAT_S:
                    self.gate.docket.ledger.append([{"type": "heartbeat"}])
            except LedgerFull as full:
                log.error("the log is full: %s", full)
            except LedgerError as problem:
                log.error("the log failed: %s", problem)
                self.failed = True
                self.stop()
                return
            except Exception:
                log.exception("a bug in the timer")

    def kill_running(self) -> None:
        """Kill every command that runs: it could not be recorded without us."""
        self.gate.stop(STOPPING_S)
        with self.lock:
            links = list(self.links)
        for link in links:
            link.kill()
