"""Requests and decisions: exactly one spelling, nothing missing, nothing that contradicts itself."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh import document
from gatesh.approval import request as requests
from gatesh.approval.decision import Decision, LogHead
from gatesh.document import MalformedDocument
from gatesh.model import (
    CodeFile,
    Finding,
    Invocation,
    Kind,
    Mode,
    Requester,
    Span,
    Subject,
    Verdict,
)
from gatesh.sensitive import secret_looking

from .world import HEX, NOON, ORIGIN, request_bytes

FINDING = Finding(
    rule="terraform.apply",
    pack="terraform",
    verdict=Verdict.APPROVE,
    reason="changes running infrastructure",
    subject=Subject(Kind.COMMAND, "terraform apply", Span(0, 15), inside=("bash -lc",)),
    tags=("iac",),
    instead="run `terraform plan`",
)


def altered(**changes: object) -> bytes:
    """The good request with fields changed behind the builder's back; None removes one."""
    found = {**json.loads(request_bytes()), **changes}
    return document.write({name: value for name, value in found.items() if value != "GONE"})


def part(name: str, **changes: object) -> dict:
    return {name: {**json.loads(request_bytes())[name], **changes}}


# ---- request ---------------------------------------------------------------


def test_a_request_is_read_as_it_was_built():
    requester = Requester(1000, 1000, 77, "alice", "alice@example.com", "claude-code")
    data = request_bytes(
        findings=[FINDING.as_document()],
        requester=requester.as_document(),
        files=requests.files_document([CodeFile("/b", HEX, 2), CodeFile("/a", HEX, 1)]),
        system="aws:prod",
        inner="terraform apply",
        purpose="ticket 4711",
    )

    found = requests.read(data)

    assert document.write(found) == data
    assert found["findings"] == [FINDING.as_document()]
    assert [file["path"] for file in found["files"]] == ["/a", "/b"]
    assert requests.need_of(found).within_s == 900
    assert requests.need_of(found).run_within_s == 300


def test_every_field_of_the_format_is_there():
    """
    The table of formats.md §1, so that nobody drops a field by accident.
    """
    assert set(requests.read(request_bytes())) == set(
        "id revision opened approve_by run_within_s nonce host boot_id origin requester script "
        "script_sha256 script_bytes invocation cwd inner findings system env files stdin policy "
        "need purpose type".split()
    )


# fmt: off
MALFORMED = {
    "another type":               altered(type="gatesh/request/v2"),
    "a field missing":            altered(cwd="GONE"),
    "a field too many":           altered(extra=1),
    "revision 0":                 altered(revision=0),
    "revision true":              altered(revision=True),
    "a revision as text":         altered(revision="1"),
    "an id in capitals":          altered(id="K7Q2M9XD"),
    "an id with its dash":        altered(id="k7q2-m9xd"),
    "an id that is a path":       altered(id="../../et"),
    "a local time":               altered(opened="2030-01-02T12:00:00"),
    "no such day":                altered(opened="2030-02-30T12:00:00Z"),
    "answers before it opens":    altered(approve_by="2030-01-02T12:00:00Z"),
    "no time to run":             altered(run_within_s=0),
    "a short nonce":              altered(nonce="00" * 15),
    "a nonce in capitals":        altered(nonce="AB" * 16),
    "another script":             altered(script="rm -rf /"),
    "another length":             altered(script_bytes=3),
    "a lone surrogate in script": altered(script="\udcff"),
    "a boolean uid":              altered(**part("requester", uid=True)),
    "a negative uid":             altered(**part("requester", uid=-1)),
    "an empty person":            altered(**part("requester", person="")),
    "a requester field too many": altered(**part("requester", admin=True)),
    "ancestry of three":          altered(**part("requester", ancestry=[[1, "a", 2]])),
    "a mode unheard of":          altered(**part("invocation", mode="magic")),
    "a number among options":     altered(**part("invocation", options=[1])),
    "a cwd without inode":        altered(cwd={"path": "/", "dev": 1}),
    "an env value as number":     altered(env={"A": 1}),
    "an env digest cut short":    altered(env={"A": {"salted_sha256": "00"}}),
    "files out of order":         altered(files=[{"path": p, "sha256": HEX, "size": 1} for p in "ba"]),
    "a file without digest":      altered(files=[{"path": "/a", "size": 1}]),
    "a file without its digest":  altered(stdin={"kind": "file"}),
    "a terminal with a digest":   altered(stdin={"kind": "tty", "sha256": HEX}),
    "stdin unheard of":           altered(stdin={"kind": "pipe"}),
    "no policy digest":           altered(policy={"roster": HEX}),
    "nobody needed":              altered(need={"assurance": "key", "quorum": {}}),
    "zero people needed":         altered(need={"assurance": "key", "quorum": {"any": 0}}),
    "half a person needed":       altered(need={"assurance": "key", "quorum": {"any": 0.5}}),
    "assurance unheard of":       altered(need={"assurance": "word", "quorum": {"any": 1}}),
    "a finding without rule":     altered(findings=[{"pack": "x"}]),
    "a finding's span backward":  altered(findings=[{**FINDING.as_document(), "span": [5, 1]}]),
    "spaces between fields":      request_bytes().replace(b'","', b'", "'),
    "a newline at the end":       request_bytes() + b"\n",
    "a key twice":                b'{"a":1,"a":1}',
    "not JSON":                   b"{",
    "a list":                     b"[]",
    "nothing":                    b"",
}
# fmt: on


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_request_of_any_other_form_is_refused(data):
    with pytest.raises(MalformedDocument):
        requests.read(data)


