"""The single place that prints untrusted text.

Everything an agent or a stranger had a hand in passes `visible` first, and
stands behind a mark at the start of its line, so that it cannot pretend to be
something gatesh says.
"""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from gatesh.approval import request as requests
from gatesh.approval import revision
from gatesh.approval.proposal import MODE
from gatesh.document import moment
from gatesh.model import show_id
from gatesh.visible import visible

LABEL = 11


def colour(text: str, code: str, stream: Any = None) -> str:
    """Return *text* in colour *code* where the reader wants colour."""
    stream = stream or sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def verdict(word: str) -> str:
    """Return a verdict, in its colour."""
    codes = {"allow": "32", "approve": "33", "deny": "31"}
    return colour(f"{word:<8}", codes.get(word, "0"))


def row(label: str, text: str) -> str:
    """Return one labelled line."""
    return f"{colour(f'{label:<{LABEL}}', '2')}{text}"


def quoted(text: str, indent: int = LABEL) -> str:
    """Return untrusted text of several lines, each behind a bar.  Nothing is cut."""
    bar = " " * indent + colour("│ ", "2")
    lines = visible(text, lines=True).split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    return "\n".join(bar + line for line in lines) or bar


def when(text: str, now: datetime.datetime | None = None) -> str:
    """Return a time for people: UTC, and how far away it is."""
    at = moment(text)
    now = now or datetime.datetime.now(datetime.timezone.utc)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC ({distance((at - now).total_seconds())})"


def distance(seconds: float) -> str:
    """Return how far away a moment is.

    >>> distance(-90), distance(3700), distance(0.4)
    ('1 min ago', 'in 1 h', 'now')
    """
    size = abs(seconds)
    if size < 1:
        return "now"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if size >= length:
            amount = f"{int(size // length)} {unit}"
            return f"in {amount}" if seconds > 0 else f"{amount} ago"
    return "now"


def size(count: int) -> str:
    """Return a number of bytes for people.

    >>> size(512), size(2_500_000)
    ('512 B', '2.4 MiB')
    """
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError


def need(found: Mapping[str, Any]) -> str:
    """Return who has to agree, in words."""
    parts = []
    for team, count in found["quorum"].items():
        who = "anybody else" if team == "any" else f"team {visible(team)}"
        parts.append(f"{count} of {who}")
    touch = ", with a security key that is touched" if found["assurance"] == "presence" else ""
    times = found.get("break_glass", 0)
    alone = f"; anybody may override {times} time{'s' if times > 1 else ''} a day" if times else ""
    return " and ".join(parts) + touch + alone


def finding(found: Mapping[str, Any]) -> list[str]:
    """Return the lines that explain one finding."""
    inside = "".join(f", inside {visible(step)}" for step in found.get("inside", ()))
    lines = [
        f"{colour(visible(found['rule']), '1')}  {visible(found.get('severity', ''))}"
        f"  {visible(found['reason'])}"
    ]
    if found.get("on") == "finding":
        lines.append(f"  {visible(found['command'])}: {visible(found.get('detail', ''))}{inside}")
    elif "command" in found and found.get("on") != "script":
        lines.append(f"  {visible(found['command'])}{inside}")
    if found.get("instead"):
        lines.append(f"  instead: {visible(found['instead'])}")
    return lines


