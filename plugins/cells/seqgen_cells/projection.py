"""LSTM with projection: many cells, whose outputs a matrix brings down to fewer.

The cells are `WIDER` times as many as the outputs that the next step and the next layer read, so
memory grows faster than the recurrent weights. Sak, Senior and Beaufays 2014, "Long Short-Term
Memory Based Recurrent Neural Network Architectures for Large Vocabulary Speech Recognition",
https://arxiv.org/abs/1402.1128. Computed by PyTorch's fused layer.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from seqgen.network.layers import Layer, State

# The usual way, without oneDNN, is as fast for layers of this size.
warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")

#: Cells for each output.
WIDER = 2


class ProjectionLSTM(Layer):
    """A layer of LSTM cells with projection; the state is h ``(B, H)`` and c ``(B, 2H)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.cells = WIDER * hidden
        self.lstm = nn.LSTM(inputs, self.cells, proj_size=hidden)
        nn.init.ones_(self.lstm.get_parameter("bias_ih_l0")[self.cells : 2 * self.cells])

    def start(self, lanes: int) -> State:
        """Return zeros."""
        return torch.zeros(lanes, self.hidden), torch.zeros(lanes, self.cells)

    def run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run all steps in one call."""
        h, c = (part[None].contiguous() for part in state)
        outputs, (h, c) = self.lstm(x, (h, c))  # (T, B, H), (1, B, H), (1, B, 2H)
        return outputs, (h[0], c[0])
