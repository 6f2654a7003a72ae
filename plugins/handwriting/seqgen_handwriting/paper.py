"""Ink on paper: texts on pages, and drawings on a sheet."""

from __future__ import annotations

import numpy as np

from seqgen_handwriting.ink import SMALLEST, Ink
from seqgen_handwriting.layout import text_sheets
from seqgen_handwriting.sheet import Sheet
from seqgen_handwriting.write_options import DEFAULT, WriteOptions


def on_paper(ink: Ink, options: WriteOptions = DEFAULT) -> Sheet:
    """Lay ink on one sheet, which is as high as a text needs."""
    return text_sheets(ink, options, endless=True)[0] if _is_text(ink) else _drawing(ink, options)


def pages(ink: Ink, options: WriteOptions = DEFAULT) -> list[Sheet]:
    """Lay a text with letters on pages, and other ink on one sheet."""
    return text_sheets(ink, options) if _is_text(ink) else [_drawing(ink, options)]


def _is_text(ink: Ink) -> bool:
    return ink.letters is not None and bool(ink.text.strip()) and bool(ink.strokes)


def _drawing(ink: Ink, options: WriteOptions) -> Sheet:
    """Lay a drawing on a sheet of its size, or in the middle of a paper that was chosen."""
    left, top, right, bottom = ink.bounds
    size = np.array([right - left, bottom - top])
    scale, margin = options.side / ink.size if ink.size > SMALLEST else 1.0, options.margin
    # A sheet without a height would be empty.
    paper = np.maximum(size * scale + 2 * margin, options.pen)
    if options.size is not None:
        paper = np.array(options.size)
        room = (paper - 2 * margin) / np.maximum(size, SMALLEST)
        scale = min(scale, float(room.min()))
    corner = np.array([left, top]) - (paper / scale - size) / 2
    return Sheet(ink, corner, scale, float(paper[0]), float(paper[1]), options)
