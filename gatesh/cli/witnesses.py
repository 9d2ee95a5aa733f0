"""Which witnesses an audit believes: those it is given, else those of the broker's settings."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gatesh import config
from gatesh.errors import ConfigError, UsageError, render
from gatesh.ledger.cosign import Cosigned, WitnessKey
from gatesh.ledger.note import MalformedNote
from gatesh.ledger.witnessed import DAY_S, Terms
from gatesh.visible import visible

Keys = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="KEY", help="A witness's key, or a file with it."),
]
Need = Annotated[
    int | None,
    typer.Option(
        "--need", metavar="N", min=0, help="So many witnesses must have seen all but the newest."
    ),
]


def terms(
    keys: Sequence[str] | None,
    need: int | None,
    settings: Path | None,
    notes: Sequence[bytes] = (),
) -> Terms:
    """Return what to ask of witnesses; *settings* are those of the broker, None for a copy."""
    ours = _settings(settings)
    within = DAY_S if ours is None else ours.witnesses_within_s
    if keys:
        return Terms(keys_of(keys), need or 0, within, notes)
    if ours is None:
        if need:
            raise UsageError(
                "witnesses are needed, and none is known", hint="give their keys with --witness"
            )
        return Terms(notes=notes)
    known = [WitnessKey.parse(witness.vkey) for witness in ours.witnesses]
    wanted = ours.witnesses_need if need is None else need
    return Terms(known, wanted, within, notes, confirmed=False)


def _settings(path: Path | None) -> config.Config | None:
    if path is None:
        return None
    try:
        return config.load(path)
    except ConfigError as problem:
        # An audit that settings could prevent would be no audit.
        typer.echo(f"{render(problem)}\ngatesh: no witness is known from there", err=True)
        return None


def keys_of(given: Sequence[str] | None) -> list[WitnessKey]:
    """Return the keys that were *given*, as text or files."""
    return [_key(one) for one in given or ()]


def _key(given: str) -> WitnessKey:
    text = given
    if "+" not in given or Path(given).is_file():
        try:
            text = Path(given).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"no key can be read from {visible(given)}: {problem}") from None
    try:
        return WitnessKey.parse(text)
    except MalformedNote as problem:
        raise UsageError(
            f"that is not a witness's key: {problem}",
            hint="it is one line, NAME+ID+KEY, as the witness publishes it",
        ) from None


def told(seen: Iterable[Cosigned]) -> list[dict[str, object]]:
    """Return what witnesses have seen, for programs."""
    return [
        {"name": one.key.name, "vkey": str(one.key), "size": one.head.size, "at": moment(one.time)}
        for one in seen
    ]


def moment(time: int) -> str:
    """Return seconds since 1970 as a time.

    >>> moment(1679315147)
    '2023-03-20T12:25:47Z'
    """
    at = datetime.datetime.fromtimestamp(time, datetime.timezone.utc)
    return at.isoformat().replace("+00:00", "Z")
