"""The files of a report, read as carefully as if a stranger had made them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gatesh import __version__, document
from gatesh.evidence.story import Command, Entry
from gatesh.ledger import entry

MADE_BY: Final = f"gatesh {__version__}"
TYPE: Final = "gatesh/report/v1"
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
NAMESPACE: Final = "report.v1@gatesh"  # of that signature, an SSHSIG
_LARGEST: Final = 1 << 31


def signed(c: Command) -> set[str]:
    """Return the digests of what was asked and answered of *c*."""
    named = {
        *c.requests,
        *(sha for a in c.answers for sha in (a.decision_sha256, a.signature_sha256)),
    }
    return named - {""}


class Kept:
    """The blobs of a report, each checked against its name."""

    def __init__(self, report: Path) -> None:
        self._directory = report / "blobs"

    def __call__(self, sha: str) -> bytes | None:
        if len(sha) != 64 or not sha.isalnum():
            return None
        try:
            data = (self._directory / sha).read_bytes()
        except FileNotFoundError:
            return None
        return data if document.sha256(data) == sha else None


def lines(report: Path) -> Iterator[bytes]:
    """Yield the lines of `entries.jsonl`, without their newlines."""
    with (report / "entries.jsonl").open("rb") as file:
        for line in file:
            yield line.removesuffix(b"\n")


def entries(report: Path) -> Iterator[Entry]:
    """Yield its entries."""
    return map(entry.decode, lines(report))


def digests(report: Path) -> dict[str, str]:
    """Return the SHA-256 of every file but the list and its signature; no link is followed."""
    found = {}
    for above, _, names in os.walk(report):
        for name in names:
            path = Path(above) / name
            relative = str(path.relative_to(report))
            if relative in (SUMS, SIGNATURE):
                continue
            if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
                found[relative] = "not a plain file"
                continue
            with path.open("rb") as file:
                found[relative] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
