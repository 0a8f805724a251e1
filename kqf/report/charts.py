"""Charts as SVG, drawn when the page is made; the page's style gives them their colours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 46
_TICKS = 6


@dataclass(frozen=True)
class Point:
    """One point of a curve, and what to say of it."""

    x: float
    y: float
    label: str


def curves_as_svg(
    curves: Mapping[str, Sequence[Point]], *, title: str, x_title: str, y_title: str
) -> str:
    """Return curves as an SVG element that contains its legend.

    Arguments:
        curves: the points of each, by its name; at least one point in all.
        title: what the chart is, for those who cannot see it.
        x_title, y_title: of the axes.
    """
    points = [point for curve in curves.values() for point in curve]
    x_ticks = _ticks(0, max(point.x for point in points))
    y_ticks = _ticks(min(point.y for point in points), max(point.y for point in points))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return (
            round(_LEFT + across * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    legend_rows = math.ceil(len(curves) / 2)
    height = _HEIGHT + 22 * legend_rows
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">'
    ]
    for tick in x_ticks:
        x, y = place(tick, y_ticks[0])
        parts.append(f'<path class="grid" d="M{x} {_TOP}V{y}"/>')
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{tick:g}</text>')
    for tick in y_ticks:
        x, y = place(x_ticks[0], tick)
        parts.append(f'<path class="grid" d="M{x} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>'
    )
    parts.append(
        f'<text transform="translate(14 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_title)}</text>"
    )
    for number, (name, curve) in enumerate(curves.items()):
        places = [place(point.x, point.y) for point in curve]
        line = " ".join(f"{x},{y}" for x, y in places)
        dots = "".join(
            f'<circle cx="{x}" cy="{y}" r="4"><title>{escape(point.label)}</title></circle>'
            for (x, y), point in zip(places, curve, strict=True)
        )
        row, column = divmod(number, 2)
        x, y = (_LEFT + column * (_WIDTH - _LEFT) / 2, _HEIGHT + 22 * row + 12)
        parts.append(
            f'<g class="curve curve-{number % 8}"><polyline points="{line}"/>{dots}'
            f'<circle cx="{x + 6}" cy="{y - 4}" r="5"/></g>'
            f'<text x="{x + 18}" y="{y}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers from at most ``low`` to at least ``high``."""
    span = (high - low) or 1.0
    rough = span / _TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return [round(number * step, 10) for number in range(first, last + 1)]
