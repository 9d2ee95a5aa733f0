"""The report as one HTML page: nothing is loaded, nothing runs, it reads well on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

from gatesh.document import moment
from gatesh.evidence import charts, sample, tellings
from gatesh.evidence.charts import text
from gatesh.evidence.html import ROWS, STYLE, count, cut, table
from gatesh.evidence.numbers import FAST_S, Numbers
from gatesh.evidence.sample import Blob, duration, when
from gatesh.evidence.story import Command
from gatesh.model import show_id

if TYPE_CHECKING:
    from gatesh.evidence.derive import Period


def render(meta: Mapping[str, Any], period: Period, numbers: Numbers, blob: Blob) -> str:
    """Return the whole page."""
    title = f"Commands of {span(meta)}"
    body = [
        f"<header><p class=kicker>gatesh · evidence</p><h1>{text(title)}</h1>"
        f"<p>Log <b>{text(meta['origin'])}</b> · made {when(meta['made'])} by"
        f" {text(meta['by'])}</p>"
        "</header>",
        _complete(meta, period),
        _tiles(period, numbers),
        _pictures(numbers),
        _exceptions(meta, period, numbers, blob),
        tellings.who(period),
        tellings.law(period),
        tellings.by_control(period),
        _samples(meta, period, blob),
        tellings.listing(period.population),
        _checking(meta),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def span(meta: Mapping[str, Any]) -> str:
    """Return the period as people say it: whole days by their names, the last one included.

    >>> span({"from": "2030-07-01T00:00:00.000000Z", "to": "2030-10-01T00:00:00.000000Z"})
    '2030-07-01 to 2030-09-30'
    >>> span({"from": "2030-07-01T00:00:00.000000Z", "to": "2030-07-02T00:00:00.000000Z"})
    '2030-07-01'
    """
    start, end = moment(meta["from"]), moment(meta["to"])
    if start.time() == end.time() == time():
        last = end.date() - timedelta(days=1)
        return f"{start.date()}" if last == start.date() else f"{start.date()} to {last}"
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _complete(meta: Mapping[str, Any], period: Period) -> str:
    audit = meta["audit"]
    last = meta["first"] + meta["count"] - 1
    before, after = _edges(meta, period)
    seen = ", ".join(f"{text(who)} ({size:,})" for who, size in audit["seen_by"].items())
    rest = audit["entries"] - audit["protected_until"]
    verdict = (
        "The audit of the whole log at that head found no error."
        if audit["ok"]
        else "<b class=bad>The audit of the log found errors: see below. Nothing here is better"
        " than the log it comes from.</b>"
    )
    return (
        "<section class=complete><h2>Is this all of it?</h2>"
        "<p class=lead>Yes, as far as this log goes: <b>"
        f"{count(len(period.population), 'command line')}</b> in entries"
        f" {meta['first']:,} to {last:,}, without a gap, under the signed head of"
        f" {count(meta['size'], 'entry', 'entries')}.</p>"
        f"<p>{before}; {after} Two inclusion proofs and the entries themselves give the root"
        f" <code>{text(meta['root'])}</code>, which the log's key signed. {verdict}"
        + (f" The clock of the log went back {count(period.clock_steps, 'time')} in these entries."
           if period.clock_steps else "")
        + "</p><p>"
        + (f"People whose signatures cover this history, up to so many entries: {seen}. "
           if seen else "Nobody's signature covers this history yet. ")
        + _witnesses(meta)
        + (f"The last {count(rest, 'entry', 'entries')} are protected only by the machine that"
           " writes the log." if rest > 0 else "")
        + "</p><p class=quiet>A log holds what went through gatesh. What was done on the machine in"
        " another way is not in it.</p></section>"
    )  # fmt: skip


def _edges(meta: Mapping[str, Any], period: Period) -> tuple[str, str]:
    """Say what stands in front of the period and behind it."""
    before = "The log begins within the period"
    named = (period.opened or {}).get("predecessor")
    if period.before:
        before = f"The entry in front of the period is dated {when(period.before)}"
    elif named:
        before += (
            f" and follows the log {text(named['origin'])}, finished with {named['size']:,}"
            " entries: <b>what the period had before is in that log and not in this report</b>"
        )
    if period.after:
        return before, f"the first one behind it {when(period.after)}."
    if period.closed is not None and meta["first"] + meta["count"] == meta["size"]:
        heir = (period.closed.get("successor") or {}).get("origin")
        return before, (
            f"the log was finished within the period, {when(period.closed['t'])}"
            + (f"; <b>what came later is in the log {text(heir)}</b>." if heir else ".")
        )
    return (
        before,
        "the log ends, at this head, before the period does: what came later is not here.",
    )


def _witnesses(meta: Mapping[str, Any]) -> str:
    seen = [
        f"{text(one['name'])} ({one['size']:,}, {when(one['at'])})"
        for one in meta["audit"].get("witnesses", ())
    ]
    if not seen:
        return "No witness on another machine has signed it. "
    return (
        "Witnesses on other machines that signed it, up to so many entries and when:"
        f" {', '.join(seen)}. "
    )


def _tiles(period: Period, numbers: Numbers) -> str:
    held = sum(numbers.states.values())
    ran = sum(1 for c in period.population if c.verdict == "approve" and c.started)
    median = "–" if numbers.median is None else duration(numbers.median)
    found = [
        (f"{len(period.population):,}", "command lines"),
        (f"{numbers.verdicts.get('deny', 0):,}", "denied by a rule"),
        (f"{held:,}", "held for approval"),
        (f"{ran:,}", "approved and run"),
        (median, "median time to approve"),
        (f"{len(numbers.fast):,}", f"approved within {FAST_S:.0f} s"),
        (f"{sum(1 for c in period.population if c.overrides):,}", "started alone (override)"),
    ]
    tiles = "".join(f"<div><b>{value}</b><span>{label}</span></div>" for value, label in found)
    return f"<section class=tiles>{tiles}</section>"


def _pictures(numbers: Numbers) -> str:
    bands = charts.columns(numbers.bands, "Time from request to the last approval it got")
    days = charts.days(
        numbers.days,
        ("deny", "approve", "override"),
        "Commands held, denied or started alone, by day",
    )
    pairs = (
        charts.matrix(numbers.pairs, "asked", "approved", "Who approved whose commands")
        if numbers.pairs
        else "<p class=quiet>Nobody approved anything in this period.</p>"
    )
    return (
        "<section><h2>In pictures</h2><figure><figcaption>Time to approve: requests by how long"
        f" the last approval they got took</figcaption>{bands}</figure>"
        "<figure><figcaption>By day: denied (dark), held for approval (light), started alone"
        " (red)</figcaption>"
        f"{days}</figure><figure><figcaption>Who approved whose commands</figcaption>{pairs}"
        "</figure></section>"
    )


def _exceptions(meta: Mapping[str, Any], period: Period, numbers: Numbers, blob: Blob) -> str:
    """List what stands out."""
    parts = ["<section><h2>What an auditor would ask about</h2>"]
    fast = [
        (f"<nobr>{show_id(c.id)}</nobr>", when(c.opened), text(c.requester),
         text(c.approved_by[-1].by), duration(wait), f"<code>{text(cut(c.text))}</code>")
        for c, wait in numbers.fast
    ]  # fmt: skip
    parts.append(f"<h3>Approved within {FAST_S:.0f} seconds</h3>")
    parts.append(
        table(("Request", "Asked", "By", "Approved by", "After"), fast[:ROWS]) or "<p>None.</p>"
    )
    parts.append("<h3>Answers that were not accepted</h3>")
    refused = [(text(why), f"{n:,}") for why, n in sorted(numbers.refused.items())]
    parts.append(table(("Why", "How often"), refused) or "<p>None.</p>")
    parts.append("<h3>What the audit of the whole log found</h3>")
    parts.append(
        table(("Severity", "Finding", "How often", "The first of them"), _found(meta["audit"]))
        or "<p>No errors and no warnings.</p>"
    )
    held = [c for c in period.population if c.verdict == "approve" and c.started]
    own = [c for c in held if c.requester in {a.by for a in c.approvals}]
    alone = [c for c in held if c.overrides]
    past = [c for c in held if not c.approvals and not c.overrides]
    parts.append("<h3>Overrides: started by one person alone</h3>")
    parts.append(
        table(("Request", "Started alone by", "When", "Reviewed by"), _alone(alone, blob))
        or "<p>None.</p>"
    )
    parts.append("<h3>Approvals of one's own, and starts without any</h3>")
    parts.append(
        _bad(own, "was approved by the person who asked", "were approved by whoever asked")
        + _bad(past, "started without an approval", "started without an approval")
        or "<p>None: every other held command that started rests on earlier approvals, none of them"
        " by the person who asked.</p>"
    )
    return "".join([*parts, "</section>"])


def _alone(commands: Sequence[Command], blob: Blob) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for c in commands:
        why = "; ".join(filter(None, (sample.said(a, blob) for a in c.overrides)))
        seen = "<br>".join(
            f"{text(a.by)}, {when(a.t)}: “{text(sample.said(a, blob) or '')}”" for a in c.reviews
        )
        rows.append(
            (
                f"<nobr>{show_id(c.id)}</nobr>",
                text(", ".join(a.by for a in c.overrides)),
                when(c.started),
                seen or "<b class=bad>nobody, in these entries</b>",
                f"<code>{text(cut(c.text))}</code><br>“{text(why)}”",
            )
        )
    return rows


def _bad(commands: Sequence[Command], one: str, many: str) -> str:
    if not commands:
        return ""
    ids = text(", ".join(show_id(c.id) for c in commands))
    what = f"{count(len(commands), 'held command')} {one if len(commands) == 1 else many}"
    return f"<p><b class=bad>{what}:</b> {ids}</p>"


def _found(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return errors and warnings, each kind once."""
    kinds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for finding in audit["findings"]:
        if finding["severity"] != "info":
            kinds.setdefault((finding["severity"], finding["code"]), []).append(finding)
    rows: list[tuple[str, ...]] = []
    for (severity, code), those in kinds.items():
        first = those[0]
        where = "" if first["index"] is None else f"entry {first['index']:,}: "
        bad = f"<b class=bad>{text(severity)}</b>" if severity == "error" else text(severity)
        rows.append((bad, text(code), f"{len(those):,}", f"{where}{text(first['meaning'])}"))
    return rows


