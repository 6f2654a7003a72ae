"""What a step does with the sums of a layer: gates, the new state, the normalised output; compiled.

Comes from: `seqgen.stepping.fused_step`. H hidden.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numpy.typing import NDArray

from seqgen.compiling import compiled_summing
from seqgen.stepping.sixteen import COUNT, Emit, Sixteen, intrinsic, load, store

Floats: TypeAlias = NDArray[np.float32]

ONE = np.float32(1)

#: The logistic function is flat to the last bit before its exponent of 2 is so large. Products of
#: three powers of 2 up to it are below the largest float32.
LARGEST = 40
LOG2_E = 1.4426950408889634

#: Polynomial for 2 ** x between -1/2 and 1/2, highest power first: relative error below 2e-9.
COEFFICIENTS = (
    *(1.5345802e-4, 1.3399931e-3, 9.6184891e-3),
    *(5.5503286e-2, 0.24022646, 0.69314718, 1.0),
)

#: Added to a float32, this leaves its whole part in the last bits: 1.5 * 2 ** 23.
WHOLE = 12582912

#: Added to the variance of outputs, as PyTorch does.
EPSILON = np.float32(1e-5)


@intrinsic
def gate(typing: Any, gates: Any, place: Any, h: Any, c: Any, first: Any) -> tuple[Any, Emit]:
    """Apply the gates of sixteen units to their state (Hochreiter 1997, Gers 2000).

    The logistic function is 1 / (1 + e ** -x), and tanh is (1 - e ** -2x) / (1 + e ** -2x). Here
    all terms of a sum have one denominator, so a unit takes two divisions. The error is below 3e-7
    of the largest term.

    Parameters
    ----------
    gates : float32 array
        From element `place` on: sixteen input gates, then forget, cell and output gates.
    h, c : float32 array
        Overwritten from element `first` on.
    """

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        """Write the instructions that go through the gates of sixteen units."""
        gates, place, h, c, first = given
        kinds = signature.args
        into, forget, cell, out = (
            Sixteen(builder, load(context, builder, kinds[0], (gates, at)))
            for at in (
                builder.add(place, ir.Constant(place.type, number * COUNT)) for number in range(4)
            )
        )
        before = Sixteen(builder, load(context, builder, kinds[3], (c, first)))
        from_forget = power_of_e(forget * -1) + 1
        to_cell = power_of_e(cell * -2)
        from_cell = (power_of_e(into * -1) + 1) * (to_cell + 1)
        opposite = to_cell * -1 + 1
        new = (before * from_cell + opposite * from_forget) / (from_forget * from_cell)
        to_out = power_of_e(new * -2)
        output = (to_out * -1 + 1) / ((power_of_e(out * -1) + 1) * (to_out + 1))
        store(context, builder, kinds[3], (c, first), new.value)
        store(context, builder, kinds[2], (h, first), output.value)
        return context.get_dummy_value()

    return types.none(gates, types.intp, h, c, types.intp), emit


def power_of_e(x: Sixteen) -> Sixteen:
    """Return e ** x to a relative error of 2e-6; beyond 2 ** -40 and 2 ** 40 it stays there."""
    exponent = (x * LOG2_E).at_least(-LARGEST).at_most(LARGEST)
    shifted = exponent + WHOLE
    rest = exponent - (shifted - WHOLE)
    power = rest * COEFFICIENTS[0] + COEFFICIENTS[1]
    for coefficient in COEFFICIENTS[2:]:
        power = power * rest + coefficient
    return power.times_power_of_two(shifted)


@compiled_summing
def moments(units: int, h: Floats, lane: int, layer: int) -> tuple[np.float32, np.float32]:
    """Return the mean of a layer's outputs, and the factor that makes their variance 1."""
    mean = variance = np.float32(0)
    for unit in range(units):
        mean += h[lane, layer, unit]
    mean /= np.float32(units)
    for unit in range(units):
        variance += (h[lane, layer, unit] - mean) * (h[lane, layer, unit] - mean)
    return mean, ONE / np.sqrt(variance / np.float32(units) + EPSILON)
