"""Reading notation: ABC, MusicXML and kern by our own readers, MEI by music21."""

from __future__ import annotations

import re
import warnings
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from seqgen.errors import DataError
from seqgen.files import plain_text, text_of
from seqgen.plugin import Note
from seqgen_music.bars import metre_of
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.assembling import MOST_BEATS
from seqgen_music.files.kern_reading import read_kern
from seqgen_music.files.musicxml_reading import read_musicxml
from seqgen_music.files.notation_values import DRUM_STAFF, SNARE, TICKS, VELOCITY
from seqgen_music.music import DRUM_CHANNEL, LONGEST_QUARTERS, Music, Track, changes, make_notes
from seqgen_music.rounding import nearest

#: Largest file that is read, unpacked, in bytes.
MOST_BYTES = 2**26


def read_notation(path: Path, play_repeats: bool = False) -> list[Music | DataError | Note]:
    """Read the scores of a file; an ABC collection has many.

    Transposing instruments are read at sounding pitch, and parts for percussion are drums. Grace
    notes, which have no length, are left out.

    Parameters
    ----------
    path : Path
    play_repeats : bool
        Play the repeats of ABC, MusicXML and kern; else each bar is read once.

    Returns
    -------
    list of Music, DataError and Note
        An error stands for each tune of a collection that cannot be read, a note for what does not
        add up in one.

    Raises
    ------
    DataError
        If the file cannot be read, or has no note, or exceeds a limit above.
    """
    if (size := _size(path)) > MOST_BYTES:
        raise DataError(f"the file has {size:,} bytes; {MOST_BYTES:,} is the most")
    pieces: list[Music | DataError | Note]
    match path.suffix.lower():
        case ".abc":
            pieces = list(read_abc(_text(path), play_repeats))
        case ".krn":
            pieces = list(read_kern(_text(path), play_repeats))
        case ".mei":
            pieces = [*_mei(_text(path))]
        case _:
            pieces = list(read_musicxml(path, play_repeats))
    if not any(isinstance(piece, Music) for piece in pieces):
        error = next((piece for piece in pieces if isinstance(piece, DataError)), None)
        raise error or DataError("the file has no note")
    return pieces


