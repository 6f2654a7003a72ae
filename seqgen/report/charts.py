"""A comparison as one SVG picture, with a small chart for each property.

Comes from: `seqgen.evaluation.comparison`. Next: `seqgen.report.page` shows it.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from seqgen.evaluation.comparison import POINTS, Comparison, density

#: Charts in a row, and the size of each in units of the picture.
COLUMNS, WIDTH, HEIGHT = 4, 190, 130

#: Edges of a chart inside its cell.
LEFT, RIGHT, TOP, BOTTOM = 6, 176, 34, 108

#: Colours of the corpus and of the new pieces.
CORPUS, NEW = "#9ecae1", "#d55e00"


def as_svg(compared: Sequence[Comparison]) -> str:
    """Draw the corpus as areas and new pieces as lines, with a tick for every new piece.

    Parameters
    ----------
    compared : sequence of Comparison
    """
    rows = -(-len(compared) // COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + 22
    charts = "\n".join(
        f'<g transform="translate({number % COLUMNS * WIDTH} {number // COLUMNS * HEIGHT + 22})">'
        f"{_chart(one)}</g>"
        for number, one in enumerate(compared)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 width="{width}" height="{height}" role="img" font-family="system-ui, sans-serif" font-size="10"
 aria-label="new pieces and the corpus, property by property">
<rect width="{width}" height="{height}" fill="white"/>
<rect x="{LEFT}" y="6" width="12" height="9" fill="{CORPUS}"/><text x="22" y="14">corpus</text>
<path d="M70 11H84" stroke="{NEW}" stroke-width="2"/><text x="88" y="14">new</text>
{charts}
</svg>
"""


def _chart(one: Comparison) -> str:
    """Draw one property in its cell."""
    unit = f" ({one.metric.unit})" if one.metric.unit else ""
    alike = "" if one.overlap is None else f"overlap {one.overlap:.2f}"
    lines, low, high = _bars(one) if one.metric.bins else _densities(one)
    return (
        f'<text x="{LEFT}" y="14" font-weight="bold">{html.escape(one.name)}</text>'
        f'<text x="{LEFT}" y="26" fill="#555">{alike}</text>{lines}'
        f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="#888"/>'
        f'<text x="{LEFT}" y="{BOTTOM + 12}">{html.escape(low)}</text>'
        f'<text x="{RIGHT}" y="{BOTTOM + 12}" text-anchor="end">{html.escape(high + unit)}</text>'
    )


def _densities(one: Comparison) -> tuple[str, str, str]:
    """Draw the densities of values; return them and the labels of the axis."""
    new, corpus = one.metric.generated, one.metric.reference
    both = np.concatenate([new, corpus])
    low, high = float(both.min()), float(both.max())
    # If all pieces have the same value, it is drawn as a peak in the middle.
    margin = 0.0 if high > low else 1.0
    points = np.linspace(low - margin, high + margin, POINTS)
    across = np.linspace(LEFT, RIGHT, len(points))
    # Each curve fills the height of the chart: shapes are compared, not numbers of pieces.
    heights = [density(values, points) for values in (corpus, new)]
    paths = [
        " ".join(
            f"{x:.1f},{BOTTOM - (BOTTOM - TOP) * y / height.max():.1f}"
            for x, y in zip(across, height, strict=True)
        )
        for height in heights
    ]
    ticks = "".join(f"M{x:.1f} {BOTTOM}v4" for x in np.interp(new, points, across))
    return (
        f'<polygon points="{LEFT},{BOTTOM} {paths[0]} {RIGHT},{BOTTOM}" fill="{CORPUS}"/>'
        f'<polyline points="{paths[1]}" fill="none" stroke="{NEW}" stroke-width="2"/>'
        f'<path d="{ticks}" stroke="{NEW}"/>',
        f"{low:.3g}",
        f"{high:.3g}",
    )


def _bars(one: Comparison) -> tuple[str, str, str]:
    """Draw the mean shares of bins; return them and the names of the first and last bin."""
    means = [side.mean(axis=0) for side in (one.metric.reference, one.metric.generated)]
    top = max(float(mean.max()) for mean in means) or 1.0
    wide = (RIGHT - LEFT) / len(one.metric.bins)
    bars, marks = "", ""
    for number, (corpus, new) in enumerate(zip(*means, strict=True)):
        x, height = LEFT + number * wide, (BOTTOM - TOP) * corpus / top
        y = BOTTOM - (BOTTOM - TOP) * new / top
        bars += f"M{x + 0.5:.1f} {BOTTOM}v{-height:.1f}h{wide - 1:.1f}v{height:.1f}z"
        marks += f"M{x:.1f} {y:.1f}h{wide:.1f}"
    return (
        f'<path d="{bars}" fill="{CORPUS}"/><path d="{marks}" stroke="{NEW}" stroke-width="2"/>',
        one.metric.bins[0],
        one.metric.bins[-1],
    )
