"""People, rules and settings: whoever can write the files does not decide what is law.

Alice asks, from the account of this test; bob and carol have keys.  What is tried against the gate
is tried with the real broker, what is tried against the audit by somebody who has the log's key.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh import differences, document
from gatesh.approval.proposal import Proposal, rules_document, rules_of
from gatesh.approval.roster import Roster
from gatesh.approval.standing import Standing
from gatesh.broker.surroundings import host_name
from gatesh.document import MalformedDocument
from gatesh.errors import Tampered
from gatesh.keys import opensshkey
from gatesh.keys.logkey import LogKey
from gatesh.keys.publickey import PublicKey
from gatesh.ledger.store import Ledger
from tests.life.people import decide, signed, submit
from tests.world import RULES, World

ALICE, BOB, CAROL, DAVE = (f"{name}@example.com" for name in ("alice", "bob", "carol", "dave"))
LOW_ORDER = "AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
LOOSE = RULES.replace("verdict: approve", "verdict: allow")


@pytest.fixture
def settled(world: World) -> World:
    """Three people; the broker has loaded them, so from here on nothing changes unsigned."""
    world.settings("hold: 0\n")
    world.set_up(ALICE, "bob", "carol")
    assert world.gatesh("-c", "true").status == 0
    return world


def public(world: World, name: str) -> PublicKey:
    return PublicKey.from_line(Path(f"{world.key(name)}.pub").read_text())


def roster(world: World) -> Roster:
    """What is in force, whatever the files say."""
    return Roster.from_document(json.loads(world.question("law")["documents"]["roster"]))


def with_dave(world: World) -> Roster:
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return roster(world).add(
        DAVE,
        key=public(world, "dave"),
        valid_after=now - datetime.timedelta(minutes=1),
        valid_before=now + datetime.timedelta(days=1),
    )


def ask(world: World, change: Roster) -> str:
    """Propose a roster and return the request's id."""
    found = world.question("propose", kind="roster", change=change.document())
    assert found["ok"] and not found["applied"], found
    return str(found["id"])


def state(world: World, id: str) -> str:
    return str(world.question("wait", id=id)["state"])


# ---- the life of a change --------------------------------------------------------


def test_the_first_two_people_are_trusted_and_the_third_waits(world):
    """
    Nobody could sign for the first; from the second on somebody can, so somebody must.
    """
    first = world.gatesh("init", "--me", ALICE)
    second = world.gatesh("people", "add", BOB, "--key", f"{world.key('bob')}.pub")
    third = world.gatesh("people", "add", CAROL, "--key", f"{world.key('carol')}.pub")

    assert (first.status, second.status, third.status) == (0, 0, 75)
    assert "trusted on first use" in first.words and "trusted on first use" in second.words
    assert "from now on" in second.words and "nothing has changed yet" in third.words
    assert [e.get("trust") for e in world.entries("roster.loaded")] == ["first-use"] * 3
    assert CAROL not in world.gatesh("people", "list").text

    world.approve_proposals()

    loaded = world.entries("roster.loaded")[-1]
    (accepted,) = world.entries("decision.accepted")
    assert CAROL in loaded["people"] and "trust" not in loaded
    assert loaded["decisions"] == [accepted["n"]]
    assert loaded["request_sha256"] == accepted["request_sha256"]
    waited = world.gatesh("wait", accepted["id"])
    assert waited.status == 0 and "it is done" in waited.text
    assert CAROL in world.gatesh("people", "list").text
    report = world.audit()
    assert report["ok"] and {f["code"] for f in report["findings"]} >= {"first-use"}


def test_an_approver_sees_what_changes_and_nothing_the_asker_says_about_it(settled):
    """
    The line about a change is made from the change: an agent cannot call a removal a comma.
    """
    world = settled
    id = ask(world, with_dave(world).remove(CAROL))

    shown = world.gatesh("show", id).text

    assert f"+ {DAVE}" in shown and f"- {CAROL}" in shown
    assert f"key of {DAVE}: {public(world, 'dave').fingerprint}" in shown
    assert "-carol@example.com namespaces=" in shown  # the text itself, too
    assert "gatesh/proposal/v1" not in shown


