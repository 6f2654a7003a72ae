"""Reading MIDI files: all tracks with tempo, metre, key and drums; the pedal makes notes longer.

`midi_events` reads the bytes, and `midi_notes` turns events into notes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.bars import NOTE_VALUES
from seqgen_music.files.midi_events import (
    DAMAGED,
    KEY,
    METRE,
    NAME,
    TOO_LONG,
    TOO_MANY_NOTES,
    TOO_MANY_PARTS,
    TRACK,
    Events,
    find_tracks,
    read_tracks,
)
from seqgen_music.files.midi_notes import heard, places, releases, tempo_map
from seqgen_music.music import (
    DRUM_CHANNEL,
    LONGEST_QUARTERS,
    Music,
    Track,
    changes,
)

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
    Channel 10 is drums. While the sustain pedal of a channel is down, in any track, a note lasts
    until the pedal comes up or its pitch is played again. A note-off ends the note that began
    first. Notes without end last to the end of their track; notes of no length are dropped.

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
        DataError(f"track {number + 1} is damaged at byte {at:,}; the notes before it are kept")
        for number, (_, _, ending, at) in enumerate(tracks.tolist())
        if ending == DAMAGED
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
    order = np.argsort(places(events.played), kind="stable")
    released = releases(events.played, events.ended, sorted_pedals(events))
    tempos = events.tempos[np.argsort(events.tempos["tick"], kind="stable")]
    names, metres, keys = _marks(data, events)
    parts = tuple(
        Track(names.get(track, ""), program, channel == DRUM_CHANNEL)
        for track, channel, program in events.parts.tolist()
    )
    notes = heard(events.played, order, released)
    return Music(notes, parts, division, tempo_map(tempos), changes(metres), changes(keys))


_REFUSED = {
    TOO_LONG: f"{LONGEST_QUARTERS:,} quarters, the longest allowed",
    TOO_MANY_NOTES: f"the rest of the {MOST_NOTES:,} notes allowed per file",
    TOO_MANY_PARTS: f"the rest of the {MOST_TRACKS:,} channels and programs allowed per file",
}


def sorted_pedals(events: Events) -> NDArray[np.void]:
    """Return the moves of the pedals, sorted by channel and tick."""
    pedals: NDArray[np.void] = events.pedals
    if not len(pedals):
        return pedals
    return pedals[np.lexsort((pedals["tick"], pedals["channel"]))]


def _marks(data: bytes, events: Events) -> tuple[dict[int, str], list[Any], list[Any]]:
    """Return names by track, metres and keys; values outside notation are dropped."""
    names, metres, keys = {}, [], []
    for tick, track, kind, first, second in events.marks.tolist():
        if kind == NAME:
            names[track] = _text(data[first : first + second])
        elif kind == METRE and first > 0 and second < len(NOTE_VALUES):
            metres.append((tick, first, NOTE_VALUES[second]))
        elif kind == KEY:
            # Flats are negative numbers of eight bits.
            sharps = first - 256 if first > 127 else first
            if -7 <= sharps <= 7:
                keys.append((tick, sharps, bool(second)))
    return names, metres, keys


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")
