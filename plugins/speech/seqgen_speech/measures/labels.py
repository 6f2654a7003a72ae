"""A judge of labels: says which speaker or which word is heard in a short sound.

It is trained on real recordings and knows nothing of codecs and models. What it knows of a sound:
cepstra of some parts of it, their mean and deviation, and its length. One hidden layer makes
probabilities of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqgen_speech.cleaning import ReadOptions, cleaned
from seqgen_speech.measures.cepstrum import mel_cepstra
from seqgen_speech.sound import Sound

Floats = NDArray[np.float64]

#: Parts of a sound whose means are compared, and cepstra of a part and of the whole.
PARTS, OF_PARTS, OF_WHOLE = 12, 14, 20

#: What is cut off at both ends, in decibels below the loudest 10 ms.
TRIM = 35.0

#: Hidden units, passes over the recordings, recordings at once, rate of learning, decay of weights,
#: and noise that is added to what is known, in standard deviations.
UNITS, PASSES, BATCH, RATE, DECAY, NOISE = 64, 60, 64, 2e-3, 1e-2, 0.3


class LabelJudge:
    """Learns to tell labels from recordings.

    Parameters
    ----------
    sounds : sequence of N Sound
        Real recordings with some sound.
    labels : sequence of N str
    seed : int
    """

    def __init__(self, sounds: Sequence[Sound], labels: Sequence[str], seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.names = sorted(set(labels))
        known = np.array([known_of(sound) for sound in sounds])  # (N, D)
        self._mean, self._scale = known.mean(0), known.std(0) + 1e-6
        known = (known - self._mean) / self._scale
        wanted = np.eye(len(self.names))[[self.names.index(label) for label in labels]]
        sizes = (known.shape[1], UNITS, len(self.names))
        self._weights = [
            array
            for before, after in pairwise(sizes)
            for array in (rng.normal(0, before**-0.5, (before, after)), np.zeros(after))
        ]
        self._learn(known, wanted, rng)

    def heard(self, sound: Sound) -> str:
        """Return the likeliest label of a sound."""
        known = (known_of(sound) - self._mean) / self._scale
        return self.names[int(self._probabilities(known[None])[1].argmax())]

    def share(self, sounds: Sequence[Sound], labels: Sequence[str]) -> float:
        """Return the share of sounds whose label is heard."""
        return float(
            np.mean([self.heard(one) == label for one, label in zip(sounds, labels, strict=True)])
        )

    def _probabilities(self, known: Floats) -> tuple[Floats, Floats]:
        """Return hidden units ``(N, UNITS)`` and probabilities ``(N, K)``."""
        into, bias, out, out_bias = self._weights
        hidden = np.tanh(known @ into + bias)
        scores = hidden @ out + out_bias
        scores = np.exp(scores - scores.max(1, keepdims=True))
        return hidden, scores / scores.sum(1, keepdims=True)

    def _learn(self, known: Floats, wanted: Floats, rng: np.random.Generator) -> None:
        """Fit the weights by Adam with decay (Loshchilov and Hutter, 2019)."""
        means, squares = ([np.zeros_like(array) for array in self._weights] for _ in range(2))
        steps, count = PASSES * -(-len(known) // BATCH), 0
        for _ in range(PASSES):
            order = rng.permutation(len(known))
            for low in range(0, len(order), BATCH):
                rows = order[low : low + BATCH]
                count += 1
                slopes = self._slopes(
                    known[rows] + rng.normal(0, NOISE, (len(rows), known.shape[1])), wanted[rows]
                )
                rate = RATE * (1 - count / (steps + 1))
                for array, slope, mean, square in zip(
                    self._weights, slopes, means, squares, strict=True
                ):
                    mean += 0.1 * (slope - mean)
                    square += 0.001 * (slope**2 - square)
                    change = mean / (1 - 0.9**count)
                    change /= np.sqrt(square / (1 - 0.999**count)) + 1e-8
                    array -= rate * (change + DECAY * array)

    def _slopes(self, known: Floats, wanted: Floats) -> list[Floats]:
        """Return the derivatives of the mean cross-entropy."""
        hidden, shares = self._probabilities(known)
        error = (shares - wanted) / len(known)
        below = error @ self._weights[2].T * (1 - hidden**2)
        return [known.T @ below, below.sum(0), hidden.T @ error, error.sum(0)]


def known_of(sound: Sound) -> Floats:
    """Return what the judge knows of a sound ``(D,)``; loudness as a whole does not matter."""
    if not sound.samples.any():
        return np.zeros(PARTS * OF_PARTS + 2 * OF_WHOLE + 1)
    sound = cleaned(sound, ReadOptions(trim=TRIM))
    cepstra = mel_cepstra(sound, OF_WHOLE + 1)
    cepstra[:, 0] -= cepstra[:, 0].mean()
    bounds = np.linspace(0, len(cepstra), PARTS + 1)
    parts = [
        cepstra[int(low) : max(int(np.ceil(high)), int(low) + 1), :OF_PARTS].mean(0)
        for low, high in pairwise(bounds)
    ]
    whole = cepstra[:, 1:]
    return np.concatenate([*parts, whole.mean(0), whole.std(0), [np.log(len(cepstra))]])
