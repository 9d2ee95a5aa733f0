"""All people's commands in one application.  `gatesh.__main__.PEOPLE` must name the same."""

from __future__ import annotations

import typer

from gatesh import __version__
from gatesh.cli import (
    audit,
    broker,
    check,
    decide,
    doctor,
    init,
    keys,
    log,
    pending,
    people,
    replay,
    rules,
)

app = typer.Typer(
    name="gatesh",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The shell you give to an AI agent.\n\n"
    "As a shell: gatesh -c COMMAND, gatesh FILE, or commands on standard input. Privileged"
    " commands wait until a second person signs; everything is recorded.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gatesh {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", is_eager=True, callback=_version
    ),
) -> None:
    pass


app.command("init")(init.init)
app.command("check")(check.check)
app.command("pending")(pending.pending)
app.command("show")(pending.show)
app.command("approve")(decide.approve)
app.command("reject")(decide.reject)
app.command("ask")(decide.ask)
app.command("revoke")(decide.revoke)
app.command("cancel")(decide.cancel)
app.command("wait")(pending.wait)
app.command("log")(log.log)
app.command("replay")(replay.replay)
app.command("export")(replay.export)
app.command("audit")(audit.audit)
app.command("doctor")(doctor.doctor)
app.add_typer(people.app, name="people")
app.add_typer(keys.app, name="keys")
app.add_typer(rules.app, name="rules")
app.add_typer(broker.app, name="broker")
