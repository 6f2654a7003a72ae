"""The order of strokes for a plotter: as they were written, or so that the lifted pen goes less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqgen_handwriting.ink import Stroke

#: Strokes among which the nearest one is sought; so time grows with the number of strokes only.
SOUGHT = 2000


def joined(strokes: Sequence[Stroke], gap: float) -> list[Stroke]:
    """Return strokes, with each that begins within `gap` of the end of the one before added to it.

    With a gap of 0 only strokes that touch are joined; a single point stays a dot.
    """
    parts: list[list[Stroke]] = []
    for stroke in strokes:
        before = parts[-1][-1] if parts else None
        if before is not None and np.hypot(*(stroke[0] - before[-1])) <= gap:
            parts[-1].append(stroke)
        else:
            parts.append([stroke])
    return [np.concatenate(part) for part in parts]


def nearest_first(strokes: Sequence[Stroke], start: tuple[float, float]) -> list[Stroke]:
    """Return strokes so that each begins at the end nearest to where the pen is.

    The pen is at `start` first. Strokes may be reversed. Each is chosen among the next `SOUGHT` in
    the order of writing.
    """
    ends = np.array([[stroke[0], stroke[-1]] for stroke in strokes]).reshape(-1, 2, 2)
    waiting = np.arange(min(SOUGHT, len(strokes)))  # (W,)
    place, found = np.array(start), []
    while len(waiting):
        away = np.hypot(*np.moveaxis(ends[waiting] - place, -1, 0))  # (W, 2)
        at, end = divmod(int(np.argmin(away)), 2)
        number = int(waiting[at])
        found.append(strokes[number][::-1] if end else strokes[number])
        place = ends[number, 1 - end]
        following = SOUGHT + len(found) - 1
        waiting = np.delete(waiting, at)
        if following < len(strokes):
            waiting = np.append(waiting, following)
    return found
