"""What a GPU does: the same as the processor, faster."""

import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from seqgen.config import LimitConfig, ModelConfig, SampleConfig, TrainConfig
from seqgen.evaluation.adaptive import score_adaptively
from seqgen.evaluation.scoring import score_ids
from seqgen.run.folder import Run
from seqgen.stepping.torch_stepper import TorchStepper

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

MODEL = ModelConfig(layers=2, hidden=64, embedding=16, dropout=0.3)
CONFIG = TrainConfig(tokens=60_000, batch_size=8, window=32, device="cuda", checkpoint=0, seed=3)


@pytest.fixture(scope="module")
def trained(corpus: seqgen.Corpus, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = seqgen.create_run(tmp_path_factory.mktemp("cuda") / "run", corpus, MODEL, CONFIG)
    for _ in seqgen.train(run, corpus):
        pass
    return run


def test_a_gpu_learns_what_the_processor_learns(corpus, tmp_path: Path) -> None:
    curves = []
    for device in ("cpu", "cuda"):
        config = replace(CONFIG, device=device, evaluations=5)
        model = replace(MODEL, dropout=0.0)
        run = seqgen.create_run(tmp_path / device, corpus, model, config)
        curves.append(
            [report.valid_loss for report in seqgen.train(run, corpus) if report.valid_loss]
        )
    np.testing.assert_allclose(*curves, rtol=0.03)


@pytest.mark.parametrize("name", ["text", "music"])
def test_a_killed_training_ends_as_the_unbroken_one(
    name: str, corpus, chorales, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("seqgen.training.loop.REPORT_EVERY", 0.0)
    data = corpus if name == "text" else chorales.corpus()
    run = seqgen.create_run(tmp_path / "unbroken", data, MODEL, CONFIG)
    for number, report in enumerate(seqgen.train(run, data)):
        if number in (1, 37, 60):
            shutil.copytree(run.folder, tmp_path / f"killed at {report.step}")
    unbroken = (run.folder / "model.safetensors").read_bytes()
    killed = sorted(tmp_path.glob("killed*"))
    assert len(killed) == 3
    for folder in killed:
        for _ in seqgen.train(Run(folder, "cuda"), data):
            pass
        assert (folder / "model.safetensors").read_bytes() == unbroken


def test_pieces_have_the_same_score_on_both(trained: Run, corpus) -> None:
    pieces = [np.asarray(corpus.piece(number), np.int64) for number in range(5)]
    here, there = (
        [score.nats for score in score_ids(seqgen.load(trained.folder, device), pieces)]
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(here, there, rtol=1e-2)


def test_adaptive_scores_are_the_same_on_both(trained: Run, corpus) -> None:
    here, there = (
        [score.nats for score in score_adaptively(run, ["17 green bottles"] * 3, corpus)]
        for run in (seqgen.load(trained.folder, device) for device in ("cpu", "cuda"))
    )
    np.testing.assert_allclose(here, there, rtol=0.03)
    assert here[2] < here[0]


def test_the_likeliest_text_is_the_same_on_both(trained: Run) -> None:
    texts = [
        [
            new.piece
            for new in seqgen.generate(
                *(seqgen.load(trained.folder, device), 3),
                prompt="17 green bottles",
                sample=SampleConfig(temperature=0),
                limit=LimitConfig(length=60),
            )
        ]
        for device in ("cpu", "cuda")
    ]
    assert texts[0] == texts[1]


def test_many_pieces_are_written_there(trained: Run) -> None:
    run = seqgen.load(trained.folder, "cuda")
    limit = LimitConfig(length=80)
    many = [new.piece for new in seqgen.generate(run, 100, seed=5, limit=limit)]
    few = [new.piece for new in islice(seqgen.generate(run, 100, seed=5, limit=limit), 3)]
    assert few == many[:3] and len(set(many)) > 50


@pytest.mark.parametrize("lanes", [1, 5, 64])
def test_a_captured_step_is_the_step(lanes: int, trained: Run) -> None:
    run = seqgen.load(trained.folder, "cuda")
    captured = TorchStepper(run.model)
    ids = np.random.default_rng(0).integers(0, run.vocab.size, (lanes, 6))
    ids[:, 3] = run.vocab.end
    nothing = np.zeros((lanes, 1, 0), np.int64)
    state = captured.start(lanes)
    for step in range(6):
        logits, state = captured.read(ids[:, [step]], nothing, state)
    whole, _ = captured.read(ids, np.zeros((lanes, 6, 0), np.int64), captured.start(lanes))
    np.testing.assert_allclose(logits, whole, atol=1e-2)
