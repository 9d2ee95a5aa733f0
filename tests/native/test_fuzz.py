"""The reading side of the native client against bytes that nobody should send."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from gatesh import wire

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SMALL = "-DFIRST_ROOM=16"  # so that the buffer must grow and shift all the time
# A count that is believed shows as an allocation that nobody can have meant.
JUDGES = {"ASAN_OPTIONS": "max_allocation_size_mb=64"}
ROUNDS = 25_000


def frame(kind: bytes, body: bytes = b"") -> bytes:
    return wire.u32(len(body) + 1) + kind + body


SEEDS = [
    frame(b"R", wire.run([0, 1, 2], b"/bin/bash", [b"bash", b"-c", b"echo hi"])),
    frame(b"R", wire.run([0, 1, 1], b"/bin/bash", [b"-bash", b"", b"x" * 300])),
    frame(b"S", b"gatesh: WAITING\n") + frame(b"R", wire.run([3, 1, 2], b"/bin/sh", [b"sh"])),
    frame(b"R", wire.run([0, 0, 0], b"/bin/sh", [b"a%d" % n for n in range(200)])),
    frame(b"S", b"") + frame(b"S", b"y" * 5000) + frame(b"X", b"\0\3"),
    frame(b"K", b"\x0f") + frame(b"K", b"\x09") + frame(b"X", b"\1\x0f"),
    frame(b"R", wire.run([0, 1, 2], b"/x", [b"y"])) + frame(b"K", b"\x0f") + frame(b"X", b"\0\0"),
]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    build = runpy.run_path(str(NATIVE / "build.py"))
    if build["compiler"]() is None:
        pytest.skip("no C compiler here")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_frames"
    if not build["has"](*SANITIZERS):
        pytest.skip("this compiler has no sanitizers")
    files = [str(HERE / "fuzz_frames.c"), str(NATIVE / "wire.c")]
    build["build"](str(program), *SANITIZERS, SMALL, files=files)
    return program


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    place = tmp_path_factory.mktemp("seeds")
    for number, data in enumerate(SEEDS):
        for fds in (0x00, 0x01, 0x03, 0x02, 0x30, 0x12, 0x22):  # with the first half, the second
            (place / f"{number}-{fds}").write_bytes(bytes([fds]) + data)
    return sorted(map(str, place.iterdir()))


@pytest.mark.parametrize("seed", [1, 2])
def test_no_bytes_make_the_reader_touch_what_is_not_its_own(fuzzer, seeds, seed):
    """A length that is believed before it is measured is how such clients are taken over."""
    done = subprocess.run(
        [fuzzer, str(ROUNDS), str(seed), *seeds],
        env={**os.environ, **JUDGES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    frames, runs, refusals = map(int, re.findall(r"\d+", done.stdout))
    # It got somewhere: not everything was refused at the door, nor everything let in.
    assert frames > ROUNDS / 2 and runs > ROUNDS / 20 and refusals > ROUNDS / 20


def test_libfuzzer_agrees_for_a_moment(seeds, tmp_path):
    """Coverage-guided where clang is at hand; the longer run is for CI and for people."""
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("no clang here: libFuzzer comes with it")
    build = runpy.run_path(str(NATIVE / "build.py"))
    (tmp_path / "generated.h").write_text(build["header"](), "ascii")
    program = tmp_path / "fuzz"
    flags = ["-g", "-O1", "-DLIBFUZZER", "-fsanitize=fuzzer,address,undefined", SMALL]
    files = [str(HERE / "fuzz_frames.c"), str(NATIVE / "wire.c")]
    made = subprocess.run(
        [clang, *flags, "-I", tmp_path, "-I", NATIVE, "-o", program, *files], check=False
    )
    if made.returncode != 0:
        pytest.skip("this clang has no libFuzzer")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for path in seeds:
        shutil.copy(path, corpus)
    subprocess.run([program, "-max_total_time=3", "-max_len=4096", corpus], check=True)
