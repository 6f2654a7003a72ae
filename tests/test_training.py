import itertools
import json
import math
from pathlib import Path

import pytest
import torch

import seqgen
from seqgen.batches import training_stream
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import RunError, SeqgenError
from seqgen.model import SequenceLSTM
from seqgen.training import batch_loss, spent, step_size, train

SMALL = ModelConfig(hidden=32, embedding=8, dropout=0.0)
SHORT = TrainConfig(tokens=6_000, batch=4, window=16, evaluations=4, device="cpu")


def build(corpus: seqgen.Corpus, config: ModelConfig = SMALL) -> SequenceLSTM:
    torch.manual_seed(0)
    return SequenceLSTM(config, corpus.vocab, tuple(corpus.codec.feature_sizes))


def test_fifty_tokens_can_be_memorised(tmp_path: Path) -> None:
    text = "the quick brown fox jumps over the lazy dog 0123456"
    corpus = seqgen.write_corpus(tmp_path / "c", "text", {"train": [text], "valid": [text]})
    config = TrainConfig(tokens=30_000, batch=1, window=26, step_size=1e-2)
    reports = list(train(build(corpus), corpus, config))
    assert reports[-1].valid_loss < 0.02


def test_the_validation_loss_falls_and_the_last_report_is_an_evaluation(corpus) -> None:
    reports = list(train(build(corpus), corpus, SHORT))
    losses = [report.valid_loss for report in reports if report.valid_loss is not None]
    assert len(losses) == SHORT.evaluations
    assert losses[-1] < losses[0] < math.log(corpus.vocab.targets)
    assert reports[-1].valid_loss is not None and reports[-1].fraction >= 1
    assert [r.improved for r in reports if r.valid_loss is not None] == [
        loss == min(losses[: at + 1]) for at, loss in enumerate(losses)
    ]


def test_the_same_seed_gives_the_same_weights(corpus) -> None:
    config = ModelConfig(hidden=32, embedding=8, dropout=0.3)

    def weights(seed: int) -> list[torch.Tensor]:
        model = build(corpus, config)
        for _ in train(model, corpus, TrainConfig(tokens=3_000, batch=4, window=16, seed=seed)):
            pass
        return list(model.parameters())

    first, second, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_the_state_is_carried_from_window_to_window(corpus) -> None:
    """Two windows with the carried state give the losses of one window twice as long."""
    model = build(corpus).eval()
    short = list(itertools.islice(training_stream(corpus, 2, 20, 0), 2))
    long = next(training_stream(corpus, 2, 40, 0))
    state, total = model.start_state(2), 0.0
    for batch in short:
        loss, state = batch_loss(model, batch, state)
        total += loss.item() * batch.counted
        assert not state[0].requires_grad and not state[1].requires_grad
    whole, _ = batch_loss(model, long, model.start_state(2))
    assert total == pytest.approx(whole.item() * long.counted, rel=1e-5)


def test_the_step_size_rises_and_falls_to_nothing() -> None:
    sizes = [step_size(fraction / 1000, 1.0) for fraction in range(1001)]
    top = sizes.index(max(sizes))
    assert top == 20 and max(sizes) == pytest.approx(1.0)
    assert sizes[:21] == sorted(sizes[:21]) and sizes[20:] == sorted(sizes[20:], reverse=True)
    assert sizes[0] > 0 and sizes[-1] == 0


def test_budgets(corpus) -> None:
    assert spent(TrainConfig(minutes=2), corpus, 0, 30.0) == 0.25
    assert spent(TrainConfig(tokens=100), corpus, 25, 0.0) == 0.25
    epoch = corpus.size("train")
    assert spent(TrainConfig(epochs=2), corpus, epoch, 0.0) == 0.5


def test_a_budget_in_minutes_ends_in_time(corpus) -> None:
    config = TrainConfig(minutes=0.05, batch=4, window=16, evaluations=2)
    reports = list(train(build(corpus), corpus, config))
    assert reports[-1].fraction >= 1 and reports[-1].step_size < config.step_size / 2


def test_ctrl_c_ends_with_an_evaluation_that_can_be_saved(corpus, monkeypatch) -> None:
    calls = itertools.count()
    real = batch_loss

    def interrupted(*arguments):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("seqgen.training.batch_loss", interrupted)
    config = TrainConfig(epochs=1000, batch=4, window=16, evaluations=1)
    reports = list(train(build(corpus), corpus, config))
    assert reports[-1].interrupted and reports[-1].improved and reports[-1].step == 3


def test_a_loss_that_is_no_number_is_an_error_with_a_way_out(corpus, monkeypatch) -> None:
    def broken(model, batch, state):
        return sum(p.sum() for p in model.parameters()) * math.nan, state

    monkeypatch.setattr("seqgen.training.batch_loss", broken)
    with pytest.raises(SeqgenError, match=r"became nan at step .* smaller --step-size than 0.006"):
        list(train(build(corpus), corpus, SHORT))


def test_a_run_keeps_the_best_model_and_its_metrics(corpus, tmp_path: Path) -> None:
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, SHORT)
    reports = list(run.train(corpus))
    lines = [json.loads(x) for x in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert len(lines) == len(reports)
    best = min(r.valid_loss for r in reports if r.valid_loss is not None)
    again = seqgen.load(tmp_path / "run", "cpu")
    assert again.info["result"]["valid_loss"] == best
    for one, two in zip(run.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, two)
    with pytest.raises(RunError, match="is trained already"):
        next(run.train(corpus))


def test_a_corpus_of_another_vocabulary_is_refused(corpus, tmp_path: Path) -> None:
    other = seqgen.write_corpus(tmp_path / "c", "text", {"train": ["xyz"], "valid": ["x"]})
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, SHORT)
    with pytest.raises(RunError, match="another vocabulary"):
        next(run.train(other))
