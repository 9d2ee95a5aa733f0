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
from gatesh.ledger.note import Checkpoint, Key, MalformedNote
from gatesh.ledger.proof import Proof
from gatesh.ledger.reading import Directory, Log


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

    def prove(self, n: int) -> Proof:
        """Return the proof of entry *n*; raise `NotFound` when there is no such entry."""
        if not 0 <= n < self.head.size:
            raise NotFound(
                f"there is no entry {n:,}: the log has {self.head.size:,}, numbered from 0",
                hint="list entries with `gatesh log --json`",
            )
        self._whole()
        path = self._tree.inclusion(n)
        line = self._log.lines(n // WIDTH, n % WIDTH + 1)[-1]
        proof = Proof(line, n, tuple(path), self.checkpoint)
        proof.check(self.key)
        return proof

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
