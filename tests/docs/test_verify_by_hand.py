"""docs/verify-by-hand.md, run word for word with stock tools on a fresh log."""

from __future__ import annotations

from tests.docs.pages import DOCS, Page, play, settled
from tests.docs.scenes import approved_once

PAGE = Page(DOCS / "verify-by-hand.md")


def outputs(world):
    """Return what each command of the page prints, by command; those typed twice, the last."""
    steps = PAGE.steps()
    played = play(steps, world.work, world.env)
    assert len(played) == len(steps)
    return {
        step.command: (text.strip("\n"), status)
        for step, (text, status) in zip(steps, played, strict=True)
    }


def ending(found, end):
    """Return what the only command that ends so has printed."""
    (text,) = [text for command, (text, _) in found.items() if command.endswith(end)]
    return text


def test_a_stranger_with_stock_tools_can_verify_a_log(world):
    """
    The promise of the formats.  If this page stops working, old logs can no longer be checked
    by anybody who does not trust gatesh.
    """
    approved_once(world)

    found = outputs(world)

    assert {c: s for c, (_, s) in found.items() if s} == {}
    for step in PAGE.steps():
        assert settled(found[step.command][0]) == settled(step.printed), step.command
    signed_root = found["sed -n 3p ledger/checkpoint"][0]
    assert ending(found, '2p ledger/checkpoint)" ledger/log.jsonl | root') == signed_root
    witnessed = ending(found, 'decision.json)" ledger/log.jsonl | root')
    assert witnessed in found["jq -c .log decision.json"][0]
    assert ending(found, 'sed -n 2p)" ledger/log.jsonl | root') == witnessed
    approved, asked = found["sha256sum < request.json; jq -r .request_sha256 decision.json"][
        0
    ].splitlines()
    assert approved == f"{asked}  -"


def test_the_page_notices_what_was_changed(world):
    """
    A page of commands that always say "fine" would be worse than none.
    """
    approved_once(world)
    log = world.state / "ledger" / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"echo hello", b"echo jello"))
    for path in world.state.glob("blobs/sha256/*/*"):
        path.write_bytes(
            path.read_bytes()
            .replace(b"Apply complete!", b"Apply refused!!")
            .replace(b"change 4711", b"change 4712")
        )

    found = outputs(world)

    signed_root = found["sed -n 3p ledger/checkpoint"][0]
    assert ending(found, '2p ledger/checkpoint)" ledger/log.jsonl | root') != signed_root
    (checked,) = [text for command, (text, _) in found.items() if "sha256sum --check" in command]
    assert "FAILED" in checked and "every transcript" not in checked
    (verified,) = [got for command, got in found.items() if command.startswith("ssh-keygen")]
    assert verified[1] != 0 and "Good" not in verified[0]
