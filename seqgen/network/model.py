"""THE NETWORK: stacked LSTM layers over token ids. The same call trains, scores and generates.

Its layers are of the core's architecture (`seqgen.network.lstm`), or of one that a plugin offers.

Shapes: B batch size, T time steps, V vocabulary of the input, V' vocabulary of the output (all but
START), E embedding, H hidden units, L layers, K features. Next: `seqgen.training.loop` trains it,
`seqgen.stepping.stepper` generates with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgen.config import CLUSTERS, ModelConfig
from seqgen.errors import RunError
from seqgen.network.architectures import load_architecture
from seqgen.network.context_tables import ContextTables
from seqgen.network.layers import State, build
from seqgen.storage.tensors import Kind, expected
from seqgen.vocab import Vocab

#: Kinds of devices that are tested; torch knows others.
DEVICES = ("cpu", "cuda", "mps")


class Part(NamedTuple):
    """Some rows of the output layer: weight (rows, D) and bias (rows,)."""

    weight: Tensor
    bias: Tensor

    def scores(self, inputs: Tensor) -> Tensor:
        """Return the scores (..., rows) for inputs (..., D)."""
        return F.linear(inputs, *self).to(self.weight.dtype)


class Clusters(nn.Linear):
    """The scores of clusters of rare ids (`seqgen.network.clusters`).

    Parameters
    ----------
    of : sequence of int
        The cluster of each of the V' ids; 0 is the shortlist.
    inputs : int
        D, the width of what the scores are computed from.

    Attributes
    ----------
    of, order, places : int64 Tensor (V',)
        The cluster of each id; the ids, cluster by cluster; the place of each id in its cluster.
    sizes : list of int
        Number of ids of each cluster.
    """

    of: Tensor
    order: Tensor
    places: Tensor

    def __init__(self, of: Sequence[int], inputs: int) -> None:
        super().__init__(inputs, CLUSTERS)
        clusters = np.array(of, np.int64)
        order = np.argsort(clusters, kind="stable")
        sizes = np.bincount(clusters, minlength=CLUSTERS + 1)
        places = np.empty_like(order)
        places[order] = np.concatenate([np.arange(size) for size in sizes])
        self.sizes: list[int] = sizes.tolist()
        for name, values in (("of", clusters), ("order", order), ("places", places)):
            self.register_buffer(name, torch.tensor(values.tolist()), persistent=False)

    def joined(self, scores: Tensor, heads: Tensor, possible: Tensor | None) -> Tensor:
        """Return logits of ids, whose softmax is the product of the two choices.

        Parameters
        ----------
        scores : Tensor (..., V')
        heads : Tensor (..., C)
            Scores of the clusters.
        possible : bool Tensor (..., V'), optional
            Ids that share the probability; by default all. The logits of others have no meaning.
        """
        shared = scores if possible is None else scores.masked_fill(~possible, -torch.inf)
        parts = torch.split(shared.index_select(-1, self.order), self.sizes, -1)[1:]
        sums = torch.stack([part.logsumexp(-1) for part in parts], -1)  # (..., C)
        # A cluster without a possible id takes no part.
        shifts = torch.where(sums == -torch.inf, 0, heads - sums)
        return scores + F.pad(shifts, (1, 0))[..., self.of]


class SequenceModel(nn.Module):
    """Predict the next id of each of B sequences from all ids before it.

    Parameters
    ----------
    config : ModelConfig
    vocab : Vocab
        END resets the state.
    feature_sizes : sequence of int
        Number of values of each of the K features.
    boundaries : sequence of int
        Other ids that reset the state too.
    clusters : sequence of int
        With an adaptive output, the cluster of each of the V' ids; by default all are in the
        shortlist.
    """

    resets: Tensor

    def __init__(
        self,
        config: ModelConfig,
        vocab: Vocab,
        feature_sizes: tuple[int, ...] = (),
        boundaries: Sequence[int] = (),
        clusters: Sequence[int] = (),
    ) -> None:
        super().__init__()
        expected(config, vocab, feature_sizes)  # raises ConfigError for impossible shapes
        self.config = config
        self.register_buffer("resets", torch.tensor(vocab.resets(boundaries)), persistent=False)
        width = config.embedding or vocab.size
        if config.embedding:
            self.embedding = nn.Embedding(vocab.size, width)  # (V, E)
        else:
            self.register_buffer("one_hot", torch.eye(vocab.size), persistent=False)  # (V, V)
        below = [
            0 if layer == 0 else config.hidden + width * config.skip
            for layer in range(config.layers)
        ]
        layer, _ = load_architecture(config.architecture)
        self.layers = nn.ModuleList(
            build(layer, inputs or width, config.hidden) for inputs in below
        )
        top = config.hidden * (config.layers if config.skip else 1)  # H, or L * H
        if config.tied:
            self.project = nn.Linear(top, width, bias=False)  # (E, top)
            # Embeddings have variance 1: logits begin with it too, whatever their width.
            self.project.weight.data *= (3 / width) ** 0.5
            self.output_bias = nn.Parameter(torch.zeros(vocab.targets))  # (V',)
        else:
            self.output = nn.Linear(top, vocab.targets)  # (V', top)
        self.targets = vocab.targets
        self.clusters = None
        if config.output == "adaptive":
            self.clusters = Clusters(clusters or [0] * vocab.targets, width if config.tied else top)
        #: Present dropout rate; training may raise it.
        self.dropout = config.dropout or 0.0
        self.features = nn.ModuleList(nn.Embedding(size, width) for size in feature_sizes)
        # Zeros, because a value that training never shows must not be noise in generation.
        for table in self.features:  # (values, E)
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]
        self.contexts = None
        if config.context_rows:
            given = config.context_rows, width, config.context_dropout or 0.0
            self.contexts = ContextTables(vocab, boundaries, *given)

    def start_state(self, batch_size: int) -> State:
        """Return the state before the first token, such as zeros; each part is (L, B, ...).

        With contexts the last part is the tokens before, (1, B, N).
        """
        state = _stacked([layer.fresh(batch_size) for layer in self.layers])  # type: ignore[operator]
        return state if self.contexts is None else (*state, self.contexts.start(batch_size))

    def forward(
        self, ids: Tensor, features: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Read ids and predict the id after each; after END and boundaries the state starts anew.

        Parameters
        ----------
        ids : int64 Tensor (B, T)
        features : int64 Tensor (B, T, K), optional
            Features of the ids to predict; required if the model has features.
        state : tuple of Tensor (L, B, ...), optional
            The state to continue from; the default is `start_state`.

        Returns
        -------
        logits : Tensor (B, T, V')
        state : tuple of Tensor (L, B, ...)
        """
        top, state = self.read(ids, features, state)  # (T, B, W)
        return self.predict(top).transpose(0, 1), state  # (B, T, V')

    def guess(self) -> float:
        """Return the most nats that a token costs before training: log V', or two choices."""
        if self.clusters is None:
            return math.log(self.targets)
        shortlist, *rare = self.clusters.sizes
        return math.log(shortlist + CLUSTERS) + math.log(max(*rare, 1))

    def read(
        self, ids: Tensor, features: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Do all of `forward` except the logits, which cost most if the vocabulary is large.

        Returns
        -------
        top : Tensor (T, B, W)
            The input of `predict`; W is H, or L * H with skip connections.
        state : tuple of Tensor (L, B, ...)
        """
        parts = state if state is not None else self.start_state(ids.shape[0])
        # Time comes first inside, as the LSTM computes it: nothing is copied between layers.
        ids = ids.transpose(0, 1)  # (T, B)
        features = None if features is None else features.transpose(0, 1)  # (T, B, K)
        x = self._embed(ids, features)  # (T, B, E)
        before: State = ()
        if self.contexts is not None:
            parts, tokens = parts[:-1], parts[-1]
            more, tokens = self.contexts(ids, tokens)  # (T, B, E), (1, B, N)
            x, before = x + more, (tokens,)
        resets = self._marks(ids, x.dtype)  # (T, B, 1) or None
        outputs, states = [], []
        below = x
        for number, layer in enumerate(self.layers):
            one = tuple(part[number] for part in parts)  # each (B, ...)
            above, one = layer(below, resets, one)  # (T, B, H)
            # Everything but products of matrices has the precision of the weights.
            above = above.to(x.dtype)
            states.append(tuple(part.to(x.dtype) for part in one))
            # Layer normalisation without weights (Ba et al. 2016): h is small at first, but the
            # logits and the next layer get numbers of the same size from the start.
            above = self._drop(F.layer_norm(above, above.shape[2:]))  # (T, B, H)
            outputs.append(above)
            below = torch.cat([above, x], 2) if self.config.skip else above  # (T, B, H [+ E])
        top = torch.cat(outputs, 2) if self.config.skip else outputs[-1]  # (T, B, W)
        return top, (*_stacked(states), *before)  # each (L, B, ...)

    def _marks(self, ids: Tensor, dtype: torch.dtype) -> Tensor | None:
        """Return 1 where ids (T, B) reset the state, as (T, B, 1); None if surely none of them do.

        In long pieces few windows have a reset, and the reset column costs up to a tenth of the
        time. On a GPU it is not looked for, because the program would have to wait for the answer.
        """
        marks = self.resets[ids]  # (T, B)
        if marks.device.type == "cpu" and not marks.any():
            return None
        return marks.unsqueeze(2).to(dtype)

    def _drop(self, above: Tensor) -> Tensor:
        """Apply dropout to (T, B, H) in training, the same at all steps (Gal, Ghahramani 2016)."""
        if not self.training or not self.dropout:
            return above
        return above * F.dropout(torch.ones_like(above[:1]), self.dropout)  # mask (1, B, H)

    def _embed(self, ids: Tensor, features: Tensor | None) -> Tensor:
        """Look up ids and features and add them: (T, B) and (T, B, K) to (T, B, E)."""
        x: Tensor = self.embedding(ids) if self.config.embedding else self.one_hot[ids]  # type: ignore[index]
        for number, table in enumerate(self.features):
            assert features is not None, "this model needs features"
            x = x + table(features[:, :, number])  # (T, B, E)
        return x

    def predict(self, top: Tensor, possible: Tensor | None = None) -> Tensor:
        """Turn outputs of the layers (..., W) into logits (..., V').

        With an adaptive output they hold among the ids that bool `possible` (..., V') names, by
        default all.
        """
        inputs = self.inputs(top)
        scores = self._output.scores(inputs)
        if self.clusters is None:
            return scores
        return self.clusters.joined(scores, self.clusters(inputs), possible)

    def inputs(self, top: Tensor) -> Tensor:
        """Return the inputs (..., D) of the output layer for outputs of the layers (..., W)."""
        return self.project(top) if self.config.tied else top

    @property
    def _output(self) -> Part:
        """Weight (V', D) and bias (V',) of all ids."""
        if self.config.tied:
            return Part(self.embedding.weight[: self.targets], self.output_bias)
        return Part(self.output.weight, self.output.bias)

    @property
    def idle(self) -> int:
        """Number of weights that a token seldom needs: those of contexts, or of rare tokens."""
        contexts = 0 if self.contexts is None else self.contexts.size
        if self.clusters is None:
            return contexts
        read = self.embedding.weight.numel() if self.config.embedding else 0
        predicted = sum(values.numel() for values in self._output)
        return contexts + read + (self.output_bias.numel() if self.config.tied else predicted)

    def split_output(self) -> list[Part]:
        """Return the output layer in parts: the shortlist and the clusters, then each cluster.

        A full output is one part.
        """
        clusters = self.clusters
        if clusters is None:
            return [self._output]
        weights, biases = (
            torch.split(values.index_select(0, clusters.order), clusters.sizes)
            for values in self._output
        )
        # A cluster without an id is never chosen.
        empty = torch.tensor([not size for size in clusters.sizes[1:]], device=biases[0].device)
        bias = clusters.bias.masked_fill(empty, -torch.inf)
        head = Part(torch.cat([weights[0], clusters.weight]), torch.cat([biases[0], bias]))
        return [head, *map(Part, weights[1:], biases[1:])]

    @torch.no_grad()
    def temper(self, temperature: float) -> None:
        """Divide the output weights, and so all scores from now on, by a temperature."""
        last = (
            [self.project.weight, self.output_bias]
            if self.config.tied
            else [*self.output.parameters()]
        )
        if self.clusters is not None:
            # With tied weights the projection before the scores is divided already.
            last += [self.clusters.bias] if self.config.tied else [*self.clusters.parameters()]
        for weight in last:
            weight /= temperature


def _stacked(states: Sequence[State]) -> State:
    """Return the states of L layers, each part (B, ...), as one state, each part (L, B, ...)."""
    return tuple(torch.stack(parts) for parts in zip(*states, strict=True))


def kinds_of(config: ModelConfig, vocab: Vocab, feature_sizes: tuple[int, ...]) -> dict[str, Kind]:
    """Return the kind of every weight of a model by name, for any architecture.

    The model is built without values, so sizes from a file that may be altered take no memory.
    """
    with torch.device("meta"):
        weights = SequenceModel(config, vocab, feature_sizes).state_dict()
    return {name: Kind(tuple(value.shape)) for name, value in weights.items()}


def choose_device(name: str) -> torch.device:
    """Return the device of a name; auto is the first available of cuda, mps and cpu.

    Raises
    ------
    RunError
        If this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        if name.partition(":")[0] not in DEVICES:
            names = f"{', '.join(DEVICES)} or auto"
            raise RunError(f"no device {name!r} here; choose {names}") from error
        raise RunError(f"no device {name!r} here ({error}); choose cpu or auto") from error
