"""A question and its answer: the request goes on as a new revision, and nothing old counts."""

from __future__ import annotations

import os
import select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.approval.revision import answered, changes, revise
from gatesh.document import sha256
from tests.approval.world import NOON, request_bytes
from tests.life.conftest import Asked
from tests.life.people import decide, signed, submit
from tests.world import PATIENCE, until


@pytest.fixture
def asked(shared, place):
    """A request that bob has a question about, after carol's approval; it needs two people."""
    made = Asked(shared, f"twice {place.name}", place).ask()
    decide(shared, made.id, "approve", "carol")
    decide(shared, made.id, "ask", "bob")
    return made


def answer(world, id, text="staging, ticket OPS-12"):
    return world.question("answer", id=id, text=text)


def look(world, id):
    return world.question("request", id=id)


def test_an_answer_makes_a_new_revision_that_carries_question_and_answer(asked):
    world, id = asked.world, asked.id

    assert world.gatesh("answer", id, "-m", "staging, ticket OPS-12").status == 0

    shown = world.json("show", id)
    assert (shown["state"], shown["revision"]) == ("pending", 2)
    assert shown["request"]["purpose"] == (
        "? bob@example.com: which workspace?\n! staging, ticket OPS-12"
    )
    assert asked.entries("request.revised")[0]["request_sha256"] == shown["request_sha256"]
    assert sha256(world.gatesh("show", id, "--request").out) == shown["request_sha256"]
    assert world.audit()["ok"]


def test_approvals_from_before_the_answer_do_not_count(asked):
    """
    Carol said yes to something that has since been explained differently.
    """
    world, id = asked.world, asked.id
    answer(world, id)

    decide(world, id, "approve", "bob")
    assert look(world, id)["state"] == "pending"
    decide(world, id, "approve", "carol")

    assert look(world, id)["state"] == "approved"
    assert asked.run().out == f"{asked.line}\n".encode()


def test_the_same_command_run_again_hears_the_question_and_opens_nothing(asked):
    """
    Agents retry: a second request beside the first would be answered by nobody.
    """

    done = asked.run()

    assert done.status == 75
    assert "QUESTION from bob@example.com" in done.words and "WAITING" not in done.words
    assert len(asked.entries("request.opened")) == 1


def test_a_call_after_the_answer_joins_the_new_revision(asked):
    answer(asked.world, asked.id)

    assert asked.run().status == 75

    assert [e["joins"] for e in asked.entries("command.submitted") if "joins" in e] == [asked.id]


def test_somebody_at_a_terminal_answers_and_goes_on_waiting(world):
    """
    An agent has to hear the question and leave; a person can answer from the next window.
    """
    world.set_up()
    master, slave = os.openpty()
    call = world.start("-c", "guarded", stdin=slave, stderr=slave, stdout=slave)
    os.close(slave)
    id = world.waiting()

    decide(world, id, "ask")
    assert b"which workspace?" in read_to(master, b"QUESTION from bob@example.com")
    answer(world, id)
    decide(world, id)

    read_to(master, b"guarded \r\n")
    assert call.wait() == 0
    os.close(master)  # only now: a terminal that goes away hangs up on whoever is still leaving


def read_to(terminal, mark):
    """Return what a terminal shows, up to the line that *mark* is in."""
    said = b""
    while mark not in said or not said.endswith(b"\n"):
        assert select.select([terminal], [], [], PATIENCE)[0], said
        said += os.read(terminal, 4096)
    return said


def test_a_decision_on_an_older_revision_is_refused(asked):
    world, id = asked.world, asked.id
    late = signed(world, id, "reject", "carol")
    answer(world, id)

    assert submit(world, *late)["why"] == "revision-stale"
    assert look(world, id)["state"] == "pending"


def test_what_was_asked_and_what_changed_is_shown(asked):
    world, id = asked.world, asked.id
    answer(world, id, "staging")

    shown = world.gatesh("show", id).text

    assert "? bob@example.com: which workspace?" in shown and "! staging" in shown
    assert "changed    purpose since revision 1" in shown
    assert "on revision 1" in shown


def test_only_an_open_question_can_be_answered(asked):
    world, id = asked.world, asked.id

    assert answer(world, id, " ")["kind"] == "UsageError"
    assert answer(world, id, "x" * 5000)["kind"] == "UsageError"
    assert answer(world, id)["ok"]
    assert answer(world, id)["why"] == "nothing-asked"
    decide(world, id, "reject")
    assert answer(world, id)["why"] == "request-ended"
    assert len(asked.entries("request.revised")) == 1


def test_a_question_and_its_answer_survive_the_broker(asked):
    world, id = asked.world, asked.id
    answer(world, id)
    world.question("stop")
    until(lambda: not world.listening())

    assert asked.run().status == 75

    assert look(world, id)["revision"] == 2
    assert len(asked.entries("request.opened")) == 1


@given(st.text(), st.text().filter(str.strip))
def test_an_answer_cannot_pretend_that_more_was_asked(question, answer):
    """
    Lines that begin with `? ` and `! ` are gatesh's own.
    """
    text = answered("earlier", [("bob", question)], answer[:1000] + ".")

    marked = [line for line in text.split("\n") if line[:2] in ("? ", "! ")]
    assert len(marked) == 2
    assert marked[0].startswith("? bob: ") and marked[1].startswith("! ")


def test_a_revision_changes_nothing_of_what_would_happen():
    from gatesh.approval import request as requests

    before = requests.read(request_bytes())

    after = requests.read(revise(before, now=NOON, nonce=bytes(16), purpose="! staging"))

    assert changes(before, after) == ["purpose"]
    assert after["revision"] == 2
    assert requests.match_of(after, b"terraform apply") == requests.match_of(
        before, b"terraform apply"
    )
