"""Reading MIDI files: all tracks with tempo, metre, key and drums; the pedal makes notes longer.

`midi_events` reads the bytes, `midi_notes` turns events into notes, and `midi_marks` says who plays
them.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.files.midi_bytes import (
    DAMAGED,
    LATE,
    TOO_MANY_NOTES,
    TOO_MANY_PARTS,
    TRACK,
    find_tracks,
)
from seqgen_music.files.midi_events import read_tracks
from seqgen_music.files.midi_marks import Marks, players_of
from seqgen_music.files.midi_notes import heard, places, releases, tempo_map
from seqgen_music.files.midi_pedals import end_open, pedal_moves, sorted_pedals
from seqgen_music.music import LONGEST_QUARTERS, Music, Track

#: Largest file that is read, in bytes. A symphony has half a million.
MOST_BYTES = 2**23

MOST_NOTES = 2**20

#: Most tracks of a file, also after splitting them by channel and program.
MOST_TRACKS = 1024

#: Bytes in which the header must begin. Files wrapped for other systems have bytes before it.
HEADER_WITHIN = 1024


def read_pieces(path: Path) -> list[Music | DataError]:
    """Read a MIDI file: one piece, or in type 2 one piece per track.

    The notes of one channel and program in a track become a `Track`, in the order of first notes.
    Channel 10 is drums, and so are the channels that Roland's message "use for rhythm part" names.
    A track that sets no program has the one that another track has set for its channel. While the
    sustain pedal of a channel is down, in any track, a note lasts until the pedal comes up or its
    pitch is played again. A note-off ends the note that began first; All Notes Off and All Sound
    Off end all of their channel and track. Notes without end last to the end of the bar in which
    the others end; notes of no length are dropped.

    Returns
    -------
    list of Music and DataError
        The pieces, then an error for each damaged track, which was read up to the damage.

    Raises
    ------
    DataError
        If the file is not a MIDI file, has no note, or exceeds a limit above.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise DataError(f"the file has {size:,} bytes; {MOST_BYTES:,} is the most")
    data = path.read_bytes()
    header = data.find(b"MThd", 0, HEADER_WITHIN)
    tracks = np.empty(MOST_TRACKS, TRACK)
    count = find_tracks(np.frombuffer(data, np.uint8), tracks)
    if header < 0 or len(data) < header + 14 or not count:
        missing = "header" if header < 0 or len(data) < header + 14 else "track"
        raise DataError(f"not a readable MIDI file: there is no {missing}")
    if count > MOST_TRACKS:
        raise DataError(f"the file has {count:,} tracks; {MOST_TRACKS:,} is the most")
    kind, _, division = struct.unpack_from(">HHH", data, header + 8)
    if not 0 < division < 2**15:
        raise DataError(
            "the file counts no ticks per quarter note, but "
            f"{'none at all' if not division else 'frames of a film'}; export it with them"
        )
    tracks = tracks[:count]
    sequences = np.split(tracks, count) if kind == 2 else [tracks]
    pieces: list[Music | DataError] = []
    for sequence in sequences:
        music = _read_sequence(data, sequence, division)
        if len(music.notes):
            pieces.append(music)
    damage = [
        DataError(f"track {number + 1} {_DAMAGE[ending]} at byte {at:,}; {_KEPT}")
        for number, (_, _, ending, at) in enumerate(tracks.tolist())
        if ending in _DAMAGE
    ]
    if not pieces:
        raise damage[0] if damage else DataError("the MIDI file has no note")
    return pieces + damage


def _read_sequence(data: bytes, tracks: NDArray[np.void], division: int) -> Music:
    """Return the piece of some tracks; `tracks` gets the ending of each."""
    longest = LONGEST_QUARTERS * division
    events = read_tracks(np.frombuffer(data, np.uint8), tracks, longest, MOST_NOTES, MOST_TRACKS)
    for number, (_, _, ending, _) in enumerate(tracks.tolist()):
        if ending in _REFUSED:
            raise DataError(f"track {number + 1} has more than {_REFUSED[ending]}")
    marks = Marks.of(data, events)
    players = players_of(events)
    end_open(events.played, marks.metres, division)
    pedals = sorted_pedals(events, [channel for _, channel, _, drums in players if drums])
    order = np.argsort(places(events.played), kind="stable")
    notes = heard(events.played, order, releases(events.played, events.ended, pedals))
    tempos = events.tempos[np.argsort(events.tempos["tick"], kind="stable")]
    moves = pedal_moves(pedals, events.played, [player[1] for player in players])
    return Music(
        notes,
        tuple(Track(marks.names.get(one[0], ""), *one[2:]) for one in players),
        division,
        tempo_map(tempos),
        marks.metres,
        marks.keys,
        pedals=moves,
        pressed=_pressed(events.played, order) if len(moves) else None,
        lyrics=marks.lyrics_of([player[0] for player in players]),
        fermatas=marks.fermatas_of([player[0] for player in players]),
        chords=marks.chords,
    )


def _pressed(played: NDArray[np.void], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for how many ticks the key of each note of a piece is down ``(M,)``."""
    lasts = (played["end"] - played["onset"])[order]
    return np.asarray(lasts[lasts > 0])


_DAMAGE = {
    DAMAGED: "is damaged",
    LATE: f"has an event after more than {LONGEST_QUARTERS:,} quarters, the longest allowed,",
}
_KEPT = "the notes before it are kept"

_REFUSED = {
    TOO_MANY_NOTES: f"the rest of the {MOST_NOTES:,} notes allowed per file",
    TOO_MANY_PARTS: f"the rest of the {MOST_TRACKS:,} channels and programs allowed per file",
}
