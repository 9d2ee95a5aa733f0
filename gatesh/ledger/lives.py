"""The lives of commands, requests and the broker, retold from entries alone.

Written against `formats.md` §2-3 and not against the gate that writes the
entries: what the two disagree about is a finding.  Pure; memory grows with
requests, not with commands.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from gatesh import document
from gatesh.ledger.alone import Overrides
from gatesh.ledger.checks import Checks
from gatesh.ledger.findings import Findings
from gatesh.ledger.law import Laws
from gatesh.ledger.requests import SLACK, Requests

Entry = Mapping[str, Any]

_MOST_ENDED: Final = 10_000  # commands that are remembered for a moment after their end
_SILENCE: Final = timedelta(minutes=75)  # a heartbeat is due after an hour without entries


class Lives:
    """Takes every entry of a log in order and notes what could not have happened."""

    def __init__(
        self,
        findings: Findings,
        *,
        key: str | None,
        origin: str,
        blob: Callable[[str, int], bytes | None],
        on_history: Callable[[int, bytes], bool],
        checks: Checks | None,
    ) -> None:
        self._findings = findings
        self._key, self._origin = key, origin
        self.requests = Requests(findings, origin, blob, on_history, checks)
        self.laws = Laws(findings, self.requests, checks)
        self.overrides = Overrides(findings, self.requests, origin, blob, on_history, checks)
        self._last: str | None = None
        self._last_type = ""
        self._policies: set[str] = set()
        self._rosters: set[str] = set()
        self._submitted: dict[str, tuple[str, str]] = {}  # id → verdict, script
        self._running: dict[str, int] = {}  # id → index of its start
        self._ids = [array("Q") for _ in range(64)]  # every id submitted, for duplicates
        self._up: int | None = None  # index of the broker.started that runs
        self._brokers = 0
        self.opened = False  # by a sound first entry
        self.predecessor: Entry | None = None  # the log it names as the one before it
        self.closed: Entry | None = None
        self.removal_holds = False  # whether the last removal of transcripts was approved
        self._first_policy: str | None = None
        self._first_roster: str | None = None
        self._first_laws = self.laws.all()
        self._just_ended: deque[tuple[str, str]] = deque(maxlen=_MOST_ENDED)  # id, t
        self._steps: dict[str, Callable[[Entry], None]] = {
            "ledger.opened": self._opened,
            "ledger.closed": self._ledger_closed,
            "broker.started": self._broker_started,
            "broker.stopped": self._broker_stopped,
            "policy.loaded": self._policy_loaded,
            "roster.loaded": self._roster_loaded,
            "law.edited": self.laws.edited,
            "transcripts.removed": self._transcripts_removed,
            "command.submitted": self._command_submitted,
            "command.started": self._command_started,
            "command.finished": self._command_ended,
            "command.lost": self._command_ended,
            "request.opened": self._request_opened,
            "request.revised": self.requests.revised,
            "request.cancelled": self.requests.ended,
            "request.expired": self.requests.ended,
            "request.lapsed": self.requests.ended,
            "decision.accepted": self.requests.decided,
            "override.accepted": self.overrides.accepted,
            "override.reviewed": self.overrides.reviewed,
        }

    def take(self, entry: Entry) -> None:
        """Take the next entry, whose shape is sound."""
        n = entry["n"]
        if self.closed is not None:
            self._findings.add(
                "entry-after-close", n, f"the log was closed by entry {self.closed['n']}"
            )
        if n == 0 and entry["type"] != "ledger.opened":
            self._findings.add("wrong-log", 0, "the log does not begin with ledger.opened")
        self._time(entry)
        step = self._steps.get(entry["type"])
        if step is not None:
            step(entry)
        self._last_type = entry["type"]

    # ---- time ----

    def _time(self, entry: Entry) -> None:
        before, self._last = self._last, entry["t"]
        t = entry["t"]
        if before is None or (len(before) == len(t) and before[:13] == t[:13] and before <= t):
            return  # within the same hour, and in order: most of a million entries
        n, now, last = entry["n"], document.moment(entry["t"]), document.moment(before)
        if now < last:
            back = (last - now).total_seconds()
            if "clock_back_s" in entry:
                self._findings.add(
                    "clock-step", n, f"the clock went back by {back:,.0f} s, as the broker noted"
                )
            else:
                self._findings.add(
                    "back-dated", n, f"dated {back:,.3f} s before the entry in front of it"
                )
        elif now - last > _SILENCE and self._up is not None and entry["type"] != "broker.started":
            hours = (now - last).total_seconds() / 3600
            self._findings.add(
                "silence", n, f"nothing was written for {hours:,.1f} hours, not even a heartbeat"
            )

    # ---- the log and the broker ----

    def _opened(self, entry: Entry) -> None:
        if entry["n"] != 0:
            self._findings.add("wrong-log", entry["n"], "a log is opened in the middle of this one")
        elif self._origin and entry["origin"] != self._origin:
            self._findings.add("wrong-log", 0, f"it was opened as {entry['origin']}")
        elif self._key is not None and entry["vkey"] != self._key:
            self._findings.add("wrong-log", 0, "it was opened with another key")
        if entry["n"] == 0:
            self.opened, self.predecessor = True, entry.get("predecessor")

    def _ledger_closed(self, entry: Entry) -> None:
        self.closed = entry
        if entry["origin"] != self._origin or self._key not in (None, entry["vkey"]):
            self._findings.add("wrong-log", entry["n"], f"it was closed as {entry['origin']}")
        for id in self.requests.open:
            self._findings.add(
                "closed-while-open", entry["n"], f"request {id} had not ended, and now never will"
            )

    def _broker_started(self, entry: Entry) -> None:
        n, first = entry["n"], self._brokers == 0
        self._brokers += 1
        if not entry["clean"] and not first:
            self._findings.add("unclean-stop", n, "the broker before this one did not stop cleanly")
        elif entry["clean"] and self._up is not None:
            self._findings.add(
                "stop-unrecorded", n, f"the broker of entry {self._up} never wrote that it stopped"
            )
        self._up = n

    def _broker_stopped(self, entry: Entry) -> None:
        self._up = None

    def _policy_loaded(self, entry: Entry) -> None:
        self.laws.policy_loaded(entry, claimed=self._last_type == "command.started")
        if not self._brokers:  # taken over from the log before
            self._first_policy, self._first_laws = entry["policy_sha256"], self.laws.all()
        self._policies.add(entry["policy_sha256"])
        self.requests.policy = entry["policy_sha256"]

    def _roster_loaded(self, entry: Entry) -> None:
        inherited = self.predecessor is not None and not self._brokers
        claimed = self._last_type == "command.started"
        self.laws.roster_loaded(entry, claimed=claimed, inherited=inherited)
        if not self._brokers:
            self._first_roster, self._first_laws = entry["roster_sha256"], self.laws.all()
        self._rosters.add(entry["roster_sha256"])
        self.requests.roster = entry

    def _transcripts_removed(self, entry: Entry) -> None:
        """Stands between the start and the end of what was approved, and does just that."""
        acting = self.requests.acting
        self.removal_holds = acting is not None and acting.id in self._running
        if "id" in entry:
            self.removal_holds &= acting is not None and acting.id == entry["id"]
        else:
            self.removal_holds &= self._last_type == entry["type"]
        if self.removal_holds:
            change = self.requests.proposed("retention", entry["n"])
            self.removal_holds = change is not None and change.get("before") == entry["before"]
        if not self.removal_holds:
            self._findings.add(
                "removal-unapproved", entry["n"], "nobody has approved that transcripts go"
            )

    @property
    def law_at_start(self) -> tuple[object, ...]:
        """The law that the log began with, before any broker started on it."""
        return self._first_policy, self._first_roster, *self._first_laws

    @property
    def law_at_end(self) -> tuple[object, ...]:
        """The law that was loaded last."""
        roster = self.requests.roster
        said = None if roster is None else roster["roster_sha256"]
        return self.requests.policy, said, *self.laws.all()

    # ---- commands ----

    def _command_submitted(self, entry: Entry) -> None:
        n, id = entry["n"], entry["id"]
        if entry["policy_sha256"] not in self._policies:
            self._findings.add("policy-unknown", n, "judged by rules that were never loaded")
        if entry["roster_sha256"] not in self._rosters:
            self._findings.add("policy-unknown", n, "judged by a roster that was never loaded")
        if "within" in entry:
            self._within(entry)
        request = self.requests.open.get(id)
        if request is not None:
            # The same command again, joining the wait of the first.
            if request.script not in (None, entry["script_sha256"]):
                self._findings.add("request-mismatch", n, f"another script joins request {id}")
            return
        number = int(id.translate(_DIGITS), 32)
        self._ids[number % 64].append(number)
        self._submitted[id] = (entry["verdict"], entry["script_sha256"])

    def _within(self, entry: Entry) -> None:
        """A call from inside a command: that one runs, or has ended this moment."""
        outer, late = entry["within"], document.moment(entry["t"]) - SLACK
        while self._just_ended and document.moment(self._just_ended[0][1]) < late:
            self._just_ended.popleft()
        if outer not in self._running and all(id != outer for id, _ in self._just_ended):
            what = "covered by" if entry.get("covered") else "from inside"
            self._findings.add("within-unknown", entry["n"], f"{what} {outer}, which did not run")

    def _request_opened(self, entry: Entry) -> None:
        verdict, script = self._submitted.pop(entry["id"], ("", ""))
        if verdict != "approve":
            self._findings.add(
                "request-unknown", entry["n"], "no command that needs approval was submitted for it"
            )
        self.requests.opened(entry, script or None)

    def _command_started(self, entry: Entry) -> None:
        n, id = entry["n"], entry["id"]
        if id in self._running or self.requests.gone.get(id) == "started":
            self._findings.add("start-twice", n, f"{id} has already been started")
            return
        self._running[id] = n
        if id in self.requests.open:
            self.requests.started(entry)
        elif id in self.requests.gone:
            state = self.requests.gone[id]
            self._findings.add("start-without-approval", n, f"request {id} was {state} before")
        else:
            self._start_alone(entry)

    def _start_alone(self, entry: Entry) -> None:
        """A start without a request: only the rules can have allowed it."""
        n = entry["n"]
        verdict, script = self._submitted.pop(entry["id"], ("", ""))
        if not verdict:
            self._findings.add(
                "start-unknown", n, f"{entry['id']} was never submitted, or has run before"
            )
        elif verdict == "deny":
            self._findings.add("start-denied", n, "a command that a rule denied was started")
        elif verdict == "approve":
            self._findings.add("start-without-approval", n, "nobody was even asked")
        elif entry["request_sha256"] is not None or entry["decisions"]:
            self._findings.add("start-unknown", n, "it rests on a request that is not its own")
        elif script != entry["script_sha256"]:
            self._findings.add("start-other-script", n, "not the script that was judged")

    def _command_ended(self, entry: Entry) -> None:
        if self._running.pop(entry["id"], None) is None:
            self._findings.add("finish-without-start", entry["n"], f"{entry['id']} was not running")
        self._just_ended.append((entry["id"], entry["t"]))

    # ---- the end ----

    def finish(self) -> None:
        """Say what the last entry leaves open."""
        self.overrides.finish()
        if self._last is not None and self.closed is None:
            self._findings.add("log-open", None, "the log is in use: no ledger.closed ends it")
        for id, index in self._running.items():
            if self._up is not None and index > self._up:
                self._findings.add("still-running", index, f"{id} had not finished")
            else:
                self._findings.add(
                    "unfinished-command", index, f"{id} was started and no entry says how it ended"
                )

    def duplicates(self) -> Iterator[str]:
        """Yield ids that were submitted more than once."""
        for bucket in self._ids:
            last = -1
            for number in sorted(bucket):
                if number == last:
                    yield _id(number)
                last = number


_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PYTHON: Final = "0123456789abcdefghijklmnopqrstuv"
_DIGITS: Final = str.maketrans(_CROCKFORD, _PYTHON)


def _id(number: int) -> str:
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