def test_an_edit_that_nobody_has_approved_is_not_obeyed_even_after_a_restart(settled):
    """
    Whoever can write the file cannot make the law; everybody who looks is told that they tried.
    """
    world = settled
    world.rules(LOOSE)

    assert world.gatesh("-c", "guarded").status == 75
    world.gatesh("broker", "stop")
    assert world.gatesh("-c", "guarded x").status == 75

    assert [(e["kind"], e["in_force"]) for e in world.entries("law.edited")] == [
        ("rules", world.entries("policy.loaded")[0]["rules_sha256"])
    ]
    assert "NOT IN FORCE: the rules as edited" in world.gatesh("pending").words
    assert "NOT IN FORCE" in world.gatesh("broker", "status").words
    assert world.gatesh("doctor").status == 1
    assert world.audit()["ok"]

    assert world.gatesh("propose").status == 75
    (asked,) = [p for p in world.pending() if p["findings"][0]["rule"] == "gatesh.rules"]
    assert "~ rule tests.guarded: approve by 1 of any" in asked["inner"]
    decide(world, asked["id"])

    assert world.gatesh("-c", "guarded").out == b"guarded \n"
    assert "NOT IN FORCE" not in world.gatesh("pending").words
    assert world.audit()["ok"]


def test_what_was_approved_is_law_whatever_is_written_into_the_file_afterwards(settled):
    world = settled
    world.rules(RULES.replace("second person", "third person"))
    world.new_law()
    approved = world.question("law")["documents"]["rules"]

    world.rules(LOOSE)
    assert world.gatesh("-c", "guarded").status == 75
    assert world.question("law")["documents"]["rules"] == approved

    assert world.gatesh("propose", "--undo").status == 0
    assert "third person" in (world.config / "rules" / "tests.yaml").read_text()
    assert world.question("law")["edits"] == []


def test_how_long_a_call_waits_is_nobodys_law_and_what_is_covered_in_records_is(settled):
    world = settled
    world.settings("# a comment\nhold: 1\n")
    assert "Waiting up to 1 s" in world.gatesh("-c", "guarded").words
    assert world.entries("law.edited") == []

    world.settings("hold: 1\ntranscript: {redact: false}\n")
    world.gatesh("-c", "true")
    assert [e["kind"] for e in world.entries("law.edited")] == ["config"]

    world.new_law()
    before, after = world.entries("policy.loaded")[0], world.entries("policy.loaded")[-1]
    assert after["settings_sha256"] != before["settings_sha256"]
    assert after["replaces"] == before["settings_sha256"]
    assert after["rules_sha256"] == before["rules_sha256"]


def test_a_broker_that_dies_between_the_entry_and_the_files_writes_them_when_it_comes_back(settled):
    world = settled
    before = {n: (world.config / n).read_text() for n in ("allowed_signers", "people.json")}
    decide(world, ask(world, with_dave(world)))
    world.gatesh("broker", "stop")
    for name, text in before.items():
        (world.config / name).write_text(text)

    world.gatesh("-c", "true")

    assert DAVE in (world.config / "people.json").read_text()
    assert world.entries("law.edited") == []


# ---- what somebody might try -------------------------------------------------------


def test_nobody_approves_what_they_have_proposed_themselves(settled):
    """
    By person, by account, by key: with a key of her own alice is still the one who asks.
    """
    world = settled
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    hers = roster(world).add(
        ALICE,
        key=public(world, "alice"),
        valid_after=now - datetime.timedelta(minutes=1),
        valid_before=now + datetime.timedelta(days=1),
    )
    decide(world, ask(world, hers))

    id = ask(world, with_dave(world))
    own = submit(world, *signed(world, id, by="alice"))
    new = submit(world, *signed(world, id, by="dave"))  # whom only the proposal would enrol

    assert own["why"] == "self-person" and new["why"] == "key-unknown"
    assert state(world, id) == "pending" and DAVE not in roster(world).people


