"""Products of matrices in 16 bits while training."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import seqgen
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import ConfigError
from seqgen.network.model import SequenceModel
from seqgen.training import precision
from seqgen.training.autopilot import plan
from seqgen.training.learner import trains_bfloat16
from seqgen.vocab import Vocab

needs_16_bits = pytest.mark.skipif(
    not trains_bfloat16(), reason="this processor cannot train in 16 bits"
)

MODEL = ModelConfig(layers=2, hidden=32, embedding=16, dropout=0.1)
CONFIG = TrainConfig(
    tokens=8_000, batch_size=4, window=16, evaluations=2, device="cpu", precision="bfloat16"
)
TIMED = TrainConfig(minutes=1, device="cpu", threads=1)


def trained(folder: Path, corpus: seqgen.Corpus, config: TrainConfig) -> tuple[float, bytes]:
    run = seqgen.create_run(folder, corpus, MODEL, config)
    for _ in seqgen.train(run, corpus):
        pass
    return run.info["result"]["valid_loss"], (folder / "model.safetensors").read_bytes()


@needs_16_bits
def test_sixteen_bits_learn_as_well_as_thirty_two(corpus, tmp_path: Path) -> None:
    coarse, weights = trained(tmp_path / "coarse", corpus, CONFIG)
    exact, other = trained(tmp_path / "exact", corpus, replace(CONFIG, precision="float32"))
    assert weights != other
    assert coarse == pytest.approx(exact, rel=0.02)
    assert trained(tmp_path / "again", corpus, CONFIG) == (coarse, weights)


@needs_16_bits
@torch.no_grad()
def test_a_reset_leaves_nothing_and_what_is_carried_keeps_its_type() -> None:
    vocab = Vocab.of(["a", "b", "page"])
    torch.manual_seed(0)
    model = SequenceModel(MODEL, vocab, boundaries=[2])
    before, after = torch.tensor([[0, 1, 1, 2]]), torch.tensor([[1, 0, 1]])
    with torch.autocast("cpu", torch.bfloat16):
        logits, state = model.eval()(before)
        carried, _ = model(after, state=state)
        fresh, _ = model(after)
    assert {part.dtype for part in (logits, *state)} == {torch.float32}
    assert torch.equal(carried, fresh)


@needs_16_bits
def test_a_budget_of_time_takes_what_the_processor_multiplies_faster(corpus, monkeypatch) -> None:
    def chosen(train: TrainConfig, model: ModelConfig = MODEL) -> str:
        return plan(corpus, model, train).train.precision

    for fast, found in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "multiplies_bfloat16", lambda fast=fast: fast)
        assert chosen(TIMED) == found
        assert chosen(replace(TIMED, minutes=0, tokens=5_000)) == "float32"
        assert chosen(replace(TIMED, precision="bfloat16")) == "bfloat16"
        assert chosen(replace(TIMED, precision="float32")) == "float32"
        assert chosen(TIMED, replace(MODEL, architecture="gru")) == "float32"


def test_a_processor_that_cannot_says_so(corpus, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.training.learner.trains_bfloat16", lambda: False)
    with pytest.raises(ConfigError, match="precision bfloat16: this processor cannot train with"):
        trained(tmp_path / "run", corpus, CONFIG)
