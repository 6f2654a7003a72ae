"""sLSTM of xLSTM: an exponential input gate, and cells divided by the sum of their gates.

m is the logarithm of the scale of c and n, so that no exponential overflows. Beck et al. 2024,
"xLSTM: Extended Long Short-Term Memory", https://arxiv.org/abs/2405.04517, section 2.2; with the
sigmoid forget gate, one head, and no blocks around the cell.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from seqgen.network.layers import Cell, State
from seqgen_cells.weights import gate_bias, recurrent


class SLSTM(Cell):
    """A layer of sLSTM cells; the state is h, c, n and m, each ``(B, H)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.weight_x = recurrent(4 * hidden, inputs, hidden=hidden)
        self.weight_h = recurrent(4 * hidden, hidden, hidden=hidden)
        self.bias = gate_bias(4, hidden)

    def start(self, lanes: int) -> State:
        """Return zeros; m is the logarithm of 0."""
        zeros = torch.zeros(lanes, self.hidden)
        return zeros, zeros, zeros, torch.full_like(zeros, -torch.inf)

    def before(self, x: Tensor) -> Tensor:
        """Return the part of the gates that the inputs give, (T, B, 4H)."""
        return F.linear(x, self.weight_x, self.bias)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step."""
        h, c, n, m = state
        i, f, z, o = (x + h @ self.weight_h.T).chunk(4, 1)  # each (B, H)
        kept = F.logsigmoid(f) + m  # the logarithm of the forget gate, times the old scale
        m = torch.maximum(kept, i)
        keep, add = torch.exp(kept - m), torch.exp(i - m)
        c = keep * c + add * torch.tanh(z)
        n = keep * n + add
        h = torch.sigmoid(o) * c / n
        return h, (h, c, n, m)
