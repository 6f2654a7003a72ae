"""MIDI files in: all tracks, with tempo, metre, key, drums, and the pedal as longer notes.

Comes from: `midi_events`, which reads the bytes of one track.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_music.midi_events import (
    DAMAGED,
    KEY,
    MARK,
    METRE,
    NAME,
    PART,
    PEDAL,
    PLAYED,
    SHORTEST_EVENT,
    TEMPO,
    TOO_LONG,
    TOO_MANY_NOTES,
    TOO_MANY_PARTS,
    arrange,
    scan,
    sustain,
)
from seqgen_music.music import (
    DRUM_CHANNEL,
    LONGEST_QUARTERS,
    NOTE,
    NOTE_VALUES,
    Music,
    Track,
    changes,
)

#: Bytes of the largest file that is read; a symphony has half a million.
MOST_BYTES = 2**23

MOST_NOTES = 2**20

#: Tracks of a file, and what they make when each channel and program is one of its own.
MOST_TRACKS = 1024

#: Quarters a minute between which tempos are kept: the slowest is what a MIDI file can say.
SLOWEST, FASTEST = 3.6, 1000.0

#: Where the header is looked for: files wrapped for other systems have something before it.
HEADER_WITHIN = 1024


def read_midi(path: Path) -> Music:
    """Read a MIDI file of one piece, or the first piece of a file of type 2.

    Raises
    ------
    DataError
        As `read_pieces`.
    """
    [music, *_] = [piece for piece in read_pieces(path) if isinstance(piece, Music)]
    return music


def read_pieces(path: Path) -> list[Music | DataError]:
    """Read a MIDI file: one piece, or of type 2 each track as a piece.

    What one channel plays with one program in a track is a `Track`, in the order of first notes;
    channel 10 is drums. While the sustain pedal of a channel is down, in whichever track, a note
    lasts until the pedal comes up or its pitch is played again. A note-off ends the note that
    began first; notes without end last to the end of their track; notes of no length are dropped.

    Returns
    -------
    list of Music and DataError
        The pieces, then an error for each damaged track, of which only the beginning was read.

    Raises
    ------
    DataError
        If it is no MIDI file, holds no note, or more of something than the limits above allow.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise DataError(f"the file has {size:,} bytes; {MOST_BYTES:,} is the most")
    data = path.read_bytes()
    header = data.find(b"MThd", 0, HEADER_WITHIN)
    chunks = _chunks(data)
    if header < 0 or len(data) < header + 14 or not chunks:
        missing = "header" if header < 0 or len(data) < header + 14 else "track"
        raise DataError(f"not a readable MIDI file: there is no {missing}")
    if len(chunks) > MOST_TRACKS:
        raise DataError(f"the file has {len(chunks):,} tracks; {MOST_TRACKS:,} is the most")
    kind, _, division = struct.unpack_from(">HHH", data, header + 8)
    if not 0 < division < 2**15:
        raise DataError(
            "the file counts no ticks per quarter note, but "
            f"{'none at all' if not division else 'frames of a film'}; export it with them"
        )
    sequences = [[chunk] for chunk in chunks] if kind == 2 else [chunks]
    pieces: list[Music | DataError] = []
    damage: list[DataError] = []
    for sequence in sequences:
        music, errors = _read_sequence(data, sequence, division)
        damage += errors
        if len(music.notes):
            pieces.append(music)
    if not pieces:
        raise damage[0] if damage else DataError("the MIDI file holds no note")
    return pieces + damage


def _chunks(data: bytes) -> list[tuple[int, int, bool]]:
    """Return start and end of the events of every track, and whether all of them are there.

    Tracks are found by their mark, so that a wrong length costs one of them at most.
    """
    found = []
    at = data.find(b"MTrk")
    while 0 <= at <= len(data) - 8:
        start = at + 8
        stop = start + int.from_bytes(data[at + 4 : start])
        whole = stop <= len(data)
        if not whole:
            following = data.find(b"MTrk", start)
            stop = following if following >= 0 else len(data)
        found.append((start, stop, whole))
        at = data.find(b"MTrk", stop)
    return found


