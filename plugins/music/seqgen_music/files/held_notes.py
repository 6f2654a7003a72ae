"""The sustain pedal of a score: its signs become moves, and notes last until it comes up.

`seqgen_music.files.midi_notes` does the same for MIDI, where a note that ends as the pedal goes
down is held. In a score it is not: the sign stands at the next note.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from seqgen_music.music import MOST_MOVES, PEDAL, Music

#: Ticks, and whether the pedal goes down there.
Signs: TypeAlias = Sequence[tuple[int, bool]]

#: Values of `PEDAL` of a pedal that is all the way up or down.
UP, FULLY_DOWN = 0, 127


def sustained(music: Music, signs: Mapping[int, Signs], part_of: Sequence[int]) -> Music:
    """Return a piece whose notes sound until the pedal of their part comes up.

    A note ends earlier where its pitch begins again in its part. Drums have no pedal.

    Parameters
    ----------
    music : Music
        Notes as long as they are written.
    signs : mapping of int to sequence of (int, bool)
        Those of each part, in the order of the score.
    part_of : sequence of int
        The part of each track.
    """
    notes, moves = music.notes.copy(), list[tuple[int, int, int]]()
    for part, given in signs.items():
        tracks = [
            number
            for number, track in enumerate(music.tracks)
            if part_of[number] == part and not track.drums
        ]
        mine = np.flatnonzero(np.isin(notes["track"], tracks))
        if not given or not len(mine):
            continue
        ends = notes["onset"][mine] + notes["duration"][mine]
        changed = _changes(given, int(ends.max()))
        lasts = zip(notes["onset"][mine].tolist(), ends.tolist(), strict=True)
        released = _releases([*lasts], notes["pitch"][mine].tolist(), changed)
        notes["duration"][mine] = np.array(released) - notes["onset"][mine]
        if len(moves) + len(tracks) * len(changed) <= MOST_MOVES:
            moves += [
                (tick, track, FULLY_DOWN if down else UP)
                for tick, down in changed
                for track in tracks
            ]
    if not moves:
        return replace(music, notes=notes)
    pedals = np.array(sorted(moves, key=lambda move: move[0]), PEDAL)
    return replace(music, notes=notes, pedals=pedals, pressed=music.notes["duration"].copy())


def _changes(signs: Signs, end: int) -> list[tuple[int, bool]]:
    """Return where a pedal goes down and comes up in turn, up to the last tick `end`.

    A sign to go down while the pedal is down is a change: it comes up, and goes down again.
    """
    found: list[tuple[int, bool]] = []
    for tick, down in sorted(
        ((min(tick, end), down) for tick, down in signs), key=lambda at: at[0]
    ):
        is_down = bool(found) and found[-1][1]
        if down and is_down and found[-1][0] < tick:
            found.append((tick, False))
        if down != (bool(found) and found[-1][1]):
            found.append((tick, down))
    return [*found, (end, False)] if found and found[-1][1] else found


def _releases(
    lasts: Sequence[tuple[int, int]], pitches: Sequence[int], changed: Signs
) -> list[int]:
    """Return the tick at which each note ends.

    Parameters
    ----------
    lasts : sequence of (int, int)
        Where each note begins, and where its written length ends.
    pitches : sequence of int
    changed : sequence of (int, bool)
        As `_changes` returns.
    """
    onsets = defaultdict[int, list[int]](list)
    for (onset, _), pitch in zip(lasts, pitches, strict=True):
        onsets[pitch].append(onset)
    for same in onsets.values():
        same.sort()
    ticks, found = [tick for tick, _ in changed], []
    for (onset, end), pitch in zip(lasts, pitches, strict=True):
        before = bisect_left(ticks, end) - 1
        if before >= 0 and changed[before][1]:
            following = bisect_right(onsets[pitch], onset)
            again = onsets[pitch][following : following + 1]
            end = max(end, min([ticks[before + 1], *again]))
        found.append(end)
    return found
