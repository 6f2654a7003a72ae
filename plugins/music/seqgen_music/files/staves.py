"""The two staves of a keyboard: which tracks share a part, and which hand plays which note.

A piece may have both hands in one track, as MIDI and codecs have them. `seqgen_music.files.\
notation_writing` then writes them on two staves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seqgen_music.music import Music, Track

#: Programs of keyboards with two staves: pianos to clavinet, organs, celesta and harp.
KEYBOARDS = frozenset((*range(9), *range(16, 21), 46))

#: A track needs two staves if notes sound together, some below `LOW` and some above `HIGH`.
LOW, HIGH = 55, 64

#: Lowest pitches of the right hand that are tried, from C3 to C5.
SPLITS = np.arange(48, 73)

#: The lowest and highest pitch without many ledger lines in treble and in bass.
TREBLE_LOW, BASS_HIGH = 57, 63

#: Semitones that a hand reaches.
REACH = 12

#: Cost of a semitone beyond a staff, or beyond reach, and of a semitone by which the split moves.
LEDGER, STRETCH, MOVE = 1.0, 2.0, 0.25

#: Cost where a line goes on by at most `STEP` semitones in the other hand.
STEP, CROSSING = 4, 3.0


def with_two_staves(music: Music) -> tuple[Music, list[int]]:
    """Return a piece with a track for each staff, and the tracks that are an upper staff of two.

    The lower staff is the next track. Two neighbouring tracks of one name and keyboard are the
    staves of a part. A track of a keyboard that needs two staves becomes two.
    """
    tracks: list[Track] = []
    uppers: list[int] = []
    track_of = np.zeros(len(music.notes), np.uint16)
    both = set[int]()
    number_of = np.zeros(len(music.tracks) + 1, np.int64)  # the last one is -1, the whole piece
    for number, track in enumerate(music.tracks):
        number_of[number] = len(tracks)
        mine = np.flatnonzero(music.notes["track"] == number)
        track_of[mine] = len(tracks)
        if _joins(music.tracks, number):
            uppers.append(len(tracks) - 1)
            if _mean(music, number - 1) < _mean(music, number):
                # The left hand came first.
                track_of[music.notes["track"] == number - 1] = len(tracks)
                track_of[mine] = len(tracks) - 1
                number_of[number - 1], number_of[number] = len(tracks), len(tracks) - 1
        elif _needs_two(music, number, mine):
            uppers.append(len(tracks))
            track_of[mine] += _left_hand(music.notes[mine])
            tracks.append(track)
            both.add(number)
        tracks.append(track)
    number_of[-1] = -1
    fermatas = {(tick, int(number_of[of])) for tick, of in music.fermatas}
    fermatas |= {(tick, int(number_of[of]) + 1) for tick, of in music.fermatas if of in both}
    notes, pedals = music.notes.copy(), music.pedals.copy()
    notes["track"], pedals["track"] = track_of, number_of[pedals["track"]]
    order = np.lexsort((notes["pitch"], notes["track"], notes["onset"]))
    return (
        replace(
            music,
            notes=notes[order],
            tracks=tuple(tracks),
            pedals=pedals,
            pressed=None if music.pressed is None else music.pressed[order],
            lyrics=tuple((tick, int(number_of[of]), text) for tick, of, text in music.lyrics),
            verses=tuple(
                (tick, int(number_of[of]), text, verse) for tick, of, text, verse in music.verses
            ),
            fermatas=tuple(sorted(fermatas)),
        ),
        uppers,
    )


def _joins(tracks: tuple[Track, ...], number: int) -> bool:
    """Return whether a track is the lower staff of the track before it."""

    def twins(first: int) -> bool:
        return 0 <= first < len(tracks) - 1 and tracks[first] == tracks[first + 1]

    track = tracks[number]
    is_keyboard = bool(track.label) and not track.drums and track.program in KEYBOARDS
    return is_keyboard and twins(number - 1) and not twins(number - 2) and not twins(number)


def _mean(music: Music, number: int) -> float:
    """Return the mean pitch of a track; 0 if it has no note."""
    pitches = music.notes["pitch"][music.notes["track"] == number]
    return float(pitches.mean()) if len(pitches) else 0.0


def _needs_two(music: Music, number: int, mine: NDArray[np.intp]) -> bool:
    track, notes = music.tracks[number], music.notes[mine]
    neighbours = music.tracks[max(number - 1, 0) : number] + music.tracks[number + 1 : number + 2]
    if track.drums or track.program not in KEYBOARDS or track in neighbours or not len(notes):
        return False
    ends = np.maximum.accumulate(notes["onset"] + notes["duration"])
    together = bool((notes["onset"][1:] < ends[:-1]).any())
    return together and bool((notes["pitch"] < LOW).any() and (notes["pitch"] > HIGH).any())


def _left_hand(notes: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return which notes of a keyboard ``(N,)`` the left hand plays.

    At each onset all notes below a split are the left hand's. The splits are those of the lowest
    total cost: staves with few ledger lines, hands that reach their notes, lines that stay in a
    hand, and a split that moves little (Viterbi's algorithm).
    """
    onsets, first = np.unique(notes["onset"], return_index=True)  # (C,)
    pitches = notes["pitch"].astype(np.int64)
    costs = _hand_costs(pitches, first)
    ends = [extreme.reduceat(pitches, first) for extreme in (np.minimum, np.maximum)]
    near = [np.abs(np.diff(each, prepend=each[0])) <= STEP for each in ends]
    is_left = np.arange(128)[:, None] < SPLITS  # (pitches, S)
    move = MOVE * np.abs(SPLITS[:, None] - SPLITS)  # (from S, to S)
    cost = costs[0]
    came_from = np.zeros(costs.shape, np.int8)
    for number in range(1, len(onsets)):
        total = cost[:, None] + move
        for end, goes_on in zip(ends, near, strict=True):
            if goes_on[number]:
                one, two = is_left[end[number - 1]], is_left[end[number]]
                total += CROSSING * (one[:, None] != two)
        came_from[number] = total.argmin(axis=0)
        cost = total.min(axis=0) + costs[number]
    splits = np.zeros(len(onsets), np.int64)
    state = int(cost.argmin())
    for number in range(len(onsets) - 1, -1, -1):
        splits[number] = SPLITS[state]
        state = int(came_from[number, state])
    return np.asarray(notes["pitch"] < splits[np.searchsorted(onsets, notes["onset"])])


def _hand_costs(pitches: NDArray[np.int64], first: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return what each chord costs with each split ``(C, S)``.

    Parameters
    ----------
    pitches : int64 array (N,)
        Of all chords in turn.
    first : int array (C,)
        The first note of each chord.
    """
    costs = np.zeros((len(first), len(SPLITS)))
    for number, split in enumerate(SPLITS.tolist()):
        is_left = pitches < split
        beyond = np.where(is_left, pitches - BASS_HIGH, TREBLE_LOW - pitches).clip(min=0)
        costs[:, number] = LEDGER * np.add.reduceat(beyond, first)
        for mine in (is_left, ~is_left):
            lowest = np.minimum.reduceat(np.where(mine, pitches, 128), first)
            highest = np.maximum.reduceat(np.where(mine, pitches, -1), first)
            costs[:, number] += STRETCH * (highest - lowest - REACH).clip(min=0)
    return costs
