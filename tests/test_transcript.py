"""Transcripts: byte-exact, ordered, bounded, and nothing lost between head and tail."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.document import sha256
from gatesh.transcript.player import cast, play
from gatesh.transcript.recorder import Limits, Recorder
from gatesh.transcript.ring import AHEAD, PART


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


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.001
        return self.now


CHUNKS = st.lists(st.tuples(st.sampled_from("oe"), st.binary(min_size=1, max_size=40)), max_size=30)


@given(CHUNKS)
def test_what_is_played_is_what_was_written(tmp_path_factory, chunks):
    shelf = Shelf()
    recorder = Recorder(tmp_path_factory.mktemp("t") / "id", Limits(), Clock())
    for letter, data in chunks:
        recorder.write(letter, data)

    streams = recorder.finish(shelf.adopt, shelf.put)
    played = list(play(streams, shelf.kept.__getitem__))

    for letter, name in (("o", "stdout"), ("e", "stderr")):
        written = b"".join(data for where, data in chunks if where == letter)
        assert b"".join(c.data for c in played if c.stream == name) == written
        if written:
            assert streams[name]["sha256"] == hashlib.sha256(written).hexdigest()
            assert streams[name]["bytes"] == len(written)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=40))
def test_a_long_stream_keeps_head_tail_length_and_digest(tmp_path_factory, chunks):
    """
    Two hundred megabytes of output must not fill the disk, nor hide how long it was.
    """
    shelf = Shelf()
    recorder = Recorder(tmp_path_factory.mktemp("t") / "id", Limits(head=100, tail=30), Clock())
    for data in chunks:
        recorder.write("o", data)
    written = b"".join(chunks)

    stream = recorder.finish(shelf.adopt, shelf.put)["stdout"]
    played = list(play({"stdout": stream}, shelf.kept.__getitem__))

    assert stream["bytes"] == len(written)
    assert stream["sha256"] == hashlib.sha256(written).hexdigest()
    beyond = len(written) - 100
    if beyond <= 0:
        assert stream["kept"] == "all"
        assert b"".join(c.data for c in played) == written
    else:
        kept = stream["kept"]
        assert shelf.kept[kept["head"][1]] == written[:100]
        assert shelf.kept[kept["tail"][1]] == written[-min(beyond, 30) :]
        assert sum(c.gap for c in played) == max(0, beyond - 30)
        assert b"".join(c.data for c in played) == written[:100] + written[-min(beyond, 30) :]


@pytest.mark.parametrize("tail", [1000, AHEAD + PART])
def test_the_end_of_a_stream_read_in_place_survives_many_rounds_of_the_buffer(tmp_path, tail):
    """
    What is read next lands where older bytes were: never on the tail, nor on what is unhashed.
    """
    shelf = Shelf()
    recorder = Recorder(tmp_path / "id", Limits(head=5000, tail=tail))
    source = random.Random(7)
    written = bytearray()
    while len(written) < 4 * (tail + AHEAD):
        data = source.randbytes(source.choice([10, 4096, PART // 3, PART]))
        space = recorder.space("o")
        if space is not None:
            data = data[: len(space)]
            space[: len(data)] = data
            recorder.write("o", space[: len(data)])
        else:
            recorder.write("o", data)
        written += data
        if source.random() < 0.1:
            recorder.write("o", b"words of our own")
            written += b"words of our own"

    stream = recorder.finish(shelf.adopt, shelf.put)["stdout"]

    assert stream["bytes"] == len(written)
    assert stream["sha256"] == hashlib.sha256(written).hexdigest()
    assert shelf.kept[stream["kept"]["tail"][1]] == written[-tail:]


@pytest.mark.parametrize("place", ["start", "end of the head", "tail"])
def test_a_secret_in_a_long_stream_is_covered_wherever_it_stands(tmp_path, place):
    """
    The head is looked at while the rest still comes; what was clean then must be all there is.
    """
    shelf, secret = Shelf(), b" AKIA" + b"Q" * 16 + b" "
    at = {"start": 0, "end of the head": 1000 - len(secret), "tail": 2000}[place]
    text = bytearray(b"." * 3000)
    text[at : at + len(secret)] = secret
    recorder = Recorder(tmp_path / "id", Limits(head=1000, tail=1500))
    for part in range(0, 3000, 500):
        recorder.write("o", bytes(text[part : part + 500]))

    stream = recorder.finish(shelf.adopt, shelf.put)["stdout"]

    kept = shelf.kept[stream["kept"]["head"][1]] + shelf.kept[stream["kept"]["tail"][1]]
    assert b"AKIA" not in kept
    assert kept.count(b"*") == len(secret.strip())
    assert stream["redacted"] == {"aws-access-key": 1}


def test_what_comes_after_the_shells_end_is_a_record_of_its_own(tmp_path):
    shelf = Shelf()
    recorder = Recorder(tmp_path / "id", Limits())
    recorder.write("o", b"first")
    recorder.finish(shelf.adopt, shelf.put)
    recorder.write("o", b"late")

    late = recorder.finish(shelf.adopt, shelf.put)

    assert shelf.kept[late["stdout"]["sha256"]] == b"late"


@given(st.text(max_size=40), st.integers(1, 5))
def test_a_cast_has_every_character_however_the_output_was_cut(text, size):
    """
    A player that is given half a character shows two wrong ones.
    """
    data = text.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    timing = b"".join(b'[%d,"t",%d]\n' % (n, len(piece)) for n, piece in enumerate(pieces))
    blobs = {"d": data, "t": timing}
    streams = {
        "tty": {"bytes": len(data), "sha256": "d", "kept": "all"},
        "timing": {"bytes": len(timing), "sha256": "t", "kept": "all"},
    }

    header, *events = cast(streams, blobs.__getitem__, "title", 7).splitlines()

    assert json.loads(header)["version"] == 2
    assert "".join(json.loads(event)[2] for event in events) == text
