"""One step of a trained model on the processor, compiled: rows of tables, products, gates, draw.

A step reads a few rows of tables and multiplies by the recurrent weights. One piece advances at the
speed of reading the weights, many side by side nearly at that of a matrix product. Sums run in the
same order for every batch size, so a piece is the same to the last bit in any batch.

B sequences, T steps, V ids read, V' ids predicted, H hidden, L layers, K features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled_contracting as compiled
from seqgen.compiling import compiled_inside, copy
from seqgen.drawing.direct import draw_each
from seqgen.drawing.guide import Guide, follow_each
from seqgen.drawing.parts import Views, join, look, look_again
from seqgen.drawing.rules import Positions, Rules
from seqgen.drawing.sampling import choose_each
from seqgen.network import contexts
from seqgen.plugin import Ids
from seqgen.stepping.fused_network import PANEL, ROWS, Inputs, Network
from seqgen.stepping.gates import Floats, gate, moments
from seqgen.stepping.int8_step import (
    add_output,
    advance_layer,
    round_outputs,
    round_state,
)
from seqgen.stepping.sixteen import COUNT

#: Sequences whose gates fit into the processor's cache.
TOGETHER = 48

_longer, _row_of = compiled_inside(contexts.longer), compiled_inside(contexts.row_of)


@compiled
def write_directly(
    network: Network,
    positions: Positions,
    draws: NDArray[np.float64],
    rules: Rules,
    h: Floats,
    c: Floats,
    before: Ids,
    x: Inputs,
    gates: Floats,
    scores: Floats,
    new: Ids,
    log_probabilities: NDArray[np.float64],
    guide: Guide | None,
) -> None:
    """Read, predict and draw until every lane has ended or the draws are used up.

    This is for a full output and settings that look at ids one by one (`Rules.are_direct`).
    """
    _begin(network, h, x)
    factors, weights = np.exp(rules.bias), np.empty(len(rules.bias))
    for step in range(draws.shape[1]):
        _advance(network, positions.ids, positions.features, h, c, before, x, gates)
        _see(network, h, x)
        _predict(network, x, x.lanes, 0, scores)
        if not draw_each(
            scores, positions, draws, step, rules, factors, weights, new, log_probabilities
        ):
            return
        if guide is not None:
            follow_each(guide, positions, step + 1)


@compiled
def write_all(
    network: Network,
    positions: Positions,
    draws: NDArray[np.float64],
    rules: Rules,
    h: Floats,
    c: Floats,
    before: Ids,
    x: Inputs,
    gates: Floats,
    scores: Floats,
    new: Ids,
    log_probabilities: NDArray[np.float64],
    guide: Guide | None,
) -> None:
    """Do the same for every output and all settings."""
    _begin(network, h, x)
    views = look(network.parts, positions, rules)
    for step in range(draws.shape[1]):
        if guide is not None:
            views = look(network.parts, positions, rules)
        if not look_again(views, positions, step):
            return
        _advance(network, positions.ids, positions.features, h, c, before, x, gates)
        _see(network, h, x)
        if not _draw(
            network, views, positions, draws, step, rules, x, scores, new, log_probabilities
        ):
            return
        if guide is not None:
            follow_each(guide, positions, step + 1)


@compiled
def _draw(
    network: Network,
    views: Views,
    positions: Positions,
    draws: NDArray[np.float64],
    step: int,
    rules: Rules,
    x: Inputs,
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
    before: Ids,
    x: Inputs,
    gates: Floats,
    scores: Floats,
    logits: Floats,
) -> None:
    """Read ids (B, T) with features (B, T, K), and predict logits (B, V') after the last."""
    _begin(network, h, x)
    for step in range(ids.shape[1]):
        _advance(network, ids[:, step], features[:, step], h, c, before, x, gates)
    _see(network, h, x)
    for part in range(len(network.parts.columns) - 1):
        _predict(network, x, x.lanes, part, scores)
    for lane in range(len(ids)):
        join(scores[lane], network.parts, possible[lane], logits[lane])


@compiled_inside
def _begin(network: Network, h: Floats, x: Inputs) -> None:
    """Prepare what products read of the state that a call begins with."""
    for lane in range(len(h)):
        x.lanes[lane] = lane
    if network.int8:
        round_state(network.units, h, x.rounded)


@compiled_inside
def _advance(
    network: Network,
    ids: Ids,
    features: Ids,
    h: Floats,
    c: Floats,
    before: Ids,
    x: Inputs,
    gates: Floats,
) -> None:
    """Read one id (B,) in every sequence."""
    hidden = network.hidden
    for low in range(0, len(ids), TOGETHER):
        high = min(low + TOGETHER, len(ids))
        if network.rows > 0:
            for lane in range(low, high):
                _sum_contexts(network, ids[lane], before[lane], x.contexts[lane])
                _remember(network, ids[lane], before[lane])
        for layer in range(network.layers):
            sums = network.reads[layer] and len(network.values) + network.rows > 0
            table = gates if sums else network.inputs
            for lane in range(low, high):
                if sums:
                    _sum_rows(network, layer, ids[lane], features[lane], gates[lane])
                    x.rows[lane] = lane
                else:
                    token = ids[lane] if network.reads[layer] else 0
                    x.rows[lane] = network.starts[layer] + token
            if sums and network.rows > 0:
                depth = x.contexts.shape[1]
                size = depth * gates.shape[1]
                weights = network.context_weights[layer * size : (layer + 1) * size]
                _multiply(x.contexts[low:high], _cut(weights, depth), gates[low:high])
            if network.int8:
                given = x.lanes, low, high, x.rounded, table, x.rows
                advance_layer(network.eight, layer, *given, gates, h, c)
            else:
                _advance_layer(network, layer, low, high, h, c, x, table, gates)
            for lane in range(low, high):
                if network.resets[ids[lane]]:
                    for unit in range(hidden):
                        h[lane, layer, unit] = c[lane, layer, unit] = 0
                if network.int8:
                    round_outputs(network.units, h, lane, layer, x.rounded)


@compiled
def _sum_contexts(network: Network, token: int, before: Ids, added: Floats) -> None:
    """Put what the contexts of an id, after the last tokens (N,), add to the input (E,) there."""
    added[:] = 0
    code = _longer(0, network.keys[token])
    for number in range(len(before)):
        code = _longer(code, network.keys[before[len(before) - 1 - number]])
        row = network.contexts[number * network.rows + _row_of(code, network.rows)]
        for unit in range(len(added)):
            added[unit] += row[unit]


@compiled
def _remember(network: Network, token: int, before: Ids) -> None:
    """Put an id at the end of the last tokens (N,); after a reset there are none."""
    for place in range(len(before) - 1):
        before[place] = before[place + 1]
    before[-1] = token
    if network.resets[token]:
        before[:] = network.tokens


@compiled
def _sum_rows(network: Network, layer: int, token: int, features: Ids, gates: Floats) -> None:
    """Put what an id and feature values (K,) add to a layer's gates (4H,) there."""
    first = network.starts[layer]
    copy(network.inputs[first + token], gates)
    for kind in range(len(network.values)):
        row = network.inputs[first + network.tokens + network.values[kind] + features[kind]]
        for unit in range(len(gates)):
            gates[unit] += row[unit]


@compiled
def _advance_layer(
    network: Network,
    layer: int,
    low: int,
    high: int,
    h: Floats,
    c: Floats,
    x: Inputs,
    table: Floats,
    gates: Floats,
) -> None:
    """Compute the gates (B, 4H) of lanes from `low` to `high`, and apply them to h and c.

    They are the sum of a row of the table for each lane, and products.
    """
    hidden, layers = network.hidden, network.layers
    size = 4 * hidden * hidden
    for lane in range(low, high):
        for unit in range(4 * hidden):
            gates[lane, unit] = table[x.rows[lane], unit]
        # The output of the layer below, then the layer's own last output: x is (B, 2H).
        if layer > 0:
            _normalise(network.units, h, lane, layer - 1, x.floats[lane, :hidden])
        own = hidden if layer > 0 else 0
        for unit in range(hidden):
            x.floats[lane, own + unit] = h[lane, layer, unit]
    first, depth = max(2 * layer - 1, 0), 2 * hidden if layer > 0 else hidden
    panels = _cut(network.weights[first * size : (2 * layer + 1) * size], depth)
    _multiply(x.floats[low:high], panels, gates[low:high])
    for lane in range(low, high):
        for unit in range(0, hidden, COUNT):
            at = lane * gates.shape[1] + 4 * unit
            gate(gates, at, h, c, (lane * layers + layer) * hidden + unit)


@compiled
def _normalise(units: int, h: Floats, lane: int, layer: int, normal: Floats) -> None:
    """Normalise a layer's outputs to mean 0 and variance 1; padded units become arbitrary."""
    mean, factor = moments(units, h, lane, layer)
    for unit in range(len(normal)):
        normal[unit] = (h[lane, layer, unit] - mean) * factor


@compiled_inside
def _see(network: Network, h: Floats, x: Inputs) -> None:
    """Put what the output layer reads into x (B, ...): the normalised outputs of layers."""
    if not network.int8:
        hidden, first = network.hidden, network.layers - network.seen
        for lane in range(len(h)):
            for layer in range(network.seen):
                mine = x.floats[lane, layer * hidden : (layer + 1) * hidden]
                _normalise(network.units, h, lane, first + layer, mine)


@compiled_inside
def _predict(network: Network, x: Inputs, lanes: Ids, part: int, scores: Floats) -> None:
    """Compute the scores (B, columns) of a part of the output for some lanes."""
    left, right = network.parts.columns[part], network.parts.columns[part + 1]
    if network.int8:
        for number in range(len(lanes)):
            x.rows[number] = 0
        given = x.rounded, network.bias, x.rows
        add_output(network.eight, network.seen, lanes, *given, scores, left, right)
    else:
        _add_output(network, x.floats, lanes, scores, left, right)


@compiled
def _add_output(
    network: Network, x: Floats, lanes: Ids, scores: Floats, left: int, right: int
) -> None:
    """Add to some columns of the scores of some lanes what the output layer reads."""
    depth, columns = network.seen * network.hidden, scores.shape[1]
    panels = _cut(network.weights[len(network.weights) - depth * columns :], depth)
    for low in range(0, len(lanes), TOGETHER):
        some = lanes[low : low + TOGETHER]
        given = np.empty((len(some), x.shape[1]), np.float32)
        products = np.empty((len(some), right - left), np.float32)
        for number, lane in enumerate(some):
            copy(x[lane], given[number])
            copy(network.bias[0, left:right], products[number])
        _multiply(given, panels[left // PANEL : right // PANEL], products)
        for number, lane in enumerate(some):
            copy(products[number], scores[lane, left:right])


@compiled
def _cut(weights: Floats, depth: int) -> Floats:
    """Return panels of `depth` rows as (panels, depth / ROWS, ROWS * PANEL)."""
    return weights.reshape(-1, depth // ROWS, ROWS * PANEL)


@compiled
def _multiply(x: Floats, panels: Floats, products: Floats) -> None:
    """Multiply the first columns of x (B, ...) by panels; add to products (B, N)."""
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
    x: Floats, lane: int, low: int, weights: Floats, products: Floats, left: int
) -> None:
    """Add a block's products to the sums of one lane, 16 rows at a time."""
    sums = products[lane, left : left + PANEL]
    for first in range(0, ROWS, 16):
        given = x[lane, low + first : low + first + 16]
        for column in range(PANEL):
            total = sums[column]
            for row in range(16):
                total += weights[(first + row) * PANEL + column] * given[row]
            sums[column] = total


@compiled
def _add_to_four(
    x: Floats, lane: int, low: int, weights: Floats, products: Floats, left: int
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
            w0, w1 = rows[column], rows[PANEL + column]
            w2, w3 = rows[2 * PANEL + column], rows[3 * PANEL + column]
            a, b, c, d = sums_a[column], sums_b[column], sums_c[column], sums_d[column]
            a = (((a + w0 * a0) + w1 * a1) + w2 * a2) + w3 * a3
            b = (((b + w0 * b0) + w1 * b1) + w2 * b2) + w3 * b3
            c = (((c + w0 * c0) + w1 * c1) + w2 * c2) + w3 * c3
            d = (((d + w0 * d0) + w1 * d1) + w2 * d2) + w3 * d3
            sums_a[column], sums_b[column], sums_c[column], sums_d[column] = a, b, c, d
