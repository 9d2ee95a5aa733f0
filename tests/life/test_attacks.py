"""What an agent might try between the approval and the run: each opens a new request or nothing.

One row of the attack table each; what is tried is done for real, with the broker looking on.
"""

from __future__ import annotations

import shutil

import pytest

from gatesh.approval.courier import Parcel
from gatesh.document import sha256
from tests.approval.world import SecurityKey
from tests.life.conftest import Asked
from tests.life.people import decide, signed, submit
from tests.world import RULES, until

LINE = "guarded; source ./lib.sh"


def scene(world, place):
    """`guarded`, which is the first in PATH, and a link to a file that the line reads as code."""
    (place / "bin").mkdir(exist_ok=True)
    if place / "bin" != world.bin:
        shutil.copy(world.bin / "guarded", place / "bin" / "guarded")
    (place / "work").mkdir(exist_ok=True)
    (place / "real.sh").write_text("echo good\n")
    (place / "work" / "lib.sh").symlink_to(place / "real.sh")
    path = f"{place}/first:{place}/bin:{world.env['PATH']}"
    return Asked(world, LINE, place / "work", env={"PATH": path})


@pytest.fixture
def approved(shared, place):
    """An approval that is not used yet."""
    made = scene(shared, place).ask()
    decide(shared, made.id)
    return made


def edit_the_file(asked):
    (asked.place.parent / "real.sh").write_text("echo evil\n")


def swap_the_link(asked):
    evil = asked.place.parent / "evil.sh"
    evil.write_text("echo evil\n")
    (asked.place / "lib.sh").unlink()
    (asked.place / "lib.sh").symlink_to(evil)


def put_another_directory_in_its_place(asked):
    """Same path, same content: only the inode tells."""
    aside = asked.place.parent / "aside"
    asked.place.rename(aside)
    shutil.copytree(aside, asked.place, symlinks=True)


def replace_the_program(asked):
    (asked.place.parent / "bin" / "guarded").write_text("#!/bin/bash\necho evil\n")


def put_a_program_before_it(asked):
    first = asked.place.parent / "first"
    first.mkdir()
    shutil.copy(asked.world.program("evil", "echo evil"), first / "guarded")


def search_elsewhere(asked):
    asked.env["PATH"] = asked.world.env["PATH"]


def set_bash_env(asked):
    (asked.place.parent / "rc").write_text("echo evil\n")
    asked.env["BASH_ENV"] = str(asked.place.parent / "rc")


def export_a_function(asked):
    asked.env["BASH_FUNC_guarded%%"] = "() { echo evil; }"


def preload_a_library(asked):
    asked.env["LD_PRELOAD"] = ""


@pytest.mark.parametrize(
    "attack",
    [edit_the_file, swap_the_link, put_another_directory_in_its_place, replace_the_program,
     put_a_program_before_it, search_elsewhere, set_bash_env, export_a_function,
     preload_a_library],
    ids=lambda attack: attack.__name__.replace("_", " "),
)  # fmt: skip
def test_an_approval_is_good_for_what_was_shown_and_nothing_else(approved, attack):
    attack(approved)

    done = approved.run()

    assert (done.status, done.out) == (75, b"")
    assert approved.state == "approved", "and still there for what it was given for"
    assert approved.entries("command.started") == []
    assert approved.world.entries("request.opened")[-1]["id"] != approved.id


def test_the_content_of_what_is_read_as_code_is_shown_here_and_elsewhere(shared, place):
    """
    `source lib.sh` says nothing; what an approver signs is what stands in lib.sh.
    """
    made = scene(shared, place).ask()
    (place / "real.sh").write_text("echo evil\n")

    shown = shared.gatesh("show", made.id).text
    parcel = shared.gatesh("show", made.id, "--parcel").out

    assert "           │ echo good\n" in shown and "evil" not in shown
    assert sha256(b"echo good\n") in Parcel.read(parcel.strip()).files
    assert str(place / "bin" / "guarded") in shown, "programs by path and digest"


def test_without_an_attack_the_approval_is_used(approved):
    assert approved.run().out == b"guarded \ngood\n"


@pytest.mark.parametrize(
    ("attack", "what"),
    [(edit_the_file, "files"), (replace_the_program, "files"),
     (put_another_directory_in_its_place, "cwd")],
    ids=["edit the file", "replace the program", "put another directory in its place"],
)  # fmt: skip
def test_a_call_that_waits_is_looked_at_again_before_it_starts(world, attack, what):
    """
    The agent's process waits for the yes and changes things meanwhile.
    """
    world.set_up()
    asked = scene(world, world.base)
    call = world.start("-c", LINE, cwd=asked.place, env=asked.env)
    first = world.waiting()

    attack(asked)
    decide(world, first)

    until(lambda: any(p["id"] != first and p["waiting"] for p in world.pending()))
    lapsed = world.entries("request.lapsed")
    assert [(e["id"], what in e["why"]) for e in lapsed] == [(first, True)]
    decide(world, world.waiting(), "reject")
    assert call.end().out == b""


