"""The music domain: it sends each file to its reader or writer, and each piece to its codec."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from seqgen.errors import DataError, PluginError
from seqgen.files import page_name, write_atomic
from seqgen.plugin import Codec, Criticism, Domain, Metric, Note, View
from seqgen_music.accompaniment import accompanied
from seqgen_music.bars import metre_name
from seqgen_music.codecs.choosing import suggest
from seqgen_music.codecs.chorale.codec import ChoraleCodec
from seqgen_music.codecs.melody.codec import MelodyCodec
from seqgen_music.codecs.moves import SIXTEENTHS, Moves
from seqgen_music.codecs.multitrack.codec import MultitrackCodec
from seqgen_music.codecs.performance.codec import PerformanceCodec
from seqgen_music.files.abc_writing import write_abc
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.files.notation_reading import read_notation
from seqgen_music.files.notation_writing import write_notation
from seqgen_music.measures.metrics import measure
from seqgen_music.music import Music
from seqgen_music.render.engraving import engraved
from seqgen_music.render.piano_roll import png_roll, roll_view, svg_roll
from seqgen_music.render.synthesis import preview, sound

#: The suffix of an engraved score; a plain ``.svg`` is a piano roll.
SCORE = ".score.svg"


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading."""

    repeats: Literal["once", "played"] = "once"
    """Whether repeats of ABC, MusicXML and kern are read `once`, in the order of the page, or
    `played` as in a performance."""


@dataclass(frozen=True)
class WriteOptions:
    """Options of writing."""

    chords: Literal["symbols", "played"] = "symbols"
    """Whether chord symbols are only written where a format has them, or `played` by a track of
    their own in MIDI, sound and piano rolls."""


