"""Predicts the next sample from the samples before: compiled functions.

The predictor is linear. Every `PERIOD` samples it is fitted anew to the last `WINDOW` samples, by
the autocorrelation method (Levinson and Durbin). So nothing is stored or transmitted: it is
*backward adaptive*, as in LD-CELP (ITU-T G.728, 1992). Predictions are the same on every machine,
because amplitudes are whole numbers and sums are taken in one order.

A state is a row of FIELDS numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy

#: Samples that a prediction is made of, samples that it is fitted to, and how often.
ORDER, WINDOW, PERIOD = 16, 160, 10

#: Share of the mean absolute error that each sample keeps, and of a slower mean.
KEPT, KEPT_LONGER = 0.92, 0.99

#: Noise that is added to the fit, as a share of the power: one part in ten thousand (40 dB).
NOISE = 1e-4

#: Fields of a state: number of samples, two means of the absolute error, weights, and the last
#: samples.
COUNT, ERROR, SLOW_ERROR, WEIGHTS = range(4)
HISTORY = WEIGHTS + ORDER
FIELDS = HISTORY + WINDOW

#: Amplitude of full scale. All amplitudes are whole numbers.
FULL = 32_767

State = NDArray[np.float64]


def new_state() -> State:
    """Return the state ``(FIELDS,)`` before the first sample: silence."""
    return np.zeros(FIELDS)


def _window() -> NDArray[np.float64]:
    """Return the weight ``(WINDOW,)`` of each of the last samples, the newest first."""
    age = (np.arange(WINDOW) + 0.5) / WINDOW
    # A quick rise and a slow fall, without functions that differ between machines.
    return np.where(age < 0.2, age * (10 - 25 * age), 1 - ((age - 0.2) / 0.8) ** 2)


_WEIGHT = _window()


@compiled
def predicted(state: State) -> float:
    """Return the amplitude that is expected next, within full scale."""
    total = 0.0
    newest = int(state[COUNT]) - 1
    for lag in range(ORDER):
        total += state[WEIGHTS + lag] * state[HISTORY + (newest - lag) % WINDOW]
    return min(max(total, -FULL), FULL)


@compiled
def push(state: State, amplitude: float, prediction: float) -> None:
    """Update a state with the next sample, and what `predicted` said of it."""
    error = abs(amplitude - prediction)
    state[ERROR] = KEPT * state[ERROR] + (1 - KEPT) * error
    state[SLOW_ERROR] = KEPT_LONGER * state[SLOW_ERROR] + (1 - KEPT_LONGER) * error
    count = int(state[COUNT])
    state[HISTORY + count % WINDOW] = amplitude
    state[COUNT] = count + 1
    if (count + 1) % PERIOD == 0:
        fit(state)


@compiled
def fit(state: State) -> None:
    """Fit the weights of a state to its last samples."""
    newest = int(state[COUNT]) - 1
    recent = np.empty(WINDOW)
    for age in range(WINDOW):
        recent[age] = state[HISTORY + (newest - age) % WINDOW] * _WEIGHT[age]
    power = np.empty(ORDER + 1)
    for lag in range(ORDER + 1):
        total = 0.0
        for age in range(WINDOW - lag):
            total += recent[age] * recent[age + lag]
        power[lag] = total
    # A sample of noise of amplitude 1, so that silence has power.
    left = power[0] * (1 + NOISE) + WINDOW
    weights, before = np.zeros(ORDER), np.zeros(ORDER)
    for order in range(ORDER):
        total = power[order + 1]
        for lag in range(order):
            total -= weights[lag] * power[order - lag]
        reflection = total / left
        copy(weights[:order], before[:order])
        for lag in range(order):
            weights[lag] = before[lag] - reflection * before[order - 1 - lag]
        weights[order] = reflection
        left *= 1 - reflection * reflection
    copy(weights, state[WEIGHTS:HISTORY])