def _samples(meta: Mapping[str, Any], period: Period, blob: Blob) -> str:
    pool = sum(1 for c in period.population if c.verdict == "approve")
    told = "".join(sample.render(c, blob, meta.get("removed", {})) for c in period.samples)
    return (
        f"<section><h2>{count(len(period.samples), 'sample')} of {pool:,} held"
        f" {'command' if pool == 1 else 'commands'}</h2><p>Chosen by the SHA-256 of the signed root"
        " and the request's id, lowest first, so that nobody picks them."
        f"</p>{told or '<p>No command was held for approval in this period.</p>'}</section>"
    )


def _checking(meta: Mapping[str, Any]) -> str:
    return (
        "<section><h2>Checking this report</h2><pre>sha256sum -c SHA256SUMS"
        "                        # these are the files that were made\n"
        "ssh-keygen -Y check-novalidate -n report.v1@gatesh -s SHA256SUMS.sig < SHA256SUMS"
        "   # by whom, if there is a signature\n"
        "gatesh audit check . --vkey KEY                # and they follow from proven entries</pre>"
        "<p>KEY is the log's key, from somebody you trust and not from here. The check computes the"
        " root from <code>entries.jsonl</code> and the two proofs, compares it with the signed"
        " head, verifies every signature, and derives each table and this page again. The result"
        " of the audit of the whole log, and who has seen which head, are said by whoever made"
        f" this report: <code>gatesh audit</code> on the machine of {text(meta['origin'])}"
        " shows them again.</p></section>"
    )
