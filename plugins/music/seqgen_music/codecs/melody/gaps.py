"""Rewrites some bars of a melody: which steps of its line are free, and the piece with new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Kept
from seqgen_music.chords import Chord
from seqgen_music.codecs.chorale.raster import STEP_TICKS
from seqgen_music.codecs.melody.line import (
    SILENT_BARS,
    WhichTrack,
    line_of,
    placed_line,
    placed_of,
    track_of,
    with_chords_of,
)
from seqgen_music.codecs.refusals import refuse_empty
from seqgen_music.filling import filled
from seqgen_music.keeping import Gap, gap_of, names_of
from seqgen_music.music import Music
from seqgen_music.rounding import rounded


def rewritten(
    kept: Kept,
    pieces: tuple[Music, Music],
    steps: int,
    track: WhichTrack,
    *,
    has_chords: bool,
) -> Music:
    """Return a piece of which parts stay, with the rest of a new one.

    Parameters
    ----------
    kept : Kept
    pieces : (Music, Music)
        The given piece encoded and decoded, and the new one decoded.
    steps : int
        Steps in a quarter.
    track : {"highest", "first"}
    has_chords : bool
        Whether the new piece has chords.
    """
    given, (before, after) = kept.piece, pieces
    gap, placed = _line_gap(kept, steps, track), placed_of(given, steps, track)
    whole = tuple(_in_time(piece, given, steps, track) for piece in (before, after))
    if has_chords and len(after.notes):
        new = with_chords_of(given, line_of(after, steps), steps, track)
        given = _with_chords_in(given, new.chords, _gap(kept, track))
    placed = replace(placed, onset=placed.onset + placed.later)
    return filled(given, (whole[0], whole[1]), placed, gap, is_even=True)


def free_steps(kept: Kept, steps: int, track: WhichTrack) -> NDArray[np.bool_]:
    """Return which steps of a piece's line are rewritten ``(steps,)``.

    Raises
    ------
    DataError
        As for `gap_of`; or if silence in the gap is so long that a line does not have all of it.
    """
    music, gap = kept.piece, _line_gap(kept, steps, track)
    line, starts, earlier = placed_line(music, steps, track_of(music, track))
    free = np.zeros(len(line.events), bool)
    for start, stop in (gap.spans // STEP_TICKS).tolist():
        before = max(int(np.searchsorted(starts, start, side="right")) - 1, 0)
        free[start - earlier[before] : stop - earlier[before]] = True
    if not free.any():
        raise DataError(f"there is nothing left to write: {kept.parts!r} keeps every note")
    return free


def _gap(kept: Kept, track: WhichTrack) -> Gap:
    """Return what of a melody is rewritten, in ticks of the piece."""
    refuse_empty(kept.piece)
    return gap_of(kept, names_of(kept.piece, [track_of(kept.piece, track)]))


def _line_gap(kept: Kept, steps: int, track: WhichTrack) -> Gap:
    """Return what of a melody is rewritten, in ticks of its grid.

    Raises
    ------
    DataError
        As for `gap_of`; or if silence in the gap is so long that a line does not have all of it.
    """
    music, number = kept.piece, track_of(kept.piece, track)
    gap = _gap(kept, track)
    spans = np.asarray(rounded(gap.spans, steps, music.ticks_per_quarter))
    _, starts, earlier = placed_line(music, steps, number)
    spans = np.maximum(spans, starts[0])
    around = earlier[np.maximum(np.searchsorted(starts, spans, side="right") - 1, 0)]  # (S, 2)
    if (around[:, 0] != around[:, 1]).any():
        raise DataError(
            f"{kept.parts!r} leaves bars with a silence of {SILENT_BARS} bars or more; this model "
            f"shortens such silences, so it can only rewrite bars without them"
        )
    return replace(gap, spans=spans * STEP_TICKS)


def _with_chords_in(music: Music, chords: Sequence[tuple[int, Chord | None]], gap: Gap) -> Music:
    """Return a piece with other chords in a gap, in ticks of the piece."""
    ticks = np.array([tick for tick, _ in music.chords], np.int64)
    gone = gap.has(np.full(len(ticks), gap.tracks[0]), ticks)
    kept = [chord for chord, lost in zip(music.chords, gone, strict=True) if not lost]
    # A chord that began in the gap goes on as it was given.
    kept_ticks = {tick for tick, _ in kept}
    for stop in gap.spans[:, 1].tolist():
        before = [chord for tick, chord in music.chords if tick <= stop]
        if before and stop < music.length and stop not in kept_ticks:
            kept.append((stop, before[-1]))
    # The chord after the gap may begin there.
    spans = [range(start, stop + 1) for start, stop in gap.spans.tolist()]
    new = [chord for chord in chords if any(chord[0] in span for span in spans)]
    return replace(music, chords=tuple(sorted(dict([*new, *kept]).items(), key=itemgetter(0))))


def _in_time(line: Music, music: Music, steps: int, track: WhichTrack) -> Music:
    """Return a decoded line of a piece with all the silence that the piece has."""
    number = track_of(music, track)
    whole, starts, earlier = placed_line(music, steps, number)
    late, notes = whole.late(steps), line.notes.copy()
    step = notes["onset"] // STEP_TICKS - late
    before = np.maximum(np.searchsorted(starts - earlier, step, side="right") - 1, 0)
    notes["onset"] += (earlier[before] - late) * STEP_TICKS
    return replace(line, notes=notes, metres=(), keys=(), chords=())