def test_a_decision_made_for_one_log_is_none_for_another(world, tmp_path):
    """
    Two brokers, the same people and keys: what was signed for one is worthless at the other.
    """
    from tests.world import World

    other = World(tmp_path)
    try:
        for each in (world, other):
            each.settings("hold: 0\n")
            each.set_up()
        shutil.copy(world.key("bob"), other.key("bob"))
        for name in ("allowed_signers", "people.json"):
            shutil.copy(world.config / name, other.config / name)
        for each in (world, other):
            each.gatesh("-c", "guarded")
        here, there = (each.pending()[0]["id"] for each in (world, other))

        answer = signed(world, here)
        log = world.question("head")["checkpoint"].split("\n")[0]
        moved = submit(other, *answer)

        assert moved["kind"] == "NotFound"
        assert log != other.question("head")["checkpoint"].split("\n")[0]
        from gatesh.approval.decision import Decision

        head = Decision.read(answer[0].encode()).log
        assert submit(other, *signed(other, there, log=head))["why"] == "log-other"
    finally:
        other.end()


# ---- who signs, and where -----------------------------------------------------------


@pytest.mark.parametrize("how", ["approve", "sign"])
def test_no_decision_is_signed_inside_a_gated_command(shared, place, how):
    """
    An agent that finds a person's key must not answer its own request; a helper of any name
    carries the attempt past the rules that know gatesh's words.
    """
    world, id = shared, Asked(shared, f"guarded {place.name}", place).ask().id
    world.program("helper", 'gatesh show "$1" --parcel > p 2> /dev/null\n'
                  f'gatesh {how} {"$1" if how == "approve" else "p"} --yes --key "$2"')  # fmt: skip

    done = world.gatesh("-c", f"helper {id} {world.key('bob')}")

    assert done.status == 126, done.words
    assert "from inside a gated command" in done.words
    assert done.out == b""
    assert world.question("request", id=id)["state"] == "pending"


def test_a_forwarded_agent_is_warned_of(shared, place):
    world, id = shared, Asked(shared, f"guarded {place.name}", place).ask().id

    done = world.gatesh("approve", id, "--yes", "--key", str(world.key("bob")),
                        env={"SSH_AUTH_SOCK": "/nowhere", "SSH_CONNECTION": "a 1 b 22"})  # fmt: skip

    assert done.status == 0
    assert "agent is forwarded" in done.words and "--host" in done.words


def test_a_rule_can_ask_for_a_key_that_is_touched(world):
    """
    A key file is not enough then; that the touch is in the signature has tests of its own.
    """
    world.settings("hold: 0\n")
    world.set_up("alice@example.com", "bob")
    world.rules(RULES.replace("approve\n", "approve\n    approve: {assurance: presence}\n", 1))
    key = SecurityKey("carol")
    (world.base / "carol.pub").write_text(f"{key.public.text}\n")
    done = world.gatesh("people", "add", "carol@example.com", "--key", f"{world.base}/carol.pub")
    assert done.status == 75, done.words
    world.approve_proposals()
    world.gatesh("-c", "guarded")
    id = world.pending()[0]["id"]

    assert submit(world, *signed(world, id))["why"] == "presence-needed"
    assert submit(world, *signed(world, id, by="carol", key=key))["state"] == "approved"
    assert world.entries("decision.accepted")[-1]["assurance"] == "presence"


LOW_ORDER = "AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@pytest.mark.parametrize(
    ("person", "line", "word"),
    [
        ("dave@example.com", f"ssh-ed25519 {LOW_ORDER} carol", "not a sound Ed25519 point"),
        ("dave@example.com", "BOB", "already belongs to bob@example.com"),
        ("*@example.com", "MINE", "cannot be a person's name"),
        ("bob@example.com,carol@example.com", "MINE", "cannot be a person's name"),
        ("Bob@example.com", "MINE", "only in case"),
        ("carol@example.com", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== c", "Ed25519"),
    ],
    ids=["a low-order key", "somebody's key", "a wildcard", "two principals", "a look-alike",
         "another kind of key"],
)  # fmt: skip
def test_enrolment_refuses_what_would_let_one_count_as_another(shared, person, line, word):
    world = shared
    before = (world.config / "allowed_signers").read_text()
    if line.isupper():
        line = (
            world.base / f"{world.key('bob' if line == 'BOB' else 'dave').name}.pub"
        ).read_text()
    (world.base / "new.pub").write_text(f"{line.strip()}\n")

    done = world.gatesh("people", "add", person, "--key", str(world.base / "new.pub"))

    assert done.status not in (0, 1), done.words
    assert word in done.words
    assert (world.config / "allowed_signers").read_text() == before
