"""Which transcripts may go: those that only old entries name, and nothing else does.

A blob is named by its content, so what a command printed long ago may also be what one
printed today, or a file that an approver was shown.  Such a blob stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gatesh import document
from gatesh.errors import NotFound
from gatesh.ledger import entry, succession
from gatesh.ledger.prover import Prover
from gatesh.ledger.retention import TYPE

_DIGEST: Final = re.compile(rb'"([0-9a-f]{64})"')
_REQUEST: Final = re.compile(rb'"request_sha256":"([0-9a-f]{64})"')
_ASKS: Final = (b'"type":"request.opened"', b'"type":"request.revised"')
_REMOVED: Final = b'"type":"%s"' % TYPE.encode()

Blob = Callable[[str], bytes]


def removable(state: Path, before: datetime, blob: Blob) -> dict[str, int]:
    """Return the transcripts that entries older than *before* name, digest → bytes.

    Left out is what any other entry names, or a request (*blob* returns its document):
    files that approvers were shown, scripts, rules.  Every line is hashed again: raises
    `Tampered` when a log does not have the root that was signed for it.
    """
    limit = document.stamp(before)
    found: dict[str, int] = {}
    for line in _lines(state):
        if b'"streams":' in line and (one := _old(line, limit)) is not None:
            found.update(entry.kept_blobs(one))
    for line in _lines(state):
        if _REMOVED in line or (b'"streams":' in line and _old(line, limit) is not None):
            continue
        for sha in _DIGEST.findall(line):
            found.pop(sha.decode(), None)
        if any(word in line for word in _ASKS):
            for sha in _named_by_request(line, blob):
                found.pop(sha, None)
    return found


def removals(state: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every removal there was: the directory of its log, and its entry."""
    for directory in succession.logs(state):
        with closing(Prover(directory)) as log:
            for line in log.lines():
                if _REMOVED in line:
                    one = entry.decode(line)
                    if one["type"] == TYPE:
                        yield directory.name, one


def _lines(state: Path) -> Iterator[bytes]:
    for directory in succession.logs(state):
        with closing(Prover(directory)) as log:
            yield from log.lines()


def _old(line: bytes, limit: str) -> dict[str, Any] | None:
    """Return the entry if it is the record of a run that is older than *limit*."""
    one = entry.decode(line, canonical=False)
    old = document.moment(one["t"]) < document.moment(limit)
    return one if old and "streams" in one and not entry.faults(one) else None


def _named_by_request(line: bytes, blob: Blob) -> Iterator[str]:
    for sha in _REQUEST.findall(line):
        try:
            data = blob(sha.decode())
        except NotFound:
            continue
        yield from (named.decode() for named in _DIGEST.findall(data))
