"""The stepper for the processor: a model laid out for `fused_step`, its state a value.

A table holds, for each token and each feature value, the row that it adds to the gates. The
recurrent weights are stored in panels, in the order in which they are read.

B sequences, T steps, V ids read, V' ids predicted, H hidden, L layers, K features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.config import ModelConfig
from seqgen.generation.fused_step import (
    PANEL,
    Inputs,
    Network,
    read_all,
    write_all,
    write_guided,
)
from seqgen.generation.gates import Floats
from seqgen.generation.guide import Guide
from seqgen.generation.int8_step import EightBits, Rounded, rounded_weights
from seqgen.generation.parts import Parts, parts_of
from seqgen.generation.rules import Positions, Rules
from seqgen.network.clusters import check_clusters
from seqgen.plugin import Ids
from seqgen.storage.tensors import compare_arrays, expected
from seqgen.vocab import Vocab

#: Sequences that make a thread worthwhile.
SHARE = 16

#: Hidden units are padded to a multiple of this number, with units that stay 0.
UNITS = PANEL // 4


class FusedStepper:
    """Steps and draws in compiled code; many sequences are distributed over the cores.

    Parameters
    ----------
    config : ModelConfig
    vocab : Vocab
    feature_sizes : sequence of int
    weights : mapping of str to float32 array
        By name, as in the run folder.
    boundaries : sequence of int
        Payload ids that reset the state, as END does.
    clusters : sequence of int
        With an adaptive output, the cluster of each id to predict.
    int8 : bool
        Round the recurrent and output weights to 8 bits, with a scale for each unit.

    Raises
    ------
    ValueError
        If the weights belong to another model; compiled code does not check shapes.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocab: Vocab,
        feature_sizes: Sequence[int],
        weights: Mapping[str, Floats],
        boundaries: Sequence[int] = (),
        clusters: Sequence[int] = (),
        *,
        int8: bool = False,
    ) -> None:
        self._hidden = config.hidden
        self._room: tuple[Inputs, Floats, Floats] | None = None
        self._end, self._targets = vocab.end, vocab.targets
        self._network = lay_out(
            config, vocab, feature_sizes, weights, boundaries, clusters, int8=int8
        )

    def start(self, lanes: int) -> Floats:
        """Return zeros: h and c of B sequences, as (2, B, L * padded H)."""
        return _copy(np.zeros((2, lanes, self._network.layers * self._network.hidden), np.float32))

    def read(
        self,
        ids: Ids,
        features: Ids,
        state: Floats,
        possible: NDArray[np.bool_] | None = None,
    ) -> tuple[Floats, Floats]:
        """Read all ids, and compute the logits after the last."""
        if possible is None:
            possible = np.ones((len(ids), self._targets), bool)
        state = _copy(state)
        x, gates, scores = self._scratch(len(ids))
        logits = np.empty((len(ids), self._targets), np.float32)

        def read(rows: slice) -> None:
            h, c = state[:, rows]
            room = _part(x, rows), gates[rows], scores[rows], logits[rows]
            read_all(self._network, ids[rows], features[rows], possible[rows], h, c, *room)

        _share_out(len(ids), read)
        return logits, state

    def write(
        self,
        positions: Positions,
        draws: NDArray[np.float64],
        rules: Rules,
        state: Floats,
        guide: Guide | None = None,
    ) -> tuple[Ids, NDArray[np.float64], Floats]:
        """Step and draw in one call."""
        state = _copy(state)
        x, gates, scores = self._scratch(len(draws))
        new, log_probabilities = np.full(draws.shape, self._end), np.zeros(draws.shape)

        def write(rows: slice) -> None:
            """Step and draw in some rows."""
            some, (h, c) = Positions._make(values[rows] for values in positions), state[:, rows]
            room = _part(x, rows), gates[rows], scores[rows]
            given = self._network, some, draws[rows], rules, h, c, *room
            drawn = new[rows], log_probabilities[rows]
            if guide is None:
                write_all(*given, *drawn)
            else:
                write_guided(*given, *drawn, guide.part(rows))

        _share_out(len(draws), write)
        return new, log_probabilities, state

    def select(self, state: Floats, rows: Ids) -> Floats:
        """Copy the sequences."""
        return _copy(state[:, rows])

    def export(self, state: Floats) -> tuple[Floats, ...]:
        """Return h and c as (L, B, H)."""
        layers = state.reshape(*state.shape[:2], -1, self._network.hidden)
        h, c = layers[..., : self._hidden].swapaxes(1, 2)
        return h.copy(), c.copy()

    def restore(self, parts: tuple[Floats, ...]) -> Floats:
        """Pad and align h and c."""
        h, c = parts
        state = self.start(h.shape[1])
        layers = state.reshape(*state.shape[:2], -1, self._network.hidden)
        layers[..., : self._hidden] = np.stack([h, c]).swapaxes(1, 2)
        return state

    def _scratch(self, lanes: int) -> tuple[Inputs, Floats, Floats]:
        """Return scratch arrays: inputs of products, gates (B, 4H) and scores (B, columns)."""
        if self._room is None or len(self._room[1]) != lanes:
            network = self._network
            x = _empty_inputs(network, lanes)
            gates = _zeros((lanes, 4 * network.hidden))
            self._room = x, gates, _zeros((lanes, len(network.bias)))
        return self._room


