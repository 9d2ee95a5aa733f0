"""People's side: one thin module per command.

A command reads its arguments, calls one function, prints.  Data goes to standard
output, words to standard error; untrusted text only through `show`.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main(arguments: list[str]) -> NoReturn:
    """Run one people's command.  The only place that turns an error into text and a status."""
    from gatesh.cli.app import build
    from gatesh.errors import GateshError, render
    from gatesh.visible import visible

    try:
        build(arguments[0] if arguments else None)(args=arguments, prog_name="gatesh")
    except GateshError as error:
        # Errors quote names and paths that agents and strangers have chosen.
        print(visible(render(error), lines=True), file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # `gatesh log | head`: the reader has seen enough.
        sys.stderr.close()
        sys.exit(0)
    raise AssertionError("an application always exits")
