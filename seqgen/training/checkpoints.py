"""The checkpoints of a run: the last two places from which its training can resume."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from seqgen.errors import Diverged, RunError
from seqgen.listener import Report
from seqgen.run.results import checkpoints_in

if TYPE_CHECKING:
    from seqgen.training.learner import Learner

#: Number of checkpoints to keep, in case the last one is damaged.
KEPT = 2

#: Smallest share of the learning rate to try when training diverges.
SMALLEST_SHARE = 1 / 64


class Checkpoints:
    """A folder of checkpoints, named by step.

    Parameters
    ----------
    folder : Path
        Made when the first checkpoint is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._saved_at = time.monotonic()

    @property
    def paths(self) -> list[Path]:
        """The checkpoint files, oldest first."""
        return checkpoints_in(self.folder)

    def are_due(self, learner: Learner, report: Report) -> bool:
        """Return whether a checkpoint is due; with several processes, at every evaluation."""
        if learner.world.size > 1:
            return report.valid_loss is not None or not learner.world.leads
        late = time.monotonic() - self._saved_at >= 60 * learner.config.checkpoint
        return late or report.interrupted

    def save(self, learner: Learner) -> None:
        """Write a checkpoint and delete old ones; all processes must call this."""
        learner.save(self.folder / f"{learner.counts.step:09}.safetensors")
        for path in self.paths[:-KEPT] if learner.world.leads else ():
            path.unlink()
        self._saved_at = time.monotonic()

    def restore(self, learner: Learner) -> None:
        """Restore the last checkpoint, or the one before it; without checkpoints, do nothing.

        Raises
        ------
        RunError
            If none of them can be read.
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
        """Restore the last checkpoint and halve the learning rate; return a message for the user.

        Raises
        ------
        Diverged
            If the learning rate is very small already, or several processes train together.
        """
        if learner.world.size > 1:
            raise error
        seconds, step = learner.counts.seconds, learner.counts.step
        self.restore(learner)
        if learner.counts.learning_rate_share <= SMALLEST_SHARE:
            raise error
        learner.counts.learning_rate_share /= 2
        learner.counts.seconds = seconds
        return (
            f"training diverged at step {step}; back to step {learner.counts.step}, "
            f"with {learner.counts.learning_rate_share:g} of the learning rate"
        )

    def remove(self) -> None:
        """Delete all checkpoints: the training is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)
