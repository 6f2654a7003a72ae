"""The interface of a model that reads and writes step by step, and the choice of a stepper.

`seqgen.stepping.fused` is the stepper for the core's LSTM on the processor.
`seqgen.stepping.torch_stepper` runs the forward call of any model on any device, and is the
reference.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqgen.config import CORE
from seqgen.errors import ConfigError, RunError
from seqgen.plugin import Ids

if TYPE_CHECKING:
    from seqgen.drawing.guide import Guide
    from seqgen.drawing.rules import Positions, Rules
    from seqgen.run.folder import Run

#: Smallest number of pieces side by side for which a GPU is faster.
MANY = 64


class Stepper(Protocol):
    """Advances B sequences at once.

    A state is a value: it may be stored, and used more than once. Each thread needs a copy of its
    own (`copy.copy`), which shares the weights. T steps, V' ids, K features.
    """

    def start(self, count: int) -> Any:
        """Return the state of `count` sequences before their first id."""
        ...

    def read(
        self, ids: Ids, features: Ids, state: Any, possible: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], Any]:
        """Read ids ``(B, T)`` with features ``(B, T, K)``.

        Returns
        -------
        logits : float32 array (B, V')
            For the id after the last one. With an adaptive output they hold among the ids that
            `possible` (B, V') names, by default all.
        state : object
            After the last id.
        """
        ...

    def write(
        self,
        positions: Positions,
        draws: NDArray[np.float64],
        rules: Rules,
        state: Any,
        guide: Guide | None = None,
    ) -> tuple[Ids, NDArray[np.float64], Any]:
        """Read the last id of each sequence and draw the next, T times.

        Features and masks stay, unless a guide changes them.

        Parameters
        ----------
        positions : Positions
            Its arrays are overwritten.
        draws : float64 array (B, T)
            Uniform in [0, 1).
        rules : Rules
        state : object
            Before the last ids.
        guide : Guide, optional
            Trackers to follow; their states are changed.

        Returns
        -------
        ids : int64 array (B, T)
            After END only END. An id below 0 is an error code of `seqgen.drawing.sampling`;
            the ids after it have no meaning.
        log_probabilities : float64 array (B, T)
            Of these ids under the model, without settings; 0 after END.
        state : object
            Before the last id of each sequence.
        """
        ...

    def select(self, state: Any, rows: Ids) -> Any:
        """Return the state of some sequences, in the given order; rows may be repeated."""
        ...

    def export(self, state: Any) -> tuple[NDArray[np.float32], ...]:
        """Return the parts of a state, each ``(L, B, ...)``, the same for every stepper."""
        ...

    def restore(self, parts: tuple[NDArray[np.float32], ...]) -> Any:
        """Return the state for what `export` returned."""
        ...


def choose_stepper(run: Run, batch_size: int, *, int8: bool = False) -> Stepper:
    """Return the fastest stepper for `batch_size` sequences on the run's device, or the run's own.

    Raises
    ------
    ConfigError
        If 8-bit weights are requested of another architecture than the core's, or on another device
        than the processor.
    RunError
        If the weights do not fit the settings of the run.
    """
    if run.stepper is not None:
        stepper: Stepper = run.stepper(batch_size, int8)
        return stepper
    own = run.model_config.architecture == CORE
    if own and (
        run.device == "cpu"
        or (run.device == "auto" and not (batch_size >= MANY and _gpu_in_sight()))
    ):
        from seqgen.stepping.fused import FusedStepper

        sizes, boundaries = tuple(run.codec.feature_sizes), run.codec.boundaries
        try:
            return FusedStepper(
                run.model_config,
                run.vocab,
                sizes,
                run.weights,
                boundaries,
                run.clusters,
                int8=int8,
            )
        except ValueError as error:
            raise RunError(
                f"the weights in {run.name} do not fit its settings ({error}); train again"
            ) from error
    if int8 and not own:
        raise ConfigError(
            f"8-bit weights are for the architecture {CORE}, and {run.name} has "
            f"{run.model_config.architecture}; leave int8 out"
        )
    if int8:
        raise ConfigError("8-bit weights are for the processor; choose the device cpu")
    from seqgen.stepping.torch_stepper import TorchStepper

    return TorchStepper(run.model)


def _gpu_in_sight() -> bool:
    """Return whether PyTorch can use a GPU; PyTorch is imported only if a device file exists."""
    if not any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/dxg")):
        return False
    from seqgen.network.model import choose_device

    return choose_device("auto").type == "cuda"
