"""What is requested of a chorale: in words, or by a piece of which parts stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seqgen.conditions.requests import Request, parse
from seqgen.errors import DataError
from seqgen.following import NOTHING
from seqgen.plugin import Ids, Kept
from seqgen_music.bars import Metre, metre_name
from seqgen_music.codecs.chorale.grammar import ChoraleRequest
from seqgen_music.codecs.chorale.layout import MOST_PHRASES, PARTS, ChoraleLayout
from seqgen_music.codecs.chorale.plan import can_fill
from seqgen_music.codecs.chorale.raster import STEPS, chorale_gap, grid_spans, voices_of


def requested(text: str, layout: ChoraleLayout, known: Mapping[str, Request]) -> ChoraleRequest:
    """Return what words such as ``bars=8, phrases=4, metre=4/4`` request.

    Raises
    ------
    DataError
        If a request is unknown, or the corpus did not have what is requested, or phrases and bars
        contradict.
    """
    found = parse(text, known)
    metre, bars, phrases = map(found.get, ("metre", "bars", "phrases"))
    opening = [layout.table.id("metre", metre)] if metre else []
    if phrases is None:
        return ChoraleRequest(opening, bars=bars)
    lengths = [] if isinstance(phrases, int) else [*phrases]
    count = len(lengths) or phrases
    if count > MOST_PHRASES:
        raise DataError(f"{text!r} has {count:,} phrases; {MOST_PHRASES} is the most")
    steps = [_steps(text, length, layout) for length in lengths]
    if bars is not None:
        _refuse_bars(text, (bars, metre), (count, steps), layout)
    if not steps:
        return ChoraleRequest(opening, bars=bars, phrases=count)
    plan = layout.plan(np.cumsum(steps).tolist())
    return ChoraleRequest([*(opening or [NOTHING]), NOTHING, *plan], bars=bars)


def _steps(text: str, length: float, layout: ChoraleLayout) -> int:
    """Return the steps of a phrase of so many quarters."""
    steps = round(STEPS * length)
    if not layout.has_phrase(steps) or steps != STEPS * length:
        known = ", ".join(f"{one / STEPS:g}" for one in layout.phrases)
        raise DataError(
            f"{text!r}: no phrase of this model's corpus has {length:g} quarters; its phrases "
            f"have {known}"
        )
    return steps


def _refuse_bars(
    text: str,
    bars: tuple[int, Metre | None],
    phrases: tuple[int, Sequence[int]],
    layout: ChoraleLayout,
) -> None:
    """Refuse bars, of some metre, that phrases do not fill: so many, of these steps if any."""
    (number, metre), (count, steps) = bars, phrases
    if metre is None:
        raise DataError(f"{text!r} has bars and phrases: give the metre too")
    total = number * layout.bar(metre)
    if not (sum(steps) == total if steps else can_fill(layout, count, total)):
        raise DataError(
            f"{text!r}: the phrases do not fill {number} bars of {metre_name(metre)}, "
            f"{total / STEPS:g} quarters; leave out bars or phrases"
        )


def remaining(kept: Kept, ids: Ids, layout: ChoraleLayout) -> ChoraleRequest:
    """Return the request to write what of a piece is not kept.

    Parameters
    ----------
    kept : Kept
    ids : int64 array (N,)
        Of its piece.
    layout : ChoraleLayout

    Raises
    ------
    DataError
        If all is kept, or as for `chorale_gap`.
    """
    gap, header = chorale_gap(kept), layout.header_size(ids)
    cells = ids[header:].reshape(-1, PARTS).T  # (4, steps)
    free = np.zeros(cells.shape, bool)
    for voice, track in voices_of(kept.piece).items():
        for start, stop in grid_spans(gap, kept.piece).tolist():
            free[voice, start:stop] = track in gap.tracks
    if not free.any():
        raise DataError(f"there is nothing left to write: {kept.parts!r} keeps every note")
    voices = dict(enumerate(cells.tolist()))
    return ChoraleRequest(ids[:header].tolist(), voices, free, cells.shape[1])
