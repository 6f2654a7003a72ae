"""Measures of new sounds and of a corpus; NaN where a sound has no value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from seqgen.plugin import Metric
from seqgen_speech.measures.words import Recogniser, shares_recognised, spoken
from seqgen_speech.sound import Sound


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
    if not both or find_spec("pocketsphinx") is None:
        return {}
    recogniser = Recogniser(both)
    new = shares_recognised(recogniser, written, texts)
    return {
        "given words that are recognised": Metric(
            "", new, shares_recognised(recogniser, sounds, said)
        )
    }
