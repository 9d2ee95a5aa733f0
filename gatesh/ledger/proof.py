"""One entry, provable without the rest of the log (https://c2sp.org/tlog-proof).

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry's line, without its newline>
    index 41902
    <base64 hash>             the inclusion proof, from the leaf's sibling up
    …

    <the checkpoint, verbatim>

The specification leaves to the application how the leaf is made: here it is
`SHA-256(0x00 || extra)`, so what stands in `extra` is proven and not just carried.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gatesh.ledger import cosign, entry, note
from gatesh.ledger.cosign import Cosigned, WitnessKey
from gatesh.ledger.entry import LIMIT, MalformedEntry
from gatesh.ledger.merkle import HASH, leaf_hash, verify_inclusion
from gatesh.ledger.note import BadNoteSignature, Checkpoint, Key, MalformedNote

HEADER: Final = "c2sp.org/tlog-proof@v1"
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_LARGEST: Final = 4 * LIMIT  # the entry in base64, 63 hashes, a checkpoint with its witnesses


class BadProof(ValueError):
    """The bytes are no proof, or prove something else."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry's line, its index, the path to the root, and the checkpoint that signs it."""

    line: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        lines = [HEADER, f"extra {_text(self.line)}", f"index {self.index}"]
        lines += [_text(step) for step in self.path]
        return ("\n".join(lines) + "\n\n").encode("ascii") + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Take a proof apart without judging it; raise `BadProof` for any other spelling."""
        if len(data) > _LARGEST:
            raise BadProof("too large for the proof of one entry")
        top, gap, checkpoint = data.partition(b"\n\n")
        try:
            header, extra, index, *path = top.decode("ascii").split("\n")
        except (UnicodeDecodeError, ValueError):
            raise BadProof(f"not a proof: {HEADER} and two more lines expected") from None
        if header != HEADER or not gap:
            raise BadProof(f"not a proof: it does not begin with {HEADER}")
        if not extra.startswith("extra "):
            raise BadProof("it does not carry the entry it is about")
        number = index.removeprefix("index ")
        if index == number or not _DECIMAL.fullmatch(number):
            raise BadProof("its third line is not `index` and a number")
        steps = tuple(_bytes(step) for step in path)
        if any(len(step) != HASH for step in steps):
            raise BadProof("a step of the path is not 32 bytes")
        return cls(_bytes(extra.removeprefix("extra ")), int(number), steps, checkpoint)

    def claimed_origin(self) -> str:
        """Return which log the proof says it is about; `check` tells whether that is so."""
        try:
            return Checkpoint.parse(note.Note.parse(self.checkpoint).text).origin
        except MalformedNote as problem:
            raise BadProof(f"its checkpoint cannot be read: {problem}") from None

    def check(self, key: Key) -> tuple[Checkpoint, dict[str, Any]]:
        """Return the signed checkpoint and the entry; raise `BadProof` unless all of it holds."""
        try:
            checkpoint = note.open_checkpoint(self.checkpoint, key)
        except BadNoteSignature as problem:
            raise BadProof(f"its checkpoint is not this log's: {problem}") from None
        except MalformedNote as problem:
            raise BadProof(f"its checkpoint cannot be read: {problem}") from None
        if not verify_inclusion(leaf_hash(self.line), self.index, checkpoint.head, self.path):
            raise BadProof("the entry is not at this index under the signed root")
        try:
            found = entry.decode(self.line)
        except MalformedEntry as problem:
            raise BadProof(f"the entry is in the log, and cannot be read: {problem}") from None
        if found["n"] != self.index:
            raise BadProof(f"the entry says to be entry {found['n']}")
        return checkpoint, found

    def cosignatures(self, key: Key, witnesses: Iterable[WitnessKey]) -> list[Cosigned]:
        """Return what those of *witnesses* who have signed say; raise `BadProof` for a false one.

        *key* is the log's.
        """
        found = []
        signers = {(s.name, s.key_id) for s in note.Note.parse(self.checkpoint).signatures}
        for witness in witnesses:
            if (witness.name, witness.id) in signers:
                try:
                    found.append(cosign.read(self.checkpoint, key, witness))
                except BadNoteSignature as problem:
                    raise BadProof(f"the cosignature of {witness.name}: {problem}") from None
        return found


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadProof("a line is not base64") from None
    # One value, one encoding.
    if _text(data) != text:
        raise BadProof("base64 with stray bits")
    return data
