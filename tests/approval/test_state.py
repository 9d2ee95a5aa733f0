"""The life of a request, told by ledger entries and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gatesh.approval.roster import Roster
from gatesh.approval.state import IllegalEntry, States
from gatesh.errors import Refused

from .history import ALICE, BOB, CAROL, DAVE, ERIN, SCRIPT, History
from .world import NOON, SecurityKey, key_of


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def opened(history) -> History:
    history.submit("approve")
    history.open()
    return history


def test_a_request_waits_is_approved_starts_and_finishes(opened):
    assert (opened.state, opened.may_start) == ("pending", False)

    yes = opened.decide(BOB, "approve")
    assert (opened.state, opened.may_start) == ("approved", True)
    assert opened.request.run_by == opened.now + timedelta(minutes=5)

    started = opened.start()
    assert (opened.state, opened.may_start) == ("started", False)
    assert (opened.request.started, opened.request.decisions) == (started, (yes,))

    opened.end("command.finished", exit=0)
    assert opened.state == "finished"


def test_an_open_request_is_listed_until_it_starts_or_ends(opened):
    assert [request.id for request in opened.states.open()] == [opened.id]

    opened.decide(BOB, "approve")
    assert [request.state for request in opened.states.open()] == ["approved"]

    opened.start()
    assert opened.states.open() == ()


def test_an_approval_is_used_once(opened):
    """
    Two re-runs race for one approval: the second claim is not a legal entry.
    """
    opened.decide(BOB, "approve")
    opened.start()

    with pytest.raises(IllegalEntry, match="the request is started"):
        opened.start()

    opened.end("command.finished", exit=0)
    with pytest.raises(IllegalEntry, match="the request is finished"):
        opened.start()


def test_a_command_nobody_approved_cannot_start(opened):
    with pytest.raises(IllegalEntry, match="not-approved"):
        opened.start()

    assert opened.state == "pending"


def test_two_people_are_two_people(history):
    """
    The same person twice is still one; people who approve later do not extend the time.
    """
    history.need = {"any": 2}
    history.open()

    first = history.decide(BOB, "approve")
    history.decide(BOB, "approve")
    assert history.request.decisions == (first,)
    assert (history.state, history.request.missing(history.roster)) == ("pending", {"any": 1})

    history.passes(3)
    history.decide(CAROL, "approve")
    until = history.request.run_by
    history.passes(1)
    history.decide(DAVE, "approve")
    assert (history.state, history.request.run_by) == ("approved", until)


def test_every_team_must_agree(history):
    history.need = {"sre": 1, "security": 1}
    history.open()

    history.decide(CAROL, "approve")
    assert history.request.missing(history.roster) == {"security": 1, "sre": 0}
    history.decide(DAVE, "approve")

    assert history.state == "approved"


def test_a_question_voids_earlier_approvals_with_its_answer(history):
    history.need = {"any": 2}
    history.open()
    history.decide(BOB, "approve")
    first = history.request.request_sha256

    history.decide(CAROL, "ask")
    assert (history.state, history.request.question.by) == ("asked", CAROL)
    history.revise()
    assert (history.state, history.request.revision, history.request.earlier) == (
        *("pending", 2),
        (first,),
    )

    history.decide(CAROL, "approve")
    assert history.state == "pending"
    history.decide(BOB, "approve")
    assert history.state == "approved"


def test_an_approval_of_an_older_revision_is_no_entry(opened):
    first = opened.request.request_sha256
    opened.decide(BOB, "ask")
    opened.revise()

    with pytest.raises(IllegalEntry, match="another revision"):
        opened.decide(CAROL, "approve", request_sha256=first)


# fmt: off
ENDINGS = {
    "rejected while it waits":            ([], "reject", "rejected"),
    "rejected after one of two":          (["approve"], "reject", "rejected"),
    "rejected while a question is open":  (["ask"], "reject", "rejected"),
    "revoked before the claim":           (["approve"], "revoke", "revoked"),
}
# fmt: on


@pytest.mark.parametrize(("before", "last", "state"), ENDINGS.values(), ids=ENDINGS.keys())
def test_one_person_can_end_it(opened, before, last, state):
    """
    No quorum is needed to stop something, and nothing revives it.
    """
    for answer in before:
        opened.decide(BOB, answer)

    opened.decide(CAROL, last)

    assert (opened.state, opened.may_start, opened.states.open()) == (state, False, ())
    with pytest.raises(IllegalEntry, match=f"the request is {state}"):
        opened.decide(BOB, "approve")


@pytest.mark.parametrize("state", ["cancelled", "expired", "lapsed"])
@pytest.mark.parametrize("before", [[], ["approve"], ["ask"]])
def test_each_end_has_its_own_word(opened, state, before):
    for answer in before:
        opened.decide(BOB, answer)

    opened.end(f"request.{state}", why="because")

    assert (opened.state, opened.request.why) == (state, "because")


def test_silence_expires(opened):
    """
    Nobody needs to write an entry for time to pass; the last second still counts.
    """
    opened.passes(15)
    assert opened.state == "pending"
    opened.now += timedelta(microseconds=1)
    assert opened.state == "expired"

    opened.passes(1)
    with pytest.raises(IllegalEntry, match="request-expired"):
        opened.decide(BOB, "approve")


def test_an_approval_that_is_not_used_lapses(opened):
    opened.decide(BOB, "approve")
    opened.passes(5)
    assert opened.may_start
    opened.now += timedelta(microseconds=1)

    assert (opened.state, opened.may_start) == ("lapsed", False)
    assert opened.states.why_not_start(opened.id, opened.now) == "run-by-passed"
    opened.passes(1)
    with pytest.raises(IllegalEntry, match="run-by-passed"):
        opened.start()


def test_an_approval_in_the_last_minute_may_be_used_after_the_time_for_answers(opened):
    opened.passes(15)
    opened.decide(BOB, "approve")
    opened.passes(4)

    assert opened.may_start


def test_an_entry_written_a_moment_after_its_check_is_not_a_crime(opened):
    """
    The check passed in time; the disk took a second. A broker must start again on that log.
    """
    opened.passes(15)
    opened.now += timedelta(seconds=1)
    opened.decide(BOB, "approve")
    opened.passes(5)
    opened.now += timedelta(seconds=1)
    opened.start()

    assert opened.state == "started"


# ---- who -------------------------------------------------------------------


def test_the_fold_itself_refuses_self_approval(opened):
    """
    Checked when signing, when deciding, and again by whoever reads the log.
    """
    with pytest.raises(IllegalEntry, match="their own request"):
        opened.decide(ALICE, "approve")


def test_the_fold_refuses_the_owner_of_the_account_that_asked(history):
    """
    Also when nobody had written down whose account it was at the time of the request.
    """
    asker = {"uid": 1000, "gid": 1000, "user": "alice", "person": None, "agent": None}
    history.open(requester={**asker, "session": 0, "ancestry": []})

    with pytest.raises(IllegalEntry, match="their own request"):
        history.decide(ALICE, "approve")


def test_an_approver_of_no_needed_team_does_not_count(history):
    history.need = {"sre": 1}
    history.open()

    with pytest.raises(IllegalEntry, match="none of the teams"):
        history.decide(ERIN, "approve")
    history.decide(ERIN, "reject")
    assert history.state == "rejected"


def test_a_key_must_be_the_persons_in_the_roster_of_that_day(opened):
    with pytest.raises(IllegalEntry, match="no such key"):
        opened.decide(BOB, "approve", key=key_of(CAROL).public.fingerprint)


def test_presence_cannot_be_claimed_for_a_plain_key(history):
    history.open(need={"assurance": "presence", "quorum": {"any": 1}})

    with pytest.raises(IllegalEntry, match="touched"):
        history.decide(BOB, "approve")
    with pytest.raises(IllegalEntry, match="assurance"):
        history.decide(BOB, "approve", assurance="presence")


def test_a_touched_key_meets_a_need_for_presence():
    token = SecurityKey("token").public
    history = History()
    history.roster = history.roster.add(
        BOB, key=token, valid_after=NOON - timedelta(1), valid_before=NOON + timedelta(1)
    )
    history.load_roster(history.roster)
    history.open(need={"assurance": "presence", "quorum": {"any": 1}})

    history.decide(BOB, "approve", key=token.fingerprint, assurance="presence")

    assert history.may_start


@pytest.mark.parametrize("what", ["roster", "policy"])
def test_nothing_starts_under_other_rules_or_people_than_were_shown(opened, what):
    opened.decide(BOB, "approve")

    if what == "roster":
        opened.load_roster(opened.roster.remove(ERIN))
    else:
        opened.append("policy.loaded", policy_sha256="cd" * 32, files=[])

    assert opened.states.why_not_start(opened.id, opened.now) == f"{what}-changed"
    with pytest.raises(IllegalEntry, match=f"{what}-changed"):
        opened.start()


def test_without_a_roster_nobody_approves(opened):
    opened.load_roster(Roster())

    with pytest.raises(IllegalEntry, match="no such key"):
        opened.decide(BOB, "approve")


# ---- the claim names what it rests on --------------------------------------


@pytest.mark.parametrize("decisions", [[], [0], [99], "all and one more"])
def test_a_claim_rests_on_the_approvals_it_names(opened, decisions):
    yes = opened.decide(BOB, "approve")

    with pytest.raises(IllegalEntry, match="not-approved"):
        opened.start(decisions=[yes, 0] if isinstance(decisions, str) else decisions)


@pytest.mark.parametrize("field", ["request_sha256", "script_sha256"])
def test_a_claim_is_for_the_bytes_that_were_approved(opened, field):
    opened.decide(BOB, "approve")

    with pytest.raises(IllegalEntry, match="approved"):
        opened.start(**{field: "00" * 32})


# ---- answers that come too late --------------------------------------------


def admitted(history: History, answer: str, by: str = BOB) -> str:
    try:
        history.states.admit(history.id, answer, by, history.now)
    except Refused as error:
        return error.why
    return "admitted"


# fmt: off
LATE = {
    "nothing yet":                  ([], "approve", "admitted"),
    "a second yes":                 (["approve"], "approve", "already-answered"),
    "a yes while it is asked":      (["ask"], "approve", "question-open"),
    "a second question":            (["ask"], "ask", "admitted"),
    "a question after enough yes":  (["approve"], "ask", "already-approved"),
    "a no after enough yes":        (["approve"], "reject", "admitted"),
    "revoking nothing":             ([], "revoke", "nothing-to-revoke"),
    "revoking an approval":         (["approve"], "revoke", "admitted"),
    "a yes after a no":             (["reject"], "approve", "request-ended"),
    "revoking after the claim":     (["approve", "start"], "revoke", "request-started"),
    "a no after time ran out":      (["wait"], "reject", "request-expired"),
    "revoking what has lapsed":     (["approve", "wait"], "revoke", "request-expired"),
}
# fmt: on


@pytest.mark.parametrize(("before", "answer", "word"), LATE.values(), ids=LATE.keys())
def test_an_answer_is_admitted_or_refused_with_its_own_word(opened, before, answer, word):
    for step in before:
        if step == "start":
            opened.start()
        elif step == "wait":
            opened.passes(30)
        else:
            opened.decide(BOB, step)

    assert admitted(opened, answer) == word


def test_an_answer_to_nothing_is_refused(history):
    assert admitted(history, "approve") == "request-unknown"


# ---- commands without a request --------------------------------------------


def test_an_allowed_command_needs_nobody(history):
    history.submit("allow")
    history.start()
    assert [running.id for running in history.states.unfinished()] == [history.id]

    history.end("command.finished", exit=3)
    assert history.states.unfinished() == ()


def test_after_a_crash_what_was_running_is_known(history):
    """
    The broker writes `command.lost` for each, and never runs one of them again.
    """
    history.submit("allow", id="aaaaaaaa")
    history.start(id="aaaaaaaa")
    history.open()
    history.decide(BOB, "approve")
    history.start()

    again = States()
    for entry in history.entries:
        again.apply(entry, history.resolve)

    assert [running.id for running in again.unfinished()] == ["aaaaaaaa", history.id]
    history.end("command.lost")
    assert (history.state, history.may_start) == ("lost", False)


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_only_an_allowed_command_starts_without_a_request(history, verdict):
    history.submit(verdict)

    with pytest.raises(IllegalEntry, match="nothing allowed it"):
        history.start()


def test_an_allowed_command_starts_once_and_as_submitted(history):
    history.submit("allow")
    with pytest.raises(IllegalEntry, match="not what was submitted"):
        history.start(script_sha256="00" * 32)
    history.start()

    with pytest.raises(IllegalEntry, match="nothing allowed it"):
        history.start()


def test_a_request_asks_for_the_script_that_was_submitted(history):
    history.submit("approve", script_sha256="00" * 32)

    with pytest.raises(IllegalEntry, match="another script"):
        history.open()


# ---- ids and malformed entries ---------------------------------------------


def test_an_id_is_used_once(opened):
    with pytest.raises(IllegalEntry, match="used before"):
        opened.open()
    opened.submit("approve")  # the re-run that joins the wait
    opened.decide(BOB, "reject")
    with pytest.raises(IllegalEntry, match="used before"):
        opened.submit("allow")
    assert opened.states.known(opened.id)


def test_a_submitted_command_cannot_be_submitted_again_with_a_kinder_verdict(history):
    history.submit("approve")

    with pytest.raises(IllegalEntry, match="used before"):
        history.submit("allow")


# fmt: off
BROKEN = {
    "an answer to nothing":      ("decision.accepted", {"id": "zzzzzzzz"}),
    "an end of nothing":         ("request.expired", {"id": "zzzzzzzz"}),
    "a finish of nothing":       ("command.finished", {"id": "k7q2m9xd"}),
    "a revision without asking": ("request.revised", {"id": "k7q2m9xd", "revision": 2, "request_sha256": "00"}),
    "no id":                     ("command.submitted", {"verdict": "allow"}),
    "no fields":                 ("command.started", {}),
    "a list for an id":          ("command.submitted", {"id": [], "verdict": "allow", "script_sha256": SCRIPT}),
    "a roster in pieces":        ("roster.loaded", {"roster_sha256": "0", "allowed_signers": "x", "people": {}}),
    "a roster of other digest":  ("roster.loaded", {"roster_sha256": "0", "allowed_signers": "", "people": {}}),
}
# fmt: on


@pytest.mark.parametrize(("type", "fields"), BROKEN.values(), ids=BROKEN.keys())
def test_an_entry_that_cannot_be_is_refused_and_changes_nothing(opened, type, fields):
    """
    The audit goes on after it and reports the next one too.
    """
    before = (opened.request, opened.states.open(), opened.states.roster)

    with pytest.raises(IllegalEntry, match="cannot be"):
        opened.append(type, **fields)

    assert (opened.request, opened.states.open(), opened.states.roster) == before


def test_entries_without_state_are_passed_over(opened):
    opened.append("heartbeat")
    opened.append("decision.refused", id="zzzzzzzz", why="signature-wrong")
    opened.append("something.of.a.later.version")

    assert opened.state == "pending"


def test_old_requests_fold_without_their_blobs(opened):
    """
    Retention deletes documents, and the broker must still start.
    """
    opened.decide(BOB, "approve")
    opened.start()
    opened.end("command.finished", exit=0)
    opened.blobs.clear()
    again = States()

    for entry in opened.entries:
        again.apply(entry, opened.resolve)

    assert again.get(opened.id).state == "finished"


def test_nothing_starts_on_a_request_whose_document_is_gone(opened):
    """
    Deleting the blob of a waiting request must not lift its conditions.
    """
    opened.blobs.clear()
    again = States()
    for entry in opened.entries:
        again.apply(entry, opened.resolve)

    assert not again.may_start(opened.id, NOON)
