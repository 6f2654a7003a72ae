"""The critic of handwriting: letters that a reader misreads, and measures that are rare.

The reader learned the training lines. A text that was asked for is read letter by letter; each
letter that is missing or looks like another is a fault. Lines are also measured: letters that leave
the baseline, or are wider or fuller than those of the corpus. Drawings without letters have the
measures of `seqgen_handwriting.measures.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from seqgen.plugin import Criticism, Norm, Norms
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Reader
from seqgen_handwriting.measures.letters import beside_the_line, pictures
from seqgen_handwriting.measures.metrics import LOW, MEASURES

#: Most training drawings that are measured and read.
PIECES = 400

#: Measures of lines with letters; those of other drawings are `MEASURES`.
OF_LINES = {
    "letters off the line": Norm("heights of small letters", "high"),
    "width of a letter": Norm("heights of small letters"),
    "points of a letter": Norm("points"),
}
OF_DRAWINGS = {name: Norm(unit) for name, (unit, _) in MEASURES.items()}


def critic(pieces: Iterable[Ink]) -> Callable[[Ink, Any], Criticism]:
    """Return the critic that training drawings teach."""
    inks = [*islice(pieces, PIECES)]
    lines = [ink for ink in inks if pictures(ink)[1]]
    if 2 * len(lines) <= len(inks):
        of_drawings = Norms(OF_DRAWINGS, map(drawing_values, inks))
        return lambda ink, condition: of_drawings.criticise(drawing_values(ink))
    reader, of_lines = Reader.learn(lines), Norms(OF_LINES, map(line_values, lines))

    def criticise(ink: Ink, condition: Any) -> Criticism:
        text = condition if isinstance(condition, str) else ink.text
        found = of_lines.criticise(line_values(ink))
        return Criticism((*misread(reader, ink, text), *found.faults), found.rarity)

    return criticise


def misread(reader: Reader, ink: Ink, text: str) -> Iterator[str]:
    """Yield what is wrong with each letter of a text that is not read as intended."""
    read = reader.read(ink).ljust(len(text))
    for number, (wanted, seen) in enumerate(zip(text, read, strict=False), 1):
        if wanted in reader.letters and wanted != seen:
            what = "is missing" if seen == " " else f"is read as {seen!r}"
            yield f"letter {number}, {wanted!r}, {what}"


def drawing_values(ink: Ink) -> dict[str, float]:
    """Return the values of a drawing for `OF_DRAWINGS`."""
    return {name: float(of(ink)) for name, (_, of) in MEASURES.items()}


def line_values(ink: Ink) -> dict[str, float]:
    """Return the values of a line for `OF_LINES`; NaN without letters."""
    height, offsets = beside_the_line(ink)
    if not offsets:
        return dict.fromkeys(OF_LINES, np.nan)
    left, _, right, _ = ink.bounds
    off = [abs(offset) for place, offset in offsets.items() if ink.text[place] in LOW]
    values = (
        float(np.mean(off)) if off else 0.0,
        (right - left) / height / len(ink.text),
        ink.points / len(offsets),
    )
    return dict(zip(OF_LINES, values, strict=True))
