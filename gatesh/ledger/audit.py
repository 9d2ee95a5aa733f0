"""The audit of everything: each log by itself, how they follow one another, and the blobs.

    each log → the links between them → blobs → what was removed → heads from outside

Nothing is locked and nothing written, so it can run beside the broker.  Memory does not
grow with the logs but for some 20 bytes per entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatesh.errors import NotFound
from gatesh.ledger import lineage, succession
from gatesh.ledger.blobcheck import BlobCheck
from gatesh.ledger.checks import Checks
from gatesh.ledger.cosign import Cosigned
from gatesh.ledger.findings import AuditFinding, Findings
from gatesh.ledger.merkle import Head
from gatesh.ledger.note import Checkpoint
from gatesh.ledger.onelog import OneLog
from gatesh.ledger.retention import Removals
from gatesh.ledger.witnessed import Terms

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class LogReport:
    """One log of several.  `head` is the one computed, not the one claimed."""

    name: str  # of its directory
    origin: str
    head: Head
    seen_by: Mapping[str, int]
    protected_until: int
    checkpoint: bytes  # as it was stored
    witnesses: tuple[Cosigned, ...]  # what each has seen


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found.

    `logs` are all of them, the newest last; `origin`, `head`, `seen_by`, `protected_until`
    and `checkpoint` are those of the newest, the counts those of all together.
    `protected_until` is the size up to which a second person's signature, a witness or a
    head from outside holds the history still; the `unprotected` entries are protected only by the
    machine that writes them.  `since` entries were taken as verified before.
    """

    ok: bool
    logs: tuple[LogReport, ...]
    entries: int
    requests: int
    signatures: int
    transcripts_bytes: int
    findings: tuple[AuditFinding, ...]
    unprotected: int = 0
    since: int = 0
    seen_by: Mapping[str, int] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The name of the newest log."""
        return self.logs[-1].origin

    @property
    def head(self) -> Head:
        """The head of the newest log."""
        return self.logs[-1].head

    @property
    def protected_until(self) -> int:
        """The size up to which somebody outside holds the newest log still."""
        return self.logs[-1].protected_until

    @property
    def witnesses(self) -> tuple[Cosigned, ...]:
        """What each witness has seen of the newest log."""
        return self.logs[-1].witnesses

    @property
    def checkpoint(self) -> bytes:
        """The checkpoint of the newest log, as it was stored."""
        return self.logs[-1].checkpoint


def audit(
    state: Path,
    *,
    vkey: str | None = None,
    known_heads: Sequence[Head | Checkpoint] = (),
    checks: Checks | None = None,
    progress: Progress | None = None,
    since: Head | Checkpoint | None = None,
    witnesses: Terms = Terms(),  # noqa: B008 - frozen
) -> Report:
    """Audit the logs and blobs in the directory *state*.

    *vkey* is the key of one of the logs as somebody outside remembers it (the links carry
    it to the others); without it those that lie beside the logs are taken, and the report
    says so.  *known_heads* are heads that were seen before, of the newest log or of the
    one they name.  *checks* verifies decisions; without it they are only compared.
    *since* is the head of an audit that found nothing: the entries before it must be
    unchanged, and are otherwise taken as that audit left them; their signatures and blobs
    are not read again.  *witnesses* are those whose cosignatures count.  Raises `NotFound`
    when there is no log at all.
    """
    findings = Findings()
    logs = _open(Path(state), findings, witnesses)
    try:
        return _audit(logs, Path(state), findings, vkey, known_heads, checks, progress, since)
    finally:
        for log in logs:
            log.directory.close()


def _open(state: Path, findings: Findings, witnesses: Terms) -> list[OneLog]:
    while True:
        directories = succession.logs(state)
        logs: list[OneLog] = []
        try:
            for directory in directories:
                logs.append(OneLog(directory, findings, witnesses))
        except NotFound:
            directories = []  # put away under our eyes
        if not logs and not succession.logs(state):
            raise NotFound(f"there is no log in {state / 'ledger'}", hint="see `gatesh doctor`")
        if directories == succession.logs(state):
            return logs
        for log in logs:
            log.directory.close()


def _audit(
    logs: list[OneLog],
    state: Path,
    findings: Findings,
    vkey: str | None,
    known_heads: Sequence[Head | Checkpoint],
    checks: Checks | None,
    progress: Progress | None,
    since: Head | Checkpoint | None,
) -> Report:
    _open_all(logs, vkey, findings)
    if since is not None:
        _trust(logs, since)
    for known in [*known_heads, *([since] if since else [])]:
        _hand_over(logs, known, findings)
    blobs, removals = BlobCheck(state / "blobs", findings), Removals()
    total, done = sum(log.size for log in logs), 0
    for log in logs:
        log.read(blobs, removals, checks, _moved(progress, done, total))
        done += log.tree.size
    lineage.judge(logs, findings)
    findings.log = ""
    changed = set(blobs.finish())
    unnamed = set(changed)  # by entries: a document that one names, names them
    removals.judge(findings)
    for log in logs:
        unnamed -= log.finish(changed)
    findings.log = ""
    for sha in sorted(unnamed):
        findings.add("blob-changed", None, f"the bytes of {sha}, which a request names, changed")
    reports = tuple(
        LogReport(
            log.name,
            log.origin,
            log.tree.head(),
            dict(sorted(log.lives.requests.seen_by.items())),
            log.protected,
            log.stored or b"",
            tuple(log.witnessed.seen),
        )
        for log in logs
    )
    requests = [log.lives.requests for log in logs]
    return Report(
        findings.ok,
        reports,
        sum(log.tree.size for log in logs),
        sum(found.count for found in requests),
        sum(found.signatures for found in requests),
        sum(log.transcripts_bytes for log in logs),
        findings.result(),
        _unprotected(logs),
        sum(min(log.since, log.tree.size) for log in logs),
        reports[-1].seen_by,
    )


def _moved(progress: Progress | None, before: int, total: int) -> Callable[[int], None]:
    if progress is None:
        return lambda size: None
    return lambda size: progress(before + size, total)


def _open_all(logs: list[OneLog], vkey: str | None, findings: Findings) -> None:
    """Open each log with its key: *vkey* is for the log that has it, else for the newest."""
    given = None if vkey is None else f"{vkey}\n".encode()
    whose = next((log for log in logs if log.beside == given), logs[-1])
    for log in logs:
        log.open(vkey if log is whose else None)
    if vkey is None and logs[-1].key is not None:
        findings.add("key-unconfirmed", None, "the key was taken from the log's own directory")


def _named(logs: list[OneLog], known: Head | Checkpoint) -> OneLog | None:
    if isinstance(known, Head):
        return logs[-1]
    return next((log for log in logs if log.origin == known.origin), None)


def _trust(logs: list[OneLog], since: Head | Checkpoint) -> None:
    """Whoever has verified a head of one log has verified all the logs before it."""
    ours = _named(logs, since)
    if ours is None:
        return
    for log in logs[: logs.index(ours)]:
        log.since = log.size
    ours.since = since.size if isinstance(since, Head) else since.head.size


def _hand_over(logs: list[OneLog], known: Head | Checkpoint, findings: Findings) -> None:
    log = _named(logs, known)
    if log is not None:
        log.known_heads.append(known if isinstance(known, Head) else known.head)
    elif isinstance(known, Checkpoint):
        findings.log = ""
        findings.add(
            "log-missing",
            None,
            f"somebody saw {known.head.size:,} entries of {known.origin}, and it is not here",
        )


def _unprotected(logs: list[OneLog]) -> int:
    """Count the entries that nobody outside holds still: a head holds all logs before its own."""
    count = 0
    for log in reversed(logs):
        if log.protected:
            return count + log.tree.size - log.protected
        count += log.tree.size
    return count
