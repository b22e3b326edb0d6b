"""Plots as inline SVG. They say in words what they show: nothing depends on colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from workers.evaluation.report.html import Markup, el

__all__ = ["Bar", "bars", "cumulative", "differences"]

WIDTH, LEFT, RIGHT, ROW, TOP = 640.0, 190.0, 60.0, 26.0, 8.0
PLOT = WIDTH - LEFT - RIGHT


@dataclass(frozen=True, slots=True)
class Bar:
    """A share from 0 to 1, and the interval that holds it where one is known."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    model: int = 0
    """Which model it is of: bars of the second one are hatched."""


def bars(rows: Sequence[Bar], title: str) -> Markup:
    """Bars from left to right, with their intervals as whiskers."""
    parts = [_grid(len(rows), [(x / 5, f"{x / 5:.1f}") for x in range(6)])]
    for number, row in enumerate(rows):
        top = TOP + number * ROW
        middle = top + ROW / 2
        parts += [
            _label(row.label, middle),
            el(
                "rect", x=LEFT, y=top + 5, width=PLOT * row.value, height=ROW - 10, class_=f"bar m{row.model}"
            ),
            el("text", f"{row.value:.3f}", x=WIDTH - RIGHT + 8, y=middle + 4),
        ]
        if row.interval is not None:
            parts.append(_whisker(LEFT + PLOT * row.interval[0], LEFT + PLOT * row.interval[1], middle))
    return _figure(parts, len(rows), title)


def differences(rows: Sequence[tuple[str, Sequence[float]]], title: str) -> Markup:
    """(label, [value, low, high]): points with their intervals about zero."""
    reach = max([0.01, *(abs(each) for _, values in rows for each in values)]) * 1.1
    ticks = [(0.5 + share / 2, f"{share * reach:+.3f}") for share in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    parts = [_grid(len(rows), ticks)]
    bottom = TOP + len(rows) * ROW
    parts.append(el("line", x1=LEFT + PLOT / 2, x2=LEFT + PLOT / 2, y1=TOP, y2=bottom, class_="zero"))
    for number, (label, (value, low, high)) in enumerate(rows):
        middle = TOP + (number + 0.5) * ROW
        x, left, right = (LEFT + PLOT * (0.5 + each / reach / 2) for each in (value, low, high))
        parts += [_label(label, middle), _whisker(left, right, middle), el("circle", cx=x, cy=middle, r=5)]
        parts.append(el("text", f"{value:+.3f}", x=WIDTH - RIGHT + 8, y=middle + 4))
    return _figure(parts, len(rows), title)


def cumulative(series: Sequence[tuple[str, Sequence[float]]], title: str) -> Markup:
    """(label, values in ms): what share of the posts took at most so long. The axis is logarithmic."""
    rows = 8
    # Decades about the values; a millisecond is the least that anyone cares about.
    largest = max([10.0, *(max(values, default=0.0) for _, values in series)])
    decades = len(str(int(largest)))
    ticks = [(each / decades, _milliseconds(10**each)) for each in range(decades + 1)]
    parts = [_grid(rows, ticks)]
    height = rows * ROW
    for share in (0.5, 0.95):
        y = TOP + height * (1 - share)
        parts += [_label(f"{share:.0%}", y), el("line", x1=LEFT, x2=LEFT + PLOT, y1=y, y2=y, class_="grid")]
    for number, (label, values) in enumerate(series):
        points = " ".join(
            f"{LEFT + PLOT * _place(value, decades):.1f},{TOP + height * (1 - share):.1f}"
            for value, share in _steps(sorted(values))
        )
        parts.append(el("polyline", el("title", label), points=points, class_=f"curve m{number}"))
    return _figure(parts, rows, title)


# Points of a curve: more than are to be seen across its width make the page only heavier.
MOST_POINTS = 300


def _steps(values: Sequence[float]) -> list[tuple[float, float]]:
    count = len(values)
    chosen = (
        range(count)
        if count <= MOST_POINTS
        else [i * (count - 1) // MOST_POINTS for i in range(MOST_POINTS + 1)]
    )
    return [(values[i], (i + 1) / count) for i in chosen]


def _place(value_ms: float, decades: int) -> float:

    return min(1.0, max(0.0, log10(max(value_ms, 1.0)) / decades))


def _milliseconds(value: float) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


def _label(text: str, y: float) -> Markup:
    return el("text", text, x=LEFT - 8, y=y + 4, class_="label")


def _whisker(left: float, right: float, y: float) -> Markup:
    path = f"M{left:.1f},{y:.1f}H{right:.1f}M{left:.1f},{y - 4:.1f}v8M{right:.1f},{y - 4:.1f}v8"
    return el("path", d=path, class_="whisker")


def _grid(rows: int, ticks: Sequence[tuple[float, str]]) -> Markup:
    bottom = TOP + rows * ROW
    parts = []
    for share, text in ticks:
        x = LEFT + PLOT * share
        parts.append(el("line", x1=x, x2=x, y1=TOP, y2=bottom, class_="grid"))
        parts.append(el("text", text, x=x, y=bottom + 16, class_="tick"))
    return el("g", *parts)


def _figure(parts: Sequence[Markup], rows: int, title: str) -> Markup:
    height = TOP + rows * ROW + 24
    drawing = el(
        "svg", el("title", title), *parts, viewBox=f"0 0 {WIDTH:g} {height:g}", role="img", class_="plot"
    )
    return el("figure", drawing, el("figcaption", title))
