"""The music domain: which file goes to which reader and writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from seqgen.errors import DataError, PluginError
from seqgen.files import write_atomic
from seqgen.plugin import Codec, Domain
from seqgen_music.chorale import ChoraleCodec
from seqgen_music.melody import MelodyCodec
from seqgen_music.midi import read_midi, write_midi
from seqgen_music.music import Music
from seqgen_music.notation import read_notation
from seqgen_music.performance import PerformanceCodec
from seqgen_music.rendering import piano_roll, sound


class MusicDomain(Domain):
    """Reads and writes `Music`."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {
        "chorale": ChoraleCodec,
        "melody": MelodyCodec,
        "performance": PerformanceCodec,
    }
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
        # Found without importing it: what is encoded already needs no half second of music21.
        music21 = find_spec("music21")
        if music21 is None or music21.origin is None:
            raise PluginError("music21 is not installed; try: python -m pip install seqgen-music")
        bach = Path(music21.origin).parent / "corpus" / "bach"
        return sorted(path for path in bach.iterdir() if path.suffix in (".mxl", ".xml"))
