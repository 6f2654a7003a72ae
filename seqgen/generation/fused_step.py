"""One step of a trained model on the processor, compiled: rows of tables, products, gates, draw.

A step reads a few rows of tables and multiplies by the recurrent weights. One piece advances at the
speed of reading the weights, many side by side nearly at that of a matrix product. Sums run in the
same order for every batch size, so a piece is the same to the last bit in any batch.

B sequences, T steps, V ids read, V' ids predicted, H hidden, L layers, K features.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled_contracting as compiled
from seqgen.compiling import compiled_summing
from seqgen.generation.guide import Guide, follow_each
from seqgen.generation.parts import Parts, Views, join, look, look_again
from seqgen.generation.rules import Positions, Rules
from seqgen.generation.sampling import choose_each
from seqgen.plugin import Ids

Floats: TypeAlias = NDArray[np.float32]

#: Columns of a panel of weights, and rows that are used while they are in the cache.
PANEL, ROWS = 128, 32

#: Sequences whose gates fit into the processor's cache.
TOGETHER = 48

HALF, ONE, TWO = np.float32(0.5), np.float32(1), np.float32(2)

#: Added to the variance of outputs, as PyTorch does.
EPSILON = np.float32(1e-5)

#: Largest exponent of 2 that is used; beyond it the logistic function is flat.
LARGEST = np.float32(126)
LOG2_E = np.float32(1.4426950408889634)

#: Polynomial for 2 ** x between -1/2 and 1/2, highest power first: relative error below 2e-9.
COEFFICIENTS = (
    *(np.float32(1.5345802e-4), np.float32(1.3399931e-3), np.float32(9.6184891e-3)),
    *(np.float32(5.5503286e-2), np.float32(0.24022646), np.float32(0.69314718), ONE),
)


class Network(NamedTuple):
    """A model's weights, laid out for stepping; all arrays are aligned and contiguous.

    Attributes
    ----------
    units, hidden, layers : int
        Units of a layer; the padded number; number of layers.
    resets : bool array (V,)
        Whether a token resets the state: END or a boundary.
    weights : float32 or int8 array
        Panels of every layer's recurrent weights and of the output weights.
    scales : float32 array
        Factor of each column of the panels.
    inputs : float32 array (rows, 4H)
        Rows that tokens and feature values add to the gates.
    bias : float32 array (columns,)
        Of the scores.
    starts : int64 array (L,)
        First row of each layer in `inputs`.
    reads : bool array (L,)
        Whether a layer reads tokens and features; otherwise its one row is the bias.
    values : int64 array (K,)
        Offset of each feature's first value among all feature values.
    tokens : int
        V, the number of token rows; the rows of features follow.
    seen : int
        Number of layers that the output layer reads.
    parts : Parts
        Which ids each part of the output has, and its columns; panels are in this order.
    """

    units: int
    hidden: int
    layers: int
    resets: NDArray[np.bool_]
    weights: NDArray[Any]
    scales: Floats
    inputs: Floats
    bias: Floats
    starts: Ids
    reads: NDArray[np.bool_]
    values: Ids
    tokens: int
    seen: int
    parts: Parts


@compiled
def write_all(
    network: Network,
    positions: Positions,
    draws: NDArray[np.float64],
    rules: Rules,
    h: Floats,
    c: Floats,
    x: Floats,
    gates: Floats,
    scores: Floats,
    new: Ids,
    log_probabilities: NDArray[np.float64],
) -> None:
    """Read, predict and draw until every lane has ended or the draws are used up."""
    views = look(network.parts, positions, rules)
    for step in range(draws.shape[1]):
        if not look_again(views, positions, step):
            return
        _advance(network, positions.ids, positions.features, h, c, x, gates)
        _see(network, h, x)
        if not _draw(
            network, views, positions, draws, step, rules, x, scores, new, log_probabilities
        ):
            return


@compiled
def write_guided(
    network: Network,
    positions: Positions,
    draws: NDArray[np.float64],
    rules: Rules,
    h: Floats,
    c: Floats,
    x: Floats,
    gates: Floats,
    scores: Floats,
    new: Ids,
    log_probabilities: NDArray[np.float64],
    guide: Guide,
) -> None:
    """Do the same with trackers, which give features and masks after each token."""
    for step in range(draws.shape[1]):
        views = look(network.parts, positions, rules)
        if not look_again(views, positions, step):
            return
        _advance(network, positions.ids, positions.features, h, c, x, gates)
        _see(network, h, x)
        if not _draw(
            network, views, positions, draws, step, rules, x, scores, new, log_probabilities
        ):
            return
        follow_each(guide, positions, step + 1)


@compiled
def _draw(
    network: Network,
    views: Views,
    positions: Positions,
    draws: NDArray[np.float64],
    step: int,
    rules: Rules,
    x: Floats,
    scores: Floats,
    new: Ids,
    log_probabilities: NDArray[np.float64],
) -> bool:
    """Draw an id in each lane, with the scores that it wants; return whether there was no error."""
    while views.wanted.any():
        for part in range(views.wanted.shape[1]):
            _predict(network, x, np.flatnonzero(views.wanted[:, part]), part, scores)
        if not choose_each(
            scores, network.parts, views, positions, draws, step, rules, new, log_probabilities
        ):
            return False
    return True


@compiled
def read_all(
    network: Network,
    ids: Ids,
    features: Ids,
    possible: NDArray[np.bool_],
    h: Floats,
    c: Floats,
    x: Floats,
    gates: Floats,
    scores: Floats,
    logits: Floats,
) -> None:
    """Read ids (B, T) with features (B, T, K), and predict logits (B, V') after the last."""
    for step in range(ids.shape[1]):
        _advance(network, ids[:, step], features[:, step], h, c, x, gates)
    _see(network, h, x)
    for part in range(len(network.parts.columns) - 1):
        _predict(network, x, np.arange(len(ids)), part, scores)
    for lane in range(len(ids)):
        join(scores[lane], network.parts, possible[lane], logits[lane])


@compiled
def _advance(
    network: Network, ids: Ids, features: Ids, h: Floats, c: Floats, x: Floats, gates: Floats
) -> None:
    """Read one id (B,) in every sequence."""
    hidden = network.hidden
    for low in range(0, len(ids), TOGETHER):
        high = min(low + TOGETHER, len(ids))
        place = 0
        for layer in range(network.layers):
            mine = slice(layer * hidden, (layer + 1) * hidden)
            depth = hidden if layer == 0 else 2 * hidden
            if layer > 0:
                # The output of the layer below, then the layer's own last output: x is (B, 2H).
                for lane in range(low, high):
                    below = h[lane, (layer - 1) * hidden : layer * hidden]
                    _normalise(network.units, below, x[lane, :hidden])
                    x[lane, hidden : 2 * hidden] = h[lane, mine]
            panels = _cut(network.weights[place : place + 4 * hidden * depth], depth)
            scales = network.scales[4 * hidden * layer : 4 * hidden * (layer + 1)]
            place += 4 * hidden * depth
            _multiply(h[low:high] if layer == 0 else x[low:high], panels, gates[low:high])
            for lane in range(low, high):
                row = network.starts[layer] + (ids[lane] if network.reads[layer] else 0)
                gate = gates[lane]
                table = network.inputs[row]
                for unit in range(len(gate)):
                    gate[unit] = scales[unit] * gate[unit] + table[unit]
                for kind in range(len(network.values) if network.reads[layer] else 0):
                    value = network.tokens + network.values[kind] + features[lane, kind]
                    table = network.inputs[network.starts[layer] + value]
                    for unit in range(len(gate)):
                        gate[unit] += table[unit]
                if network.resets[ids[lane]]:
                    h[lane, mine] = 0
                    c[lane, mine] = 0
                else:
                    _gate(gate, h[lane, mine], c[lane, mine])


@compiled
def _see(network: Network, h: Floats, x: Floats) -> None:
    """Put what the output layer reads into x (B, ...): the normalised outputs of layers."""
    hidden, first = network.hidden, network.layers - network.seen
    for lane in range(len(h)):
        for layer in range(network.seen):
            mine = slice(layer * hidden, (layer + 1) * hidden)
            above = h[lane, (first + layer) * hidden : (first + layer + 1) * hidden]
            _normalise(network.units, above, x[lane, mine])


@compiled
def _predict(network: Network, x: Floats, lanes: Ids, part: int, scores: Floats) -> None:
    """Compute the scores (B, columns) of a part of the output for some lanes."""
    depth, columns = network.seen * network.hidden, scores.shape[1]
    left, right = network.parts.columns[part], network.parts.columns[part + 1]
    panels = _cut(network.weights[len(network.weights) - depth * columns :], depth)
    scales = network.scales[len(network.scales) - columns :]
    for low in range(0, len(lanes), TOGETHER):
        some = lanes[low : low + TOGETHER]
        products = np.empty((len(some), right - left), np.float32)
        _multiply(x[some], panels[left // PANEL : right // PANEL], products)
        for row in range(len(some)):
            for column in range(right - left):
                token = left + column
                scores[some[row], token] = (
                    scales[token] * products[row, column] + network.bias[token]
                )


@compiled
def _cut(weights: NDArray[Any], depth: int) -> NDArray[Any]:
    """Return panels of `depth` rows as (panels, depth / ROWS, ROWS * PANEL)."""
    return weights.reshape(-1, depth // ROWS, ROWS * PANEL)


@compiled
def _multiply(x: Floats, panels: NDArray[Any], products: Floats) -> None:
    """Multiply the first columns of x (B, ...) by panels, into products (B, N)."""
    products[:] = 0
    fours = len(x) - len(x) % 4
    for number in range(len(panels)):
        for block in range(panels.shape[1]):
            weights, low = panels[number, block], block * ROWS
            for lane in range(0, fours, 4):
                _add_to_four(x, lane, low, weights, products, number * PANEL)
            for lane in range(fours, len(x)):
                _add_to_one(x, lane, low, weights, products, number * PANEL)


@compiled
def _add_to_one(
    x: Floats, lane: int, low: int, weights: NDArray[Any], products: Floats, left: int
) -> None:
    """Add a block's products to the sums of one lane, 16 rows at a time."""
    sums = products[lane, left : left + PANEL]
    for first in range(0, ROWS, 16):
        given = x[lane, low + first : low + first + 16]
        for column in range(PANEL):
            total = sums[column]
            for row in range(16):
                total += np.float32(weights[(first + row) * PANEL + column]) * given[row]
            sums[column] = total


@compiled
def _add_to_four(
    x: Floats, lane: int, low: int, weights: NDArray[Any], products: Floats, left: int
) -> None:
    """Add a block's products to the sums of four lanes, in the same order as for one lane.

    Four rows of four lanes fit into the registers beside the sums. The compiler vectorises this
    only if all sums are read before one is written.
    """
    sums_a = products[lane, left : left + PANEL]
    sums_b = products[lane + 1, left : left + PANEL]
    sums_c = products[lane + 2, left : left + PANEL]
    sums_d = products[lane + 3, left : left + PANEL]
    for first in range(0, ROWS, 4):
        at = low + first
        one, two, three, four = x[lane], x[lane + 1], x[lane + 2], x[lane + 3]
        a0, a1, a2, a3 = one[at], one[at + 1], one[at + 2], one[at + 3]
        b0, b1, b2, b3 = two[at], two[at + 1], two[at + 2], two[at + 3]
        c0, c1, c2, c3 = three[at], three[at + 1], three[at + 2], three[at + 3]
        d0, d1, d2, d3 = four[at], four[at + 1], four[at + 2], four[at + 3]
        rows = weights[first * PANEL : (first + 4) * PANEL]
        for column in range(PANEL):
            w0, w1 = np.float32(rows[column]), np.float32(rows[PANEL + column])
            w2, w3 = np.float32(rows[2 * PANEL + column]), np.float32(rows[3 * PANEL + column])
            a, b, c, d = sums_a[column], sums_b[column], sums_c[column], sums_d[column]
            a = (((a + w0 * a0) + w1 * a1) + w2 * a2) + w3 * a3
            b = (((b + w0 * b0) + w1 * b1) + w2 * b2) + w3 * b3
            c = (((c + w0 * c0) + w1 * c1) + w2 * c2) + w3 * c3
            d = (((d + w0 * d0) + w1 * d1) + w2 * d2) + w3 * d3
            sums_a[column], sums_b[column], sums_c[column], sums_d[column] = a, b, c, d


@compiled
def _gate(gates: Floats, h: Floats, c: Floats) -> None:
    """Apply input, forget, cell and output gate (4H,) to a state (Hochreiter 1997, Gers 2000)."""
    hidden = len(c)
    into, forget = gates[:hidden], gates[hidden : 2 * hidden]
    cell, out = gates[2 * hidden : 3 * hidden], gates[3 * hidden :]
    for unit in range(hidden):
        c[unit] = _sigmoid(forget[unit]) * c[unit] + _sigmoid(into[unit]) * _tanh(cell[unit])
        h[unit] = _sigmoid(out[unit]) * _tanh(c[unit])


@compiled_summing
def _normalise(units: int, outputs: Floats, normal: Floats) -> None:
    """Normalise a layer's outputs to mean 0 and variance 1; padded units become arbitrary."""
    mean = variance = np.float32(0)
    for unit in range(units):
        mean += outputs[unit]
    mean /= np.float32(units)
    for unit in range(units):
        variance += (outputs[unit] - mean) * (outputs[unit] - mean)
    factor = ONE / np.sqrt(variance / np.float32(units) + EPSILON)
    for unit in range(len(outputs)):
        normal[unit] = (outputs[unit] - mean) * factor


@compiled
def _tanh(x: np.float32) -> np.float32:
    return TWO * _sigmoid(TWO * x) - ONE


@compiled
def _sigmoid(x: np.float32) -> np.float32:
    """Return the logistic function to within 1e-7, in operations that vectorise."""
    exponent = min(max(x * -LOG2_E, -LARGEST), LARGEST)
    whole = np.floor(exponent + HALF)
    rest = exponent - whole
    power = COEFFICIENTS[0]
    for number in range(1, len(COEFFICIENTS)):
        power = power * rest + COEFFICIENTS[number]
    scale = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return np.float32(ONE / (ONE + power * scale))