def test_the_request_this_table_breaks_is_sound():
    assert requests.read(altered())["id"] == "k7q2m9xd"


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(MalformedDocument, match=r"`extra`.*`revision`"):
        requests.read(altered(revision=0, extra=1))


@pytest.mark.parametrize(
    ("script", "inline"),
    [(b"x" * 16384, True), (b"x" * 16385, False), (b"\xff", False), ("é".encode(), True)],
    ids=["16 KiB", "one byte more", "not UTF-8", "UTF-8"],
)
def test_a_script_stands_in_the_request_when_people_can_read_it(script, inline):
    """
    It is always bound by digest; what is not shown inline is in the blob of that name.
    """
    found = requests.read(request_bytes(script=script))

    assert found["script"] == (script.decode() if inline else None)
    assert found["script_sha256"] == hashlib.sha256(script).hexdigest()
    assert found["script_bytes"] == len(script)


def test_paths_and_arguments_keep_their_bytes():
    """
    Linux file names are bytes; a name that is not UTF-8 must neither fail nor be confused.
    """
    call = Invocation("bash", (b"-c", b"x", b"\xff"), Mode.COMMAND, positionals=(b"\xff",))
    found = requests.read(
        request_bytes(
            cwd=requests.cwd_document(b"/\xfe", 1, 2),
            invocation=requests.invocation_document(call),
        )
    )

    assert found["cwd"]["path"].encode("utf-8", "surrogateescape") == b"/\xfe"
    assert found["invocation"]["positionals"][0].encode("utf-8", "surrogateescape") == b"\xff"


def test_secrets_stand_in_the_request_only_as_salted_digests():
    values = {b"AWS_PROFILE": b"prod", b"DB_PASSWORD": b"hunter2"}

    mine = requests.env_document(values, b"m" * 16)
    yours = requests.env_document(values, b"y" * 16)

    assert mine["AWS_PROFILE"] == "prod"
    assert "hunter2" not in json.dumps(mine)
    assert mine == requests.env_document(values, b"m" * 16)
    assert mine["DB_PASSWORD"] != yours["DB_PASSWORD"]
    framed = b"".join(
        len(x).to_bytes(8, "big") + x for x in (b"m" * 16, b"DB_PASSWORD", b"hunter2")
    )
    expected = hashlib.sha256(b"gatesh/env/v1\n" + framed).hexdigest()
    assert mine["DB_PASSWORD"] == {"salted_sha256": expected}
    with pytest.raises(ValueError, match="16 bytes"):
        requests.env_document(values, b"short")


# fmt: off
NAMES = {
    "secret": ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PGPASSWORD", "MYSQL_PWD", "API_KEY",
               "OPENAI_API_KEY", "DATABASE_URL", "SENTRY_DSN", "SSH_KEY", "session_cookie",
               "VAULT_TOKEN", "npm_config__auth", "KEY", "AWS_SESSION_TOKEN", "GPG_PASSPHRASE"],
    "plain":  ["PATH", "PWD", "OLDPWD", "HOME", "AWS_PROFILE", "BASH_ENV", "SSH_AUTH_SOCK", "KEYMAP",
               "LD_PRELOAD", "KUBECONFIG", "EDITOR", "MONKEY", "AUTHOR", "IFS"],
}
# fmt: on


def test_names_of_secrets_are_recognised_and_others_left_readable():
    assert [name for name in NAMES["secret"] if not secret_looking(name)] == []
    assert [name for name in NAMES["plain"] if secret_looking(name)] == []


# ---- match digest ----------------------------------------------------------


def test_the_match_digest_is_computed_as_specified():
    """
    Written out by hand from formats.md §1, so that another program can do it.
    """
    found = requests.read(request_bytes())
    parts = [b"terraform apply"]
    parts += [
        json.dumps(found[f], sort_keys=True, separators=(",", ":")).encode()
        for f in ("invocation", "cwd")
    ]
    parts += [b"1000", b"build7"]
    parts += [
        json.dumps(found[f], sort_keys=True, separators=(",", ":")).encode()
        for f in ("env", "files", "policy")
    ]
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    expected = hashlib.sha256(b"gatesh/match/v1\n" + framed).hexdigest()

    assert requests.match_of(found, b"terraform apply") == expected


def match(**changes: object) -> str:
    script = changes.get("script", b"terraform apply")
    return requests.match_of(requests.read(request_bytes(**changes)), script)


