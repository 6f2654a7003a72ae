"""Data-parallel training: torchrun starts processes, each with its part of the batch.

Every process holds the whole model, and gradients are summed before each update. Only the first
process writes. CPUs communicate by gloo, GPUs by NCCL, several machines by torchrun's rendezvous.
When a machine is lost or joins, torchrun starts all processes again, and they go on from the last
checkpoint.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

from seqgen.bounds import Within

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes of a training, as seen by one of them.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and the number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that evaluates, reports and writes."""
        return self.rank == 0

    def total(self, count: int) -> int:
        """Return the sum of a count over all processes."""
        if self.size == 1:
            return count
        [total] = _reduce([float(count)], dist.ReduceOp.SUM)
        return round(total)

    def add_gradients(self, model: nn.Module, coarse: bool = False) -> None:
        """Replace every gradient by its sum over all processes, in one message.

        A `coarse` message has numbers of 16 bits (bfloat16), half of the bytes.
        """
        if self.size == 1:
            return
        for weight in model.parameters():
            if weight.grad is not None and weight.grad.is_sparse:
                # The processes read different rows.
                weight.grad = weight.grad.to_dense()
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        if coarse:
            together = together.bfloat16()
        dist.all_reduce(together)
        places = torch.split(together, [gradient.numel() for gradient in gradients])
        for gradient, place in zip(gradients, places, strict=True):
            gradient.copy_(place.view_as(gradient))

    def agree(self, fraction: float, interrupted: bool) -> tuple[float, bool]:
        """Return the first process's share of the budget, and whether any process was stopped."""
        if self.size == 1:
            return fraction, interrupted
        mine = [fraction if self.leads else 0.0, float(interrupted)]
        agreed, any_interrupted = _reduce(mine, dist.ReduceOp.MAX)
        return agreed, bool(any_interrupted)

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes, by rank."""
        values: list[T] = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value)
        return values

    def share(self, value: T) -> T:
        """Return the first process's value."""
        return self.gather(value)[0]

    def leave(self) -> None:
        """Exit at once, unless this is the first process; call it when training is done.

        The others have nothing left to write. PyTorch's threads may abort a process that ends
        normally right after communication (pytorch/pytorch#179291).
        """
        if not self.leads:
            os._exit(0)

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Let the first process run the block before the others."""
        if self.size > 1 and not self.leads:
            dist.barrier()
        yield
        if self.size > 1 and self.leads:
            dist.barrier()


def _reduce(numbers: list[float], operation: dist.ReduceOp.RedOpType) -> list[float]:
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    tensor = torch.tensor(numbers, dtype=torch.float64, device=device)
    dist.all_reduce(tensor, operation)
    values: list[float] = tensor.tolist()
    return values


@cache
def join() -> World:
    """Return the processes that torchrun started, or a world of one process."""
    size = _environment("WORLD_SIZE", Within(1, 2**20))
    if size == 1:
        return World()
    if torch.cuda.is_available():
        torch.cuda.set_device(_environment("LOCAL_RANK", Within(0, 2**20)))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    atexit.register(dist.destroy_process_group)
    return World(dist.get_rank(), size)


def local_size() -> int:
    """Return the number of processes on this machine."""
    return _environment("LOCAL_WORLD_SIZE", Within(1, 2**20))


def _environment(name: str, bounds: Within) -> int:
    """Return a whole number that torchrun sets; by default the lower bound."""
    text = os.environ.get(name, str(int(bounds.least)))
    number = int(text) if text.isdecimal() else text
    bounds.check(name, number, whole=True)
    return int(number)
