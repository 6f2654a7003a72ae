"""THE NETWORK: stacked LSTM layers over token ids. The same call trains, scores and generates.

Its layers are of the core's architecture (`seqgen.network.lstm`), or of one that a plugin offers.

Shapes: B batch size, T time steps, V vocabulary of the input, V' vocabulary of the output (all but
START), E embedding, H hidden units, L layers, K features. Next: `seqgen.training.loop` trains it,
`seqgen.generation.stepper` generates with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgen.config import ModelConfig
from seqgen.errors import RunError
from seqgen.network.architectures import load_architecture
from seqgen.network.layers import State, build
from seqgen.storage.tensors import Kind, expected
from seqgen.vocab import Vocab


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
    """

    resets: Tensor

    def __init__(
        self,
        config: ModelConfig,
        vocab: Vocab,
        feature_sizes: tuple[int, ...] = (),
        boundaries: Sequence[int] = (),
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
            self.output_bias = nn.Parameter(torch.zeros(vocab.targets))  # (V',)
        else:
            self.output = nn.Linear(top, vocab.targets)  # (V', top)
        self.targets = vocab.targets
        #: Present dropout rate; training may raise it.
        self.dropout = config.dropout or 0.0
        self.features = nn.ModuleList(nn.Embedding(size, width) for size in feature_sizes)
        # Zeros, because a value that training never shows must not be noise in generation.
        for table in self.features:  # (values, E)
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]

    def start_state(self, batch_size: int) -> State:
        """Return the state before the first token, such as zeros; each part is (L, B, ...)."""
        return _stacked([layer.fresh(batch_size) for layer in self.layers])  # type: ignore[operator]

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
        resets = self._marks(ids, x.dtype)  # (T, B, 1) or None
        outputs, states = [], []
        below = x
        for number, layer in enumerate(self.layers):
            one = tuple(part[number] for part in parts)  # each (B, ...)
            above, one = layer(below, resets, one)  # (T, B, H)
            states.append(one)
            # Layer normalisation without weights (Ba et al. 2016): h is small at first, but the
            # logits and the next layer get numbers of the same size from the start.
            above = self._drop(F.layer_norm(above, above.shape[2:]))  # (T, B, H)
            outputs.append(above)
            below = torch.cat([above, x], 2) if self.config.skip else above  # (T, B, H [+ E])
        top = torch.cat(outputs, 2) if self.config.skip else outputs[-1]  # (T, B, W)
        return top, _stacked(states)  # each (L, B, ...)

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

    def predict(self, top: Tensor) -> Tensor:
        """Turn outputs of the layers (..., W) into logits (..., V')."""
        if self.config.tied:
            weight = self.embedding.weight[: self.targets]  # (V', E)
            return F.linear(self.project(top), weight, self.output_bias)
        logits: Tensor = self.output(top)
        return logits

    @torch.no_grad()
    def temper(self, temperature: float) -> None:
        """Divide the output weights, and so all logits from now on, by a temperature."""
        last = (
            (self.project.weight, self.output_bias)
            if self.config.tied
            else self.output.parameters()
        )
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
        raise RunError(f"no device {name!r} here ({error}); try --device auto") from error
