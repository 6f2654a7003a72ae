"""Measures of new sounds and of a corpus; NaN where a sound has no value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Metric
from seqgen_speech.cleaning import SPEECH, powers
from seqgen_speech.measures.quality import is_installed, rating
from seqgen_speech.measures.words import Recogniser, shares_recognised, spoken
from seqgen_speech.sound import Sound
from seqgen_speech.vocoder.pitch import pitch_codes, pitches

#: Decibels between a syllable's middle and the dips beside it, and below the loudest 10 ms (de Jong
#: and Wempe, 2009), and 10 ms frames whose levels are averaged.
DIP, AUDIBLE, SMOOTH = 2.0, 25.0, 5

#: Most sounds that DNSMOS rates; each takes a third of a second.
MOST_RATED = 20

#: Pitches that are told apart, in equal musical steps, and samples per second of what is measured.
PITCHES, PITCH_RATE = 128, 8_000

#: Unit of each measure.
UNITS = {
    "duration": "seconds",
    "silence": "",
    "syllables per second": "",
    "pitch": "Hz",
    "pitch range": "semitones",
}


def measure(generated: Sequence[Sound], reference: Iterable[Sound]) -> dict[str, Metric]:
    """Return all measures of new and reference sounds, by name.

    The rating of listeners is guessed for at most `MOST_RATED` sounds of both sides, if the extra
    ``speech-quality`` is installed.
    """
    reference = list(reference)
    new, old = ([values_of(sound) for sound in side] for side in (generated, reference))
    found = {
        name: Metric(
            unit,
            np.array([values[name] for values in new]),
            np.array([values[name] for values in old]),
        )
        for name, unit in UNITS.items()
    }
    if is_installed():
        found["rating by DNSMOS"] = Metric("1 to 5", _ratings(generated), _ratings(reference))
    return found


def _ratings(sounds: Sequence[Sound]) -> NDArray[np.float64]:
    """Return the ratings ``(N,)`` of sounds; NaN from `MOST_RATED` on."""
    rated = [rating(sound) for sound in sounds[:MOST_RATED]]
    return np.array(rated + [np.nan] * (len(sounds) - len(rated)))


def measure_texts(
    texts: Sequence[str], written: Sequence[Sound], reference: Iterable[Sound]
) -> dict[str, Metric]:
    """Return the share of given words that a recogniser hears; nothing without PocketSphinx.

    Parameters
    ----------
    texts : sequence of G str
    written : sequence of G Sound
    reference : iterable of Sound
        Sounds with texts, after encoding and decoding: their own share is the ceiling.
    """
    sounds = list(reference)
    said = [sound.text for sound in sounds]
    # One recogniser knows the texts of both sides, so none is easier for it.
    both = [text for text in (*texts, *said) if spoken(text)]
    if not texts or not both or find_spec("pocketsphinx") is None:
        return {}
    recogniser = Recogniser(both)
    new = shares_recognised(recogniser, written, texts)
    return {
        "given words that are recognised": Metric(
            "", new, shares_recognised(recogniser, sounds, said)
        )
    }


def values_of(sound: Sound) -> dict[str, float]:
    """Return the value of each measure in `UNITS`; all but the duration are NaN for silence."""
    found = dict.fromkeys(UNITS, np.nan) | {"duration": sound.seconds}
    if not sound.samples.any():
        return found
    power, _ = powers(sound)
    found["silence"] = float(np.mean(power < power.max() * 10 ** (-SPEECH / 10)))
    found["syllables per second"] = syllables(power) / sound.seconds
    voiced = voiced_pitches(sound)
    if len(voiced):
        low, middle, high = np.percentile(voiced, (10, 50, 90)).tolist()
        found["pitch"], found["pitch range"] = middle, 12 * math.log2(high / low)
    return found


def syllables(power: NDArray[np.float64]) -> int:
    """Return the number of peaks of the level with dips beside them.

    Parameters
    ----------
    power : float64 array (F,)
        Of 10 ms frames, not all silent.
    """
    power = np.convolve(power, np.ones(SMOOTH) / SMOOTH, "same")
    level = 10 * np.log10(power / power.max() + 1e-12)
    count, low, high = 0, -np.inf, -np.inf
    # A peak counts once the level has fallen; the next one needs a rise from the dip after it.
    rising = True
    for value in [*level.tolist(), -np.inf]:
        if rising:
            high = max(high, value)
            if value < high - DIP:
                count += high > -AUDIBLE
                rising, low = False, value
        else:
            low = min(low, value)
            if value > low + DIP:
                rising, high = True, value
    return count


def voiced_pitches(sound: Sound) -> NDArray[np.float64]:
    """Return the pitch ``(V,)`` of each voiced 10 ms frame in Hz; none of a sound too long."""
    if not sound.fits(PITCH_RATE):
        return np.zeros(0)
    sound = sound.at(PITCH_RATE)
    samples, hop = sound.samples.astype(np.float64), PITCH_RATE / 100
    codes = pitch_codes(samples, PITCH_RATE, hop, PITCHES)
    return np.asarray(pitches(PITCHES)[codes[codes > 0] - 1])
