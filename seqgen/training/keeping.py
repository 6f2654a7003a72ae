"""What a training keeps in its run folder: the best model, what it reached, and all its reports.

The weights and what they reached are one file, so no kill parts them; ``run.json`` and
``README.md`` say the same, and are mended when a training resumes. Comes from:
`seqgen.training.session`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.numpy

from seqgen.data.corpus import Corpus
from seqgen.data.spans import evaluated
from seqgen.errors import Diverged
from seqgen.files import RUN, naming, write_atomic, write_json
from seqgen.run.card import model_card
from seqgen.run.results import METRICS, WEIGHTS, read_reports
from seqgen.storage.signals import undivided
from seqgen.training.checkpoints import Checkpoints

if TYPE_CHECKING:
    from seqgen.model import SequenceLSTM
    from seqgen.training.learner import Learner
    from seqgen.training.loop import Report

#: What weights say of themselves: the same whenever the same training is made again.
KNOWN = ("step", "tokens", "chosen_loss", "valid_loss", "carried_loss", "valid_tokens")


class Keeper:
    """Writes what a training reached into its run folder.

    Parameters
    ----------
    folder : Path
        The run folder, held by this process.
    info : dict
        The content of ``run.json``, which is changed along with it.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder, self.info = folder, info

    @property
    def best(self) -> float:
        """Validation loss by which the weights in the folder were chosen; without any, infinite."""
        result = self.info["result"]
        if result is None or result["chosen_loss"] is None or not (self.folder / WEIGHTS).exists():
            return math.inf
        return float(result["chosen_loss"])

    def begin(self, step: int) -> None:
        """Go on after a step: forget what was reported later, and mend what a kill left half done.

        What was reported after a checkpoint will be reported again.
        """
        write_atomic(
            self.folder / METRICS,
            "".join(
                json.dumps(row) + "\n" for row in read_reports(self.folder) if row["step"] <= step
            ),
        )
        if (self.folder / WEIGHTS).exists() and self.info["result"] is not None:
            self.describe()

    def record(self, report: Report) -> None:
        """Add a report to the others."""
        path = self.folder / METRICS
        with naming(path), path.open("a", encoding="utf-8") as log:
            print(json.dumps(asdict(report)), file=log)

    def save(self, model: SequenceLSTM, result: Mapping[str, Any]) -> None:
        """Write the weights with what they reached."""
        weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
        known = {name: result[name] for name in (*KNOWN, "temperature") if name in result}
        about = {"reached": json.dumps(known)}
        with undivided():
            write_atomic(self.folder / WEIGHTS, safetensors.numpy.save(weights, about))
            self.info["result"] = dict(result)
            self.describe()

    def describe(self) -> None:
        """Write down what was reached, for programs and for people."""
        write_json(self.folder / RUN, self.info)
        write_atomic(self.folder / "README.md", model_card(self.info))


def learn(
    learner: Learner, corpus: Corpus, keeper: Keeper, checkpoints: Checkpoints
) -> Generator[Report, None, bool]:
    """Train to the end of the budget and keep the best.

    A training that diverges goes on from a checkpoint, with smaller steps. KeyboardInterrupt may
    be thrown in: like Ctrl-C it ends the training with an evaluation.

    Yields
    ------
    Report

    Returns
    -------
    bool
        Whether the budget is spent.

    Raises
    ------
    Diverged
        If the loss becomes useless again and again, with ever smaller steps.
    """
    from seqgen.training.loop import train

    report, leads = None, learner.world.leads
    # What counts is the model that is there, not what a checkpoint knows of it.
    learner.counts.best = keeper.best
    while True:
        try:
            checkpoints.save(learner)
            for report in train(learner, corpus):
                with learner.ending_on_ctrl_c(), undivided():
                    if leads:
                        keeper.record(report)
                    if report.improved:
                        keeper.save(learner.model, _result(report, learner, corpus))
                    if checkpoints.are_due(learner, report):
                        checkpoints.save(learner)
                with learner.ending_on_ctrl_c():
                    yield report
        except Diverged as error:
            message = checkpoints.go_back(learner, error)
            learner.counts.best = keeper.best
            if report is not None:
                with learner.ending_on_ctrl_c():
                    yield replace(report, message=message, valid_loss=None, improved=False)
        except (GeneratorExit, KeyboardInterrupt):
            # The caller left the loop: what was learned is kept.
            with undivided():
                if learner.world.size == 1:
                    checkpoints.save(learner)
                if leads and report is not None and not (keeper.folder / WEIGHTS).exists():
                    keeper.save(learner.model, _result(report, learner, corpus))
            raise
        else:
            return report is None or not report.interrupted


def _result(report: Report, learner: Learner, corpus: Corpus) -> dict[str, Any]:
    import torch

    return asdict(report) | {
        "chosen_loss": report.valid_loss,
        "valid_tokens": evaluated(corpus, learner.config.evaluation_tokens).tokens,
        "threads": torch.get_num_threads(),
    }
