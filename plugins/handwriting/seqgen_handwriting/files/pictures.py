"""PNG and GIF writers, with Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from seqgen_handwriting.ink import Stroke
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
    pixels = sheet.lines[number][part] * finer  # (N, 2)
    if sheet.widths is not None:
        _draw_pressed(pen, pixels, sheet.widths[number][part] * finer / 2)
        return
    thick = max(round(sheet.options.pen * finer), 1)
    if len(pixels) > 1:
        pen.line([tuple(pixel) for pixel in pixels.tolist()], 0, thick, joint="curve")
    for point in (pixels[0], pixels[-1]):
        _draw_dot(pen, point, (thick - 1) / 2)


def _draw_pressed(pen: Any, pixels: Stroke, radii: NDArray[np.float64]) -> None:
    """Draw lines between points ``(N, 2)`` that are as wide as the pen at each ``(N,)``."""
    for point, radius in zip(pixels, radii, strict=True):
        _draw_dot(pen, point, max(float(radius) - 0.5, 0.0))
    along = np.diff(pixels, axis=0)
    lengths = np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / lengths  # (N - 1, 2), of length 1
    near, far = across * radii[:-1, None], across * radii[1:, None]
    corners = [pixels[:-1] + near, pixels[1:] + far, pixels[1:] - far, pixels[:-1] - near]
    for four in np.stack(corners, axis=1).tolist():  # (4, 2)
        pen.polygon([tuple(corner) for corner in four], 0)


def _draw_dot(pen: Any, point: NDArray[np.float64], radius: float) -> None:
    x, y = point.tolist()
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], 0)
