"""Every sentence an agent reads on standard error.

One or two plain ASCII lines that stand alone: what happened, whether anything
ran, who decides, what to type next.  Agents read text, not statuses, and some
take certain words (their own container's refusals) as leave to run the command
again without it: `docs/agents.md` lists them, a test keeps them out of here.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatesh.model import Finding, show_id
from gatesh.visible import ascii_line


def _why(findings: Sequence[Finding]) -> str:
    first = findings[0]
    more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
    return f'rule "{first.rule}" ({ascii_line(first.reason)}){more}'


def _instead(findings: Sequence[Finding]) -> str:
    hints = dict.fromkeys(f.instead for f in findings if f.instead)
    return "".join(f" Instead: {ascii_line(hint)}." for hint in hints)


def denied(id: str, findings: Sequence[Finding]) -> str:
    """A rule refuses the command for good."""
    return (
        f"gatesh: DENIED by {_why(findings)}, request {show_id(id)}. The command was not run."
        f" Do not retry it or work around it; tell the user.{_instead(findings)}\n"
    )


def waiting(id: str, findings: Sequence[Finding], who: str, hold_s: float | None) -> str:
    """The command is held; printed before the wait begins."""
    limit = "" if hold_s is None else f" Waiting up to {hold_s:.0f} s."
    return (
        f"gatesh: WAITING for {who}, request {show_id(id)}: {_why(findings)}.{limit}"
        f" To decide, they run: gatesh show {show_id(id)}; gatesh approve {show_id(id)}\n"
    )


def pending(id: str) -> str:
    """Nobody answered within the agent's own limit; the request lives on."""
    return (
        f"gatesh: PENDING request {show_id(id)}. A person has been asked; the command was NOT run."
        " Continue with other work, then run the same command again:"
        " it starts once the request is approved.\n"
    )


def still_waiting(id: str, seconds: float) -> str:
    """A sign of life, for agents that take silence for a hang."""
    return f"gatesh: still waiting for request {show_id(id)} ({seconds:.0f} s)\n"


def rejected(id: str, by: str, reason: str | None) -> str:
    """A person said no."""
    words = f": {ascii_line(reason)}" if reason else ""
    return (
        f"gatesh: REJECTED by {ascii_line(by)}{words} (request {show_id(id)})."
        " The command was not run. Do not retry it or work around it; tell the user.\n"
    )


def overridden(id: str, by: str) -> str:
    """Nobody has approved it: one person starts it alone, and everybody hears of that."""
    return (
        f"gatesh: OVERRIDE by {ascii_line(by)}: request {show_id(id)} starts without approval."
        " This is recorded, people are told, and somebody else has to review it.\n"
    )


def asked(id: str, by: str, question: str) -> str:
    """A person wants to know more before deciding."""
    return (
        f"gatesh: QUESTION from {ascii_line(by)} about request {show_id(id)}:"
        f" {ascii_line(question, 500)}. The command was NOT run."
        f" Answer with: gatesh answer {show_id(id)} -m TEXT\n"
    )


def open_question(id: str) -> str:
    """Somebody wants to know more; for whoever only looks how the request stands."""
    return (
        f"gatesh: QUESTION about request {show_id(id)}: read it with: gatesh show {show_id(id)}."
        f" The command was NOT run. Answer with: gatesh answer {show_id(id)} -m TEXT\n"
    )


def refused(id: str) -> str:
    """A person said no; for whoever only looks how the request stands."""
    return (
        f"gatesh: REJECTED request {show_id(id)}. The command was not run."
        " Do not retry it or work around it; tell the user.\n"
    )


def ran(id: str) -> str:
    """The approval has been used: never to be read as a reason to run the command again."""
    return (
        f"gatesh: STARTED request {show_id(id)}: the command was approved and has been run."
        f" Do not run it again; see what it printed with: gatesh replay {show_id(id)}"
    )


def ended(id: str, state: str, why: str | None) -> str:
    """The request ended without a decision: expired, cancelled, revoked, lapsed."""
    words = f" ({ascii_line(why)})" if why else ""
    return (
        f"gatesh: {state.upper()} request {show_id(id)}{words}. The command was NOT run."
        " Run it again to ask again.\n"
    )


def changed(id: str, what: Sequence[str]) -> str:
    """Something that was approved is no longer as it was; a new request is opened."""
    return (
        f"gatesh: request {show_id(id)} no longer covers this command:"
        f" changed since it was asked: {', '.join(what)}. It was NOT run; asking anew.\n"
    )


def trouble(what: str, hint: str | None = None) -> str:
    """gatesh itself could not do its work."""
    line = f"gatesh: error: {ascii_line(what, 500)}; the command was not run\n"
    return line + (f"gatesh: hint: {ascii_line(hint, 500)}\n" if hint else "")


def killed(id: str, by: str) -> str:
    """A person has stopped the running command."""
    return (
        f"gatesh: KILLED by {ascii_line(by)} while it ran (request {show_id(id)})."
        " Do not run it again; tell the user.\n"
    )


def unrecorded(what: str) -> str:
    """The record broke while the command ran, so it was stopped."""
    return (
        f"gatesh: error: the command was stopped: its output can no longer be recorded"
        f" ({ascii_line(what)})\n"
    )


def no_shell(name: str, path: str) -> str:
    """The shell that was called by name is not installed."""
    return (
        f"gatesh: error: there is no {name} here ({ascii_line(path)}); the command was not run\n"
        f"gatesh: hint: install {name}, or name another one under shells in gatesh's config.yaml\n"
    )


def shell_is_gatesh(name: str, path: str) -> str:
    """The real shell, as configured, leads back to gatesh."""
    return (
        f"gatesh: error: {ascii_line(path)}, which is to be the real {name}, is gatesh itself;"
        " the command was not run\n"
        f"gatesh: hint: name the real {name} under shells in gatesh's config.yaml\n"
    )


def no_session() -> str:
    """An interactive shell that is not bash, or that nobody types to."""
    return (
        "gatesh: error: only bash is served as an interactive shell, and only on a terminal;"
        " nothing was run\n"
        "gatesh: hint: give a command with -c, a script file, or commands on a pipe\n"
    )