def test_a_proposal_ends_when_another_one_has_become_law(settled):
    """
    Approved for the people of yesterday, it would bring back somebody who has gone since.
    """
    world = settled
    old, gone = ask(world, with_dave(world)), ask(world, roster(world).remove(CAROL))
    late = signed(world, old)

    decide(world, gone)

    assert state(world, old) == "cancelled"
    assert submit(world, *late)["why"] == "request-ended"
    assert set(roster(world).people) == {ALICE, BOB}
    stale = document.sha256(b"yesterday's")
    asked = world.question("propose", kind="roster", change=with_dave(world).document(), base=stale)
    assert asked["why"] == "changed"


def test_first_use_does_not_come_back_when_everybody_else_has_gone(settled):
    """
    Removing people until one is left would else be the way round.
    """
    world = settled
    decide(world, ask(world, roster(world).remove(CAROL)))
    decide(world, ask(world, roster(world).remove(BOB)))
    assert set(roster(world).people) == {ALICE}
    world.gatesh("broker", "stop")

    done = world.gatesh("people", "add", DAVE, "--key", f"{world.key('dave')}.pub")

    assert done.status == 75 and set(roster(world).people) == {ALICE}
    world.rules(LOOSE)
    assert world.gatesh("-c", "guarded").status == 75


def unsound(world: World) -> dict[str, object]:
    """Changes that no command of ours would ask for, and the word of their refusal."""
    now = "20300101000000Z"
    line = f'namespaces="decision.v1@gatesh",valid-after="20250101000000Z",valid-before="{now}"'
    found = roster(world).document()
    people = {**found["people"], DAVE: {"accounts": [], "teams": []}}
    keys = {"low": f"ssh-ed25519 {LOW_ORDER}", "bobs": public(world, "bob").text}
    rosters = {
        word: {
            **found,
            "allowed_signers": f"{found['allowed_signers']}{DAVE} {line} {keys[key]}\n",
            "people": people,
        }
        for word, key in (("not a sound", "low"), ("already belongs", "bobs"))
    }
    return {
        **{word: ("roster", change) for word, change in rosters.items()},
        "name of a rule file": (
            "rules",
            {"files": {"../../x.yaml": ""}, "type": "gatesh/rules/v1"},
        ),
        "ours.yaml:2": ("rules", {"files": {"ours.yaml": "pack: ["}, "type": "gatesh/rules/v1"}),
        "no such setting": ("config", {"text": "shels: 1", "type": "gatesh/config/v1"}),
        "nothing called": ("weather", {"type": "sunny"}),
    }


def test_what_could_not_be_law_is_not_even_asked_for(settled):
    world = settled
    for word, (kind, change) in unsound(world).items():
        answer = world.question("propose", kind=kind, change=change)
        assert not answer["ok"] and word in answer["error"], (word, answer)
    assert world.pending() == [] and world.entries("request.opened") == []


def test_an_agent_cannot_make_itself_the_first_to_be_trusted(world):
    """
    Before there are two people nobody is asked; so nobody may do it from a gated command.
    """
    world.key("dave")
    world.rules("pack: x\nrules: []\n")
    tool = world.program("tool", f"gatesh people add {DAVE} --key {world.key('dave')}.pub")

    done = world.gatesh("-c", tool.name)

    assert done.out == b"" and "from inside a gated command" in done.words
    assert DAVE not in roster(world).people


# ---- somebody who has the log's key ------------------------------------------------


def forged(
    world: World,
    place: Path,
    keep: int,
    *more: dict[str, object],
    wait: datetime.timedelta = datetime.timedelta(),
) -> dict[str, object]:
    """Audit a log whose first *keep* entries are the real ones and the others *more*."""
    world.gatesh("broker", "stop")
    entries = [e for e in world.entries() if e["type"] != "broker.stopped"][:keep]
    shutil.copytree(world.state / "blobs", place / "state" / "blobs")
    key = LogKey.open(world.state, host_name(), use_keyring=False)
    times = iter([document.moment(entry["t"]) for entry in entries])
    last = document.moment(entries[-1]["t"]) + wait
    ledger = Ledger.open(
        place / "state" / "ledger",
        origin=key.origin,
        vkey=key.vkey,
        sign=key.sign,
        clock=lambda: next(times, last),
    )
    with ledger:
        for entry in entries[1:]:
            ledger.append([{k: v for k, v in entry.items() if k not in ("v", "n", "t")}])
        ledger.append(list(more))
    done = world.gatesh("audit", "--json", "--state", str(place / "state"))
    found: dict[str, object] = json.loads(done.out)
    return found