class MusicDomain(Domain[Music]):
    """Reads and writes `Music`."""

    read_options: ClassVar[type[Any]] = ReadOptions
    write_options: ClassVar[type[Any]] = WriteOptions

    codecs: ClassVar[Mapping[str, type[Codec]]] = {
        "chorale": ChoraleCodec,
        "multitrack": MultitrackCodec,
        "melody": MelodyCodec,
        "performance": PerformanceCodec,
    }
    formats: ClassVar[tuple[str, ...]] = (
        *(".mid", ".musicxml", ".mxl", ".abc"),
        *(".wav", ".flac", ".mp3", ".svg", ".png", SCORE),
    )

    def read(
        self, path: Path, options: ReadOptions = ReadOptions()
    ) -> list[Music | DataError | Note]:
        """Read MIDI or notation; the composer is the name of the file's folder.

        Raises
        ------
        DataError
            If the file cannot be read, or has no note.
        """
        if path.stat().st_size == 0:
            raise DataError("the file is empty")
        midi = path.suffix.lower() in (".mid", ".midi", ".kar", ".rmi")
        pieces: Iterable[Music | DataError | Note] = (
            read_pieces(path) if midi else read_notation(path, options.repeats == "played")
        )
        composer = _composer(path)
        return [
            replace(piece, composer=composer) if isinstance(piece, Music) else piece
            for piece in pieces
        ]

    def suggest(self, pieces: Iterable[Music]) -> tuple[str, str]:
        """Return the codec that fits most pieces, by their parts, drums and rhythm."""
        return suggest(pieces, self.codecs)

    def write(self, piece: Music, path: Path, options: WriteOptions = WriteOptions()) -> list[Path]:
        """Write MIDI, MusicXML, ABC, sound, a piano roll or the pages of a score, by suffix.

        Raises
        ------
        DataError
            If the suffix is another one, or a writer refuses the piece.
        """
        if path.name.lower().endswith(SCORE):
            return _write_score(piece, path)
        played = accompanied(piece) if options.chords == "played" else piece
        match path.suffix.lower():
            case ".mid" | ".midi":
                write_midi(played, path)
            case ".musicxml" | ".mxl" | ".xml":
                write_notation(piece, path)
            case ".abc":
                write_abc(piece, path)
            case ".wav" | ".flac" | ".mp3" as form:
                write_atomic(path, sound(played, form[1:]))
            case ".svg":
                write_atomic(path, svg_roll(played))
            case ".png":
                write_atomic(path, png_roll(played))
            case other:
                raise DataError(f"cannot write music as {other!r}; use {', '.join(self.formats)}")
        return [path]

    def describe(self, piece: Music) -> dict[str, str | int | float]:
        """Return the number of tracks that play, the length, the metres and the rhythm."""
        minutes, seconds = divmod(round(float(piece.seconds(np.array([piece.length]))[0])), 60)
        moves = Moves(SIXTEENTHS)
        moves.add(piece.notes["onset"], piece.ticks_per_quarter)
        metres = dict.fromkeys(metre_name(change[1:]) for change in piece.metre_changes())
        return {
            "tracks": len(np.unique(piece.notes["track"])),
            "length": f"{minutes}:{seconds:02}",
            "metre": " ".join(metres),
            "% off sixteenths": round(100 * moves.share, 1),
        }

    def labels(self, piece: Music) -> dict[str, str]:
        """Return the composer, if there is one."""
        return {"composer": piece.composer} if piece.composer else {}

    def preview(self, piece: Music) -> Mapping[str, bytes | str]:
        """Return a piano roll and the sound as MP3."""
        return _Preview(piece)

    def view(self, piece: Music) -> View:
        """Return the notes in seconds, with tracks and bar lines."""
        return roll_view(piece)

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return the four-part chorales of J. S. Bach that music21 ships."""
        # Found without the half second of importing music21.
        music21 = find_spec("music21")
        if music21 is None or music21.origin is None:
            raise PluginError("music21 is not installed; try: python -m pip install seqgen-music")
        bach = Path(music21.origin).parent / "corpus" / "bach"
        return sorted(path for path in bach.iterdir() if path.suffix in (".mxl", ".xml"))

    def metrics(
        self, generated: Sequence[Music], reference: Iterable[Music]
    ) -> Mapping[str, Metric]:
        """Return the metrics of `seqgen_music.measures.metrics`."""
        return measure(generated, reference)

    def critic(self, pieces: Iterable[Music]) -> Callable[[Music, Any], Criticism]:
        """Return a critic of lengths, standstills, ranges and other measures."""
        # Needed only where pieces are chosen.
        from seqgen_music.measures.criticism import critic

        return critic(pieces)


class _Preview(Mapping[str, bytes | str]):
    """Roll and sound of a piece, each made when it is asked for: a large page has no such sound."""

    _makers: ClassVar[dict[str, Callable[[Music], bytes | str]]] = {
        "image/svg+xml": svg_roll,
        "audio/mpeg": preview,
    }

    def __init__(self, piece: Music) -> None:
        self._piece = piece

    def __getitem__(self, kind: str) -> bytes | str:
        return self._makers[kind](self._piece)

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _composer(path: Path) -> str:
    """Return the name of a file's folder, as text that can stand in a request."""
    # File names may have bytes that are not UTF-8.
    name = os.fsencode(path.absolute().parent.name).decode("utf-8", "backslashreplace")
    # Requests are separated by commas.
    return " ".join(name.replace(",", " ").split())


def _write_score(piece: Music, path: Path) -> list[Path]:
    """Write each page of a score into its own file."""
    written = []
    for number, page in enumerate(engraved(piece), 1):
        written.append(page_name(path, SCORE, number))
        write_atomic(written[-1], page)
    return written


def _html(piece: Music) -> str:
    """Return the piano roll and the sound of a piece, for notebooks."""
    data = base64.b64encode(preview(piece)).decode()
    audio = f'<audio controls src="data:audio/mpeg;base64,{data}"></audio>'
    return f'<div style="overflow-x: auto">{svg_roll(piece)}{audio}</div>'


Music.html = _html
