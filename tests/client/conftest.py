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

SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
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


def installed(place: Path, *flags: str) -> str:
    """Compile the native client, place it as an installer would, and return its path."""
    build = runpy.run_path(str(NATIVE))
    if build["compiler"]() is None:
        pytest.skip("no C compiler here")
    (place / "bin").mkdir()
    shutil.copy(BIN / "gatesh-python", place / "bin")
    program = str(place / "bin" / "gatesh")
    if not build["has"](*flags):
        pytest.skip("this compiler has no sanitizers")
    if flags:
        build["build"](program, *flags)
    else:
        build["build_client"](program)
    return program


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The native client as it is shipped."""
    return installed(tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The native client under the sanitizers: the first error of memory ends it."""
    return installed(tmp_path_factory.mktemp("sanitized"), *SANITIZERS)


@pytest.fixture(params=["native", "sanitized", "python"])
def shell(request: pytest.FixtureRequest, shared_world: World) -> Shell:
    """gatesh as a shell, by each of the clients."""
    if request.param == "python":
        return python_client(shared_world.env, shared_world.work)
    program = request.getfixturevalue(request.param)
    return Shell(request.param, program, shared_world.env, shared_world.work)


@pytest.fixture
def bash(shared_world: World) -> Shell:
    """The shell that gatesh stands in for."""
    return Shell("bash", BASH, shared_world.env, shared_world.work, zero="bash")