# fmt: off
SAME = {
    "another time":        {"opened": NOON + timedelta(minutes=1)},
    "another nonce":       {"nonce": b"x" * 16},
    "another purpose":     {"purpose": "try again"},
    "another id":          {"id": "00000000"},
    "another parent":      part("requester", ancestry=[]),
}
OTHER = {
    "another script":      {"script": b"terraform destroy"},
    "another directory":   {"cwd": requests.cwd_document(b"/srv/app", 2049, 78)},
    "another user":        part("requester", uid=1001),
    "another host":        {"host": "build8"},
    "another variable":    {"env": {}},
    "another file":        {"files": [{"path": "/a", "sha256": HEX, "size": 1}]},
    "other rules":         {"policy": {"roster": HEX, "rules": "cd" * 32}},
    "other arguments":     part("invocation", argv_sha256=HEX),
}
# fmt: on


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_an_identical_run_is_recognised_whatever_describes_it(changes):
    assert match(**changes) == match()


@pytest.mark.parametrize("changes", OTHER.values(), ids=OTHER.keys())
def test_a_run_that_would_do_something_else_is_another(changes):
    assert match(**changes) != match()


def test_only_the_very_script_matches():
    with pytest.raises(ValueError, match="not the bytes"):
        requests.match_of(requests.read(request_bytes()), b"terraform destroy")


# ---- decision --------------------------------------------------------------


def decision(**changes: object) -> Decision:
    fields = {
        "decision": "approve",
        "by": "bob@example.com",
        "request": "k7q2m9xd",
        "request_sha256": HEX,
        "at": NOON,
        "log": LogHead(ORIGIN, 2, bytes(32)),
    }
    return Decision(**{**fields, **changes})


def test_a_decision_is_written_as_the_format_shows_it():
    assert decision(reason="change 4711").write() == (
        b'{"at":"2030-01-02T12:00:00Z","by":"bob@example.com","decision":"approve",'
        b'"log":{"origin":"build7/gatesh/0123abcd","root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",'
        b'"size":2},"reason":"change 4711","request":"k7q2m9xd","request_sha256":"'
        + HEX.encode()
        + b'","type":"gatesh/decision/v1"}'
    )


@given(
    reason=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    micros=st.integers(0, 999_999),
    size=st.integers(0, 2**40),
)
def test_a_decision_is_read_as_it_was_written(reason, micros, size):
    said = decision(
        reason=reason, at=NOON + timedelta(microseconds=micros), log=LogHead("o", size, b"r" * 32)
    )

    assert Decision.read(said.write()) == said


def edited(**changes: object) -> bytes:
    found = {**json.loads(decision(reason="r").write()), **changes}
    return document.write({name: value for name, value in found.items() if value != "GONE"})


LOG = {"origin": "o", "size": 2, "root": "A" * 43 + "="}

# fmt: off
NO_DECISION = {
    "another type":            edited(type="gatesh/request/v1"),
    "another answer":          edited(decision="allow"),
    "an answer that is a list": edited(decision=["approve"]),
    "a field missing":         edited(by="GONE"),
    "a field too many":        edited(force=True),
    "a question with a yes":   edited(question="why?"),
    "asking nothing":          edited(decision="ask", reason="GONE"),
    "asking with a reason":    edited(decision="ask", question="why?"),
    "an empty question":       edited(decision="ask", question="", reason="GONE"),
    "an empty reason":         edited(reason=""),
    "a reason as number":      edited(reason=1),
    "nobody":                  edited(by=""),
    "a local time":            edited(at="2030-01-02T12:00:00+01:00"),
    "milliseconds":            edited(at="2030-01-02T12:00:00.123Z"),
    "an id in capitals":       edited(request="K7Q2M9XD"),
    "a digest in capitals":    edited(request_sha256="AB" * 32),
    "no log":                  edited(log="GONE"),
    "a log without size":      edited(log={"origin": "o", "root": LOG["root"]}),
    "a log of -1 entries":     edited(log={**LOG, "size": -1}),
    "a log of 2.0 entries":    edited(log={**LOG, "size": 2.0}),
    "a log of true entries":   edited(log={**LOG, "size": True}),
    "a root of 31 bytes":      edited(log={**LOG, "root": "A" * 42 + "=="}),
    "a root spelt twice":      edited(log={**LOG, "root": "A" * 42 + "B="}),
    "a root in hex":           edited(log={**LOG, "root": "00" * 32}),
    "a log without a name":    edited(log={**LOG, "origin": ""}),
    "far too long":            edited(reason="x" * 20_000),
}
# fmt: on


@pytest.mark.parametrize("data", NO_DECISION.values(), ids=NO_DECISION.keys())
def test_a_decision_of_any_other_form_is_refused(data):
    with pytest.raises(MalformedDocument):
        Decision.read(data)


def test_the_decision_this_table_breaks_is_sound():
    assert Decision.read(edited()).reason == "r"
    assert Decision.read(edited(log=LOG)).log.size == 2


def test_what_could_not_be_read_is_not_written():
    """
    The approver learns it before signing.
    """
    with pytest.raises(MalformedDocument, match="question"):
        decision(decision="ask").write()
    with pytest.raises(MalformedDocument, match="longer"):
        decision(reason="x" * 20_000).write()
