"""The fused stepper against the reference, and a state as a value."""

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from seqgen.config import LimitConfig, ModelConfig, SampleConfig
from seqgen.drawing.rules import Positions, rules_for
from seqgen.errors import ConfigError, DataError, RunError
from seqgen.network.model import SequenceModel
from seqgen.stepping.fused import FusedStepper
from seqgen.stepping.stepper import Stepper, choose_stepper
from seqgen.stepping.torch_stepper import TorchStepper
from seqgen.vocab import Vocab

VOCAB = Vocab.of([f"t{token}" for token in range(37)])


def steppers(
    layers: int,
    sizes: tuple[int, ...] = (),
    *,
    boundaries: tuple[int, ...] = (),
    int8: bool = False,
    **options,
) -> tuple[TorchStepper, FusedStepper]:
    """Return both steppers of a random model."""
    torch.manual_seed(layers)
    config = ModelConfig(layers=layers, **{"hidden": 40, "embedding": 12, **options})
    model = SequenceModel(config, VOCAB, sizes, boundaries)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
        for table in (*model.features, *(model.contexts or ())):
            table.weight.normal_()
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    fused = FusedStepper(config, VOCAB, sizes, weights, boundaries, int8=int8)
    return TorchStepper(model), fused


def sequences(lanes: int, steps: int, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return random ids, END and START among them, and features."""
    rng = np.random.default_rng(0)
    features = [rng.integers(0, size, (lanes, steps)) for size in sizes]
    stacked = np.stack(features, 2) if sizes else np.zeros((lanes, steps, 0), np.int64)
    return rng.integers(0, VOCAB.size, (lanes, steps)), stacked


KINDS = [
    *((layers, (), {}) for layers in (1, 2, 3, 4)),
    (2, (5, 9), {}),
    (3, (5,), {"skip": True}),
    (1, (4,), {"embedding": 0}),
    (2, (), {"tied": True, "skip": True, "hidden": 33}),
    (1, (), {"boundaries": (5,)}),
    (2, (5, 9), {"boundaries": (0, 17, 36)}),
    (3, (), {"boundaries": (36, 2), "skip": True}),
    (2, (5,), {"boundaries": (3, 30), "skip": True, "context_rows": 101}),
    (1, (), {"embedding": 0, "context_rows": 7}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "sizes", "options"), KINDS, ids=str)
def test_fused_equals_reference_over_ten_thousand_steps(layers, sizes, options) -> None:
    reference, fused = steppers(layers, sizes, **options)
    ids, features = sequences(1, 10_000, sizes)
    states = reference.start(1), fused.start(1)
    for low in range(0, 10_000, 250):
        chosen = slice(low, low + 250)
        wanted, one = reference.read(ids[:, chosen], features[:, chosen], states[0])
        got, two = fused.read(ids[:, chosen], features[:, chosen], states[1])
        np.testing.assert_allclose(got, wanted, atol=1e-4)
        states = one, two
    for mine, theirs in zip(fused.export(states[1]), reference.export(states[0]), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("lanes", [2, 16, 70])
def test_a_lane_is_the_same_to_the_last_bit_whatever_is_beside_it(lanes: int, int8: bool) -> None:
    _, fused = steppers(2, (5,), skip=True, context_rows=50, int8=int8)
    ids, features = sequences(lanes, 40, (5,))
    logits, state = fused.read(ids, features, fused.start(lanes))
    for lane in range(0, lanes, 7):
        rows = slice(lane, lane + 1)
        alone, alone_state = fused.read(ids[rows], features[rows], fused.start(1))
        np.testing.assert_array_equal(alone, logits[rows])
        for mine, theirs in zip(fused.export(alone_state), fused.export(state), strict=True):
            np.testing.assert_array_equal(mine[:, 0], theirs[:, lane])


@pytest.mark.parametrize("cores", [2, 5])
def test_lanes_shared_out_among_threads_write_what_one_thread_writes(
    cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    _, fused = steppers(2)
    drawn = []
    for number in (1, cores):
        with ThreadPoolExecutor(number) as pool:
            monkeypatch.setattr("seqgen.stepping.fused._threads", lambda both=(number, pool): both)
            drawn.append(written(fused, 90, 100, SampleConfig(no_repeat_ngram=3)))
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("int8", [False, True])
def test_end_and_boundaries_leave_no_trace(int8: bool) -> None:
    _, fused = steppers(3, boundaries=(0, 8), context_rows=50, int8=int8)
    ids, features = sequences(3, 20, ())
    ids[:, -1] = VOCAB.end, 0, 8
    _, state = fused.read(ids, features, fused.start(3))
    for left, fresh in zip(state, fused.start(3), strict=True):
        np.testing.assert_array_equal(left, fresh)


def test_reading_at_once_is_reading_step_by_step() -> None:
    _, fused = steppers(2)
    ids, features = sequences(3, 30, ())
    whole, _ = fused.read(ids, features, fused.start(3))
    state = fused.start(3)
    for step in range(30):
        logits, state = fused.read(ids[:, [step]], features[:, [step]], state)
    np.testing.assert_array_equal(logits, whole)


def written(stepper: Stepper, lanes: int, steps: int, config: SampleConfig) -> np.ndarray:
    """Return what a stepper writes from the start, in one call."""
    some = Positions(
        np.full(lanes, VOCAB.start),
        np.zeros((lanes, 0), np.int64),
        np.ones((lanes, VOCAB.targets), bool),
        np.ones((lanes, VOCAB.targets), bool),
        np.zeros((lanes, steps), np.int64),
        np.zeros(lanes, np.int64),
        np.zeros(lanes, np.int64),
    )
    draws = np.random.default_rng(0).random((lanes, steps))
    rules = rules_for(config, VOCAB, 100)
    return stepper.write(some, draws, rules, stepper.start(lanes))[0]


@pytest.mark.parametrize("boundaries", [(), (3, 30)], ids=str)
@pytest.mark.parametrize(
    "config",
    [
        SampleConfig(),
        SampleConfig(temperature=0.7, final_temperature=1.2, top_k=20, top_p=0.9, typical_p=0.95),
        SampleConfig(repetition_penalty=1.3, repetition_window=8, no_repeat_ngram=2),
    ],
    ids=["default", "filters", "history"],
)
def test_both_steppers_draw_the_same_tokens(
    config: SampleConfig, boundaries: tuple[int, ...]
) -> None:
    reference, fused = steppers(2, boundaries=boundaries)
    np.testing.assert_array_equal(
        written(fused, 5, 200, config), written(reference, 5, 200, config)
    )


def test_a_state_may_be_used_twice_and_moved_between_steppers() -> None:
    reference, fused = steppers(2)
    ids, features = sequences(2, 10, ())
    _, state = fused.read(ids, features, fused.start(2))
    one, _ = fused.read(ids, features, state)
    two, _ = fused.read(ids, features, state)
    np.testing.assert_array_equal(one, two)
    there, _ = reference.read(ids, features, reference.restore(fused.export(state)))
    np.testing.assert_allclose(there, one, atol=1e-5)
    back, _ = fused.read(ids, features, fused.restore(fused.export(state)))
    np.testing.assert_array_equal(back, one)
    swapped, _ = fused.read(ids[::-1], features, fused.select(state, np.array([1, 0])))
    np.testing.assert_array_equal(swapped[::-1], one)


@pytest.mark.parametrize("number", [np.nan, np.inf, -1, 1e30])
def test_numbers_that_are_no_ids_are_not_looked_up(number: float) -> None:
    ids, features = sequences(1, 3, ())
    for stepper in steppers(1, context_rows=50):
        *parts, before = stepper.export(stepper.start(1))
        logits, _ = stepper.read(
            ids, features, stepper.restore((*parts, np.full_like(before, number)))
        )
        assert np.isfinite(logits).all()


def test_eight_bits_are_nearly_the_same_model() -> None:
    reference, fused = steppers(2, int8=True)
    ids, features = sequences(4, 100, ())
    wanted, _ = reference.read(ids, features, reference.start(4))
    got, _ = fused.read(ids, features, fused.start(4))
    assert 0 < np.abs(got - wanted).max() < 0.2


def test_the_processor_gets_the_fused_stepper(run) -> None:
    assert isinstance(choose_stepper(run, 1), FusedStepper)
    assert isinstance(choose_stepper(run, 1000), FusedStepper)
    elsewhere = seqgen.Run(run.folder, "meta")
    with pytest.raises(ConfigError, match="8-bit weights are for the processor"):
        choose_stepper(elsewhere, 1, int8=True)


def test_weights_that_do_not_fit_are_refused(run, monkeypatch) -> None:
    weights = dict(run.weights)
    del weights["output.bias"]
    monkeypatch.setattr(type(run), "weights", weights)
    with pytest.raises(RunError, match="do not fit its settings"):
        choose_stepper(run, 1)


def test_features_of_another_codec_are_refused(chorales, monkeypatch) -> None:
    first, *others = chorales.codec.feature_sizes
    monkeypatch.setattr(chorales.codec, "feature_sizes", (first + 1, *others))
    with pytest.raises(
        RunError,
        match=rf"features.0.weight must be F32 \({first + 1}, .* F32 \({first}, .*train again",
    ):
        choose_stepper(chorales, 1)


def test_continuations_branch_from_one_reading(run, tmp_path: Path) -> None:
    prompt = "7 green bottles hanging"
    primed = seqgen.prime(run, prompt)
    limit = LimitConfig(length=90)
    branches = [new.piece for new in seqgen.generate(run, 10, prompt=primed, limit=limit)]
    assert branches == [new.piece for new in seqgen.generate(run, 10, prompt=prompt, limit=limit)]
    assert all(text.startswith(prompt) for text in branches)
    primed.save(tmp_path / "primed.safetensors")
    again = seqgen.Primed.load(tmp_path / "primed.safetensors")
    assert branches == [new.piece for new in seqgen.generate(run, 10, prompt=again, limit=limit)]


def test_a_primed_state_of_another_model_is_refused(run, chorales, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this primed state belongs to another model"):
        next(seqgen.generate(chorales, prompt=seqgen.prime(run, "7 green")))
    (tmp_path / "none").write_bytes(b"nothing")
    with pytest.raises(DataError, match="holds no primed state"):
        seqgen.Primed.load(tmp_path / "none")


def test_a_cache_that_names_a_moved_type_is_written_again(tmp_path, monkeypatch) -> None:
    """An upgrade may move a type that the index of an unchanged function names."""
    kinds = types.ModuleType("kinds")
    exec("from typing import NamedTuple\nclass Pair(NamedTuple):\n    one: int", kinds.__dict__)
    monkeypatch.setitem(sys.modules, "kinds", kinds)
    (tmp_path / "doubling.py").write_text(
        "from seqgen.compiling import compiled\n\n\n"
        "@compiled\ndef double(pair):\n    return 2 * pair.one\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    double = importlib.import_module("doubling").double
    assert double(kinds.Pair(21)) == 42
    moved = types.ModuleType("moved")
    moved.Pair = kinds.Pair
    moved.Pair.__module__ = "moved"
    del kinds.Pair, sys.modules["doubling"]
    monkeypatch.setitem(sys.modules, "moved", moved)
    double = importlib.import_module("doubling").double
    assert double(moved.Pair(21)) == 42
