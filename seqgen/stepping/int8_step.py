"""Steps with 8-bit weights: outputs of layers are rounded to 8 bits too, so products are integers.

A layer's outputs h are stored as numbers n from 0 to 255 between their lowest and highest value:
h = low + step * n. Products with n are exact (`seqgen.stepping.int8_products`), and
W h = step * (W n) + low * (W 1), where W 1 is known before. What reads normalised outputs
(h - mean) * factor takes the same numbers, with another step and another low.

B sequences, L layers, H hidden, S sources of products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled_contracting as compiled
from seqgen.compiling import compiled_inside
from seqgen.plugin import Ids
from seqgen.stepping.gates import EPSILON, ONE, Floats, gate
from seqgen.stepping.int8_products import (
    INPUTS,
    added,
    extent,
    put_scaled,
    repeated,
    round_off,
    zeros,
)
from seqgen.stepping.sixteen import COUNT

#: Columns of a panel of weights; bytes of a panel that are used with four inputs.
PANEL = 4 * COUNT
BYTES = PANEL * INPUTS

#: Where step and low of a layer's outputs are, and of its normalised outputs.
PLAIN, NORMALISED = 0, 2

#: Largest weight and largest number.
LARGEST_WEIGHT, LARGEST = np.float32(127), np.float32(255)

#: Smallest range of numbers, and smallest range of weights.
SMALLEST = np.float32(1e-12)


class EightBits(NamedTuple):
    """Weights of 8 bits, source by source, in panels.

    The sources are the recurrent weights of layer 0; of every further layer, those that read the
    layer below and the recurrent ones; and the output weights, for each layer that they read.

    Attributes
    ----------
    weights : int8 array
        In a panel, the weights of four inputs are together, output by output.
    scales, shifts : float32 array (columns of all sources,)
        Of each column: the factor of its weights, and their sum times the factor.
    """

    weights: NDArray[np.int8]
    scales: Floats
    shifts: Floats


class Rounded(NamedTuple):
    """Outputs of layers in 8 bits.

    Attributes
    ----------
    numbers : uint8 array (B, L, H)
    ranges : float32 array (B, L, 4)
        Step and low of the outputs, then step and low of the normalised outputs.
    """

    numbers: NDArray[np.uint8]
    ranges: Floats


def rounded_weights(sources: Sequence[Floats]) -> EightBits:
    """Round weights, each source (H, columns), with a scale for each column."""
    weights, scales, shifts = [np.zeros(0, np.int8)], [np.zeros(0, "f4")], [np.zeros(0, "f4")]
    for source in sources:
        scale = np.maximum(np.abs(source).max(axis=0), SMALLEST) / LARGEST_WEIGHT
        whole = np.rint(source / scale).astype(np.int8)
        scales.append(scale)
        shifts.append(scale * whole.sum(axis=0, dtype=np.float32))
        fours = whole.reshape(-1, INPUTS, source.shape[1] // PANEL, PANEL)
        weights.append(fours.transpose(2, 0, 3, 1).ravel())
    return EightBits(np.concatenate(weights), np.concatenate(scales), np.concatenate(shifts))


@compiled_inside
def round_state(units: int, h: Floats, x: Rounded) -> None:
    """Round the outputs (B, L, H) that a call begins with."""
    for lane in range(len(h)):
        for layer in range(x.numbers.shape[1]):
            round_outputs(units, h, lane, layer, x)


@compiled_inside
def round_outputs(units: int, h: Floats, lane: int, layer: int, x: Rounded) -> None:
    """Round the last outputs of a layer; those of padded units are 0."""
    layers, hidden = x.numbers.shape[1:]
    place = (lane * layers + layer) * hidden
    low, high, total = extent(h, place, hidden)
    mean, span = total / np.float32(units), max(high - low, SMALLEST)
    squares = round_off(h, place, hidden, low, LARGEST / span, mean, x.numbers)
    squares -= np.float32(hidden - units) * mean * mean
    step, factor = span / LARGEST, ONE / np.sqrt(squares / np.float32(units) + EPSILON)
    x.ranges[lane, layer, PLAIN] = step
    x.ranges[lane, layer, PLAIN + 1] = low
    x.ranges[lane, layer, NORMALISED] = step * factor
    x.ranges[lane, layer, NORMALISED + 1] = (low - mean) * factor


@compiled
def advance_layer(
    eight: EightBits,
    layer: int,
    lanes: Ids,
    low: int,
    high: int,
    x: Rounded,
    table: Floats,
    rows: Ids,
    gates: Floats,
    h: Floats,
    c: Floats,
) -> None:
    """Compute the gates (B, 4H) of lanes from `low` to `high`, and apply them to h and c.

    They are the sum of a row of the table for each lane, and products.
    """
    columns, layers, hidden = gates.shape[1], h.shape[1], h.shape[2]
    own = columns * 2 * layer
    below = own - columns
    for column in range(0, columns, PANEL):
        if layer == 0:
            _add(eight, own + column, lanes, low, high, x, layer, PLAIN, table, rows, gates, column)
        else:
            at = below + column
            _add(eight, at, lanes, low, high, x, layer - 1, NORMALISED, table, rows, gates, column)
            _add(
                eight, own + column, lanes, low, high, x, layer, PLAIN, gates, lanes, gates, column
            )
        for lane in range(low, high):
            gate(
                gates, lane * columns + column, h, c, (lane * layers + layer) * hidden + column // 4
            )


@compiled_inside
def add_output(
    eight: EightBits,
    seen: int,
    lanes: Ids,
    x: Rounded,
    table: Floats,
    rows: Ids,
    scores: Floats,
    left: int,
    right: int,
) -> None:
    """Compute some columns of the scores (B, columns) of some lanes.

    They are the sum of a row of the table for each lane, and products.
    """
    layers, columns, count = x.numbers.shape[1], scores.shape[1], len(lanes)
    source = len(eight.scales) - seen * columns
    for column in range(left, right, PANEL):
        place, layer = source + column, layers - seen
        _add(eight, place, lanes, 0, count, x, layer, NORMALISED, table, rows, scores, column)
        for layer in range(layers - seen + 1, layers):
            place += columns
            _add(eight, place, lanes, 0, count, x, layer, NORMALISED, scores, lanes, scores, column)


@compiled_inside
def _add(
    eight: EightBits,
    place: int,
    lanes: Ids,
    first: int,
    last: int,
    x: Rounded,
    layer: int,
    kind: int,
    table: Floats,
    rows: Ids,
    products: Floats,
    column: int,
) -> None:
    """Compute a panel of products: a row of a table for each lane, and outputs by weights.

    `place` is the panel's first column among those of all sources. The lanes are those in some
    places of `lanes`; the rows are in the same places.
    """
    fours = last - (last - first) % 4
    for number in range(first, fours, 4):
        _add_to_four(eight, place, lanes, number, x, layer, kind, table, rows, products, column)
    for number in range(fours, last):
        _add_to_one(eight, place, lanes, number, x, layer, kind, table, rows, products, column)


@compiled_inside
def _add_to_one(
    eight: EightBits,
    place: int,
    lanes: Ids,
    number: int,
    x: Rounded,
    layer: int,
    kind: int,
    table: Floats,
    rows: Ids,
    products: Floats,
    column: int,
) -> None:
    """Compute a panel's products for one lane."""
    layers, hidden = x.numbers.shape[1:]
    lane, columns, by = lanes[number], products.shape[1], COUNT
    at, first = place * hidden, (lane * layers + layer) * hidden
    one = two = three = four = zeros()
    for unit in range(first, first + hidden, INPUTS):
        given = repeated(x.numbers, unit)
        one = added(one, eight.weights, at, given)
        two = added(two, eight.weights, at + BYTES // 4, given)
        three = added(three, eight.weights, at + BYTES // 2, given)
        four = added(four, eight.weights, at + 3 * BYTES // 4, given)
        at += BYTES
    step, low = x.ranges[lane, layer, kind], x.ranges[lane, layer, kind + 1]
    scales, shifts = eight.scales, eight.shifts
    a, b = rows[number] * columns + column, lane * columns + column
    put_scaled(one, scales, shifts, place, step, low, table, a, products, b)
    place, a, b = place + by, a + by, b + by
    put_scaled(two, scales, shifts, place, step, low, table, a, products, b)
    place, a, b = place + by, a + by, b + by
    put_scaled(three, scales, shifts, place, step, low, table, a, products, b)
    place, a, b = place + by, a + by, b + by
    put_scaled(four, scales, shifts, place, step, low, table, a, products, b)


@compiled
def _add_to_four(
    eight: EightBits,
    place: int,
    lanes: Ids,
    number: int,
    x: Rounded,
    layer: int,
    kind: int,
    table: Floats,
    rows: Ids,
    products: Floats,
    column: int,
) -> None:
    """Compute a panel's products for four lanes, which share each weight that is read."""
    layers, hidden = x.numbers.shape[1:]
    size, columns = layers * hidden, products.shape[1]
    one, two, three, four = (
        lanes[number],
        lanes[number + 1],
        lanes[number + 2],
        lanes[number + 3],
    )
    for block in range(PANEL // COUNT):
        a = b = c = d = zeros()
        at = place * hidden + block * COUNT * INPUTS
        for unit in range(layer * hidden, (layer + 1) * hidden, INPUTS):
            a = added(a, eight.weights, at, repeated(x.numbers, one * size + unit))
            b = added(b, eight.weights, at, repeated(x.numbers, two * size + unit))
            c = added(c, eight.weights, at, repeated(x.numbers, three * size + unit))
            d = added(d, eight.weights, at, repeated(x.numbers, four * size + unit))
            at += BYTES
        to, scale = column + block * COUNT, place + block * COUNT
        for other, sums in enumerate((a, b, c, d)):
            lane = lanes[number + other]
            put_scaled(
                sums,
                eight.scales,
                eight.shifts,
                scale,
                x.ranges[lane, layer, kind],
                x.ranges[lane, layer, kind + 1],
                table,
                rows[number + other] * columns + to,
                products,
                lane * columns + to,
            )
