"""Voices of a notated piece: notes that overlap are set apart, and cut into written values.

Comes from: `seqgen_music.files.notation_grid`. Next: `notation_writing` and `abc_writing`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen_music.bars import Metre
from seqgen_music.files.notation_grid import bar_lines, written_value
from seqgen_music.music import Music


class Stack(NamedTuple):
    """Notes that begin and end together.

    Attributes
    ----------
    start, end : int
        On the grid.
    sound : list of (pitch, velocity)
    """

    start: int
    end: int
    sound: list[tuple[int, int]]


class Segment(NamedTuple):
    """A written note, chord or rest.

    Attributes
    ----------
    offset : int
        In the bar, on the grid.
    length : int
    sound : list of (pitch, velocity)
        Empty for a rest.
    tie : str
        "start", "continue", "stop" or "".
    fermata : bool
    """

    offset: int
    length: int
    sound: list[tuple[int, int]]
    tie: str
    fermata: bool


def score_lines(music: Music, notated: Music) -> list[int]:
    """Return the bar lines of a score; the last bar leaves room for the upbeat of a repeat.

    Parameters
    ----------
    music, notated : Music
        A piece, and the same on the grid.
    """
    lines: list[int] = bar_lines(music)[1].tolist()
    shorter = lines[-1] - notated.upbeat
    if shorter > lines[-2] and notated.length <= shorter:
        lines[-1] = shorter
    # A note at the last bar line still lasts a step.
    lines[-1] = max(lines[-1], notated.length)
    return lines


def written_metres(notated: Music) -> dict[int, Metre]:
    """Return the metres of a piece on the grid by place; an upbeat has that of the next bar."""
    metres = {tick: (beats, unit) for tick, beats, unit in notated.metre_changes()}
    if notated.upbeat:
        metres[0] = metres.pop(notated.upbeat)
    return metres


def voices_of(notes: NDArray[np.void]) -> list[list[Stack]]:
    """Distribute notes ``(N,)`` to one or more voices in which nothing overlaps."""
    sounds: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for onset, duration, pitch, velocity, _ in notes.tolist():
        sounds[onset, onset + duration].append((pitch, velocity))
    voices: list[list[Stack]] = [[]]
    for (start, end), sound in sorted(sounds.items()):
        free = [voice for voice in voices if not voice or voice[-1].end <= start]
        if not free:
            voices.append([])
            free = voices[-1:]
        free[0].append(Stack(start, end, sound))
    return voices


def cut(
    voice: list[Stack], lines: list[int], held: Collection[int], places: Sequence[int] = ()
) -> list[list[Segment]]:
    """Cut a voice and its rests at bar lines and other places, and into written values.

    Parameters
    ----------
    voice : list of Stack
    lines : list of int
        The bar lines.
    held : collection of int
        Notes that begin there have a fermata, at the last of their values.
    places : sequence of int
        Where else something begins, such as a chord symbol; rising.
    """
    filled, at = list[Stack](), 0
    for stack in [*voice, Stack(lines[-1], lines[-1], [])]:
        filled += [Stack(at, stack.start, []), stack]
        at = stack.end
    bars: list[list[Segment]] = [[] for _ in lines[:-1]]
    for start, end, sound in filled:
        at = start
        while at < end:
            bar = bisect_right(lines, at) - 1
            following = bisect_right(places, at)
            stop = min([end, lines[bar + 1], *places[following : following + 1]])
            stop = lines[bar] + written_value(at - lines[bar], stop - lines[bar])
            tie = _tie(at > start, stop < end)
            fermata = bool(sound) and start in held and stop == end
            bars[bar].append(Segment(at - lines[bar], stop - at, sound, tie, fermata))
            at = stop
    return bars


def _tie(continues: bool, goes_on: bool) -> str:
    if continues:
        return "continue" if goes_on else "stop"
    return "start" if goes_on else ""
