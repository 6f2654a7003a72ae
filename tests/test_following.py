"""Trackers that compiled code follows: the same pieces as with trackers in Python."""

import json

import numpy as np
import pytest

import seqgen
from seqgen.conditions.labels import Labelled
from seqgen.conditions.unlabelled import unlabelled
from seqgen.config import LimitConfig, SampleConfig
from seqgen.following import flat, part
from seqgen.stepping.torch_stepper import TorchStepper

KINDS = {
    "words": ("words", {}),
    "bytes": ("bytes", {}),
    "subwords": ("subwords", {"rarest": "2", "grammar": "json"}),
    "grammar": ("characters", {"grammar": "json"}),
}


@pytest.fixture(scope="module", params=KINDS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """Return a run of a small random model."""
    codec, options = KINDS[request.param]
    folder = tmp_path_factory.mktemp("run")
    values = ({"näme": [*range(n)], "é": "wort worte"} for n in range(9))
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    pieces = [Labelled({"size": "big" if len(text) > 40 else "small"}, text) for text in texts]
    corpus = seqgen.write_corpus(
        folder / "corpus",
        "text",
        {"train": pieces, "valid": pieces[:1]},
        codec=codec,
        options=options,
    )
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    made = seqgen.create_run(folder / "run", corpus, model, seqgen.TrainConfig(tokens=400))
    for _ in seqgen.train(made, corpus):
        pass
    return seqgen.load(folder / "run")


CASES = {
    "plain": {"limit": LimitConfig(length=70)},
    "short": {"limit": LimitConfig(length=9)},
    "least": {"limit": LimitConfig(length=60, least_length=45)},
    "history": {
        "limit": LimitConfig(length=50),
        "sample": SampleConfig(repetition_penalty=1.2, no_repeat_ngram=4),
    },
    "labels": {"limit": LimitConfig(length=40), "condition": Labelled({"size": "big"})},
    "units": {"limit": LimitConfig(length=20, unit="characters")},
}


@pytest.mark.parametrize("case", CASES)
def test_pieces_are_those_of_trackers_in_python(
    run: seqgen.Run, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = [*seqgen.generate(run, 5, seed=2, **CASES[case])]
    monkeypatch.setattr("seqgen.generation.writer.followed", lambda tracker: None)
    slow = [*seqgen.generate(run, 5, seed=2, **CASES[case])]
    for one, other in zip(fast, slow, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert (one.piece, one.stopped_by) == (other.piece, other.stopped_by)
        assert one.log_probability == pytest.approx(other.log_probability)


def test_without_masks_what_a_tracker_forbids_has_a_probability(
    run: seqgen.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(unlabelled(run.codec)), "masks", lambda self, ids: None)
    assert run.codec.masks(np.zeros(0, np.int64)) is None
    limit = LimitConfig(length=40)
    fast = [*seqgen.generate(run, 3, seed=2, limit=limit)]
    monkeypatch.setattr("seqgen.generation.writer.followed", lambda tracker: None)
    slow = [*seqgen.generate(run, 3, seed=2, limit=limit)]
    for one, other in zip(fast, slow, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert one.log_probability == pytest.approx(other.log_probability)


def test_a_tracker_of_length_0_is_a_tracker(
    run: seqgen.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = LimitConfig(length=40)
    expected = [each.ids.tolist() for each in seqgen.generate(run, 3, seed=2, limit=limit)]
    kind = type(run.codec.tracker())
    monkeypatch.setattr(kind, "__len__", lambda self: 0, raising=False)
    assert not run.codec.tracker()
    found = [each.ids.tolist() for each in seqgen.generate(run, 3, seed=2, limit=limit)]
    assert found == expected


def test_both_steppers_follow(run: seqgen.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = LimitConfig(length=40)
    fused = [each.ids.tolist() for each in seqgen.generate(run, 3, seed=4, limit=limit)]
    monkeypatch.setattr(
        "seqgen.generation.engine.choose_stepper", lambda *given, **options: TorchStepper(run.model)
    )
    assert [each.ids.tolist() for each in seqgen.generate(run, 3, seed=4, limit=limit)] == fused


def test_tables_hold_arrays_of_any_kind() -> None:
    arrays = [np.arange(3), np.array([True, False]), np.zeros(0), np.full((2, 9), 2.5)]
    table = flat(*arrays)
    for number, array in enumerate(arrays):
        found = part(table, number)
        assert len(found) % 64 == 0
        assert (found[: array.nbytes].view(array.dtype).reshape(array.shape) == array).all()
