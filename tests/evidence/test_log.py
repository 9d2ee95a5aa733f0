"""The log as people list it: what was run, by whom, and who let it."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh import document
from gatesh.transcript.search import search
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
    "before a day":                  (["--until", "2030-01-02"],   []),
    "what was asked for":            (["--grep", "RM -rf"],        []),
    "in any case":                   (["-g", "^rm|^date"],         ["bbbbbbbb", "dddddddd"]),
    "what it printed":               (["--printed", "complete!$"], ["cccccccc"]),
    "printed and asked":             (["--printed", ".", "-g", "^ls"], ["aaaaaaaa"]),
    "an agent nobody saw":           (["--agent", "codex"],        []),
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


def test_a_search_says_where_it_was_printed_and_shows_it_harmlessly(house: House, gatesh):
    """
    What a program prints can be made to deceive; whoever searches for it reads it all the same.
    """
    output = b"one\n\x1b]0;title\x07t\x1b[31mwo\x1b[0m \xe2\x80\xae\n"
    with house.open() as ledger:
        ledger.append(house.beginning())
        ledger.append([house.submitted("aaaaaaaa", b"x"), house.started("aaaaaaaa", b"x")])
        ledger.append([house.finished("aaaaaaaa", output)])

    said = gatesh("log", "--printed", "^two")

    assert "    stdout:2  +0.100 s  two ⟨U+202E⟩\n" in said.out
    (match,) = json.loads(gatesh("log", "--printed", "two", "--json").out)["matches"]
    assert (match["stream"], match["line"], match["at"]) == ("stdout", 2, 0.1)


def test_what_could_not_be_searched_is_said(house: House, gatesh):
    """
    "Nothing found" must not mean "nothing looked at".
    """
    house.live()
    house.blobs.path(document.sha256(b"Wed\n")).unlink()

    said = gatesh("log", "--printed", "complete")

    assert "cccc-cccc" in said.out
    assert "1 of the transcripts" in said.err and "dddd-dddd" in said.err


def test_a_pattern_that_is_none_is_said_to_be_none(house: House, gatesh):
    house.live()

    said = gatesh("log", "--printed", "(")

    assert said.status == 2 and "is no pattern: missing )" in said.err


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\x1b", b"")), max_size=12))
def test_every_line_is_found_under_its_number(chunks):
    """
    However the output was cut into pieces on its way.
    """
    whole = b"".join(chunks)
    timing = b"".join(b'[%d,"o",%d]\n' % (n, len(c)) for n, c in enumerate(chunks) if c)
    blobs = {"w": whole, "t": timing}
    streams = {
        "stdout": {"bytes": len(whole), "sha256": "w", "kept": "all"},
        "timing": {"bytes": len(timing), "sha256": "t", "kept": "all"},
    }

    found = list(search(streams, blobs.__getitem__, lambda text: True))

    lines = whole.split(b"\n")
    lines = lines[:-1] if not lines[-1] else lines
    shown = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
    assert [(f.line, f.text) for f in found] == list(enumerate(shown, 1))
    starts = [sum(len(line) + 1 for line in lines[:k]) for k in range(len(lines))]
    ends = list(itertools.accumulate(map(len, chunks)))
    came = [next(n for n, end in enumerate(ends) if end > start) for start in starts]
    assert [f.at for f in found] == came
