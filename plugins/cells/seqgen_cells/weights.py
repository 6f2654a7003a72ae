"""First values of weights, the same in all cells: those of the core's LSTM."""

from __future__ import annotations

import torch
from torch import nn


def recurrent(*shape: int, hidden: int) -> nn.Parameter:
    """Return a weight that is uniform within 1 / sqrt(hidden) of 0."""
    return nn.Parameter(torch.empty(shape).uniform_(-(hidden**-0.5), hidden**-0.5))


def gate_bias(gates: int, hidden: int) -> nn.Parameter:
    """Return zeros, and 1 for the second gate: a forget gate that is open (Jozefowicz et al. 2015).

    Parameters
    ----------
    gates, hidden : int
        Number of gates, the forget gate second, and their width.
    """
    bias = torch.zeros(gates * hidden)
    bias[hidden : 2 * hidden] = 1.0
    return nn.Parameter(bias)
