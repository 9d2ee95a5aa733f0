"""What the documentation takes from the program itself: `python -m tests.docs.written`.

The whole of docs/commands.md, and the tables between `<!-- NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from gatesh.approval.why import WHY
from gatesh.cli.app import build
from gatesh.cli.clients import TABLE
from gatesh.ledger.findings import CODES
from gatesh.syntax.agents import clients
from gatesh.syntax.agents.clients import UNKNOWN, Client
from gatesh.syntax.findings import MEANING
from tests.docs.pages import DOCS, pages

PAGE = DOCS / "commands.md"

HEAD = """\
# Commands

For everybody who types `gatesh`. The same text, shorter, is printed by `gatesh … --help`.

This page is written from the program by `python -m tests.docs.written`; change the program instead.

Called with anything else than one of these names, gatesh is the shell: `gatesh -c 'make test'`, `gatesh ./build.sh`,
commands on standard input. A script that has the name of a command runs as `gatesh ./pending`. Under another name
(a link called `bash` or `sh`) it is always the shell.

Data goes to standard output, words to standard error. What others had a hand in (commands, reasons, names) is printed
with every control, invisible or misleading character made visible. `NO_COLOR` is honoured.

## Exit status

| status | as the shell | as a command |
|---|---|---|
| the command's own | it ran; a signal is raised again | |
| 0 | | done; for questions, yes |
| 1 | | there is no such thing, or a check found something wrong |
| 2 | the arguments make no sense, as with bash | the same |
| 75 | waits for a person, or the wait ended without one: nothing ran, run the same again | it still waits |
| 78 | the broker cannot start with this configuration: nothing ran | configuration, rules or roster cannot be used as written |
| 125 | gatesh itself could not do its work: nothing ran, or what ran was stopped | the same |
| 126 | a rule or a person refused: nothing ran | a check refused |
| 127 | there is no such script file | |

Every error is one line that begins with `gatesh: error:`, and mostly a second one, `gatesh: hint:`, with what to type
next.
"""

# Where it says more than the table above.
STATUS = {
    "approve": "0 when the decision is signed, checked and recorded; 126 when it is refused: by you, or because "
    "the key, the person, the time or the state of the request does not allow it. Nothing is signed then, or what was "
    "signed is in the log as refused, with the reason.",
    "broker run": "0 when it was asked to stop, 125 when the log broke.",
    "broker status": "0 when a broker is running, 1 when none is.",
    "broker stop": "0 when it has stopped, 1 when there was none, 126 when commands run.",
    "rules test": "0, or 78 when an example fails or a file cannot be used.",
}
STATUS |= dict.fromkeys(("reject", "ask", "revoke"), "as for `gatesh approve`.")
_SAID = re.compile(r"Exit status\s+(.+?\.)(?=\s+[A-Z]|\s*$)", re.DOTALL)
USUAL = "0, or one of [these](#exit-status)."


def leaves(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Yield (name, command) of each command below *command*, and of groups that do something."""
    if hasattr(command, "commands"):
        if getattr(command, "invoke_without_command", False) and path:
            yield " ".join(path), command
        for name in sorted(command.commands):
            yield from leaves(command.commands[name], *path, name)
    else:
        yield " ".join(path), command


