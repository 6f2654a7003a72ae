"""Exponential functions in operations that processors do on many numbers at once, compiled.

Neither rounds as the system's library does, so results do not depend on which library that is.
"""

from __future__ import annotations

import numpy as np

from seqgen.compiling import compiled_contracting as compiled

#: 1 / k! for k from 12 to 0: e ** x between -0.35 and 0.35 to a relative error below 2e-16.
INVERSE_FACTORIALS = (
    *(1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720),
    *(1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0),
)

#: Exponents below this give 0.
SMALLEST = -708.0

#: The logarithm of 2 in two parts: the first times a whole exponent is exact.
LN2_HIGH, LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10

#: Added to a float64, this leaves its whole part in the last bits: 1.5 * 2 ** 52.
WHOLE = 6755399441055744.0


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
