"""May start, exactly when the rules of the design hold: random lives against a naive judge."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from gatesh.approval import quorum
from gatesh.approval.state import IllegalEntry

from .history import ALICE, BOB, CAROL, DAVE, ERIN, History, people
from .world import NOON

TEAMS = {BOB: {"sre", "security"}, CAROL: {"sre"}, DAVE: {"security"}, ALICE: set(), ERIN: set()}
NEEDS = [{"any": 1}, {"any": 2}, {"sre": 1}, {"sre": 1, "security": 1}, {"any": 3, "sre": 2}]

who = st.sampled_from([ALICE, BOB, CAROL, DAVE, ERIN])
steps = st.one_of(
    st.tuples(st.sampled_from(["approve", "reject", "ask", "revoke"]), who),
    st.tuples(st.sampled_from(["approve", "override"]), who),
    st.tuples(st.sampled_from(["revise", "cancelled", "start", "roster", "policy"]), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 12)),
)


def enough(need: dict[str, int], yes: set[str]) -> bool:
    """Try every way to give each team seat to another person."""
    seats = [team for team, count in need.items() if team != "any" for _ in range(count)]
    seated = any(
        all(team in TEAMS[person] for team, person in zip(seats, order, strict=True))
        for order in permutations(sorted(yes), len(seats))
    )
    useful = {p for p in yes if "any" in need or TEAMS[p] & set(need)}
    return seated and len(useful) >= need.get("any", 0)


def judge(need: dict[str, int], steps: list[tuple[str, object]], glass: bool = False) -> list[bool]:
    """Return, after each step, whether it may start: the rules of design §8, one after another.

    Minutes count from the opening; 15 to answer, 5 to start. Nothing here knows of entries.
    """
    clock, until, over, asking, drift = 0, None, False, False, False
    yes: set[str] = set()
    alone = False
    verdicts = []
    for step, value in steps:
        if step == "wait":
            clock += value
        # silence never approves, and an approval does not keep
        if clock > (15 if until is None else until):
            over = True
        usable = until is not None and not over and not drift
        if step == "start" and usable:
            over = True  # single use
        if over:
            pass
        elif step in ("roster", "policy"):
            drift = True
        elif step == "cancelled":
            over = True
        elif step == "revise" and asking:
            asking, yes = False, set()
        elif step == "override":
            if glass and until is None:  # where the rule allows it, whoever is enrolled may
                until, asking, alone = clock + 5, False, True
        elif value == ALICE:
            pass  # nobody answers their own request
        elif step == "reject":
            over = True  # any reject ends it
        elif step == "revoke" and (alone or (yes and not asking)):
            over = True
        elif step == "ask" and until is None:
            asking = True
        elif step == "approve" and not asking and ("any" in need or TEAMS[value] & set(need)):
            yes.add(value)
            if until is None and enough(need, yes):
                until = clock + 5
        verdicts.append(until is not None and not over and not drift)
    return verdicts


def play(history: History, step: str, value: object) -> None:
    if step == "wait":
        history.now += timedelta(minutes=value)
    elif step == "revise":
        history.revise()
    elif step == "start":
        history.start()
    elif step == "cancelled":
        history.end("request.cancelled", why="requester")
    elif step == "roster":
        # Somebody joins a team: the same people and keys, yet another roster.
        history.load_roster(history.roster.add(CAROL, teams=["oncall"]))
    elif step == "policy":
        history.append("policy.loaded", policy_sha256="cd" * 32, files=[])
    elif step == "override":
        history.override(value)
    else:
        history.decide(value, step)


@settings(max_examples=300, deadline=None)
@given(need=st.sampled_from(NEEDS), life=st.lists(steps, max_size=14), glass=st.booleans())
def test_it_may_start_exactly_when_the_rules_hold(need, life, glass):
    """
    Whatever is tried in whatever order: the fold and the judge agree after every step, and a
    start is a legal entry exactly when the judge would have allowed it the moment before.
    """
    history = History(need=need, roster=people(), glass={"break_glass": 1} if glass else {})
    history.open()
    expected = judge(need, life, glass)
    before = False

    for number, (step, value) in enumerate(life):
        try:
            play(history, step, value)
            legal = True
        except IllegalEntry:
            legal = False
        if step == "start":
            assert legal == before
        assert history.may_start == expected[number], (step, value)
        before = expected[number]


@given(
    need=st.dictionaries(
        st.sampled_from(["any", "sre", "security"]), st.integers(1, 3), min_size=1
    ),
    yes=st.sets(st.sampled_from([BOB, CAROL, DAVE, ERIN])),
)
def test_a_quorum_is_met_exactly_when_every_seat_has_its_own_person(need, yes):
    assert quorum.is_met(need, yes, people()) == enough(need, yes)


def test_the_same_heads_in_any_order_fill_the_same_seats():
    """
    Bob could sit in either team: that he came first must not leave carol standing.
    """
    need = {"sre": 1, "security": 1}

    assert quorum.is_met(need, [BOB, CAROL], people())
    assert quorum.is_met(need, [BOB, DAVE], people())
    assert not quorum.is_met(need, [BOB], people())


def test_strangers_and_repetitions_do_not_count():
    assert quorum.missing({"any": 2}, [BOB, BOB, "mallory"], people()) == Counter(any=1)
    assert not quorum.is_met({}, [BOB], people())
    assert not quorum.is_met({"any": 0}, [BOB], people())


def test_the_judge_itself_can_say_yes():
    """
    A judge that always said no would agree with a gate that never opens.
    """
    assert judge({"any": 1}, [("approve", BOB)]) == [True]
    assert judge({"any": 2}, [("approve", BOB), ("approve", BOB)]) == [False, False]
    assert judge({"any": 1}, [("approve", BOB), ("wait", 6)]) == [True, False]
    assert judge({"any": 2}, [("override", ALICE)], glass=True) == [True]
    assert NOON.tzinfo is not None
