"""The main job: a privileged command waits for a second person, runs, and can be proved."""

from __future__ import annotations

import base64
import hashlib
import json

from tests.world import run


def test_an_ordinary_command_runs_at_once_and_is_recorded(world):
    """
    Nothing is asked of anybody; the log still says what ran and what it printed.
    """
    world.set_up()

    done = world.gatesh("-c", "echo hello; exit 3")

    assert (done.status, done.out, done.err) == (3, b"hello\n", b"")
    finished = world.entries("command.finished")[-1]
    assert finished["exit"] == 3
    assert world.blob(finished["streams"]["stdout"]["sha256"]) == b"hello\n"


def test_setting_up_takes_two_commands(world):
    """
    `init` and one `people add`; both say what to do next, and nothing has to be edited.
    """
    world.rules()
    done = world.gatesh("init", "--me", "alice@example.com")
    assert done.status == 0 and "people add" in done.words
    world.enrol("bob", "--team", "sre")
    asking = world.start("-c", "guarded")

    world.approve(world.waiting())

    assert asking.wait() == 0
    listed = world.gatesh("people", "list").text
    assert "bob@example.com" in listed and "sre" in listed and "SHA256:" in listed
    assert world.gatesh("init").status == 0  # again, harmless
    assert world.gatesh("doctor").status == 0


def test_a_privileged_command_runs_once_a_second_person_signs(world):
    """
    The waiting call says at once which rule, which id, who can do what; then it runs by itself.
    """
    world.set_up()
    asking = world.start("-c", "guarded x; exit 5")

    id = world.waiting()
    assert world.approve(id, "bob", "-m", "change 4711").status == 0
    done = asking.end()

    assert (done.status, done.out) == (5, b"guarded x\n")
    assert f"request {id[:4]}-{id[4:]}" in done.words
    assert 'rule "tests.guarded"' in done.words
    assert "bob@example.com" in done.words
    started = world.entries("command.started")[-1]
    accepted = world.entries("decision.accepted")[-1]
    assert started["decisions"] == [accepted["n"]]
    assert started["n"] > accepted["n"]


def test_the_approver_sees_all_of_it_before_signing(world):
    world.set_up()
    asking = world.start("-c", "guarded 'a  b'\necho second line")
    id = world.waiting()

    shown = world.gatesh("show", id).text

    assert "guarded 'a  b'" in shown and "echo second line" in shown
    assert str(world.work) in shown
    assert "tests.guarded" in shown and "does something only a second person may allow" in shown
    assert "alice@example.com" in shown
    world.reject(id)
    assert asking.wait() == 126


def test_stock_tools_verify_what_happened_without_gatesh(world, tmp_path):
    """
    formats.md §5, word for word: ssh-keygen, sha256sum's arithmetic, openssl, one line of the log.
    """
    world.set_up()
    asking = world.start("-c", "guarded")
    world.approve(world.waiting())
    assert asking.wait() == 0
    assert world.gatesh("broker", "stop").status == 0
    accepted = world.entries("decision.accepted")[-1]
    roster = world.entries("roster.loaded")[-1]
    decision = world.blob(accepted["decision_sha256"])
    signature = tmp_path / "decision.sig"
    signature.write_bytes(world.blob(accepted["signature_sha256"]))
    signers = tmp_path / "allowed_signers"
    signers.write_text(roster["allowed_signers"])

    # 1 the approver signed exactly this
    at = json.loads(decision)["at"].partition(".")[0].translate({ord(c): None for c in "-:TZ"})
    run("ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "bob@example.com",
        "-n", "decision.v1@gatesh", "-O", f"verify-time={at}Z", "-s", str(signature),
        input=decision)  # fmt: skip

    # 2 what was approved is what the log names, and what the shell was given
    request = world.blob(accepted["request_sha256"])
    assert hashlib.sha256(request).hexdigest() == json.loads(decision)["request_sha256"]
    assert json.loads(request)["script"] == "guarded"

    # 3 the log's key signed this size and root
    checkpoint = (world.state / "ledger" / "checkpoint").read_bytes()
    body, _, signed = checkpoint.partition(b"\n\n")
    vkey = (world.state / "ledger" / "vkey").read_text().split("+", 2)[2]
    public = base64.b64decode(vkey)[1:]
    pem = tmp_path / "log.pem"
    spki = bytes.fromhex("302a300506032b6570032100") + public
    pem.write_bytes(
        b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(spki) + b"\n-----END PUBLIC KEY-----\n"
    )
    raw = base64.b64decode(signed.split()[-1])[4:]
    (tmp_path / "sig").write_bytes(raw)
    (tmp_path / "body").write_bytes(body + b"\n")
    run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(pem), "-rawin",
        "-in", str(tmp_path / "body"), "-sigfile", str(tmp_path / "sig"))  # fmt: skip

    # 4 the entries have that root, by a Merkle tree written here
    lines = (world.state / "ledger" / "log.jsonl").read_bytes().splitlines()
    size, root = int(body.split(b"\n")[1]), base64.b64decode(body.split(b"\n")[2])
    assert len(lines) == size
    assert _root([hashlib.sha256(b"\0" + line).digest() for line in lines]) == root


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + _root(leaves[:k]) + _root(leaves[k:])).digest()


def test_the_log_tells_the_story_and_the_audit_vouches_for_it(world):
    world.set_up()
    asking = world.start("-c", "guarded y")
    id = world.waiting()
    world.approve(id)
    asking.end()

    listed = world.gatesh("log").text
    assert "guarded y" in listed and "approve:bob@example.com" in listed and "exit 0" in listed
    assert world.gatesh("replay", id).out == b"guarded y\n"
    audit = world.gatesh("audit")
    assert audit.status == 0
    assert "verified" in audit.text and "seen by bob@example.com" in audit.text
    assert world.audit()["signatures"] == 1