def _empty_inputs(network: Network, lanes: int) -> Inputs:
    """Return room for what products read."""
    floats, rounded = (0, lanes) if network.int8 else (lanes, 0)
    return Inputs(
        _zeros((floats, max(network.seen, 2) * network.hidden)),
        Rounded(
            np.zeros((rounded, network.layers, network.hidden), np.uint8),
            np.zeros((rounded, network.layers, 4), np.float32),
        ),
    )


def _part(x: Inputs, rows: slice) -> Inputs:
    """Return what products read for some lanes; arrays are shared."""
    return Inputs(x.floats[rows], Rounded(*(array[rows] for array in x.rounded)))


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
    hidden, filled = config.hidden, _fill_up(config.hidden, UNITS)
    tokens = weights["embedding.weight"] if config.embedding else np.eye(vocab.size, dtype="f4")
    width = tokens.shape[1]
    kinds = range(len(feature_sizes))
    features = [weights[f"features.{kind}.weight"] for kind in kinds]
    read = np.concatenate([tokens, *features])
    tables, sources = [], []
    for layer in range(config.layers):
        into, bias = weights[f"layers.{layer}.weight_ih"], weights[f"layers.{layer}.bias"]
        recurrent = weights[f"layers.{layer}.weight_hh"]
        reads = layer == 0 or config.skip
        table = (
            read @ into[:, into.shape[1] - width :].T
            if reads
            else np.zeros((1, 4 * hidden), np.float32)
        )
        # Every step adds exactly one token's row, and so the bias once.
        table[: len(tokens)] += bias
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
        weights=_zeros(0) if int8 else _copy(np.concatenate(list(map(_panels, sources)))),
        eight=_eight(sources if int8 else []),
        int8=int8,
        inputs=_copy(np.concatenate(tables)),
        bias=_copy(bias),
        starts=np.cumsum([0, *lengths[:-1]]),
        reads=np.array([length > 1 for length in lengths]),
        values=np.cumsum([0, *feature_sizes], dtype=np.int64)[:-1],
        tokens=vocab.size,
        seen=seen,
        parts=parts,
    )


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
    """Pad each of the four gates: (rows, 4 * hidden) to (rows, 4 * filled)."""
    gates = np.zeros((len(table), 4, filled), np.float32)
    gates[:, :, :hidden] = table.reshape(len(table), 4, hidden)
    return gates.reshape(len(table), -1)


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
    return EightBits(*map(_copy, rounded_weights([each for some in sources for each in some])))


def _share_out(lanes: int, call: Callable[[slice], None]) -> None:
    """Call for all lanes, split over threads; compiled code does not hold Python's lock."""
    if lanes < 2 * SHARE:
        call(slice(lanes))
        return
    cores, threads = _threads()
    parts = min(cores, lanes // SHARE)
    bounds = np.linspace(0, lanes, parts + 1, dtype=int).tolist()
    list(threads.map(call, map(slice, bounds, bounds[1:])))


@cache
def _threads() -> tuple[int, ThreadPoolExecutor]:
    """Return the number of cores this process may use, and as many threads."""
    from joblib import cpu_count

    cores = cpu_count()
    return cores, ThreadPoolExecutor(cores, thread_name_prefix="seqgen")


def _fill_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _zeros(shape: int | tuple[int, ...]) -> Floats:
    return _copy(np.zeros(shape, np.float32))


def _copy(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy aligned to a cache line; without it products take twice as long."""
    room = np.empty(values.nbytes + 64, np.uint8)
    skipped = -room.__array_interface__["data"][0] % 64
    copy = room[skipped : skipped + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
