"""The roster: exactly the people, keys and times that somebody wrote down."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.approval import rosterfile
from gatesh.approval.roster import BadRoster, Person, Roster
from gatesh.errors import ConfigError, NotFound

from .world import NOON, SecurityKey, key_of

BOB, CAROL = "bob@example.com", "carol@example.com"
FROM, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=1)
KEY = key_of(BOB).public.text
OPTIONS = 'namespaces="decision.v1@gatesh",valid-after="20300101Z",valid-before="20310101000000Z"'
GOOD = f"{BOB} {OPTIONS} {KEY}\n"
LOW_ORDER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def roster(text: str, *people: str) -> Roster:
    return Roster.read(text, {name: {} for name in people or (BOB,)})


def problems(text: str, people: object = None) -> tuple[str, ...]:
    with pytest.raises(BadRoster) as caught:
        Roster.read(text, {BOB: {}} if people is None else people)
    return caught.value.problems


def joined(**people: dict) -> Roster:
    found = Roster()
    for name, fields in people.items():
        who = f"{name}@example.com"
        found = found.add(
            who, key=key_of(who).public, valid_after=FROM, valid_before=UNTIL, **fields
        )
    return found


# ---- reading ---------------------------------------------------------------


def test_a_line_says_whose_key_it_is_and_when():
    """
    Both ends of the period count, as for ssh-keygen.
    """
    found = roster(GOOD)
    key = key_of(BOB).public

    assert found.person_of_key(key, datetime(2030, 1, 1, tzinfo=timezone.utc)) == BOB
    assert found.person_of_key(key, datetime(2031, 1, 1, tzinfo=timezone.utc)) == BOB
    assert found.person_of_key(key, datetime(2029, 12, 31, tzinfo=timezone.utc)) is None
    assert found.person_of_key(key, datetime(2031, 1, 2, tzinfo=timezone.utc)) is None
    assert found.person_of_key(key, NOON, namespace="override.v1@gatesh") is None
    assert found.person_of_key(key_of(CAROL).public, NOON) is None
    assert found.owner_of(key) == BOB


# fmt: off
GOOD_LINES = {
    "a comment after the key":    GOOD.strip() + " bob's laptop, 2030\n",
    "comment lines, empty lines": f"# people\n\n{GOOD}\n",
    "tabs and several blanks":    GOOD.replace(" ssh", "  \tssh"),
    "no last newline":            GOOD.strip(),
    "options in another order":   GOOD.replace(OPTIONS, ",".join(reversed(OPTIONS.split(",")))),
    "two namespaces":             GOOD.replace('v1@gatesh"', 'v1@gatesh,override.v1@gatesh"'),
    "a security key":             GOOD.replace(KEY, SecurityKey(BOB).public.text),
    "two keys of one person":     GOOD + GOOD.replace(KEY, key_of("bob's other").public.text),
    "a key renewed":              GOOD + GOOD.replace("20310101000000Z", "20320101000000Z"),
}
BAD_LINES = {
    "a wildcard":                 (GOOD.replace(BOB, "*@example.com"), "not one exact name"),
    "one letter open":            (GOOD.replace(BOB, "bo?@example.com"), "not one exact name"),
    "a list of people":           (GOOD.replace(BOB, f"{BOB},{CAROL}"), "not one exact name"),
    "everybody but one":          (GOOD.replace(BOB, f"!{CAROL},*"), "not one exact name"),
    "a quoted name":              (GOOD.replace(BOB, f'"{BOB}"'), "not `PERSON"),
    "an authority":               (GOOD.replace(OPTIONS, f"cert-authority,{OPTIONS}"), "not understood"),
    "no options":                 (f"{BOB} {KEY}\n", "not `PERSON"),
    "no namespaces":              (GOOD.replace('namespaces="decision.v1@gatesh",', ""), "`namespaces` is missing"),
    "empty namespaces":           (GOOD.replace("decision.v1@gatesh", ""), "`namespaces` is missing"),
    "any namespace":              (GOOD.replace("decision.v1@gatesh", "*"), "`namespaces` is missing"),
    "another namespace":          (GOOD.replace("decision.v1@gatesh", "git"), "does not contain decision.v1@gatesh"),
    "any namespace besides":      (GOOD.replace("v1@gatesh", "v1@gatesh,*"), "exact names"),
    "no valid-after":             (GOOD.replace('valid-after="20300101Z",', ""), "`valid-after` is missing"),
    "no valid-before":            (GOOD.replace(',valid-before="20310101000000Z"', ""), "`valid-before` is missing"),
    "local time":                 (GOOD.replace("0000Z", "0000"), "`valid-before`"),
    "no such day":                (GOOD.replace("20300101", "20300230"), "day is out of range"),
    "an empty period":            (GOOD.replace("20310101000000", "20300101000000"), "not later"),
    "a period the wrong way":     (GOOD.replace("20310101000000", "20290101000000"), "not later"),
    "an unknown option":          (GOOD.replace(OPTIONS, OPTIONS + ',no-touch-required="x"'), "not accepted"),
    "an option twice":            (GOOD.replace(OPTIONS, OPTIONS + ',namespaces="git"'), "given twice"),
    "a comma at the end":         (GOOD.replace(OPTIONS, OPTIONS + ","), "not understood"),
    "an option in capitals":      (GOOD.replace("valid-after", "VALID-AFTER"), "not understood"),
    "an open quote":              (GOOD.replace('gatesh"', "gatesh"), "not"),
    "an RSA key":                 (GOOD.replace("ssh-ed25519 ", "ssh-rsa "), "'ssh-rsa' is not accepted"),
    "a certificate":              (GOOD.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com "), "not accepted"),
    "type and key differ":        (GOOD.replace("ssh-ed25519 ", "sk-ssh-ed25519@openssh.com "), "do not belong together"),
    "a key cut short":            (GOOD.replace(KEY, KEY[:-4]), "not an SSH public key"),
    "a key of low order":         (GOOD.replace(KEY, LOW_ORDER), "not a sound"),
    "Windows line ends":          (GOOD.replace("\n", "\r\n"), "control character"),
    "an escape sequence":         (GOOD.replace("\n", " \x1b[2K\n"), "control character"),
    "a text that turns around":   (GOOD.replace("\n", " \u202e\n"), "control character"),
    "a blank before the name":    (" " + GOOD, "not `PERSON"),
    "somebody unknown":           (GOOD.replace(BOB, CAROL), "not among the people"),
}
# fmt: on


@pytest.mark.parametrize("text", GOOD_LINES.values(), ids=GOOD_LINES.keys())
def test_what_openssh_reads_and_says_everything_is_read(text):
    found = roster(text)

    assert {line.principal for line in found.keys} == {BOB}
    assert found.allowed_signers == text


@pytest.mark.parametrize(("text", "problem"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_that_leaves_something_open_is_refused_with_its_number(text, problem):
    """
    OpenSSH accepts most of these; each lets a key speak for more than was written down.
    """
    (found,) = problems(f"# one\n{text}")

    assert found.startswith("allowed_signers:2: ")
    assert problem in found


def test_a_key_is_one_persons_alone():
    """
    Two names with one key would be a quorum of one human; a token with the same secret too.
    """
    both = {BOB: {}, CAROL: {}}
    token = GOOD.replace(BOB, CAROL).replace(KEY, SecurityKey(BOB).public.text)

    assert "already belongs to bob" in problems(GOOD + GOOD.replace(BOB, CAROL), both)[0]
    assert "already belongs to bob" in problems(GOOD + token, both)[0]


# fmt: off
BAD_PEOPLE = {
    "not an object":             ([], "not an object"),
    "a name with a space":       ({"bob b": {}}, "cannot be a person's name"),
    "two spellings of one name": ({BOB: {}, "Bob@example.com": {}}, "only in case"),
    "an account of two":         ({BOB: {"accounts": ["b"]}, CAROL: {"accounts": ["b"]}}, "belongs to"),
    "an account with a blank":   ({BOB: {"accounts": ["b c"]}}, "not a login name"),
    "an account twice":          ({BOB: {"accounts": ["b", "b"]}}, "listed twice"),
    "a team called any":         ({BOB: {"teams": ["any"]}}, "cannot be a team's name"),
    "accounts as one word":      ({BOB: {"accounts": "bob"}}, "lists of words"),
    "an unknown field":          ({BOB: {"admin": True}}, "lists of words"),
    "a number for a team":       ({BOB: {"teams": [1]}}, "lists of words"),
}
# fmt: on


@pytest.mark.parametrize(("people", "problem"), BAD_PEOPLE.values(), ids=BAD_PEOPLE.keys())
def test_people_that_could_be_mistaken_are_refused(people, problem):
    assert any(problem in line for line in problems("", people))


def test_all_problems_are_shown_at_once():
    text = f"{GOOD.replace(BOB, '*')}{GOOD.replace('Z', '')}"

    found = problems(text, {"a b": {}, BOB: {"teams": ["any"]}})

    assert len(found) == 4


# ---- changing --------------------------------------------------------------


def test_adding_somebody_writes_the_line_ssh_keygen_reads(tmp_path):
    found = joined(bob={"accounts": ["bob"], "teams": ["sre"]})
    (tmp_path / "allowed").write_text(found.allowed_signers)
    key_file = tmp_path / "bob.pub"
    key_file.write_text(key_of(BOB).public.line())

    done = subprocess.run(
        ["ssh-keygen", "-Y", "match-principals", "-I", BOB, "-f", tmp_path / "allowed"],
        capture_output=True,
        text=True,
    )

    assert done.stdout == f"{BOB}\n", done.stderr
    assert found.allowed_signers == (
        f'{BOB} namespaces="decision.v1@gatesh,override.v1@gatesh,review.v1@gatesh",'
        f'valid-after="20300101120000Z",valid-before="20300103120000Z" {KEY}\n'
    )


def test_adding_more_to_somebody_keeps_what_they_have():
    found = joined(bob={"accounts": ["bob"], "teams": ["sre"]})

    found = found.add(BOB, accounts=["robert"], teams=["sre"])

    assert found.people[BOB] == Person(BOB, ("bob", "robert"), ("sre",))
    assert len(found.keys_of(BOB)) == 1


def test_removing_somebody_leaves_everybody_elses_text_alone():
    text = f"# first\n{GOOD}# second\n{GOOD.replace(BOB, CAROL).replace(KEY, key_of(CAROL).public.text)}"
    found = roster(text, BOB, CAROL).remove(BOB)

    assert found.allowed_signers == text.replace(GOOD, "")
    assert list(found.people) == [CAROL]
    assert found.owner_of(key_of(BOB).public) is None


def test_removing_a_key_leaves_its_person():
    found = joined(bob={}).remove_key(key_of(BOB).public)

    assert (found.keys, list(found.people)) == ((), [BOB])


def test_removing_what_is_not_there_is_an_error():
    with pytest.raises(NotFound, match="nobody called"):
        Roster().remove(BOB)
    with pytest.raises(NotFound, match="no such key"):
        Roster().remove_key(key_of(BOB).public)


def test_taking_over_somebodys_key_or_account_is_refused():
    found = joined(bob={"accounts": ["bob"]})

    with pytest.raises(BadRoster, match="already belongs to bob"):
        found.add(CAROL, key=key_of(BOB).public, valid_after=FROM, valid_before=UNTIL)
    with pytest.raises(BadRoster, match="belongs to bob@"):
        found.add(CAROL, accounts=["bob"])
    with pytest.raises(BadRoster, match="needs the times"):
        found.add(CAROL, key=key_of(CAROL).public)


def test_accounts_and_teams_are_found():
    found = joined(bob={"accounts": ["bob", "robert"], "teams": ["sre"]}, carol={})

    assert found.person_of_account("robert") == BOB
    assert found.person_of_account("root") is None
    assert found.teams_of(BOB) == {"sre"}
    assert found.teams_of("mallory") == frozenset()


names = st.from_regex(r"\A[a-z]{1,8}\Z")


@given(st.dictionaries(names, st.lists(names, max_size=3, unique=True), max_size=5))
def test_a_roster_survives_its_document(people):
    """
    The log keeps the document, and old decisions are judged by it.
    """
    found = Roster()
    for name, teams in people.items():
        if "any" not in teams:
            key = key_of(name).public
            found = found.add(name, teams=teams, key=key, valid_after=FROM, valid_before=UNTIL)

    again = Roster.from_document(json.loads(json.dumps(found.document())))

    assert (again, again.sha256) == (found, found.sha256)


def test_every_change_changes_the_digest():
    bob = joined(bob={})
    all_of_them = {
        Roster().sha256,
        bob.sha256,
        bob.add(BOB, teams=["sre"]).sha256,
        bob.add(BOB, accounts=["b"]).sha256,
        bob.remove_key(key_of(BOB).public).sha256,
    }

    assert len(all_of_them) == 5


# ---- on disk ---------------------------------------------------------------


def test_what_is_saved_is_loaded_again(tmp_path):
    """
    Readable for ssh-keygen, writable for its owner alone, whatever the umask.
    """
    directory = tmp_path / "roster"
    assert rosterfile.load(directory) == Roster()
    found = joined(bob={"teams": ["sre"]}, carol={"accounts": ["c"]})

    old = os.umask(0)
    try:
        rosterfile.save(directory, found)
    finally:
        os.umask(old)

    assert rosterfile.load(directory) == found
    assert {p.name: p.stat().st_mode & 0o777 for p in directory.iterdir()} == {
        "allowed_signers": 0o644,
        "people.json": 0o644,
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Roster(), joined(bob={})),
        (joined(bob={}), joined(bob={}, carol={})),
        (joined(bob={}, carol={}), joined(bob={})),
        (joined(bob={"accounts": ["x"]}), joined(carol={"accounts": ["x"]})),
    ],
    ids=["first", "somebody joins", "somebody leaves", "somebody takes over"],
)
def test_a_crash_while_saving_leaves_a_sound_roster(tmp_path, monkeypatch, before, after):
    """
    Two files cannot be renamed at once. Whichever rename is the last, the pair can be read.
    """
    replace = os.replace
    for allowed in range(1, 5):
        directory = tmp_path / str(allowed)
        rosterfile.save(directory, before)
        done = []

        def some(source, target, done=done, allowed=allowed):
            if len(done) == allowed:
                raise OSError("power cut")
            done.append(target)
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", some)
            try:
                rosterfile.save(directory, after)
            except OSError:
                assert len(done) == allowed
        found = rosterfile.load(directory)
        known = set(before.keys) | set(after.keys)
        assert {(k.principal, k.key) for k in found.keys} <= {(k.principal, k.key) for k in known}
        assert not list(directory.glob(".*"))


@pytest.mark.parametrize("name", ["allowed_signers", "people.json", "."])
@pytest.mark.parametrize("bit", [0o020, 0o002])
def test_a_roster_that_others_can_write_is_refused(tmp_path, name, bit):
    """
    Whoever writes the roster approves everything.
    """
    rosterfile.save(tmp_path, joined(bob={}))
    path = tmp_path / name
    path.chmod(path.stat().st_mode | bit)

    with pytest.raises(ConfigError, match="can be written by others"):
        rosterfile.load(tmp_path)


def test_a_link_a_fifo_a_directory_and_a_lone_file_are_refused(tmp_path):
    rosterfile.save(tmp_path, joined(bob={}))
    signers = tmp_path / "allowed_signers"
    signers.rename(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="allowed_signers is missing"):
        rosterfile.load(tmp_path)
    signers.symlink_to("elsewhere")
    with pytest.raises(ConfigError, match="cannot open"):
        rosterfile.load(tmp_path)
    signers.unlink()
    os.mkfifo(signers)
    with pytest.raises(ConfigError, match="not a regular file"):
        rosterfile.load(tmp_path)
    signers.unlink()
    signers.mkdir()
    with pytest.raises(ConfigError, match="not a regular file"):
        rosterfile.load(tmp_path)


def test_problems_of_both_files_come_with_file_and_line(tmp_path):
    (tmp_path / "allowed_signers").write_text(f"# people\n{GOOD.replace(BOB, '*')}")
    (tmp_path / "people.json").write_text(f'{{\n  "{BOB}": {{}},\n  "a b": {{}}\n}}\n')

    with pytest.raises(BadRoster) as caught:
        rosterfile.load(tmp_path)

    first, second = caught.value.problems
    assert first.startswith(f"{tmp_path}/allowed_signers:2: * is not one exact name")
    assert second.startswith(f"{tmp_path}/people.json:3: a b: cannot be")


# fmt: off
BROKEN = {
    "cut off":       (b'{\n"bob@example.com": {', "people.json:2: "),
    "a name twice":  (b'{"a": {}, "a": {}}', "given twice"),
    "not UTF-8":     (b'{\n"\xff": {}}', "people.json:2: not UTF-8"),
    "very deep":     (b"[" * 100_000, "people.json"),
    "empty":         (b"", "people.json:1: "),
}
# fmt: on


@pytest.mark.parametrize(("data", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_people_that_cannot_be_read_say_where(tmp_path, data, problem):
    rosterfile.save(tmp_path, joined(bob={}))
    (tmp_path / "people.json").write_bytes(data)

    with pytest.raises(ConfigError, match=problem):
        rosterfile.load(tmp_path)


def test_the_vectors_roster_is_read():
    text = (Path(__file__).parents[1] / "vectors/decision/allowed_signers").read_text()

    assert [line.principal for line in roster(text, BOB, CAROL).keys] == [BOB, CAROL]
