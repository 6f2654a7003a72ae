"""Options of writing: paper, layout, pen, speed and plotter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from seqgen.errors import ConfigError
from seqgen.plugin import Within, check_fields

#: Millimetres: the longer side of a drawing, and the margin of a sheet.
SIDE, MARGIN = 150.0, 15.0

#: Millimetres: width and height of papers.
PAPERS = {
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "a6": (105.0, 148.0),
    "letter": (215.9, 279.4),
    "postcard": (148.0, 105.0),
}

#: A paper of another size, such as 100x70, and the limits of its sides in millimetres.
_SIZE = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)x(\d{1,4}(?:\.\d{1,3})?)")
_SIDES = (10.0, 2000.0)

#: Millimetres to which points are rounded, so that files are small.
PRECISION = 0.001

#: A colour as SVG names it.
_COLOUR = re.compile(r"[a-z]{3,24}|#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}")

#: Width of the pen in millimetres.
PEN = 0.5

#: Speed of the pen of an animation in millimetres per second.
SPEED = 120.0


@dataclass(frozen=True)
class WriteOptions:
    """Options of writing: paper, layout, pen, speed and plotter."""

    paper: str = "auto"
    """Paper: a3, a4, a5, a6, letter, postcard, or width and height in mm such as 100x70. auto gives
    a sheet of the size of the ink, and a4 to a text that is longer than a page."""
    margin: Annotated[float, Within(0, 100)] = MARGIN
    """Margin on all sides, in mm."""
    letter: Annotated[float, Within(0.5, 500, besides=(0,))] = 0.0
    """Height of a capital of a text, in mm; down to 80 % of it if a word would be wider than the
    paper, and a wider word is cut. 0 is half the distance between lines."""
    line: Annotated[float, Within(1, 1000, besides=(0,))] = 0.0
    """Distance between the lines of a text, in mm. 0 is twice the height of a capital, or 10 mm;
    more where ink of two lines would touch."""
    align: Literal["left", "center", "right", "justify"] = "left"
    """Where the lines of a text begin and end."""
    level: bool = True
    """Make the lines of a text level, and its slant even."""
    side: Annotated[float, Within(1, 10_000)] = SIDE
    """Longer side of a drawing, in mm; less to fit the paper."""
    pen: Annotated[float, Within(0.05, 100)] = PEN
    """Width of the pen in SVG and pictures, in mm."""
    colour: str = "#000"
    """Colour of the pen in SVG: a name such as navy, or #rgb or #rrggbb."""
    curve: Annotated[float, Within(0.001, 10, besides=(0,))] = 0.0
    """Draw smooth curves that miss no point by more than this, in mm, such as 0.1; 0 draws straight
    lines from point to point."""
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
        if not _COLOUR.fullmatch(self.colour):
            raise ConfigError(
                f"colour must be a name such as navy, or #rgb or #rrggbb; found {self.colour!r}"
            )
        if self.size is None and self.paper != "auto":
            least, most = _SIDES
            raise ConfigError(
                f"paper must be auto, {', '.join(PAPERS)}, or width and height from {least:g} to "
                f"{most:g} mm such as 100x70; found {self.paper!r}"
            )
        if self.size is not None and 2 * self.margin >= min(self.size):
            width, height = self.size
            raise ConfigError(
                f"margin must be less than half of the paper, which is {width:g} x {height:g} mm; "
                f"found {self.margin:g}"
            )
        if 0 < self.line < self.letter:
            raise ConfigError(
                f"line, the distance between lines, must be at least letter, the height of a "
                f"capital, or lines overlap; found line={self.line:g} and letter={self.letter:g}; "
                f"line={2 * self.letter:g} leaves room for tails"
            )
        if self.lower >= self.lift:
            raise ConfigError(
                f"lower must be less than lift, the height of the lifted pen; found lower="
                f"{self.lower:g} and lift={self.lift:g}"
            )
        if self.lifting != "z" and self.servo_up == self.servo_down:
            raise ConfigError(
                f"servo_up and servo_down must differ, or the pen draws on its way; found "
                f"{self.servo_up} for both"
            )

    @property
    def size(self) -> tuple[float, float] | None:
        """Width and height of the paper in mm; None if the ink decides."""
        if self.paper in PAPERS:
            return PAPERS[self.paper]
        found = _SIZE.fullmatch(self.paper)
        sides = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
        return sides if all(_SIDES[0] <= side <= _SIDES[1] for side in sides) else None


#: The options that nobody changed.
DEFAULT = WriteOptions()
