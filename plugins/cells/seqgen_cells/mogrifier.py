"""Mogrifier LSTM: before each step, input and state gate each other for some rounds.

In odd rounds the state gates the input, in even rounds the input gates the state; a gate is twice a
logistic function, so about 1 at first. Melis, Kočiský and Blunsom 2020, "Mogrifier LSTM",
https://arxiv.org/abs/1909.01792. The matrices have full rank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgen.network.layers import Cell, State
from seqgen_cells.weights import gate_bias, recurrent

#: Rounds; the paper finds 5 or 6 best.
ROUNDS = 5


class MogrifierLSTM(Cell):
    """A layer of mogrified LSTM cells; the state is h and c, each ``(B, H)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.weight = recurrent(4 * hidden, inputs + hidden, hidden=hidden)
        self.bias = gate_bias(4, hidden)
        shapes = [(hidden, inputs) if turn % 2 else (inputs, hidden) for turn in range(ROUNDS)]
        self.mogrify = nn.ParameterList(recurrent(*shape, hidden=hidden) for shape in shapes)

    def start(self, lanes: int) -> State:
        """Return zeros."""
        return torch.zeros(lanes, self.hidden), torch.zeros(lanes, self.hidden)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step."""
        h, c = state
        for turn, matrix in enumerate(self.mogrify):
            if turn % 2:
                h = 2 * torch.sigmoid(x @ matrix.T) * h  # (B, H)
            else:
                x = 2 * torch.sigmoid(h @ matrix.T) * x  # (B, inputs)
        gates = F.linear(torch.cat([x, h], 1), self.weight, self.bias)  # (B, 4H)
        i, f, g, o = gates.chunk(4, 1)  # each (B, H)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)
