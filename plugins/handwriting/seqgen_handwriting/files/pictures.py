"""PNG and GIF writers, with Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from seqgen_handwriting.sheet import Sheet

#: Pixels a millimetre of PNG and GIF; pictures are drawn `FINER` times as large and reduced.
PICTURE, MOVING, FINER = 7, 4, 3

#: Most pixels of a PNG, and of a frame of a GIF, whose frames are held together, before they are
#: reduced.
MOST_PIXELS, MOST_MOVING = 100_000_000, 30_000_000

#: Milliseconds of a frame and of the last frame; the largest number of frames (a faster pen).
FRAME, LAST, MOST_FRAMES = 60, 2500, 120


def png(sheet: Sheet) -> bytes:
    """Return a sheet as PNG, black on white."""
    scale = _scale(sheet, PICTURE, MOST_PIXELS)
    canvas = _canvas(sheet, scale)
    for number in range(len(sheet.lines)):
        _draw(canvas, sheet, number, slice(None), scale)
    buffer = io.BytesIO()
    _reduced(canvas).save(buffer, "png")
    return buffer.getvalue()


def gif(sheet: Sheet) -> bytes:
    """Return a sheet as an animated GIF that repeats."""
    begins, lasts = sheet.pace()
    seconds = begins[-1] + lasts[-1] if begins else 0.0
    count = min(max(int(1000 * seconds / FRAME), 1), MOST_FRAMES)
    scale = _scale(sheet, MOVING, MOST_MOVING)
    canvas = _canvas(sheet, scale)
    frames, stroke, drawn = [_reduced(canvas)], 0, 0
    for now in np.linspace(0, seconds, count + 1)[1:].tolist():
        while stroke < len(begins) and begins[stroke] <= now:
            share = min((now - begins[stroke]) / lasts[stroke], 1.0)
            upto = round(share * (len(sheet.lines[stroke]) - 1))
            _draw(canvas, sheet, stroke, slice(drawn, upto + 1), scale)
            drawn = upto
            if share < 1:
                break
            stroke, drawn = stroke + 1, 0
        frames.append(_reduced(canvas))
    buffer = io.BytesIO()
    durations = [FRAME] * (len(frames) - 1) + [LAST]
    frames[0].save(
        buffer, "gif", save_all=True, append_images=frames[1:], duration=durations, loop=0
    )
    return buffer.getvalue()


def _scale(sheet: Sheet, wanted: float, most: int) -> float:
    """Return the pixels of a millimetre: fewer for a large sheet."""
    return min(wanted, float(np.sqrt(most / (sheet.width * sheet.height))) / FINER)


def _canvas(sheet: Sheet, scale: float) -> Any:
    width, height = (max(round(side * scale), 1) for side in (sheet.width, sheet.height))
    return Image.new("L", (width * FINER, height * FINER), 255)


def _reduced(canvas: Any) -> Any:
    return canvas.reduce(FINER)


def _draw(canvas: Any, sheet: Sheet, number: int, part: slice, scale: float) -> None:
    """Draw a part of a stroke with round ends, `scale` pixels a millimetre."""
    pen, finer = ImageDraw.Draw(canvas), scale * FINER
    pixels = [tuple(pixel) for pixel in (sheet.lines[number][part] * finer).tolist()]
    if sheet.widths is None:
        thick = [sheet.options.pen * finer] * len(pixels)
        if len(pixels) > 1:
            pen.line(pixels, 0, max(round(thick[0]), 1), joint="curve")
        ends = [(pixels[0], thick[0]), (pixels[-1], thick[-1])]
    else:
        thick = (sheet.widths[number][part] * finer).tolist()
        for here, there, *widths in zip(pixels, pixels[1:], thick, thick[1:], strict=False):
            pen.line([here, there], 0, max(round(sum(widths) / 2), 1))
        # Round joints, because the width changes there.
        ends = [*zip(pixels, thick, strict=True)]
    for (x, y), width in ends:
        radius = (max(round(width), 1) - 1) / 2
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], 0)
