"""The map of the code, kept: who may import whom, what is pure, what start-up costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gatesh
from gatesh.__main__ import PEOPLE

PACKAGE = Path(gatesh.__file__).parent

# A module may import from its own room and from the rows below it.  Rooms in one row never
# import each other.  Edit this, not the tests, to change the map (design, §3).
ROWS = [
    {"front"},  # client/front.py, the first Python that runs
    {"__main__"},
    {"cli"},
    {"broker", "evidence"},
    {"gate"},
    {"realshell"},
    {"nested"},
    {"docket", "holding", "approved"},
    {"case", "bells", "caller"},
    {"reading", "binding"},
    {"call"},
    {"wrapping", "differences"},
    {"syntax", "policy", "approval", "ledger", "transcript"},
    {"keys"},
    {"words", "config", "bridge"},
    {"client"},
    {"pathsearch"},
    {"model", "visible", "wire", "socketpath", "sensitive", "bech32"},
    {"document"},
    {"errors"},
]
# cli and policy share nothing with the client but how to reach the broker.
IMPURE = {"os", "pathlib", "time", "subprocess", "socket", "pexpect", "keyring", "typer", "rich"}
PURE_ROOMS = {"syntax", "policy", "approval", "ledger", "evidence"}
# The edge of each room: the modules that read or write files, lock, or wait.
EDGE = {
    "policy.packs", "approval.rosterfile",
    "ledger.store", "ledger.journal", "ledger.disk", "ledger.tilestore", "ledger.recovery",
    "ledger.reserve", "ledger.blobs", "ledger.blobcheck", "ledger.heads", "ledger.reading",
    "ledger.onelog", "ledger.succession", "ledger.transcripts", "ledger.audit", "ledger.examine", "ledger.lock", "ledger.prover",
    "evidence.check", "evidence.parts", "evidence.files", "evidence.pack",
}  # fmt: skip


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__") or "__init__"] = path
    return found


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def rooms_of(path: Path) -> set[str]:
    found = {name.split(".")[1] for name in imported(path) if name.startswith("gatesh.")}
    return {room for room in found if any(room in row for row in ROWS)}


@pytest.mark.parametrize("name", modules())
def test_imports_point_one_way(name):
    level = {room: at for at, row in enumerate(ROWS) for room in row}
    room = "front" if name == "client.front" else name.split(".")[0]
    if room == "__init__":
        return
    assert room in level, f"{room} has no place on the map"
    wrong = {
        other
        for other in rooms_of(modules()[name])
        if other != room and level[other] <= level[room]
    }
    assert not wrong, f"gatesh.{name} must not import {sorted(wrong)}"


@pytest.mark.parametrize("name", [n for n in modules() if n.split(".")[0] in PURE_ROOMS])
def test_pure_modules_touch_nothing_outside(name):
    if name in EDGE:
        return
    touched = IMPURE & {module.split(".")[0] for module in imported(modules()[name])}
    assert not touched, f"gatesh.{name} is pure and imports {sorted(touched)}"


def test_the_client_sees_only_the_wire():
    for name, path in modules().items():
        if name.split(".")[0] == "client" and name != "client.front":
            assert rooms_of(path) <= {"client", "wire", "socketpath", "errors"}, name


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(PACKAGE.parent)!r}); "
         f"before = set(sys.modules); {code}; print(*(set(sys.modules) - before))"],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_an_agents_command_pays_for_no_library():
    """
    Every command an agent runs pays for these imports, a thousand times a day.
    """
    found = loaded("import gatesh.client.ask, gatesh.client.run, gatesh.__main__")

    outside = {name for name in found if not name.startswith("gatesh")}
    assert outside <= {"_socket", "_signal", "select", "errno", "resource", "fcntl"}


def test_the_words_that_are_for_people_are_the_commands_there_are():
    import typer

    from gatesh.cli.app import build

    assert set(typer.main.get_command(build()).commands) == PEOPLE


def test_every_command_starts_with_a_one_line_summary():
    import typer

    from gatesh.cli.app import build

    for name, command in typer.main.get_command(build()).commands.items():
        summary = (command.help or "").splitlines()[0]
        assert summary.endswith(".") and len(summary) <= 78, name


def test_no_module_has_outgrown_its_idea():
    long = {n: len(p.read_text().splitlines()) for n, p in modules().items()}

    assert {n: count for n, count in long.items() if count > 480} == {}
