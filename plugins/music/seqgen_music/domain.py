"""The music domain: which file goes to which reader and writer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np

from seqgen.errors import DataError, PluginError
from seqgen.files import page_name, write_atomic
from seqgen.plugin import Codec, Domain, Metric
from seqgen_music.codecs.choosing import suggest
from seqgen_music.codecs.chorale.codec import ChoraleCodec
from seqgen_music.codecs.melody.codec import MelodyCodec
from seqgen_music.codecs.multitrack.codec import MultitrackCodec
from seqgen_music.codecs.performance.codec import PerformanceCodec
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.files.notation_reading import read_notation
from seqgen_music.files.notation_writing import write_notation
from seqgen_music.measures.metrics import measure
from seqgen_music.music import Music
from seqgen_music.render.engraving import engraved
from seqgen_music.render.piano_roll import png_roll, svg_roll
from seqgen_music.render.synthesis import preview, sound

#: The suffix of an engraved score; a plain ``.svg`` is a piano roll.
SCORE = ".score.svg"


class MusicDomain(Domain):
    """Reads and writes `Music`."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {
        "chorale": ChoraleCodec,
        "multitrack": MultitrackCodec,
        "melody": MelodyCodec,
        "performance": PerformanceCodec,
    }
    formats: ClassVar[tuple[str, ...]] = (
        *(".mid", ".musicxml", ".mxl"),
        *(".wav", ".flac", ".mp3", ".svg", ".png", SCORE),
    )

    def read(self, path: Path) -> list[Music | DataError]:
        """Read MIDI, or notation by music21; the composer is the folder that the file lies in.

        Raises
        ------
        DataError
            If the file cannot be read, or holds no note.
        """
        if path.stat().st_size == 0:
            raise DataError("the file is empty")
        midi = path.suffix.lower() in (".mid", ".midi")
        pieces, composer = read_pieces(path) if midi else read_notation(path), _composer(path)
        return [
            replace(piece, composer=composer) if isinstance(piece, Music) else piece
            for piece in pieces
        ]

    def suggest(self, pieces: Iterable[Music]) -> tuple[str, str]:
        """Return the codec for most of the pieces, by their parts, drums and rhythm."""
        return suggest(pieces, self.codecs)

    def write(self, piece: Music, path: Path) -> list[Path]:
        """Write MIDI, MusicXML, sound, a piano roll or the pages of a score, by suffix.

        Raises
        ------
        DataError
            For any other suffix; for a score, as `engraved` says.
        """
        if path.name.lower().endswith(SCORE):
            return _write_score(piece, path)
        match path.suffix.lower():
            case ".mid" | ".midi":
                write_midi(piece, path)
            case ".musicxml" | ".mxl" | ".xml":
                write_notation(piece, path)
            case ".wav" | ".flac" | ".mp3" as form:
                write_atomic(path, sound(piece, form[1:]))
            case ".svg":
                write_atomic(path, svg_roll(piece))
            case ".png":
                write_atomic(path, png_roll(piece))
            case other:
                raise DataError(f"cannot write music as {other!r}; use {', '.join(self.formats)}")
        return [path]

    def describe(self, piece: Music) -> dict[str, str | int | float]:
        """Return how many tracks play, for how long, and in which metres."""
        minutes, seconds = divmod(round(float(piece.seconds(np.array([piece.length]))[0])), 60)
        metres = dict.fromkeys(f"{above}/{below}" for _, above, below in piece.metre_changes())
        return {
            "tracks": len(np.unique(piece.notes["track"])),
            "length": f"{minutes}:{seconds:02}",
            "metre": " ".join(metres),
        }

    def preview(self, piece: Music) -> dict[str, bytes | str]:
        """Return a piano roll and a sound."""
        return {"image/svg+xml": svg_roll(piece), "audio/mpeg": preview(piece)}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return the four-part chorales of J. S. Bach that music21 ships."""
        # Found without importing it: what is encoded already needs no half second of music21.
        music21 = find_spec("music21")
        if music21 is None or music21.origin is None:
            raise PluginError("music21 is not installed; try: python -m pip install seqgen-music")
        bach = Path(music21.origin).parent / "corpus" / "bach"
        return sorted(path for path in bach.iterdir() if path.suffix in (".mxl", ".xml"))

    def metrics(
        self, generated: Sequence[Music], reference: Iterable[Music]
    ) -> Mapping[str, Metric]:
        """Return what `seqgen_music.measures.metrics` measures."""
        return measure(generated, reference)


def _composer(path: Path) -> str:
    """Return the name of the folder that a file lies in, as it can be written and asked for."""
    # A name may hold bytes that no text has.
    name = os.fsencode(path.absolute().parent.name).decode("utf-8", "backslashreplace")
    # Wishes are separated by commas.
    return " ".join(name.replace(",", " ").split())


def _write_score(piece: Music, path: Path) -> list[Path]:
    """Write a score, every page into a file of its own."""
    written = []
    for number, page in enumerate(engraved(piece), 1):
        written.append(page_name(path, SCORE, number))
        write_atomic(written[-1], page)
    return written
