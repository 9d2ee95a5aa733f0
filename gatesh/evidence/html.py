"""Pieces of HTML that the parts of a report share, and how they look on screen and paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gatesh.evidence.charts import text

ROWS: Final = 1000  # of a table on the page; the CSV has them all


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of ready HTML cells, or nothing when there is no row.

    A cell more than *head* has names goes below the others, over the whole width.
    """
    if not rows:
        return ""
    top = "".join(f"<th>{text(name)}</th>" for name in head)
    body = "".join(_row(row, len(head)) for row in rows)
    return f"<table><thead><tr>{top}</tr></thead>{body}</table>"


def _row(cells: Sequence[str], columns: int) -> str:
    first = "".join(f"<td>{cell}</td>" for cell in cells[:columns])
    below = "".join(f"<tr><td colspan={columns}>{c}</td></tr>" for c in cells[columns:])
    return f"<tbody{' class=two' if below else ''}><tr>{first}</tr>{below}</tbody>"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number and its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def cut(words: str, most: int = 160) -> str:
    """Return the beginning of *words*, and how much more there is."""
    return words if len(words) <= most else f"{words[:most]} … ({len(words) - most:,} more)"


STYLE: Final = """
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
.quiet,small{color:var(--soft);font-size:.9em}
.bad{color:#a11212}
code,pre,time{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{font-size:.95em;overflow-wrap:anywhere}
time{font-size:.95em;white-space:nowrap}
pre{font-size:.87em;line-height:1.4;white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0;
padding:10px 12px;background:#f5f7fa;border:1px solid var(--line);border-radius:4px}
pre.command{background:#fff;border-left:4px solid var(--blue)}
pre.exactly{font-size:.75em;color:var(--soft)}
.complete{background:#f3f7fb;border:1px solid #c9d6e6;border-radius:6px;
padding:4px 20px 12px;margin-top:24px}
.complete h2{border:0;margin:10px 0 4px;padding:0}
.tiles{display:grid;grid-template-columns:repeat(7,1fr);gap:10px;margin-top:18px}
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
.controls td:nth-child(2){width:26%}
.counts td:nth-last-child(-n+4),.counts th:nth-last-child(-n+4){text-align:right;width:14%}
.two td{border-bottom:0;padding-bottom:0}
.two tr+tr td{border-bottom:1px solid var(--line);padding:0 8px 5px}
.sample{margin:22px 0 30px}
.sample h3{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.state{font:600 12px system-ui,Arial,sans-serif;border:1px solid var(--line);border-radius:10px;
padding:1px 9px;margin-left:8px;color:var(--soft)}
@media(max-width:760px){.tiles{grid-template-columns:repeat(2,1fr)}body{padding:20px 14px}}
@page{size:A4;margin:16mm 14mm 18mm}
@media print{
body{max-width:none;padding:0;font-size:9.5pt}
table{font-size:8.5pt}
h2,h3,figcaption,pre.command,thead{break-after:avoid}
figure,tbody,.tiles,.complete{break-inside:avoid}
.tiles{grid-template-columns:repeat(7,1fr)}
thead{display:table-header-group}
pre,.complete{background:#fff}
a{color:inherit}
}
"""
