"""A broker's end of the protocol, played by hand: what the real one never says can be said."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gatesh import wire
from tests.world import PATIENCE


@dataclass
class Submission:
    """What a client has submitted, and the connection it waits on."""

    sock: socket.socket
    argv: list[bytes]
    env: list[bytes]
    cwd: bytes
    mask: int
    fds: list[int]

    def send(self, kind: bytes, body: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        wire.send(self.sock, kind, body, fds)

    def run(self, *argv: bytes, places: tuple[int, int, int] = (0, 2, 3)) -> None:
        """Have it run *argv*, by default on the descriptors it has lent."""
        self.send(b"R", wire.run(list(places), argv[0], list(argv)), tuple(self.fds))

    def receive(self) -> tuple[bytes, bytes]:
        """Return kind and body of the client's next frame; (b"", b"") at the end."""
        frame = wire.receive(self.sock)
        return frame[:2] if frame else (b"", b"")

    def close(self) -> None:
        """Leave, with everything that was lent."""
        self.sock.close()
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()


class Pretend:
    """Listens where the clients of one home look for their broker."""

    def __init__(self, home: Path) -> None:
        self.place = home / "run"
        self.place.mkdir(mode=0o700, parents=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.place / "broker.sock"))
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE)

    def accept(self) -> Submission:
        """Return the next submission."""
        sock, _ = self.listener.accept()
        sock.settimeout(PATIENCE)
        frame = wire.receive(sock)
        assert frame is not None and frame[0] == b"C" and frame[1][0] == wire.VERSION
        cwd, argv, env, mask = wire.read_submit(frame[1])
        return Submission(sock, argv, env, cwd, mask, frame[2])

    def nobody_asks(self) -> bool:
        """Tell that no connection waits."""
        self.listener.setblocking(False)
        try:
            self.listener.accept()
        except BlockingIOError:
            return True
        finally:
            self.listener.settimeout(PATIENCE)
        return False

    @contextlib.contextmanager
    def answering(self, words: bytes) -> Iterator[list[Submission]]:
        """Answer every submission with the bytes *words* and hang up; yield the submissions."""
        seen: list[Submission] = []
        enough, stop = os.pipe()

        def serve() -> None:
            while self.listener in select.select([self.listener, enough], [], [])[0]:
                submission = self.accept()
                seen.append(submission)
                with contextlib.suppress(OSError):
                    submission.sock.sendall(words)
                submission.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            os.close(stop)
            thread.join()
            os.close(enough)

    def close(self) -> None:
        self.listener.close()
