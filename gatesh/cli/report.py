"""`gatesh report`: evidence for somebody who has neither the log nor gatesh at hand."""

from __future__ import annotations

import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gatesh import config
from gatesh.cli import proof, show, signing, witnesses
from gatesh.cli.audit import as_document, progress
from gatesh.cli.judging import CHECKS
from gatesh.cli.log import moment_of
from gatesh.errors import UsageError
from gatesh.evidence import pack, parts
from gatesh.evidence.files import NAMESPACE
from gatesh.ledger.audit import audit as run_audit
from gatesh.visible import visible


def report(
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="First day, as 2026-07-01.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Last day, included.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A directory to make.")],
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="How many held commands to tell in full.")
    ] = pack.SAMPLES,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="FILE", help="Sign it: an OpenSSH private key, or a .pub in the agent."
        ),
    ] = None,
    witness: witnesses.Keys = None,
    vkey: proof.VKey = None,
    state: proof.StateDir = None,
) -> None:
    """Write a report of a period: a page, tables, and proof that it is all of it.

    With --key it is signed, for what must be believed of it: the audit of the whole log.

    Audits the whole log first; exit status 1 when that found errors, which the
    report then says on its first page.  `gatesh audit check DIR` verifies it.  A period
    that several logs share makes a report of each, in a directory of its own.

    Example: gatesh report --from 2026-07-01 --to 2026-09-30 --out q3
    """
    begin, until = moment_of(start), moment_of(end)
    if len(end) == len("2026-09-30"):
        until += datetime.timedelta(days=1)  # a day is meant whole
    if begin >= until:
        raise UsageError(f"{visible(end)} is not after {visible(start)}")
    places = config.places()
    signer = None if key is None else signing.with_key(key)
    directory = state or places.state
    log_key = None if vkey is None else str(proof.log_key(vkey, ""))
    with progress() as moved:
        found = run_audit(
            directory,
            vkey=log_key,
            checks=CHECKS,
            progress=moved,
            witnesses=witnesses.terms(witness, None, None if state else places.settings),
        )
    made = parts.make(
        directory,
        out,
        start=begin,
        end=until,
        samples=samples,
        now=datetime.datetime.now(datetime.timezone.utc),
        audit=as_document(found),
        sign=None if signer is None else partial(signer.sshsig, namespace=NAMESPACE),
    )
    for meta, part in zip(made, parts.parts_of(out), strict=True):
        typer.echo(str(part / "report.html"))
        typer.echo(
            f"entries {meta['first']:,} to {meta['first'] + meta['count'] - 1:,} of"
            f" {meta['size']:,}, head {meta['root']}",
            err=True,
        )
    if not found.ok:
        typer.echo(
            show.colour("the log does NOT verify", "31")
            + ": see `gatesh audit`; the report says so",
            err=True,
        )
        raise typer.Exit(1)
