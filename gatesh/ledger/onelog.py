"""The audit of one log: re-derive everything from the bytes, trust nothing computed before.

    checkpoint → lines → leaf hashes → root → tiles → lives → heads from outside

Nothing is locked and nothing written, so it can run beside the broker: the
checkpoint is read first, then exactly the entries that it covers.  Lines are examined
in other processes (`examine`); here they are put in order and their story is followed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gatesh import document
from gatesh.ledger import note, retention, tiles
from gatesh.ledger.blobcheck import BlobCheck
from gatesh.ledger.checks import Checks
from gatesh.ledger.examine import Examiner, examine, workers
from gatesh.ledger.findings import Findings
from gatesh.ledger.journal import CURRENT, SPLIT, numbered
from gatesh.ledger.lives import Lives
from gatesh.ledger.merkle import HASH, WIDTH, Head, Tree
from gatesh.ledger.note import Checkpoint, Key, MalformedNote, Note
from gatesh.ledger.order import Order
from gatesh.ledger.reading import Directory, Log
from gatesh.ledger.retention import Removals
from gatesh.ledger.tiles import Tile
from gatesh.ledger.witnessed import WHERE, Terms, Witnessed

PATIENCE_S = 2.0  # a round of the broker takes less, on a slow disk too

_MOST: Final = 1000  # changed entries that are named one by one
_OWN: Final = frozenset(
    {".lock", ".reserve", "checkpoint", "vkey", CURRENT, "tile", "quarantine", WHERE}
)
_PASSING: Final = frozenset({"checkpoint.tmp", "log.jsonl.tmp", "vkey.tmp"})


class OneLog:
    """One log under audit.  `open`, `read`, then `finish`; the blobs are checked in between."""

    def __init__(self, directory: Path, findings: Findings, witnesses: Terms) -> None:
        self.name = directory.name
        self.findings = findings
        self.directory = Directory(directory, findings)
        self.log = Log(self.directory)
        self.tree = Tree(self.log.leaves)
        self.order = Order()
        self.witnessed = Witnessed(witnesses, findings)
        self.since = 0  # so many entries were verified before
        self.known_heads: list[Head] = []
        self.differs: list[int] = []  # entries whose hash is not the one in its tile
        self.bad_tiles: list[tuple[str, Tile]] = []
        self.transcripts_bytes = 0
        self.protected = 0  # entries that a head from outside, or a signature, holds still
        beside = self.directory.read("vkey")
        self.beside = beside or b""

    def open(self, vkey: str | None) -> None:
        """Take the key, *vkey* or else the one beside the log, and what the checkpoint claims."""
        self.findings.log = self.name
        self.key = self._key(vkey)
        self.stored = self.directory.read("checkpoint")
        self.claimed = self._checkpoint(self.stored, self.key)
        self.size = self.claimed.head.size if self.claimed is not None else self.log.count()
        claims = self.claimed.origin if self.claimed else ""
        self.origin = self.key.name if self.key else claims
        self.witnessed.read(self.directory, self.key)

    def read(
        self,
        blobs: BlobCheck,
        removals: Removals,
        checks: Checks | None,
        progress: Callable[[int], None],
    ) -> None:
        """Read every entry; say all that can be said without the other logs and the blobs."""
        self.findings.log = self.name
        self.blobs, self.removals = blobs, removals
        removals.log(self.name)
        self.lives = Lives(
            self.findings,
            key=str(self.key) if self.key else None,
            origin=self.origin,
            blob=blobs.read,
            on_history=self._on_history,
            checks=checks,
        )
        self._read(self.size, progress)
        self.findings.muted = False
        self._root(self.claimed, self.stored)
        self._files(self.stored)
        self._tiles(self.stored)
        self.lives.finish()

    def finish(self, changed: set[str]) -> set[str]:
        """Name the entries that rest on *changed* blobs, and compare with heads from outside.

        Returns which of these blobs an entry of this log names.
        """
        self.findings.log = self.name
        named = self._rescan(changed, set(self.lives.duplicates()))
        self.protected = max([self._outside(), *self.lives.requests.seen_by.values()])
        return named

    # ---- key and checkpoint ----

    def _key(self, vkey: str | None) -> Key | None:
        beside = self.beside
        if vkey is not None:
            key = Key.parse(vkey)
            if beside != f"{key}\n".encode():
                self.findings.add("vkey-changed", None, f"{self.name}/vkey is not the key you gave")
            return key
        if not beside:
            self.findings.add(
                "vkey-missing", None, f"there is no {self.name}/vkey and no key was given"
            )
            return None
        try:
            key = Key.parse(beside.decode())
        except (MalformedNote, UnicodeDecodeError) as problem:
            self.findings.add("vkey-changed", None, f"{self.name}/vkey cannot be read: {problem}")
            return None
        if beside != f"{key}\n".encode():
            self.findings.add("vkey-changed", None, f"{self.name}/vkey is not one line")
        return key

    def _checkpoint(self, stored: bytes | None, key: Key | None) -> Checkpoint | None:
        """Return what the checkpoint claims, whoever signed it."""
        add = self.findings.add
        if stored is None:
            add("checkpoint-missing", None, "nothing says how many entries there must be")
            return None
        try:
            signed = Note.parse(stored)
            claimed = Checkpoint.parse(signed.text)
        except MalformedNote as problem:
            unsigned = stored.count("— ".encode()) == 0
            code = "checkpoint-unsigned" if unsigned else "checkpoint-malformed"
            add(code, None, f"the checkpoint cannot be read: {problem}")
            return None
        if key is not None:
            try:
                note.open_checkpoint(stored, key)
            except note.BadNoteSignature as problem:
                ids = {s.key_id for s in signed.signatures if s.name == key.name}
                if key.id in ids or claimed.origin != key.name:
                    add("checkpoint-bad-signature", None, str(problem))
                elif ids:
                    add("checkpoint-wrong-key", None, f"{problem}, but by {ids.pop().hex()}")
                else:
                    add("checkpoint-unknown-key", None, str(problem))
        return claimed

    # ---- lines ----

    def _read(self, size: int, progress: Callable[[int], None]) -> None:
        examiner = Examiner(self.directory.fd, self.blobs.directory, self.since)
        batches = examine(self.log.blocks(size), examiner, size, workers())
        with contextlib.closing(batches):
            for batch in batches:
                self.tree.extend(batch.leaves)
                for code, n, meaning in batch.said:
                    self.findings.add(code, n, meaning)
                for place, n in batch.misplaced:
                    self.order.take(place, n)
                self.bad_tiles += batch.bad_tiles
                self.differs += batch.differs[: _MOST - len(self.differs)]
                self.transcripts_bytes += batch.transcripts_bytes
                for sha, n, t in batch.missing:
                    self.removals.missing(sha, n, t)
                self.blobs.named(batch.before, before=True)
                self.blobs.named(batch.digests)
                for entry in batch.entries:
                    self._entry(entry)
                progress(self.tree.size)

    def _entry(self, entry: Mapping[str, Any]) -> None:
        trusted = entry["n"] < self.since
        self.findings.muted = self.lives.requests.trusted = trusted
        self.witnessed.entry(entry["n"], entry["t"])
        if entry["type"] == "ledger.recovered" and not trusted:
            self._recovered(entry)
        self.lives.take(entry)
        if entry["type"] == retention.TYPE and self.lives.removal_holds:
            self.removals.removed(entry)

    def _recovered(self, entry: Mapping[str, Any]) -> None:
        sha, n = entry["quarantine_sha256"], entry["n"]
        name = f"quarantine/{entry.get('first')}-{sha}"
        data = self.directory.read(name)
        if data is None or len(data) != entry["bytes"] or document.sha256(data) != sha:
            self.findings.add(
                "quarantine-changed", n, f"{self.name}/{name} is not what was put there"
            )
        self.findings.add("recovered", n, f"{entry['bytes']:,} bytes were never acknowledged")

    # ---- root ----

    def _moved(self, stored: bytes | None) -> bool:
        """Tell whether the broker has written while we read."""
        deadline = time.monotonic() + PATIENCE_S
        while self.directory.read("checkpoint") == stored:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)  # a round may be between its tiles and its checkpoint
        return True

    def _root(self, claimed: Checkpoint | None, stored: bytes | None) -> None:
        log, add = self.log, self.findings.add
        self.order.judge(self.findings)
        for name in log.overlong:
            add("file-too-long", None, f"{name} has more than {SPLIT:,} lines")
        if claimed is None:
            return
        if log.found < claimed.head.size:
            code = "cut-inside-record" if log.torn else "cut-at-record"
            add(
                code,
                log.found,
                f"the checkpoint covers {claimed.head.size:,} entries, {log.found:,} are there",
            )
        elif log.behind and not log.overlong and not self._moved(stored):
            add("unacknowledged-tail", None, f"{log.behind:,} bytes lie behind the checkpoint")
        if self.tree.root() != claimed.head.root:
            add("root-mismatch", None, "the entries do not have the root that was signed for them")
            if self._tile_root(claimed.head.size) == claimed.head.root:
                # The tiles are sound, so they say which entries are not.
                for n in self.differs:
                    add("entry-changed", n, "its hash is not the one in the tile under the root")
                self.bad_tiles = []

    def _tile_root(self, size: int) -> bytes | None:
        tree = Tree()
        for tile in tiles.needed(size):
            if tile.level == 0:
                data = self.directory.read(tile.path)
                if data is None or len(data) != tile.width * HASH:
                    return None
                tree.extend([data[i : i + HASH] for i in range(0, len(data), HASH)])
        return tree.root()

    def _on_history(self, size: int, root: bytes) -> bool:
        try:
            return self.tree.root(size) == root
        except (IndexError, ValueError):
            return False

    # ---- tiles ----

    def _tiles(self, stored: bytes | None) -> None:
        if not self.findings.has("root-mismatch"):
            for tile in tiles.needed(self.tree.size):
                if tile.level >= 1:
                    data = self.directory.read(tile.path)
                    if data is None:
                        self.bad_tiles.append(("tile-missing", tile))
                    elif data != tiles.hashes(self.tree, tile):
                        self.bad_tiles.append(("tile-wrong", tile))
        strays = []
        for path, plain in self.directory.walk("tile"):
            found = Tile.parse(path)
            if not plain or found is None or not tiles.belongs(found, self.tree.size):
                strays.append(path)
        if (strays or self.bad_tiles) and self._moved(stored):
            # Growing tiles were renamed under our eyes; full ones never change.
            self.bad_tiles = [(code, tile) for code, tile in self.bad_tiles if tile.width == WIDTH]
            strays = []
        for path in strays:
            self.findings.add("tile-stray", None, f"{path} is no tile of this log")
        for code, tile in self.bad_tiles:
            first = tile.index * WIDTH if tile.level <= 0 else None
            what = "is not there" if code == "tile-missing" else "is not what the entries give"
            self.findings.add(code, first, f"{tile.path} {what}")

    # ---- files ----

    def _files(self, stored: bytes | None) -> None:
        own = _OWN | {numbered(k) for k in range(self.tree.size // SPLIT)}
        strange = set(os.listdir(self.directory.fd)) - own
        if strange and self._moved(stored):
            strange -= {numbered(self.tree.size // SPLIT), *_PASSING}
        for name in sorted(strange):
            self.findings.add("stray-file", None, f"{self.name}/{name} is no file of a log")

    def _rescan(self, changed: set[str], duplicates: set[str]) -> set[str]:
        """Find the entries that name a changed blob, or use an id again.  Rare, so read again."""
        named: set[str] = set()
        if not changed and not duplicates:
            return named
        seen: set[str] = set()
        log = Log(self.directory)
        for block in log.blocks(self.tree.size):
            for n, line in enumerate(block, log.found - len(block)):
                text = line.decode("ascii", "replace")
                for sha in changed:
                    if sha in text:
                        named.add(sha)
                        code = "transcript-changed" if '"streams":' in text else "blob-changed"
                        self.findings.add(code, n, f"the bytes of blob {sha} have changed")
                if '"type":"command.submitted"' in text:
                    for id in [id for id in duplicates if f'"id":"{id}"' in text]:
                        if id in seen and '"joins":' not in text:
                            self.findings.add("command-duplicate", n, f"{id} was submitted before")
                        seen.add(id)
        return named

    # ---- heads from outside ----

    def _outside(self) -> int:
        protected = self.witnessed.judge(self.tree.size, self._on_history)
        for head in self.known_heads:
            if head.size > self.tree.size:
                self.findings.add(
                    "older-than-known-head",
                    None,
                    f"somebody saw {head.size:,} entries, and {self.tree.size:,} are left",
                )
            elif not self._on_history(head.size, head.root):
                self.findings.add(
                    "forked", None, f"the first {head.size:,} entries are not those somebody saw"
                )
            else:
                protected = max(protected, head.size)
        return protected
