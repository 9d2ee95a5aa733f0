"""What a witness says of a checkpoint, and how it is asked (C2SP tlog-witness, tlog-cosignature).

A witness follows a log from head to head and signs only what continues the head it
signed before, with the time at which it did:

    — witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHe…

    key id      4 bytes     SHA-256(name || 0x0A || 0x04 || public key)[:4]
    time        8 bytes     seconds since 1970, big-endian
    signature  64 bytes     Ed25519 of "cosignature/v1\\ntime <seconds>\\n" || the three lines

Cosignatures by ML-DSA-44 keys (0x06) are not read; witnesses may give both.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from gatesh.ledger import note
from gatesh.ledger.merkle import Head
from gatesh.ledger.note import Key, MalformedNote, Note

LONGEST_PROOF: Final = 63
_TIME: Final = 8
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,17})\n")


class WitnessKey(Key):
    """The key of a witness, written `name+<8 hex>+<base64 of 0x04 and 32 bytes>`."""

    __slots__ = ()
    kind: ClassVar[int] = 0x04

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Tell whether *signature*, with its time in front, is this witness's for *text*."""
        time = int.from_bytes(signature[:_TIME])
        if len(signature) != _TIME + 64 or not 0 < time < 1 << 63:
            return False
        said = b"cosignature/v1\ntime %d\n" % time + text
        return Key.verify(self, said, signature[_TIME:])


@dataclass(frozen=True, slots=True)
class Cosigned:
    """That the witness *key* saw *head* at *time*, in seconds since 1970."""

    key: WitnessKey
    head: Head
    time: int


def read(data: bytes, log: Key, witness: WitnessKey) -> Cosigned:
    """Check the checkpoint *data* of *log* and the cosignature of *witness* on it.

    Raises `MalformedNote` or `BadNoteSignature`.
    """
    head = note.open_checkpoint(data, log).head
    signature = Note.parse(data).check(witness)
    return Cosigned(witness, head, int.from_bytes(signature.body[:_TIME]))


def is_about(data: bytes, log: Key) -> bool:
    """Tell whether the checkpoint *data* says to be one of *log*, before it is checked."""
    return data.partition(b"\n")[0] == log.name.encode()


# ---- asking ------------------------------------------------------------------


def add_checkpoint(old: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return what is posted to `<prefix>/add-checkpoint`: *proof* leads from *old* entries on."""
    if len(proof) > LONGEST_PROOF:
        raise ValueError("no log is so large that its proof has more than 63 steps")
    lines = [b"old %d\n" % old, *(base64.b64encode(step) + b"\n" for step in proof), b"\n"]
    return b"".join(lines) + checkpoint


def take_answer(checkpoint: bytes, answer: bytes, log: Key, witness: WitnessKey) -> bytes:
    """Return *checkpoint* with the signatures of *log* and of *witness*, which *answer* brought.

    Signatures of others are left out.  Raises `MalformedNote` or `BadNoteSignature`.
    """
    whole = Note.parse(checkpoint + answer)
    kept = Note(whole.text, (whole.check(log), whole.check(witness))).encode()
    read(kept, log, witness)
    return kept


def take_conflict(answer: bytes) -> int:
    """Return the size that a witness says (409) it has seen; raise `MalformedNote`."""
    found = _SIZE.fullmatch(answer)
    if found is None:
        raise MalformedNote("no size in the answer")
    return int(found[1])