def _size(path: Path) -> int:
    """Return the number of bytes of a file, unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError):
        return path.stat().st_size


def _text(path: Path) -> str:
    """Return the text of a file in UTF-8 or Latin-1."""
    content = path.read_bytes()
    try:
        return text_of(content)
    except DataError:
        return plain_text(content.decode("latin-1"))


def _mei(text: str) -> list[Music]:
    """Return the pieces that music21 finds in MEI."""
    import music21

    # music21 takes seconds for a metre of hundreds of beats.
    if any(int(count) > MOST_BEATS for count in re.findall(r"count\s*=\s*[\"'](\d{1,9})", text)):
        raise DataError(f"a metre has more than {MOST_BEATS} beats")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # music21's cache is switched off: it uses pickle, and seqgen caches encoded pieces.
            stream = music21.converter.parse(
                text, forceSource=True, storePickle=False, format="mei"
            )
            scores = stream.scores if isinstance(stream, music21.stream.Opus) else [stream]
            pieces = [music_of(score) for score in scores]
    except DataError:
        raise
    except Exception as error:
        # The parsers of music21 raise all kinds of errors.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"music21 cannot read it ({reason})") from error
    sounding = [piece for piece in pieces if len(piece.notes)]
    if not sounding:
        raise DataError("the file has no note")
    return sounding


def music_of(score: Any) -> Music:
    """Return the piece of a score of music21."""
    if score.highestTime > LONGEST_QUARTERS:
        raise DataError(
            f"the piece is {score.highestTime:,.0f} quarters long; {LONGEST_QUARTERS:,} is the most"
        )
    if any(part.atSoundingPitch is False for part in score.parts):
        score.toSoundingPitch(inPlace=True)
    parts = list(score.parts) or [score]
    rows, tracks = [], []
    for number, part in enumerate(parts):
        instrument = part.getInstrument(returnDefault=True)
        program = instrument.midiProgram if instrument is not None else None
        drums = _drums(part, instrument)
        tracks.append(Track(part.partName or f"Part {number + 1}", program or 0, drums is not None))
        rows += _notes(part, number, drums)
    flat = parts[0].flatten()
    tempos = [
        (_ticks(start), float(mark.getQuarterBPM()))
        for start, _, mark in score.metronomeMarkBoundaries()
        if mark.getQuarterBPM()
    ]
    keys = [
        (_ticks(key.offset), key.sharps, getattr(key, "mode", "major") == "minor")
        for key in flat.getElementsByClass("KeySignature")
    ]
    return Music(
        make_notes(rows), tuple(tracks), TICKS, changes(tempos), _metres(parts[0]), changes(keys)
    )


def _notes(
    part: Any, number: int, drums: dict[str, int] | None
) -> list[tuple[int, int, int, int, int]]:
    """Return the notes of a part as rows, tied notes as one.

    music21 cannot join tied notes whose voices cross a bar line.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    # Row of each note with an open tie, by pitch and end.
    tied: dict[tuple[int, int], int] = {}
    for element in part.flatten().notes:
        onset, end = _ticks(element.offset), _ticks(element.offset + element.quarterLength)
        # Chord symbols above the staff are not played.
        sounds = end > onset and "Harmony" not in element.classes
        for note in getattr(element, "notes", (element,)) if sounds else ():
            pitch, kind = _pitch(note, drums), note.tie.type if note.tie else ""
            if not 0 <= pitch < 128:
                continue
            row = tied.pop((pitch, onset), None) if kind in ("continue", "stop") else None
            if row is None:
                velocity = note.volume.velocity or element.volume.velocity or VELOCITY
                rows.append((onset, end - onset, pitch, velocity, number))
                row = len(rows) - 1
            else:
                rows[row] = (rows[row][0], end - rows[row][0], *rows[row][2:])
            if kind in ("start", "continue"):
                tied[pitch, end] = row
    return rows


def _pitch(note: Any, drums: dict[str, int] | None) -> int:
    """Return the MIDI pitch of a note, or of a drum by its place in the staff."""
    if hasattr(note, "pitch"):
        return int(note.pitch.midi)
    return (drums or {}).get(note.displayName, SNARE)


def _drums(part: Any, instrument: Any) -> dict[str, int] | None:
    """Return the drum at each place of the staff, or None if the part is not for drums."""
    places = {
        note.displayName
        for element in part.recurse().notes
        for note in getattr(element, "notes", [element])
        if hasattr(note, "displayName")
    }
    if not places and getattr(instrument, "midiChannel", None) != DRUM_CHANNEL:
        return None
    only = getattr(instrument, "percMapPitch", None)
    if len(places) == 1 and only is not None:
        return dict.fromkeys(places, only)
    return DRUM_STAFF


def _metres(part: Any) -> tuple[tuple[int, int, int], ...]:
    """Return the metres; an upbeat is a short bar with its own metre."""
    metres = [
        (_ticks(metre.getOffsetInHierarchy(part)), metre.numerator, metre.denominator)
        for metre in part.recurse().getElementsByClass("TimeSignature")
    ]
    measures = list(part.getElementsByClass("Measure"))
    if metres and len(measures) > 1:
        length = Fraction(measures[1].offset)
        if 0 < length < Fraction(measures[0].barDuration.quarterLength):
            short = metre_of(length / 4)
            if short is not None:
                metres = [(0, *short), (_ticks(length), *metres[0][1:]), *metres[1:]]
    return changes(metres)


def _ticks(quarters: Any) -> int:
    """Return the nearest tick of an offset, which may be a fraction or a float."""
    return int(nearest(np.array(quarters, np.float64) * TICKS))
