"""A secret that a command printed: its caller gets it, the record does not keep it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.config import load
from gatesh.document import sha256
from gatesh.errors import ConfigError
from gatesh.keys.age import Identity
from gatesh.transcript.recorder import Limits, Recorder, salvage
from gatesh.transcript.redact import RULES, redact

# Made up, in the forms that the issuers use; split, so that no scanner takes this file for a leak.
SECRETS = {
    "private-key": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEAAAAA\n" * 4
    + "-----END OPENSSH PRIVATE KEY-----",
    "age-key": "AGE-SECRET-KEY-" + "1" + "Q" * 58,
    "aws-access-key": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws-secret-key": "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "aws-session-token": '"SessionToken": "' + "FwoGZXIvYXdzEBYaD/+=" * 8 + '"',
    "github-token": "ghp_" + "a1" * 18,
    "gitlab-token": "glpat-" + "x" * 20,
    "slack-token": "xoxb-" + "123456789012-abcdef",
    "google-api-key": "AIza" + "S" * 35,
    "google-oauth": "ya29." + "a" * 40,
    "stripe-key": "sk_live_" + "4" * 24,
    "ai-key": "sk-ant-" + "b" * 40,
    "package-token": "npm_" + "c" * 36,
    "vault-token": "hvs." + "d" * 24,
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9",
    "bearer": "Authorization: Bearer " + "0123456789abcdef",
    "url-password": "postgres://app:" + "s3cr3tpw" + "@db.example/prod",
    "assignment": "DB_PASSWORD=" + "correct-horse-7",
}  # fmt: skip

# The same secrets as other programs print them.
SPELLED = {
    "aws-secret-key": '"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/' + 'bPxRfiCYEXAMPLEKE/"',
    "assignment": "SECRET_KEY = 'dj4ng0-" + "insecure-x'",
}

# What looks a little like one and is what people read a record for.
PLAIN = [
    "password: required", "Enter passphrase for key '/home/a/.ssh/id':", "secret/data/prod created",
    "commit 3f0c9ae1d2b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8", "https://user@example.com/path?x=1",
    "sha256:" + "ab" * 32, "AKIA is how such keys begin", "https://example.com:8443/a@b",
    "token: ***", "ok 12 tests, 3 skipped",
]  # fmt: skip


def test_there_is_an_example_of_every_rule():
    assert set(SECRETS) == set(RULES)


@pytest.mark.parametrize(("rule", "text"), [*SECRETS.items(), *SPELLED.items()])
def test_each_kind_is_covered_and_counted_and_nothing_moves(rule, text):
    data = f"before {text}\nafter".encode()

    covered, count = redact(data)

    assert rule in count
    assert len(covered) == len(data)
    assert covered.startswith(b"before ") and covered.endswith(b"\nafter")
    assert redact(covered) == (covered, {})


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays_readable(text):
    assert redact(text.encode()) == (text.encode(), {})


@given(st.binary(max_size=500), st.sampled_from(sorted(SECRETS)), st.binary(max_size=500))
def test_whatever_is_around_it(before, rule, after):
    """
    Any bytes may surround a secret: lengths stay, and what changes becomes an asterisk.
    """
    data = before + b" " + SECRETS[rule].encode() + b" " + after
    covered, count = redact(data)

    assert len(covered) == len(data) and count
    assert all(new in (old, 0x2A) for old, new in zip(data, covered, strict=True))


AUDITOR = Identity.new()


class Shelf:
    """Keeps blobs in memory."""

    def __init__(self):
        self.kept = {}

    def put(self, data):
        self.kept[sha256(data)] = data
        return sha256(data)

    def adopt(self, path):
        data = path.read_bytes()
        path.unlink()
        return self.put(data), len(data)


def unsealed(shelf, stream):
    """What the auditor gets of the sealed copy."""
    sealed = shelf.kept[stream["sealed"]["sha256"]]
    assert len(sealed) == stream["sealed"]["bytes"]
    return b"".join(AUDITOR.unseal(io.BytesIO(sealed)))


TOKEN = SECRETS["github-token"].encode()


@pytest.mark.parametrize("cut", range(0, len(TOKEN) + 1, 7))
def test_a_secret_printed_in_two_pieces_is_one_secret(tmp_path, cut):
    shelf, recorder = Shelf(), Recorder(tmp_path / "id", Limits())
    recorder.write("o", b"token " + TOKEN[:cut])
    recorder.write("o", TOKEN[cut:] + b"\n")

    stream = recorder.finish(shelf.adopt, shelf.put)["stdout"]

    assert shelf.kept[stream["sha256"]] == b"token " + b"*" * len(TOKEN) + b"\n"
    assert (stream["bytes"], stream["redacted"]) == (len(TOKEN) + 7, {"github-token": 1})
    assert all(TOKEN not in data for data in shelf.kept.values())


def test_head_and_tail_of_a_long_stream_are_both_covered(tmp_path):
    shelf, recorder = Shelf(), Recorder(tmp_path / "id", Limits(head=100, tail=60))
    written = TOKEN + b" " + b"x" * 500 + b" " + TOKEN
    recorder.write("o", written)

    stream = recorder.finish(shelf.adopt, shelf.put)["stdout"]

    assert stream["redacted"] == {"github-token": 2}
    assert stream["sha256"] == sha256(written)
    assert all(TOKEN not in data for data in shelf.kept.values())


def test_what_a_killed_broker_leaves_is_covered_too(tmp_path):
    directory = tmp_path / "id"
    directory.mkdir()
    (directory / "stdout").write_bytes(TOKEN)
    shelf = Shelf()

    found = salvage(directory, shelf.adopt, shelf.put, Limits(seal_to=AUDITOR.recipient))

    assert found["stdout"]["redacted"] == {"github-token": 1}
    assert shelf.kept[found["stdout"]["sha256"]] == b"*" * len(TOKEN)
    assert unsealed(shelf, found["stdout"]) == TOKEN


def test_what_is_covered_is_kept_for_the_auditor_alone(tmp_path):
    """
    Head and tail, in the order they were printed; nothing is sealed where nothing was covered.
    """
    shelf = Shelf()
    recorder = Recorder(tmp_path / "id", Limits(100, 60, seal_to=AUDITOR.recipient))
    written = TOKEN + b" " + b"x" * 500 + b" " + TOKEN
    recorder.write("o", written)
    recorder.write("e", b"nothing to hide")

    streams = recorder.finish(shelf.adopt, shelf.put)

    assert unsealed(shelf, streams["stdout"]) == written[:100] + written[-60:]
    assert "sealed" not in streams["stderr"] and "sealed" not in streams["timing"]
    assert all(TOKEN not in data for data in shelf.kept.values())


def test_the_digest_gives_no_covered_word_away(tmp_path):
    """
    Whoever knows all but a weak password could try passwords until the digest fits.
    """
    shelf, recorder = Shelf(), Recorder(tmp_path / "id", Limits(head=10, tail=60))
    recorder.write("o", b"DB_PASSWORD=correct-7\n")  # all of it is kept, in two parts

    stream = recorder.finish(shelf.adopt, shelf.put)["stdout"]

    kept = b"".join(shelf.kept[sha] for _, sha in stream["kept"].values())
    assert stream["sha256"] == sha256(kept)


def test_the_auditor_sees_what_others_cannot(world, tmp_path):
    world.set_up()
    key = tmp_path / "auditor.key"
    recipient = world.gatesh("keys", "seal-key", key).text.strip()
    assert key.stat().st_mode & 0o777 == 0o600
    world.settings(f"transcript: {{seal_to: {recipient}}}\n")
    world.program("leak", f"echo token {TOKEN.decode()}; echo {TOKEN.decode()} again >&2")
    world.gatesh("-c", "leak")
    (finished,) = world.entries("command.finished")

    shown = world.gatesh("unseal", finished["id"], "--key", key)
    assert shown.out == b"token " + TOKEN + b"\n" and shown.err == TOKEN + b" again\n"
    sealed = finished["streams"]["stdout"]["sealed"]["sha256"]
    file = world.state / "blobs" / "sha256" / sealed[:2] / sealed
    assert world.gatesh("unseal", file, "--key", key).out == b"token " + TOKEN + b"\n"
    assert world.audit()["ok"]

    other = tmp_path / "other.key"
    world.gatesh("keys", "seal-key", other)
    refused = world.gatesh("unseal", finished["id"], "--key", other)
    assert refused.status != 0 and refused.out == b"" and "another key" in refused.words
    for path in (world.state / "blobs").rglob("*"):
        assert path.is_dir() or TOKEN not in path.read_bytes()
    file.unlink()
    assert "transcript-missing" in {f["code"] for f in world.audit()["findings"]}


MISTYPED = str(AUDITOR.recipient)[:-1] + ("p" if str(AUDITOR.recipient)[-1] == "q" else "q")


@pytest.mark.parametrize(
    "key", ["age1", "AUDITOR", MISTYPED, "7"], ids=["no more", "a name", "mistyped", "a number"]
)
def test_a_key_to_seal_to_that_is_none_is_refused_at_once(tmp_path, key):
    """
    Noticed only when an auditor wants to read, it would be too late.
    """
    path = tmp_path / "config.yaml"
    path.write_text(f"transcript: {{seal_to: {key}}}\n")
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="seal_to"):
        load(path)


def test_a_site_can_ask_for_every_byte(tmp_path):
    shelf, recorder = Shelf(), Recorder(tmp_path / "id", Limits(redact=False))
    recorder.write("o", TOKEN)

    stream = recorder.finish(shelf.adopt, shelf.put)["stdout"]

    assert shelf.kept[stream["sha256"]] == TOKEN
    assert "redacted" not in stream


def test_the_agent_gets_the_secret_and_the_record_does_not(world):
    """
    Covering what passes through would break programs; keeping it would leak for years.
    """
    world.set_up()
    world.program("leak", f"echo token {TOKEN.decode()}")

    done = world.gatesh("-c", "leak")

    assert done.out == b"token " + TOKEN + b"\n"
    (finished,) = world.entries("command.finished")
    assert finished["streams"]["stdout"]["redacted"] == {"github-token": 1}
    assert world.gatesh("replay", finished["id"]).out == b"token " + b"*" * len(TOKEN) + b"\n"
    assert world.audit()["ok"]
    for path in (world.state / "blobs").rglob("*"):
        assert path.is_dir() or TOKEN not in path.read_bytes()


def test_a_site_that_wants_every_byte_gets_it(world):
    world.set_up()
    world.settings("transcript: {redact: false}\n")

    world.gatesh("-c", f"echo {TOKEN.decode()}")

    (finished,) = world.entries("command.finished")
    assert world.gatesh("replay", finished["id"]).out == TOKEN + b"\n"
