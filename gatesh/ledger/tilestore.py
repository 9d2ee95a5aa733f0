"""Tiles on disk, kept in step with the log at the cost of a small file and an unlink.

The name of a growing tile carries its width.  `000.p/18` is written beside
`000.p/17`, which the checkpoint in force still needs, and `000.p/17` goes once the
next checkpoint is in its place: whoever reads a checkpoint finds its tiles.
Nothing here is waited for except a tile that is full and will not be touched
again; what a crash leaves behind is repaired when the log is opened.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from gatesh.errors import LedgerError
from gatesh.ledger import disk, tiles
from gatesh.ledger.journal import Journal
from gatesh.ledger.merkle import HASH, WIDTH, Tree
from gatesh.ledger.tiles import ENTRIES, Tile


class TileStore:
    """The directory `tile/` of one ledger."""

    def __init__(self, directory: int) -> None:
        self._root = directory
        self._open: dict[str, int] = {}
        self._outgrown: list[Tile] = []  # go with the checkpoint that still needs them
        self._surplus = False  # tiles of an older checkpoint lie somewhere
        self.stale = False  # a round was taken back after its tiles were written

    def close(self) -> None:
        """Give all descriptors back."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _place(self, path: str) -> tuple[int, str]:
        """Return the directory and name of *path*; links on the way are refused."""
        parent, _, name = path.rpartition("/")
        fd = self._open.get(parent)
        if fd is None:
            inside = self._root
            if parent:
                inside, last = self._place(parent)
                fd = disk.open_directory(last, inside=inside)
                self._open[parent] = fd
            else:
                fd = inside
        return fd, name

    def _forget(self, directory: str) -> None:
        fd = self._open.pop(directory, None)
        if fd is not None:
            os.close(fd)

    # ---- growing ----

    def grow(self, old: int, lines: Sequence[bytes], tree: Tree) -> None:
        """Add *lines*, entries *old* and following, which *tree* already holds.

        Raises `OSError` when the disk is full; the tiles are then `stale`.
        """
        self.stale = True
        self._extend(ENTRIES, old, old + len(lines), lines, tree)
        for level in range(8):
            before, after = old >> (8 * level), (old + len(lines)) >> (8 * level)
            if before == after:
                break
            self._extend(level, before, after, (), tree)
        self.stale = False

    def _extend(
        self, level: int, before: int, after: int, lines: Sequence[bytes], tree: Tree
    ) -> None:
        at = before
        while at < after:
            index, width = divmod(at, WIDTH)
            end = min(after, (index + 1) * WIDTH)
            if level == ENTRIES:
                data = tiles.bundle(lines[at - before : end - before])
            else:
                data = b"".join(tree.node(8 * level, i) for i in range(at, end))
            self._append(Tile(level, index, width), Tile(level, index, end - index * WIDTH), data)
            at = end

    def _append(self, old: Tile, new: Tile, data: bytes) -> None:
        target, name = self._place(new.path)
        if old.width == 0:
            disk.write_file(target, name, data, durable=new.width == WIDTH)
            return
        source, old_name = self._place(old.path)
        before = disk.read(source, old_name) or b""
        disk.write_file(target, name, before + data, durable=new.width == WIDTH)
        self._outgrown.append(old)

    def settle(self, size: int) -> None:
        """Let go of what only checkpoints before that of *size* need; call once it is durable.

        A tile that cannot be removed does no harm: it is left to the next `repair`.
        """
        if self._surplus:
            with contextlib.suppress(OSError, LedgerError):
                self._sweep(size)
                self._surplus = False
        for tile in self._outgrown:
            with contextlib.suppress(OSError, LedgerError):
                directory, name = self._place(tile.path)
                disk.remove(directory, name)
                if tiles.belongs(Tile(tile.level, tile.index), size):  # it is full
                    parent = tile.path.rpartition("/")[0]
                    self._forget(parent)
                    above, last = self._place(parent)
                    os.rmdir(last, dir_fd=above)
        self._outgrown.clear()

    # ---- repairing ----

    def repair(self, tree: Tree, journal: Journal, published: int) -> None:
        """Make every tile for *tree* be there, beside those for the *published* checkpoint.

        Full tiles were synced before any checkpoint needed them, so their length is
        enough; `audit` reads their bytes.  The growing ones are compared.
        """
        self.take_back(published, tree.size)
        for tile in tiles.needed(tree.size):
            directory, name = self._place(tile.path)
            data = None if tile.width == WIDTH else self._contents(tile, tree, journal)
            if data is None:
                length = self._length(directory, name)
                sound = length == WIDTH * HASH or (tile.level == ENTRIES and length > 0)
            else:
                sound = disk.read(directory, name) == data
            if not sound:
                data = data or self._contents(tile, tree, journal)
                disk.write_file(directory, name, data, durable=tile.width == WIDTH)
        self.stale = False

    def take_back(self, *sizes: int) -> None:
        """Remove the tiles of any other size than *sizes*.

        At once, not at the next repair: a full tile of a round that never was
        would by then pass for one of its successor's.
        """
        self.stale = True
        self._outgrown.clear()
        self._surplus = len(set(sizes)) > 1
        self._sweep(*sizes)

    def _sweep(self, *sizes: int) -> None:
        if not disk.exists(self._root, "tile"):
            return
        self.close()
        for above, _, names, directory in os.fwalk("tile", dir_fd=self._root):
            for name in names:
                tile = Tile.parse(f"{above}/{name}")
                if tile is not None and not any(tiles.belongs(tile, size) for size in sizes):
                    disk.remove(directory, name)

    @staticmethod
    def _length(directory: int, name: str) -> int:
        try:
            return os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
        except FileNotFoundError:
            return -1

    @staticmethod
    def _contents(tile: Tile, tree: Tree, journal: Journal) -> bytes:
        if tile.level != ENTRIES:
            return tiles.hashes(tree, tile)
        first = tile.index * WIDTH
        return tiles.bundle(list(journal.between(first, first + tile.width)))
