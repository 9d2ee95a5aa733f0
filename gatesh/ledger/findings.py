"""What an audit can find: one code for each kind of damage, with what to do about it.

`error` means the log does not prove what it should; `warning` wants a person's
eye; `info` is said for completeness.  Only errors make a report not ok.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

Severity = Literal["error", "warning", "info"]
_EACH: Final = 100  # findings of one code that are listed; the rest is counted

_RESTORE = "restore the log from a backup and compare it with the heads that approvers remember"
_ASK = "ask the people named, and keep a copy of the log as it is now"
_FORGED = "treat every entry after the last agreed head as unproven; look for who holds the key"
_TILES = "tiles are derived: remove ledger/tile and restart the broker, which writes them again"
_BROKER = "a gatesh broker does not write this: find out which program did"
_BLOBS = "restore the file from a backup; its name is its SHA-256"

CODES: Final[Mapping[str, tuple[Severity, str]]] = {
    # the checkpoint
    "checkpoint-missing": ("error", _RESTORE),
    "checkpoint-malformed": ("error", _RESTORE),
    "checkpoint-unsigned": ("error", _RESTORE),
    "checkpoint-wrong-key": ("error", _FORGED),
    "checkpoint-unknown-key": ("error", "check that this is the log you mean to audit"),
    "checkpoint-bad-signature": ("error", _RESTORE),
    "vkey-missing": ("error", "give the log's key with --vkey; approvers' clients remember it"),
    "vkey-changed": ("error", _FORGED),
    "key-unconfirmed": ("info", "give --vkey with the key that an approver remembers"),
    # against heads from outside
    "older-than-known-head": ("error", _FORGED),
    "forked": ("error", _FORGED),
    # against witnesses
    "cosignature-invalid": ("error", "ask the witness for its own copy and give it with --head"),
    "unwitnessed": ("error", "see `gatesh broker status` for why the witnesses were not reached"),
    "witness-clock": ("warning", "compare with the machine's time service; the order still holds"),
    "witness-unknown": ("info", "give its key with --witness if it is one that you trust"),
    "witness-unconfirmed": ("info", "give --witness with the keys that the witnesses publish"),
    # the journal
    "root-mismatch": ("error", _RESTORE),
    "cut-at-record": ("error", _RESTORE),
    "cut-inside-record": ("error", _RESTORE),
    "entries-missing": ("error", _RESTORE),
    "entry-changed": ("error", _RESTORE),
    "entry-malformed": ("error", _RESTORE),
    "entry-duplicated": ("error", _RESTORE),
    "entries-reordered": ("error", _RESTORE),
    "entry-misnumbered": ("error", _BROKER),
    "file-too-long": ("error", "a full file of the log is final: restore it from a backup"),
    "unacknowledged-tail": ("info", "the broker moves them to quarantine/ when it starts"),
    "stray-file": ("warning", "look at it; nothing in ledger/ but the log's own files is its"),
    "not-a-file": ("error", "somebody put a link or device in place of a file of the log"),
    # tiles
    "tile-missing": ("warning", _TILES),
    "tile-wrong": ("error", _TILES),
    "tile-stray": ("warning", _TILES),
    # entries by themselves
    "entry-shape": ("error", _BROKER),
    "script-mismatch": ("error", _BROKER),
    "back-dated": ("error", "entries were written with a false time; see who could set it"),
    "clock-step": ("warning", "compare with the machine's time service; the order still holds"),
    "silence": ("warning", "find out whether the machine slept or the broker was stopped"),
    "wrong-log": ("error", "the entries belong to another log: they were copied here"),
    "entry-after-close": ("error", _BROKER),
    # logs that follow one another
    "log-missing": ("error", "restore its directory: somebody has seen that log of this machine"),
    "log-unclosed": ("error", _FORGED),
    "closed-while-open": ("error", _BROKER),
    "predecessor-missing": ("error", "restore the log that came before from a backup"),
    "predecessor-other": ("error", _FORGED),
    "successor-missing": ("error", "start the broker if it never ran since; else restore ledger/"),
    "successor-other": ("error", _FORGED),
    "two-successors": ("error", _FORGED),
    "law-not-inherited": ("error", _ASK),
    # what was law, and who said so
    "law-unapproved": ("error", _ASK),
    "law-not-as-approved": ("error", _ASK),
    "law-edited": ("info", "find out who edits the files; only what is approved is obeyed"),
    "first-use": ("info", "ask the people in it whether this is the law they meant"),
    # the life of the broker
    "log-open": ("info", "nothing to do: the log is in use"),
    "recovered": ("info", "lines that were never acknowledged lie in ledger/quarantine"),
    "quarantine-changed": ("warning", "the quarantined bytes are not the ones recorded"),
    "unclean-stop": ("warning", "look for commands that were lost at that time"),
    "stop-unrecorded": ("warning", "the broker said it stopped cleanly, and no entry shows it"),
    # requests and decisions
    "command-duplicate": ("error", _BROKER),
    "request-duplicate": ("error", _BROKER),
    "request-unknown": ("error", _BROKER),
    "request-mismatch": ("error", _BROKER),
    "request-state": ("error", _BROKER),
    "decision-without-request": ("error", _ASK),
    "decision-mismatch": ("error", _ASK),
    "decision-invalid": ("error", _ASK),
    "decision-forked-log": ("error", _FORGED),
    "self-approval": ("error", _ASK),
    "reviewed-too-late": ("error", _ASK),
    # what one person has started alone
    "override-invalid": ("error", _ASK),
    "override-unreviewed": (
        "error",
        "somebody else has to look at it: gatesh review ID -m TEXT",
    ),
    "review-invalid": ("error", _ASK),
    "override-reviewed-late": ("warning", "overrides are to be reviewed within three days"),
    "roster-missing": ("error", _BROKER),
    "policy-unknown": ("error", _BROKER),
    "signatures-unchecked": ("warning", "run the audit with gatesh's own checks"),
    # runs
    "start-unknown": ("error", _ASK),
    "start-twice": ("error", _ASK),
    "start-denied": ("error", _ASK),
    "start-without-approval": ("error", _ASK),
    "start-other-script": ("error", _ASK),
    "start-too-late": ("error", _ASK),
    "start-drifted": ("error", _ASK),
    "finish-without-start": ("error", _BROKER),
    "within-unknown": ("error", _BROKER),
    "unfinished-command": ("warning", "nobody knows how it ended; look for traces of it"),
    "still-running": ("info", "run the audit again when it has finished"),
    # blobs
    "transcript-missing": ("error", _BLOBS),
    "transcript-changed": ("error", _BLOBS),
    "transcripts-removed": ("info", "by the approved act that is named; proofs hold without them"),
    "removal-unapproved": ("error", _ASK),
    "removal-too-wide": ("error", _ASK),
    "blob-missing": ("error", _BLOBS),
    "blob-changed": ("error", _BLOBS),
    "blob-extra": ("warning", "no entry names it: it is the rest of a crash, or was put there"),
    # the report itself
    "more": ("info", "see the first findings of this kind"),
}


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing an audit has to say.  `index` is the entry it is about, None for none."""

    code: str
    index: int | None
    meaning: str
    advice: str
    severity: Severity
    log: str = ""  # the directory of the log it is about; "" for blobs, and for all logs


