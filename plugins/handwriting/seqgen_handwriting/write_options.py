"""Options of writing: paper, pen, speed and plotter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from seqgen.errors import ConfigError
from seqgen.plugin import Within, check_fields

#: Millimetres: the longer side of a drawing or a line, and the margin around it.
SIDE, MARGIN = 150.0, 10.0

#: Millimetres: width and height of papers.
PAPERS = {
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "letter": (215.9, 279.4),
}

#: Millimetres: the margin of a page, and the distance between its lines.
PAGE_MARGIN, LINE = 20.0, 10.0

#: Width of the pen in millimetres.
PEN = 0.5

#: Speed of the pen of an animation in millimetres per second.
SPEED = 120.0


@dataclass(frozen=True)
class WriteOptions:
    """Options of writing: paper, pen, speed and plotter."""

    paper: Literal["a3", "a4", "a5", "letter"] = "a4"
    """Paper of a text that is longer than a page."""
    side: Annotated[float, Within(1, 10_000)] = SIDE
    """Longer side of a drawing or of a single line, in mm."""
    line: Annotated[float, Within(1, 1000)] = LINE
    """Distance between the lines of a text, in mm; less if its lines would be too wide."""
    pen: Annotated[float, Within(0.05, 100)] = PEN
    """Width of the pen in SVG and pictures, in mm."""
    speed: Annotated[float, Within(0.1, 100_000)] = SPEED
    """Speed of the pen in animations, in mm/s; faster if they would take over 30 seconds."""
    lifting: Literal["z", "m3", "m280"] = "z"
    """How G-code lifts the pen: by heights (z), by the spindle output of Grbl (M3 S), or by a servo
    of Marlin (M280 P0 S)."""
    lift: Annotated[float, Within(0.1, 1000)] = 5.0
    """Height of the lifted pen in G-code, in mm."""
    lower: Annotated[float, Within(-1000, 1000)] = 0.0
    """Height of the lowered pen in G-code, in mm; less than `lift`."""
    servo_up: Annotated[int, Within(0, 100_000)] = 30
    """Value S of the lifted pen, for lifting=m3 and m280."""
    servo_down: Annotated[int, Within(0, 100_000)] = 90
    """Value S of the lowered pen, for lifting=m3 and m280."""
    dwell: Annotated[float, Within(0, 60)] = 0.2
    """Seconds that G-code waits for a servo to lift or lower the pen."""
    feed: Annotated[int, Within(1, 100_000)] = 2000
    """Speed of the lowered pen in G-code, in mm/min."""
    travel: Annotated[int, Within(1, 100_000)] = 6000
    """Speed of the lifted pen in G-code, in mm/min; Grbl travels as fast as it can."""
    plunge: Annotated[int, Within(1, 100_000)] = 600
    """Speed at which G-code lowers the pen by heights, in mm/min."""
    lead: Annotated[float, Within(0, 100)] = 0.0
    """Distance over which the pen lands before a stroke and lifts after it, in mm, for lifting=z;
    0 lowers it in place."""
    order: Literal["written", "nearest"] = "written"
    """Order of the strokes in G-code: as they were written, or always the nearest one, from either
    end, to travel less."""
    join: Annotated[float, Within(0, 100)] = 0.0
    """G-code does not lift the pen between strokes that are at most this far apart, in mm."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.lower >= self.lift:
            raise ConfigError(
                f"lower must be less than lift, the height of the lifted pen; found lower="
                f"{self.lower:g} and lift={self.lift:g}"
            )


#: The options that nobody changed.
DEFAULT = WriteOptions()
