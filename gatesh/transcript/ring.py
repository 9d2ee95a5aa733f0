"""The last bytes of a long stream, and the digest of all of it, computed beside the relaying.

To hash a gibibyte takes longer than to pass it through two pipes.  A thread of its own does
it (hashlib lets go of the interpreter meanwhile), from the very buffer that was read into.
What counts as recorded before it is shown are the bytes: the digest may come later.
"""

from __future__ import annotations

import errno
import threading
from queue import SimpleQueue
from typing import Any, Final

PART: Final = 1 << 20  # bytes, the most that is handed out at once
AHEAD: Final = 4 << 20  # bytes, what may be read before the digest has seen it


class Ring:
    """Keeps the last *keep* bytes of a stream, and goes on hashing it with *digest* (`hashlib`'s).

    One thread writes.  Raises OSError when this process may not start another thread.
    """

    def __init__(self, digest: Any, keep: int) -> None:
        # A part more than is kept: `space` that was handed out never holds bytes of the tail.
        self._bytes = bytearray(max(keep + PART, AHEAD))
        self._view = memoryview(self._bytes)
        self._keep = keep
        self._at = 0  # where the next byte goes
        self._seen = 0  # bytes that ever came in
        self._ahead = 0  # bytes that the digest has not seen
        self._digest = digest
        self._todo: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._done: SimpleQueue[int] = SimpleQueue()
        self._thread = threading.Thread(target=self._hash, name="digest", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            raise OSError(errno.EAGAIN, "no thread for the digest can be started") from None

    def space(self) -> memoryview:
        """Return room for the next bytes, one at least; for `take` once they are there.

        Waits for the digest when it is too far behind.
        """
        size = len(self._bytes)
        while size - self._ahead < min(PART, size - self._at):
            self._ahead -= self._done.get()
        return self._view[self._at : min(self._at + PART, size)]

    def holds(self, data: bytes | memoryview) -> bool:
        """Tell whether *data* was read into `space`."""
        return isinstance(data, memoryview) and data.obj is self._bytes

    def take(self, count: int) -> None:
        """Keep and hash the *count* bytes that were put into `space`."""
        self._todo.put((self._at, count))
        self._ahead += count
        self._seen += count
        self._at = (self._at + count) % len(self._bytes)

    def put(self, data: bytes | memoryview) -> None:
        """Keep and hash *data*."""
        left = memoryview(data)
        while left:
            part = self.space()[: len(left)]
            part[:] = left[: len(part)]
            self.take(len(part))
            left = left[len(part) :]

    def last(self, count: int) -> bytes:
        """Return the last *count* bytes, at most *keep*."""
        count = min(count, self._keep, self._seen)
        start = self._at - count
        if start >= 0:
            return bytes(self._view[start : self._at])
        return bytes(self._view[start:]) + bytes(self._view[: self._at])

    def close(self) -> None:
        """Return when all is hashed; nothing can be put in afterwards."""
        self._todo.put(None)
        self._thread.join()

    def _hash(self) -> None:
        while (part := self._todo.get()) is not None:
            at, count = part
            self._digest.update(self._view[at : at + count])
            self._done.put(count)
