"""A report is worth what a stranger can check of it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh import document
from gatesh.cli.judging import CHECKS
from gatesh.errors import UsageError
from gatesh.evidence import check as reports
from gatesh.evidence import pack
from gatesh.evidence.derive import tell
from gatesh.evidence.tables import cell
from gatesh.ledger.merkle import Head, Tree, leaf_hash
from gatesh.ledger.proof import Proof
from gatesh.ledger.prover import Prover
from gatesh.ledger.span import verify_span
from tests.ledger.ledger_world import BOB, CAROL, NOON, House
from tests.world import RULES, World

TWO = {"assurance": "key", "quorum": {"any": 2}}
AUDIT = {"ok": True, "entries": 0, "protected_until": 0, "seen_by": {}, "findings": []}
DAY = timedelta(days=1)


def days(house: House, count: int) -> House:
    """Some days of work: an ordinary command and an approved one each noon."""
    with house.open() as ledger:
        ledger.append(house.beginning())
        for day in range(count):
            house.now = NOON + day * DAY
            id = f"a{day:07d}"
            ledger.append([house.submitted(id, b"date"), house.started(id, b"date")])
            ledger.append([house.finished(id, b"day %d\n" % day)])
            house.approved_run(ledger, f"b{day:07d}", by=BOB if day % 2 else CAROL)
    return house


def made(house: House, out: Path, start: datetime, end: datetime, samples: int = 25) -> Path:
    pack.make(
        house.state, out, start=start, end=end, samples=samples, now=NOON, audit=AUDIT
    )  # fmt: skip
    return out


@pytest.fixture
def report(house: House, tmp_path: Path) -> Path:
    start = (NOON + DAY).replace(hour=0)
    return made(days(house, 5), tmp_path / "report", start, start + 2 * DAY)


def problems(report: Path, house: House) -> list[str]:
    try:
        return reports.check(report, house.key, CHECKS).problems
    except UsageError as problem:  # not even to be taken for a report
        return [str(problem)]


def seal(report: Path) -> None:
    """Write SHA256SUMS again, as somebody who changes a report would."""
    files = sorted(p for p in report.rglob("*") if p.is_file() and "SHA256SUMS" not in p.name)
    sums = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(report)}\n" for p in files
    ]
    (report / "SHA256SUMS").write_text("".join(sums))


def test_a_report_made_and_checked_as_people_do_it(house: House, gatesh, tmp_path):
    days(house, 3)
    out = tmp_path / "q1"

    done = gatesh("report", "--from", "2030-01-02", "--to", "2030-01-03", "--out", out)
    checked = gatesh("audit", "check", out, "--vkey", house.directory / "vkey")

    assert (done.status, done.out) == (0, f"{out / 'report.html'}\n")
    assert checked.status == 0, checked.out
    assert "verified 4 commands and 2 signatures of 2030-01-02 to 2030-01-03" in checked.out
    assert "without a gap" in checked.out


def test_the_stock_tool_knows_every_file(report: Path):
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=report, capture_output=True
    )
    listed = {line.split("  ")[1] for line in (report / "SHA256SUMS").read_text().splitlines()}

    assert done.returncode == 0
    assert listed == {
        str(p.relative_to(report)) for p in report.rglob("*") if p.is_file()
    } - {"SHA256SUMS"}  # fmt: skip


def test_no_file_of_a_report_can_be_changed_or_taken_away(report: Path, house: House):
    assert problems(report, house) == []
    for path in sorted(p for p in report.rglob("*") if p.is_file()):
        data = path.read_bytes()
        path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        assert problems(report, house), f"{path.name} was changed"
        path.unlink()
        assert problems(report, house), f"{path.name} was taken away"
        path.write_bytes(data)


def without_a_line(report: Path) -> None:
    lines = (report / "entries.jsonl").read_bytes().splitlines(keepends=True)
    (report / "entries.jsonl").write_bytes(b"".join(lines[:4] + lines[5:]))


def another_number(report: Path) -> None:
    page = report / "report.html"
    page.write_text(page.read_text().replace("approved by", "signed by", 1).replace("<b>4", "<b>5"))


def another_approver(report: Path) -> None:
    table = report / "decisions.csv"
    table.write_bytes(table.read_bytes().replace(b"carol", b"mallo"))


def another_head(report: Path) -> None:
    meta = json.loads((report / "report.json").read_bytes())
    (report / "report.json").write_text(json.dumps({**meta, "size": meta["size"] + 1}))


def another_period(report: Path) -> None:
    meta = json.loads((report / "report.json").read_bytes())
    (report / "report.json").write_text(
        json.dumps({**meta, "to": meta["to"].replace("05T", "06T")})
    )


def no_roster(report: Path) -> None:
    for path in (report / "context").iterdir():
        path.unlink()


# fmt: off
FORGERIES = {
    "nobody can say who had which key":  (no_roster,        "is not shown"),
    "an entry is left out":              (without_a_line,   "not from the first to the last"),
    "the page says another number":      (another_number,   "report.html does not follow"),
    "another person approved":           (another_approver, "decisions.csv does not follow"),
    "the log was larger":                (another_head,     "another head"),
    "the period was longer than shown":  (another_period,   "does not show that nothing of the period came after"),
}
# fmt: on


@pytest.mark.parametrize(("forge", "said"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forger_who_seals_it_again_is_still_found(report: Path, house: House, forge, said):
    """
    SHA256SUMS is for accidents.  What holds is that everything follows from signed entries.
    """
    forge(report)
    seal(report)

    assert any(said in problem for problem in problems(report, house)), problems(report, house)


def test_entries_of_the_period_cannot_be_left_out_at_its_ends(house: House, tmp_path):
    """
    A sound proof of fewer entries is still not the whole period.
    """
    start = (NOON + DAY).replace(hour=0)
    whole = made(days(house, 5), tmp_path / "whole", start, start + 2 * DAY)
    short = tmp_path / "short"
    shutil.copytree(whole, short)
    lines = (short / "entries.jsonl").read_bytes().splitlines(keepends=True)
    meta = json.loads((short / "report.json").read_bytes())
    first = meta["first"] + 4  # its first command is gone
    with Prover(house.directory) as prover:
        (short / "first.tlog-proof").write_bytes(prover.prove(first).encode())
    (short / "entries.jsonl").write_bytes(b"".join(lines[4:]))
    meta = {**meta, "first": first, "count": meta["count"] - 4}
    (short / "report.json").write_text(json.dumps(meta))
    seal(short)

    assert problems(whole, house) == []
    assert any("nothing of the period came before" in p for p in problems(short, house))


def test_an_older_roster_cannot_take_the_place_of_the_one_of_that_day(house: House, tmp_path):
    """
    A key that was good once would make a forged approval good again.
    """
    days(house, 2)
    old = next(document.read(line) for line in (house.directory / "log.jsonl").read_bytes()
               .splitlines() if b'"roster.loaded"' in line)  # fmt: skip
    house.roster = house.roster.remove("carol@example.com")
    with house.open() as ledger:
        house.now = NOON + 2 * DAY
        ledger.append([*house.beginning(), {"type": "heartbeat"}])
        house.now += DAY
        house.approved_run(ledger, "cccccccc")
    start = (NOON + 3 * DAY).replace(hour=0)
    report = made(house, tmp_path / "r", start, start + DAY)
    assert problems(report, house) == []
    (newest,) = (
        p for p in (report / "context").iterdir()
        if Proof.parse(p.read_bytes()).check(house.key)[1]["type"] == "roster.loaded"
    )  # fmt: skip
    newest.unlink()
    with Prover(house.directory) as prover:
        (report / "context" / f"{old['n']}.tlog-proof").write_bytes(prover.prove(old["n"]).encode())
    seal(report)

    assert any("is not shown" in problem for problem in problems(report, house))


def test_daily_reports_together_have_every_command_once(house: House, tmp_path):
    days(house, 4)
    found: list[str] = []
    for day in range(-1, 6):
        start = (NOON + day * DAY).replace(hour=0)
        report = made(house, tmp_path / f"day{day}", start, start + DAY)
        assert problems(report, house) == [], day
        found += [row["id"] for row in rows(report / "commands.csv")]

    assert sorted(found) == sorted(f"{k}{day:07d}" for day in range(4) for k in "ab")


def test_what_became_of_a_command_later_is_part_of_its_story(house: House, tmp_path):
    """
    Asked before midnight, approved and run after it: the report of that day tells all of it.
    """
    house.now = NOON.replace(hour=23, minute=59, second=50)
    with house.open() as ledger:
        ledger.append(house.beginning())
        house.now += timedelta(seconds=5)
        script = b"terraform apply"
        request = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        house.now += timedelta(minutes=2)
        answer = ledger.append([house.decided(request, BOB, ledger.head)])[0]["n"]
        claim = house.started("cccccccc", script, answer, request=document.sha256(request))
        ledger.append([claim, house.finished("cccccccc", b"done\n")])
        ledger.append([{"type": "heartbeat"}])
    report = made(house, tmp_path / "r", NOON.replace(hour=0), NOON.replace(hour=0) + DAY)

    assert problems(report, house) == []
    (row,) = rows(report / "commands.csv")
    assert (row["state"], row["approved_by"]) == ("finished", BOB)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


@given(st.text())
def test_no_cell_is_a_formula(words: str):
    """
    Commands are written by agents, and reports are opened in spreadsheets.
    """
    said = cell(words)

    assert said.strip()[:1] not in ("=", "+", "-", "@", "|", "%")
    assert not any(c in said for c in "\r\n\t\0")


class Page(HTMLParser):
    """Notes what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [f"{tag} {k}" for k, v in attrs if k in ("src", "href", "srcset", "onload")]