def codes(report: dict[str, object]) -> set[str]:
    return {f["code"] for f in report["findings"] if f["severity"] == "error"}  # type: ignore[index, union-attr]


def test_a_roster_that_nobody_has_approved_is_found(settled, tmp_path):
    """
    Whoever has the log's key can write the entry; they cannot write the signature behind it.
    """
    world = settled
    real = len(world.entries())
    loaded = world.entries("roster.loaded")[-1]
    made = with_dave(world)
    mine = {
        "type": "roster.loaded",
        "roster_sha256": made.sha256,
        "allowed_signers": made.allowed_signers,
        "people": made.people_document(),
        "trust": "first-use",
        "settled": False,
    }
    assert loaded["settled"] is True

    report = forged(world, tmp_path, real, mine)

    assert codes(report) == {"law-unapproved"}


def test_another_roster_than_the_one_that_was_approved_is_found(settled, tmp_path):
    """
    The approval is real, the claim is real; what it is used for is not what people saw.
    """
    world = settled
    decide(world, ask(world, roster(world).remove(CAROL)))
    started = world.entries("command.started")[-1]
    made = with_dave(world)
    real = world.entries("roster.loaded")[-1]
    other = {
        **{k: v for k, v in real.items() if k not in ("v", "n", "t")},
        "roster_sha256": made.sha256,
        "allowed_signers": made.allowed_signers,
        "people": made.people_document(),
    }
    finished = {
        "type": "command.finished",
        "id": real["id"],
        "exit": 0,
        "seconds": 0,
        "streams": {},
    }

    same = forged(world, tmp_path / "a", started["n"] + 2, finished)
    report = forged(world, tmp_path / "b", started["n"] + 1, other, finished)

    assert codes(same) == set()
    assert codes(report) == {"law-not-as-approved"}


# ---- the parts, by themselves ------------------------------------------------------


def enrolled(**people: tuple[bool, bool]) -> Roster:
    """A roster of people who have (an account, a key)."""
    found = Roster()
    start = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    for name, (account, key) in people.items():
        seed = document.sha256(name.encode())
        found = found.add(
            f"{name}@example.com",
            accounts=[name] if account else [],
            key=opensshkey.PrivateKey.from_seed(bytes.fromhex(seed)).public if key else None,
            valid_after=start,
            valid_before=start.replace(year=2031),
        )
    return found


# fmt: off
SETTLING = {
    "nobody":                                    ({}, False),
    "one who asks":                              ({"a": (True, False)}, False),
    "one who asks and could sign for herself":   ({"a": (True, True)}, False),
    "one asks, the other signs":                 ({"a": (True, False), "b": (False, True)}, True),
    "both ask and sign":                         ({"a": (True, True), "b": (True, True)}, True),
    "nobody can sign":                           ({"a": (True, False), "b": (True, False)}, False),
    "she signs, and nobody else can ask":        ({"a": (True, True), "b": (False, False)}, False),
    "nobody is known to ask, two can sign":      ({"a": (False, True), "b": (False, True)}, True),
}
# fmt: on


@pytest.mark.parametrize(("people", "settles"), SETTLING.values(), ids=SETTLING.keys())
def test_a_roster_settles_the_law_once_somebody_can_sign_what_another_asks_for(people, settles):
    """
    Sooner would lock everybody out; later would leave one person alone to decide.
    """
    assert enrolled(**people).settles is settles


kinds = st.tuples(st.booleans(), st.booleans())


