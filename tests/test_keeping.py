"""The best model so far is the one in the folder, whatever was killed, undone or interrupted."""

import json
import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import seqgen
import seqgen.training.loop
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import RunError
from seqgen.files import write_atomic
from seqgen.run.folder import Run

MODEL = ModelConfig(hidden=24, embedding=8, dropout=0.0)
CONFIG = TrainConfig(
    tokens=6_000, batch_size=4, window=16, evaluations=5, device="cpu", checkpoint=100, seed=3
)


@pytest.fixture(autouse=True)
def report_every_step(monkeypatch) -> None:
    monkeypatch.setattr("seqgen.training.loop.REPORT_EVERY", 0.0)


def told(folder: Path) -> tuple[float, bool]:
    """Return the loss that the folder tells of, and whether its card tells the same."""
    loss = json.loads((folder / "run.json").read_text())["result"]["valid_loss"]
    return loss, f"{loss:.4f} nats" in (folder / "README.md").read_text()


def measured(folder: Path, corpus: seqgen.Corpus) -> float:
    """Return the loss of the weights in a folder."""
    run = Run(folder, "cpu")
    most = run.info["result"]["valid_tokens"]
    return seqgen.training.loop.losses(run.model, corpus, run.train_config, most)[0]


@pytest.fixture
def killed(corpus, tmp_path: Path) -> Path:
    """What a kill at 70 % leaves: weights that are newer than the only checkpoint."""
    run = seqgen.create_run(tmp_path / "first", corpus, MODEL, CONFIG)
    for report in seqgen.train(run, corpus):
        if report.fraction > 0.7:
            return Path(shutil.copytree(run.folder, tmp_path / "killed"))
    raise AssertionError


@pytest.mark.parametrize("checkpoint", [0, 100])
def test_what_was_better_before_a_kill_is_kept(
    checkpoint: int, corpus, killed: Path, tmp_path: Path
) -> None:
    """After one evaluation of a training that went back far, Ctrl-C: the better weights stay."""
    info = json.loads((killed / "run.json").read_text())
    info["train"]["checkpoint"] = checkpoint
    write_atomic(killed / "run.json", json.dumps(info))
    before, weights = told(killed)[0], (killed / "model.safetensors").read_bytes()
    reports = []
    for report in seqgen.train(Run(killed, "cpu"), corpus):
        reports.append(report)
        if report.valid_loss is not None and not report.interrupted:
            break
    assert reports[-1].valid_loss > before and not reports[-1].improved
    assert (killed / "model.safetensors").read_bytes() == weights
    assert told(killed) == (before, True)
    assert measured(killed, corpus) == pytest.approx(before, abs=1e-6)


def test_what_was_better_before_a_divergence_is_kept(corpus, tmp_path: Path, monkeypatch) -> None:
    run = seqgen.create_run(tmp_path / "run", corpus, MODEL, CONFIG)
    real, wild = seqgen.training.loop._check, []
    before = math.inf

    def check(loss, most, learner):
        # Once, late: back to the beginning, the only checkpoint there is.
        if learner.counts.tokens > 4_500 and not wild:
            wild.append(learner.counts.step)
            loss = math.nan
        real(loss, most, learner)

    monkeypatch.setattr("seqgen.training.loop._check", check)
    for report in seqgen.train(run, corpus):
        if not wild and report.improved:
            before = report.valid_loss
        if wild and report.valid_loss is not None:
            break
    assert wild and report.valid_loss > before and not report.improved
    assert told(run.folder) == (before, True)
    assert measured(run.folder, corpus) == pytest.approx(before, abs=1e-6)


def test_ctrl_c_while_a_divergence_is_told_ends_with_a_model(
    corpus, tmp_path: Path, monkeypatch
) -> None:
    run = seqgen.create_run(tmp_path / "run", corpus, MODEL, replace(CONFIG, evaluations=1))
    real, wild = seqgen.training.loop._check, []

    def check(loss, most, learner):
        if learner.counts.tokens > 2_000 and not wild:
            wild.append(learner.counts.step)
            loss = math.nan
        real(loss, most, learner)

    monkeypatch.setattr("seqgen.training.loop._check", check)
    reports = seqgen.train(run, corpus)
    assert any("diverged at step" in report.message for report in reports)
    report = reports.throw(KeyboardInterrupt())
    assert report.interrupted and report.valid_loss is not None
    assert list(reports) == [] and run.is_begun
    assert told(run.folder) == (report.valid_loss, True)


