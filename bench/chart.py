"""Draws lines over two logarithmic axes, or rows of points over one, as SVG for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 84, 190, 52, 64
#: Of a chart of rows: the height of one, and where the axis begins.
ROW, ROW_LEFT = 56, 210
#: Series by order; each has a marker of its own as well, for those who don't tell colours apart.
COLORS: Final = (
    ("#0b6bcb", "#6cb6ff"),
    ("#6b7280", "#9aa4b2"),
    ("#c2410c", "#ff9b5e"),
    ("#15803d", "#6ee7a0"),
    ("#7e22ce", "#d8b4fe"),
)

#: Colours of a series for light and dark pages come by class, so that the page's preference decides.
STYLE: Final = "".join(
    (
        "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:16px;font-weight:600}",
        ".frame{fill:none;stroke:#8c959f}.grid{stroke:#8c959f;stroke-opacity:.3}.back{fill:#fff}",
        *(f".s{i}{{stroke:{light};fill:{light}}}" for i, (light, _) in enumerate(COLORS)),
        "polyline{stroke-width:2}polyline.line{fill:none}.name{stroke:none}",
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}",
        *(f".s{i}{{stroke:{dark};fill:{dark}}}" for i, (_, dark) in enumerate(COLORS)),
        "polyline.line{fill:none}.name{stroke:none}}",
    )
)


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis: whole powers of ten from ``low`` to ``high``, drawn from pixel ``start`` to ``end``."""

    low: int
    high: int
    start: float
    end: float

    @staticmethod
    def around(values: Sequence[float], start: float, end: float) -> Axis:
        """The shortest axis that holds all values, which must be positive."""
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return Axis(low, max(high, low + 1), start, end)

    def pixel(self, value: float) -> float:
        """Where a value is drawn."""
        return self.start + (self.end - self.start) * (math.log10(value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[int | float]:
        """The powers of ten."""
        return [10.0**exponent for exponent in range(self.low, self.high + 1)]


def marker(index: int, x: float, y: float, words: str) -> str:
    """A point of series ``index``: circle, square, triangle or diamond, with words that show when it is pointed at."""
    shapes = (
        ("circle", f'cx="{x:.1f}" cy="{y:.1f}" r="4.5"'),
        ("rect", f'x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"'),
        ("polygon", f'points="{x:.1f},{y - 5.5:.1f} {x + 5:.1f},{y + 4:.1f} {x - 5:.1f},{y + 4:.1f}"'),
        ("polygon", f'points="{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"'),
    )
    tag, place = shapes[index % len(shapes)]
    return f'<{tag} {place} class="point s{index % len(COLORS)}"><title>{escape(words)}</title></{tag}>'


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions moved downwards as far as needed to be ``gap`` apart, in their order from the top."""
    moved: dict[int, float] = {}
    last = -math.inf
    for index in sorted(range(len(positions)), key=lambda index: positions[index]):
        moved[index] = last = max(positions[index], last + gap)
    return [moved[index] for index in range(len(positions))]


def head(title: str, height: int) -> list[str]:
    """Start of the document: styles, background, title."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><style>{STYLE}</style>',
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>',
    ]


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    y_text: Callable[[float], str],
) -> str:
    """The whole SVG document.

    Parameters
    ----------
    title, x_label, y_label : str
        Plain text.
    series : mapping of str to points (x, y)
        All positive; each series has at least one point. The name stands beside its last point.
    y_text : callable
        A value of the vertical axis as text.
    """
    points = [point for line in series.values() for point in line]
    x_axis = Axis.around([x for x, _ in points], LEFT, WIDTH - RIGHT)
    y_axis = Axis.around([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [
        *head(title, HEIGHT),
        *grid(x_axis, y_axis, y_text),
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 18}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(20 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>",
    ]
    names = spread([y_axis.pixel(line[-1][1]) for line in series.values()], 18)
    for index, (name, line) in enumerate(series.items()):
        pixels = [(x_axis.pixel(x), y_axis.pixel(y)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)
        parts.append(f'<polyline class="line s{index % len(COLORS)}" points="{path}"/>')
        for (x, y), (size, value) in zip(pixels, line, strict=True):
            parts.append(marker(index, x, y, f"{name}, {size:,.0f}: {y_text(value)}"))
        words = f"{name}, {y_text(line[-1][1])}"
        parts.append(
            f'<text class="name s{index % len(COLORS)}" x="{pixels[-1][0] + 12:.1f}" y="{names[index] + 4:.1f}">'
            f"{escape(words)}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def row_chart(title: str, x_label: str, rows: Mapping[str, Mapping[str, float]], x_text: Callable[[float], str]) -> str:
    """The whole SVG document of a chart with one row per thing that was measured, and in it a point per contestant.

    Parameters
    ----------
    title, x_label : str
        Plain text.
    rows : mapping of str to mapping of str to float
        What was measured -> contestant -> value, all positive. A contestant has the same marker in every row.
    x_text : callable
        A value as text.
    """
    contestants = list(dict.fromkeys(name for row in rows.values() for name in row))
    top, end = TOP + 24, WIDTH - 40
    bottom = top + ROW * len(rows)
    axis = Axis.around([value for row in rows.values() for value in row.values()], ROW_LEFT, end)
    parts = head(title, bottom + BOTTOM)
    for index, name in enumerate(contestants):
        x = LEFT + index * (end - LEFT) / len(contestants)
        parts.append(marker(index, x + 6, TOP - 4, name))
        parts.append(f'<text class="name s{index % len(COLORS)}" x="{x + 17:.1f}" y="{TOP}">{escape(name)}</text>')
    for value in axis.ticks():
        x = axis.pixel(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{escape(x_text(value))}</text>')
    for number, (what, row) in enumerate(rows.items()):
        y = top + ROW * (number + 0.5)
        parts.append(f'<line class="grid" x1="{ROW_LEFT}" x2="{end}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{ROW_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(what)}</text>')
        last = {20: -math.inf, -10: -math.inf}  # where the last numbers below and above the line stand
        for name, value in sorted(row.items(), key=lambda item: item[1]):
            x = axis.pixel(value)
            parts.append(marker(contestants.index(name), x, y, f"{name}, {what}: {x_text(value)}"))
            side = min(last, key=lambda side: last[side])
            last[side] = x
            parts.append(f'<text x="{x:.1f}" y="{y + side}" text-anchor="middle">{escape(x_text(value))}</text>')
    parts.append(
        f'<text x="{(ROW_LEFT + end) / 2}" y="{bottom + BOTTOM - 18}" text-anchor="middle">{escape(x_label)}</text>'
    )
    return "\n".join([*parts, "</svg>\n"])


def grid(x_axis: Axis, y_axis: Axis, y_text: Callable[[float], str]) -> list[str]:
    """Frame, lines and numbers at the powers of ten."""
    parts = []
    for value in x_axis.ticks():
        x = x_axis.pixel(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{y_axis.start}" y2="{y_axis.end}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y_axis.start + 20:.1f}" text-anchor="middle">{value:,.0f}</text>')
    for value in y_axis.ticks():
        y = y_axis.pixel(value)
        parts.append(f'<line class="grid" x1="{x_axis.start}" x2="{x_axis.end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{x_axis.start - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(y_text(value))}</text>')
    width, height = x_axis.end - x_axis.start, y_axis.start - y_axis.end
    parts.append(f'<rect class="frame" x="{x_axis.start}" y="{y_axis.end}" width="{width}" height="{height}"/>')
    return parts
