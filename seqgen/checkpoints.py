"""The checkpoints of a run: the last two places from which its training can go on."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from seqgen.config import TrainConfig
from seqgen.errors import Diverged, RunError

if TYPE_CHECKING:
    from seqgen.learner import Learner

#: How many are kept: if the last one should be damaged, there is another.
KEPT = 2

#: Smallest share of the step size that is tried when training diverges.
SMALLEST_SHARE = 1 / 64


class Checkpoints:
    """A folder of checkpoints, named by step.

    Parameters
    ----------
    folder : Path
        Made when the first is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._saved_at = time.monotonic()

    @property
    def paths(self) -> list[Path]:
        """The checkpoints there are, oldest first."""
        return sorted(self.folder.glob("*.safetensors"))

    def are_due(self, config: TrainConfig) -> bool:
        """Tell whether it is time for another."""
        return time.monotonic() - self._saved_at >= 60 * config.checkpoint

    def save(self, learner: Learner) -> None:
        """Write a checkpoint, then delete all but the last ones."""
        learner.save(self.folder / f"{learner.counts.step:09}.safetensors")
        for path in self.paths[:-KEPT]:
            path.unlink()
        self._saved_at = time.monotonic()

    def restore(self, learner: Learner) -> None:
        """Put the last checkpoint back, or the one before it; without any the learner is new.

        Raises
        ------
        RunError
            If none can be read.
        """
        paths = self.paths
        while paths:
            try:
                learner.load(paths.pop())
            except RunError:
                if not paths:
                    raise
            else:
                return

    def go_back(self, learner: Learner, error: Diverged) -> str:
        """Put the last checkpoint back and halve the step size; return what to tell the user.

        Raises
        ------
        Diverged
            If the step size is very small already.
        """
        seconds, step = learner.counts.seconds, learner.counts.step
        self.restore(learner)
        if learner.counts.step_share <= SMALLEST_SHARE:
            raise error
        learner.counts.step_share /= 2
        learner.counts.seconds = seconds
        return (
            f"the loss went wild at step {step}; back to step {learner.counts.step}, "
            f"with {learner.counts.step_share:g} of the step size"
        )

    def remove(self) -> None:
        """Delete them all: the training is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)
