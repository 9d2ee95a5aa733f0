"""What can be relied on when a command meets the gate."""

from __future__ import annotations

import json
import os
import signal

import pytest

from gatesh.document import sha256
from gatesh.words import pending
from tests.world import until


def test_a_forbidden_command_is_refused_and_says_by_what(world):
    world.set_up()

    done = world.gatesh("-c", "forbidden y")

    assert (done.status, done.out) == (126, b"")
    assert done.words.startswith('gatesh: DENIED by rule "tests.forbidden" (is never done here)')
    assert "Instead: leave it." in done.words
    assert world.entries("command.started") == []


def test_one_privileged_part_makes_the_whole_line_wait(world):
    """
    `harmless && privileged` cannot smuggle its second half through.
    """
    world.set_up()
    asking = world.start("-c", "touch before && guarded")

    world.reject(world.waiting(), "bob", "-m", "not during the freeze")
    done = asking.end()

    assert done.status == 126
    assert "REJECTED by bob@example.com: not during the freeze" in done.words
    assert not (world.work / "before").exists()


def test_silence_never_approves(world):
    """
    The hold ends before the agent's own limit; the request lives on, nothing ran.
    """
    world.settings("hold: 0\n")
    world.set_up()

    done = world.gatesh("-c", "guarded")

    assert done.status == 75
    assert "PENDING request" in done.words and "NOT run" in done.words
    assert [p["waiting"] for p in world.pending()] == [0]


def test_the_same_command_run_again_claims_the_approval_once(world):
    world.settings("hold: 0\n")
    world.set_up()
    world.gatesh("-c", "guarded z")
    id = world.pending()[0]["id"]
    world.approve(id)

    first = world.gatesh("-c", "guarded z")
    second = world.gatesh("-c", "guarded z")

    assert (first.status, first.out) == (0, b"guarded z\n")
    assert second.status == 75
    assert [p["id"] for p in world.pending()] != [id]


def test_of_two_identical_calls_that_wait_one_runs(world):
    """
    An approval is good for one run, however many wait for it.
    """
    world.set_up()
    calls = [world.start("-c", "guarded once") for _ in range(2)]
    id = world.waiting()
    until(lambda: world.pending()[0]["waiting"] == 2)

    world.approve(id)
    done = sorted(call.end().status for call in calls)

    assert done == [0, 75]
    assert len(world.entries("command.started")) == 1


@pytest.mark.parametrize("other", ["another directory", "another variable", "another text"])
def test_an_approval_is_good_for_exactly_what_was_shown(world, other):
    world.settings("hold: 0\n")
    world.set_up()
    world.gatesh("-c", "guarded")
    world.approve(world.pending()[0]["id"])
    (world.work / "else").mkdir()
    how = {
        "another directory": {"cwd": world.work / "else"},
        "another variable": {"env": {"AWS_PROFILE": "prod"}},
        "another text": {},
    }[other]

    done = world.gatesh("-c", "guarded " if other == "another text" else "guarded", **how)

    assert done.status == 75
    assert world.entries("command.started") == []


def test_a_script_that_changes_after_it_was_approved_does_not_run(world):
    world.set_up()
    script = world.work / "deploy.sh"
    script.write_text("guarded good\n")
    asking = world.start("deploy.sh")
    id = world.waiting()

    script.write_text("guarded evil\n")
    world.approve(id)
    again = world.waiting()
    world.reject(again)
    done = asking.end()

    assert done.status == 126 and done.out == b""
    assert "no longer covers this command: changed since it was asked" in done.words
    (lapsed,) = world.entries("request.lapsed")
    opened = world.entries("request.opened")[0]
    same = ("id", "revision", "request_sha256")
    assert [lapsed[name] for name in same] == [opened[name] for name in same] and opened["id"] == id
    assert again != id


@pytest.mark.parametrize("changed", ["rules", "roster"])
def test_rules_and_roster_of_the_day_are_part_of_what_is_approved(world, changed):
    world.settings("hold: 0\n")
    world.set_up("alice@example.com", "bob")
    world.gatesh("-c", "guarded")
    id = world.pending()[0]["id"]
    world.approve(id)

    if changed == "rules":
        text = world.rules().read_text()
        world.rules(text.replace("second person", "third person"))
        world.new_law()
    else:
        world.enrol("carol")

    assert world.gatesh("-c", "guarded").status == 75
    assert id not in [entry["id"] for entry in world.entries("command.started")]


