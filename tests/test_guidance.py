"""Guidance: requested labels that count more than the model learned."""

from __future__ import annotations

import random

import numpy as np
import pytest

import seqgen
from seqgen.conditions.labels import Labelled
from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError
from seqgen.generation.guidance import GuidedStepper, _keep_groups
from seqgen.generation.manuscript import Manuscript
from seqgen.generation.writer import Writer
from seqgen.stepping.stepper import choose_stepper
from seqgen.stepping.torch_stepper import TorchStepper

#: Two sites that have all words, each its own more often.
WORDS, OWN = {"a": "alma", "b": "bobo"}, 0.75

A, LIMIT = Labelled({"site": "a"}), LimitConfig(length=40)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A small model of both sites."""
    folder = tmp_path_factory.mktemp("guidance")
    for site, word in WORDS.items():
        (folder / site).mkdir()
        other = WORDS["b" if site == "a" else "a"]
        for number in range(40):
            draw = random.Random(f"{site}{number}")
            words = [word if draw.random() < OWN else other for _ in range(20)]
            (folder / site / f"{number}.txt").write_text(" ".join(words))
    labels = {"site": "{}/*.txt"}
    corpus = seqgen.prepare("text", [folder], folder / "corpus", codec="characters", labels=labels)
    config = seqgen.TrainConfig(
        tokens=40_000, batch_size=8, window=32, learning_rate=1e-2, device="cpu", threads=1
    )
    model = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
    made = seqgen.create_run(folder / "run", corpus, model, config)
    for _ in seqgen.train(made, corpus):
        pass
    return seqgen.load(made.folder, "cpu")


def written(run: seqgen.Run, guidance: float, **options) -> list[seqgen.Generated]:
    sample = SampleConfig(temperature=1.0, min_p=0.0, guidance=guidance)
    given = {"condition": A, "limit": LIMIT} | options
    return list(seqgen.generate(run, 10, sample=sample, **given))


@pytest.mark.parametrize("reference", [True, False])
def test_guided_scores_go_beyond_those_of_any_labels(run, reference: bool) -> None:
    stepper = TorchStepper(run.model) if reference else choose_stepper(run, 2)
    texts = ["alma bobo a", "bobo alma b"]
    logits = {}
    for site in ("a", "?"):
        ids = np.stack([run.codec.encode(Labelled({"site": site}, text)) for text in texts])
        read = np.insert(ids, 0, run.vocab.start, axis=1)
        features = np.stack([run.codec.features(row) for row in ids])
        logits[site], _ = stepper.read(read, features, stepper.start(2))
        if site == "a":
            guided = GuidedStepper(stepper, run, 3.0)
            found, state = guided.read(read, features, guided.start(2))
            one, _ = guided.read(read, features, guided.select(guided.start(2), np.array([1, 0])))
            again = guided.restore(guided.export(state))
    np.testing.assert_allclose(found, 3 * logits["a"] - 2 * logits["?"], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(one, found)
    for part, other in zip(guided.export(state), guided.export(again), strict=True):
        np.testing.assert_array_equal(part, other)


def test_guidance_of_1_is_the_model_as_it_is(run) -> None:
    plain = written(run, 1.0)
    stepper = GuidedStepper(choose_stepper(run, 10), run, 1.0)
    place = stepper.place_after(run, None, A)
    sample = SampleConfig(temperature=1.0, min_p=0.0)
    writer = Writer(stepper, run, place, A, sample, LIMIT, (), 0)
    drafts = [writer.draft(index) for index in range(10)]
    for _ in writer.write(drafts):
        pass
    for draft, one in zip(drafts, plain, strict=True):
        assert draft.ids == one.ids.tolist()
        assert np.isclose(sum(draft.log_probabilities), one.log_probability, rtol=1e-4)


def test_more_guidance_makes_pieces_more_typical(run) -> None:
    def share(guidance: float) -> float:
        text = " ".join(one.piece for one in written(run, guidance))
        return text.count("alma") / (text.count("alma") + text.count("bobo"))

    assert share(0.0) < share(1.0) < share(4.0)
    assert share(4.0) > share(1.0) + 0.1


def test_guided_pieces_depend_on_seed_and_index_alone(run) -> None:
    ids = [one.ids.tolist() for one in written(run, 3.0)]
    assert ids == [one.ids.tolist() for one in written(run, 3.0, batch_size=3)]
    sample = SampleConfig(temperature=1.0, min_p=0.0, guidance=3.0)
    stream = seqgen.stream(run, sample=sample, condition=A, limit=LIMIT, index=4)
    assert ids[4][1:] == list(stream)


def test_guided_pieces_go_on_after_primed_prompts(run) -> None:
    primed = seqgen.prime(run, "bobo al", condition=A)
    one, two = (written(run, 3.0, prompt=prompt) for prompt in (primed, "bobo al"))
    assert [each.piece for each in one] == [each.piece for each in two]
    assert all(each.piece.startswith("bobo al") for each in one)


def test_guidance_needs_a_label(run) -> None:
    with pytest.raises(ConfigError, match=r"guidance 3 is by requested labels.*`condition="):
        written(run, 3.0, condition=None)
    with pytest.raises(ConfigError, match="written without guidance"):
        list(Manuscript(run, condition=A).write(sample=SampleConfig(guidance=2.0)))


def test_codecs_have_a_default(run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.sampling["guidance"] == 1
    plain = [one.ids.tolist() for one in written(run, 3.0)]
    monkeypatch.setattr(run.codec, "guidance", 3.0)
    sample = SampleConfig(temperature=1.0, min_p=0.0)
    new = seqgen.generate(run, 10, condition=A, limit=LIMIT, sample=sample)
    assert [one.ids.tolist() for one in new] == plain
    free = seqgen.generate(run, 2, limit=LIMIT, sample=sample)
    assert all(run.vocab.names[one.ids[0]] == "site=?" for one in free)


def test_groups_keep_the_probability_that_the_model_gives_them() -> None:
    rng = np.random.default_rng(0)
    own, guided = (rng.normal(0, 3, (4, 9)).astype(np.float32) for _ in range(2))
    possible = rng.random((4, 9)) < 0.8
    possible[0, :3] = False  # a group of which nothing may come
    groups = np.array([0, 0, 0, 1, 2, 1, 2, 2, 3])
    before = guided.copy()
    with np.errstate(invalid="raise", divide="raise"):
        _keep_groups(guided, own, possible, groups)
    for row in range(4):
        shares = []
        for scores in (own, guided):
            weights = np.exp(scores[row].astype(np.float64)) * possible[row]
            shares.append(np.bincount(groups, weights) / weights.sum())
        np.testing.assert_allclose(*shares, rtol=1e-5)
        for group in range(4):
            moved = (guided - before)[row, groups == group]
            np.testing.assert_allclose(moved, moved[0], atol=1e-5)


def test_a_watched_piece_follows_its_labels_as_the_generated_one(run, watched) -> None:
    sample = SampleConfig(temperature=1.0, min_p=0.0, guidance=3.0)
    asked = {"condition": A, "limit": LIMIT, "sample": sample, "seed": 2}
    ids, logs, piece = watched(run, **asked)
    [expected] = seqgen.generate(run, **asked)
    assert ids == piece.ids.tolist() == expected.ids.tolist() and piece.piece == expected.piece
    drawn = sum(log for log in logs if log is not None)
    is_whole = drawn == pytest.approx(expected.log_probability, abs=1e-9)
    assert is_whole == (expected.stopped_by == "length")
    # It goes on from its own beginning, and draws with the same random numbers anew.
    again, _, _ = watched(run, onward=np.array(ids[:20]), **asked)
    assert again[:20] == ids[:20] and len(again) > 20
