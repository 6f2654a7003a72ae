"""Gated recurrent unit: the state is one vector, its own output.

Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
Translation", https://arxiv.org/abs/1406.1078. Computed by PyTorch's fused layer, whose reset gate
applies after the recurrent product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqgen.network.layers import Layer, State


class GRU(Layer):
    """A layer of gated recurrent units; the state is h ``(B, H)``."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.gru = nn.GRU(inputs, hidden)

    def start(self, lanes: int) -> State:
        """Return zeros."""
        return (torch.zeros(lanes, self.hidden),)

    def run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run all steps in one call."""
        (h,) = state
        outputs, after = self.gru(x, h[None].contiguous())  # (T, B, H), (1, B, H)
        return outputs, (after[0],)
