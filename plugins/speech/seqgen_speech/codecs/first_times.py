"""When each phoneme of a recording is spoken: a first guess, by comparison with eSpeak NG.

The synthesiser says the same text and tells the times of its phonemes. Dynamic time warping of both
sounds carries these times over to the recording (Malfrère and Dutoit, "High-quality speech
synthesis for phonetic speech segmentation", 1997). A trained model finds better ones
(`seqgen.training.realignment`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_speech.cepstra import HOP, RATE, Floats, mel_cepstra
from seqgen_speech.espeak import said_alike
from seqgen_speech.sound import Sound

#: Longest sound that is compared, in seconds: two of 40 have 16 million pairs of frames, a byte
#: each.
LONGEST = 40.0

#: Longest text that is compared, in characters; far more are not said in `LONGEST` seconds.
MOST_CHARACTERS = 1_000

#: Coefficients of the mel-cepstrum that are compared, the loudness among them.
COEFFICIENTS = 13

#: Moves of a path through pairs of frames: on in both sounds, or in one of them.
BOTH, ONLY_FIRST, ONLY_SECOND = range(3)


def first_times(sound: Sound, symbols: Sequence[str], language: str) -> NDArray[np.float64] | None:
    """Return the seconds at which symbols begin in a recording of its text ``(S,)``.

    None if the sound is empty or longer than `LONGEST`, or if the synthesiser says other symbols.

    Parameters
    ----------
    sound : Sound
    symbols : sequence of S str
        Phonemes, gaps and pauses of its text.
    language : str
        As eSpeak NG calls it.
    """
    if not 0 < sound.seconds <= LONGEST or len(sound.text) > MOST_CHARACTERS:
        return None
    said = said_alike(sound.text, language)
    if said.seconds > LONGEST or [symbol for symbol, *_ in said.times] != [*symbols]:
        return None
    places = _places(_described(sound), _described(said))
    frames = np.round(np.array([begin for _, begin, _ in said.times]) * RATE / HOP)
    return np.asarray(places[frames.astype(np.int64).clip(0, len(places) - 1)] * HOP / RATE)


def _described(sound: Sound) -> Floats:
    """Return what is compared of each frame ``(F, C)``: its mel-cepstrum less the mean.

    So neither the level of a sound nor the colour of a microphone counts.
    """
    cepstra = mel_cepstra(sound, COEFFICIENTS)
    return np.asarray(cepstra - cepstra.mean(0))


@compiled
def _places(first: Floats, second: Floats) -> Ids:
    """Return where in one sound each frame of another begins ``(G,)``, by the cheapest path.

    A move in both sounds costs twice the distance of the frames (Sakoe and Chiba, "Dynamic
    programming algorithm optimization for spoken word recognition", 1978, symmetric form).

    Parameters
    ----------
    first, second : float64 array (F, C), (G, C)
    """
    rows, columns = len(first), len(second)
    moves = np.zeros((rows, columns), np.uint8)
    sums = np.full(columns, np.inf)  # of the row before, then of this one
    for row in range(rows):
        diagonal = 0.0 if row == 0 else np.inf
        for column in range(columns):
            distance = np.sqrt(((first[row] - second[column]) ** 2).sum())
            best, move = diagonal + 2 * distance, BOTH
            diagonal = sums[column]
            if sums[column] + distance < best:
                best, move = sums[column] + distance, ONLY_FIRST
            if column and sums[column - 1] + distance < best:
                best, move = sums[column - 1] + distance, ONLY_SECOND
            sums[column], moves[row, column] = best, move
    places = np.zeros(columns, np.int64)
    row, column = rows - 1, columns - 1
    while row >= 0 and column >= 0:
        places[column] = row
        move = moves[row, column]
        row -= move != ONLY_SECOND
        column -= move != ONLY_FIRST
    return places
