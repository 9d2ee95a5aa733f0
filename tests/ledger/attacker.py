"""Somebody who can write every file of a log, with or without the log's own key.

Each method does one thing to the files of a house; what it does is its name.
`rewrite` is the strong form: the log's key is in the attacker's hands, so the
lines get new numbers, the tiles new hashes and the checkpoint a good signature.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

from nacl.signing import SigningKey

from gatesh import document
from gatesh.ledger import note, tiles
from gatesh.ledger.merkle import Head, Tree, leaf_hash

from .ledger_world import House, log_key

Lines = list[bytes]


class Attacker:
    """Works on the files of one house that nobody is writing; of a finished log if one is named."""

    def __init__(self, house: House, log: str = "ledger") -> None:
        self.house = house
        self.directory = house.state / log
        self.log = self.directory / "log.jsonl"
        self.checkpoint = self.directory / "checkpoint"

    # ---- without the key ----

    def lines(self) -> Lines:
        return self.log.read_bytes().splitlines(keepends=True)

    def put(self, lines: Lines) -> None:
        self.log.write_bytes(b"".join(lines))

    def index(self, type: str) -> int:
        return next(
            i for i, line in enumerate(self.lines()) if b'"type":"%s"' % type.encode() in line
        )

    def cut_at_record(self) -> None:
        self.put(self.lines()[:-1])

    def cut_inside_record(self) -> None:
        self.log.write_bytes(self.log.read_bytes()[:-9])

    def remove(self, at: int) -> None:
        lines = self.lines()
        self.put(lines[:at] + lines[at + 1 :])

    def swap(self, at: int) -> None:
        lines = self.lines()
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
        self.put(lines)

    def duplicate(self, at: int) -> None:
        lines = self.lines()
        self.put(lines[: at + 1] + lines[at:])

    def replace(self, old: bytes, new: bytes) -> None:
        assert old in self.log.read_bytes()
        self.log.write_bytes(self.log.read_bytes().replace(old, new, 1))

    def append(self, line: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(line)

    def sign_with(self, signing: SigningKey, key: note.Key, origin: str | None = None) -> None:
        head = note.Checkpoint.parse(note.Note.parse(self.checkpoint.read_bytes()).text).head
        text = note.Checkpoint(origin or key.name, head).text()
        signature = note.Signature(key.name, key.id, signing.sign(text.encode()).signature)
        self.checkpoint.write_bytes(note.Note(text, (signature,)).encode())

    def sign_with_another_key_of_the_same_name(self) -> None:
        signing, _ = log_key("mallory")
        self.sign_with(signing, note.Key(self.house.key.name, bytes(signing.verify_key)))

    def sign_as_somebody_else(self) -> None:
        self.sign_with(*log_key("mallory"), origin=self.house.key.name)

    def unsign(self) -> None:
        self.checkpoint.write_bytes(self.checkpoint.read_bytes().partition(b"\n\n")[0] + b"\n")

    def blob(self, data: bytes) -> Any:
        return self.house.blobs.path(document.sha256(data))

    # ---- with the key ----

    def rewrite(
        self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]] | None]
    ) -> None:
        """Change the entries in any way and make the whole log consistent again."""
        entries = [json.loads(line) for line in self.lines()]
        entries = change(entries) or entries
        lines = [document.write({**e, "n": n}) for n, e in enumerate(entries)]
        self.put([line + b"\n" for line in lines])
        tree = Tree()
        tree.extend([leaf_hash(line) for line in lines])
        shutil.rmtree(self.directory / "tile")
        for tile in tiles.needed(tree.size):
            path = self.directory / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if tile.level == tiles.ENTRIES:
                path.write_bytes(tiles.bundle(lines[tile.index * 256 :][: tile.width]))
            else:
                path.write_bytes(tiles.hashes(tree, tile))
        head = Head(tree.size, tree.root())
        self.checkpoint.write_bytes(note.sign_checkpoint(head, self.house.key, self.house.sign))
