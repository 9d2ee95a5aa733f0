"""Reading transcripts back: what came when, on which stream."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DECODER = codecs.getincrementaldecoder("utf-8")
LETTERS = {"o": "stdout", "e": "stderr", "t": "tty"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one stream and the seconds since the command began.  `gap` bytes were not kept."""

    at: float
    stream: str
    data: bytes
    gap: int = 0


def play(streams: Mapping[str, Any], blob: Callable[[str], bytes]) -> Iterator[Chunk]:
    """Yield what was recorded in the order it was seen; *blob* returns bytes by digest."""
    sources = {name: _Source(streams[name], blob) for name in LETTERS.values() if name in streams}
    timing = _timing(streams, blob)
    for seconds, letter, count in timing:
        source = sources.get(LETTERS.get(letter, ""))
        if source is not None:
            yield from source.next(seconds, LETTERS[letter], count)
    for name, source in sources.items():  # a timing that was cut short loses no bytes
        yield from source.next(0.0, name, source.left)


def _timing(
    streams: Mapping[str, Any], blob: Callable[[str], bytes]
) -> list[tuple[float, str, int]]:
    kept = streams.get("timing")
    if not kept or kept["kept"] != "all":
        return []
    found = []
    for line in blob(kept["sha256"]).splitlines():
        seconds, letter, count = json.loads(line)
        found.append((float(seconds), str(letter), int(count)))
    return found


class _Source:
    """The kept bytes of one stream, with the hole where the middle was not kept."""

    def __init__(self, stream: Mapping[str, Any], blob: Callable[[str], bytes]) -> None:
        kept = stream["kept"]
        if kept == "all":
            self.head = blob(stream["sha256"]) if stream["bytes"] else b""
            self.tail, self.hole = b"", 0
        else:
            self.head = blob(kept["head"][1])
            self.tail = blob(kept["tail"][1])
            self.hole = stream["bytes"] - len(self.head) - len(self.tail)
        self.at = 0
        self.left = int(stream["bytes"])

    def next(self, seconds: float, name: str, count: int) -> Iterator[Chunk]:
        end = self.at + min(count, self.left)
        hole_end = len(self.head) + self.hole
        if data := self.head[self.at : end]:
            yield Chunk(seconds, name, data)
        if self.hole and self.at <= len(self.head) < end:
            yield Chunk(seconds, name, b"", self.hole)
        if end > hole_end:
            yield Chunk(seconds, name, self.tail[max(0, self.at - hole_end) : end - hole_end])
        self.left -= end - self.at
        self.at = end


def cast(streams: Mapping[str, Any], blob: Callable[[str], bytes], title: str, began: int) -> str:
    """Return an asciicast v2 of the output (Debian's player refuses v3)."""
    header = {"version": 2, "width": 80, "height": 24, "timestamp": began, "title": title}
    lines = [json.dumps(header)]
    # A character may come in two chunks: of each stream its beginning waits for the rest.
    decoders = {name: _DECODER("replace") for name in LETTERS.values()}
    for chunk in play(streams, blob):
        text = decoders[chunk.stream].decode(chunk.data) if not chunk.gap else _gap(chunk.gap)
        if chunk.stream != "tty":
            text = text.replace("\n", "\r\n")  # a pipe has no terminal to add the return
        lines.append(json.dumps([round(chunk.at, 6), "o", text]))
    return "\n".join(lines) + "\n"


def _gap(count: int) -> str:
    return f"\n[… {count} bytes not kept …]\n"
