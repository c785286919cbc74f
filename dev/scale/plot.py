"""Cost against size, both axes logarithmic: two panels of lines, as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WIDTH, HEIGHT = 420, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 46
_COLOURS = ("#1f6feb", "#bf5b04", "#2a7d3f", "#8a3ffc")
Figures = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A figure of each run; `y` may not know it."""

    name: str
    y: Callable[[Figures], float | None]


@dataclass(frozen=True)
class Panel:
    """Lines over the number of pods."""

    title: str
    lines: tuple[Line, ...]


def svg(panels: Sequence[Panel], runs: Sequence[Figures]) -> str:
    """The picture; the same runs make the same text."""
    width = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}"',
        f'viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * WIDTH} 0)">')
        parts += _panel(panel, runs)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, runs: Sequence[Figures]) -> Iterator[str]:
    curves = [(line.name, _points(line, runs)) for line in panel.lines]
    every = [point for _, points in curves for point in points]
    yield f'<text x="{LEFT}" y="20" font-size="13" font-weight="bold">{panel.title}</text>'
    if not every:
        return
    across = _Axis([x for x, _ in every], LEFT, WIDTH - RIGHT)
    up = _Axis([y for _, y in every], HEIGHT - BOTTOM, TOP)
    yield from _grid(across, up)
    for number, (name, points) in enumerate(curves):
        yield from _curve(name, points, across, up, number)


def _points(line: Line, runs: Sequence[Figures]) -> list[tuple[float, float]]:
    found = ((float(run["cluster"]["pods"]), line.y(run)) for run in runs)
    return [(x, y) for x, y in found if y is not None and y > 0]


class _Axis:
    """Decades, from the one below the least to the one above the most."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """Where a value is, in pixels."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self) -> list[float]:
        """Each decade."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def _grid(across: _Axis, up: _Axis) -> Iterator[str]:
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    for value in across.ticks():
        x = across.at(value)
        yield f'<line x1="{x}" y1="{top}" x2="{x}" y2="{bottom}" stroke="#dddddd"/>'
        yield f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{_word(value)}</text>'
    for value in up.ticks():
        y = up.at(value)
        yield f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#dddddd"/>'
        yield f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{_word(value)}</text>'
    middle = (left + right) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">pods</text>'


def _curve(
    name: str, points: list[tuple[float, float]], across: _Axis, up: _Axis, number: int
) -> Iterator[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    spots = [(across.at(x), up.at(y)) for x, y in points]
    path = " ".join(f"{x},{y}" for x, y in spots)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in spots:
        yield f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
    y = TOP + 14 + 15 * number
    yield f'<circle cx="{LEFT + 12}" cy="{y - 4}" r="4" fill="{colour}"/>'
    yield f'<text x="{LEFT + 22}" y="{y}">{name}</text>'


def _word(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:,.0f}k"
    return f"{value:g}"
