"""The music domain: which file goes to which reader and writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from seqgen.errors import DataError
from seqgen.files import write_atomic
from seqgen.plugin import Codec
from seqgen_music.chorale import ChoraleCodec
from seqgen_music.midi import read_midi, write_midi
from seqgen_music.music import Music
from seqgen_music.notation import read_notation
from seqgen_music.rendering import piano_roll, sound


class MusicDomain:
    """Reads and writes `Music`."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {"chorale": ChoraleCodec}
    formats: ClassVar[tuple[str, ...]] = (".mid", ".wav", ".png")

    def read(self, path: Path) -> list[Music]:
        """Read MIDI by symusic or pretty_midi, notation by music21.

        Raises
        ------
        DataError
            If the file cannot be read, or holds no note.
        """
        if path.stat().st_size == 0:
            raise DataError("the file is empty")
        if path.suffix.lower() in (".mid", ".midi"):
            return [read_midi(path)]
        return read_notation(path)

    def write(self, piece: Music, path: Path) -> list[Path]:
        """Write MIDI, WAV or a piano roll in PNG, by suffix.

        Raises
        ------
        DataError
            For any other suffix.
        """
        match path.suffix.lower():
            case ".mid" | ".midi":
                write_midi(piece, path)
            case ".wav":
                write_atomic(path, sound(piece))
            case ".png":
                write_atomic(path, piano_roll(piece))
            case other:
                raise DataError(f"cannot write music as {other!r}; use {', '.join(self.formats)}")
        return [path]

    def preview(self, piece: Music) -> dict[str, bytes | str]:
        """Return a piano roll and a sound."""
        return {"image/png": piano_roll(piece), "audio/wav": sound(piece)}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return the four-part chorales of J. S. Bach that music21 ships."""
        from music21 import corpus

        bach = Path(corpus.__file__).parent / "bach"
        return sorted(path for path in bach.iterdir() if path.suffix in (".mxl", ".xml"))
