"""Deciding on another machine: whatever carries the files has no say in what is signed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gatesh.approval.courier import Parcel, SignedDecision
from gatesh.document import MalformedDocument, read, sha256, write
from gatesh.model import show_id
from tests.approval.world import request_bytes
from tests.life.conftest import Asked
from tests.world import Result, run


@pytest.fixture
def asked(shared, place):
    """A request that waits, and bob's own machine, which has his key and no broker."""
    machine = place / "bobs"
    machine.mkdir(mode=0o700)
    made = Asked(shared, f"guarded {place.name}", place).ask()
    return made, shared, {"GATESH_HOME": str(machine)}


def file(asked: Asked, name: str, made: Result) -> str:
    assert made.status == 0, made.words
    path = asked.place / name
    path.write_bytes(made.out)
    return str(path)


def sign(world, elsewhere, request: str, *more: str) -> Result:
    return world.gatesh(
        "sign", request, "--yes", "--key", str(world.key("bob")), *more, env=elsewhere
    )


def test_a_request_is_signed_elsewhere_and_any_courier_brings_the_answer(asked):
    request, world, elsewhere = asked
    id = request.id
    parcel = file(request, "request.json", world.gatesh("show", id, "--parcel"))

    answer = file(request, "d", sign(world, elsewhere, parcel, "-m", "OPS-12"))
    done = world.gatesh("submit", answer)

    assert done.text.startswith(f"approved {id[:4]}-{id[4:]} as bob@example.com")
    assert request.run().out == f"{request.line}\n".encode()
    assert not (request.place / "bobs" / "run").exists(), "signing needs no broker there"


def test_stock_ssh_keygen_verifies_the_parts_of_an_answer(asked):
    request, world, elsewhere = asked
    id = request.id
    parcel = file(request, "request.json", world.gatesh("show", id, "--parcel"))
    exact = world.gatesh("show", id, "--request").out

    answer = json.loads(sign(world, elsewhere, parcel).out)
    signature = request.place / "d.json.sig"
    signature.write_text(answer["signature"])

    run("ssh-keygen", "-Y", "verify", "-f", str(world.config / "allowed_signers"),
        "-I", "bob@example.com", "-n", "decision.v1@gatesh", "-s", str(signature),
        input=answer["decision"].encode())  # fmt: skip
    assert json.loads(answer["decision"])["request_sha256"] == sha256(exact)


def test_the_exact_request_and_a_head_are_enough(asked):
    """
    The second time the head is remembered: only the request has to travel.
    """
    request, world, elsewhere = asked
    id = request.id
    exact = file(request, "request.json", world.gatesh("show", id, "--request"))

    assert "give --head FILE" in sign(world, elsewhere, exact).words
    head = file(request, "head.json", world.gatesh("head"))
    assert sign(world, elsewhere, exact, "--head", head).status == 0
    world.gatesh("-c", "true")
    (request.place / "bobs" / "config").mkdir(mode=0o700)
    for name in ("allowed_signers", "people.json"):
        shutil.copy(world.config / name, request.place / "bobs" / "config")
    answer = file(request, "d", sign(world, elsewhere, exact, "--decision", "reject"))

    assert world.gatesh("submit", answer).text.startswith("rejected")
    assert request.state == "rejected"


@pytest.mark.parametrize("what", ["the command", "the digest it answers", "who asked"])
def test_a_courier_that_changes_something_gets_nothing_through(asked, what):
    request, world, elsewhere = asked
    id = request.id
    parcel = file(request, "request.json", world.gatesh("show", id, "--parcel"))
    found = json.loads((request.place / "request.json").read_bytes())
    forged = json.loads(found["request"])
    if what == "who asked":
        forged["requester"]["person"] = None
    elif what == "the command":
        forged["script"] = "guarded evil"
    found["request"] = write(forged).decode()
    if what != "the digest it answers":
        (request.place / "request.json").write_bytes(write(found))

    made = sign(world, elsewhere, parcel)
    if what == "the command":
        assert made.status == 2 and "is not what `script_sha256`" in made.words
        return
    answer = made.out
    if what == "the digest it answers":
        answer = answer.replace(b'request_sha256\\":\\"', b'request_sha256\\":\\"0')
    done = world.gatesh("submit", file(request, "d", Result(0, answer, b"")))

    assert done.status == 126
    assert request.entries("decision.accepted") == []


def test_an_answer_cannot_be_used_twice_nor_for_another_log(asked):
    request, world, elsewhere = asked
    id = request.id
    parcel = file(request, "request.json", world.gatesh("show", id, "--parcel"))
    answer = file(request, "d", sign(world, elsewhere, parcel))
    world.gatesh("submit", answer)
    request.run()
    assert request.run().status == 75

    again = world.gatesh("submit", answer)

    assert again.status == 126 and "started already" in again.words
    assert request.entries("decision.refused")[-1]["why"] == "request-started"
    assert len(request.entries("command.started")) == 1


