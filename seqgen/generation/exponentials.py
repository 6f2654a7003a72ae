"""Exponential functions in operations that processors do on many numbers at once, compiled.

Neither rounds as the system's library does, so results do not depend on which library that is.
"""

from __future__ import annotations

import numpy as np

from seqgen.compiling import compiled_contracting as compiled

#: The logistic function is flat to the last bit before its exponent of 2 is so large. Products of
#: three powers of 2 up to it are below the largest float32.
LARGEST = np.float32(40)
LOG2_E = np.float32(1.4426950408889634)
ONE = np.float32(1)

#: Polynomial for 2 ** x between -1/2 and 1/2, highest power first: relative error below 2e-9.
COEFFICIENTS = (
    *(np.float32(1.5345802e-4), np.float32(1.3399931e-3), np.float32(9.6184891e-3)),
    *(np.float32(5.5503286e-2), np.float32(0.24022646), np.float32(0.69314718), ONE),
)

#: 1 / k! for k from 12 to 0: e ** x between -0.35 and 0.35 to a relative error below 2e-16.
INVERSE_FACTORIALS = (
    *(1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720),
    *(1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0),
)

#: Exponents below this give 0.
SMALLEST = -708.0

#: The logarithm of 2 in two parts: the first times a whole exponent is exact.
LN2_HIGH, LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10

#: Added to a float64 or a float32, these leave its whole part in the last bits: 1.5 * 2 ** 52 and
#: 1.5 * 2 ** 23.
WHOLE, WHOLE_32 = 6755399441055744.0, np.float32(12582912)


@compiled
def power_of_e(x: np.float32) -> np.float32:
    """Return e ** x to a relative error of 2e-6; beyond 2 ** -40 and 2 ** 40 it stays there."""
    exponent = min(max(x * LOG2_E, -LARGEST), LARGEST)
    shifted = np.float32(exponent + WHOLE_32)
    rest = exponent - (shifted - WHOLE_32)
    power = COEFFICIENTS[0]
    for number in range(1, len(COEFFICIENTS) - 1):
        power = power * rest + COEFFICIENTS[number]
    between = np.float32(power * rest + ONE)
    scaled = np.int32(between.view(np.int32) + (shifted.view(np.int32) << np.int32(23)))
    return np.float32(scaled.view(np.float32))


@compiled
def exponential(x: float) -> float:
    """Return e ** x for x up to 700, to a relative error of 1e-15; 0 below -708, and for NaN."""
    shifted = np.float64(x * 1.4426950408889634 + WHOLE)
    whole = shifted - WHOLE
    rest = (x - whole * LN2_HIGH) - whole * LN2_LOW
    power = INVERSE_FACTORIALS[0]
    for number in range(1, len(INVERSE_FACTORIALS) - 1):
        power = power * rest + INVERSE_FACTORIALS[number]
    between = np.float64(power * rest + 1.0)
    scaled = np.int64(between.view(np.int64) + (shifted.view(np.int64) << np.int64(52)))
    return float(scaled.view(np.float64)) if x > SMALLEST else 0.0