def test_weights_and_what_is_told_of_them_agree_after_a_kill_in_between(
    corpus, killed: Path, monkeypatch
) -> None:
    """A kill right after weights were written, before `run.json` and the card."""

    class Killed(BaseException):
        pass

    def die(self) -> None:
        raise Killed

    run = Run(killed, "cpu")
    with monkeypatch.context() as patch:
        patch.setattr("seqgen.training.keeping.Keeper.describe", lambda self: None)
        training = seqgen.train(run, corpus)
        next(training)
        patch.setattr("seqgen.training.keeping.Keeper.describe", die)
        with pytest.raises(Killed):
            list(training)
    opened = Run(killed, "cpu")
    loss = opened.info["result"]["valid_loss"]
    assert loss < told(killed)[0]
    assert measured(killed, corpus) == pytest.approx(loss, abs=1e-6)
    assert opened.info["result"]["seconds"] > 0
    next(seqgen.train(opened, corpus))
    assert told(killed) == (loss, True)


def test_weights_whose_report_was_lost_have_a_result(corpus, killed: Path) -> None:
    """As after a power cut: the run opens, resumes, and opens again."""
    (killed / "metrics.jsonl").unlink()
    info = json.loads((killed / "run.json").read_text())
    loss = info["result"]["valid_loss"]
    write_atomic(killed / "run.json", json.dumps(info | {"result": None}))
    run = Run(killed, "cpu")
    assert run.info["result"]["valid_loss"] == run.info["result"]["loss"] == loss
    next(seqgen.train(run, corpus))
    assert told(killed) == (loss, True) and Run(killed).info["result"]["fraction"] == 1


def test_ctrl_c_while_a_report_is_kept_ends_with_the_best_model(
    corpus, tmp_path: Path, monkeypatch
) -> None:
    from seqgen.training.keeping import Keeper

    record, calls = Keeper.record, []

    def interrupted(self, report) -> None:
        calls.append(report)
        if len(calls) == 30:
            signal.raise_signal(signal.SIGINT)
        record(self, report)

    monkeypatch.setattr(Keeper, "record", interrupted)
    run = seqgen.create_run(tmp_path / "run", corpus, MODEL, CONFIG)
    reports = list(seqgen.train(run, corpus))
    assert reports[-1].interrupted and reports[-1].valid_loss is not None and run.is_begun
    best = min(report.valid_loss for report in reports if report.valid_loss is not None)
    assert told(run.folder) == (best, True)
    assert measured(run.folder, corpus) == pytest.approx(best, abs=1e-6)
    assert [row["step"] for row in run.metrics] == [report.step for report in reports]


def test_a_calibrated_model_is_written_with_its_loss(corpus, tmp_path: Path) -> None:
    """A kill before checkpoints are removed: the training ends again, with the same bytes."""
    run = seqgen.create_run(tmp_path / "run", corpus, MODEL, replace(CONFIG, checkpoint=0))
    training = seqgen.train(run, corpus)
    while next(training).fraction < 1:
        pass
    checkpoints = shutil.copytree(run.folder / "checkpoints", tmp_path / "checkpoints")
    list(training)
    done = (run.folder / "model.safetensors").read_bytes()
    shutil.copytree(checkpoints, run.folder / "checkpoints")
    list(seqgen.train(Run(run.folder, "cpu"), corpus))
    assert (run.folder / "model.safetensors").read_bytes() == done and not run.is_begun
    loss, same = told(run.folder)
    assert same and measured(run.folder, corpus) == pytest.approx(loss, abs=1e-6)


def test_a_run_that_was_replaced_is_not_trained(corpus, tmp_path: Path) -> None:
    opened = seqgen.create_run(tmp_path / "run", corpus, MODEL, CONFIG)
    seqgen.create_run(tmp_path / "run", corpus, replace(MODEL, hidden=16), CONFIG)
    with pytest.raises(RunError, match="was replaced by another run since it was opened"):
        next(seqgen.train(opened, corpus))
