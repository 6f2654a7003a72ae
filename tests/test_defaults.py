"""A trained model's default sampling settings: no more repetitive than its corpus."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import seqgen
from seqgen.config import LimitConfig, SampleConfig
from seqgen.run.card import model_card
from seqgen.training.defaults import (
    BLOCK,
    SHARE,
    TOLERANCE,
    Repetition,
    affordable,
    choose_sampling,
    longest_run,
    most_conservative,
    temperatures,
)

#: A blank is so likely that min-p 0.05 drops all other letters, and so ends no run of blanks.
LETTERS, SHARES = " abcd", np.array([0.968, 0.008, 0.008, 0.008, 0.008])
TOKENS = 8192
LIMIT = LimitConfig(length=300)


@pytest.fixture(scope="module")
def blanks(tmp_path_factory) -> seqgen.Run:
    """A model by hand that knows exactly how its corpus was drawn: each letter by itself."""
    folder = tmp_path_factory.mktemp("blanks")
    drawn = np.random.default_rng(0).choice(5, 60_000, p=SHARES)
    (folder / "text.txt").write_text("".join(LETTERS[letter] for letter in drawn))
    corpus = seqgen.prepare("text", [folder / "text.txt"], folder / "corpus")
    config = seqgen.TrainConfig(tokens=1, device="cpu")
    made = seqgen.create_run(
        folder / "run", corpus, seqgen.ModelConfig(hidden=8, embedding=4), config
    )
    write_weights(made, SHARES)
    return seqgen.load(made.folder, "cpu")


def write_weights(run: seqgen.Run, shares) -> None:
    """Let a run predict letters with these probabilities, and hardly ever the end."""
    weights = {name: np.zeros_like(values) for name, values in run.weights.items()}
    weights["output.bias"] = np.log([*shares, 1e-9]).astype(np.float32)
    (run.folder / "model.safetensors").write_bytes(safetensors.numpy.save(weights))


def settings_of(chosen) -> SampleConfig:
    return SampleConfig(temperature=chosen["temperature"], min_p=chosen["min_p"])


def texts(run: seqgen.Run, sample: SampleConfig | None = None) -> list[str]:
    return [new.piece for new in seqgen.generate(run, 3, sample=sample, limit=LIMIT)]


@pytest.mark.parametrize(
    ("ids", "length"),
    [([], 0), ([7], 1), ([1, 2, 1], 1), ([3, 3, 1, 1, 1, 2], 3), ([1, 2, 2, 2, 2], 4), ([5, 5], 2)],
)
def test_the_longest_run_is_counted(ids, length: int) -> None:
    assert longest_run(np.array(ids, np.int64)) == length


def test_repetition_is_counted() -> None:
    # Of five 4-grams 1 2 1 2 comes twice; of three all are new.
    found = Repetition.of([np.array([1, 2, 1, 2, 1, 2, 3, 3]), np.array([4, 4, 4, 4, 5, 6])])
    assert found.most_common == pytest.approx((3 / 8 + 4 / 6) / 2)
    assert found.run == 4
    assert found.distinct == pytest.approx((4 / 5 + 1) / 2)
    assert found.poorest == pytest.approx(4 / 5)


def test_blocks_are_counted_one_by_one() -> None:
    # A block of ones, a block of twos, and too little of a third.
    ids = np.repeat([1, 2, 3], [BLOCK, BLOCK, BLOCK // 2 - 1])
    assert Repetition.of([ids]) == Repetition(1.0, BLOCK, 1 / (BLOCK - 3), 1 / (BLOCK - 3))
    assert Repetition.of([np.array([1, 2])]) == Repetition(0.5, 1, 1.0, 1.0)


def test_the_property_that_differs_most_counts() -> None:
    corpus = Repetition(most_common=0.2, run=10, distinct=0.8, poorest=0.4)
    assert corpus.excess(corpus) == 1
    assert replace(corpus, most_common=0.4).excess(corpus) == pytest.approx(2)
    assert replace(corpus, run=30).excess(corpus) == pytest.approx(3)
    assert replace(corpus, distinct=0.2).excess(corpus) == pytest.approx(4)
    assert replace(corpus, poorest=0.05).excess(corpus) == pytest.approx(8)
    # Three of a letter in a row are no loop, though the corpus has never more than two.
    assert replace(corpus, run=3).excess(replace(corpus, run=2)) == 1


def test_temperatures_go_down_to_the_codecs() -> None:
    assert temperatures(0.8) == (1.0, 0.9, 0.8)
    assert temperatures(1.0) == (1.0,)
    assert temperatures(1.2) == (1.2,)


@pytest.mark.parametrize(
    ("looping", "chosen", "tried"),
    [
        ([], (0.8, 0.05), 9),
        ([(1.0, 0.0)], (1.0, 0.0), 1),
        # A large min-p is not tried where a smaller one loops, even at a higher temperature.
        ([(1.0, 0.02)], (0.8, 0.0), 4),
        ([(0.9, 0.05), (0.8, 0.02)], (0.8, 0.0), 8),
        ([(0.8, 0.0)], (0.9, 0.05), 7),
    ],
)
def test_a_setting_is_safe_if_all_less_conservative_ones_are(looping, chosen, tried) -> None:
    asked = []

    def is_safe(temperature: float, min_p: float) -> bool:
        asked.append((temperature, min_p))
        return asked[-1] not in looping

    assert most_conservative(0.8, is_safe) == chosen
    assert len(asked) == tried


def test_a_model_that_loops_gets_no_min_p_and_a_higher_temperature(blanks) -> None:
    chosen = choose_sampling(blanks, blanks.corpus(), TOKENS)
    assert chosen["min_p"] == 0 and chosen["temperature"] > blanks.codec.temperature
    assert chosen["excess"] <= TOLERANCE
    assert chosen["new"]["most_common"] == pytest.approx(SHARES[0], abs=0.02)
    # What min-p alone does: one blank after the other, for ever.
    looping = SampleConfig(temperature=chosen["temperature"], min_p=0.05)
    assert {*"".join(texts(blanks, looping))} == {" "}
    assert {*"".join(texts(blanks, settings_of(chosen)))} > {" "}


def test_the_choice_is_always_the_same(blanks, monkeypatch) -> None:
    chosen = choose_sampling(blanks, blanks.corpus(), TOKENS)
    monkeypatch.setattr("seqgen.stepping.fused.SHARE", 1)  # other threads share out the pieces
    assert choose_sampling(blanks, blanks.corpus(), TOKENS) == chosen


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([0.9996, *[0.0001] * 4], (1.0, 0.0)), ([0.2] * 5, (0.8, 0.05))],
    ids=["loops anyway", "never loops"],
)
def test_other_models_of_the_same_corpus(blanks, tmp_path: Path, shares, expected) -> None:
    shutil.copytree(blanks.folder, tmp_path / "run")
    write_weights(seqgen.Run(tmp_path / "run", "cpu"), shares)
    run = seqgen.load(tmp_path / "run", "cpu", blanks.corpus().folder)
    chosen = choose_sampling(run, run.corpus(), TOKENS)
    assert (chosen["temperature"], chosen["min_p"]) == expected
    assert (chosen["excess"] > TOLERANCE) == (expected == (1.0, 0.0))


def test_training_stores_what_it_measured_and_generating_uses_it(blanks, run, tmp_path) -> None:
    on_disk = json.loads((run.folder / "run.json").read_text())["sampling"]
    read = run.info["result"]["tokens"]
    tokens = affordable(run.info["plan"]["weights"], run.vocab.targets, read, adaptive=False)
    assert tokens == int(SHARE * read)
    assert on_disk == choose_sampling(run, run.corpus(), tokens)
    assert texts(run) == texts(run, settings_of(on_disk))
    card = (run.folder / "README.md").read_text()
    sampling = f"temperature {on_disk['temperature']:g}, min-p {on_disk['min_p']:g}"
    assert f"{sampling}: most common" in card
    assert "| sampling |" in model_card(run.info)

    shutil.copytree(blanks.folder, tmp_path / "run")
    chosen = choose_sampling(blanks, blanks.corpus(), TOKENS)
    info = json.loads((tmp_path / "run" / "run.json").read_text()) | {"sampling": chosen}
    (tmp_path / "run" / "run.json").write_text(json.dumps(info))
    measured = seqgen.load(tmp_path / "run", "cpu")
    assert texts(measured) == texts(blanks, settings_of(chosen)) != texts(blanks)


def test_settings_that_are_given_win(blanks, run) -> None:
    changed = seqgen.load(run.folder, "cpu")
    changed.info["sampling"] = {"temperature": 1.0, "min_p": 0.4}
    assert texts(changed) == texts(run, SampleConfig(temperature=1.0, min_p=0.4))
    one = texts(changed, SampleConfig(temperature=0.6))
    assert one == texts(run, SampleConfig(temperature=0.6, min_p=0.4)) != texts(changed)
    two = texts(changed, SampleConfig(min_p=0.0))
    assert two == texts(run, SampleConfig(temperature=1.0, min_p=0.0)) != texts(changed)
    assert SampleConfig(temperature=0.0).completed(0.9, 0.1, 2.0) == SampleConfig(
        temperature=0.0, min_p=0.1, guidance=2.0
    )


def test_a_model_that_was_not_measured_has_no_min_p(blanks) -> None:
    assert "sampling" not in blanks.info
    assert blanks.sampling == {"temperature": 0.8, "min_p": 0.0, "guidance": 1.0}


def test_training_that_is_ended_early_measures_nothing(corpus, tmp_path: Path) -> None:
    config = seqgen.TrainConfig(tokens=100_000, batch_size=2, window=8, device="cpu")
    made = seqgen.create_run(tmp_path / "run", corpus, seqgen.ModelConfig(hidden=8), config)
    training = seqgen.train(made, corpus)
    next(training)
    training.close()
    default = {"temperature": 0.8, "min_p": 0.0, "guidance": 1.0}
    assert seqgen.load(made.folder).sampling == default


def test_a_codec_with_a_tracker_keeps_its_own(chorales) -> None:
    assert "sampling" not in chorales.info
    assert chorales.sampling == {"temperature": 0.5, "min_p": 0.05, "guidance": 1.0}