def test_the_page_runs_nothing_and_loads_nothing(house: House, tmp_path):
    """
    What an agent or an approver typed is shown, not obeyed.
    """
    evil = b"echo '<script>alert(1)</script><img src=//evil.example/x>' # \xe2\x80\xae"
    with house.open() as ledger:
        ledger.append(house.beginning())
        request = house.request("cccccccc", evil)
        ledger.append([house.submitted("cccccccc", evil, "approve"), house.opened(request)])
        reason = "<svg/onload=alert(2)>"
        ledger.append([house.decided(request, BOB, ledger.head, "reject", reason=reason)])
    report = made(house, tmp_path / "r", NOON.replace(hour=0), NOON + DAY)
    page = Page()
    text = (report / "report.html").read_text()
    page.feed(text)

    assert page.loads == []
    assert page.tags.isdisjoint({"script", "img", "link", "iframe", "object"})
    assert "&lt;script&gt;alert(1)" in text and "⟨U+202E⟩" in text
    assert "&lt;svg/onload=alert(2)&gt;" in text


def test_an_approval_is_not_said_to_be_enough_when_nothing_started(house: House, tmp_path):
    """
    One of two signatures is not an approved command; the entries do not tell how many it needs.
    """
    script = b"terraform apply"
    with house.open() as ledger:
        ledger.append(house.beginning())
        request = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        ledger.append([house.decided(request, BOB, ledger.head, reason="CHG-7")])
    report = made(house, tmp_path / "r", NOON.replace(hour=0), NOON + DAY)
    text = (report / "report.html").read_text()

    assert "1 approval, not started" in text and "It did not run." in text
    assert rows(report / "commands.csv")[0]["approved_by"] == BOB
    assert rows(report / "decisions.csv")[0]["said"] == "CHG-7"


