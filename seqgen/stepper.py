"""One step of a trained model, behind one small interface."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from seqgen.model import SequenceLSTM, State
from seqgen.plugin import Ids


class Stepper(Protocol):
    """Advances B sequences at once. A state is a value: it may be kept, and used twice."""

    def start(self, lanes: int) -> Any:
        """Return the state of `lanes` sequences of which nothing was read."""
        ...

    def read(self, ids: Ids, features: Ids, state: Any) -> tuple[NDArray[np.float32], Any]:
        """Read ids ``(B, T)`` with features ``(B, T, K)``.

        Returns
        -------
        logits : float32 array (B, V')
            For the id after the last one.
        state : object
            After the last id.
        """
        ...

    def select(self, state: Any, rows: Ids) -> Any:
        """Return the state of some of the sequences, in the order given, repeats allowed."""
        ...


class TorchStepper:
    """The reference: the model's own forward call, on whatever device it is.

    Parameters
    ----------
    model : SequenceLSTM
        Put into evaluation mode.
    """

    def __init__(self, model: SequenceLSTM) -> None:
        self._model = model.eval()

    def start(self, lanes: int) -> State:
        """Return zeros."""
        return self._model.start_state(lanes)

    @torch.inference_mode()
    def read(self, ids: Ids, features: Ids, state: State) -> tuple[NDArray[np.float32], State]:
        """Run the model over all ids and return its last logits."""
        device = state[0].device
        logits, state = self._model(
            torch.from_numpy(ids).to(device), torch.from_numpy(features).to(device), state
        )
        last: NDArray[np.float32] = logits[:, -1].float().cpu().numpy()
        return last, state

    def select(self, state: State, rows: Ids) -> State:
        """Index the lanes."""
        index = torch.from_numpy(rows).to(state[0].device)
        return state[0][:, index], state[1][:, index]
