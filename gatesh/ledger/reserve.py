"""A mebibyte kept free, so that what has begun can still be written to its end.

On a full disk a new command is refused, but one that runs will finish, and its
`command.finished` belongs into the log.  `.reserve` is given up for entries like
that and taken back as soon as there is room.
"""

from __future__ import annotations

import os
from typing import Final

from gatesh.errors import LedgerError
from gatesh.ledger import disk

NAME: Final = ".reserve"
SIZE: Final = 1 << 20

CLOSING: Final = frozenset(
    {
        "command.finished",
        "command.lost",
        "command.output",
        "request.cancelled",
        "request.expired",
        "request.lapsed",
        "broker.stopped",
        "ledger.closed",
        "ledger.recovered",
    }
)


class Reserve:
    """The file `.reserve` of one ledger."""

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self.held = False

    def take(self) -> bool:
        """Hold the reserve if there is room for it, and tell whether it is held."""
        if self.held:
            return True
        try:
            fd = disk.open_file(self._directory, NAME, os.O_RDWR | os.O_CREAT)
        except (LedgerError, OSError):
            return False
        try:
            os.posix_fallocate(fd, 0, SIZE)
            self.held = True
        except OSError:
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)
        return self.held

    def release(self) -> bool:
        """Give the space back to the file system, and tell whether there was any."""
        was, self.held = self.held, False
        if was:
            disk.remove(self._directory, NAME)
        return was
