"""The architecture of the core: an LSTM that sets its state to zero within one fused call.

`seqgen.stepping.fused` has its compiled step. Shapes: B sequences, T steps, H hidden units. Next:
`seqgen.network.model` stacks the layers.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from seqgen.network.layers import Layer, State

# On a GPU, cuDNN copies weights into one block at every call and warns. This cannot be avoided: the
# reset column makes a new weight tensor each time.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")

#: Closes a gate: the logistic function of this is exactly 0 in single precision.
CLOSED = -200.0


class ResetLSTM(Layer):
    """An LSTM layer that sets its state to zero after any step, within one call.

    The reset mark is an extra input column. Its fixed weights close the input gate and the forget
    gate, so c becomes 0 and h with it. All steps stay one fused call, without a loop or a mask.

    Parameters
    ----------
    inputs, hidden : int
        Width of the input and of the state.
    """

    reset_column: Tensor
    no_bias: Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, inputs))  # (4H, inputs)
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden, hidden))  # (4H, H)
        self.bias = nn.Parameter(torch.zeros(4 * hidden))  # (4H,)
        column = torch.zeros(
            4 * hidden, 1
        )  # (4H, 1), gates in the order input, forget, cell, output
        column[: 2 * hidden] = CLOSED
        self.register_buffer("reset_column", column, persistent=False)
        self.register_buffer("no_bias", torch.zeros(4 * hidden), persistent=False)
        for weight in (self.weight_ih, self.weight_hh):
            nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5)
        with torch.no_grad():
            self.bias[hidden : 2 * hidden] = 1.0  # open forget gate (Jozefowicz et al. 2015)

    def start(self, lanes: int) -> State:
        """Return zeros: h and c, each (B, H)."""
        return torch.zeros(lanes, self.hidden), torch.zeros(lanes, self.hidden)

    def run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run all steps without a reset."""
        return self(x, None, state)  # type: ignore[no-any-return]

    def forward(self, x: Tensor, resets: Tensor | None, state: State) -> tuple[Tensor, State]:
        """Run all steps.

        Parameters
        ----------
        x : Tensor (T, B, inputs)
        resets : Tensor (T, B, 1) or None
            1 where the state becomes zero after the step, else 0; same dtype as `x`. None means
            no reset.
        state : pair of Tensor (B, H)

        Returns
        -------
        outputs : Tensor (T, B, H)
        state : pair of Tensor (B, H)
        """
        weight_ih: Tensor = self.weight_ih
        if resets is not None:
            weight_ih = torch.cat([weight_ih, self.reset_column], 1)  # (4H, inputs + 1)
            x = torch.cat([x, resets], 2)  # (T, B, inputs + 1)
        outputs, h, c = torch.lstm(
            x,
            [part[None].contiguous() for part in state],  # each (1, B, H)
            [weight_ih, self.weight_hh, self.bias, self.no_bias],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=False,
        )  # (T, B, H), and two of (1, B, H)
        return outputs, (h[0], c[0])
