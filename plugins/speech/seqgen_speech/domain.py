"""The speech domain: chooses the reader or writer of each file."""

from __future__ import annotations

import base64
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seqgen.errors import DataError
from seqgen.files import write_atomic
from seqgen.plugin import Codec, Criticism, Domain, Labelled, Metric, NoOptions, Predictor, View
from seqgen_speech import SUFFIXES
from seqgen_speech.cleaning import DEFAULT, ReadOptions, cleaned
from seqgen_speech.codecs.codec2 import Codec2
from seqgen_speech.codecs.frame_codec import FrameCodec
from seqgen_speech.codecs.frames import Frames
from seqgen_speech.codecs.mulaw import MulawCodec
from seqgen_speech.demo import spoken_corpus, unseen
from seqgen_speech.files.sound_reading import read_sound
from seqgen_speech.files.sound_writing import CODINGS, sound_file
from seqgen_speech.files.texts import places, words_of
from seqgen_speech.render.pictures import png, svg
from seqgen_speech.sound import Sound

#: Sentences that a model is asked to say when it is compared with its corpus.
PROBES = 40


class Speech(Domain[Sound]):
    """Reads and writes `Sound`."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {
        "frames": Frames,
        "codec2": Codec2,
        "mulaw": MulawCodec,
    }
    read_options: ClassVar[type[Any]] = ReadOptions
    formats: ClassVar[tuple[str, ...]] = (*CODINGS, ".svg", ".png")
    demo_note: ClassVar[str] = (
        "Nobody recorded what it learned from: eSpeak NG, a synthesiser, says it. The voices are "
        "those of a machine."
    )

    def read(self, path: Path, options: ReadOptions = DEFAULT) -> Iterator[Sound | Labelled]:
        """Yield the sound of a file with its text and labels from the files of `companions`.

        Raises
        ------
        DataError
            If the file cannot be read, its text cannot be used, or its suffix is unknown.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"it is not a sound file, found {path.suffix or 'no suffix'}; expected one of "
                f"{', '.join(SUFFIXES)}"
            )
        sound, words = read_sound(path), words_of(path)
        sound = cleaned(replace(sound, text=words.text, times=words.times), options)
        yield Labelled(words.labels, sound) if words.labels else sound

    def companions(self, path: Path) -> list[Path]:
        """Return the files that may say what is said: ``a.txt``, ``a.lab``, tables."""
        return places(path)

    def write(self, piece: Sound, path: Path, options: NoOptions = NoOptions()) -> list[Path]:
        """Write a sound as a sound file, with its text beside it, or as a picture, by suffix.

        Raises
        ------
        DataError
            If the suffix is unknown, or a sound file other than WAV would have no sample.
        """
        suffix = path.suffix.lower()
        if suffix in CODINGS:
            write_atomic(path, sound_file(piece, suffix))
        elif suffix in (".svg", ".png"):
            write_atomic(path, svg(piece) if suffix == ".svg" else png(piece))
        else:
            raise DataError(f"cannot write sound as {suffix!r}; use {', '.join(self.formats)}")
        if not piece.text or suffix not in CODINGS:
            return [path]
        text = path.with_suffix(".txt")
        write_atomic(text, piece.text + "\n")
        return [path, text]

    def describe(self, piece: Sound) -> dict[str, str | int | float]:
        """Return the duration, the rate and the text."""
        about: dict[str, str | int | float] = {
            "seconds": round(piece.seconds, 3),
            "rate": piece.rate,
        }
        return about | ({"text": piece.text} if piece.text else {})

    def preview(self, piece: Sound) -> dict[str, bytes | str]:
        """Return waveform and spectrogram with the text, and the sound as MP3."""
        if not len(piece.samples):  # which MP3 cannot hold
            return {"image/svg+xml": svg(piece), "audio/wav": sound_file(piece, ".wav")}
        return {"image/svg+xml": svg(piece), "audio/mpeg": sound_file(piece, ".mp3")}

    def view(self, piece: Sound) -> View:
        """Return the samples in blocks of a quarter of a second."""
        samples = np.round(piece.samples * 32_767).astype("<i2")
        block = max(piece.rate // 4, 1)
        blocks = [samples[at : at + block] for at in range(0, len(samples), block)]
        parts = [b64encode(each.tobytes()).decode() for each in blocks]
        return View("sound", parts, {"rate": piece.rate})

    def metrics(
        self, generated: Sequence[Sound], reference: Iterable[Sound]
    ) -> Mapping[str, Metric]:
        """Measure durations, silence, syllables and pitch."""
        # Needed for comparisons only.
        from seqgen_speech.measures.metrics import measure

        return measure(generated, reference)

    def probes(self, codec: Codec) -> list[str]:
        """Return sentences that the demo's corpus lacks, if a codec knows all their symbols."""
        if not isinstance(codec, FrameCodec) or not codec.dictation or not codec.spelling.is_there:
            return []
        known = {*codec.dictation.alphabet}
        return [text for text in unseen(PROBES) if known.issuperset(codec.spelling.symbols(text))]

    def measure_probes(
        self, probes: Sequence[str], written: Sequence[Sound], reference: Iterable[Sound]
    ) -> Mapping[str, Metric]:
        """Measure the share of given words that PocketSphinx recognises, if it is installed."""
        # Needed for comparisons only.
        from seqgen_speech.measures.metrics import measure_texts

        return measure_texts(probes, written, reference)

    def label_judge(self, pieces: Iterable[Labelled]) -> Callable[[Sound], dict[str, str]] | None:
        """Return a judge of speakers, words and other labels, if there are several values."""
        # Needed for comparisons only.
        from seqgen_speech.measures.labels import judge_of

        return judge_of(pieces)

    def critic(self, pieces: Iterable[Sound]) -> Callable[[Sound, Any], Criticism]:
        """Return a critic of pauses, pace and pitch."""
        # Needed only where pieces are chosen.
        from seqgen_speech.measures.criticism import critic

        return critic(pieces)

    def likelihoods(
        self, codec: Codec, predictor: Predictor, pieces: Iterable[Sound]
    ) -> Mapping[str, float]:
        """Return the bits per sample of linear prediction, for the codec of samples only."""
        # Needed for scoring only.
        from seqgen_speech.measures.likelihood import linear_bits

        if not isinstance(codec, MulawCodec):
            return {}
        return {"bits per sample of linear prediction": linear_bits(pieces, codec.options.rate)}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return sentences in six voices of a synthesiser; no person speaks in them."""
        return spoken_corpus(folder)


def _html(piece: Sound) -> str:
    """Return the picture and a player, for notebooks."""
    data = base64.b64encode(sound_file(piece, ".wav")).decode()
    return f'<div>{svg(piece)}<audio controls src="data:audio/wav;base64,{data}"></audio></div>'


Sound.html = _html
