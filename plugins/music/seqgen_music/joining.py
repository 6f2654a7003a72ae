"""Joins a given piece and what a model wrote after it or beside it.

A codec rounds what it encodes, and leaves things out. So of the decoded piece only the new part is
taken, and the given part is the user's, tick for tick.

N notes of a given piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen_music.music import PEDAL, Music, changes
from seqgen_music.retiming import Move, aligned, retimed

#: Returns a given piece, and what moves the ticks of a decoded piece to those of the given one.
Timing: TypeAlias = Callable[[Music], tuple[Music, Move]]

#: Value from which a pedal is down.
DOWN = 64


@dataclass(frozen=True)
class Placed:
    """A given piece as a codec sees it, in ticks of the pieces that the codec decodes.

    Attributes
    ----------
    onset, track : int64 array (N,)
        Where each note begins, and its track; -1 if the codec leaves the note out.
    later : int64 array (N,)
        How much later the given piece has each note, where the codec leaves silence out.
    """

    onset: NDArray[np.int64]
    track: NDArray[np.int64]
    later: NDArray[np.int64]

    def keys(self, music: Music) -> NDArray[np.int64]:
        """Return what tells the notes of the given piece apart ``(N,)``, as `keys_of` does."""
        return _packed(self.onset, self.track, music.notes["pitch"])

    def begun(self, music: Music, head: Music, tick: int) -> NDArray[np.bool_]:
        """Return which notes begin before a tick, or in a decoded beginning ``(N,)``."""
        return np.asarray((self.onset < tick) | np.isin(self.keys(music), keys_of(head)))


@dataclass(frozen=True)
class Seam:
    """Where the prompt ends and the new part begins.

    Attributes
    ----------
    tick : int
        In the decoded piece.
    kept : bool array (N,)
        Which notes of the given piece begin in the prompt.
    is_whole : bool
        Whether the prompt is the whole piece.
    ends_open : bool
        Whether the end of a note that sounds at the seam comes from tokens after it.
    """

    tick: int
    kept: NDArray[np.bool_]
    is_whole: bool
    ends_open: bool = True

    @classmethod
    def at(
        cls, tick: int, begun: NDArray[np.bool_], *, is_whole: bool, ends_open: bool = True
    ) -> Self:
        """Return a seam after the notes that have begun, or after all of a whole piece."""
        return cls(tick, begun | is_whole, is_whole, ends_open)


def beginning(given: Music, kept: NDArray[np.bool_], seam: int) -> Music:
    """Return the notes of a piece that are kept, and all else before tick `seam`.

    Where a pedal is down at the seam it comes up there.
    """
    notes, pressed = given.notes[kept], given.pressed
    pedals = given.pedals[given.pedals["tick"] < seam]
    last = {int(track): int(value) for _, track, value in pedals.tolist()}
    ups = [(seam, track, 0) for track, value in sorted(last.items()) if value >= DOWN]
    if pressed is not None:
        over = notes["onset"] + notes["duration"] > seam
        pressed = np.where(over, notes["duration"], pressed[kept])
    return replace(
        given,
        notes=notes,
        tempos=np.asarray(given.tempos)[np.asarray(given.tempos)["tick"] < seam],
        metres=tuple(metre for metre in given.metres if metre[0] < seam),
        keys=tuple(key for key in given.keys if key[0] < seam),
        pedals=np.concatenate([pedals, np.array(ups, PEDAL)]),
        pressed=pressed,
        lyrics=tuple(lyric for lyric in given.lyrics if lyric[0] < seam),
        verses=tuple(lyric for lyric in given.verses if lyric[0] < seam),
        fermatas=tuple(fermata for fermata in given.fermatas if fermata[0] < seam),
        chords=tuple(chord for chord in given.chords if chord[0] < seam),
    )


def joined(
    given: Music,
    pieces: tuple[Music, Music],
    placed: Placed,
    seam: Seam,
    timing: Timing | None = None,
    *,
    is_even: bool = False,
) -> Music:
    """Return a given piece up to the seam, and what a decoded piece has after it.

    A given note that ends at the seam or before keeps its end. If the model holds it, a new note
    begins at the seam. A given note that sounds across the seam ends where the model ends it, or,
    if the codec says the length of a note at its beginning, where the user ended it. A new note
    waits until a given one of its pitch and track has ended.

    Parameters
    ----------
    given : Music
    pieces : (Music, Music)
        The decoded prompt, and the decoded piece that begins with it.
    placed : Placed
    seam : Seam
    timing : callable, optional
        By default `aligned`: quarters are quarters.
    is_even : bool
        Whether new notes are as loud as the given ones, because the codec has no velocities.
    """
    head, piece = pieces
    new = _new_part(head, piece)
    if timing is None:
        going_on = _going_on(piece, np.zeros(0, np.int64), seam.tick)
        unheard = np.concatenate([new.notes, going_on]) if seam.ends_open else new.notes
        timing = partial(aligned, piece=replace(piece, notes=unheard))
    seen = np.flatnonzero(seam.kept & (placed.track >= 0))[-1:]
    later, keys, ours = placed.later[seen].sum(), placed.keys(given), given
    given, scale = timing(given)
    tick = int(scale(np.array(seam.tick) + later))
    if not seam.is_whole:
        given, scale = timing(beginning(given, seam.kept, tick))
        keys = keys[seam.kept]

    def move(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        return scale(ticks + later)

    if seam.ends_open:
        open_keys = keys[:0]
        if not seam.is_whole:
            given, open_keys = _ended(given, keys, piece, move, tick)
        held = _going_on(piece, open_keys, seam.tick)
        new = replace(new, notes=np.concatenate([held, new.notes]))
    new = retimed(new, move, given.ticks_per_quarter)
    if not piece.chords and given.chords and len(new.notes):
        # The codec knows no chords: those of the prompt end with it.
        given = replace(given, chords=changes([*given.chords, (tick, None)]))
    given, new = in_tracks(ours, given, new, placed.track)
    if is_even:
        make_even(given, new)
    metres = new.metres or _metre_at(given, piece, seam.tick, move, tick)
    return together(given, replace(_waited(given, new), metres=metres))


def keys_of(music: Music) -> NDArray[np.int64]:
    """Return onset, track and pitch of each note in one number ``(M,)``."""
    notes = music.notes
    return _packed(notes["onset"], notes["track"].astype(np.int64), notes["pitch"])


def _packed(onset: Any, track: Any, pitch: Any) -> NDArray[np.int64]:
    return np.asarray((onset << 18) + ((track + 1) << 7) + pitch.astype(np.int64))


def within(head: Music, piece: Music) -> Music:
    """Return a decoded beginning with the tracks of the piece that it is the beginning of."""
    number_of = [piece.tracks.index(track) for track in head.tracks if track in piece.tracks]
    if len(number_of) < len(head.tracks):
        return head
    notes = head.notes.copy()
    notes["track"] = np.array(number_of, np.uint16)[notes["track"]]
    return replace(head, notes=notes, tracks=piece.tracks)


def _new_part(head: Music, piece: Music) -> Music:
    """Return the notes, tempos, metres and chords that the beginning of a piece does not have."""
    new = ~np.isin(keys_of(piece), keys_of(within(head, piece)))
    old = set(map(tuple, np.asarray(head.tempos).tolist()))
    tempos = [tempo for tempo in np.asarray(piece.tempos).tolist() if tempo not in old]
    metres = tuple(metre for metre in piece.metres if metre not in head.metres)
    chords = tuple(chord for chord in piece.chords if chord not in head.chords)
    notes = piece.notes[new]
    begun = set(zip(notes["onset"].tolist(), notes["track"].tolist(), strict=True))
    return replace(
        piece,
        notes=notes,
        tempos=tempos,
        metres=metres,
        keys=(),
        fermatas=tuple(fermata for fermata in piece.fermatas if fermata in begun),
        chords=chords,
    )


def _ended(
    given: Music, keys: NDArray[np.int64], piece: Music, move: Move, tick: int
) -> tuple[Music, NDArray[np.int64]]:
    """End the given notes that sound across the seam as the piece does; return their keys.

    Parameters
    ----------
    given : Music
    keys : int64 array (N,)
        Of its notes, as `keys_of` those of the piece.
    piece : Music
    move : callable
        From ticks of the piece to those of the given piece.
    tick : int
        The seam in the given piece.
    """
    ends = piece.notes["onset"] + piece.notes["duration"]
    end_of = dict(zip(keys_of(piece).tolist(), ends.tolist(), strict=True))
    stops = given.notes["onset"] + given.notes["duration"]
    rows = given.notes.copy()
    ended = set()
    for row in np.flatnonzero(stops > tick).tolist():
        if (key := int(keys[row])) in end_of:
            stop = max(int(move(np.array(end_of[key]))), tick, int(rows["onset"][row]) + 1)
            rows["duration"][row] = stop - rows["onset"][row]
            ended.add(key)
    pressed = given.pressed
    if pressed is not None:
        pressed = np.where(stops > tick, rows["duration"], pressed)
    return replace(given, notes=rows, pressed=pressed), np.array(sorted(ended), np.int64)


def _going_on(piece: Music, ended: NDArray[np.int64], seam: int) -> NDArray[np.void]:
    """Return new notes at the seam for those that the piece holds there, but for `ended` ones."""
    ends = piece.notes["onset"] + piece.notes["duration"]
    held = (piece.notes["onset"] < seam) & (ends > seam) & ~np.isin(keys_of(piece), ended)
    notes: NDArray[np.void] = piece.notes[held]
    notes["onset"], notes["duration"] = seam, ends[held] - seam
    return notes


def in_tracks(
    ours: Music, given: Music, new: Music, track: NDArray[np.int64]
) -> tuple[Music, Music]:
    """Return the given piece and the new part with the same tracks.

    A new note goes to the given track that its own track was read from; of several to the one whose
    mean pitch is nearest. Tracks that were not given are added.

    Parameters
    ----------
    ours : Music
        The whole given piece.
    given, new : Music
    track : int64 array (N,)
        As `Placed.track`.
    """
    tracks, notes = list(given.tracks), new.notes.copy()
    pitches = ours.notes["pitch"].astype(np.float64)
    for number in np.unique(new.notes["track"]).tolist():
        mine = new.notes["track"] == number
        known = np.unique(ours.notes["track"][track == number])
        if not len(known):
            notes["track"][mine] = len(tracks)
            tracks.append(new.tracks[number])
            continue
        means = np.array([pitches[ours.notes["track"] == one].mean() for one in known])
        distance = np.abs(new.notes["pitch"][mine][:, None] - means)  # (M, tracks)
        notes["track"][mine] = known[distance.argmin(axis=1)]
    begun = zip(new.notes["onset"].tolist(), new.notes["track"].tolist(), strict=True)
    track_of = dict(zip(begun, notes["track"].tolist(), strict=True))
    fermatas = ((at, track_of[at, old]) for at, old in new.fermatas if (at, old) in track_of)
    given = replace(given, tracks=tuple(tracks))
    return given, replace(new, notes=notes, tracks=given.tracks, fermatas=tuple(fermatas))


def make_even(given: Music, new: Music) -> None:
    """Give new notes the median velocity of the given ones of their track, or of all."""
    for number in np.unique(new.notes["track"]).tolist():
        same = given.notes["track"] == number
        loud = given.notes["velocity"][same] if same.any() else given.notes["velocity"]
        if len(loud):
            new.notes["velocity"][new.notes["track"] == number] = int(np.median(loud))


def _metre_at(
    given: Music, piece: Music, seam: int, move: Move, tick: int
) -> tuple[tuple[int, int, int], ...]:
    """Return the metre of the new part, from its first bar line on, if the given one differs."""
    if not piece.metres:
        return ()
    theirs = [metre[1:] for metre in piece.metre_changes() if metre[0] <= seam][-1]
    ours = [metre[1:] for metre in given.metre_changes() if metre[0] <= tick][-1]
    lines = [line for line in piece.bar_starts() if line >= seam]
    if theirs == ours or not lines:
        return ()
    return ((int(move(np.array(lines[0]))), *theirs),)


def _waited(given: Music, new: Music) -> Music:
    """Return a new part whose notes wait for the given ones of their pitch and track."""
    ends: dict[tuple[int, int], int] = {}
    for onset, duration, pitch, _, track in given.notes.tolist():
        ends[pitch, track] = max(ends.get((pitch, track), 0), onset + duration)
    later = new.notes.copy()
    free = np.array([ends.get((note[2], note[4]), 0) for note in later.tolist()], np.int64)
    stops = later["onset"] + later["duration"]
    later["onset"] = np.maximum(later["onset"], free)
    later["duration"] = stops - later["onset"]
    return replace(new, notes=later[stops > later["onset"]])


def together(given: Music, new: Music) -> Music:
    """Return the notes and events of both."""
    notes = np.concatenate([given.notes, new.notes])
    order = np.lexsort((notes["pitch"], notes["track"], notes["onset"]))
    pressed = given.pressed
    if pressed is not None:
        pressed = np.concatenate([pressed, new.notes["duration"]])[order]
    tempos = np.concatenate([np.asarray(given.tempos), np.asarray(new.tempos)])
    return replace(
        given,
        notes=notes[order],
        tempos=changes(tempos.tolist()) if len(new.tempos) else tempos,
        metres=changes([*given.metres, *new.metres]) if new.metres else given.metres,
        pressed=pressed,
        fermatas=tuple(sorted({*given.fermatas, *new.fermatas})),
        chords=changes([*given.chords, *new.chords]) if new.chords else given.chords,
    )


def replaced(piece: Music, given: Music, tracks: dict[int, int]) -> Music:
    """Return a decoded piece in which some tracks, and all but notes, are those of a given piece.

    Parameters
    ----------
    piece, given : Music
        They begin at the same time.
    tracks : dict
        Tracks of the given piece by tracks of the new one.
    """
    given, move = aligned(given, piece)
    piece = retimed(piece, move, given.ticks_per_quarter)
    new = piece.notes[~np.isin(piece.notes["track"], list(tracks))]
    parts, pressed, names = [new], [new["duration"]], list(piece.tracks)
    for number, source in tracks.items():
        mine = given.notes["track"] == source
        notes = given.notes[mine]
        notes["track"] = number
        parts.append(notes)
        pressed.append(notes["duration"] if given.pressed is None else given.pressed[mine])
        names[number] = given.tracks[source]
    notes = np.concatenate(parts)
    order = np.lexsort((notes["pitch"], notes["track"], notes["onset"]))
    place = {source: number for number, source in tracks.items()}
    pedals = given.pedals[np.isin(given.pedals["track"], list(place))]
    pedals["track"] = [place[track] for track in pedals["track"].tolist()]
    lyrics = tuple(
        (tick, place.get(track, -1), text)
        for tick, track, text in given.lyrics
        if track < 0 or track in place
    )
    verses = tuple(
        (tick, place[track], text, verse)
        for tick, track, text, verse in given.verses
        if track in place
    )
    fermatas = {(tick, place[track]) for tick, track in given.fermatas if track in place}
    fermatas |= {fermata for fermata in piece.fermatas if fermata[1] not in tracks}
    return replace(
        given,
        notes=notes[order],
        tracks=tuple(names),
        pedals=pedals,
        pressed=None if given.pressed is None else np.concatenate(pressed)[order],
        lyrics=lyrics,
        verses=verses,
        fermatas=tuple(sorted(fermatas)),
    )
