"""Notated music in, by music21: MusicXML, compressed MusicXML, ABC and kern."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

from seqgen.errors import DataError
from seqgen_music.music import Music, Track, changes, make_notes

#: Divides quarters into triplets, quintuplets and 128ths.
TICKS = 480

#: Velocity of notes that have no dynamics.
VELOCITY = 80


def read_notation(path: Path) -> list[Music]:
    """Read the scores of a file; an ABC collection holds many.

    Raises
    ------
    DataError
        If music21 cannot read it, or it holds no note.
    """
    import music21

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Parsed afresh: music21's own cache is of pickles, and ours comes after encoding.
            stream = music21.converter.parse(path, forceSource=True, storePickle=False)
    except Exception as error:
        # music21 raises whatever its parsers run into.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"music21 cannot read it ({reason})") from error
    scores = stream.scores if isinstance(stream, music21.stream.Opus) else [stream]
    pieces = [piece for piece in map(_music_of, scores) if len(piece.notes)]
    if not pieces:
        raise DataError("the file holds no note")
    return pieces


def _music_of(score: Any) -> Music:
    parts = list(score.parts) or [score]
    rows, tracks = [], []
    for number, part in enumerate(parts):
        instrument = part.getInstrument(returnDefault=True)
        program = instrument.midiProgram if instrument is not None else None
        tracks.append(Track(part.partName or f"Part {number + 1}", program or 0))
        rows += _notes(part, number)
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


def _notes(part: Any, number: int) -> list[tuple[int, int, int, int, int]]:
    """Return the notes of a part as rows, those that are tied as one.

    music21 can join them itself, but not where voices cross a bar line.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    # The row of what a tie goes on from, by pitch and end.
    tied: dict[tuple[int, int], int] = {}
    for element in part.flatten().notes:
        onset, end = _ticks(element.offset), _ticks(element.offset + element.quarterLength)
        for note in getattr(element, "notes", (element,)) if end > onset else ():
            if not hasattr(note, "pitch"):
                continue
            pitch, kind = note.pitch.midi, note.tie.type if note.tie else ""
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


def _metres(part: Any) -> tuple[tuple[int, int, int], ...]:
    """Return the metres, an upbeat as a short bar of its own."""
    metres = [
        (_ticks(metre.getOffsetInHierarchy(part)), metre.numerator, metre.denominator)
        for metre in part.recurse().getElementsByClass("TimeSignature")
    ]
    measures = list(part.getElementsByClass("Measure"))
    if metres and len(measures) > 1:
        length = Fraction(measures[1].offset)
        if 0 < length < Fraction(measures[0].barDuration.quarterLength):
            whole = length / 4
            denominator = max(4, whole.denominator)
            upbeat = (0, int(whole * denominator), denominator)
            metres = [upbeat, (_ticks(length), *metres[0][1:]), *metres[1:]]
    return changes(metres)


def _ticks(quarters: Any) -> int:
    return round(quarters * TICKS)
