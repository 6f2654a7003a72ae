"""Bits per sample by linear prediction alone: what a model of samples has to beat.

The baseline is the predictor of the codec (`seqgen_speech.codecs.predictor`). Around each
prediction lies a mixture of logistic distributions, whose scales are multiples of the mean error.
Their weights are the posterior probabilities of the scales after the samples before, of which
older ones count less. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.plugin import Ids
from seqgen_speech.codecs.mulaw import AMPLITUDES, LEVELS, LIMITS, levels_of
from seqgen_speech.codecs.predictor import ERROR, State, new_state, predicted, push
from seqgen_speech.sound import Sound

#: Scales of the logistic distributions, as multiples of the mean error.
SCALES = np.array([0.15, 0.25, 0.4, 0.6, 0.9, 1.4, 2.5, 6.0])

#: Least mean error, in amplitudes of 16 bits.
LEAST = 0.7

#: Share of the evidence about the scales that each sample keeps.
KEPT = 0.95

#: Probability that is spread evenly over all levels.
EVEN = 1e-4


def linear_bits(sounds: Iterable[Sound], rate: int) -> float:
    """Return the mean bits per sample of sounds at a rate, in levels of the codec `mulaw`."""
    bits, samples = 0.0, 0
    for sound in sounds:
        levels = levels_of(sound.at(rate).samples)
        bits += float(bits_of(levels).sum())
        samples += len(levels)
    return bits / max(samples, 1)


def bits_of(levels: Ids) -> NDArray[np.float64]:
    """Return the bits ``(N,)`` of each of levels ``(N,)``, given those before."""
    bits = np.empty(len(levels))
    _score(new_state(), np.zeros(len(SCALES)), levels, bits)
    return bits


@compiled
def _score(
    state: State, evidence: NDArray[np.float64], levels: Ids, bits: NDArray[np.float64]
) -> None:
    """Set the bits ``(N,)`` of each of levels ``(N,)``."""
    for position in range(len(levels)):
        bits[position] = _bits_of_next(state, evidence, levels[position])


@compiled
def _bits_of_next(state: State, evidence: NDArray[np.float64], level: int) -> float:
    """Update state and evidence ``(S,)`` with the next level, and return its bits."""
    top = evidence.max()
    total = probability = 0.0
    for scale in range(len(SCALES)):
        weight, share = np.exp(evidence[scale] - top), _share(state, level, SCALES[scale])
        total += weight
        probability += weight * share
        evidence[scale] = KEPT * evidence[scale] + np.log(share)
    push(state, AMPLITUDES[level], predicted(state))
    return float(-np.log2(probability / total))


@compiled
def _share(state: State, level: int, multiple: float) -> float:
    """Return the probability of a level under the logistic distribution of a scale."""
    middle, scale = predicted(state), multiple * (state[ERROR] + LEAST)
    low = (LIMITS[level - 1] - middle) / scale if level else -np.inf
    high = (LIMITS[level] - middle) / scale if level < LEVELS - 1 else np.inf
    # The distribution is symmetric, and differences of small numbers are more exact.
    if low > 0:
        low, high = -high, -low
    inside = 1 / (1 + np.exp(-high)) - 1 / (1 + np.exp(-low))
    return float((1 - EVEN) * inside + EVEN / LEVELS)
