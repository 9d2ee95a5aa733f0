"""The report as one HTML page: nothing is loaded, nothing runs, it reads well on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any, Final

from gatesh.document import moment
from gatesh.evidence import charts, controls, sample
from gatesh.evidence.charts import text
from gatesh.evidence.numbers import FAST_S, Numbers, seconds_between
from gatesh.evidence.sample import Blob, when
from gatesh.evidence.story import Command
from gatesh.model import show_id

if TYPE_CHECKING:
    from gatesh.evidence.derive import Period

ROWS: Final = 1000  # commands listed on the page; the CSV has them all


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
        _exceptions(meta, period, numbers),
        _controls(period),
        _samples(meta, period, blob),
        _listing(period.population),
        _checking(meta),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def span(meta: Mapping[str, Any]) -> str:
    """Return the period as people say it: whole days by their names, the last one included.

    >>> span({"from": "2030-07-01T00:00:00.000000Z", "to": "2030-10-01T00:00:00.000000Z"})
    '2030-07-01 to 2030-09-30'
    """
    start, end = moment(meta["from"]), moment(meta["to"])
    if start.time() == end.time() == time():
        return f"{start.date()} to {end.date() - timedelta(days=1)}"
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _complete(meta: Mapping[str, Any], period: Period) -> str:
    audit = meta["audit"]
    last = meta["first"] + meta["count"] - 1
    before = (
        f"The entry in front of the period is dated {when(period.before)}"
        if period.before
        else "The log begins within the period"
    )
    after = (
        f"the first one behind it {when(period.after)}."
        if period.after
        else "the log ends, at this head, before the period does: what came later is not here."
    )
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
        f"{_n(len(period.population), 'command line')}</b> in entries"
        f" {meta['first']:,} to {last:,}, without a gap, under the signed head of"
        f" {_n(meta['size'], 'entry', 'entries')}.</p>"
        f"<p>{before}; {after} Two inclusion proofs and the entries themselves give the root"
        f" <code>{text(meta['root'])}</code>, which the log's key signed. {verdict}"
        + (f" The clock of the log went back {_n(period.clock_steps, 'time')} in these entries."
           if period.clock_steps else "")
        + "</p><p>"
        + (f"People whose signatures cover this history, up to so many entries: {seen}. "
           if seen else "Nobody's signature covers this history yet. ")
        + (f"The last {_n(rest, 'entry', 'entries')} are protected only by the machine that writes"
           " the log." if rest > 0 else "")
        + "</p><p class=quiet>A log holds what went through gatesh. What was done on the machine in"
        " another way is not in it.</p></section>"
    )  # fmt: skip


def _tiles(period: Period, numbers: Numbers) -> str:
    held = sum(numbers.states.values())
    ran = sum(1 for c in period.population if c.verdict == "approve" and c.started)
    median = "–" if numbers.median is None else _duration(numbers.median)
    found = [
        (f"{len(period.population):,}", "command lines"),
        (f"{numbers.verdicts.get('deny', 0):,}", "denied by a rule"),
        (f"{held:,}", "held for approval"),
        (f"{ran:,}", "approved and run"),
        (median, "median time to approve"),
        (f"{len(numbers.fast):,}", f"approved within {FAST_S:.0f} s"),
    ]
    tiles = "".join(f"<div><b>{value}</b><span>{label}</span></div>" for value, label in found)
    return f"<section class=tiles>{tiles}</section>"


def _pictures(numbers: Numbers) -> str:
    bands = charts.columns(numbers.bands, "Time from request to the approval that was enough")
    days = charts.days(
        numbers.days,
        ("deny", "approve"),
        "Commands held or denied, by day",
    )
    pairs = (
        charts.matrix(numbers.pairs, "asked", "approved", "Who approved whose commands")
        if numbers.pairs
        else "<p class=quiet>No approvals in this period.</p>"
    )
    return (
        "<section><h2>In pictures</h2><figure><figcaption>Time to approve: requests by how long"
        f" the deciding approval took</figcaption>{bands}</figure>"
        "<figure><figcaption>By day: denied (dark) and held for approval (light)</figcaption>"
        f"{days}</figure><figure><figcaption>Who approved whose commands</figcaption>{pairs}"
        "</figure></section>"
    )


def _exceptions(meta: Mapping[str, Any], period: Period, numbers: Numbers) -> str:
    parts = ["<section><h2>What an auditor would ask about</h2>"]
    fast = [
        (f"<nobr>{show_id(c.id)}</nobr>", when(c.opened), text(c.requester),
         text(c.approvals[-1].by), f"{wait:.1f} s", f"<code>{text(_cut(c.text))}</code>")
        for c, wait in numbers.fast
    ]  # fmt: skip
    parts.append(f"<h3>Approved within {FAST_S:.0f} seconds</h3>")
    parts.append(
        _table(("Request", "Asked", "By", "Approved by", "After", "Command"), fast[:ROWS])
        or "<p>None.</p>"
    )
    parts.append("<h3>Answers that were not accepted</h3>")
    refused = [(text(why), f"{n:,}") for why, n in sorted(numbers.refused.items())]
    parts.append(_table(("Why", "How often"), refused) or "<p>None.</p>")
    parts.append("<h3>What the audit of the whole log found</h3>")
    parts.append(
        _table(("Severity", "Finding", "How often", "The first of them"), _found(meta["audit"]))
        or "<p>No errors and no warnings.</p>"
    )
    held = [c for c in period.population if c.verdict == "approve" and c.started]
    own = [c for c in held if c.requester in {a.by for a in c.approvals}]
    past = [c for c in held if not c.approvals]
    parts.append("<h3>Overrides and approvals of one's own</h3>")
    parts.append(
        _bad(own, "was approved by the person who asked", "were approved by whoever asked")
        + _bad(past, "started without an approval", "started without an approval")
        or "<p>None: every held command that started rests on earlier approvals, none of them by"
        " the person who asked.</p>"
    )
    return "".join([*parts, "</section>"])


def _bad(commands: Sequence[Command], one: str, many: str) -> str:
    if not commands:
        return ""
    ids = text(", ".join(show_id(c.id) for c in commands))
    what = f"{_n(len(commands), 'held command')} {one if len(commands) == 1 else many}"
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


def _controls(period: Period) -> str:
    named = controls.by_control(period.population)
    held = [c for c in period.population if c.approvals and c.started]
    whole = {
        **dict.fromkeys(controls.ALWAYS, "all command lines"),
        **dict.fromkeys(controls.APPROVED, _n(len(held), "approved run")),
    }
    rows = []
    for tag in dict.fromkeys([*controls.CONTROLS, *named]):
        if tag not in named and tag not in whole:
            continue
        found, commands = controls.control(tag), named.get(tag, [])
        by_rule = ""
        if commands:
            ran = sum(1 for c in commands if c.started)
            denied = sum(1 for c in commands if c.verdict == "deny")
            by_rule = f"{_n(len(commands), 'command')} by rule: {ran:,} ran, {denied:,} denied"
        rows.append(
            (
                f"<b>{text(found.title)}</b>",
                "; ".join(x for x in (by_rule, whole.get(tag, "")) if x),
                text(found.shows),
                text(found.not_shown),
            )
        )
    return (
        "<section class=controls><h2>By control</h2><p>The left columns say what this report is"
        " evidence of. The right one says what has to be asked elsewhere. Which rule belongs to"
        " which control is what the rules say of themselves in their tags.</p>"
        + _table(("Control", "Population", "The log shows", "It does not show"), rows)
        + "</section>"
    )


def _samples(meta: Mapping[str, Any], period: Period, blob: Blob) -> str:
    pool = sum(1 for c in period.population if c.verdict == "approve")
    told = "".join(sample.render(c, blob) for c in period.samples)
    return (
        f"<section><h2>{_n(len(period.samples), 'sample')} of {pool:,} held"
        f" {'command' if pool == 1 else 'commands'}</h2><p>Chosen by the SHA-256 of the signed root"
        " and the request's id, lowest first, so that nobody picks them."
        f"</p>{told or '<p>No command was held for approval in this period.</p>'}</section>"
    )


def _listing(population: Sequence[Command]) -> str:
    held = [c for c in population if c.verdict != "allow"]
    rows = [
        (
            f"<nobr>{show_id(c.id)}</nobr>",
            f"<nobr>{text(c.t[5:16].replace('T', ' '))}</nobr>",
            text(c.requester),
            text(" ".join(c.rules)),
            text(", ".join(a.by for a in c.approvals)),
            text(_duration(wait)) if (wait := _wait(c)) is not None else "",
            text(c.ending),
            f"<code>{text(_cut(c.text))}</code>",
        )
        for c in held[:ROWS]
    ]
    more = len(held) - ROWS
    head = ("Id", "Asked", "By", "Rules", "Approved by", "After", "End", "Command")
    return (
        f"<section><h2>Every command that was held or denied ({len(held):,})</h2>"
        + (_table(head, rows) or "<p>None.</p>")
        + (f"<p>{more:,} more are in commands.csv.</p>" if more > 0 else "")
        + "<p class=quiet>Commands that no rule held are in commands.csv.</p></section>"
    )


def _wait(c: Command) -> float | None:
    return seconds_between(c.opened, c.approvals[-1].t) if c.approvals else None


def _checking(meta: Mapping[str, Any]) -> str:
    return (
        "<section><h2>Checking this report</h2><pre>sha256sum -c SHA256SUMS"
        "                        # these are the files that were made\n"
        "gatesh audit check . --vkey KEY                # and they follow from proven entries</pre>"
        "<p>KEY is the log's key, from somebody you trust and not from here. The check computes the"
        " root from <code>entries.jsonl</code> and the two proofs, compares it with the signed"
        " head, verifies every signature, and derives each table and this page again. The result"
        " of the audit of the whole log, and who has seen which head, are said by whoever made"
        f" this report: <code>gatesh audit</code> on the machine of {text(meta['origin'])}"
        " shows them again.</p></section>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of ready HTML cells, or nothing when there is no row."""
    if not rows:
        return ""
    top = "".join(f"<th>{text(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _n(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _cut(words: str, most: int = 160) -> str:
    return words if len(words) <= most else f"{words[:most]} … ({len(words) - most:,} more)"


def _duration(seconds: float) -> str:
    """Return a wait for people.

    >>> _duration(4.25), _duration(95), _duration(5400)
    ('4.2 s', '1 min 35 s', '1 h 30 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"


_STYLE: Final = """
:root{--ink:#1b2430;--soft:#5c6b7c;--line:#d5dbe3;--blue:#1f3a5f}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif;color:var(--ink);
max-width:980px;margin:0 auto;padding:40px 32px 80px;background:#fff}
h1{font-size:32px;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:20px;margin:44px 0 10px;padding-top:14px;border-top:2px solid var(--blue)}
h3{font-size:16px;margin:22px 0 6px}
p{margin:6px 0}
.kicker{text-transform:uppercase;letter-spacing:.12em;font-size:12px;color:var(--soft)}
.lead{font-size:18px}
.quiet,small{color:var(--soft);font-size:13px}
.bad{color:#a11212}
code,pre,time{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{font-size:13px;overflow-wrap:anywhere}
time{font-size:13px;white-space:nowrap}
pre{font-size:13px;line-height:1.4;white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0;
padding:10px 12px;background:#f5f7fa;border:1px solid var(--line);border-radius:4px}
pre.command{background:#fff;border-left:4px solid var(--blue)}
pre.output{max-height:none}
.complete{background:#f3f7fb;border:1px solid #c9d6e6;border-radius:6px;
padding:4px 20px 12px;margin-top:24px}
.complete h2{border:0;margin:10px 0 4px;padding:0}
.tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:10px;margin-top:18px}
.tiles div{border:1px solid var(--line);border-radius:6px;padding:10px 12px}
.tiles b{display:block;font-size:24px;line-height:1.2}
.tiles span{font-size:12px;color:var(--soft)}
figure{margin:18px 0 26px}
figcaption{font-weight:600;margin-bottom:6px}
svg{width:100%;height:auto;font:12px system-ui,Arial,sans-serif;fill:var(--ink)}
table{border-collapse:collapse;width:100%;font-size:13px;margin:8px 0}
th{text-align:left;font-weight:600;color:var(--soft)}
thead th{border-bottom:2px solid var(--line);padding:5px 8px;white-space:nowrap}
td{border-bottom:1px solid var(--line);padding:5px 8px;vertical-align:top;overflow-wrap:break-word}
table.facts th{width:110px;padding:4px 8px 4px 0;vertical-align:top;
border-bottom:1px solid var(--line)}
.controls td:first-child{width:22%}
.controls td:nth-child(2){width:20%}
.sample{margin:22px 0 30px}
.sample h3{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.state{font:600 12px system-ui,Arial,sans-serif;border:1px solid var(--line);border-radius:10px;
padding:1px 9px;margin-left:8px;color:var(--soft)}
@media(max-width:760px){.tiles{grid-template-columns:repeat(2,1fr)}body{padding:20px 14px}}
@page{size:A4;margin:16mm 14mm 18mm}
@media print{
body{max-width:none;padding:0;font-size:10.5pt}
h2,h3,figcaption{break-after:avoid}
figure,tr,.tiles,.complete{break-inside:avoid}
.tiles{grid-template-columns:repeat(6,1fr)}
thead{display:table-header-group}
pre,.complete{background:#fff}
a{color:inherit}
}
"""
