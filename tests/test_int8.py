"""Steps with 8-bit weights: exact products whatever the processor, and what is rounded."""

import llvmlite.binding
import numpy as np
import pytest
from numba import njit

from seqgen.stepping import int8_products
from seqgen.stepping.int8_products import adding, repeated, zeros
from seqgen.stepping.int8_step import Rounded, round_state, rounded_weights
from seqgen.stepping.sixteen import COUNT, intrinsic, store

FEATURES = llvmlite.binding.get_host_cpu_features()
WAYS = {
    "plain": True,
    "256": bool(FEATURES.get("avx512vnni") and FEATURES.get("avx512vl")),
    "512": bool(FEATURES.get("avx512vnni")),
    "best": True,
}


@intrinsic
def put(typing, sums, found):
    """Store sixteen sums, for the test."""

    def emit(context, builder, signature, given):
        zero = context.get_constant(int8_products.types.intp, 0)
        store(context, builder, signature.args[1], (given[1], zero), given[0])
        return context.get_dummy_value()

    return int8_products.types.none(int8_products.VECTOR, found), emit


@pytest.mark.parametrize("way", [way for way, is_here in WAYS.items() if is_here])
def test_products_are_exact_in_every_way(way: str) -> None:
    added = adding(way)

    @njit
    def product(weights, numbers, found):
        sums = zeros()
        for place in range(0, len(numbers), 4):
            sums = added(sums, weights, COUNT * place, repeated(numbers, place))
        put(sums, found)

    rng, found = np.random.default_rng(0), np.zeros(COUNT, np.int32)
    for kind in range(5):
        weights = rng.integers(-127, 128, (COUNT, 64)).astype(np.int8)
        numbers = rng.integers(0, 256, 64).astype(np.uint8)
        if kind in (1, 2):  # Sums of two such products do not fit into 16 bits.
            weights[:], numbers[:] = 127 if kind == 1 else -127, 255
        if kind == 3:
            weights[:, ::3], numbers[::2] = -127, 255
        laid_out = weights.reshape(COUNT, -1, 4).swapaxes(0, 1).ravel().copy()
        product(laid_out, numbers, found)
        np.testing.assert_array_equal(found, weights.astype(int) @ numbers.astype(int))


def test_the_way_follows_the_features_that_are_compiled_for() -> None:
    assert int8_products._best("+avx2,+avx512vnni,-prefer-256-bit") == "512"
    assert int8_products._best("+avx2,+avxvnni") == "256"
    assert int8_products._best("+avx2,-avx512vnni,-avxvnni") == "plain"
    assert int8_products._best("") == "plain"


def test_weights_are_rounded_to_half_a_step_of_their_column() -> None:
    rng = np.random.default_rng(1)
    source = (rng.normal(size=(32, 64)) * 10.0 ** rng.integers(-6, 3, 64)).astype(np.float32)
    source[:, 5] = 0
    eight = rounded_weights([source])
    panel = eight.weights.reshape(8, 64, 4).transpose(0, 2, 1).reshape(32, 64)
    assert (np.abs(panel * eight.scales - source) <= 0.5001 * eight.scales).all()
    assert (np.abs(panel).max(axis=0)[np.arange(64) != 5] == 127).all()
    np.testing.assert_allclose(eight.shifts, panel.sum(axis=0, dtype=int) * eight.scales, rtol=1e-6)


@pytest.mark.parametrize("units", [32, 41])
def test_outputs_and_normalised_outputs_are_rounded_to_half_a_step(units: int) -> None:
    rng = np.random.default_rng(2)
    h = np.zeros((3, 2, 64), np.float32)
    h[..., :units] = rng.uniform(-0.2, 0.9, (3, 2, units))
    h[2, 1, :units] = 0  # After a reset; it has no range.
    x = Rounded(np.zeros((3, 2, 64), np.uint8), np.zeros((3, 2, 4), np.float32))
    round_state(units, h, x)
    for lane, layer in np.ndindex(3, 2):
        step, low, normal_step, normal_low = x.ranges[lane, layer].astype(float)
        numbers, outputs = x.numbers[lane, layer, :units], h[lane, layer, :units].astype(float)
        assert np.abs(low + step * numbers - outputs).max() <= 0.501 * step
        normal = (outputs - outputs.mean()) / np.sqrt(outputs.var() + 1e-5)
        assert (
            np.abs(normal_low + normal_step * numbers - normal).max() <= 0.501 * normal_step + 1e-5
        )
