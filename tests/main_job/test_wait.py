"""`gatesh wait`: an agent acts on what it reads here, so it must never read the wrong thing."""

from __future__ import annotations


def test_waiting_for_what_has_run_never_says_to_run_it_again(world):
    """
    "It was not run, run it again" about a command that was run would have it run twice.
    """
    world.set_up()
    asking = world.start("-c", "guarded x")
    id = world.waiting()
    world.approve(id)
    assert asking.wait() == 0

    done = world.gatesh("wait", id)

    assert done.status == 0
    assert "has been run" in done.text and "NOT run" not in done.text + done.words


def test_waiting_for_what_was_refused_does_not_invite_another_try(world):
    world.set_up()
    asking = world.start("-c", "guarded x")
    id = world.waiting()
    world.reject(id)
    assert asking.wait() == 126

    done = world.gatesh("wait", id)

    assert done.status == 126
    assert "Do not retry" in done.words and "Run it again" not in done.words


def test_waiting_for_a_request_with_a_question_says_how_to_answer(world):
    world.set_up()
    asking = world.start("-c", "guarded x")
    id = world.waiting()
    key = str(world.key("bob"))
    assert world.gatesh("ask", id, "-m", "why?", "--yes", "--key", key).status == 0
    assert asking.wait() == 75

    done = world.gatesh("wait", id)

    assert done.status == 75
    assert f"gatesh answer {id[:4]}-{id[4:]}" in done.words
