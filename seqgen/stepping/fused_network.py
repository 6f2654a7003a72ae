"""A model laid out for stepping: tables, panels of weights, and room for what products read.

A table holds, for each token and each feature value, the row that it adds to the gates. Contexts
have too many rows for that: theirs are of the input. The recurrent weights are stored in panels, in
the order in which they are read. Next: `seqgen.stepping.fused_step`.

B sequences, V ids read, V' ids predicted, E input, H hidden, L layers, K features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.config import CONTEXTS, ModelConfig
from seqgen.drawing.parts import Parts, parts_of
from seqgen.network.clusters import check_clusters
from seqgen.network.contexts import keys_of
from seqgen.plugin import Ids
from seqgen.stepping.gates import Floats
from seqgen.stepping.int8_step import EightBits, Rounded, rounded_weights
from seqgen.stepping.sixteen import COUNT
from seqgen.storage.tensors import compare_arrays, expected
from seqgen.vocab import Vocab

#: Columns of a panel of weights, and rows that are used while they are in the cache.
PANEL, ROWS = 128, 32

#: Hidden units are padded to a multiple of this number, with units that stay 0.
FILL = PANEL // 4


class Network(NamedTuple):
    """A model's weights, laid out for stepping; all arrays are aligned and contiguous.

    Attributes
    ----------
    units, hidden, layers : int
        Units of a layer; the padded number; number of layers.
    resets : bool array (V,)
        Whether a token resets the state: END or a boundary.
    weights : float32 array
        Panels of every layer's recurrent weights and of the output weights.
    eight : EightBits
        These weights in 8 bits, in place of `weights`.
    int8 : bool
        Which of both there are.
    inputs : float32 array (rows, 4H)
        Rows that tokens and feature values add to the gates.
    bias : float32 array (1, columns)
        Of the scores.
    starts : int64 array (L,)
        First row of each layer in `inputs`.
    reads : bool array (L,)
        Whether a layer reads tokens and features; otherwise its one row is the bias.
    values : int64 array (K,)
        Offset of each feature's first value among all feature values.
    tokens : int
        V, the number of token rows; the rows of features follow.
    contexts : float32 array (N rows, padded E)
        What contexts add to the input, table by table; without contexts (0, 0).
    rows : int
        Rows of each table of contexts.
    context_weights : float32 array
        Panels of the input weights of each layer that reads, for the rows of contexts.
    keys : int64 array (V + 1,)
        What contexts are hashed from.
    seen : int
        Number of layers that the output layer reads.
    parts : Parts
        Which ids each part of the output has, and its columns; panels are in this order.
    """

    units: int
    hidden: int
    layers: int
    resets: NDArray[np.bool_]
    weights: Floats
    eight: EightBits
    int8: bool
    inputs: Floats
    bias: Floats
    starts: Ids
    reads: NDArray[np.bool_]
    values: Ids
    tokens: int
    contexts: Floats
    rows: int
    context_weights: Floats
    keys: Ids
    seen: int
    parts: Parts


class Memory(NamedTuple):
    """What a call begins with: the state of B sequences.

    Attributes
    ----------
    cells : float32 array (2, B, L, padded H)
        The outputs h and the cells c of all layers.
    before : int64 array (B, N)
        The last tokens, from the older to the newer; N is 0 without contexts.
    """

    cells: Floats
    before: Ids

    def copy(self) -> Memory:
        """Return an aligned copy."""
        return Memory(aligned(self.cells), self.before.copy())

    def of(self, rows: slice | Ids) -> Memory:
        """Return the state of some sequences; with a slice, arrays are shared."""
        return Memory(self.cells[:, rows], self.before[rows])


class Inputs(NamedTuple):
    """What products read, and scratch.

    Attributes
    ----------
    floats : float32 array (B, ...)
        Outputs of layers; empty with 8-bit weights.
    rounded : Rounded
        Outputs of layers in 8 bits; empty with other weights.
    contexts : float32 array (B, padded E)
        The sum of the rows of contexts.
    lanes, rows : int64 array (B,)
        The numbers from 0 on, and the row of a table that each sequence adds to its gates.
    """

    floats: Floats
    rounded: Rounded
    contexts: Floats
    lanes: Ids
    rows: Ids


def lay_out(
    config: ModelConfig,
    vocab: Vocab,
    feature_sizes: Sequence[int],
    weights: Mapping[str, Floats],
    boundaries: Sequence[int],
    clusters: Sequence[int],
    *,
    int8: bool,
) -> Network:
    """Make the tables and panels of a model."""
    compare_arrays(weights, expected(config, vocab, feature_sizes))
    hidden, filled = config.hidden, _fill_up(config.hidden, FILL)
    read, contexts = _read(config, vocab, len(feature_sizes), weights), _contexts(config, weights)
    width, deep = read.shape[1], contexts.shape[1]
    tables, sources, context_weights = [], [], []
    for layer in range(config.layers):
        into, bias = weights[f"layers.{layer}.weight_ih"], weights[f"layers.{layer}.bias"]
        recurrent = weights[f"layers.{layer}.weight_hh"]
        table = np.zeros((1, 4 * hidden), np.float32)
        if layer == 0 or config.skip:
            ours = into[:, into.shape[1] - width :].T  # (E, 4H)
            table = read @ ours
            if deep:
                context_weights.append([_filled(_gates(ours, hidden, filled), deep)])
        # Every step adds exactly one token's row, and so the bias once.
        table[: vocab.size] += bias
        tables.append(_gates(table, hidden, filled))
        below = [into[:, :hidden]] if layer > 0 else []
        sources.append(
            [_filled(_gates(each.T, hidden, filled), filled) for each in (*below, recurrent)]
        )
    output, bias = _output(config, vocab, weights)
    parts = _parts(config, vocab, clusters)
    output, bias = _in_parts(output, parts), _in_parts(bias, parts)
    seen = config.layers if config.skip else 1
    sources.append([_filled(layer.T, filled) for layer in np.split(output, seen, axis=1)])
    lengths = [len(table) for table in tables]
    return Network(
        units=hidden,
        hidden=filled,
        layers=config.layers,
        resets=np.array(vocab.resets(boundaries)),
        weights=zeros(0) if int8 else aligned(np.concatenate(list(map(_panels, sources)))),
        eight=_eight(sources if int8 else []),
        int8=int8,
        inputs=aligned(np.concatenate(tables)),
        bias=aligned(bias[None]),
        starts=np.cumsum([0, *lengths[:-1]]),
        reads=np.array([length > 1 for length in lengths]),
        values=np.cumsum([0, *feature_sizes], dtype=np.int64)[:-1],
        tokens=vocab.size,
        contexts=aligned(contexts),
        rows=len(contexts) // CONTEXTS,
        context_weights=aligned(np.concatenate([zeros(0), *map(_panels, context_weights)])),
        keys=np.array(keys_of(vocab)),
        seen=seen,
        parts=parts,
    )


def _read(
    config: ModelConfig, vocab: Vocab, features: int, weights: Mapping[str, Floats]
) -> Floats:
    """Return what ids and feature values add to the input, (rows, E), in this order."""
    tokens = weights["embedding.weight"] if config.embedding else np.eye(vocab.size, dtype="f4")
    names = [f"features.{number}.weight" for number in range(features)]
    return np.concatenate([tokens, *(weights[name] for name in names)])


def _contexts(config: ModelConfig, weights: Mapping[str, Floats]) -> Floats:
    """Return what contexts add to the input, (N rows, E padded for blocks of weights)."""
    if not config.context_rows:
        return zeros((0, 0))
    tables = np.concatenate([weights[f"contexts.{number}.weight"] for number in range(CONTEXTS)])
    return _filled(tables, len(tables), _fill_up(tables.shape[1], ROWS))


def _output(
    config: ModelConfig, vocab: Vocab, weights: Mapping[str, Floats]
) -> tuple[Floats, Floats]:
    """Return weight (V', inputs) and bias (V',) of the output layer; clusters follow the ids."""
    if config.tied:
        weight, bias = weights["embedding.weight"][: vocab.targets], weights["output_bias"]
    else:
        weight, bias = weights["output.weight"], weights["output.bias"]
    if config.output == "adaptive":
        weight = np.concatenate([weight, weights["clusters.weight"]])
        bias = np.concatenate([bias, weights["clusters.bias"]])
    return weight @ weights["project.weight"] if config.tied else weight, bias


def _parts(config: ModelConfig, vocab: Vocab, clusters: Sequence[int]) -> Parts:
    """Return the parts of the output, each of whole panels; the clusters are checked."""
    if config.output != "adaptive":
        return parts_of((), vocab.targets, PANEL)
    check_clusters(clusters, vocab.targets)
    return parts_of(clusters, vocab.targets, PANEL)


def _in_parts(rows: Floats, parts: Parts) -> Floats:
    """Put rows of ids and clusters (V' + C, ...) in the order of the scores, zeros between them."""
    ordered = np.zeros((parts.columns[-1], *rows.shape[1:]), np.float32)
    for first, low, high in zip(parts.columns, parts.starts, parts.starts[1:], strict=False):
        ordered[first : first + high - low] = rows[parts.ids[low:high]]
    ids, shortlist = len(parts.ids), parts.starts[1]
    ordered[shortlist : shortlist + len(rows) - ids] = rows[ids:]
    return ordered


def _gates(table: Floats, hidden: int, filled: int) -> Floats:
    """Pad each of the four gates to `filled` units, and put those of 16 units side by side."""
    gates = np.zeros((len(table), 4, filled), np.float32)
    gates[:, :, :hidden] = table.reshape(len(table), 4, hidden)
    return gates.reshape(len(table), 4, -1, COUNT).swapaxes(1, 2).reshape(len(table), -1)


def _filled(table: Floats, rows: int, columns: int = 0) -> Floats:
    """Pad with zeros to a number of rows and columns."""
    more = (max(rows - table.shape[0], 0), max(columns - table.shape[1], 0))
    return np.pad(table, ((0, more[0]), (0, more[1])))


def _panels(sources: list[Floats]) -> Floats:
    """Cut weights that are read together, each (rows, columns), into panels."""
    table = np.concatenate(sources)
    return table.reshape(len(table), -1, PANEL).swapaxes(0, 1).ravel()


def _eight(sources: list[list[Floats]]) -> EightBits:
    """Round the weights of all sources to 8 bits."""
    eight = rounded_weights([each for some in sources for each in some])
    return EightBits(aligned(eight.weights), aligned(eight.scales), aligned(eight.shifts))


def empty_inputs(network: Network, lanes: int) -> Inputs:
    """Return room for what products read."""
    floats, rounded = (0, lanes) if network.int8 else (lanes, 0)
    return Inputs(
        zeros((floats, max(network.seen, 2) * network.hidden)),
        Rounded(
            np.zeros((rounded, network.layers, network.hidden), np.uint8),
            np.zeros((rounded, network.layers, 4), np.float32),
        ),
        zeros((lanes, network.contexts.shape[1])),
        np.zeros(lanes, np.int64),
        np.zeros(lanes, np.int64),
    )


def no_memory(network: Network, lanes: int) -> Memory:
    """Return the state before the first token: zeros, and no tokens before."""
    nothing = len(network.keys) - 1
    before = np.full((lanes, CONTEXTS if network.rows else 0), nothing, np.int64)
    return Memory(zeros((2, lanes, network.layers, network.hidden)), before)


def part_of_inputs(x: Inputs, rows: slice) -> Inputs:
    """Return what products read for some lanes; arrays are shared."""
    rounded = Rounded(x.rounded.numbers[rows], x.rounded.ranges[rows])
    return Inputs(x.floats[rows], rounded, x.contexts[rows], x.lanes[rows], x.rows[rows])


def _fill_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def zeros(shape: int | tuple[int, ...]) -> Floats:
    """Return zeros aligned to a cache line."""
    return aligned(np.zeros(shape, np.float32))


def aligned(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy aligned to a cache line; without it products take twice as long."""
    room = np.empty(values.nbytes + 64, np.uint8)
    skipped = -room.__array_interface__["data"][0] % 64
    copy = room[skipped : skipped + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