def test_what_was_covered_in_the_record_is_said_where_it_is_shown(house: House, tmp_path):
    """
    Whoever reads asterisks must know that the program printed something else.
    """
    script = b"terraform apply"
    with house.open() as ledger:
        ledger.append(house.beginning())
        request = house.request("cccccccc", script)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        answer = ledger.append([house.decided(request, BOB, ledger.head)])[0]["n"]
        claim = house.started("cccccccc", script, answer, request=document.sha256(request))
        finished = house.finished("cccccccc", b"key ****\n")
        finished["streams"]["stdout"]["redacted"] = {"aws-access-key": 2}
        ledger.append([claim, finished])
    report = made(house, tmp_path / "r", NOON.replace(hour=0), NOON + DAY)

    assert (
        "Covered with asterisks in the record: 2 aws-access-key"
        in (report / "report.html").read_text()
    )


def test_nobody_picks_the_samples(house: House, tmp_path):
    """
    They follow from the signed root; asking again gives the same, asking for more adds some.
    """
    days(house, 8)
    start, end = NOON.replace(hour=0), NOON + 10 * DAY
    few, more = (
        tell(
            json.loads(
                (made(house, tmp_path / str(n), start, end, n) / "report.json").read_bytes()
            ),
            [json.loads(line) for line in (tmp_path / str(n) / "entries.jsonl").open()],
        ).samples
        for n in (3, 5)
    )

    assert (len(few), len(more)) == (3, 5)
    assert {c.id for c in few} < {c.id for c in more}


def test_the_command_says_when_the_log_does_not_verify(house: House, gatesh, tmp_path):
    days(house, 2)
    house.blobs.path(document.sha256(b"day 1\n")).unlink()

    done = gatesh("report", "--from", "2030-01-01", "--to", "2030-01-31", "--out", tmp_path / "r")

    assert done.status == 1
    assert "does NOT verify" in done.err
    page = (tmp_path / "r" / "report.html").read_text()
    assert "found errors" in page and "transcript-missing" in page


