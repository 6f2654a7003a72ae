"""A trained model is as sure of itself as it is right."""

import copy

import numpy as np
import pytest
import torch

import seqgen
from seqgen.evaluation.loss import evaluate
from seqgen.network.model import SequenceModel
from seqgen.training.calibration import fit_temperature
from seqgen.training.keeping import Keeper
from seqgen.training.session import _calibrate

CONFIG = seqgen.TrainConfig(tokens=20_000, batch_size=4, window=32, device="cpu")


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_a_temperature_divides_all_logits(tied: bool, corpus) -> None:
    config = seqgen.ModelConfig(hidden=16, embedding=8, tied=tied)
    model = SequenceModel(config, corpus.vocab, (3, 2)).eval()
    ids, features = torch.randint(9, (2, 30)), torch.randint(2, (2, 30, 2))
    before, _ = model(ids, features)
    model.temper(1.7)
    after, _ = model(ids, features)
    torch.testing.assert_close(after, before / 1.7)


def test_the_fitted_temperature_undoes_any_other(run, corpus) -> None:
    model = copy.deepcopy(run.model)
    assert fit_temperature(model, corpus) == pytest.approx(1.0, abs=0.02)
    best = evaluate(model, corpus)
    model.temper(0.8)
    assert evaluate(model, corpus) > best
    temperature = fit_temperature(model, corpus)
    assert temperature == pytest.approx(1.25, abs=0.02)
    model.temper(temperature)
    assert evaluate(model, corpus) == pytest.approx(best, rel=1e-3)


def test_training_ends_with_it_and_says_so(corpus, tmp_path) -> None:
    run = seqgen.create_run(tmp_path / "run", corpus, seqgen.ModelConfig(hidden=48), CONFIG)
    losses = [
        report.valid_loss for report in seqgen.train(run, corpus) if report.valid_loss is not None
    ]
    result = seqgen.load(run.folder, "cpu").info["result"]
    assert result["temperature"] != 1.0
    assert result["valid_loss"] < min(losses)
    again = evaluate(seqgen.load(run.folder, "cpu").model, corpus)
    assert again == pytest.approx(result["valid_loss"], rel=1e-6)


def test_it_is_done_once(corpus, tmp_path) -> None:
    run = seqgen.create_run(tmp_path / "run", corpus, seqgen.ModelConfig(hidden=48), CONFIG)
    for _ in seqgen.train(run, corpus):
        pass
    weights = (run.folder / "model.safetensors").read_bytes()
    result = run.info["result"]
    _calibrate(run, corpus, Keeper(run.folder, run.info))
    assert (run.folder / "model.safetensors").read_bytes() == weights
    assert run.info["result"] == result
    assert np.isfinite(result["temperature"])
