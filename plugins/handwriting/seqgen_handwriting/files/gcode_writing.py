"""G-code writer, for pen plotters and converted 3D printers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from seqgen_handwriting.files.pen_travel import joined, nearest_first
from seqgen_handwriting.ink import Stroke
from seqgen_handwriting.sheet import Sheet
from seqgen_handwriting.write_options import WriteOptions

#: Characters that can be commands even in a comment. Grbl holds at !, resets at Ctrl-X and changes
#: speed at bytes beyond ASCII; other machines end a comment at ) or start reading at %.
_COMMANDS = re.compile(r"[^ \w.,:;'\"&+=/-]", re.ASCII)

#: Most characters of a comment: programs send lines that fit in the 128 bytes of Grbl's buffer.
COMMENT = 70

#: Before the strokes: millimetres, absolute places, millimetres a minute.
HEAD = """\
; millimetres, origin at the lower left corner of the paper
G21
G90
"""


def gcode(sheet: Sheet) -> str:
    """Return a sheet as G-code: G0 moves with the pen up, G1 with the pen down; y goes up."""
    options = sheet.options
    comment = " ".join(_COMMANDS.sub("_", sheet.ink.text).split())[:COMMENT]
    lines = [f"; {comment}"] if comment else []
    lines += [f"{HEAD}; paper {sheet.width:.1f} x {sheet.height:.1f}", *_up(options)]
    strokes = [stroke * (1, -1) + (0, sheet.height) for stroke in sheet.lines]
    if options.join:
        strokes = joined(strokes, options.join)
    if options.order == "nearest":
        strokes = nearest_first(strokes, (0.0, 0.0))
    for stroke in strokes:
        lines += _drawn(stroke.round(3), sheet)
    lines.append(f"G0 X0 Y0 F{options.travel}")
    if options.lifting == "m3":
        # M2 stops the spindle of Grbl, so a servo may move there. It does so first, off the ink.
        lines += ["M5", f"G4 P{options.dwell:g}"]
    return "\n".join([*lines, "M2", ""])


def _drawn(stroke: Stroke, sheet: Sheet) -> Iterator[str]:
    """Yield the lines that draw a stroke, in millimetres from the lower left corner."""
    options = sheet.options
    has_lead = options.lifting == "z" and options.lead > 0 and np.ptp(stroke, axis=0).any()
    landing = _beyond(stroke, sheet) if has_lead else stroke[0]
    yield f"G0 {_place(landing)} F{options.travel}"
    if has_lead:
        yield _ramp(landing, stroke[0], options.lower, options)
    else:
        yield from _down(options)
    yield from (f"G1 {_place(point)} F{options.feed}" for point in stroke[1:])
    if has_lead:
        yield _ramp(stroke[-1], _beyond(stroke[::-1], sheet), options.lift, options)
    else:
        yield from _up(options)


def _place(point: Stroke) -> str:
    x, y = point.tolist()
    return f"X{x:.3f} Y{y:.3f}"


def _down(options: WriteOptions) -> list[str]:
    """Return the lines that lower the pen in place."""
    if options.lifting == "z":
        return [f"G1 Z{options.lower:g} F{options.plunge}"]
    return _servo(options, options.servo_down)


def _up(options: WriteOptions) -> list[str]:
    """Return the lines that lift the pen in place."""
    return (
        [f"G0 Z{options.lift:g}"] if options.lifting == "z" else _servo(options, options.servo_up)
    )


def _servo(options: WriteOptions, value: int) -> list[str]:
    """Return the lines that move a servo and wait for it."""
    if options.lifting == "m3":
        return [f"M3 S{value}", f"G4 P{options.dwell:g}"]
    # Marlin moves a servo at once, so M400 waits for the lines before. Its P would be milliseconds.
    return ["M400", f"M280 P0 S{value}", f"G4 S{options.dwell:g}"]


def _beyond(stroke: Stroke, sheet: Sheet) -> Stroke:
    """Return the point `lead` before a stroke, in the direction of its first line, on the paper."""
    away = np.hypot(*(stroke - stroke[0]).T)
    ahead = int(np.flatnonzero(away)[0])
    before = stroke[0] - (stroke[ahead] - stroke[0]) * (sheet.options.lead / away[ahead])
    return np.asarray(np.clip(before, 0, (sheet.width, sheet.height)))


def _ramp(begin: Stroke, end: Stroke, height: float, options: WriteOptions) -> str:
    """Return the line that goes to a point while the pen sinks or rises to a height."""
    drop = options.lift - options.lower
    length = float(np.hypot(np.hypot(*(end - begin)), drop))
    feed = max(min(options.feed, int(options.plunge * length / drop)), 1)
    return f"G1 {_place(end)} Z{height:g} F{feed}"
