"""Puts what a model wrote into a gap of a given piece; the rest stays, tick for tick.

N notes of a given piece.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen_music.joining import Placed, in_tracks, keys_of, make_even, together
from seqgen_music.keeping import Gap
from seqgen_music.music import NOTE, Music
from seqgen_music.retiming import Move, aligned, retimed

#: Onsets and ends of the notes of each track and pitch, in decoded ticks.
Lines: TypeAlias = "dict[int, list[tuple[int, int]]]"

#: Bits of a key (`keys_of`) that tell track and pitch.
NAME = (1 << 18) - 1


def filled(
    given: Music, pieces: tuple[Music, Music], placed: Placed, gap: Gap, *, is_even: bool = False
) -> Music:
    """Return a given piece with new notes in a gap.

    A note that begins before the gap ends where the model ends it. A note that begins in the gap
    and sounds after it belongs to the gap: where the model does not sing its pitch up to there, the
    rest of it begins with the bar. Tempo, metre, key and pedal stay; so do lyrics and fermatas,
    except those of notes that are gone.

    Parameters
    ----------
    given : Music
    pieces : (Music, Music)
        The given piece encoded and decoded, and the new one decoded. Outside the gap they have the
        same notes.
    placed : Placed
    gap : Gap
        In ticks of the decoded pieces, with tracks of the given one.
    is_even : bool
        Whether new notes are as loud as the given ones, because the codec has no velocities.
    """
    before, after = pieces
    gone = gap.has(given.notes["track"], placed.onset)
    keys, ours = placed.keys(given), given
    given, move = aligned(given, after)
    new = _new_notes(given, keys, pieces, set(keys[~gone].tolist()), move)
    crossing = ~gone & np.isin(given.notes["track"], gap.tracks)
    given = _ended(given, keys, crossing, gap, (_lines(before), _lines(after)), move)
    pressed = None if given.pressed is None else given.pressed[~gone]
    lost = set(given.notes[gone][["onset", "track"]].tolist())
    lost -= set(given.notes[~gone][["onset", "track"]].tolist())
    silent = {tick for tick, _ in lost} - set(given.notes["onset"][~gone].tolist())
    lyrics = tuple(
        each
        for each in given.lyrics
        if each[:2] not in lost and not (each[1] < 0 and each[0] in silent)
    )
    staying = replace(
        given,
        notes=given.notes[~gone],
        pressed=pressed,
        lyrics=lyrics,
        verses=tuple(each for each in given.verses if each[:2] not in lost),
        fermatas=tuple(each for each in given.fermatas if each not in lost),
    )
    # New notes belong to the tracks of the gap, also where another one has the same instrument.
    track = np.where(np.isin(ours.notes["track"], gap.tracks), placed.track, -1)
    staying, new = in_tracks(ours, staying, new, track)
    if is_even:
        make_even(staying, new)
    return together(staying, _apart(staying, new))


def _new_notes(
    given: Music,
    keys: NDArray[np.int64],
    pieces: tuple[Music, Music],
    stays: set[int],
    move: Move,
) -> Music:
    """Return the notes of a new piece that do not stay, in ticks of the given one.

    Where one ends as a given note of its track and pitch does, it ends at the tick of that note.

    Parameters
    ----------
    given : Music
    keys : int64 array (N,)
        Of its notes.
    pieces : (Music, Music)
        As for `filled`.
    stays : set of int
        Keys of the notes that stay.
    move : callable
        From decoded ticks to those of the given piece.
    """
    before, after = pieces
    ends = dict(zip(keys_of(before).tolist(), _stops(before).tolist(), strict=True))
    stop_of = {
        (key & NAME, ends[key]): stop
        for key, stop in zip(keys.tolist(), _stops(given).tolist(), strict=True)
        if key in ends
    }
    is_new = np.array([key not in stays for key in keys_of(after).tolist()], bool)
    new = replace(after, notes=after.notes[is_new], tempos=(), metres=(), keys=(), chords=())
    names = zip((keys_of(new) & NAME).tolist(), _stops(new).tolist(), strict=True)
    stops = [stop_of.get(name, 0) for name in names]
    new = retimed(new, move, given.ticks_per_quarter)
    lengths = np.array(stops, np.int64) - new.notes["onset"]
    new.notes["duration"] = np.where(lengths > 0, lengths, new.notes["duration"])
    return new


def _stops(music: Music) -> NDArray[np.int64]:
    return np.asarray(music.notes["onset"] + music.notes["duration"])


def _lines(music: Music) -> Lines:
    lines: Lines = {}
    keys = keys_of(music).tolist()
    for key, onset, stop in zip(keys, music.notes["onset"].tolist(), _stops(music), strict=True):
        lines.setdefault(key & NAME, []).append((onset, int(stop)))
    return lines


def _ended(
    given: Music,
    keys: NDArray[np.int64],
    crossing: NDArray[np.bool_],
    gap: Gap,
    lines: tuple[Lines, Lines],
    move: Move,
) -> Music:
    """Return a given piece in which notes that sound into a gap end where the new piece ends them.

    Parameters
    ----------
    given : Music
    keys : int64 array (N,)
        Of its notes.
    crossing : bool array (N,)
        Which may sound into the gap: those of its tracks that begin outside.
    gap : Gap
    lines : (Lines, Lines)
        Of the given piece as it is decoded and of the new one.
    move : callable
        From decoded ticks to those of the given piece.
    """
    rows, moved = given.notes.copy(), np.zeros(len(given.notes), bool)
    firsts = gap.spans[:, 0]
    for row in np.flatnonzero(crossing).tolist():
        onset, name = int(keys[row]) >> 18, int(keys[row]) & NAME
        first = firsts[np.searchsorted(firsts, onset) :][:1]
        old, new = (_sounding(each.get(name, []), onset) for each in lines)
        if not len(first) or new == old or min(old, new) < first[0]:
            continue
        start = int(rows["onset"][row])
        if start + int(rows["duration"][row]) > int(move(first)[0]):
            rows["duration"][row] = max(int(move(np.array(new))) - start, 1)
            moved[row] = True
    pressed = given.pressed
    if pressed is not None:
        pressed = np.where(moved, rows["duration"], pressed)
    return replace(given, notes=rows, pressed=pressed)


def _sounding(line: list[tuple[int, int]], tick: int) -> int:
    """Return where the note that sounds at a tick ends, or -1."""
    return next((stop for onset, stop in line if onset <= tick < stop), -1)


def _apart(given: Music, new: Music) -> Music:
    """Return new notes that do not sound while a given one of their pitch and track does.

    They would only where rounding moved them.
    """
    begun: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for onset, duration, pitch, _, track in given.notes.tolist():
        begun.setdefault((pitch, track), []).append((onset, onset + duration))
    rows = []
    for onset, duration, pitch, velocity, track in new.notes.tolist():
        others = begun.get((pitch, track), ())
        start = max([onset, *(stop for first, stop in others if first <= onset)])
        stop = min([onset + duration, *(first for first, _ in others if first > onset)])
        if stop > start:
            rows.append((start, stop - start, pitch, velocity, track))
    return replace(new, notes=np.array(rows, NOTE))
