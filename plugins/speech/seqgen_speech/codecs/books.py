"""Codebooks of the vocoder's frames: prosody, and the shape of the spectrum in stages.

A frame is a row of codes. Its *prosody* is loudness and pitch together, with code 0 for silence.
Its *shape* is the mel-cepstrum without loudness. Each further stage codes what the stages before it
left (a residual codebook), so errors do not add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_speech.codecs.k_means import Points, k_means, nearest
from seqgen_speech.vocoder.frames import HIGHEST, LOWEST

#: Nepers of loudness (2 dB each) that weigh as much as an octave: so 2 dB are like a semitone.
OCTAVE = 12 * 2 / (20 / np.log(10))

#: Loudness in nepers below that of loud frames from which on a frame counts as silence: 50 dB.
DEPTH = 50 / (20 / np.log(10))

#: Share of all frames that are not as loud as "loud frames".
LOUD = 0.99

#: Loudness of silence in nepers: 170 dB below full scale, which 24 bits would round to 0.
NOTHING = -20.0

#: Largest loudness of a book, and largest distance of the shapes of all stages together from an
#: even spectrum, both in nepers; those of sounds are far below. The exponential of more overflows.
LOUDEST, FARTHEST = 20.0, 400.0

#: What rounding changes of a pitch, in its units.
ROUNDED = 1e-3

#: Share of the codes of prosody that is for unvoiced frames.
UNVOICED = 1 / 8


@dataclass(frozen=True)
class Books:
    """Codebooks of frames.

    Attributes
    ----------
    quiet : float
        Loudness in nepers below which a frame is silence.
    unvoiced : float64 array (U, 1)
        Loudness of codes 1 to U of the prosody.
    voiced : float64 array (V, 2)
        Loudness, and `OCTAVE` times the logarithm of the pitch to base 2, of the further codes.
    shapes : sequence of float64 array (K, C - 1)
        The codebook of each stage.
    """

    quiet: float
    unvoiced: Points
    voiced: Points
    shapes: Sequence[Points]

    @classmethod
    def fit(cls, cepstra: Points, pitch: Points, codes: int, stages: int) -> Self:
        """Learn codebooks of at most `codes` codes.

        Parameters
        ----------
        cepstra : float64 array (F, C), F > 0
        pitch : float64 array (F,)
            In Hz; 0 for unvoiced frames.
        codes, stages : int
            `codes` is 8 at least.
        """
        loudness = cepstra[:, 0]
        quiet = round(float(np.quantile(loudness, LOUD)) - DEPTH, 4)
        heard = loudness >= quiet
        cepstra, pitch, loudness = cepstra[heard], pitch[heard], loudness[heard]
        hushed, tones = loudness[pitch == 0, None], _tones(loudness, pitch)
        for_hushed = max(round(codes * UNVOICED), 2)
        unvoiced = k_means(hushed, for_hushed - 1) if len(hushed) else np.zeros((0, 1))
        voiced = k_means(tones, codes - for_hushed) if len(tones) else np.zeros((0, 2))
        left, shapes = cepstra[:, 1:], []
        for _ in range(stages):
            shapes.append(k_means(left, codes))
            left = left - shapes[-1][nearest(left, shapes[-1])]
        return cls(quiet, unvoiced, voiced, shapes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of the prosody and of each stage."""
        return (1 + len(self.unvoiced) + len(self.voiced), *map(len, self.shapes))

    def quantise(self, cepstra: Points, pitch: Points) -> Ids:
        """Return the codes ``(F, 1 + S)`` of frames; those of silence are 0.

        A corpus without voiced frames has no code for them, so they count as unvoiced; and the
        other way round.
        """
        codes = np.zeros((len(cepstra), len(self.sizes)), np.int64)
        heard = cepstra[:, 0] >= self.quiet
        voiced = (heard & (pitch > 0) & (len(self.voiced) > 0)) | (len(self.unvoiced) == 0)
        unvoiced, voiced = heard & ~voiced, heard & voiced
        codes[unvoiced, 0] = 1 + nearest(cepstra[unvoiced, :1], self.unvoiced)
        tones = _tones(cepstra[voiced, 0], np.maximum(pitch[voiced], 1))
        codes[voiced, 0] = 1 + len(self.unvoiced) + nearest(tones, self.voiced)
        left = cepstra[heard, 1:]
        for stage, book in enumerate(self.shapes, 1):
            found = nearest(left, book)
            codes[heard, stage], left = found, left - book[found]
        return codes

    def restored(self, codes: Ids) -> tuple[Points, Points]:
        """Return cepstra ``(F, C)`` and pitch ``(F,)`` of any codes ``(F, 1 + S)``."""
        silence = np.array([[NOTHING, 0.0]])
        hushed = np.pad(self.unvoiced, ((0, 0), (0, 1)))
        tones = np.concatenate([silence, hushed, self.voiced])[codes[:, 0]]
        shape = sum(book[row] for book, row in zip(self.shapes, codes[:, 1:].T, strict=True))
        cepstra = np.concatenate([tones[:, :1], shape], axis=1)
        is_voiced = codes[:, 0] > len(self.unvoiced)
        return cepstra, np.where(is_voiced, 2 ** (tones[:, 1] / OCTAVE), 0.0)

    def state(self) -> dict[str, Any]:
        """Return the codebooks as plain JSON."""
        return {
            "quiet": self.quiet,
            "unvoiced": self.unvoiced.tolist(),
            "voiced": self.voiced.tolist(),
            "shapes": [book.tolist() for book in self.shapes],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], stages: int, count: int) -> Self:
        """Rebuild the codebooks of some stages, for cepstra of `count` coefficients.

        Raises
        ------
        DataError
            If there are other books, or rows that no sound has.
        """
        quiet = state["quiet"]
        unvoiced, voiced = _book(state, "unvoiced", 1), _book(state, "voiced", 2)
        shapes = dict(enumerate(state["shapes"]))
        books = [_book(shapes, stage, count - 1) for stage in shapes]
        if len(books) != stages or not all(map(len, books)):
            raise DataError(f"expected {stages} books of shapes, found {[*map(len, books)]} rows")
        if not isinstance(quiet, float) or not np.isfinite(quiet):
            raise DataError(f"quiet must be a finite number, found {quiet!r}")
        prosody = np.concatenate([unvoiced[:, 0], voiced[:, 0]])
        if not len(prosody) or np.abs(prosody).max() > LOUDEST:
            raise DataError(f"books of prosody need loudness from -{LOUDEST} to {LOUDEST} nepers")
        lowest, highest = OCTAVE * np.log2((LOWEST, HIGHEST)) + (-ROUNDED, ROUNDED)
        if not ((lowest <= voiced[:, 1]) & (voiced[:, 1] <= highest)).all():
            raise DataError(f"the book voiced needs pitches from {LOWEST:g} to {HIGHEST:g} Hz")
        if sum(float(np.abs(book).sum(1).max()) for book in books) > FARTHEST:
            raise DataError(f"shapes are more than {FARTHEST:g} nepers from an even spectrum")
        return cls(quiet, unvoiced, voiced, books)


def _book(books: Mapping[Any, Any], name: str | int, width: int) -> Points:
    """Return a codebook ``(K, width)``, checked."""
    try:
        book = np.array(books[name] or np.zeros((0, width)), np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the book {name} must be rows of {width} numbers ({error})") from error
    if book.ndim != 2 or book.shape[1] != width or not np.isfinite(book).all():
        raise DataError(f"the book {name} must be rows of {width} finite numbers")
    return book


def _tones(loudness: Points, pitch: Points) -> Points:
    """Return loudness and pitch ``(V, 2)`` of the frames that have a pitch, in equal units."""
    voiced = pitch > 0
    return np.stack([loudness[voiced], OCTAVE * np.log2(pitch[voiced])], 1)
