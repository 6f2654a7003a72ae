"""The stepper for the processor: a model laid out for `fused_step`, its state a value.

B sequences, T steps, V ids read, V' ids predicted, H hidden, L layers, K features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from seqgen.config import ModelConfig
from seqgen.drawing.guide import Guide
from seqgen.drawing.rules import Positions, Rules
from seqgen.plugin import Ids
from seqgen.stepping.fused_network import (
    Inputs,
    Memory,
    empty_inputs,
    lay_out,
    no_memory,
    part_of_inputs,
    zeros,
)
from seqgen.stepping.fused_step import read_all, write_all, write_directly
from seqgen.stepping.gates import Floats
from seqgen.vocab import Vocab

#: Sequences that make a thread worthwhile.
SHARE = 16


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

    def __copy__(self) -> FusedStepper:
        """Return a stepper of the same network with scratch arrays of its own."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__, _room=None)
        return other

    def start(self, lanes: int) -> Memory:
        """Return zeros, and no tokens before."""
        return no_memory(self._network, lanes)

    def read(
        self,
        ids: Ids,
        features: Ids,
        state: Memory,
        possible: NDArray[np.bool_] | None = None,
    ) -> tuple[Floats, Memory]:
        """Read all ids, and compute the logits after the last."""
        if possible is None:
            possible = np.ones((len(ids), self._targets), bool)
        state = state.copy()
        x, gates, scores = self._scratch(len(ids))
        logits = np.empty((len(ids), self._targets), np.float32)

        def read(rows: slice) -> None:
            (h, c), before = state.of(rows)
            room = part_of_inputs(x, rows), gates[rows], scores[rows], logits[rows]
            read_all(self._network, ids[rows], features[rows], possible[rows], h, c, before, *room)

        _share_out(len(ids), read)
        return logits, state

    def write(
        self,
        positions: Positions,
        draws: NDArray[np.float64],
        rules: Rules,
        state: Memory,
        guide: Guide | None = None,
    ) -> tuple[Ids, NDArray[np.float64], Memory]:
        """Step and draw in one call."""
        state = state.copy()
        x, gates, scores = self._scratch(len(draws))
        new, log_probabilities = np.full(draws.shape, self._end), np.zeros(draws.shape)
        full = len(self._network.parts.columns) == 2
        step = write_directly if full and rules.are_direct else write_all

        def write(rows: slice) -> None:
            """Step and draw in some rows."""
            some = Positions._make(values[rows] for values in positions)
            (h, c), before = state.of(rows)
            room = part_of_inputs(x, rows), gates[rows], scores[rows]
            given = self._network, some, draws[rows], rules, h, c, before, *room
            drawn = new[rows], log_probabilities[rows]
            step(*given, *drawn, None if guide is None else guide.part(rows))

        _share_out(len(draws), write)
        return new, log_probabilities, state

    def select(self, state: Memory, rows: Ids) -> Memory:
        """Copy the sequences."""
        return state.of(rows).copy()

    def export(self, state: Memory) -> tuple[Floats, ...]:
        """Return h and c as (L, B, H), and with contexts the tokens before as (1, B, N)."""
        h, c = state.cells[..., : self._hidden].swapaxes(1, 2)
        before = [state.before[None].astype(np.float32)] if self._network.rows else []
        return h.copy(), c.copy(), *before

    def restore(self, parts: tuple[Floats, ...]) -> Memory:
        """Pad and align h and c."""
        h, c, *before = parts
        state = self.start(h.shape[1])
        state.cells[..., : self._hidden] = np.stack([h, c]).swapaxes(1, 2)
        nothing = len(self._network.keys) - 1
        for tokens in before:
            # A primed state comes from a file, and compiled code does not check ids.
            state.before[:] = np.clip(np.nan_to_num(tokens[0]), 0, nothing)
        return state

    def _scratch(self, lanes: int) -> tuple[Inputs, Floats, Floats]:
        """Return scratch arrays: inputs of products, gates (B, 4H) and scores (B, columns)."""
        if self._room is None or len(self._room[1]) != lanes:
            network = self._network
            x = empty_inputs(network, lanes)
            gates = zeros((lanes, 4 * network.hidden))
            self._room = x, gates, zeros((lanes, network.bias.size))
        return self._room


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
