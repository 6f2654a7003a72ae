"""Generation after `seqgen.adapt`, which draws from the mixture of adaptive scoring."""

import copy
from pathlib import Path

import numpy as np
import pytest
from seqgen_music.codecs.chorale.grammar import NO_LIMITS

import seqgen
from seqgen.data.lanes import Steps
from seqgen.evaluation import match_model
from seqgen.evaluation.mixed_stepper import KEPT, Lanes, MixedStepper
from seqgen.grammar import unpacked

PROMPT = "9 green bottles hanging on the wall,\nand if one green bottle should fall,\nthere"
LIMIT = seqgen.LimitConfig(length=30)


@pytest.fixture(scope="module")
def small():
    """Short memories of the match model, so that mixtures are copied quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(match_model, "REMEMBERED", 2**13)
        patch.setattr(match_model, "PLACES", 2**13)
        yield


@pytest.fixture(scope="module")
def adapted(run, corpus, small) -> seqgen.Run:
    return seqgen.adapt(run, PROMPT, corpus)


@pytest.fixture(scope="module")
def prompted(chorales) -> np.ndarray:
    """The beginning of a chorale."""
    return np.asarray(chorales.corpus().piece(0), np.int64)[:130]


def reference(trained: seqgen.Run, learned: seqgen.Run, ids: np.ndarray, first: int) -> float:
    """Return the nats of ids from `first` on, each mixed by a copy that has read those before."""
    mixture = copy.deepcopy(learned.stepper.args[2])
    mixture.forget()
    inputs = np.append(trained.vocab.start, ids[:-1])
    mixture.skip(inputs[:first])
    networks = [
        next(seqgen.NetworkPredictor(each).log_probabilities([ids])) for each in (trained, learned)
    ]
    masks = trained.codec.masks(ids)
    allowed = np.zeros((len(ids), 0), np.uint8) if masks is None else np.asarray(masks[:-1])
    nats = 0.0
    for at in range(first, len(ids)):
        one, none = slice(at, at + 1), np.zeros((1, 0), np.int64)
        steps = Steps(inputs[one], ids[one], none, allowed[one])
        both = np.stack([each[one] for each in networks], axis=1)
        nats += copy.deepcopy(mixture).nats(steps, both)[0]
        mixture.skip(inputs[one])
    return nats


def test_text_is_drawn_from_the_mixture(run, adapted) -> None:
    ids = run.codec.encode(PROMPT)
    limit = seqgen.LimitConfig(length=8)
    sample = seqgen.SampleConfig(temperature=1.5)  # The log-probability is that of the model.
    drawn = list(seqgen.generate(adapted, 6, prompt=PROMPT, limit=limit, sample=sample))
    assert len({new.piece for new in drawn}) > 1
    whole = [new for new in drawn if new.stopped_by == "length"]
    assert whole
    for new in whole[:2]:
        assert new.ids[: len(ids)].tolist() == ids.tolist() and len(new.ids) == len(ids) + 8
        expected = reference(run, adapted, new.ids, len(ids))
        assert -new.log_probability == pytest.approx(expected, rel=1e-4)
    [plain] = seqgen.score(adapted, [whole[0].piece])
    [before] = seqgen.score(adapted, [PROMPT])
    assert abs(plain.nats - before.nats + whole[0].log_probability) > 0.01


def test_grammar_and_features_hold_in_the_mixture(chorales, prompted, small, monkeypatch) -> None:
    # Scores know nothing of the limits on new pieces.
    monkeypatch.setattr(chorales.codec, "limits", NO_LIMITS)
    piece = chorales.codec.decode(prompted)
    adapted = seqgen.adapt(chorales, piece, chorales.corpus())
    limit = seqgen.LimitConfig(length=24)
    [new] = seqgen.generate(adapted, prompt=piece, limit=limit)
    first = len(chorales.codec.encode(piece))
    masks = unpacked(np.asarray(chorales.codec.masks(new.ids)), chorales.vocab.targets)
    assert len(new.ids) > first and masks[np.arange(len(new.ids)), new.ids].all()
    expected = reference(chorales, adapted, new.ids, first)
    assert -new.log_probability == pytest.approx(expected, rel=1e-4)


def test_pieces_do_not_depend_on_what_is_beside_or_before_them(adapted) -> None:
    sample = seqgen.SampleConfig(temperature=0.8, top_p=0.9, repetition_penalty=1.1)
    given = {"prompt": "8 green", "limit": LIMIT, "sample": sample, "seed": 3}
    together, alone = (
        [new.ids.tolist() for new in seqgen.generate(adapted, 4, **given, batch_size=size)]
        for size in (4, 1)
    )
    assert together == alone
    streamed = list(seqgen.stream(adapted, **given, index=1))
    assert together[1][-len(streamed) :] == streamed
    primed = seqgen.prime(adapted, "8 green")
    again = list(seqgen.generate(adapted, 2, **{**given, "prompt": primed}))
    assert [new.ids.tolist() for new in again] == together[:2]


def test_a_saved_state_is_the_state(adapted, tmp_path: Path) -> None:
    primed = seqgen.prime(adapted, PROMPT)
    primed.save(tmp_path / "state")
    for one, other in zip(primed.state, seqgen.Primed.load(tmp_path / "state").state, strict=True):
        np.testing.assert_array_equal(one, other)
    lanes = Lanes.unpacked(primed.state[-1])
    assert lanes.marks.tolist() == [[KEPT, 1]]
    np.testing.assert_array_equal(lanes.packed(), primed.state[-1])
    assert (lanes.hashes > 2**53).any()  # More than a float holds.


def test_beams_follow_the_mixture(run, adapted) -> None:
    [best] = seqgen.search(adapted, 3, prompt=PROMPT, limit=seqgen.LimitConfig(length=8))
    expected = reference(run, adapted, best.ids, len(run.codec.encode(PROMPT)))
    assert -best.log_probability == pytest.approx(expected, rel=1e-4)


def test_large_vocabularies_have_the_network_alone(run, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.evaluation.adaptive.MOST_IDS", 3)
    adapted = seqgen.adapt(run, PROMPT)
    assert adapted.stepper is None and not isinstance(adapted.stepper, MixedStepper)
    [new] = seqgen.generate(adapted, prompt=PROMPT, limit=LIMIT)
    assert np.isfinite(new.log_probability)
