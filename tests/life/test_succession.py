"""Closing a log and going on in a new one: nothing is lost between the two."""

from __future__ import annotations

import json
import os
import signal

from tests.world import World, until


def directories(world: World) -> list[str]:
    return sorted(p.name for p in world.state.glob("ledger*"))


def past(world: World, k: int = 0) -> list[dict]:
    path = world.state / f"ledger.{k:06d}" / "log.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def codes(world: World) -> set[str]:
    return {f["code"] for f in world.audit()["findings"] if f["severity"] != "info"}


def test_a_closed_log_is_followed_by_one_that_names_it(world: World):
    """
    A log cannot grow for ever, and nobody may choose the moment to drop what was in it.
    """
    world.set_up()
    world.gatesh("-c", "echo before")
    old_key = (world.state / "log.key").read_bytes()

    done = world.gatesh("ledger", "close")

    assert done.status == 0, done.words
    assert world.gatesh("-c", "echo after").text == "after\n"
    assert directories(world) == ["ledger", "ledger.000000"]
    stopped, closed = past(world)[-2:]
    assert (stopped["type"], closed["type"]) == ("broker.stopped", "ledger.closed")
    opened = world.entries()[0]
    assert opened["predecessor"]["origin"] == closed["origin"]
    assert opened["predecessor"]["size"] == closed["n"] + 1
    assert closed["successor"] == {"origin": opened["origin"], "vkey": opened["vkey"]}
    assert old_key not in [p.read_bytes() for p in world.state.glob("*.key*")]
    report = world.audit()
    assert report["ok"] and [log["directory"] for log in report["logs"]] == directories(world)[::-1]
    assert report["entries"] == len(past(world)) + len(world.entries())


def test_what_people_read_spans_both_logs(world: World):
    """
    Where one file ended is nothing that somebody who looks for a command has to know.
    """
    world.set_up()
    world.gatesh("-c", "echo before")
    id = world.json("log")["id"]
    world.gatesh("ledger", "close")
    world.gatesh("-c", "echo after")

    listed = world.gatesh("log", "--json").text.splitlines()

    assert [json.loads(line)["script"] for line in listed] == ["echo before", "echo after"]
    assert world.gatesh("replay", id).text == "before\n"
    origins = {log["origin"] for log in world.audit()["logs"]}
    exported = world.gatesh("export", "--ocsf").text.splitlines()
    assert {json.loads(line)["metadata"]["log_name"] for line in exported} == origins
    assert [log["closed"] for log in world.json("ledger", "list")] == [True, False]


def test_what_waits_is_ended_and_can_be_asked_for_again(world: World):
    """
    An answer names the log that its signer has seen: it cannot be carried into another one.
    """
    world.set_up()
    asking = world.start("-c", "guarded x")
    id = world.waiting()

    done = world.gatesh("ledger", "close")

    assert done.status == 0 and "can be asked for again" in done.words
    assert asking.end().status == 75
    ended = next(e for e in past(world) if e["type"] == "request.cancelled")
    assert (ended["id"], ended["why"]) == (id, "the log was closed")
    assert world.approve(id).status != 0
    again = world.start("-c", "guarded x")
    world.approve(world.waiting())
    assert again.end().text == "guarded x\n"
    assert codes(world) == set()


def test_an_approver_follows_a_log_they_know_to_the_next_one(world: World):
    """
    Trust on first use is for strangers; the log that Bob knows has named the key of this one.
    """
    world.set_up()
    asking = world.start("-c", "guarded x")
    first = world.approve(world.waiting())
    assert "first look" in first.words and asking.wait() == 0
    world.gatesh("ledger", "close")
    asking = world.start("-c", "guarded x")

    second = world.approve(world.waiting())

    assert "was closed and goes on as" in second.words and "first look" not in second.words
    assert asking.wait() == 0
    report = world.audit()
    assert report["ok"] and report["unprotected"] < report["head"]["size"]


def test_running_commands_finish_first(world: World):
    """
    The end of a command belongs into the log that has its start.
    """
    world.set_up()
    go = world.base / "go"
    running = world.start("-c", f"echo up; until [ -e {go} ]; do sleep 0.05; done; echo done")
    until(lambda: world.listening() and bool(world.question("status")["running"]))

    refused = world.gatesh("ledger", "close")
    closing = world.start("ledger", "close", "--wait")
    assert refused.status == 126 and "is running" in refused.words
    go.touch()

    assert running.end().text == "up\ndone\n"
    assert closing.wait() == 0
    types = [e["type"] for e in past(world)]
    assert types[-3:] == ["command.finished", "broker.stopped", "ledger.closed"]
    assert codes(world) == set()


def test_an_agent_does_not_close_the_log_it_is_in(world: World):
    world.set_up()

    done = world.gatesh("-c", "gatesh ledger close")

    assert done.status == 126
    assert world.gatesh("-c", "echo still").text == "still\n"
    assert directories(world) == ["ledger"]


def test_a_broker_killed_after_the_last_entry_leaves_nothing_to_repair(world: World):
    """
    Putting the log away and beginning the next one is what any start does.
    """
    world.set_up()
    world.gatesh("-c", "echo before")
    pid = world.broker()
    world.question("close-log")
    until(lambda: not os.path.exists(f"/proc/{pid}"))  # finished, and nothing put away yet
    assert directories(world) == ["ledger"]
    (world.state / "ledger").rename(world.state / "ledger.000000")  # killed right behind this

    assert world.gatesh("-c", "echo after").text == "after\n"

    os.kill(world.broker(), signal.SIGKILL)
    assert world.gatesh("-c", "echo later").text == "later\n"
    assert codes(world) <= {"unclean-stop"}
    assert world.audit()["ok"]