def test_a_report_does_not_write_over_anything(house: House, gatesh, tmp_path):
    days(house, 1)
    (tmp_path / "r").mkdir()

    done = gatesh("report", "--from", "2030-01-01", "--to", "2030-01-31", "--out", tmp_path / "r")

    assert done.status == 2
    assert "is there already" in done.err


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 21])
def test_a_span_holds_only_as_it_stands_in_the_log(size):
    """
    Every stretch of every small log; one leaf more, less, other or elsewhere is refused.
    """
    leaves = [leaf_hash(b"%d" % n) for n in range(size)]
    tree = Tree()
    tree.extend(leaves)
    head = Head(size, tree.root())
    for first in range(size):
        for end in range(first + 1, size + 1):
            part = leaves[first:end]
            paths = tree.inclusion(first), tree.inclusion(end - 1)

            assert verify_span(first, part, head, *paths)
            for other in (
                part[1:], part[:-1], [*part, leaf_hash(b"x")], [leaf_hash(b"x"), *part[1:]]
            ):  # fmt: skip
                assert not verify_span(first, other, head, *paths)
            if size > 1:
                assert not verify_span((first + 1) % size, part, head, *paths)


def test_a_start_on_too_few_signatures_is_found_in_the_report_alone(house: House, tmp_path):
    """
    The log's own broker would have to do this; a report of it must not pass as evidence.
    """
    script = b"terraform apply"
    with house.open() as ledger:
        ledger.append(house.beginning())
        request = house.request("cccccccc", script, need=TWO)
        ledger.append([house.submitted("cccccccc", script, "approve"), house.opened(request)])
        answer = ledger.append([house.decided(request, BOB, ledger.head)])[0]["n"]
        claim = house.started("cccccccc", script, answer, request=document.sha256(request))
        ledger.append([claim, house.finished("cccccccc", b"done\n")])
    report = made(house, tmp_path / "r", NOON.replace(hour=0), NOON + DAY)

    (problem,) = problems(report, house)
    assert "cccccccc started on fewer people" in problem


def test_what_one_person_started_alone_stands_out_with_who_reviewed_it(world: World):
    """
    An override is lawful and is what an auditor asks for first.
    """
    world.settings("hold: 0\n")
    world.set_up("alice@example.com", "alice", "bob", "carol")
    world.rules(RULES.replace("approve\n", "approve\n    approve: {break_glass: 1}\n", 1))
    assert world.gatesh("-c", "guarded now").status == 75
    id = str(world.entries("request.opened")[-1]["id"])
    alone = ("override", id, "--yes", "--key", world.key("alice"), "-m", "site down")
    assert world.gatesh(*alone).status == 0
    assert world.gatesh("-c", "guarded now").status == 0
    days = ("--from", "yesterday", "--to", "2100-01-01")

    early = world.gatesh("report", *days, "--out", world.base / "early")
    assert early.status == 1 and "does NOT verify" in early.words
    text = (world.base / "early" / "report.html").read_text()
    assert "nobody, in these entries" in text and "site down" in text

    seen = ("review", id, "--yes", "--key", world.key("bob"), "-m", "I looked")
    assert world.gatesh(*seen).status == 0
    assert world.gatesh("report", *days, "--out", world.base / "late").status == 0
    text = (world.base / "late" / "report.html").read_text()
    assert "nobody, in these entries" not in text and "I looked" in text
    key = world.state / "ledger" / "vkey"
    checked = world.gatesh("audit", "check", world.base / "late", "--vkey", key)
    assert checked.status == 0 and "and 2 signatures of" in checked.text


def test_its_maker_vouches_for_what_cannot_be_derived(world: World):
    """
    That the whole log was audited is a statement of somebody: with a signature, of somebody named.
    """
    world.set_up().gatesh("-c", "echo one")
    out, vkey = world.base / "q", world.state / "ledger" / "vkey"
    days = ("--from", "yesterday", "--to", "2100-01-01")
    made = world.gatesh("report", *days, "--out", out, "--key", world.key("bob"))
    assert made.status == 0, made.words

    checked = world.gatesh("audit", "check", out, "--vkey", vkey)
    assert checked.status == 0
    assert "signed by its maker: bob@example.com, SHA256:" in checked.text
    stock = subprocess.run(
        ["ssh-keygen", "-Y", "check-novalidate", "-n", "report.v1@gatesh", "-s", "SHA256SUMS.sig"],
        cwd=out, input=(out / "SHA256SUMS").read_bytes(), capture_output=True,
    )  # fmt: skip
    assert stock.returncode == 0 and b"Good" in stock.stdout

    meta = json.loads((out / "report.json").read_bytes())
    meta["audit"]["seen_by"] = {"carol@example.com": 7}
    (out / "report.json").write_text(json.dumps(meta))
    seal(out)
    forged = world.gatesh("audit", "check", out, "--vkey", vkey)
    assert forged.status == 1 and "SHA256SUMS.sig" in forged.text
