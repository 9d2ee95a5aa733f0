"""One command in full: who asked, what would run, why it was held, who signed, what it printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from gatesh import document
from gatesh.evidence.charts import text
from gatesh.evidence.numbers import seconds_between
from gatesh.evidence.story import Answer, Command
from gatesh.model import show_id
from gatesh.transcript.player import play
from gatesh.visible import visible

Blob = Callable[[str], bytes | None]
SHOWN: Final = 4000  # characters of output on the page; the whole is in the blobs


def render(c: Command, blob: Blob, removed: Mapping[str, Any]) -> str:
    """Return the section about *c*; *removed* says of blobs when retention took them."""
    asked = _read(blob, c.requests[-1]) if c.requests else None
    asker = c.submitted["requester"]
    who = f"{text(c.requester)}, account {text(asker['user'])}"
    if c.agent:
        who += f", agent {text(c.agent)}"
    rows = [
        ("Asked", f"{when(c.t)} by {who}"),
        ("Where", text(f"{asked['host']}:" if asked else "") + text(c.submitted["cwd"])),
        ("Held by", "<br>".join(_finding(f) for f in c.submitted["findings"])),
    ]
    if asked and asked.get("purpose"):
        lines = visible(str(asked["purpose"]), lines=True).split("\n")
        rows.append(("Purpose", "<br>".join(text(line) for line in lines)))
    if asked:
        quorum = ", ".join(
            _people(count) if team == "any" else f"{count} of {text(team)}"
            for team, count in asked["need"]["quorum"].items()
        )
        rows.append(("Needs", f"{quorum}; answers until {when(asked['approve_by'])}"))
    rows += [(_answered(a), _answer(a, c, blob)) for a in c.answers]
    if c.started:
        order = (
            f"entry {c.started_n:,}, after what it rests on:"
            f" {', '.join(f'entry {n:,}' for n in c.decisions) or 'none'}"
        )
        rows.append(("Started", f"{when(c.started)} ({order})"))
    ended = text(c.ending) + (f" after {duration(c.seconds)}" if c.seconds is not None else "")
    rows.append(("Ended", f"{when(c.ended)}, {ended}" if c.ended else ended))
    rows.append(("Entries", ", ".join(f"{n:,}" for n in c.entries)))
    listed = "".join(f"<tr><th>{label}</th><td>{said}</td></tr>" for label, said in rows)
    return (
        f'<section class="sample"><h3>{show_id(c.id)} <span class="state {text(c.state)}">'
        f"{text(c.ending)}</span></h3>{_command(c, blob)}"
        f"<table class=facts>{listed}</table>{_output(c, blob, removed)}</section>"
    )


def _command(c: Command, blob: Blob) -> str:
    """Show the command as a person would say it, and exactly, where that is another thing."""
    exactly = _script(c, blob)
    inner = c.submitted.get("inner")
    if inner is None:
        return f"<pre class=command>{text_lines(exactly)}</pre>"
    return (
        f"<pre class=command>{text_lines(visible(str(inner), lines=True))}</pre>"
        f"<p class=quiet>Exactly, as it was approved and handed over:</p>"
        f"<pre class=exactly>{text_lines(exactly)}</pre>"
    )


def when(t: str | None) -> str:
    """Return a time of the log for people, to the second."""
    return "" if t is None else f"<time>{text(t[:19].replace('T', ' '))} UTC</time>"


def _people(count: int) -> str:
    return "1 second person" if count == 1 else f"{count} people"


def _read(blob: Blob, sha: str) -> Mapping[str, Any] | None:
    data = blob(sha)
    try:
        return None if data is None else document.read(data)
    except document.MalformedDocument:
        return None


def _script(c: Command, blob: Blob) -> str:
    script = c.submitted.get("script")
    if script is None:
        data = blob(c.submitted["script_sha256"])
        script = (
            "(the script is no longer kept)" if data is None else data.decode("utf-8", "replace")
        )
    return visible(str(script), lines=True)


def _finding(found: Mapping[str, Any]) -> str:
    about = [x for x in (found.get("severity"), found.get("system")) if x]
    more = f" <small>({text(', '.join(map(str, about)))})</small>" if about else ""
    return f"<b>{text(found['rule'])}</b> {text(found['reason'])}{more}"


def _answered(a: Answer) -> str:
    words = {
        "approve": "Approved",
        "reject": "Rejected",
        "ask": "Asked back",
        "revoke": "Revoked",
        "override": "<b class=bad>Started alone</b>",
        "review": "Reviewed",
    }
    return words.get(a.decision, text(a.decision))


def said(a: Answer, blob: Blob) -> str | None:
    """Return the words that were signed with an answer."""
    signed = _read(blob, a.decision_sha256) or {}
    words = signed.get("reason") or signed.get("question")
    return str(words) if words else None


def _answer(a: Answer, c: Command, blob: Blob) -> str:
    words = said(a, blob)
    wait = seconds_between(c.opened, a.t)
    after = f", {duration(wait)} after it was asked" if wait is not None else ""
    quoted = f" “{text(words)}”" if words else ""
    touched = ", touched" if a.assurance == "touch" else ""
    return (
        f"{when(a.t)} by {text(a.by)}{quoted}<br><small>signed with {text(a.key)}{touched}"
        f" (entry {a.n:,}{after})</small>"
    )


def _output(c: Command, blob: Blob, removed: Mapping[str, Any]) -> str:
    if c.started is None:
        return "<p class=quiet>It did not run.</p>"
    if not c.streams:
        return "<p class=quiet>It printed nothing that was recorded.</p>"

    def get(sha: str) -> bytes:
        data = blob(sha)
        if data is None:
            raise KeyError(sha)
        return data

    parts: list[str] = []
    room = SHOWN
    try:
        for chunk in play(c.streams, get):
            words = f"[… {chunk.gap:,} bytes not kept …]" if chunk.gap else None
            words = words or visible(
                chunk.data.decode("utf-8", "replace").replace("\r\n", "\n"), lines=True
            )
            parts.append(words[:room])
            room -= len(words)
            if room <= 0:
                parts.append("\n[… the rest is in the transcript …]")
                break
    except KeyError as missing:
        act = removed.get(missing.args[0])
        if act is None:
            return "<p class=quiet>Its transcript is no longer kept; the entry has its digest.</p>"
        by = ", ".join(map(text, act["by"]))
        return (
            f"<p class=quiet>Its transcript was removed by retention on {text(act['t'][:10])},"
            f" approved by {by} (entry {act['entry']:,} of {text(act['log'])}, which the audit of"
            " the log has verified); its own entry has its digest.</p>"
        )
    kept = ", ".join(
        f"{text(name)} {stream['bytes']:,} bytes, SHA-256 {text(stream['sha256'])}"
        for name, stream in c.streams.items()
        if name != "timing"
    )
    shown = text_lines("".join(parts))
    return f"<pre class=output>{shown}</pre><p class=quiet>{kept}{_covered(c)}</p>"


def _covered(c: Command) -> str:
    """Say which secrets were covered: what is shown is then not what was printed."""
    count: Counter[str] = Counter()
    for stream in (c.streams or {}).values():
        count.update(stream.get("redacted", {}))
    if not count:
        return ""
    kinds = ", ".join(f"{n:,} {text(kind)}" for kind, n in sorted(count.items()))
    return f". Covered with asterisks in the record: {kinds}"


def duration(seconds: float) -> str:
    """Return a span of time for people.

    >>> duration(0.0123), duration(4.25), duration(95), duration(5400)
    ('12 ms', '4.2 s', '1 min 35 s', '1 h 30 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"


def text_lines(said: str) -> str:
    """Return text with its line breaks for HTML."""
    return "\n".join(text(line) for line in said.split("\n"))
