"""Multiplicative LSTM: each input has recurrent weights of its own.

In place of h the gates see m, the product of a projection of the input and one of h: a factored
matrix for each input. Krause, Lu, Murray and Renals 2016, "Multiplicative LSTM for sequence
modelling", https://arxiv.org/abs/1609.07959.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from seqgen.network.layers import Cell, State
from seqgen_cells.weights import gate_bias, recurrent


class MultiplicativeLSTM(Cell):
    """A layer of multiplicative LSTM cells; the state is h and c, each ``(B, H)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        # Of the four gates, and last of m.
        self.weight_x = recurrent(5 * hidden, inputs, hidden=hidden)
        self.weight_h = recurrent(hidden, hidden, hidden=hidden)
        self.weight_m = recurrent(4 * hidden, hidden, hidden=hidden)
        self.bias = gate_bias(5, hidden)

    def start(self, lanes: int) -> State:
        """Return zeros."""
        return torch.zeros(lanes, self.hidden), torch.zeros(lanes, self.hidden)

    def before(self, x: Tensor) -> Tensor:
        """Return the parts of gates and m that the inputs give, (T, B, 5H)."""
        return F.linear(x, self.weight_x, self.bias)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step."""
        h, c = state
        given, factor = x[:, : -self.hidden], x[:, -self.hidden :]  # (B, 4H), (B, H)
        m = factor * (h @ self.weight_h.T)  # (B, H)
        i, f, g, o = (given + m @ self.weight_m.T).chunk(4, 1)  # each (B, H)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)
