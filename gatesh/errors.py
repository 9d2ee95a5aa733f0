"""Every error a person using gatesh is meant to read.

    GateshError                 125  gatesh itself could not do its work
    ├── UsageError                2  the command line makes no sense
    ├── ConfigError              78  configuration, rules or roster cannot be used as written
    ├── NotFound                  1  no such request, person, key or entry
    ├── Refused                 126  a rule, a person or a check said no
    ├── Pending                  75  nobody has answered yet; asking again may work
    ├── LedgerError             125  the log cannot be written
    │   └── Tampered            125  the log is not what its own checkpoint says
    └── KeyTrouble              125  no usable key, or it cannot be read

A message is one lowercase line without a final period.  A hint, when there is
one, names the next thing to type.  Bugs are not in this tree: they stay
ordinary exceptions and keep their traceback.
"""

from __future__ import annotations


class GateshError(Exception):
    """Anything gatesh itself declined or failed to do."""

    exit_code = 125

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(GateshError):
    """The command line makes no sense."""

    exit_code = 2


class ConfigError(GateshError):
    """Configuration, rules or roster cannot be used as written."""

    exit_code = 78


class NotFound(GateshError):
    """There is no such request, person, key or log entry."""

    exit_code = 1


class Refused(GateshError):
    """A rule, a person or a check said no.

    *why* is the fixed word that goes into the log (`formats.md` §3).
    """

    exit_code = 126

    def __init__(self, message: str, *, why: str = "refused", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.why = why


class Pending(GateshError):
    """Nobody has answered yet, or not in time; asking again may work."""

    exit_code = 75


class LedgerError(GateshError):
    """The log cannot be written."""


class Tampered(LedgerError):
    """The log is not what its own checkpoint says it is."""


class KeyTrouble(GateshError):
    """No usable key, or the key cannot be read."""


def render(error: GateshError) -> str:
    """Return what is printed on standard error for *error*.

    >>> print(render(NotFound("no request k7q2-m9xd is waiting",
    ...                       hint="list waiting requests with `gatesh pending`")))
    gatesh: error: no request k7q2-m9xd is waiting
    gatesh: hint: list waiting requests with `gatesh pending`
    """
    lines = [f"gatesh: error: {line}" for line in str(error).splitlines() or [""]]
    if error.hint is not None:
        lines.append(f"gatesh: hint: {error.hint}")
    return "\n".join(lines)