def test_nothing_starts_for_a_caller_that_is_gone(world):
    """
    Cline kills after 30 s without a word: a late approval must not run anything by itself.
    """
    world.set_up()
    asking = world.start("-c", "guarded")
    id = world.waiting()

    asking.process.kill()
    asking.end()
    until(lambda: world.pending()[0]["waiting"] == 0)
    world.approve(id)

    assert world.entries("command.started") == []
    assert world.gatesh("-c", "guarded").status == 0


def test_a_waiting_call_that_is_interrupted_dies_as_bash_would(world):
    world.set_up()
    asking = world.start("-c", "guarded")
    world.waiting()

    asking.process.send_signal(signal.SIGINT)

    assert asking.wait() == -signal.SIGINT


def test_cancelling_ends_the_wait(world):
    world.set_up()
    asking = world.start("-c", "guarded")
    id = world.waiting()

    assert world.gatesh("cancel", id).status == 0
    done = asking.end()

    assert done.status == 75
    assert "CANCELLED request" in done.words


def test_a_question_reaches_the_agent(world):
    world.set_up()
    asking = world.start("-c", "guarded")
    id = world.waiting()

    world.gatesh("ask", id, "-m", "which workspace?", "--yes", "--key", str(world.key("bob")))
    done = asking.end()

    assert done.status == 75
    assert "QUESTION from bob@example.com" in done.words and "which workspace?" in done.words


def test_standard_output_is_the_commands_alone(world):
    """
    Harness calls, MCP, scp and git parse it.
    """
    world.set_up()
    asking = world.start("-c", "guarded")
    world.approve(world.waiting())

    assert asking.end().out == b"guarded \n"


def test_secrets_in_the_environment_are_not_written_down(world):
    world.settings("hold: 0\n")
    world.set_up()

    secret = {"AWS_SECRET_ACCESS_KEY": "hunter2-hunter2"}
    world.gatesh(
        "-c", 'guarded "$AWS_SECRET_ACCESS_KEY"; sudo -n x $AWS_SECRET_ACCESS_KEY', env=secret
    )

    everything = b"".join(p.read_bytes() for p in world.state.rglob("*") if p.is_file())
    assert b"AWS_SECRET_ACCESS_KEY" in everything
    assert b"hunter2" not in everything


def test_what_agents_read_stays_clear_of_words_they_mistake(world):
    """
    codex offers to run a command again outside its container when it reads these.
    """
    world.settings("hold: 0\n")
    world.set_up()
    said = [
        world.gatesh("-c", "forbidden").words,
        world.gatesh("-c", "guarded").words,
        pending("k7q2m9xd"),
    ]

    for text in said:
        assert text.isascii()
        for word in ("permission denied", "operation not permitted", "read-only file system",
                     "sandbox", "seccomp", "landlock", "failed to write file"):  # fmt: skip
            assert word not in text.lower()


def test_hostile_text_cannot_write_to_the_approvers_terminal(world):
    world.set_up()
    asking = world.start("-c", "guarded '\x1b[2K\r\u202etxt.exe'")
    id = world.waiting()

    for shown in (world.gatesh("show", id), world.gatesh("pending")):
        assert b"\x1b" not in shown.out and "\u202e" not in shown.text
        assert "\\x1b[2K" in shown.text and "⟨U+202E⟩" in shown.text
    world.reject(id)
    asking.end()


def test_the_request_names_the_requester_as_the_kernel_does(world):
    world.set_up()
    asking = world.start("-c", "guarded", env={"CLAUDECODE": "1"})
    id = world.waiting()

    asker = json.loads(world.gatesh("show", id, "--json").out)["request"]["requester"]

    assert asker["uid"] == os.geteuid()
    assert asker["agent"] == {"name": "claude-code", "by": "CLAUDECODE=1"}
    assert asker["ancestry"][0][0] == os.getpid()
    world.reject(id)
    asking.end()


