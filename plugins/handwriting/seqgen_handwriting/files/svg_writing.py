"""SVG writers: single lines in millimetres for pen plotters, or an animation of the pen.

A unit of the drawing is a unit of the ink; the view box gives its size in millimetres. With the
title and these attributes a file keeps everything that `Ink` holds:

======================  ===================================================
``data-seqgen="ink"``   of the root: the file is one of ours
``data-writer``         of the root
``data-letters``        of a path: the letter of each of its points
``data-times``          of a path: the time of each of its points
``data-pressure``       of a path: the pressure of the pen at each of its points
``class="dot"``         of a path: it is a single point
======================  ===================================================

A path with pressure has the width of its mean.
"""

from __future__ import annotations

from html import escape
from xml.sax.saxutils import quoteattr

import numpy as np

from seqgen_handwriting.curves import Curves, fitted
from seqgen_handwriting.files.xml_files import allowed
from seqgen_handwriting.ink import path_data
from seqgen_handwriting.sheet import Sheet
from seqgen_handwriting.write_options import PRECISION

#: Length of a dot on the paper, in mm. Programs for plotters leave out a path without a length.
DOT = 2 * PRECISION

#: Each stroke is one dash that slides in. The gap is longer, so a stroke is invisible before.
STYLE = """<style>
svg.written path { stroke-dasharray: 1 2; stroke-dashoffset: 1; animation: write linear forwards; }
svg.written path.dot { stroke-dasharray: none; visibility: hidden; animation-name: show; }
@keyframes write { to { stroke-dashoffset: 0; } }
@keyframes show { to { visibility: visible; } }
@media (prefers-reduced-motion: reduce) {
svg.written path, svg.written path.dot {
animation: none; stroke-dasharray: none; visibility: visible; }
}
</style>
"""


def svg(sheet: Sheet) -> str:
    """Return a sheet as SVG: one unfilled path per stroke, in the order of the pen."""
    paths = (_path(sheet, number) for number in range(len(sheet.ink.strokes)))
    return _document(sheet, "".join(paths))


def animated_svg(sheet: Sheet) -> str:
    """Return a sheet as SVG that is drawn stroke by stroke at constant speed.

    It needs no script. Users who prefer reduced motion see the whole drawing.
    """
    paths = []
    for number, (begin, last) in enumerate(zip(*sheet.pace(), strict=True)):
        style = f'style="animation-delay:{begin:.2f}s;animation-duration:{last:.2f}s"'
        paths.append(_path(sheet, number, f' pathLength="1" {style}'))
    return _document(sheet, STYLE + "".join(paths), ' class="written"')


def _path(sheet: Sheet, number: int, more: str = "") -> str:
    ink, tolerance = sheet.ink, sheet.options.curve / sheet.scale
    stroke = ink.strokes[number]
    if sheet.widths is not None:
        more += f' stroke-width="{float(sheet.widths[number].mean()) / sheet.scale:.6g}"'
    curves = fitted(stroke, tolerance) if tolerance else None
    if curves is not None and len(curves):
        paper = np.array([sheet.width, sheet.height]) / sheet.scale
        curves = np.clip(curves, sheet.origin, sheet.origin + paper)
        # A curve has no point for each letter, time and pressure.
        return f'<path{more} d="{_curve_data(curves, sheet.scale)}"/>\n'
    is_dot = len(stroke) == 1
    about = ' class="dot"' if is_dot else ""
    for name, parts in ink.of_points.items():
        about += f' data-{name}="{" ".join(map(repr, parts[number].tolist()))}"'
    line = np.vstack([stroke, np.add(stroke, (DOT / sheet.scale, 0.0))]) if is_dot else stroke
    return f'<path{about}{more} d="{path_data(line)}"/>\n'


def _curve_data(curves: Curves, scale: float) -> str:
    """Return curves as the path data of SVG, rounded to `PRECISION`."""
    rounded = curves.round(int(np.ceil(np.log10(scale / PRECISION)))).tolist()
    begin = "{!r} {!r}".format(*rounded[0][0])
    parts = (" ".join(f"{x!r} {y!r}" for x, y in curve[1:]) for curve in rounded)
    return f"M{begin}C{' '.join(parts)}"


def _document(sheet: Sheet, inner: str, more: str = "") -> str:
    ink, scale = sheet.ink, sheet.scale
    left, top = sheet.origin.tolist()
    size = f'width="{sheet.width:.2f}mm" height="{sheet.height:.2f}mm"'
    box = f"{left!r} {top!r} {sheet.width / scale!r} {sheet.height / scale!r}"
    about = f'data-seqgen="ink" data-writer={quoteattr(allowed(ink.writer))}{more}'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="{box}" role="img" fill="none" '
        f'stroke="{sheet.options.colour}" stroke-width="{sheet.options.pen / scale:.6g}" '
        f'stroke-linecap="round" stroke-linejoin="round" {about}>\n'
        f"<title>{escape(allowed(ink.text))}</title>\n{inner}</svg>\n"
    )
