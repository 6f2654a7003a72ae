"""A listener: what a plugin writes to follow trainings, such as for a tracker of experiments.

Comes from: `seqgen.plugins.listeners` finds them. Next: `seqgen.training.listening` feeds them.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Report:
    """The progress of a training; ``str`` says it in a line, and a notebook shows a bar.

    Attributes
    ----------
    fraction : float
        Share of the budget used so far, 0 to 1.
    step, tokens : int
        Number of updates, and of targets learned from.
    seconds : float
        Time since the start, including evaluation.
    loss : float
        Mean training loss since the last report, in nats per token.
    learning_rate : float
        Learning rate of the last update.
    valid_loss : float or None
        Validation loss under the framing of the training; None if this is not an evaluation.
    carried_loss : float or None
        Validation loss with carried state, as in generation; None if this is not an evaluation.
    improved : bool
        Whether the validation loss is the lowest so far: the moment to save the model.
    interrupted : bool
        Whether the user ended training before the budget was used up.
    message : str
        Anything else that the user should know.
    """

    fraction: float
    step: int
    tokens: int
    seconds: float
    loss: float
    learning_rate: float
    valid_loss: float | None = None
    carried_loss: float | None = None
    improved: bool = False
    interrupted: bool = False
    message: str = ""

    def __str__(self) -> str:
        valid = "" if self.valid_loss is None else f", validation loss {self.valid_loss:.3f}"
        best = " (best)" * self.improved
        said = f"; {self.message}" if self.message else ""
        return f"{self.fraction:4.0%}, training loss {self.loss:.3f}{valid}{best}{said}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return f'<progress value="{self.fraction:.3f}"></progress> {html.escape(str(self))}'


class Listener(Protocol):
    """Hears the reports of one training.

    All calls come from one thread of its own, one after the other. The training never waits for
    it: a listener that raises an exception is off from then on, and one that is too slow misses
    reports. It must not change what the process shares: random number generators, the number of
    threads, signal handlers, the working folder.

    Parameters
    ----------
    folder : Path
        A folder of its own in the run folder. It exists, and has files of earlier calls if the
        training was resumed.
    info : mapping
        The content of ``run.json``: domain, codec, settings and plan (docs/format.md).
    """

    def __init__(self, folder: Path, info: Mapping[str, Any]) -> None: ...

    def report(self, report: Report) -> None:
        """Take the next report, about one a second; steps never decrease but after a resume."""

    def close(self) -> None:
        """Finish, at the end of the training; the process waits a few seconds for it."""
