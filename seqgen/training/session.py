"""A training from start to end: budget, training, calibration, sampling defaults, proofreader.

Comes from: `seqgen.training.creation` creates the run. Next: `seqgen.training.keeping` keeps the
best model, `seqgen.training.loop` is the loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from seqgen.bounds import as_texts, checked
from seqgen.data.corpus import Corpus
from seqgen.data.spans import evaluated
from seqgen.errors import InUse, RunError
from seqgen.evaluation.ngram import baseline
from seqgen.evaluation.proofreading import learned_of
from seqgen.files import RUN, write_json
from seqgen.listener import Report
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run
from seqgen.run.proofreader import save_proofreader
from seqgen.run.results import CHECKPOINTS, WEIGHTS
from seqgen.storage.locks import hold, sweep
from seqgen.training.calibration import fit_temperature
from seqgen.training.checkpoints import Checkpoints
from seqgen.training.defaults import affordable, choose_sampling, compile_steps
from seqgen.training.keeping import Keeper, learn
from seqgen.training.learner import Learner
from seqgen.training.listening import listening
from seqgen.training.loop import losses
from seqgen.training.parallel import join
from seqgen.training.rounds import Rounds

#: Largest share of a time budget in which n-grams are counted.
COUNTING_SHARE = 0.05

#: The run folders that this process is training.
_in_training: set[Path] = set()


@naming_faults
@checked
def train(
    run: Run, corpus: Corpus, events: str | Sequence[str] = ()
) -> Generator[Report, None, None]:
    """Train a run and keep its best model; yield reports, about one a second.

    A training that was interrupted continues from its last checkpoint. During training
    ``run.info["result"]`` is the best result so far; at the end `run.model` is the best model.

    Parameters
    ----------
    run : Run
        From `create_run`, or opened again.
    corpus : Corpus
        A corpus with the vocabulary of the run.
    events : str, or sequence of str
        Names of listeners that get the reports too, such as ``"tensorboard"``. Each writes into a
        folder of its own, ``RUN/events/NAME``; a training that continues goes on with those that
        have one. The logger "seqgen.events" says what goes wrong.

    Yields
    ------
    Report

    Raises
    ------
    PluginError
        If a listener in `events` cannot be loaded.
    RunError
        If the training is finished, or the corpus has another vocabulary.
    Diverged
        If training diverges even at the lowest learning rate.
    InUse
        If this run is being trained already, by this process or another one.
    """
    if corpus.vocab.digest != run.vocab.digest:
        raise RunError(
            f"{corpus.folder} has another vocabulary ({corpus.vocab.size} ids) than "
            f"{run.folder} ({run.vocab.size} ids); train a new run on it"
        )
    corpus.verify()
    world = join()
    with ExitStack() as held:
        if world.leads:
            held.enter_context(_sole_training(run))
        checkpoints = Checkpoints(run.folder / CHECKPOINTS)
        if world.leads:
            now = _reread(run)
            run.info = now | run.info | {"result": now["result"]}
            sweep(run.folder)
            sweep(checkpoints.folder)
        if (run.folder / WEIGHTS).exists() and not checkpoints.paths:
            raise RunError(
                f"the training of {run.folder} is finished; to train its model further, make a "
                f"new run that begins with it (`start`)"
            )
        heard = (
            held.enter_context(listening(run.folder, run.info, as_texts(events)))
            if world.leads
            else None
        )
        learner = Learner(run.model, corpus, run.train_config, world)
        learner.counts.budget = _seconds_to_learn(run, _compile_steps(run) if world.leads else 0.0)
        checkpoints.restore(learner)
        keeper, rounds = Keeper(run.folder, run.info, heard), Rounds(run, corpus)
        try:
            if world.leads:
                keeper.begin(learner.counts.step)
            finished = yield from learn(learner, rounds, keeper, checkpoints)
            if world.leads and finished:
                last = rounds.corpus(learner.counts.round)
                _calibrate(run, last, keeper)
                _choose_sampling(run, last, keeper)
                _learn_to_proofread(run, last)
                rounds.finish(learner.counts.round)
                checkpoints.remove()
        finally:
            if world.leads and (run.folder / WEIGHTS).exists():
                _load_best(run)
            run.model.eval()


@contextmanager
def _sole_training(run: Run) -> Iterator[None]:
    """Hold the folder of a run, and refuse a second training of it by the same thread.

    `hold` lets a thread hold a folder twice: the command holds it before the training does.
    """
    folder = run.folder.resolve()
    with hold(folder):
        if folder in _in_training:
            raise InUse(
                f"{run.folder} is already being trained by this process; end or close that "
                f"generator of seqgen.train first"
            )
        _in_training.add(folder)
        try:
            yield
        finally:
            _in_training.remove(folder)


@naming_faults
@checked
def measure_baseline(run: Run, corpus: Corpus) -> dict[str, Any]:
    """Measure the validation loss of n-gram models, once, and keep it in the run folder.

    Call it before `train` to know the loss to beat. With a time budget, its time counts, and a
    large corpus is counted in part.

    Parameters
    ----------
    run : Run
    corpus : Corpus
        The corpus of the run.

    Returns
    -------
    dict
        ``order`` of the best n-gram model and its ``valid_loss`` in nats per token; the loss
        ``uniform`` if all ids that the grammar allows were equally likely; the ``seconds`` that
        measuring took.
    """
    if "baseline" not in run.info:
        began = time.monotonic()
        budget = run.train_config.seconds
        seconds = COUNTING_SHARE * budget if budget else math.inf
        found = baseline(corpus, run.info["plan"]["measured"], seconds)
        run.info["baseline"] = {
            "order": found.order,
            "valid_loss": found.nats_per_token,
            "uniform": found.uniform,
            "seconds": time.monotonic() - began,
        }
        # Another process that trains this run measures its own baseline.
        with suppress(InUse), hold(run.folder):
            write_json(run.folder / RUN, _reread(run) | {"baseline": run.info["baseline"]})
    measured: dict[str, Any] = run.info["baseline"]
    return measured


def _reread(run: Run) -> dict[str, Any]:
    """Return the present content of ``run.json``; this process holds the folder.

    Raises
    ------
    RunError
        If the folder holds another run by now.
    """
    info = Run(run.folder).info
    same = ("domain", "codec", "vocab_digest", "corpus", "model", "train")
    if any(info.get(name) != run.info.get(name) for name in same):
        raise RunError(
            f"{run.folder} was replaced by another run since it was opened; open it again"
        )
    return info


def _compile_steps(run: Run) -> float:
    """Compile the code that measures the sampling defaults; return the seconds it took.

    On a new machine compiling takes long: a short budget must allow for it.
    """
    began = time.monotonic()
    if run.train_config.seconds and run.codec.tracker() is None:
        compile_steps(run.with_model(run.model))
    return time.monotonic() - began


def _seconds_to_learn(run: Run, compiling: float) -> float:
    """Return the seconds that are left for training; 0 without a time budget.

    Planning, compiling and the baseline come out of the budget, and so does the end of the
    training: calibration and sampling defaults.
    """
    plan, measured = run.info["plan"], run.info.get("baseline", {})
    seconds = run.train_config.seconds
    begun = plan["seconds"] + measured.get("seconds", 0.0) + compiling
    return float(max(seconds - begun - plan["ending"], seconds / 4))


def _calibrate(run: Run, corpus: Corpus, keeper: Keeper) -> None:
    """Fit the temperature of the best model on the validation split, once."""
    calibrated = "temperature" in (run.info["result"] or {})
    if calibrated or not ((run.folder / WEIGHTS).exists() and corpus.size("valid")):
        return
    _load_best(run)
    temperature = fit_temperature(run.model, corpus, run.train_config.evaluation_tokens)
    run.model.temper(temperature)
    measured = run.info["plan"]["measured"]
    loss, carried = losses(run.model, corpus, run.train_config, measured)
    found = {
        "temperature": temperature,
        "valid_loss": loss,
        "carried_loss": carried,
        "valid_tokens": evaluated(corpus, measured).tokens,
    }
    keeper.save(run.model, run.info["result"] | found)


def _choose_sampling(run: Run, corpus: Corpus, keeper: Keeper) -> None:
    """Choose the default sampling settings for a codec without a tracker."""
    if not (run.folder / WEIGHTS).exists() or run.codec.tracker() is not None:
        return
    best, weights = Run(run.folder, "cpu"), run.info["plan"]["weights"]
    adaptive = run.model_config.output == "adaptive"
    read = run.info["result"]["tokens"]
    tokens = affordable(weights, run.vocab.targets, read, adaptive=adaptive)
    if tokens and (chosen := choose_sampling(best, corpus, tokens)):
        run.info["sampling"] = chosen
        keeper.describe()


def _learn_to_proofread(run: Run, corpus: Corpus) -> None:
    """Save what reads the words of new pieces, for a codec that writes given text."""
    if run.codec.dictation is None or not (run.folder / WEIGHTS).exists():
        return
    if (learned := learned_of(run, corpus)) is not None:
        save_proofreader(run, learned)


def _load_best(run: Run) -> None:
    weights = run.weights
    run.model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
