"""THE LOOP: truncated backpropagation through time, with the state carried between windows.

`train` is a generator: it yields a `Report` about once a second; the caller prints, saves, stops.
One step is `Learner.update`. Comes from: `seqgen.training.keeping`, which keeps the best model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import torch

from seqgen.config import TrainConfig
from seqgen.data.batches import CARRIED, FRAMINGS
from seqgen.data.corpus import Corpus
from seqgen.errors import Diverged
from seqgen.evaluation.loss import evaluate
from seqgen.listener import Report
from seqgen.network.model import SequenceModel
from seqgen.storage.signals import undivided
from seqgen.training.learner import Counts, Learner
from seqgen.training.parallel import local_size

#: Share of the updates in which the learning rate rises.
WARM_UP = 0.02

#: Updates after which a loss may be too large. A model that goes on with other pieces begins worse.
SETTLED = 20

#: Seconds between two reports that are not evaluations.
REPORT_EVERY = 1.0


def train(learner: Learner, corpus: Corpus) -> Iterator[Report]:
    """Train a model on a corpus until the budget is used up; yield reports.

    Ctrl-C ends the training early, with one more evaluation and report, so that the caller can
    save the model.

    Parameters
    ----------
    learner : Learner
        A new one, or one restored from a checkpoint, from which the training then continues.
    corpus : Corpus
        The validation split is read for evaluations.

    Yields
    ------
    Report
        About once a second, and at every evaluation; the last one is an evaluation. The learner
        may be saved between reports. Of several processes the first one evaluates and reports; the
        others yield at the same evaluations, without losses.

    Raises
    ------
    Diverged
        If the loss is not a number, or worse than that of guessing.
    """
    config, counts, world = learner.config, learner.counts, learner.world
    began = time.monotonic() - counts.seconds
    use_threads(config)
    fraction, interrupted = world.agree(spent(config, corpus, counts), False)
    reported_at, reported_tokens = counts.seconds, counts.tokens
    nats: float | torch.Tensor = 0.0  # (), summed over the tokens since the last report
    while fraction < 1 and not interrupted:
        with learner.ending_on_ctrl_c(), undivided():
            # One window (B, T): forward, backward, one step of AdamW. Adds the loss, a scalar ().
            nats += learner.update(learning_rate(fraction, config.learning_rate, counts.began))
        interrupted = learner.ending
        counts.seconds = time.monotonic() - began
        fraction, interrupted = world.agree(spent(config, corpus, counts), interrupted)

        due = fraction >= min(counts.next_evaluation, 1)
        evaluating = interrupted or due
        if not evaluating and (counts.seconds - reported_at < REPORT_EVERY or not world.leads):
            continue
        loss = float(nats) / max(counts.tokens - reported_tokens, 1)
        # A nat above the loss of guessing.
        settled = updated(fraction, counts.began) > WARM_UP and counts.step > SETTLED
        most = learner.model.guess() + 1 if settled else math.inf
        _check(loss, most, learner)
        valid_loss, carried_loss, message = None, None, ""
        if evaluating:
            if world.leads:
                measured, impatient = _losses_patiently(learner.model, corpus, config)
                valid_loss, carried_loss = measured
                _check(valid_loss, math.inf, learner)
                interrupted |= impatient
            # Evaluation takes time too, so the fraction is computed again.
            counts.seconds = time.monotonic() - began
            fraction, interrupted = world.agree(spent(config, corpus, counts), interrupted)
            if due:  # an evaluation after Ctrl-C must not change what a resumed training learns
                message = learner.drop_more(valid_loss)
            count = math.floor(fraction * config.evaluations) + 1
            counts.next_evaluation = count / config.evaluations
        improved = valid_loss is not None and valid_loss < counts.best
        if improved and valid_loss is not None:
            counts.best = valid_loss
        yield Report(
            fraction=min(fraction, 1.0),
            step=counts.step,
            tokens=counts.tokens,
            seconds=counts.seconds,
            loss=loss,
            learning_rate=learning_rate(fraction, config.learning_rate, counts.began)
            * counts.learning_rate_share,
            valid_loss=valid_loss,
            carried_loss=carried_loss,
            improved=improved,
            interrupted=interrupted,
            message=message,
        )
        learner.model.train()  # the caller may have generated, which ends training mode
        reported_at, reported_tokens, nats = counts.seconds, counts.tokens, 0.0


def use_threads(config: TrainConfig) -> None:
    """Let PyTorch use the threads of a training; planning tries other numbers."""
    torch.set_num_threads(max((config.threads or 1) // local_size(), 1))


def losses(
    model: SequenceModel, corpus: Corpus, config: TrainConfig, most: int
) -> tuple[float, float]:
    """Return the validation loss under the run's framing, and with carried state.

    If the split has more than `most` tokens, a sample of it is read.
    """
    carried = evaluate(model, corpus, most)
    framing = FRAMINGS[config.framing]
    if framing == CARRIED:
        return carried, carried
    return evaluate(model, corpus, most, config.window, framing), carried


def _losses_patiently(
    model: SequenceModel, corpus: Corpus, config: TrainConfig
) -> tuple[tuple[float, float], bool]:
    """Evaluate, again if Ctrl-C interrupts; return the losses and whether it did."""
    most = config.evaluation_tokens
    try:
        return losses(model, corpus, config, most), False
    except KeyboardInterrupt:
        return losses(model, corpus, config, most), True


def _check(loss: float, most: float, learner: Learner) -> None:
    """Raise `Diverged` if a loss is not a number, or too large."""
    if not math.isfinite(loss) or loss > most:
        raise Diverged(
            f"the loss became {loss:.4g} at step {learner.counts.step}; "
            f"try again with a smaller learning rate than {learner.config.learning_rate}"
        )


def spent(config: TrainConfig, corpus: Corpus, counts: Counts) -> float:
    """Return the share of the budget that is used up, the largest of several budgets."""
    return max(
        counts.seconds / (counts.budget or math.inf),
        counts.tokens / (config.tokens or math.inf),
        counts.tokens / (config.epochs * corpus.size("train") or math.inf),
    )


def learning_rate(fraction: float, peak: float, began: float = 0.0) -> float:
    """Return the learning rate at a fraction of the budget: linear warm-up, then linear decay.

    The updates began at the fraction `began`.
    """
    done = updated(fraction, began)
    if done < WARM_UP:
        return peak * max(done / WARM_UP, 0.05)
    return peak * max(1 - done, 0.0) / (1 - WARM_UP)


def updated(fraction: float, began: float) -> float:
    """Return the share of the updates that is done at a fraction of the budget."""
    return (fraction - began) / (1 - began) if began < 1 else 1.0
