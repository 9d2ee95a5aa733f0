"""`gatesh unseal`: for the auditor who has the key, what a command really printed."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.cli.calm import Calm
from gatesh.cli.history import kept
from gatesh.cli.replay import find
from gatesh.errors import KeyTrouble, NotFound, Tampered, UsageError
from gatesh.keys import privatefile
from gatesh.keys.age import CannotUnseal, Identity
from gatesh.model import show_id
from gatesh.transcript.player import play
from gatesh.visible import visible


def unseal(
    what: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="A command, or a sealed file by itself.")
    ],
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The private key it was sealed for.")
    ],
    raw: Annotated[
        bool, typer.Option("--raw", help="The recorded bytes, even to a terminal.")
    ] = False,
) -> None:
    """Show what a command printed, with the secrets that its record has covered.

    Standard output on 1, standard error on 2. A sealed file is an age file as well:
    `age -d -i KEY FILE` reads it without gatesh.

    Example: gatesh unseal k7q2-m9xd --key auditor.key
    """
    identity = _identity(key)
    if Path(what).is_file():
        _file(Path(what), identity, Calm(sys.stdout.buffer, raw=raw))
        return
    _, command = find(what)
    every = [streams for streams in (command.streams, *command.late) if streams]
    if not any("sealed" in stream for streams in every for stream in streams.values()):
        raise NotFound(
            f"nothing of {show_id(command.id)} was sealed: its record covers nothing, or there was"
            " no `seal_to` in the settings",
            hint=f"gatesh replay {show_id(command.id)}",
        )
    blob = partial(kept, config.places().state)
    outs = {
        name: Calm(sys.stderr.buffer if name == "stderr" else sys.stdout.buffer, raw=raw)
        for name in ("stdout", "stderr", "tty")
    }
    for streams in every:
        plain, whole = _uncovered(streams, identity, blob)
        for chunk in play(plain, partial(_part, whole, blob)):
            if chunk.gap:
                print(f"gatesh: {chunk.gap} bytes here were not kept", file=sys.stderr)
            outs[chunk.stream].write(chunk.data)


def _part(whole: Mapping[str, bytes], blob: Callable[[str], bytes], name: str) -> bytes:
    return whole[name] if name in whole else blob(name)


def _identity(path: Path) -> Identity:
    try:
        return Identity.parse(privatefile.read(path, what="the key", strict=False).decode("ascii"))
    except FileNotFoundError:
        raise NotFound(f"there is no key {visible(str(path))}") from None
    except ValueError as problem:
        raise KeyTrouble(f"{visible(str(path))}: {problem}") from None


def _file(path: Path, identity: Identity, out: Calm) -> None:
    try:
        with path.open("rb") as file:
            for chunk in identity.unseal(file):
                out.write(chunk)
    except CannotUnseal as problem:
        raise KeyTrouble(f"{visible(str(path))}: {problem}") from None
    except OSError as problem:
        raise UsageError(f"{visible(str(path))} cannot be read: {problem.strerror}") from None


def _uncovered(
    streams: Mapping[str, Any], identity: Identity, blob: Callable[[str], bytes]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return *streams* naming what was sealed in place of what was covered, and those bytes."""
    plain: dict[str, Any] = {}
    whole: dict[str, bytes] = {}
    for name, stream in streams.items():
        plain[name] = dict(stream)
        if "sealed" not in stream:
            continue
        data = _open(blob(stream["sealed"]["sha256"]), identity, stream["sealed"])
        record = [(stream["bytes"], stream["sha256"])]
        if stream["kept"] != "all":
            record = [(size, sha) for size, sha in stream["kept"].values()]
        covered = b"".join(blob(sha) for size, sha in record if size)
        if not _belongs(data, covered):
            raise Tampered(
                f"what was sealed of {name} is not what its record covers",
                hint="keep both, and see `gatesh audit`",
            )
        head = record[0][0]
        parts = {f"{name} head": data[:head], f"{name} tail": data[head:]}
        whole.update(parts)
        if stream["kept"] == "all":
            plain[name]["sha256"] = f"{name} head"
        else:
            plain[name]["kept"] = {
                "head": [head, f"{name} head"],
                "tail": [len(data) - head, f"{name} tail"],
            }
    return plain, whole


def _open(sealed: bytes, identity: Identity, named: Mapping[str, Any]) -> bytes:
    try:
        return b"".join(identity.unseal(io.BytesIO(sealed)))
    except CannotUnseal as problem:
        raise KeyTrouble(
            f"it cannot be unsealed: {problem}", hint=f"it is sealed to {visible(str(named['to']))}"
        ) from None


def _belongs(data: bytes, covered: bytes) -> bool:
    """Tell whether *covered* is *data* with some bytes made asterisks."""
    return len(data) == len(covered) and all(
        shown in (real, 0x2A) for real, shown in zip(data, covered, strict=True)
    )
