"""One broker for the whole suite, and the shells it is asked by."""

from __future__ import annotations

import runpy
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import BIN, World

from .shells import BASH, Shell, python_client

NATIVE = Path(__file__).parents[2] / "native" / "build.py"


@pytest.fixture(scope="session")
def shared_world() -> Iterator[World]:
    """A world whose broker serves every test here: they do not touch its state."""
    base = Path(tempfile.mkdtemp(prefix="gatesh-", dir="/tmp"))
    made = World(base)
    made.rules()
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def native_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native client, compiled from this tree and placed as an installer would."""
    build = runpy.run_path(str(NATIVE))
    if build["compiler"]() is None:
        pytest.skip("no C compiler here")
    place = tmp_path_factory.mktemp("prefix") / "bin"
    place.mkdir()
    shutil.copy(BIN / "gatesh-python", place)
    build["build_client"](str(place / "gatesh"))
    return place / "gatesh"


@pytest.fixture(params=["native", "python"])
def shell(request: pytest.FixtureRequest, shared_world: World) -> Shell:
    """gatesh as a shell, by each of the two clients."""
    if request.param == "python":
        return python_client(shared_world.env, shared_world.work)
    program = request.getfixturevalue("native_program")
    return Shell("native", str(program), shared_world.env, shared_world.work)


@pytest.fixture
def bash(shared_world: World) -> Shell:
    """The shell that gatesh stands in for."""
    return Shell("bash", BASH, shared_world.env, shared_world.work, zero="bash")
