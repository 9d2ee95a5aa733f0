"""The log as C2SP tiles (https://c2sp.org/tlog-tiles): paths and contents.

Tiles hold nothing that is not in `log.jsonl`; they let readers that know only
the C2SP specification check the log, over HTTP or from a copy of the directory.

    tile/0/000.p/17          17 leaf hashes
    tile/entries/000.p/17    the same 17 entries, each after its length as uint16
    tile/1/x001/234          256 roots of full tiles of level 0
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gatesh.ledger.merkle import WIDTH, Tree

ENTRIES: Final = -1  # the "level" of entry bundles
_PATH: Final = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Tile:
    """The place of one tile: level (`ENTRIES` for a bundle), index, and width 1 to 256."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies under the log.

        >>> Tile(0, 1234067).path, Tile(ENTRIES, 0, 17).path
        ('tile/0/x001/x234/067', 'tile/entries/000.p/17')
        """
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        number = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        return f"tile/{level}/{number}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @classmethod
    def parse(cls, path: str) -> Tile | None:
        """Return the tile that lies at *path*, or None if none could."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        level, number, width = match.groups()
        tile = cls(
            ENTRIES if level == "entries" else int(level),
            int(number.replace("x", "").replace("/", "")),
            int(width or WIDTH),
        )
        return tile if tile.path == path and tile.level < 64 else None


def needed(size: int) -> Iterator[Tile]:
    """Yield every tile that a log of *size* entries has, lowest level first."""
    for level in (ENTRIES, *range(8)):
        nodes = size >> (8 * max(level, 0))
        if nodes == 0:
            return
        for index in range(nodes // WIDTH):
            yield Tile(level, index)
        if nodes % WIDTH:
            yield Tile(level, nodes // WIDTH, nodes % WIDTH)


def belongs(tile: Tile, size: int) -> bool:
    """Tell whether a log of *size* entries has *tile*."""
    whole, rest = divmod(size >> (8 * max(tile.level, 0)), WIDTH)
    if tile.width == WIDTH:
        return tile.index < whole
    return (tile.index, tile.width) == (whole, rest)


def hashes(tree: Tree, tile: Tile) -> bytes:
    """Return the contents of a hash tile."""
    first = tile.index * WIDTH
    return b"".join(tree.node(8 * tile.level, first + i) for i in range(tile.width))


def bundle(lines: Sequence[bytes]) -> bytes:
    """Return the contents of an entry bundle: each entry after its length as uint16."""
    return b"".join(len(line).to_bytes(2, "big") + line for line in lines)
