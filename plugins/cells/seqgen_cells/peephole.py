"""LSTM with peepholes: each gate sees the cell that it guards.

The input and forget gates see the old cell, the output gate the new one. Gers and Schmidhuber 2000,
"Recurrent Nets that Time and Count", https://doi.org/10.1109/IJCNN.2000.861302; with the forget
gate as in Graves 2013, https://arxiv.org/abs/1308.0850.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgen.network.layers import Cell, State
from seqgen_cells.weights import gate_bias, recurrent


class PeepholeLSTM(Cell):
    """A layer of LSTM cells with peepholes; the state is h and c, each ``(B, H)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.weight_x = recurrent(4 * hidden, inputs, hidden=hidden)
        self.weight_h = recurrent(4 * hidden, hidden, hidden=hidden)
        self.bias = gate_bias(4, hidden)
        # Of the input, forget and output gate, (3, H): no peephole at first.
        self.peepholes = nn.Parameter(torch.zeros(3, hidden))

    def start(self, lanes: int) -> State:
        """Return zeros."""
        return torch.zeros(lanes, self.hidden), torch.zeros(lanes, self.hidden)

    def before(self, x: Tensor) -> Tensor:
        """Return the part of the gates that the inputs give, (T, B, 4H)."""
        return F.linear(x, self.weight_x, self.bias)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step."""
        h, c = state
        i, f, g, o = (x + h @ self.weight_h.T).chunk(4, 1)  # each (B, H)
        see_i, see_f, see_o = self.peepholes  # each (H,)
        c = torch.sigmoid(f + see_f * c) * c + torch.sigmoid(i + see_i * c) * torch.tanh(g)
        h = torch.sigmoid(o + see_o * c) * torch.tanh(c)
        return h, (h, c)