@given(st.lists(st.dictionaries(st.sampled_from("abc"), kinds), max_size=6))
def test_what_is_settled_stays_settled(histories):
    """
    Whatever rosters follow: the log that once had two people never trusts a first use again.
    """
    standing, ever = Standing(), False
    for people in histories:
        made = enrolled(**people)
        standing.apply({**made.document(), "type": "roster.loaded", "roster_sha256": made.sha256})
        ever = ever or made.settles
        assert standing.settled is ever


def test_a_broker_does_not_obey_law_that_nobody_approved_though_it_is_in_the_log():
    """
    Whoever has the log's key can write the entry; a broker that starts asks for an audit.
    """
    settled, more = enrolled(a=(True, False), b=(False, True)), enrolled(a=(True, True))

    def loaded(roster: Roster, **fields: object) -> dict[str, object]:
        said = {**roster.document(), "type": "roster.loaded", "roster_sha256": roster.sha256}
        return {**said, **fields}

    claim = {"type": "command.started", "id": "k7q2m9xd"}
    backed = {"kind": "roster", "id": "k7q2m9xd", "replaces": settled.sha256}
    for entries, obeyed in (
        ([loaded(more)], False),
        ([loaded(more, **backed)], False),
        ([claim, {"type": "heartbeat"}, loaded(more, **backed)], False),
        ([claim, loaded(more, **{**backed, "replaces": more.sha256})], False),
        ([claim, loaded(more, **backed)], True),
        ([loaded(settled)], True),
    ):
        standing = Standing()
        standing.take(loaded(settled, settled=True))
        if obeyed:
            for entry in entries:
                standing.take(entry)
            continue
        with pytest.raises(Tampered):
            for entry in entries:
                standing.take(entry)


def test_settings_that_cannot_be_read_stop_nobody_once_the_law_is_settled(settled):
    world = settled
    world.gatesh("broker", "stop")
    world.settings("default: perhaps\n")

    assert world.gatesh("-c", "echo harmless").out == b"harmless\n"
    assert [e["sha256"] for e in world.entries("law.edited")] == [None]
    assert world.gatesh("doctor").status == 1


people_of = st.dictionaries(st.sampled_from("abc"), kinds)


@given(people_of, people_of, st.integers(0, 2), st.integers(1, 3))
def test_whatever_changes_in_a_roster_is_told_in_words(before, after, again, days):
    """
    A line that says less than the change would be an approval of something else.
    """
    old, new = enrolled(**before), enrolled(**after)
    start = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.timezone.utc)
    for person in list(new.people)[:again]:
        if keys := new.keys_of(person):  # the same key once more, for another time of the day
            end = start + datetime.timedelta(days=days)
            new = new.add(person, key=keys[0].key, valid_after=start, valid_before=end)
    told = differences.meaning("roster", document.write(old.document()), new.document())

    texts = [sorted(line.text for line in roster.keys) for roster in (old, new)]
    assert (told == []) is (texts[0] == texts[1] and old.people == new.people)
    for name in new.people.keys() - old.people.keys():
        assert f"+ {name}" in told
    for name in old.people.keys() - new.people.keys():
        assert f"- {name}" in told
    assert sum(line.startswith("+ key") for line in told) >= len(new.keys) - len(old.keys)


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=8), max_size=4))
def test_rules_are_written_below_their_directory_or_not_at_all(files):
    try:
        names = rules_of(rules_document(files))
    except MalformedDocument:
        return
    for name in names:
        path = os.path.normpath(f"/rules/{name}")
        assert path.startswith("/rules/") and path == f"/rules/{name}"


def test_a_proposal_is_one_line_that_is_read_in_one_way_only():
    made = Proposal("rules", "ab" * 32, rules_document({"a.yaml": "pack: a\n"}))
    data = made.write()

    assert Proposal.read(data) == made
    kind = data.replace(b'"kind":"rules"', b'"kind":"Rules"')
    for spoilt in (data + b"\n", kind, data.replace(b"ab", b"AB")):
        with pytest.raises(MalformedDocument):
            Proposal.read(spoilt)
