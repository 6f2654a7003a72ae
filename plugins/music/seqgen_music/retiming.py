"""Moves the ticks of a piece, and puts two pieces on ticks that fit both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import gcd, lcm
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen_music.music import LONGEST_TICKS, MOST_TICKS_PER_QUARTER, Music

#: What moves ticks ``(M,)``.
Move: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.int64]]


def retimed(music: Music, move: Move, ticks_per_quarter: int) -> Music:
    """Return a piece with all its ticks moved; `move` keeps their order."""

    def at(ticks: Any) -> Any:
        return move(np.asarray(ticks, np.int64))

    def moved(events: tuple[Any, ...]) -> tuple[Any, ...]:
        ticks = at([event[0] for event in events]).tolist()
        return tuple((tick, *event[1:]) for tick, event in zip(ticks, events, strict=True))

    notes, tempos, pedals = music.notes.copy(), np.array(music.tempos), music.pedals.copy()
    notes["onset"] = at(music.notes["onset"])
    notes["duration"] = at(music.notes["onset"] + music.notes["duration"]) - notes["onset"]
    tempos["tick"], pedals["tick"] = at(tempos["tick"]), at(pedals["tick"])
    pressed = music.pressed
    if pressed is not None:
        pressed = at(music.notes["onset"] + pressed) - notes["onset"]
    return replace(
        music,
        notes=notes,
        ticks_per_quarter=ticks_per_quarter,
        tempos=tempos,
        metres=moved(music.metres),
        keys=moved(music.keys),
        pedals=pedals,
        pressed=pressed,
        lyrics=moved(music.lyrics),
        verses=moved(music.verses),
        fermatas=moved(music.fermatas),
        chords=moved(music.chords),
    )


def finer(music: Music, factor: int) -> Music:
    """Return a piece with more ticks to the quarter."""
    if factor == 1:
        return music
    return retimed(music, lambda ticks: ticks * factor, music.ticks_per_quarter * factor)


def aligned(given: Music, piece: Music) -> tuple[Music, Move]:
    """Return a given piece, and what moves the ticks of a decoded piece to its own.

    The given piece gets more ticks to the quarter if those of the decoded notes do not fit.
    """
    theirs, ours = given.ticks_per_quarter, piece.ticks_per_quarter
    notes = piece.notes
    unit = int(np.gcd.reduce(np.concatenate([[ours], notes["onset"], notes["duration"]])))
    quarter = ours // gcd(ours, unit)
    factor = lcm(theirs, quarter) // theirs
    if theirs * factor > MOST_TICKS_PER_QUARTER or 2 * given.length * factor > LONGEST_TICKS:
        factor = 1
    given = finer(given, factor)
    scale = Fraction(theirs * factor, ours)

    def move(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        doubled = 2 * ticks * scale.numerator + scale.denominator
        return np.asarray(doubled // (2 * scale.denominator))

    return given, move