@pytest.mark.parametrize(
    "variables",
    [
        {"BASH_ENV": "$(guarded x)"},
        {"BASH_ENV": "`guarded x`/dev/null"},
        {"BASH_ENV": "{work}/start"},
        {"BASH_ENV": "$HERE/start", "HERE": "{work}"},
        {"BASH_FUNC_ls%%": "() { guarded x\n}"},
        {"PS4": "$(guarded x)", "SHELLOPTS": "xtrace"},
        {"BASH_ENV": "\\\" '$(guarded x)'"},
        {"PS4": "\\\" '$(guarded x)'", "SHELLOPTS": "xtrace"},
    ],
    ids=[
        "substitution",
        "backquotes",
        "a file",
        "a file by variable",
        "a function",
        "a trace",
        "quotes that would end ours",
        "quotes in a trace",
    ],
)
def test_code_that_comes_in_the_environment_is_judged_too(world, variables):
    """
    bash runs it before, or instead of, what stands in the command.
    """
    world.settings("hold: 0\n")
    world.set_up()
    (world.work / "start").write_text("guarded from the start\n")
    variables = {k: v.replace("{work}", str(world.work)) for k, v in variables.items()}

    done = world.gatesh("-c", "ls", env=variables)

    assert done.status == 75
    assert world.entries("command.started") == []


def test_the_agent_is_named_with_what_gave_it_away(world):
    """
    A reader must be able to see that this is a guess, and from what.
    """
    world.set_up()
    asking = world.start("-c", "guarded", env={"CLAUDECODE": "1"})
    id = world.waiting()
    shown = world.gatesh("show", id).text
    world.reject(id)
    asking.end()

    agent = {"name": "claude-code", "by": "CLAUDECODE=1"}
    (submitted,) = world.entries("command.submitted")
    (opened,) = world.entries("request.opened")
    assert submitted["requester"]["agent"] == agent
    assert json.loads(world.blob(opened["request_sha256"]))["requester"]["agent"] == agent
    assert "agent claude-code" in shown


def test_what_the_shell_does_itself_is_not_bound_to_a_file(world):
    """
    `echo` is bash's own; the file of that name is not what runs, unless another program runs it.
    """
    world.set_up()
    asking = world.start("-c", "echo a; [ x ]; bash -c 'pwd'; env printf x; guarded")
    id = world.waiting()
    world.reject(id)
    asking.end()

    (opened,) = world.entries("request.opened")
    files = json.loads(world.blob(opened["request_sha256"]))["files"]
    names = {os.path.basename(file["path"]) for file in files}
    assert names >= {"guarded", "bash", "env", "printf"}
    assert not names & {"echo", "[", "pwd"}


def test_a_file_on_standard_input_is_part_of_what_is_approved(world):
    """
    `psql < change.sql` is approved for that change, and for no other put there meanwhile.
    """
    world.set_up()
    world.program("guarded", "cat")
    change = world.work / "change.sql"
    change.write_bytes(b"first\nsecond\n")
    with change.open("rb", buffering=0) as stdin:
        stdin.read(6)
        asking = world.start("-c", "guarded", stdin=stdin)
        id = world.waiting()
        (opened,) = world.entries("request.opened")
        request = json.loads(world.blob(opened["request_sha256"]))
        assert request["stdin"] == {"kind": "file", "sha256": sha256(b"second\n")}

        change.write_bytes(b"first\nevil!!\n")
        world.approve(id)
        again = world.waiting()
        assert again != id
        change.write_bytes(b"first\nsecond\n")
        world.reject(again)
        assert asking.end().out == b""
        assert "stdin" in world.entries("request.lapsed")[0]["why"]

        asking = world.start("-c", "guarded", stdin=stdin)
        world.approve(world.waiting())
        assert asking.end().out == b"second\n"


@pytest.mark.parametrize("line", ["bash -s x", "sh -es -- x"])
def test_a_shell_inside_does_not_run_the_callers_input_unseen(world, line):
    """
    The line is harmless, and the file it would be fed with is not: a person sees both.
    """
    world.set_up()
    script = world.work / "h.sh"
    script.write_text("guarded evil\n")
    with script.open() as stdin:
        asking = world.start("-c", line, stdin=stdin)
        id = world.waiting()
        world.reject(id)
        assert asking.end().status == 126
    (submitted,) = world.entries("command.submitted")
    assert any("standard input" in f.get("detail", "") for f in submitted["findings"])
    assert world.gatesh("-c", line).status == 0  # /dev/null


def test_a_call_put_into_the_background_keeps_waiting(world):
    """
    `sh -c 'gatesh … &'` is meant to outlive that `sh`.
    """
    world.set_up()
    world.start("-c", "gatesh -c 'guarded later' > out 2> err &", program="/bin/sh").end()
    id = world.waiting()

    world.approve(id)

    until(lambda: (world.work / "out").read_text() == "guarded later\n")
