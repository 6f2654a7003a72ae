"""G-code writer, for pen plotters and converted 3D printers."""

from __future__ import annotations

import re

from seqgen_handwriting.paper import Sheet

#: Millimetres per minute while lowering the pen to height 0.
PLUNGE = 600

#: Characters that can be commands even in a comment. GRBL holds at !, resets at Ctrl-X and changes
#: speed at bytes beyond ASCII; other machines end a comment at ) or start reading at %.
_COMMANDS = re.compile(r"[^ \w.,:;'\"&+=/-]", re.ASCII)

#: Before the strokes; `up` is the height of the lifted pen.
HEAD = """\
; millimetres, absolute, origin at the lower left corner of the paper
; pen up: G0 Z{up}, pen down: G1 Z0 (for a servo replace these lines by M5 and M3)
G21
G90
G0 Z{up}
"""


def gcode(sheet: Sheet) -> str:
    """Return a sheet as G-code: G0 moves with the pen up, G1 with the pen down; y goes up."""
    comment = " ".join(_COMMANDS.sub("_", sheet.ink.text).split())
    lines = [f"; {comment}\n"] if comment else []
    up, feed = f"{sheet.options.lift:g}", sheet.options.feed
    lines.append(HEAD.format(up=up))
    lines.append(f"; paper {sheet.width:.1f} x {sheet.height:.1f}\n")
    for stroke in sheet.strokes:
        (x, y), *others = [(x, sheet.height - y) for x, y in stroke.tolist()]
        lines.append(f"G0 X{x:.3f} Y{y:.3f}\nG1 Z0 F{PLUNGE}\n")
        lines += [f"G1 X{x:.3f} Y{y:.3f} F{feed}\n" for x, y in others]
        lines.append(f"G0 Z{up}\n")
    return "".join([*lines, "G0 X0 Y0\nM2\n"])
