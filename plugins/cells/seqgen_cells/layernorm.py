"""LSTM with layer normalisation of the gates and of the cell.

The products with input and state are normalised apart, each with its own gains; the cell is
normalised on its way to the output. Ba, Kiros and Hinton 2016, "Layer Normalization",
https://arxiv.org/abs/1607.06450, equations 20 to 22.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgen.network.layers import Cell, State
from seqgen_cells.weights import gate_bias, recurrent


class LayerNormLSTM(Cell):
    """A layer of LSTM cells with normalised gates; the state is h and c, each ``(B, H)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.weight_x = recurrent(4 * hidden, inputs, hidden=hidden)
        self.weight_h = recurrent(4 * hidden, hidden, hidden=hidden)
        self.bias = gate_bias(4, hidden)
        self.gain_x = nn.Parameter(torch.ones(4 * hidden))
        self.gain_h = nn.Parameter(torch.ones(4 * hidden))
        self.gain_c = nn.Parameter(torch.ones(hidden))
        self.bias_c = nn.Parameter(torch.zeros(hidden))

    def start(self, lanes: int) -> State:
        """Return zeros."""
        return torch.zeros(lanes, self.hidden), torch.zeros(lanes, self.hidden)

    def before(self, x: Tensor) -> Tensor:
        """Return the part of the gates that the inputs give, (T, B, 4H)."""
        return F.layer_norm(x @ self.weight_x.T, self.bias.shape, self.gain_x, self.bias)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step."""
        h, c = state
        gates = x + F.layer_norm(h @ self.weight_h.T, self.gain_h.shape, self.gain_h)  # (B, 4H)
        i, f, g, o = gates.chunk(4, 1)  # each (B, H)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        normal = F.layer_norm(c, self.gain_c.shape, self.gain_c, self.bias_c)  # (B, H)
        h = torch.sigmoid(o) * torch.tanh(normal)
        return h, (h, c)