def request(
    found: Mapping[str, Any],
    script: bytes,
    extra: Mapping[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Return a whole request as an approver has to see it; nothing is left out or cut.

    *found* is the parsed request document, *extra* what became of it, *files* the content of
    files that are read as code by SHA-256.
    """
    asker = found["requester"]
    lines = [
        row(
            "request",
            f"{show_id(found['id'])}  {visible(extra['state'])}, revision {found['revision']}",
        ),
        row("asked", when(found["opened"])),
        row("by", _asker(asker)),
        row("where", f"{visible(found['host'])}:{visible(found['cwd']['path'])}"),
    ]
    if found.get("system"):
        lines.append(row("system", visible(found["system"])))
    waits = extra.get("waiting", 0)
    if found["invocation"]["mode"] != MODE:  # the broker itself does not wait in a shell
        lines.append(
            row("waits", "somebody still waits for it" if waits else "nobody waits any more")
        )
        lines.append(row("run within", f"{found['run_within_s']} s after the last approval"))
    lines += [
        row("answer by", when(found["approve_by"])),
        row("needs", need(found["need"])),
        *_since_last(found, extra.get("earlier", ())),
        "",
    ]
    if found["purpose"] is not None:
        lines += [row("purpose", "as its requester says"), quoted(found["purpose"]), ""]
    for label, item in _labelled("why", found["findings"]):
        first, *rest = finding(item)
        lines.append(row(label, first))
        lines += [" " * LABEL + line for line in rest]
    lines.append("")
    call = found["invocation"]
    if call["mode"] == MODE:
        from gatesh.cli import showchange  # which most requests do not need

        return "\n".join([*lines, *showchange.lines(script, files or {}), *_answers(found, extra)])
    if found.get("inner") is not None:
        lines += [row("the agent's command", ""), quoted(found["inner"]), ""]
    lines.append(row("runs", _call(call, found)))
    lines.append(quoted(script.decode("utf-8", "surrogateescape")))
    if call["positionals"]:
        lines.append(row("arguments", " ".join(repr(visible(a)) for a in call["positionals"])))
    lines.append(row("stdin", str(found["stdin"]["kind"])))
    for label, item in _labelled("env", sorted(found["env"].items())):
        name, value = item
        shown = value if isinstance(value, str) else "(secret, known by digest)"
        lines.append(row(label, f"{visible(name)}={visible(shown)}"))
    for label, item in _labelled("files", found["files"]):
        lines.append(
            row(label, f"{visible(item['path'])}  {size(item['size'])}  {item['sha256'][:16]}…")
        )
        content = (files or {}).get(item["sha256"])
        if content is not None and item["sha256"] != found["script_sha256"]:  # shown already
            lines.append(quoted(content.decode("utf-8", "surrogateescape")))
    return "\n".join([*lines, *_answers(found, extra)])


def _answers(found: Mapping[str, Any], extra: Mapping[str, Any]) -> list[str]:
    """Return the law it was judged by, and what people have said about it."""
    policy = found["policy"]
    lines = [row("policy", f"rules {policy['rules'][:16]}…  roster {policy['roster'][:16]}…")]
    for answer in extra.get("answers", ()):
        words = answer.get("reason") or answer.get("question") or ""
        late = answer.get("revision") != found["revision"]
        on = f"on revision {answer['revision']}  " if late else ""
        lines.append(
            row(
                visible(answer["decision"]),
                f"{visible(answer['by'])}  {when(answer['at'])}  {on}{visible(words)}",
            )
        )
    return lines


def _since_last(found: Mapping[str, Any], earlier: Sequence[str]) -> list[str]:
    """Say what is different from the revision that people have answered before."""
    if not earlier:
        return []
    before = requests.read(earlier[-1].encode("ascii"))
    changed = revision.changes(before, found)
    names = colour(
        ", ".join(map(visible, changed)) or "nothing", "0" if changed == ["purpose"] else "31"
    )
    return [
        row("changed", f"{names} since revision {before['revision']}; answers to that do not count")
    ]


def _asker(asker: Mapping[str, Any]) -> str:
    parts = [f"account {visible(asker['user'])}"]
    if asker["person"]:
        parts.append(visible(asker["person"]))
    if asker["agent"]:
        parts.append(f"agent {visible(asker['agent']['name'])}")
    chain = " < ".join(visible(name) for _, name in asker["ancestry"])
    return ", ".join(parts) + (f"  ({chain})" if chain else "")


def _call(call: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    words = {
        "command": "this string (-c)",
        "file": f"the script {visible(call['path'] or '')}",
        "stdin": "commands from standard input",
        "unknown": "a call gatesh does not understand; its arguments:",
    }
    options = " ".join(visible(option) for option in call["options"])
    how = words.get(call["mode"], call["mode"])
    login = ", as a login shell" if call["login"] else ""
    digest = f"{size(found['script_bytes'])}, sha256 {found['script_sha256'][:16]}…"
    return f"{visible(call['shell'])} {options} {how}{login}  ({digest})"


def _labelled(label: str, items: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(label if at == 0 else "", item) for at, item in enumerate(items)]
