"""SVG out: single lines in millimetres, fit for a pen plotter; or written before one's eyes."""

from __future__ import annotations

from html import escape

from seqgen_handwriting.ink import Ink, Stroke
from seqgen_handwriting.paper import Sheet, on_paper

#: Width of the pen in millimetres.
PEN = 0.5

#: Each stroke is one dash that moves in; the gap is longer, so that nothing is seen before it.
STYLE = """<style>
path { stroke-dasharray: 1 2; stroke-dashoffset: 1; animation: write linear forwards; }
path.dot { stroke-dasharray: none; visibility: hidden; animation-name: show; }
@keyframes write { to { stroke-dashoffset: 0; } }
@keyframes show { to { visibility: visible; } }
@media (prefers-reduced-motion: reduce) {
path, path.dot { animation: none; stroke-dasharray: none; visibility: visible; }
}
</style>
"""


def svg(ink: Ink) -> str:
    """Return the drawing as SVG: a path a stroke, in the order of the pen, nothing filled."""
    sheet = on_paper(ink)
    return _document(
        sheet, ink.text, "".join(f'<path d="{_path(stroke)}"/>\n' for stroke in sheet.strokes)
    )


def animated_svg(ink: Ink) -> str:
    """Return an SVG that is written stroke by stroke when it is shown, at an even speed.

    It needs no script; who prefers no motion sees it whole.
    """
    sheet = on_paper(ink)
    paths = []
    for stroke, begin, last in zip(sheet.strokes, *sheet.pace(), strict=True):
        kind = 'class="dot"' if len(stroke) == 1 else 'pathLength="1"'
        paths.append(
            f'<path {kind} style="animation-delay:{begin:.2f}s;animation-duration:{last:.2f}s" '
            f'd="{_path(stroke)}"/>\n'
        )
    return _document(sheet, ink.text, STYLE + "".join(paths))


def _path(stroke: Stroke) -> str:
    points = [f"{x:.3f} {y:.3f}" for x, y in stroke.tolist()]
    # A line to where it begins: a dot.
    return f"M{points[0]}L{' '.join(points[1:] or points)}"


def _document(sheet: Sheet, text: str, inner: str) -> str:
    size = f'width="{sheet.width:.2f}mm" height="{sheet.height:.2f}mm"'
    box = f"0 0 {sheet.width:.2f} {sheet.height:.2f}"
    title = escape("".join(sign for sign in text if sign.isprintable() or sign.isspace()))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="{box}" role="img" fill="none" '
        f'stroke="#000" stroke-width="{PEN}" stroke-linecap="round" stroke-linejoin="round">\n'
        f"<title>{title}</title>\n{inner}</svg>\n"
    )
