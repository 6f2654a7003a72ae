"""The symbols that a text is spelled in, and which frames of a sound belong to which symbol."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_speech.sound import Sound

#: The symbol between words; it has no frames.
BLANK = " "

#: Signs that are spoken as a pause.
PAUSES = ".,;:?!"


@dataclass(frozen=True)
class Said:
    """What is said in a sound.

    Attributes
    ----------
    symbols : tuple of S str
    begins : float64 array (S,) or None
        The second at which each symbol begins, if that is known.
    """

    symbols: tuple[str, ...]
    begins: NDArray[np.float64] | None = None

    def frames(self, count: int, per_second: float) -> Ids:
        """Return the number of frames of each symbol ``(S,)``, `count` in all.

        Blanks have none, every other symbol has one at least. Without times, frames are spread
        evenly.

        Raises
        ------
        DataError
            If there are fewer frames than symbols.
        """
        voiced = np.array([at for at, symbol in enumerate(self.symbols) if symbol != BLANK])
        if count < len(voiced):
            raise DataError(
                f"it has {count} frames for {len(voiced)} symbols of its text; every symbol needs "
                f"one at least: it is cut short, or its text is not what is said"
            )
        places = np.arange(1, len(voiced))
        first = places * count // max(len(voiced), 1)
        if self.begins is not None:
            first = np.round(self.begins[voiced[1:]] * per_second).astype(np.int64)
        # Symbols that begin at one frame are moved apart.
        first = np.maximum.accumulate(np.maximum(first - places, 0)) + places
        first = np.minimum(first, count - places[::-1])
        frames = np.zeros(len(self.symbols), np.int64)
        frames[voiced] = np.diff(np.concatenate([[0], first, [count]]))
        return frames


def said_in(sound: Sound) -> Said:
    """Return the letters of what is said in a sound, with its times if they are theirs."""
    symbols = tuple(spelled(sound.text))
    if symbols != tuple(symbol for symbol, _, _ in sound.times):
        return Said(symbols)
    return Said(symbols, np.array([begin for _, begin, _ in sound.times]))


def spelled(text: str) -> str:
    """Return a text in small letters, digits, pauses and single blanks, without other signs."""
    small = unicodedata.normalize("NFC", text).lower()
    kept = (sign if sign.isalnum() or sign in PAUSES else BLANK * sign.isspace() for sign in small)
    return " ".join("".join(kept).split())


@dataclass
class Survey:
    """What a codec has to know of the sounds and texts of a corpus.

    Attributes
    ----------
    most : dict of str to int
        The largest number of frames of each symbol.
    frames, symbols : int
        The largest numbers in a sound.
    is_guess : bool
        Whether no sound says which frames belong to which symbol.
    """

    most: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    symbols: int = 0
    is_guess: bool = True

    def add(self, sound: Sound, per_second: float, with_text: bool) -> None:
        """Count a sound; one that has fewer frames than symbols does not count."""
        count = max(round(sound.seconds * per_second), 1)
        self.frames = max(self.frames, count)
        said = said_in(sound) if with_text else Said(())
        if not said.symbols:
            return
        try:
            frames = said.frames(count, per_second).tolist()
        except DataError:
            return
        self.symbols = max(self.symbols, len(said.symbols))
        self.is_guess &= said.begins is None
        self.most[BLANK] = 0
        for symbol, number in zip(said.symbols, frames, strict=True):
            self.most[symbol] = max(self.most.get(symbol, 0), number)
