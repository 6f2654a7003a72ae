"""Keeping the best model of a training, its result and all reports in the run folder.

The weights file holds its own result too, so a kill cannot separate them. ``run.json`` and
``README.md`` repeat the result, and are corrected when a training resumes. Comes from:
`seqgen.training.session`. Next: `seqgen.training.loop`.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.numpy

from seqgen.data.corpus import Corpus
from seqgen.data.spans import evaluated
from seqgen.errors import Diverged
from seqgen.files import RUN, naming, write_atomic, write_json
from seqgen.listener import Report
from seqgen.run.card import model_card
from seqgen.run.folder import Run
from seqgen.run.results import METRICS, WEIGHTS, read_reports
from seqgen.storage.signals import undivided
from seqgen.training.checkpoints import Checkpoints

if TYPE_CHECKING:
    from seqgen.network.model import SequenceModel
    from seqgen.training.learner import Learner
    from seqgen.training.listening import Listening
    from seqgen.training.rounds import Rounds

#: Keys of the result that the weights file holds; repeating a training gives the same values.
KNOWN = ("step", "tokens", "chosen_loss", "valid_loss", "carried_loss", "valid_tokens")


class Keeper:
    """Writes the best model and the reports of a training into its run folder.

    Parameters
    ----------
    folder : Path
        The run folder, held by this process.
    info : dict
        The content of ``run.json``; it is changed together with the file.
    listening : Listening or None
        The listeners that hear what is recorded.
    """

    def __init__(
        self, folder: Path, info: dict[str, Any], listening: Listening | None = None
    ) -> None:
        self.folder, self.info, self._listening = folder, info, listening

    @property
    def best(self) -> float:
        """Validation loss for which the weights in the folder were saved; infinite without any."""
        result = self.info["result"]
        if result is None or result["chosen_loss"] is None or not (self.folder / WEIGHTS).exists():
            return math.inf
        return float(result["chosen_loss"])

    def begin(self, step: int) -> None:
        """Prepare the folder to continue after a step.

        Later reports are removed, because they will be made again. Files that a kill left outdated
        are corrected.
        """
        write_atomic(
            self.folder / METRICS,
            "".join(
                json.dumps(row, allow_nan=False) + "\n"
                for row in read_reports(self.folder)
                if row["step"] <= step
            ),
        )
        if (self.folder / WEIGHTS).exists() and self.info["result"] is not None:
            self.describe()

    def record(self, report: Report) -> None:
        """Append a report to ``metrics.jsonl``, and pass it to the listeners."""
        path = self.folder / METRICS
        with naming(path), path.open("a", encoding="utf-8") as log:
            print(json.dumps(asdict(report), allow_nan=False), file=log)
        if self._listening is not None:
            self._listening.report(report)

    def save(self, model: SequenceModel, result: Mapping[str, Any]) -> None:
        """Write the weights and their result."""
        weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
        known = {name: result[name] for name in (*KNOWN, "temperature") if name in result}
        about = {"reached": json.dumps(known, allow_nan=False)}
        with undivided():
            write_atomic(self.folder / WEIGHTS, safetensors.numpy.save(weights, about))
            self.info["result"] = dict(result)
            self.describe()

    def add_round(self, found: dict[str, Any]) -> None:
        """Add a round of realigning to the content of ``run.json``; later ones are forgotten."""
        before = self.info.get("realigned", ())
        self.info["realigned"] = [one for one in before if one["round"] < found["round"]] + [found]

    def describe(self) -> None:
        """Write ``run.json`` and the model card."""
        write_json(self.folder / RUN, self.info)
        write_atomic(self.folder / "README.md", model_card(self.info))


def learn(
    learner: Learner, rounds: Rounds, keeper: Keeper, checkpoints: Checkpoints
) -> Generator[Report, None, bool]:
    """Train to the end of the budget and keep the best model.

    A training that diverges continues from a checkpoint with a lower learning rate. The caller may
    throw KeyboardInterrupt in: like Ctrl-C it ends the training with an evaluation.

    Yields
    ------
    Report

    Returns
    -------
    bool
        Whether the budget is used up.

    Raises
    ------
    Diverged
        If training diverges even at the lowest learning rate.
    """
    from seqgen.training.loop import train

    report, leads = None, learner.world.leads
    # The model in the folder may be better than the best that the checkpoint knows of.
    learner.counts.best = keeper.best
    while True:
        try:
            if rounds.is_due(learner.counts):
                yield from _next_round(learner, rounds, keeper, report)
            corpus = rounds.corpus(learner.counts.round)
            learner.read_from(corpus)
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
                if not report.interrupted and rounds.is_due(learner.counts):
                    break
            else:
                return report is None or not report.interrupted
        except Diverged as error:
            message = checkpoints.go_back(learner, error)
            learner.counts.best = keeper.best
            if report is not None:
                with learner.ending_on_ctrl_c():
                    yield replace(report, message=message, valid_loss=None, improved=False)
        except (GeneratorExit, KeyboardInterrupt):
            # The caller left the loop: keep what was learned.
            with undivided():
                if learner.world.size == 1:
                    checkpoints.save(learner)
                if leads and report is not None and not (keeper.folder / WEIGHTS).exists():
                    keeper.save(learner.model, _result(report, learner, corpus))
            raise


def _next_round(
    learner: Learner, rounds: Rounds, keeper: Keeper, report: Report | None
) -> Iterator[Report]:
    """Realign the pieces, and keep the model that is best on them."""
    for progress in rounds.realign(learner, report):
        if progress.improved:
            with undivided():
                keeper.add_round(rounds.found)
                progress = _keep_better(learner, rounds, keeper, progress)
                keeper.record(progress)
        with learner.ending_on_ctrl_c():
            yield progress


def _keep_better(learner: Learner, rounds: Rounds, keeper: Keeper, report: Report) -> Report:
    """Keep the present model, unless the best so far predicts the realigned pieces better.

    Losses on the former pieces say nothing about those that come now. Return the report of the
    present model.
    """
    import torch

    from seqgen.training.loop import losses

    corpus, config = rounds.corpus(learner.counts.round), learner.config
    if (keeper.folder / WEIGHTS).exists() and keeper.info["result"] is not None:
        former = copy.deepcopy(learner.model)
        weights = Run(keeper.folder, "cpu").weights
        former.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
        loss, carried = losses(former, corpus, config, config.evaluation_tokens)
        if report.valid_loss is not None and loss < report.valid_loss:
            found = {"chosen_loss": loss, "valid_loss": loss, "carried_loss": carried}
            learner.counts.best = loss
            keeper.save(former, keeper.info["result"] | found)
            return replace(report, improved=False)
    keeper.save(learner.model, _result(report, learner, rounds.corpus(0)))
    return report


def _result(report: Report, learner: Learner, corpus: Corpus) -> dict[str, Any]:
    import torch

    return asdict(report) | {
        "chosen_loss": report.valid_loss,
        "valid_tokens": evaluated(corpus, learner.config.evaluation_tokens).tokens,
        "threads": torch.get_num_threads(),
    }
