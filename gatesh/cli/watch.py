"""`gatesh watch` and `gatesh kill`: an approver's inbox, and a running command under their eyes.

The broker answers when something has happened; nothing is looked for in files.
What waits and what a command prints is untrusted, and printed by `show` alone.
"""

from __future__ import annotations

import base64
import codecs
import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import typer

from gatesh.cli import shouting, show
from gatesh.cli.pending import summary
from gatesh.cli.talk import ask
from gatesh.errors import GateshError, Refused, UsageError
from gatesh.model import read_id, show_id

WAIT_S = 20.0  # for one answer; the broker allows no more than 25
AGAIN_S = 1.0  # after a broker that was not there


def watch(
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A command you have approved.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a change.")] = False,
) -> None:
    """Watch what waits, as it comes and goes; or what one running command prints.

    Example: gatesh watch k7q2-m9xd
    """
    try:
        if id is not None:
            _follow(id)
        elif sys.stdout.isatty() and not as_json:
            _live()
        else:
            _lines(as_json)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def kill(
    id: Annotated[str, typer.Argument(metavar="ID", help="A running command you approved.")],
) -> None:
    """Kill a running command, with all it has started; the log says that it was you.

    Example: gatesh kill k7q2-m9xd
    """
    found = ask("kill", id=id)
    typer.echo(f"killed {show_id(found['id'])}", err=True)


# ---- the inbox --------------------------------------------------------------------


def _states() -> Iterator[dict[str, Any]]:
    """Yield what waits and runs, now and whenever something has changed."""
    seen = 0
    while True:
        try:
            found = ask("changes", seen=seen, seconds=WAIT_S)
        except (UsageError, Refused):
            raise
        except (GateshError, OSError):
            time.sleep(AGAIN_S)  # it was stopped; the next question starts another
            continue
        if found["version"] != seen:
            seen = found["version"]
            yield found


def _lines(as_json: bool) -> None:
    """Print a line for each change, for a file, a pipe or another program."""
    before: dict[str, Any] = {}
    for found in _states():
        now = {item["id"]: item for item in found["pending"]}
        for id, item in now.items():
            if _face(item) == _face(before.get(id)):
                continue
            typer.echo(json.dumps(item) if as_json else summary(item))
        for id in before.keys() - now.keys():
            state = "started" if id in found["running"] else _end(id)
            gone = {"id": id, "state": state}
            typer.echo(json.dumps(gone) if as_json else f"{show_id(id)}  {state}")
        before = now


def _face(item: dict[str, Any] | None) -> object:
    """Return what makes a change worth a line."""
    if item is None:
        return None
    return item["state"], item["revision"], bool(item["waiting"]), tuple(item["approved_by"])


def _end(id: str) -> str:
    try:
        return str(ask("wait", id=id)["state"])
    except GateshError:
        return "gone"


def _live() -> None:
    """Keep the screen as it is now; only its age is redrawn meanwhile."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    changes: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        for found in _states():
            changes.put(found)

    threading.Thread(target=listen, daemon=True).start()
    console = Console(highlight=False, markup=False, emoji=False)
    found: dict[str, Any] = {"pending": [], "running": []}
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            text = page(found, console.size.height, console.size.width)
            live.update(Text.from_ansi(text), refresh=True)
            try:
                found = changes.get(timeout=1)
            except queue.Empty:
                continue


def page(found: dict[str, Any], height: int, width: int) -> str:
    """Return one screen of the inbox; says how many requests did not fit."""
    items = found["pending"]
    runs = f", {len(found['running'])} running" if found["running"] else ""
    lines = [show.colour(f"gatesh: {len(items) or 'nothing'} waiting{runs}", "1"), ""]
    lines += shouting.warn_of_edits(found.get("edits", ()))
    lines += shouting.banner(found.get("unreviewed", ()))
    used = len(lines)
    for at, item in enumerate(items):
        text = summary(item)
        # Colours count for nothing on the screen, but a line too many is better than one lost.
        used += sum(1 + len(line) // max(width, 1) for line in text.split("\n")) + 1
        if used > height - 2 and at:
            lines.append(f"and {len(items) - at} more: gatesh pending")
            break
        lines += [text, ""]
    return "\n".join(lines)


# ---- one running command ------------------------------------------------------------


def _follow(id: str) -> None:
    shown = show_id(read_id(id) or "")
    streams: dict[str, _Lines] = {}
    while True:
        at = {name: lines.taken for name, lines in streams.items()}
        found = ask("output", id=id, at=at, seconds=WAIT_S)
        for name, part in found["parts"].items():
            mark = "2" if name == "stderr" else " "
            lines = streams.setdefault(name, _Lines(partial(_put, mark)))
            lines.take(base64.b64decode(part))
        if not found["running"]:
            break
    for lines in streams.values():
        lines.end()
    typer.echo(f"{shown} has ended; see gatesh replay {shown}", err=True)


def _put(mark: str, text: str) -> None:
    typer.echo("\n".join(mark + line for line in show.quoted(text, 0).split("\n")))


class _Lines:
    """Bytes of one stream into whole lines; the last piece waits for its end, or for `end`."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self.put = put
        self.taken = 0
        self.rest = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def take(self, data: bytes) -> None:
        self.taken += len(data)
        whole, newline, self.rest = (self.rest + self.decoder.decode(data)).rpartition("\n")
        if newline:
            self.put(whole)

    def end(self) -> None:
        if rest := self.rest + self.decoder.decode(b"", final=True):
            self.put(rest)