class Said(Protocol):
    """Takes findings."""

    def add(self, code: str, index: int | None, meaning: str) -> None: ...


class Findings:
    """Collects findings; the first hundred of each code are kept, the others counted."""

    def __init__(self) -> None:
        self._found: list[AuditFinding] = []
        self._count: Counter[str] = Counter()
        self._of_log: set[tuple[str, str]] = set()
        self.log = ""  # the directory of the log that is looked at
        self.muted = False  # while entries pass by that an earlier audit has judged

    def add(self, code: str, index: int | None, meaning: str) -> None:
        """Note one finding; *code* must be in `CODES`."""
        if self.muted:
            return
        severity, advice = CODES[code]
        self._count[code] += 1
        self._of_log.add((self.log, code))
        if self._count[code] <= _EACH:
            self._found.append(AuditFinding(code, index, meaning, advice, severity, self.log))

    def has(self, code: str) -> bool:
        """Tell whether there is a finding of *code* about the log that is looked at."""
        return (self.log, code) in self._of_log

    def result(self) -> tuple[AuditFinding, ...]:
        """Return everything found: errors first, then by entry."""
        rank = {"error": 0, "warning": 1, "info": 2}
        found = list(self._found)
        for code, count in self._count.items():
            if count > _EACH:
                severity, advice = CODES["more"]
                more = f"{count - _EACH:,} further findings of the kind {code}"
                found.append(AuditFinding("more", None, more, advice, severity))
        return tuple(
            sorted(
                found,
                key=lambda f: (rank[f.severity], f.log, -1 if f.index is None else f.index),
            )
        )

    @property
    def ok(self) -> bool:
        """True when nothing found is an error."""
        return not any(CODES[code][0] == "error" for code in self._count)
