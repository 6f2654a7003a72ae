"""Gates and exponentials, compiled, against double precision."""

import numpy as np
from numba import njit

from seqgen.drawing.exponentials import exponential
from seqgen.stepping.gates import gate


@njit
def apply(gates: np.ndarray, h: np.ndarray, c: np.ndarray) -> None:
    for first in range(0, len(c), 16):
        gate(gates, 4 * first, h, c, first)


def logistic(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def test_gates_are_those_of_an_lstm() -> None:
    rng = np.random.default_rng(0)
    count = 16 * 500
    wide = rng.normal(0, 1, (count, 4)) * 10.0 ** rng.integers(-3, 5, (count, 1))
    gates, c = wide.astype(np.float32), rng.normal(0, 3, count).astype(np.float32)
    gates[0], gates[1], c[2] = 0, np.float32(1e30), 0
    side_by_side = gates.reshape(-1, 16, 4).swapaxes(1, 2).ravel().copy()
    h, new = np.zeros(count, np.float32), c.copy()
    apply(side_by_side, h, new)
    into, forget, cell, out = gates.astype(float).T
    wanted = logistic(forget) * c + logistic(into) * np.tanh(cell)
    np.testing.assert_allclose(new, wanted, rtol=1e-6, atol=3e-7)
    np.testing.assert_allclose(h, logistic(out) * np.tanh(wanted), rtol=0, atol=1e-6)
    assert np.abs(h).max() <= 1


def test_gates_that_are_no_numbers_stay_so() -> None:
    gates, h, c = np.full(64, np.nan, np.float32), np.zeros(16, "f4"), np.zeros(16, "f4")
    apply(gates, h, c)
    assert np.isnan(h).all()
    assert np.isnan(c).all()


def test_exponentials_are_exact_to_the_last_bits() -> None:
    rng = np.random.default_rng(0)
    given = np.concatenate([rng.uniform(-707, 700, 3000), rng.normal(0, 1, 3000), [0.0, -1e-300]])
    found = np.array([exponential(each) for each in given])
    np.testing.assert_allclose(found, np.exp(given), rtol=1e-15)
    assert [exponential(each) for each in (-np.inf, -1e308, -710.0)] == [0, 0, 0]
