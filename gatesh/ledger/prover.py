"""Making proofs from a log on disk, without asking the broker that writes it.

The lines are hashed again, once for any number of proofs.  Nothing is locked:
the checkpoint is read first, then the entries that it covers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gatesh.errors import NotFound, Tampered
from gatesh.ledger import note
from gatesh.ledger.findings import Findings
from gatesh.ledger.merkle import WIDTH, Head, Tree, leaf_hash
from gatesh.ledger.note import Checkpoint, Key, MalformedNote, Note
from gatesh.ledger.proof import Proof
from gatesh.ledger.reading import Directory, Log
from gatesh.ledger.witnessed import WHERE as WITNESS


class Prover:
    """A log as its checkpoint says it is.

    *ledger* is the directory of the log.  Raises `NotFound` when there is none and
    `Tampered` when the checkpoint is not signed by the key beside it or does not
    fit the entries: a log that does not verify proves nothing.
    """

    def __init__(self, ledger: Path) -> None:
        self._directory = Directory(ledger, Findings())
        self.checkpoint = self._directory.read("checkpoint") or b""
        vkey = self._directory.read("vkey") or b""
        try:
            self.key = Key.parse(vkey.decode())
            self.signed: Checkpoint = note.open_checkpoint(self.checkpoint, self.key)
        except (MalformedNote, note.BadNoteSignature, UnicodeDecodeError) as problem:
            self.close()
            raise Tampered(
                f"the checkpoint does not hold: {problem}", hint="run `gatesh audit`"
            ) from None
        self._log = Log(self._directory)
        self._tree = Tree(self._log.leaves)

    @property
    def head(self) -> Head:
        """Size and root that the checkpoint signs."""
        return self.signed.head

    def lines(self) -> Iterator[bytes]:
        """Yield every line the checkpoint covers, once; at the end the root is compared."""
        for block in self._log.blocks(self.head.size):
            self._tree.extend([leaf_hash(line) for line in block])
            yield from block
        if self._tree.head() != self.head:
            raise Tampered(
                "the entries do not have the root that was signed for them",
                hint="run `gatesh audit`",
            )

    def prove(self, n: int, checkpoint: bytes | None = None) -> Proof:
        """Return the proof of entry *n* under *checkpoint*, one of this log, or the newest.

        Raises `NotFound` when there is no such entry.
        """
        if not 0 <= n < self.head.size:
            raise NotFound(
                f"there is no entry {n:,}: the log has {self.head.size:,}, numbered from 0",
                hint="list entries with `gatesh log --json`",
            )
        self._whole()
        checkpoint = self.checkpoint if checkpoint is None else checkpoint
        path = self._tree.inclusion(n, note.open_checkpoint(checkpoint, self.key).head.size)
        line = self._log.lines(n // WIDTH, n % WIDTH + 1)[-1]
        proof = Proof(line, n, tuple(path), checkpoint)
        proof.check(self.key)
        return proof

    def cosigned(self) -> dict[str, bytes]:
        """Return the checkpoints that are kept of witnesses, by file; only what is of this log."""
        self._whole()
        found = {}
        for path, _ in self._directory.walk(WITNESS):
            data = self._directory.read(path, 1 << 20)
            try:
                head = note.open_checkpoint(data or b"", self.key).head
                if self._tree.root(head.size) == head.root:
                    found[path.rpartition("/")[2]] = data or b""
            except (MalformedNote, note.BadNoteSignature, IndexError):
                continue  # an audit says what is wrong with it
        return found

    def witnessed(self, n: int) -> bytes:
        """Return the newest checkpoint that covers entry *n* and that witnesses have cosigned.

        With the cosignatures of all that have signed it; the log's own newest if there is none.
        """
        notes = [Note.parse(data) for data in self.cosigned().values()]
        sizes = {signed.text: Checkpoint.parse(signed.text).head.size for signed in notes}
        text = max(sizes, key=lambda text: sizes[text], default="")
        if sizes.get(text, 0) <= n:
            return self.checkpoint
        signatures = [s for signed in notes if signed.text == text for s in signed.signatures]
        return Note(text, tuple(dict.fromkeys(signatures))).encode()

    def consistency(self, old: int) -> list[bytes]:
        """Return the proof that the log continues the one of *old* entries."""
        self._whole()
        return self._tree.consistency(old)

    def _whole(self) -> None:
        if self._tree.size == 0:
            for _ in self.lines():
                pass

    def between(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the lines of entries *start* up to but not including *end*, hashed before."""
        for block in range(start // WIDTH, -(-end // WIDTH)):
            first = block * WIDTH
            lines = self._log.lines(block, min(end - first, WIDTH))
            yield from lines[max(start - first, 0) :]

    def close(self) -> None:
        """Give the descriptor back."""
        self._directory.close()

    def __enter__(self) -> Prover:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
