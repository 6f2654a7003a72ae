"""The network: stacked LSTM layers over token ids; the same call trains, scores and steps.

Shapes: B lanes, T steps, V ids read, V' ids predicted (all but START), E embedding, H hidden, L
layers, K features. Next: `seqgen.training.loop` for the loop, `seqgen.generation.stepper` for
generating.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgen.config import ModelConfig
from seqgen.errors import RunError
from seqgen.storage.tensors import expected
from seqgen.vocab import Vocab

#: (h, c) of every layer, each (L, B, H).
State: TypeAlias = tuple[Tensor, Tensor]

# On a GPU weights that lie apart are put together at every call. It has to be: with the reset
# column they are others each time.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")

#: A closed gate: the logistic function of this is exactly 0 in single precision.
CLOSED = -200.0


class ResetLSTM(nn.Module):
    """One LSTM layer whose state is zero after every step that is marked.

    The mark is one more input column, whose fixed weights shut the input and the forget gate.
    Then c is 0, and so is h, within the one fused call over all steps: no loop and no mask.

    Parameters
    ----------
    inputs, hidden : int
        Width of the input and of the state.
    """

    reset_column: Tensor
    no_bias: Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, inputs))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        column = torch.zeros(4 * hidden, 1)
        column[: 2 * hidden] = CLOSED  # PyTorch's order: input, forget, cell, output gate
        self.register_buffer("reset_column", column, persistent=False)
        self.register_buffer("no_bias", torch.zeros(4 * hidden), persistent=False)
        for weight in (self.weight_ih, self.weight_hh):
            nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5)
        with torch.no_grad():
            self.bias[hidden : 2 * hidden] = 1.0  # remember by default (Jozefowicz et al. 2015)

    def forward(self, x: Tensor, resets: Tensor | None, state: State) -> tuple[Tensor, State]:
        """Run all steps.

        Parameters
        ----------
        x : Tensor (T, B, inputs)
        resets : Tensor (T, B, 1) or None
            1 where the state is to be zero afterwards, else 0; same dtype as `x`. None is nowhere.
        state : pair of Tensor (1, B, H)

        Returns
        -------
        outputs : Tensor (T, B, H)
        state : pair of Tensor (1, B, H)
        """
        weight_ih: Tensor = self.weight_ih
        if resets is not None:
            weight_ih = torch.cat([weight_ih, self.reset_column], 1)
            x = torch.cat([x, resets], 2)  # (T, B, inputs + 1)
        outputs, h, c = torch.lstm(
            x,
            state,
            [weight_ih, self.weight_hh, self.bias, self.no_bias],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=False,
        )
        return outputs, (h, c)


class SequenceLSTM(nn.Module):
    """Predicts the next id of B sequences from all ids before it.

    Parameters
    ----------
    config : ModelConfig
    vocab : Vocab
        Its END resets the state.
    feature_sizes : sequence of int
        Number of values of each feature (K of them).
    boundaries : sequence of int
        Payload ids that reset the state as well.
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
        expected(config, vocab, feature_sizes)  # refuses what cannot be built
        self.config = config
        self.register_buffer("resets", torch.tensor(vocab.resets(boundaries)), persistent=False)
        width = config.embedding or vocab.size
        if config.embedding:
            self.embedding = nn.Embedding(vocab.size, width)
        else:
            self.register_buffer("one_hot", torch.eye(vocab.size), persistent=False)
        below = [
            0 if layer == 0 else config.hidden + width * config.skip
            for layer in range(config.layers)
        ]
        self.layers = nn.ModuleList(ResetLSTM(inputs or width, config.hidden) for inputs in below)
        top = config.hidden * (config.layers if config.skip else 1)
        if config.tied:
            self.project = nn.Linear(top, width, bias=False)
            self.output_bias = nn.Parameter(torch.zeros(vocab.targets))
        else:
            self.output = nn.Linear(top, vocab.targets)
        self.targets = vocab.targets
        #: Share that is dropped in training at present.
        self.dropout = config.dropout or 0.0
        self.features = nn.ModuleList(nn.Embedding(size, width) for size in feature_sizes)
        # A value that training never shows must not be noise in generating.
        for table in self.features:
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]

    def start_state(self, lanes: int) -> State:
        """Return the state before anything was read: zeros."""
        device = next(self.parameters()).device
        shape = (self.config.layers, lanes, self.config.hidden)
        return torch.zeros(shape, device=device), torch.zeros(shape, device=device)

    def forward(
        self, ids: Tensor, features: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Read ids and predict the one after each; after END and boundaries the state is zero.

        Parameters
        ----------
        ids : int64 Tensor (B, T)
        features : int64 Tensor (B, T, K), optional
            Features that belong to the ids to predict; needed if the model has any.
        state : pair of Tensor (L, B, H), optional
            Where to go on; by default, the start.

        Returns
        -------
        logits : Tensor (B, T, V')
        state : pair of Tensor (L, B, H)
        """
        top, state = self.read(ids, features, state)
        return self.predict(top).transpose(0, 1), state  # (B, T, V')

    def read(
        self, ids: Tensor, features: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Do the work of `forward` but for the logits, which cost most with many ids.

        Returns
        -------
        top : Tensor (T, B, W)
            What `predict` makes logits of, steps first.
        state : pair of Tensor (L, B, H)
        """
        h, c = state if state is not None else self.start_state(ids.shape[0])
        # Steps come first inside, as the LSTM computes them: nothing is copied between layers.
        ids = ids.transpose(0, 1)
        features = None if features is None else features.transpose(0, 1)
        x = self._embed(ids, features)  # (T, B, E)
        resets = self._marks(ids, x.dtype)
        outputs, hs, cs = [], [], []
        below = x
        for number, layer in enumerate(self.layers):
            one = (h[number : number + 1].contiguous(), c[number : number + 1].contiguous())
            above, (h_new, c_new) = layer(below, resets, one)  # (T, B, H)
            hs.append(h_new)
            cs.append(c_new)
            # Normalised, without weights of its own (Ba et al. 2016): logits and the layer above
            # get numbers of one size from the start, while h is small at first.
            above = self._drop(F.layer_norm(above, above.shape[2:]))
            outputs.append(above)
            below = torch.cat([above, x], 2) if self.config.skip else above
        top = torch.cat(outputs, 2) if self.config.skip else outputs[-1]
        return top, (torch.cat(hs), torch.cat(cs))

    def _marks(self, ids: Tensor, dtype: torch.dtype) -> Tensor | None:
        """Return 1 where ids (T, B) reset the state, as (T, B, 1), or None if it is known none do.

        In long pieces few windows hold a reset, and its column costs up to a tenth of the time. To
        look for one on a GPU would cost more, for the program would have to wait for the answer.
        """
        marks = self.resets[ids]
        if marks.device.type == "cpu" and not marks.any():
            return None
        return marks.unsqueeze(2).to(dtype)

    def _drop(self, above: Tensor) -> Tensor:
        """Drop outputs (T, B, H) in training, the same at all steps (Gal and Ghahramani 2016)."""
        if not self.training or not self.dropout:
            return above
        return above * F.dropout(torch.ones_like(above[:1]), self.dropout)

    def _embed(self, ids: Tensor, features: Tensor | None) -> Tensor:
        """Look up ids and features and add them: (T, B) and (T, B, K) to (T, B, E)."""
        x: Tensor = self.embedding(ids) if self.config.embedding else self.one_hot[ids]  # type: ignore[index]
        for number, table in enumerate(self.features):
            assert features is not None, "this model needs features"
            x = x + table(features[:, :, number])
        return x

    def predict(self, top: Tensor) -> Tensor:
        """Turn outputs of the layers (..., W) into logits (..., V')."""
        if self.config.tied:
            weight = self.embedding.weight[: self.targets]
            return F.linear(self.project(top), weight, self.output_bias)
        logits: Tensor = self.output(top)
        return logits

    @torch.no_grad()
    def temper(self, temperature: float) -> None:
        """Divide the logits by a temperature from now on, in the weights that they come from."""
        last = (
            (self.project.weight, self.output_bias)
            if self.config.tied
            else self.output.parameters()
        )
        for weight in last:
            weight /= temperature


def choose_device(name: str) -> torch.device:
    """Return the device of a name; auto takes cuda, mps or cpu, the first there is.

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
