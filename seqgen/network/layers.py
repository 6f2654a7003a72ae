"""What an architecture is made of: a `Layer`, or a `Cell`, a layer that works step by step.

A plugin writes one of them. The core stacks it and supplies all else (`seqgen.network.model`):
embeddings, normalisation between layers, dropout, output, resets, saving. docs/architectures.md has
an example.

Shapes: B sequences, T steps, H hidden units. Next: `seqgen.testing` checks that an architecture
keeps its promises.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from seqgen.errors import PluginError

#: What a layer remembers: float32 tensors (B, ...), always as many and of the same shapes.
State: TypeAlias = tuple[Tensor, ...]


class Layer(nn.Module):
    """A layer that reads T steps of B sequences in one call. Write `start` and `run`.

    All its tensors are float32 parameters, or buffers that are not persistent. It is built under
    ``torch.device("meta")`` too, where tensors have shapes but no values.

    Parameters
    ----------
    inputs, hidden : int
        Width of the input and of the output.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.inputs, self.hidden = inputs, hidden

    def start(self, lanes: int) -> State:
        """Return the state of B sequences before their first step, such as zeros ``(B, H)``.

        After END and boundaries the core sets a sequence to this state.
        """
        raise NotImplementedError

    def run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run all steps; no sequence ends among them.

        Parameters
        ----------
        x : Tensor (T, B, inputs)
        state : tuple of Tensor (B, ...)
            As `start` or `run` returned it. Do not change it in place: it may be used again.

        Returns
        -------
        outputs : Tensor (T, B, H)
        state : tuple of Tensor (B, ...)
        """
        raise NotImplementedError

    def forward(self, x: Tensor, resets: Tensor | None, state: State) -> tuple[Tensor, State]:
        """Run all steps, in parts: a part ends where a sequence does, which then starts anew.

        Parameters
        ----------
        x : Tensor (T, B, inputs)
        resets : Tensor (T, B, 1) or None
            1 where a sequence begins anew after the step, else 0. None means nowhere.
        state : tuple of Tensor (B, ...)

        Returns
        -------
        outputs : Tensor (T, B, H)
        state : tuple of Tensor (B, ...)

        Raises
        ------
        PluginError
            If `run` returns other shapes.
        """
        if resets is None:
            return self._checked_run(x, state)
        marks = resets[:, :, 0] != 0  # (T, B)
        # For a single step a GPU need not answer whether a sequence ends.
        ends = [0] if len(x) == 1 else marks.any(1).nonzero()[:, 0].tolist()
        outputs, low = [], 0
        for end in ends:
            part, state = self._checked_run(x[low : end + 1], state)
            outputs.append(part)
            state = restarted(state, self.fresh(x.shape[1]), marks[end])
            low = end + 1
        if low < len(x):
            part, state = self._checked_run(x[low:], state)
            outputs.append(part)
        return torch.cat(outputs), state  # (T, B, H)

    def fresh(self, lanes: int) -> State:
        """Return `start` on the device of the weights."""
        with next(self.parameters()).device:
            return self.start(lanes)

    def _checked_run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, following = self.run(x, state)
        shapes = [tuple(part.shape) for part in (outputs, *following)]
        wanted = [(*x.shape[:2], self.hidden), *(tuple(part.shape) for part in state)]
        if shapes != wanted:
            raise PluginError(
                f"{type(self).__module__}.{type(self).__qualname__} returned outputs and state of "
                f"shapes {shapes}, expected {wanted}; tell its authors"
            )
        return outputs, following


class Cell(Layer):
    """A layer that works step by step. Write `start` and `step`; `before` saves time.

    A loop in Python takes about 0.1 ms a step, so do as much as possible in `before`.
    """

    def before(self, x: Tensor) -> Tensor:
        """Return what `step` gets of the inputs, such as their products with weights.

        Parameters
        ----------
        x : Tensor (T, B, inputs)

        Returns
        -------
        Tensor (T, B, ...)
            By default the inputs.
        """
        return x

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step.

        Parameters
        ----------
        x : Tensor (B, ...)
            A row of what `before` returned.
        state : tuple of Tensor (B, ...)
            Do not change it in place.

        Returns
        -------
        output : Tensor (B, H)
        state : tuple of Tensor (B, ...)
        """
        raise NotImplementedError

    def run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run all steps, one after another."""
        outputs = []
        for row in self.before(x).unbind():  # (B, ...)
            output, state = self.step(row, state)
            outputs.append(output)
        return torch.stack(outputs), state  # (T, B, H)


def restarted(state: State, start: State, marks: Tensor, axis: int = 0) -> State:
    """Return a state, with that of the start for the sequences that bool ``(B,)`` marks.

    `axis` is that of the sequences in every part.
    """
    return tuple(
        torch.where(marks.view(-1, *[1] * (part.dim() - 1 - axis)), begun, part)
        for begun, part in zip(start, state, strict=True)
    )


def build(layer: type[Layer], inputs: int, hidden: int) -> Layer:
    """Build a layer and check what will be saved of it.

    Raises
    ------
    PluginError
        If it has a tensor that is neither a float32 parameter nor a buffer that is not persistent.
    """
    built = layer(inputs, hidden)
    learned = dict(built.named_parameters())
    for name, value in built.state_dict().items():
        if name not in learned or value.dtype != torch.float32:
            raise PluginError(
                f"{layer.__module__}.{layer.__qualname__} has the tensor {name!r} of "
                f"{value.dtype}, expected a float32 parameter, or a buffer with persistent=False; "
                f"tell its authors"
            )
    return built
