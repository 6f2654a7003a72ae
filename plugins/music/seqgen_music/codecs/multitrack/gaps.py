"""Rewrites bars or tracks of a piece: which notes stay, and the piece with new ones.

Next: `seqgen_music.codecs.multitrack.rewriting` follows a new piece around the notes that stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids, Kept
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.instruments import families
from seqgen_music.codecs.multitrack.layout import MultitrackLayout
from seqgen_music.codecs.multitrack.score import (
    EMPTY_BARS,
    STEP_TICKS,
    kept_bars,
    placed_of,
    program_name,
)
from seqgen_music.codecs.multitrack.states import latest, states_of
from seqgen_music.codecs.refusals import refuse_empty
from seqgen_music.filling import filled
from seqgen_music.joining import Placed, keys_of, within
from seqgen_music.keeping import Gap, gap_of, names_of
from seqgen_music.music import Music
from seqgen_music.rounding import rounded


class KeptNote(NamedTuple):
    """A note that stays: its bar, position and program as numbers, the rest as ids.

    A drum has the duration -1.
    """

    bar: int
    position: int
    program: int
    tempo: int
    velocity: int
    sound: int
    duration: int


@dataclass(frozen=True)
class Remaining:
    """What of an encoded piece stays, and where new notes may begin.

    Attributes
    ----------
    opening : list of int
        The ids before the first bar.
    lines : list of int
        The id that opens each bar.
    chords : int64 array (bars, 2)
        The chords of the halves of each bar, as ids; -1 where the model chooses them.
    notes : list of KeptNote
        In their order.
    free : bool array (bars, positions)
        Where new notes may begin.
    players : bool array (programs,)
        Which programs may play them.
    """

    opening: list[int]
    lines: list[int]
    chords: Ids
    notes: list[KeptNote]
    free: NDArray[np.bool_]
    players: NDArray[np.bool_]


def remaining(kept: Kept, ids: Ids, before: Music, layout: MultitrackLayout) -> Remaining:
    """Return what of a piece stays.

    Parameters
    ----------
    kept : Kept
    ids : int64 array (N,)
        Of its piece.
    before : Music
        These ids decoded.
    layout : MultitrackLayout

    Raises
    ------
    DataError
        As for `gap_of`; or if the codec leaves out a bar of the gap, or all is kept.
    """
    music, table, steps = kept.piece, layout.table, before.ticks_per_quarter // STEP_TICKS
    gap, placed = _on_grid(kept, before)
    gone = gap.has(music.notes["track"], placed.onset)
    stays = np.isin(keys_of(in_time(before, music)), placed.keys(music)[~gone])
    states, lines = states_of(ids, table, np.array(layout.bars)), layout.are(ids, "bar", "metre")
    at = np.flatnonzero(layout.are(ids, "pitch", "drum"))[stays]
    lasts = np.where(layout.are(ids[at], "pitch"), np.append(ids, -1)[at + 1], -1)
    columns = (
        *(states.lines[at] - 1, states.place[at] - 1, states.program[at] - 1),
        ids[latest(layout.are(ids, "tempo"))[at]],
        *(table.start("velocity") + states.velocity[at] - 1, ids[at], lasts),
    )
    places = np.arange(max(layout.bars))
    ticks = (kept_bars(music, steps)[0][:, None] + places) * STEP_TICKS  # (bars, positions)
    free = np.searchsorted(gap.spans.ravel(), ticks, side="right") % 2 == 1
    free &= places < np.array(layout.bars)[states.metres][:, None]
    if not free.any():
        raise DataError(f"there is nothing left to write: {kept.parts!r} keeps every note")
    players = np.zeros(len(layout.programs), bool)
    players[[layout.numbers.program[_program(music, track)] for track in gap.tracks]] = True
    opening = ids[: np.argmax(lines)].tolist()
    notes = [KeptNote(*row) for row in zip(*(each.tolist() for each in columns), strict=True)]
    chords = layout.table.start("chord") + layout.chords_of(ids)
    if not music.chords:
        chords[free.any(axis=1)] = -1
    return Remaining(opening, ids[lines].tolist(), chords, notes, free, players)


def rewritten(kept: Kept, pieces: tuple[Music, Music]) -> Music:
    """Return a piece of which parts stay, with the rest of a new one.

    Parameters
    ----------
    kept : Kept
    pieces : (Music, Music)
        The given piece encoded and decoded, and the new one decoded.
    """
    given, (before, after) = kept.piece, pieces
    gap, placed = _on_grid(kept, before)
    whole = in_time(before, given), in_time(within(after, before), given)
    return filled(given, whole, placed, gap)


def in_time(piece: Music, music: Music) -> Music:
    """Return a decoded piece of the bars of `music`, with the silence that the codec leaves out."""
    old, new, _ = kept_bars(music, piece.ticks_per_quarter // STEP_TICKS)
    notes = piece.notes.copy()
    bar = np.searchsorted(new, notes["onset"] // STEP_TICKS, side="right") - 1
    notes["onset"] += (old - new)[bar] * STEP_TICKS
    return replace(piece, notes=notes, metres=(), keys=())


def _on_grid(kept: Kept, before: Music) -> tuple[Gap, Placed]:
    """Return what is rewritten, and the notes of the piece, in ticks of its grid."""
    music, steps = kept.piece, before.ticks_per_quarter // STEP_TICKS
    refuse_empty(music)
    gap = gap_of(kept, _names(music))
    spans = np.asarray(rounded(gap.spans, steps, music.ticks_per_quarter))
    _, _, lost = kept_bars(music, steps)
    place = np.searchsorted(spans.ravel(), lost, side="right")
    if (place % 2 == 1).any():
        raise DataError(
            f"{kept.parts!r} leaves bars before the first note, or after {EMPTY_BARS} silent bars; "
            f"this model leaves out such bars; keep them, or begin the piece where it sounds"
        )
    placed = placed_of(music, steps, before.tracks)
    placed = replace(placed, onset=placed.onset + placed.later)
    return replace(gap, spans=spans * STEP_TICKS), placed


def _names(music: Music) -> Mapping[str, Iterable[int]]:
    """Return the tracks with notes by their names, and by those of their instruments."""
    tracks = np.unique(music.notes["track"]).tolist()
    named = names_of(music, tracks)
    instruments: dict[str, list[int]] = {}
    for track in tracks:
        program = _program(music, track)
        for name in dict.fromkeys((*families([program]), program_name(program).lower())):
            instruments.setdefault(name, []).append(track)
    return named | {name: instruments[name] for name in instruments if name not in named}


def _program(music: Music, track: int) -> int:
    """Return the program of a track, or `DRUMS`."""
    return DRUMS if music.tracks[track].drums else music.tracks[track].program
