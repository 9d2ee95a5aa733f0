"""What other programs get is fixed: the same entries give the same bytes, golden files say which.

To accept a change that is meant: GATESH_WRITE_GOLDEN=1 pytest tests/evidence/test_export.py
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from gatesh import document
from gatesh.evidence import ocsf, syslog
from gatesh.evidence.story import Command, Stories
from tests.ledger.ledger_world import House

GOLDEN = Path(__file__).parent / "golden"
ORIGIN = "build7/gatesh/d698ebd6"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """One command of each fate: ran, denied, approved and failed, rejected, waiting, killed."""
    monkeypatch.setattr(ocsf, "__version__", "0")
    lines = (GOLDEN / "entries.jsonl").read_bytes().splitlines()
    return list(Stories(map(document.read, lines)))


@pytest.mark.parametrize("form", [ocsf, syslog])
def test_the_same_entries_give_the_same_lines(commands, form):
    path = GOLDEN / f"{form.__name__.rpartition('.')[2]}.txt"
    text = "".join(f"{form.line(c, ORIGIN)}\n" for c in commands)
    if "GATESH_WRITE_GOLDEN" in os.environ:
        path.write_text(text, "utf-8")

    assert text == path.read_text("utf-8")


# RFC 5424 §6, as far as these lines use it.
RFC5424 = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[!-~]{1,255})"
    r" (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<msgid>[!-~]{1,32})"
    r" \[(?P<id>[!-<>-\\^-~]{1,32})(?P<params>( [!-<>-\\^-~]{1,32}=\"([^\"\\\]]|\\[\"\\\]])*\")*)\]"
    r" \ufeff(?P<message>.*)"
)


def test_a_line_of_syslog_is_one_line_whatever_was_typed(commands):
    """
    A command can hold quotes, brackets, newlines: none may end a field or begin a line.
    """
    for c in commands:
        found = RFC5424.fullmatch(syslog.line(c, ORIGIN))

        assert found and f'id="{c.id}"' in found["params"], syslog.line(c, ORIGIN)
        assert int(found["pri"]) // 8 == 13


def test_the_fingerprint_of_an_event_is_of_that_event(commands):
    """
    Whoever has the event alone can see that it was not altered on its way (RFC 8785 by hand).
    """
    for c in commands:
        event = ocsf.event(c, ORIGIN)
        (attestation,) = event["attestation_list"]
        fingerprint = attestation.pop("fingerprint")
        whole = json.dumps(
            event, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()

        assert fingerprint["value"] == hashlib.sha256(whole).hexdigest()


def test_no_outcome_is_told_as_another(commands):
    """
    What was held back must never look as if it had been let through.
    """
    said = {
        c.id[0]: (e["action"], e["disposition"], e["status"])
        for c in commands
        for e in [ocsf.event(c, ORIGIN)]
    }

    assert said == {
        "a": ("Allowed", "Allowed", "Success"),
        "b": ("Denied", "Blocked", "Failure"),
        "c": ("Allowed", "Approved", "Failure"),  # exit status 3
        "d": ("Denied", "Rejected", "Failure"),
        "e": ("Unknown", "Delayed", "Unknown"),
        "f": ("Allowed", "Allowed", "Failure"),  # killed
    }


def test_exporting_as_people_do_it(house: House, gatesh):
    house.live()
    events = [json.loads(line) for line in gatesh("export", "--ocsf").out.splitlines()]
    one = gatesh("export", "cccc-cccc", "--syslog").out
    later = gatesh("export", "--syslog", "--since", "2031-01-01")
    neither = gatesh("export", "cccc-cccc")

    assert [e["process"]["cmd_line"] for e in events] == [
        "ls", "rm -rf /", "terraform apply", "date"
    ]  # fmt: skip
    assert one.count("\n") == 1 and 'approved_by="bob@example.com"' in one
    assert (later.status, later.out) == (0, "")
    assert neither.status == 2 and "--ocsf" in neither.err
