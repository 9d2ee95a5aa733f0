"""The log as people list it: what was run, by whom, and who let it."""

from __future__ import annotations

import json

import pytest

from tests.ledger.ledger_world import House

# fmt: off
FILTERS = {
    "everything":                    ([],                          ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"]),
    "by verdict":                    (["--verdict", "approve"],    ["cccccccc"]),
    "who let it, by short name":     (["--by", "bob"],             ["cccccccc"]),
    "who let it, by full name":      (["--by", "bob@example.com"], ["cccccccc"]),
    "nobody of that name":           (["--by", "bo"],              []),
    "by account":                    (["--user", "alice"],         ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"]),
    "the newest":                    (["-n", "1"],                 ["dddddddd"]),
    "before all of it":              (["--since", "2029-01-01"],   ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"]),
    "after all of it":               (["--since", "2031-01-01"],   []),
    "two at once":                   (["--verdict", "deny", "--since", "2029-01-01"], ["bbbbbbbb"]),
}
# fmt: on


@pytest.mark.parametrize(("options", "ids"), FILTERS.values(), ids=FILTERS.keys())
def test_filters(house: House, gatesh, options, ids):
    house.live()

    said = gatesh("log", *options, "--json")

    assert [json.loads(line)["id"] for line in said.out.splitlines()] == ids


def test_every_entry_about_a_command_can_be_found_and_proven(house: House, gatesh, tmp_path):
    """
    From a line of the log to its proof: `entries` are the indexes that `audit proof` takes.
    """
    house.live()
    command = json.loads(gatesh("log", "--by", "bob", "--json").out)

    kinds = []
    for n in command["entries"]:
        proof = tmp_path / str(n)
        proof.write_text(gatesh("audit", "proof", str(n)).out)
        said = gatesh("audit", "check", proof, "--vkey", str(house.key), "--json")
        kinds.append(json.loads(said.out)["entry"]["type"])
    assert kinds == [
        "command.submitted", "request.opened", "decision.accepted",
        "command.started", "command.finished",
    ]  # fmt: skip


def test_a_verdict_that_is_none_is_not_an_empty_answer(house: House, gatesh):
    house.live()

    said = gatesh("log", "--verdict", "approved")

    assert said.status == 2
    assert "allow, approve, deny" in said.err
