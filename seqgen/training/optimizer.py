"""One update of all weights: AdamW, and AdaGrad by rows for the tables of contexts.

A window reads few rows of a table. AdaGrad (Duchi et al. 2011) changes only these, and keeps one
number for each row: the sum of its mean squared gradients (Mudigere et al. 2021). So a row that is
seldom read takes large steps. Comes from: `seqgen.training.learner`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from seqgen.config import TrainConfig
from seqgen.network.model import SequenceModel
from seqgen.storage.tensors import Kind

#: Learning rate of rows, as a multiple of that of the other weights.
ROW_RATE = 50.0

#: Weight decay of a row at each update that reads it.
ROW_DECAY = 0.02

#: Added to the sum of squares of a row, so that a gradient of 0 changes nothing.
SMALLEST = 1e-30


class Optimizer:
    """Changes the weights of a model by their gradients, which may be sparse for tables.

    Parameters
    ----------
    model : SequenceModel
    config : TrainConfig
        With learning rate and weight decay set.
    """

    def __init__(self, model: SequenceModel, config: TrainConfig) -> None:
        self._clip = config.clip
        self._tables = [] if model.contexts is None else list(model.contexts.parameters())
        tables = set(map(id, self._tables))
        self._weights = [each for each in model.parameters() if id(each) not in tables]
        self._squares = [table.new_zeros(len(table), 1) for table in self._tables]  # each (rows, 1)
        self._adam = torch.optim.AdamW(
            self._weights,
            config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay or 0.0,
            fused=True,
        )

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for weight in (*self._weights, *self._tables):
            weight.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Clip the norm of all gradients, and change the weights."""
        rows = [_rows(table.grad) for table in self._tables if table.grad is not None]
        gradients = [each.grad for each in self._weights if each.grad is not None]
        gradients += [gradient for _, gradient in rows]
        norm = torch.nn.utils.get_total_norm(gradients)
        share = (self._clip / (norm + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient *= share
        self._adam.param_groups[0]["lr"] = learning_rate
        self._adam.step()
        for table, squares, (read, gradient) in zip(self._tables, self._squares, rows, strict=True):
            new = gradient.square().mean(1, keepdim=True)  # (R, 1)
            squares.index_add_(0, read, new)
            step = (squares[read] + SMALLEST).rsqrt() * gradient  # (R, E)
            # What is read at END changes nothing, and several processes do not see that it is read.
            step += ROW_DECAY * (new > 0) * table[read]
            table.index_add_(0, read, step, alpha=-ROW_RATE * learning_rate)

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that updates change besides the weights, by name."""
        tensors = {f"rows.{number}": each for number, each in enumerate(self._squares)}
        for number, moments in self._adam.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
        return tensors

    def kinds(self, found: Iterable[str]) -> dict[str, Kind]:
        """Return the kind of every tensor of `state`; moments only if `found` has any."""
        kinds = {f"rows.{n}": Kind(tuple(each.shape)) for n, each in enumerate(self._squares)}
        if not any(name.startswith("optimizer.") for name in found):
            return kinds
        for number, weight in enumerate(self._weights):
            kinds[f"optimizer.{number}.step"] = Kind(())
            for name in ("exp_avg", "exp_avg_sq"):
                kinds[f"optimizer.{number}.{name}"] = Kind(tuple(weight.shape))
        return kinds

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned; other tensors may be among it."""
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            number, _, key = rest.partition(".")
            if kind == "rows":
                self._squares[int(number)].copy_(value)
            elif kind == "optimizer":
                moments.setdefault(int(number), {})[key] = value
        groups = self._adam.state_dict()["param_groups"]
        self._adam.load_state_dict({"state": moments, "param_groups": groups})


def _rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows (R,) of a table that a gradient is about, and their gradients (R, E)."""
    # Several processes add up dense gradients.
    sparse = gradient.coalesce() if gradient.is_sparse else gradient.to_sparse(1)
    return sparse.indices()[0], sparse.values()
