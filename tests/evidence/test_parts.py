"""A period does not end where a log does."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.ledger.ledger_world import NOON, House

DAY = timedelta(days=1)


def days(house: House, *numbers: int) -> None:
    with house.open() as ledger:
        ledger.append(house.beginning())
        for day in numbers:
            house.now = NOON + day * DAY
            house.approved_run(ledger, f"b{day:07d}")


@pytest.fixture
def heir(house: House) -> House:
    """Four days in two logs."""
    days(house, 0, 1)
    heir = house.hand_on()
    days(heir, 2, 3)
    return heir


@pytest.fixture
def report(heir: House, gatesh, tmp_path: Path) -> Path:
    out = tmp_path / "q1"
    made = gatesh("report", "--from", "2030-01-03", "--to", "2030-01-05", "--out", out)
    assert made.status == 0, made.err
    assert made.out.count("report.html") == 2
    return out


def check(gatesh, report: Path, house: House):
    return gatesh("audit", "check", report, "--vkey", str(house.key), "--json")


def test_a_period_that_two_logs_share_is_reported_whole(report: Path, house, heir, gatesh):
    """
    Whoever checks needs the key of one of the logs; the links lead to the other.
    """
    for whose in (house, heir):
        checked = check(gatesh, report, whose)
        assert checked.status == 0, checked.out
        parts = json.loads(checked.out)["parts"]
        assert [part["commands"] for part in parts] == [1, 2]
        assert [part["origin"] for part in parts] == [house.key.name, heir.key.name]


def test_a_period_within_one_log_is_a_plain_report(heir: House, gatesh, tmp_path: Path):
    for day, whose in (("2030-01-02", "build7"), ("2030-01-05", "build8")):
        out = tmp_path / day
        assert gatesh("report", "--from", day, "--to", day, "--out", out).status == 0
        assert json.loads((out / "report.json").read_bytes())["origin"].startswith(whose)
        vkey = str(House(tmp_path / "x", whose).key)
        assert gatesh("audit", "check", out, "--vkey", vkey).status == 0


def test_parts_of_logs_that_do_not_follow_each_other_are_not_joined(
    report: Path, house, heir, gatesh, tmp_path: Path
):
    """
    Two honest reports put side by side are not one.
    """
    other = House(tmp_path / "other", "build7")
    days(other, 0, 1, 5)
    days(other.hand_on(), 6)
    out = tmp_path / "theirs"
    assert gatesh("report", "--from", "2030-01-03", "--to", "2030-01-05", "--out", out,
                  "--state", other.state).status == 0  # fmt: skip
    first = report / "1-ledger.000000"
    shutil.rmtree(first)
    shutil.copytree(out, first)

    checked = check(gatesh, report, heir)

    assert checked.status == 1
    assert "does not name the log of the part before" in checked.out


@pytest.mark.parametrize("alone", ["1-ledger.000000", "2-ledger"])
def test_a_part_cannot_be_left_out(report: Path, house, heir, gatesh, alone):
    """
    Each is a perfect report; what it does not show is that there was nothing else.
    """
    checked = check(gatesh, report / alone, heir if alone == "2-ledger" else house)

    assert checked.status == 1
    assert "in this period" in checked.out and "not shown" in checked.out


def test_an_entry_of_a_finished_log_can_be_proven(heir: House, house: House, gatesh, tmp_path):
    proof = tmp_path / "p"
    proof.write_text(gatesh("audit", "proof", "3", "--log", "ledger.000000").out)

    assert gatesh("audit", "check", proof, "--vkey", str(house.key)).status == 0
    assert gatesh("audit", "check", proof, "--vkey", str(heir.key)).status == 1
    assert gatesh("audit", "proof", "3", "--log", "../elsewhere").status == 2
