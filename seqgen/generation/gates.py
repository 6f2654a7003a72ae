"""What a step does with the sums of a layer: gates, the new state, the normalised output; compiled.

Comes from: `seqgen.generation.fused_step`. H hidden.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled_contracting as compiled
from seqgen.compiling import compiled_summing
from seqgen.generation.exponentials import ONE, power_of_e

Floats: TypeAlias = NDArray[np.float32]

TWO = np.float32(2)

#: Added to the variance of outputs, as PyTorch does.
EPSILON = np.float32(1e-5)


@compiled
def gate(gates: Floats, h: Floats, c: Floats) -> None:
    """Apply input, forget, cell and output gate (4H,) to a state (Hochreiter 1997, Gers 2000).

    The logistic function is 1 / (1 + e ** -x), and tanh is (1 - e ** -2x) / (1 + e ** -2x). Here
    all terms of a sum have one denominator, so a unit takes two divisions. The error is below 3e-7
    of the largest term.
    """
    hidden = len(c)
    into, forget = gates[:hidden], gates[hidden : 2 * hidden]
    cell, out = gates[2 * hidden : 3 * hidden], gates[3 * hidden :]
    for unit in range(hidden):
        from_forget = ONE + power_of_e(-forget[unit])
        to_cell = power_of_e(-TWO * cell[unit])
        from_cell = (ONE + power_of_e(-into[unit])) * (ONE + to_cell)
        new = (c[unit] * from_cell + (ONE - to_cell) * from_forget) / (from_forget * from_cell)
        to_out = power_of_e(-TWO * new)
        c[unit] = new
        h[unit] = (ONE - to_out) / ((ONE + power_of_e(-out[unit])) * (ONE + to_out))


@compiled_summing
def moments(units: int, outputs: Floats) -> tuple[np.float32, np.float32]:
    """Return the mean of a layer's outputs, and the factor that makes their variance 1."""
    mean = variance = np.float32(0)
    for unit in range(units):
        mean += outputs[unit]
    mean /= np.float32(units)
    for unit in range(units):
        variance += (outputs[unit] - mean) * (outputs[unit] - mean)
    return mean, ONE / np.sqrt(variance / np.float32(units) + EPSILON)