def _read_sequence(
    data: bytes, chunks: list[tuple[int, int, bool]], division: int
) -> tuple[Music, list[DataError]]:
    """Return the piece that tracks make together, and what is wrong with them."""
    room = len(data) // SHORTEST_EVENT + 1
    notes, marks = np.empty(min(room, MOST_NOTES), PLAYED), np.empty(room, MARK)
    parts = np.empty(MOST_TRACKS, PART)
    counts = np.zeros(3, np.int64)
    array = np.frombuffer(data, np.uint8)
    damage = []
    for number, (start, stop, whole) in enumerate(chunks):
        ending, at = scan(
            array,
            start,
            stop,
            number,
            LONGEST_QUARTERS * division,
            notes,
            parts,
            marks,
            counts,
        )
        if ending in _REFUSED:
            raise DataError(f"track {number + 1} has more than {_REFUSED[ending]}")
        if ending == DAMAGED or not whole:
            damage.append(
                DataError(
                    f"track {number + 1} is damaged at byte {at:,}; what comes before it was kept"
                )
            )
    played, parts, marks = notes[: counts[0]], parts[: counts[1]], marks[: counts[2]]
    return _piece(data, played, parts, marks, division), damage


_REFUSED = {
    TOO_LONG: f"{LONGEST_QUARTERS:,} quarters before its end, which is the most",
    TOO_MANY_NOTES: f"what is left of {MOST_NOTES:,} notes for the whole file",
    TOO_MANY_PARTS: f"what is left of {MOST_TRACKS:,} channels and programs for the whole file",
}


def _piece(data: bytes, played: Any, parts: Any, marks: Any, division: int) -> Music:
    key = (played["onset"] << 17) + (played["part"] << 7) + played["pitch"]
    order = np.argsort(key, kind="stable")
    sounding = played["end"] > played["onset"]
    if not sounding.all():
        order = order[sounding[order]]
    _sustain(played, order, marks[marks["kind"] == PEDAL])
    notes = np.empty(len(order), NOTE)
    arrange(played, order, notes)
    names = {
        int(mark["track"]): _text(data[mark["first"] : mark["first"] + mark["second"]])
        for mark in marks[marks["kind"] == NAME]
    }
    tracks = tuple(
        Track(names.get(track, ""), program, channel == DRUM_CHANNEL)
        for track, channel, program in parts.tolist()
    )
    return Music(notes, tracks, division, *_timing(marks))


def _sustain(played: NDArray[np.void], order: NDArray[np.int64], pedal: NDArray[np.void]) -> None:
    """Let the notes of channels with a pedal last as long as it is down; drums have none."""
    pedal = pedal[pedal["first"] != DRUM_CHANNEL]
    if len(pedal):
        pedal = pedal[np.argsort(pedal["tick"], kind="stable")]
        sustain(played, order, pedal["tick"], pedal["first"], pedal["second"])


def _timing(marks: NDArray[np.void]) -> tuple[Any, Any, Any]:
    """Return tempos, metres and keys, without what no musician writes."""
    metres, keys = (marks[marks["kind"] == kind] for kind in (METRE, KEY))
    return (
        _tempos(marks[marks["kind"] == TEMPO]),
        changes(
            (tick, above, NOTE_VALUES[below])
            for tick, _, _, above, below in metres.tolist()
            if above > 0 and below < len(NOTE_VALUES)
        ),
        changes(
            (tick, sharps - 128, bool(minor))
            for tick, _, _, sharps, minor in keys.tolist()
            if -7 <= sharps - 128 <= 7
        ),
    )


def _tempos(marks: NDArray[np.void]) -> tuple[tuple[int, float], ...]:
    """Return the changes of tempo, as `changes` would; recordings have many thousands."""
    marks = marks[np.argsort(marks["tick"], kind="stable")]
    marks = marks[np.append(np.diff(marks["tick"]) != 0, True)] if len(marks) else marks
    qpm = np.clip(6e7 / np.maximum(marks["first"], 1), SLOWEST, FASTEST)
    changed = np.diff(qpm, prepend=0.0) != 0
    return tuple(zip(marks["tick"][changed].tolist(), qpm[changed].tolist(), strict=True))


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")