def section(name: str, command: Any) -> str:
    """Return the section of one command."""
    told, *examples = inspect.cleandoc(command.help or "").split("Example: ")
    status = _SAID.search(told)
    told = _SAID.sub("", told)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [
        p
        for p in command.params
        if p.param_type_name == "option" and not p.hidden and "--help" not in p.opts
    ]
    usage = " ".join(
        [f"gatesh {name}", *(["[OPTIONS]"] if options else []), *map(_metavar, arguments)]
    )
    lines = [f"## gatesh {name}", "", f"    {usage}", ""]
    for paragraph in filter(str.strip, told.split("\n\n")):
        words = re.sub(r"\s+", " ", paragraph).strip()
        lines += [words, ""]
    items = [f"- `{p.metavar or p.name.upper()}`: {p.help}" for p in arguments if p.help]
    for option in options:
        value = "" if getattr(option, "is_flag", False) else f" {option.metavar or 'VALUE'}"
        default = option.default
        usual = f" By default {default}." if value and default not in (None, ()) else ""
        items.append(f"- `{', '.join(option.opts)}{value}`: {option.help}{usual}")
    if items:
        lines += [*items, ""]
    if examples:
        lines += ["```sh", *(re.sub(r"\s+", " ", line.strip()) for line in examples), "```", ""]
    said = re.sub(r"\s+", " ", status[1]) if status else STATUS.get(name, USUAL)
    return "\n".join([*lines, f"Exit status: {said}", ""])


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def text() -> str:
    """Return the whole page."""
    application = typer.main.get_command(build())
    return "\n".join([HEAD, *(section(*leaf) for leaf in leaves(application))])


def tables() -> dict[str, str]:
    """Return each table, by the name in its mark."""
    return {
        "agents": _agents(),
        "clients": _clients(),
        "refusals": _table("word", "why", WHY.items()),
        "findings": _table("word", "meaning", MEANING.items()),
        "codes": "\n\n".join(
            f"{said}\n\n"
            + _table(
                "code",
                "what to do",
                ((code, advice) for code, (found, advice) in CODES.items() if found == severity),
            )
            for severity, said in (
                (
                    "error",
                    "An **error**: the log does not prove what it should, and the audit fails.",
                ),
                ("warning", "A **warning** wants a person's eye."),
                ("info", "**Info** is said for completeness."),
            )
        ),
    }


def _clients() -> str:
    """Return what gives each program gatesh as its shell, and what goes round it."""
    parts = []
    for client in TABLE:
        lines = [f"### {client.name}", ""]
        if client.setting is not None:
            value = client.setting.value
            shown = value if isinstance(value, str) else json.dumps(value)
            key = "" if client.setting.kind == "lines" else f"{'.'.join(client.setting.key)} = "
            lines += [f"In `{client.setting.file}`:", "", f"    {key}{shown}", ""]
        if client.start:
            lines += ["Start it with:", "", f"    {client.start}", ""]
        lines += [f"- also: {text}" for text in client.also]
        lines += [f"- goes round it: {text}" for text in client.goes_round]
        parts.append("\n".join(lines).replace("{dir}", "DIR"))
    return "\n\n".join(parts)


def _agents() -> str:
    """Return how long each known agent is made to wait, the shortest where there are several."""
    waits: dict[str, Client] = {}
    for client in sorted([UNKNOWN, *(mark.client for mark in clients._MARKS)], key=_patience):
        waits.setdefault(client.name, client)
    rows = []
    for name, client in sorted(waits.items()):
        others = {m.client for m in clients._MARKS if m.client.name == name} - {client}
        wait = "as long as it takes" if client.hold_s is None else f"{client.hold_s:g} s"
        if others:
            marks = [m.variable.decode() for m in clients._MARKS if m.client == client]
            wait = f"as long as it takes; {wait} with `{marks[0]}`"
        if client.heartbeat_s is not None:
            wait += f", with a line every {client.heartbeat_s:g} s"
        rows.append((name, wait))
    return _table("agent", "waits", rows)


def _patience(client: Client) -> float:
    return float("inf") if client.hold_s is None else client.hold_s


def _table(left: str, right: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|", *(f"| `{a}` | {b} |" for a, b in rows)]
    return "\n".join(lines)


_TABLE = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def refreshed(page: str) -> str:
    """Return the text of a page with its tables as the program has them now."""
    known = tables()
    return _TABLE.sub(lambda m: f"<!-- {m[1]} -->\n{known[m[1]]}\n<!-- end -->", page)


def written() -> dict[Path, str]:
    """Return every page as it should be."""
    found = {path: refreshed(path.read_text("utf-8")) for path in pages() if path != PAGE}
    return {**found, PAGE: text()}


if __name__ == "__main__":
    for path, whole in written().items():
        path.write_text(whole, "utf-8")
