"""The reference stepper: the model's own forward call, on any device."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgen.drawing.guide import Guide, follow_each
from seqgen.drawing.parts import look, look_again, parts_of
from seqgen.drawing.rules import Positions, Rules
from seqgen.drawing.sampling import choose_each
from seqgen.errors import PluginError
from seqgen.network.layers import State
from seqgen.network.model import Part, SequenceModel
from seqgen.plugin import Ids


class TorchStepper:
    """Steps with PyTorch and draws on the processor.

    On a CUDA device the step is captured as a graph, once for each power of two of sequences, and
    replayed.

    Parameters
    ----------
    model : SequenceModel
        It is put into evaluation mode.
    """

    def __init__(self, model: SequenceModel) -> None:
        self._model = model.eval()
        self._device = next(model.parameters()).device
        self._graphs: dict[tuple[int, int], _Graph] = {}
        clusters = [] if model.clusters is None else model.clusters.of.tolist()
        self._parts = parts_of(clusters, model.targets)

    def __copy__(self) -> TorchStepper:
        """Return a stepper of the same model with graphs of its own, which write into them."""
        return type(self)(self._model)

    @cached_property
    def _output(self) -> list[Part]:
        """The output layer in parts; they are copies, made when something is first drawn."""
        return self._model.split_output()

    @torch.inference_mode()
    def start(self, lanes: int) -> State:
        """Return the start of the model."""
        return self._model.start_state(lanes)

    @torch.inference_mode()
    def read(
        self,
        ids: Ids,
        features: Ids,
        state: State,
        possible: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.float32], State]:
        """Run the model over all ids and return its last logits."""
        top, state = self._advance(ids, features, state)
        there = None if possible is None else torch.from_numpy(possible).to(self._device)
        last = self._model.predict(top, there)  # (B, V')
        return last.float().cpu().numpy(), state

    @torch.inference_mode()
    def write(
        self,
        positions: Positions,
        draws: NDArray[np.float64],
        rules: Rules,
        state: State,
        guide: Guide | None = None,
    ) -> tuple[Ids, NDArray[np.float64], State]:
        """Step and draw alternately."""
        new = np.full(draws.shape, positions.allowed.shape[1] - 1)
        log_probabilities = np.zeros(draws.shape)
        scores = np.zeros((len(draws), self._parts.columns[-1]), np.float32)
        views = look(self._parts, positions, rules)
        for step in range(draws.shape[1]):
            if guide is not None:
                views = look(self._parts, positions, rules)
            if not look_again(views, positions, step):
                break
            top, state = self._advance(positions.ids[:, None], positions.features[:, None], state)
            inputs = self._model.inputs(top)  # (B, D)
            while views.wanted.any():
                self._predict(inputs, views.wanted, scores)
                given = scores, self._parts, views, positions, draws, step, rules
                if not choose_each(*given, new, log_probabilities):
                    return new, log_probabilities, state
            if guide is not None:
                follow_each(guide, positions, step + 1)
        return new, log_probabilities, state

    def _advance(self, ids: Ids, features: Ids, state: State) -> tuple[Tensor, State]:
        """Read ids (B, T); return the outputs of the layers after the last, (B, W), and a state."""
        ids_there = torch.from_numpy(ids).to(self._device)
        features_there = torch.from_numpy(features).to(self._device)
        if ids.shape[1] == 1 and self._device.type == "cuda":
            graph = self._graph(len(ids), features.shape[2])
            top, state = graph.replay(ids_there, features_there, state)
        else:
            top, state = self._model.read(ids_there, features_there, state)
        return top[-1], state

    def _predict(
        self, inputs: Tensor, wanted: NDArray[np.bool_], scores: NDArray[np.float32]
    ) -> None:
        """Fill in the scores (B, columns) of the parts that each sequence wants."""
        for number, part in enumerate(self._output):
            lanes = np.flatnonzero(wanted[:, number])
            if len(lanes):
                left, right = self._parts.columns[number : number + 2]
                found = part.scores(inputs[torch.from_numpy(lanes).to(self._device)])
                scores[lanes, left:right] = found.float().cpu().numpy()

    def select(self, state: State, rows: Ids) -> State:
        """Index the sequences."""
        index = torch.from_numpy(rows).to(self._device)
        return tuple(part[:, index] for part in state)

    def export(self, state: State) -> tuple[NDArray[np.float32], ...]:
        """Copy to the processor."""
        return tuple(part.float().cpu().numpy() for part in state)

    def restore(self, parts: tuple[NDArray[np.float32], ...]) -> State:
        """Copy to the device."""
        return tuple(torch.from_numpy(part).to(self._device) for part in parts)

    def _graph(self, lanes: int, width: int) -> _Graph:
        key = (1 << (lanes - 1).bit_length(), width)
        if key not in self._graphs:
            self._graphs[key] = _Graph(self._model, *key)
        return self._graphs[key]


class _Graph:
    """One step of B sequences with K features as a captured CUDA graph."""

    def __init__(self, model: SequenceModel, lanes: int, width: int) -> None:
        try:
            self._capture(model, lanes, width)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise PluginError(
                f"the architecture {model.config.architecture!r} cannot run as a CUDA graph "
                f"({str(error).splitlines()[0]}); its step must not look at values on the GPU, as "
                f"by .item(); generate on the device cpu, or tell its authors"
            ) from error

    def _capture(self, model: SequenceModel, lanes: int, width: int) -> None:
        device = next(model.parameters()).device
        self._ids = torch.zeros((lanes, 1), dtype=torch.int64, device=device)
        self._features = torch.zeros((lanes, 1, width), dtype=torch.int64, device=device)
        self._state = model.start_state(lanes)
        # The first calls initialise libraries, which a graph must not record.
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(3):
                model.read(self._ids, self._features, self._state)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._recorded):
            self._top, self._next = model.read(self._ids, self._features, self._state)

    def replay(self, ids: Tensor, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the step on these values, of at most B sequences."""
        lanes = len(ids)
        self._ids[:lanes].copy_(ids)
        self._features[:lanes].copy_(features)
        for mine, given in zip(self._state, state, strict=True):
            mine[:, :lanes].copy_(given)
        self._recorded.replay()
        return self._top[:, :lanes], tuple(part[:, :lanes].clone() for part in self._next)
