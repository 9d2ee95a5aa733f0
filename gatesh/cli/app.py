"""All people's commands in one application, each loaded only when it is called."""

from __future__ import annotations

from importlib import import_module

import typer

from gatesh import __version__

# name → module below gatesh.cli; a command is the module's function of that name, a group its
# `app`.  `gatesh.__main__.PEOPLE` must have the same names.
COMMANDS = {
    "init": "init",
    "check": "check",
    "pending": "pending",
    "show": "pending",
    "approve": "decide",
    "reject": "decide",
    "ask": "decide",
    "revoke": "decide",
    "sign": "decide",
    "submit": "decide",
    "head": "courier",
    "answer": "decide",
    "cancel": "decide",
    "propose": "propose",
    "override": "emergency",
    "review": "emergency",
    "wait": "pending",
    "watch": "watch",
    "kill": "watch",
    "log": "log",
    "replay": "replay",
    "unseal": "unseal",
    "export": "replay",
    "report": "report",
    "doctor": "doctor",
    "setup": "setup",
    "shims": "shims",
}
GROUPS = {
    "people": "people",
    "keys": "keys",
    "rules": "rules",
    "broker": "broker",
    "audit": "audit",
    "ledger": "ledger",
}

HELP = """The shell you give to an AI agent.

As a shell: gatesh -c COMMAND, gatesh FILE, or commands on standard input. Privileged commands
wait until a second person signs; everything is recorded.
"""


def build(only: str | None = None) -> typer.Typer:
    """Return the application; with just one command when *only* names one.

    An approver who types `gatesh approve` should not wait for what `rules` needs.
    """
    app = typer.Typer(
        name="gatesh",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=HELP,
    )
    app.callback()(_main)
    one = only in COMMANDS or only in GROUPS
    for name, module in COMMANDS.items():
        if not one or name == only:
            app.command(name)(getattr(import_module(f"gatesh.cli.{module}"), name))
    for name, module in GROUPS.items():
        if not one or name == only:
            app.add_typer(import_module(f"gatesh.cli.{module}").app, name=name)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gatesh {__version__}")
        raise typer.Exit


def _main(
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", is_eager=True, callback=_version
    ),
) -> None:
    pass