def test_a_log_that_was_rewritten_is_noticed_before_anything_is_signed(asked):
    """
    Bob's machine remembers the head it has seen: another history under the same key is refused.
    """
    request, world, elsewhere = asked
    id = request.id
    parcel = file(request, "request.json", world.gatesh("show", id, "--parcel"))
    assert sign(world, elsewhere, parcel).status == 0
    found = json.loads((request.place / "request.json").read_bytes())
    found["head"]["vkey"] = found["head"]["vkey"][:-4] + "AAA="
    (request.place / "request.json").write_bytes(write(found))

    done = sign(world, elsewhere, parcel)

    assert done.status == 125 and done.out == b""


FAKE_SSH = """\
while [ "$1" != -- ]; do echo "$1" >> "$HOME/ssh-options"; shift; done
[ "$2" = alice@build7 ] || exit 255
shift 2
export GATESH_HOME="$HOME/home"
exec bash -c "$*"
"""


@pytest.mark.parametrize("word", ["approve", "reject"])
def test_ssh_only_carries(asked, word):
    """
    Shown and signed on bob's machine; his agent is not forwarded to the one he helps.
    """
    request, world, elsewhere = asked
    id = request.id
    world.program("ssh", FAKE_SSH)

    done = world.gatesh(word, "--host", "alice@build7", id, "--yes", "--key",
                        str(world.key("bob")), env=elsewhere)  # fmt: skip

    assert done.status == 0, done.words
    assert f"as bob@example.com: {request.line}" in done.text
    assert [e["decision"] for e in request.entries("decision.accepted")] == [word]
    assert "-a" in (world.base / "ssh-options").read_text().split()


def test_what_waits_on_another_machine_is_looked_at_from_here(asked):
    """
    One way for everything: list, read, decide, with nothing started on the approver's machine.
    """
    request, world, elsewhere = asked
    world.program("ssh", FAKE_SSH)

    listed = world.gatesh("pending", "--host", "alice@build7", env=elsewhere)
    shown = world.gatesh("show", "--host", "alice@build7", request.id, env=elsewhere)

    assert request.line in listed.text and show_id(request.id) in listed.text
    assert request.line in shown.text and show_id(request.id) in shown.text
    assert not (Path(elsewhere["GATESH_HOME"]) / "run" / "broker.sock").exists()


def test_a_list_that_is_none_is_refused(asked):
    _, world, elsewhere = asked
    world.program("ssh", """echo '[{"id": "\\u001b[2J"}]'""")

    done = world.gatesh("pending", "--host", "build7", env=elsewhere)

    assert done.status not in (0, 1) and b"\x1b" not in done.out + done.err


def test_what_the_other_machine_says_cannot_write_to_the_terminal(asked):
    request, world, elsewhere = asked
    id = request.id
    world.program("ssh", "printf '\\033[2Jgone\\n' >&2; exit 1")

    done = world.gatesh("approve", "--host", "build7", id, "--yes", env=elsewhere)

    assert done.status == 125
    assert b"\x1b" not in done.err and "\\x1b[2Jgone" in done.words


def test_a_host_cannot_be_an_option_of_ssh(asked):
    request, world, elsewhere = asked
    id = request.id
    world.program("ssh", 'printf "%s\\n" "$@" > "$HOME/argv"; exit 1')

    world.gatesh("approve", "--host=-oProxyCommand=evil", id, "--yes", env=elsewhere)

    argv = (world.base / "argv").read_text().split("\n")
    assert argv.index("--") < argv.index("-oProxyCommand=evil")


def test_a_parcel_holds_exactly_what_it_names():
    parcel = Parcel.read(request_bytes())
    assert Parcel.read(parcel.write()) == parcel

    other = json.loads(parcel.write())
    other["files"] = {"00" * 32: "bHM="}
    with pytest.raises(MalformedDocument, match="not the one that its digest names"):
        Parcel.read(write(other))
    other["script"] = "bHM="
    other["files"] = {}
    with pytest.raises(MalformedDocument, match="not the one that the request names"):
        Parcel.read(write(other))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"decision":1,"signature":"x","type":"gatesh/signed-decision/v1"}',
     b'{"decision":"\\u00e9","signature":"x","type":"gatesh/signed-decision/v1"}',
     b'{"type":"gatesh/signed-decision/v1"}', b" " * 100_000],
    ids=["nothing", "no type", "a number", "not ASCII", "no parts", "too long"],
)  # fmt: skip
def test_what_is_no_answer_is_refused_by_its_form(data):
    with pytest.raises(MalformedDocument):
        SignedDecision.read(data)


def test_an_answer_survives_mail():
    """
    A line's end more, or another one, is what couriers do to files.
    """
    made = SignedDecision(b'{"a":1}', b"-----BEGIN SSH SIGNATURE-----\n")

    assert SignedDecision.read(made.write() + b"\r\n") == made
    assert read(made.write())["decision"] == '{"a":1}'
