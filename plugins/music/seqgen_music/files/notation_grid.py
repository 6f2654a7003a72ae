"""The grid of a notated piece: bars, the division of each quarter, and the values of notes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen_music.files.lyrics import by_track, numbered
from seqgen_music.files.midi_writing import playable
from seqgen_music.music import Music, changes
from seqgen_music.rounding import rounded

#: Units in a quarter note. All divisions below divide it.
GRID = 480

#: Into how many parts a quarter may be divided, from the plainest to 128ths.
STRAIGHT, TUPLETS = (4, 8, 16, 32), (3, 6, 5, 12, 10, 24)
DIVISIONS = (4, 3, 8, 6, 5, 16, 12, 10, 32, 24)

#: Bars in a row in which all notes must begin exactly on a division, so that all divisions are
#: used there. In other bars, which were played, a quarter is divided by four or by three.
EXACT = 4

#: Lengths in units that one note can have, from a sixteenth to a dotted whole.
VALUES = tuple(GRID * sixteenths // 4 for sixteenths in (24, 16, 12, 8, 6, 4, 3, 2, 1))
WHOLE = tuple(value for value in VALUES if value % GRID == 0)

#: Numbers of parts of a quarter that one note can have, in straight divisions and in tuplets.
STRAIGHT_PARTS, TUPLET_PARTS = (24, 16, 12, 8, 6, 4, 3, 2, 1), (16, 8, 4, 2, 1)


def on_grid(music: Music) -> Music:
    """Return the piece as it is notated, with `GRID` units in a quarter.

    In each track, every quarter of a bar gets the plainest division that all starts and ends in it
    are on, or all starts. In bars that were played it is divided by four or by three, whichever is
    nearer to the starts and ends. A note lasts at least a part, and ends where
    its pitch begins again. Bars are rounded to sixteenths, and keys change only at bar lines.
    A syllable belongs to the note that begins next to it.
    """
    bars, lines = bar_lines(music)
    kept, fermatas = [], set[tuple[int, int]]()
    sung, syllables = by_track(music), defaultdict[tuple[int, int], dict[int, str]](dict)
    for number in range(len(music.tracks)):
        notes = music.notes[music.notes["track"] == number]
        held = np.isin(notes["onset"], [at for at, track in music.fermatas if track == number])
        onsets = notes["onset"].copy()
        notes["onset"], notes["duration"] = _placed(notes, bars, lines, music.ticks_per_quarter)
        fermatas |= {(at, number) for at in notes["onset"][held].tolist()}
        for tick, text, verse in sung.get(number, ()) if len(notes) else ():
            place = int(notes["onset"][np.abs(onsets - tick).argmin()])
            there = syllables[number, verse]
            there[place] = there.get(place, "") + text
        kept.append(playable(notes))
    lyrics, verses = numbered(syllables)
    notes = np.concatenate([music.notes[:0], *kept])
    end = int(bars[-1]) + music.last_bar()

    def moved(events: Iterable[Any]) -> tuple[Any, ...]:
        places = ((int(lines[_bar_of(each[0], bars)]), each) for each in events if each[0] < end)
        return changes((place, *event[1:]) for place, event in places)

    def on_lines(ticks: Any) -> NDArray[np.int64]:
        bar = _bar_of(ticks, bars)
        place = rounded(ticks - bars[bar], GRID, music.ticks_per_quarter)
        return np.asarray(np.minimum(lines[bar] + place, lines[bar + 1]))

    def at(tick: int) -> int:
        return int(on_lines(tick))

    pedals = music.pedals.copy()
    pedals["tick"] = on_lines(pedals["tick"])
    return Music(
        notes[np.lexsort((notes["pitch"], notes["track"], notes["onset"]))],
        music.tracks,
        GRID,
        changes((at(tick), qpm) for tick, qpm in np.asarray(music.tempos).tolist()),
        moved(music.metres),
        moved(key for key in music.keys if -7 <= key[1] <= 7),
        lyrics=lyrics,
        verses=verses,
        pedals=pedals,
        fermatas=tuple(sorted(fermatas)),
        chords=changes((at(tick), chord) for tick, chord in music.chords if tick < music.length),
    )


def bar_lines(music: Music) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ticks of bar lines ``(B,)``, and their units on the grid ``(B + 1,)``."""
    bars = np.array(music.bar_starts())
    lengths = np.diff(bars, append=bars[-1] + music.last_bar())
    sixteenths = rounded(lengths, 4, music.ticks_per_quarter)
    lengths = np.maximum(sixteenths, 1) * (GRID // 4)
    return bars, np.concatenate([[0], np.cumsum(lengths)])


def _bar_of(ticks: Any, bars: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted(bars, ticks, side="right") - 1)


def _placed(
    notes: NDArray[np.void], bars: NDArray[np.int64], lines: NDArray[np.int64], quarter: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return onsets and durations ``(N,)`` of the notes of one track on the grid."""
    edges = np.concatenate([notes["onset"], notes["onset"] + notes["duration"]])
    bar = _bar_of(edges, bars)
    beat, rest = np.divmod(edges - bars[bar], quarter)
    begins = lines[bar] + beat * GRID
    quarters, inverse = np.unique(begins, return_inverse=True)
    after = np.searchsorted(lines, quarters, side="right").clip(max=len(lines) - 1)
    cut = quarters + GRID > lines[after]
    fitting, nearest = _divisions(rest, quarter, inverse, cut)  # (Q,), (Q,)
    played = np.bincount(after[fitting == 0] - 1, minlength=len(bars)) > 0  # (B,)
    parts = np.where(_in_long_run(~played)[after - 1], fitting, nearest)
    part = GRID // parts[inverse]
    placed = begins + rounded(rest * parts[inverse], 1, quarter) * part
    placed = np.minimum(placed, lines[bar + 1])
    starts, stops, least = placed[: len(notes)], placed[len(notes) :], part[: len(notes)]
    # A note of the last moment begins before the last bar line.
    starts = np.minimum(starts, lines[-1] - np.minimum(least, lines[-1]))
    return starts, np.maximum(stops - starts, least)


def _divisions(
    rest: NDArray[np.int64], quarter: int, inverse: NDArray[np.intp], cut: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the division that each quarter fits, 0 if there is none, and the nearest ``(Q,)``.

    Parameters
    ----------
    rest : int64 array (2N,)
        Ticks of starts, then of ends, within their quarter.
    quarter : int
        Ticks in a quarter.
    inverse : int array (2N,)
        The quarter of each.
    cut : bool array (Q,)
        Whether a bar line cuts the quarter, so that it holds no tuplet.
    """
    count, notes = len(cut), len(rest) // 2
    off = {parts: _distance(rest, parts, quarter) for parts in DIVISIONS}
    on = {parts: off[parts] <= _tolerance(parts, quarter) for parts in DIVISIONS}
    fitting = np.zeros(count, np.int64)
    # First divisions that all edges are on, then those that all starts are on.
    for edges in (slice(None), slice(notes)):
        for parts in DIVISIONS:
            late = np.bincount(inverse[edges], ~on[parts][edges], count) > 0
            fits = ~late & ~(cut & (parts in TUPLETS))
            fitting = np.where((fitting == 0) & fits, parts, fitting)
    # How much nearer three is than four, summed over the quarter.
    gain = np.bincount(inverse, off[4] - off[3], count) / quarter
    return fitting, np.where((gain > 1e-6 / GRID) & ~cut, 3, 4)


def _in_long_run(fits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which bars ``(B,)`` are in a run of `EXACT` that fit, or of all bars."""
    change = np.flatnonzero(np.diff(fits)) + 1
    runs = np.split(fits, change)
    long = [run.all() & (len(run) >= min(EXACT, len(fits))) for run in runs]
    return np.repeat(long, [len(run) for run in runs])


def _distance(rest: NDArray[np.int64], parts: int, quarter: int) -> NDArray[np.float64]:
    """Return how many ticks each place ``(M,)`` is from the nearest of some parts of a quarter."""
    return np.asarray(np.abs(rest - np.rint(rest * parts / quarter) * quarter / parts))


def _tolerance(parts: int, quarter: int) -> float:
    """Return how many ticks a place may be off, where a part is no whole number of many ticks."""
    return 0.5 if quarter >= 16 * parts else 1e-6


def written_value(start: int, end: int) -> int:
    """Return the end of one written note from `start` in a bar, at most `end`."""
    if start % (GRID // 4) == 0 and end - start in VALUES:
        return end
    if start % GRID == 0 and end - start >= GRID:
        return start + next(value for value in WHOLE if value <= end - start)
    end = min(end, start - start % GRID + GRID)
    lengths = (GRID // parts for parts in DIVISIONS)
    part = next((one for one in lengths if not start % one and not end % one), end - start)
    known = STRAIGHT_PARTS if GRID // part in STRAIGHT else TUPLET_PARTS
    return start + part * next(count for count in known if count * part <= end - start)
