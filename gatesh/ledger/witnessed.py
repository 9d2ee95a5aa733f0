"""Auditing what witnesses have signed: which heads, when, and whether they are of this log.

`ledger/witness/<key id>` holds the newest checkpoint that the witness with this key
has cosigned.  Whoever rewrites the log can remove these files and cannot make them.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gatesh.document import moment
from gatesh.ledger import cosign
from gatesh.ledger.cosign import Cosigned, WitnessKey
from gatesh.ledger.findings import Findings
from gatesh.ledger.note import BadNoteSignature, Key, MalformedNote, Note
from gatesh.ledger.reading import Directory

WHERE: Final = "witness"
DAY_S: Final = 86_400.0
_SLACK_S: Final = 300.0  # by which two honest clocks may differ

OnHistory = Callable[[int, bytes], bool]


def file_name(key: WitnessKey) -> str:
    """Return the name of the file for *key*, within `WHERE`."""
    return key.id.hex()


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of witnesses, and asked of them.

    *keys* of those that count; *confirmed* when they come from elsewhere than the
    machine of the log.  At least *need* of them must have seen every entry that is
    older, by the clock of the log, than *within_s*.  *notes* are cosigned checkpoints
    from outside.
    """

    keys: Sequence[WitnessKey] = ()
    need: int = 0
    within_s: float = DAY_S
    notes: Sequence[bytes] = ()
    confirmed: bool = True


class Witnessed:
    """Collects cosigned heads before the entries are read, and judges them after."""

    def __init__(self, terms: Terms, findings: Findings) -> None:
        self.terms, self.findings = terms, findings
        self.found: dict[WitnessKey, Cosigned] = {}
        self.seen: list[Cosigned] = []  # of it, what `judge` has found to be of this log
        self._at: dict[int, str | None] = {}  # times of the entries that matter
        self._last = ""

    def read(self, directory: Directory, log: Key | None) -> None:
        """Read what is kept in *directory* and what was given."""
        kept = {path: directory.read(path, 1 << 20) for path, _ in directory.walk(WHERE)}
        for path, data in sorted(kept.items()):
            if data is not None and not path.endswith(".tmp"):
                self._take(data, log, path)
        for data in self.terms.notes:
            if log is None or cosign.is_about(data, log):
                self._take(data, log, None)
        if self.found and not self.terms.confirmed:
            self.findings.add(
                "witness-unconfirmed", None, "the keys of witnesses were taken from these settings"
            )
        sizes = sorted((seen.head.size for seen in self.found.values()), reverse=True)
        for size in sizes:
            self._at[size - 1] = None
        need = self.terms.need
        self.covered = sizes[need - 1] if 0 < need <= len(sizes) else 0  # by so many
        self._at[self.covered] = None

    def _take(self, data: bytes, log: Key | None, path: str | None) -> None:
        """Take the cosignatures in *data*; from a file of ours (*path*) there must be one."""
        try:
            signers = {(s.name, s.key_id) for s in Note.parse(data).signatures}
        except MalformedNote as problem:
            self.findings.add("cosignature-invalid", None, f"{path or 'a head'}: {problem}")
            return
        known = [key for key in self.terms.keys if (key.name, key.id) in signers]
        if not known and path is not None:
            self.findings.add("witness-unknown", None, f"{path}: by nobody whose key is known")
        for key in known:
            if log is None:
                return
            try:
                seen = cosign.read(data, log, key)
            except (MalformedNote, BadNoteSignature) as problem:
                self.findings.add(
                    "cosignature-invalid", None, f"{path or f'head of {key.name}'}: {problem}"
                )
                continue
            if key not in self.found or seen.head.size > self.found[key].head.size:
                self.found[key] = seen

    def entry(self, n: int, t: str) -> None:
        """Note the time of entry *n*."""
        if n in self._at:
            self._at[n] = t
        self._last = t

    def judge(self, size: int, on_history: OnHistory) -> int:
        """Judge what was found against the *size* entries; return how many are witnessed."""
        protected = 0
        for seen in sorted(self.found.values(), key=lambda seen: (seen.key.name, seen.key.id)):
            head, name = seen.head, seen.key.name
            if head.size > size:
                self.findings.add(
                    "older-than-known-head",
                    None,
                    f"the witness {name} saw {head.size:,} entries, and {size:,} are left",
                )
            elif not on_history(head.size, head.root):
                self.findings.add(
                    "forked", None, f"the first {head.size:,} entries are not those {name} saw"
                )
            else:
                protected = max(protected, head.size)
                self.seen.append(seen)
                self._clock(seen)
        self._need()
        return protected

    def _clock(self, seen: Cosigned) -> None:
        written = self._at.get(seen.head.size - 1)
        if written is None:
            return
        ahead = moment(written).timestamp() - seen.time
        if ahead > _SLACK_S:
            self.findings.add(
                "witness-clock",
                seen.head.size - 1,
                f"{seen.key.name} saw this entry {ahead:,.0f} s before the time that it gives",
            )

    def _need(self) -> None:
        first = self._at.get(self.covered)
        if not self.terms.need or first is None:
            return
        waited = (moment(self._last) - moment(first)) / datetime.timedelta(seconds=1)
        if waited > self.terms.within_s:
            self.findings.add(
                "unwitnessed",
                self.covered,
                f"fewer than {self.terms.need} witnesses have seen the entries from here on, and"
                f" the log goes on for {waited / 3600:,.1f} h",
            )
