"""The critic of speech: pauses, pace and pitch that are rare in the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np

from seqgen.plugin import Criticism, Norm, Norms
from seqgen_speech.measures.metrics import UNITS, values_of
from seqgen_speech.sound import Sound

#: Most training sounds that are measured.
PIECES = 100

#: How long a letter of the text takes; NaN without text.
PACE = "seconds per letter"

NORMS = {
    "duration": Norm(UNITS["duration"]),
    "silence": Norm(bad="high"),
    "syllables per second": Norm(),
    "pitch": Norm(UNITS["pitch"]),
    "pitch range": Norm(UNITS["pitch range"]),
}


def critic(pieces: Iterable[Sound]) -> Callable[[Sound, Any], Criticism]:
    """Return the critic that training sounds teach; with texts, of pace and not of duration."""
    rows = [_values(sound) for sound in islice(pieces, PIECES)]
    have_texts = np.isfinite([row[PACE] for row in rows]).sum() > len(rows) / 2
    norms = {name: norm for name, norm in NORMS.items() if name != "duration" or not have_texts}
    norms |= {PACE: Norm()} if have_texts else {}
    learned = Norms(norms, rows)
    return lambda sound, condition: learned.criticise(_values(sound))


def _values(sound: Sound) -> dict[str, float]:
    letters = sum(map(str.isalnum, sound.text))
    return values_of(sound) | {PACE: sound.seconds / letters if letters else np.nan}
