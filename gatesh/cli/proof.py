"""`gatesh audit proof` and `gatesh audit check`: what can be shown without the log."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gatesh import config
from gatesh.cli import show, witnesses
from gatesh.cli.judging import CHECKS
from gatesh.errors import NotFound, UsageError
from gatesh.evidence import check as reports
from gatesh.evidence import parts
from gatesh.evidence.html import count
from gatesh.evidence.page import span
from gatesh.ledger import succession
from gatesh.ledger.cosign import Cosigned, WitnessKey
from gatesh.ledger.heads import Heads
from gatesh.ledger.note import Key, MalformedNote
from gatesh.ledger.proof import BadProof, Proof
from gatesh.ledger.prover import Prover
from gatesh.visible import visible

StateDir = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="Use a copy: DIR/ledger, DIR/blobs.")
]
VKey = Annotated[
    str | None,
    typer.Option("--vkey", metavar="KEY", help="The log's key, or a file with it, from elsewhere."),
]


def proof(
    n: Annotated[int, typer.Argument(metavar="N", help="The index of the entry.")],
    log: Annotated[
        str, typer.Option("--log", metavar="NAME", help="A finished log, as `ledger.000000`.")
    ] = succession.CURRENT,
    state: StateDir = None,
) -> None:
    """Write the proof that entry N is in the log, to standard output.

    The file (a C2SP tlog-proof) holds the entry, its path to the root and the signed
    checkpoint, with the cosignatures of witnesses if there are any: `gatesh audit check`
    verifies it anywhere, without the log.

    Example: gatesh audit proof 41902 > 41902.tlog-proof
    """
    if log != succession.CURRENT and not succession.PAST.fullmatch(log):
        raise UsageError(f"no log is called {visible(log)}", hint="see `gatesh ledger list`")
    with Prover((state or config.places().state) / log) as prover:
        sys.stdout.buffer.write(prover.prove(n, prover.witnessed(n)).encode())


def check(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A proof, or a report's directory.")],
    vkey: VKey = None,
    witness: witnesses.Keys = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify a proof of one entry, or a report, without the log.

    The log's key is the one given with --vkey, or the one this account has
    followed.  Exit status 0 when all of it holds, 1 when something does not.  With
    --witness (repeatable) it says which of these witnesses have signed, and when.

    Example: gatesh audit check 41902.tlog-proof --vkey "$(cat build7.vkey)"
    """
    if path.is_dir():
        _check_report(path, vkey, witnesses.keys_of(witness), as_json)
        return
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no {visible(str(path))}") from None
    except OSError as problem:
        raise UsageError(f"{visible(str(path))} cannot be read: {problem.strerror}") from None
    try:
        found = Proof.parse(data)
        key = log_key(vkey, found.claimed_origin())
        checkpoint, entry = found.check(key)
        seen = found.cosignatures(key, witnesses.keys_of(witness))
    except BadProof as problem:
        _refuse(str(problem), as_json)
    size, root = checkpoint.head.size, base64.b64encode(checkpoint.head.root).decode()
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "ok": True,
                    "origin": checkpoint.origin,
                    "index": found.index,
                    "head": {"size": size, "root": root},
                    "witnesses": witnesses.told(seen),
                    "entry": entry,
                },
                indent=2,
            )
        )
        return
    typer.echo(
        f"{show.colour('verified', '32')} entry {found.index:,} of {size:,} in the log"
        f" {visible(checkpoint.origin)}, head {root}"
    )
    _say_witnesses(seen)
    for name, value in entry.items():
        said = value if isinstance(value, str) else json.dumps(value)
        typer.echo(f"  {visible(name):<20}{visible(said)}")


def _say_witnesses(seen: Sequence[Cosigned]) -> None:
    for one in seen:
        typer.echo(
            f"seen by witness {visible(one.key.name)}: {one.head.size:,} entries,"
            f" {witnesses.moment(one.time)}"
        )


def _check_report(path: Path, vkey: str | None, keys: Sequence[WitnessKey], as_json: bool) -> None:
    pieces = parts.parts_of(path)
    found = list(parts.check_all(pieces, _key_of(pieces, vkey), CHECKS, keys))
    ok = not any(part.checked.problems for part in found)
    if as_json:
        told = [_told(part.checked) for part in found]
        one = told[0] if len(told) == 1 else {"ok": ok, "parts": told}
        typer.echo(json.dumps(one, indent=2))
    else:
        for part in found:
            _say(part.path, part.checked)
        if ok:
            typer.echo(
                "the audit of the whole log, and which people have seen it, are its maker's word"
            )
    raise typer.Exit(0 if ok else 1)


def _key_of(pieces: Sequence[Path], vkey: str | None) -> Key:
    """Return the key to begin with: of several logs, that of the newest that is known."""
    origins = [reports.claimed_origin(piece) for piece in reversed(pieces)]
    for origin in origins[:-1]:
        try:
            return log_key(vkey, origin)
        except UsageError:
            if vkey is not None:
                raise
    return log_key(vkey, origins[-1])


def _told(found: reports.Checked) -> dict[str, Any]:
    meta = found.meta
    return {
        "ok": not found.problems,
        "origin": meta.get("origin"),
        "from": meta.get("from"),
        "to": meta.get("to"),
        "commands": found.commands,
        "signatures": found.signatures,
        "witnesses": witnesses.told(found.witnesses),
        "page_derived": found.rendered,
        "maker": found.maker,
        "problems": found.problems,
    }


def _say(path: Path, found: reports.Checked) -> None:
    meta = found.meta
    if found.problems:
        typer.echo(f"{show.colour('NOT verified', '31')} {visible(str(path))}")
        for problem in found.problems:
            typer.echo(f"  {visible(problem)}")
        return
    last = meta["first"] + meta["count"] - 1
    typer.echo(
        f"{show.colour('verified', '32')} {count(found.commands, 'command')} and"
        f" {count(found.signatures, 'signature')} of {visible(span(meta))}\n"
        f"complete: entries {meta['first']:,} to {last:,} without a gap, of {meta['size']:,}"
        f" in the log {visible(meta['origin'])}, head {visible(meta['root'])}"
    )
    if found.maker:
        typer.echo(f"signed by its maker: {visible(found.maker)}")
    if not found.rendered:
        typer.echo(f"the page was made by {visible(meta['by'])} and not derived again")
    _say_witnesses(found.witnesses)


def _refuse(why: str, as_json: bool) -> Any:
    if as_json:
        typer.echo(json.dumps({"ok": False, "problems": [why]}, indent=2))
    else:
        typer.echo(f"{show.colour('NOT verified', '31')} {visible(why)}")
    raise typer.Exit(1)


def log_key(given: str | None, origin: str) -> Key:
    """Return the key to check with: the one *given*, as text or file, or the one remembered.

    Never one that comes with what is to be checked: whoever made that could have
    put his own beside it.
    """
    text = given
    if given is None:
        heads = config.places().heads
        text = Heads(heads).key(origin) if heads.is_dir() else None
    elif "+" not in given or Path(given).is_file():
        try:
            text = Path(given).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"no key can be read from {visible(given)}: {problem}") from None
    if text is None:
        raise UsageError(
            f"nobody here knows the key of the log {visible(origin)}",
            hint="give it with --vkey: the file `ledger/vkey`, from somebody you trust",
        )
    try:
        return Key.parse(text)
    except MalformedNote as problem:
        raise UsageError(
            f"that is not a log's key: {problem}",
            hint="it is one line, NAME+ID+KEY, as in the file ledger/vkey",
        ) from None
