"""MIDI files in, by symusic and else pretty_midi."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seqgen.errors import DataError
from seqgen_music.music import NOTE, Music, Track, changes

#: Quarters a minute between which tempos are kept: the slowest is what a MIDI file can say.
SLOWEST, FASTEST = 3.6, 1000.0

#: What may stand below in a metre.
NOTE_VALUES = (1, 2, 4, 8, 16, 32, 64)


def read_midi(path: Path) -> Music:
    """Read a MIDI file, all tracks.

    Raises
    ------
    DataError
        If neither library can read it, or it holds no note.
    """
    try:
        music = _read_symusic(path)
    except DataError:
        raise
    except Exception as first:
        # Both libraries raise whatever their parsers run into.
        try:
            music = _read_pretty_midi(path)
        except Exception as second:
            raise DataError(
                f"not a readable MIDI file (symusic: {_brief(first)}; "
                f"pretty_midi: {_brief(second)})"
            ) from second
    if not len(music.notes):
        raise DataError("the MIDI file holds no note")
    return music


def _read_symusic(path: Path) -> Music:
    import symusic

    score = symusic.Score(path)
    columns = []
    for number, track in enumerate(score.tracks):
        arrays = track.notes.numpy()
        notes = np.zeros(len(arrays["time"]), NOTE)
        notes["onset"], notes["duration"] = arrays["time"], arrays["duration"]
        notes["pitch"], notes["velocity"] = arrays["pitch"], arrays["velocity"]
        notes["track"] = number
        columns.append(notes)
    return _assemble(
        columns,
        [Track(track.name, track.program, track.is_drum) for track in score.tracks],
        score.ticks_per_quarter,
        [(tempo.time, tempo.qpm) for tempo in score.tempos],
        [(metre.time, metre.numerator, metre.denominator) for metre in score.time_signatures],
        [(key.time, key.key, bool(key.tonality)) for key in score.key_signatures],
    )


def _read_pretty_midi(path: Path) -> Music:
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(str(path))
    tick = midi.time_to_tick
    columns = []
    for number, instrument in enumerate(midi.instruments):
        rows = [
            (tick(note.start), tick(note.end) - tick(note.start), note.pitch, note.velocity, number)
            for note in instrument.notes
        ]
        columns.append(np.array(rows, NOTE))
    times, tempos = midi.get_tempo_changes()
    return _assemble(
        columns,
        [
            Track(instrument.name, instrument.program, instrument.is_drum)
            for instrument in midi.instruments
        ],
        midi.resolution,
        [(tick(time), float(qpm)) for time, qpm in zip(times, tempos, strict=True)],
        [
            (tick(metre.time), metre.numerator, metre.denominator)
            for metre in midi.time_signature_changes
        ],
        [(tick(key.time), *_sharps_of(key.key_number)) for key in midi.key_signature_changes],
    )


def _sharps_of(key_number: int) -> tuple[int, bool]:
    """Return sharps and mode of pretty_midi's key number (0 to 11 major, then minor)."""
    minor = key_number >= 12
    sharps = (7 * (key_number - 9 if minor else key_number) + 5) % 12 - 5
    return sharps, minor


def _assemble(
    columns: list[Any],
    tracks: list[Track],
    resolution: int,
    tempos: list[tuple[int, float]],
    metres: list[tuple[int, int, int]],
    keys: list[tuple[int, int, bool]],
) -> Music:
    """Put a piece together, without what no musician writes and no MIDI file can hold.

    Raises
    ------
    DataError
        If the file does not say how long a quarter note is.
    """
    if resolution <= 0:
        raise DataError(f"the file has {resolution} ticks per quarter note")
    notes = np.concatenate(columns) if columns else np.zeros(0, NOTE)
    notes = notes[notes["duration"] > 0]
    order = np.lexsort((notes["pitch"], notes["track"], notes["onset"]))
    return Music(
        notes[order],
        tuple(tracks),
        resolution,
        changes((tick, min(max(qpm, SLOWEST), FASTEST)) for tick, qpm in tempos),
        changes(metre for metre in metres if 0 < metre[1] < 256 and metre[2] in NOTE_VALUES),
        changes(key for key in keys if -7 <= key[1] <= 7),
    )


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
