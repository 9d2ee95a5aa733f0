"""Small pictures as inline SVG: no script, no font, no file beside them; readable in grey print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from gatesh.visible import visible

INK, SOFT, LINE, ALARM = "#1f3a5f", "#9db4d0", "#d5dbe3", "#a11212"


def text(value: object) -> str:
    """Return *value* for HTML: what could deceive made visible, what could act escaped."""
    return escape(visible(str(value)))


def columns(counts: Mapping[str, int], label: str, unit: str = "") -> str:
    """Return vertical bars, one for each name, in the order given."""
    width, height, gap, foot, head = 640, 150, 14, 26, 20
    step = width / max(len(counts), 1)
    most = max([*counts.values(), 1])
    parts = [_open(width, height, label)]
    for at, (name, count) in enumerate(counts.items()):
        tall = (height - foot - head) * count / most
        x, y = at * step + gap / 2, height - foot - tall
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{step - gap:.1f}" height="{tall:.1f}"'
            f' fill="{INK}"/>'
            + _label(x + (step - gap) / 2, y - 6, f"{count:,}{unit}", bold=True)
            + _label(x + (step - gap) / 2, height - 8, name)
        )
    parts.append(
        f'<line x1="0" y1="{height - foot}" x2="{width}" y2="{height - foot}" stroke="{LINE}"/>'
    )
    return "".join([*parts, "</svg>"])


def days(counts: Mapping[str, Mapping[str, int]], kinds: Sequence[str], label: str) -> str:
    """Return one thin bar for each day, the *kinds* on top of each other; darker is stricter."""
    width, height, foot = 640, 130, 22
    names = sorted(counts)
    step = min(width / max(len(names), 1), 60)
    most = max([sum(counts[d].get(k, 0) for k in kinds) for d in names] + [1])
    shades = dict(zip(kinds, (INK, SOFT, ALARM), strict=False))
    parts = [_open(width, height, label)]
    for at, day in enumerate(names):
        y = float(height - foot)
        for kind in kinds:
            tall = (height - foot - 16) * counts[day].get(kind, 0) / most
            y -= tall
            parts.append(
                f'<rect x="{at * step + 1:.1f}" y="{y:.1f}" width="{max(step - 2, 0.8):.1f}"'
                f' height="{tall:.1f}" fill="{shades[kind]}"/>'
            )
    parts.append(
        f'<line x1="0" y1="{height - foot}" x2="{width}" y2="{height - foot}" stroke="{LINE}"/>'
    )
    if names:
        parts.append(_label(0, height - 6, names[0], "start"))
        if len(names) > 1:
            parts.append(_label(max(step * len(names), 150), height - 6, names[-1], "end"))
        parts.append(_label(width, 12, f"highest day: {most:,}", "end"))
    return "".join([*parts, "</svg>"])


def matrix(counts: Mapping[tuple[str, str], int], rows: str, across: str, label: str) -> str:
    """Return who approved (columns) what whom asked for (rows); darker is more often."""
    askers = sorted({asker for asker, _ in counts})
    givers = sorted({giver for _, giver in counts})
    side, left, top = 44, 210, 120
    width, height = left + side * max(len(givers), 1) + 90, top + 30 * max(len(askers), 1) + 6
    most = max([*counts.values(), 1])
    parts = [_open(width, height, label, fixed=True)]
    parts.append(_label(left - 10, top - 8, f"{rows} ↓   {across} →", "end"))
    for at, giver in enumerate(givers):
        x = left + at * side + side / 2
        parts.append(
            f'<text x="{x}" y="{top - 8}" transform="rotate(-40 {x} {top - 8})">'
            f"{_short(giver)}</text>"
        )
    for row, asker in enumerate(askers):
        y = top + row * 30
        parts.append(_label(left - 10, y + 20, _short(asker), "end", safe=True))
        for at, giver in enumerate(givers):
            count = counts.get((asker, giver), 0)
            strong = count / most
            fill = INK if strong > 0.5 else SOFT if count else "#f4f6f9"
            x = left + at * side
            parts.append(
                f'<rect x="{x}" y="{y}" width="{side - 3}" height="27" fill="{fill}"/>'
                + (
                    _label(x + (side - 3) / 2, y + 18, count, fill="#fff" if strong > 0.5 else INK)
                    if count
                    else ""
                )
            )
    return "".join([*parts, "</svg>"])


def _open(width: float, height: float, label: str, *, fixed: bool = False) -> str:
    style = f' style="max-width:{width:.0f}px"' if fixed else ""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{text(label)}"{style}>'
        f"<title>{text(label)}</title>"
    )


def _label(
    x: float,
    y: float,
    words: object,
    anchor: str = "middle",
    *,
    bold: bool = False,
    fill: str | None = None,
    safe: bool = False,
) -> str:
    weight = ' font-weight="600"' if bold else ""
    colour = f' fill="{fill}"' if fill else ""
    said = words if safe else text(words)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}{colour}>{said}</text>'


def _short(name: str) -> str:
    return text(name if len(name) <= 28 else f"{name[:27]}…")
