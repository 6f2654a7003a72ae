"""What is drawn before a given token agrees with it: against enumeration, and step by step."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from seqgen_music.codecs.chorale.codec import CANDIDATES, GAP_CANDIDATES
from seqgen_music.codecs.chorale.raster import raster_of

import seqgen
from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError, DataError
from seqgen.generation.candidates import _shares, resampled
from seqgen.stepping.fused import FusedStepper
from seqgen.stepping.torch_stepper import TorchStepper

AS_IT_IS = SampleConfig(temperature=1.0, min_p=0.0)


class Dictation:
    """Gives tokens at some positions and leaves the others free."""

    def __init__(self, given: dict[int, int]) -> None:
        self.given, self.count = given, 0

    def features(self) -> tuple[int, ...]:
        return ()

    def allowed(self) -> None:
        return None

    def forced(self) -> int | None:
        return self.given.get(self.count)

    def push(self, token: int) -> None:
        self.count += 1


@pytest.fixture
def dictated(run: seqgen.Run, monkeypatch) -> seqgen.Run:
    """A model of verses to which letters can be given by their positions."""

    def tracker(self, condition=None):
        return None if condition is None else Dictation(condition)

    monkeypatch.setattr(type(run.codec), "tracker", tracker)
    return run


def letter(run: seqgen.Run, text: str) -> int:
    return run.vocab.names.index(text)


def test_what_is_drawn_follows_from_what_is_given_later(dictated) -> None:
    """Verses begin with 40 to 1: which digit comes first depends on what the second letter is."""
    names = dictated.vocab.names
    firsts = [name for name in names if len(name) == 1]
    likely = [-score.nats for score in seqgen.score(dictated, [first + " " for first in firsts])]
    expected = np.exp(np.array(likely) - np.logaddexp.reduce(likely))
    counts = np.zeros(len(firsts))
    for seed in range(400):
        [new] = seqgen.generate(
            dictated,
            condition={1: letter(dictated, " ")},
            sample=AS_IT_IS,
            limit=LimitConfig(length=2),
            seed=seed,
            candidates=64,
        )
        assert new.piece[1] == " "
        counts[firsts.index(new.piece[0])] += 1
    assert np.abs(counts / 400 - expected).sum() / 2 < 0.1


class Bridge(Dictation):
    """A given letter comes second or third, after other digits."""

    def __init__(self, size: int, given: int, digits: list[int]) -> None:
        self.size, self.given, self.digits = size, given, digits
        self.count, self.has_come = 0, False

    def forced(self) -> int | None:
        return self.given if self.count == 2 and not self.has_come else None

    def fitting(self) -> np.ndarray:
        mask = np.zeros(self.size + 1, bool)
        mask[self.digits] = True
        mask[self.given] = self.count > 0
        return mask

    def reached(self) -> int:
        return int(self.has_come)

    def push(self, token: int) -> None:
        self.has_come |= token == self.given
        self.count += 1


def test_candidates_wait_for_each_other_where_a_given_letter_comes_early_or_late(
    run, monkeypatch
) -> None:
    """Verses begin with 40 to 1. Given a zero, the first digit is mostly one of 1 to 4."""
    digits, zero = [letter(run, digit) for digit in "123456789"], letter(run, "0")
    condition = len(run.codec.vocab), zero, digits
    monkeypatch.setattr(
        type(run.codec), "tracker", lambda self, given=None: given and Bridge(*given)
    )
    texts = [f"{one}0" for one in range(1, 10)]
    texts += [f"{one}{other}0" for one in range(1, 10) for other in range(1, 10)]
    likely = [-score.nats for score in seqgen.score(run, texts)]
    expected = dict(zip(texts, np.exp(np.array(likely) - np.logaddexp.reduce(likely)), strict=True))
    counts = dict.fromkeys(texts, 0.0)
    for seed in range(100):
        options = {"stop": [np.array([zero])], "seed": seed, "candidates": 128}
        [new] = seqgen.generate(run, condition=condition, sample=AS_IT_IS, **options)
        counts[new.piece] += 1 / 100
    assert sum(abs(counts[text] - expected[text]) for text in texts) / 2 < 0.2


def test_candidates_that_are_drawn_anew_go_on_from_their_own_state(dictated) -> None:
    """The likelihood that was summed up on the way is the model's of the whole piece."""
    condition = {at: letter(dictated, "e") for at in range(3, 60, 7)}
    pieces = list(
        seqgen.generate(
            dictated, 3, condition=condition, limit=LimitConfig(length=60), candidates=8
        )
    )
    scores = seqgen.score(dictated, [new.piece for new in pieces])
    for new, score in zip(pieces, scores, strict=True):
        assert all(new.ids[at] == token for at, token in condition.items() if at < len(new.ids))
        end = score.end_nats if new.stopped_by == "end" else 0.0
        assert new.log_probability == pytest.approx(-score.nats - end, rel=1e-4)
    assert len({new.piece for new in pieces}) == 3


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_a_prompt_a_stop_and_weights_of_8_bits_go_with_it(dictated, monkeypatch, device) -> None:
    if device == "torch":
        monkeypatch.setattr(
            "seqgen.generation.engine.choose_stepper",
            lambda run, lanes, int8: TorchStepper(run.model),
        )
    prompt, space = "9 green", letter(dictated, " ")
    [new] = seqgen.generate(
        dictated,
        prompt=prompt,
        condition={9: letter(dictated, "o"), 14: space},
        stop=[np.array([letter(dictated, "g")])],
        limit=LimitConfig(length=40),
        int8=device == "cpu",
        candidates=7,
    )
    assert new.piece.startswith(prompt) and new.piece[9] == "o"
    assert new.stopped_by in ("stop", "length", "end")
    assert (new.piece[-1] == "g") == (new.stopped_by == "stop")


def test_bars_that_are_rewritten_have_candidates(chorales) -> None:
    codec, corpus = chorales.codec, chorales.corpus()
    whole = np.asarray(corpus.piece(0), np.int64)
    old = whole[: codec.layout.header_size(whole) + 4 * 16 * 5]
    kept = seqgen.Kept(codec.decode(old), "bars 1-2, 4-")
    assert codec.candidates(kept) == GAP_CANDIDATES
    assert codec.most_tokens(kept) == len(codec.encode(kept.piece)) + 1
    [new] = seqgen.generate(chorales, condition=kept, candidates=2)
    before, after = raster_of(kept.piece), raster_of(new.piece)
    bar = codec.layout.bar(before.metre)
    outside = np.ones(len(before.sounding), bool)
    outside[before.upbeat + 2 * bar : before.upbeat + 3 * bar] = False
    np.testing.assert_array_equal(before.sounding[outside], after.sounding[outside])
    assert (before.sounding != after.sounding).any()
    with pytest.raises(DataError, match="takes no prompt"):
        next(seqgen.generate(chorales, condition=kept, prompt=kept.piece))
    # A primed state of nothing but the condition is no prompt.
    primed = seqgen.prime(chorales, condition=kept)
    [again] = seqgen.generate(chorales, condition=kept, prompt=primed, candidates=2)
    np.testing.assert_array_equal(new.ids, again.ids)
    with pytest.raises(DataError, match="takes no prompt"):
        next(seqgen.generate(chorales, condition=kept, prompt=seqgen.prime(chorales, kept.piece)))


def test_voices_that_are_given_are_harmonised_with_candidates(chorales) -> None:
    codec = chorales.codec
    [new] = seqgen.generate(chorales, limit=LimitConfig(length=200))
    assert [codec.candidates(given) for given in (None, "bars=4", new.piece)] == [1, 1, CANDIDATES]
    assert len(new.piece.keys) == 1
    [again] = seqgen.generate(chorales, condition=new.piece, candidates=4)
    one, other = (raster_of(piece).sounding[:, 0] for piece in (new.piece, again.piece))
    np.testing.assert_array_equal(one, other)


def test_a_piece_is_the_same_whatever_is_written_beside_it(dictated) -> None:
    options = {
        "condition": {5: letter(dictated, "e"), 9: letter(dictated, "n")},
        "limit": LimitConfig(length=30),
        "candidates": 6,
    }
    first = [new.piece for new in seqgen.generate(dictated, 3, **options)]
    assert first == [new.piece for new in seqgen.generate(dictated, 3, batch_size=1, **options)]
    assert first[:2] == [new.piece for new in seqgen.generate(dictated, 2, **options)]
    assert first != [new.piece for new in seqgen.generate(dictated, 3, seed=1, **options)]


def test_ctrl_c_keeps_the_candidate_that_weighs_most(dictated, monkeypatch) -> None:
    steps = itertools.count()
    write = FusedStepper.write

    def interrupted(self, *arguments):
        if next(steps) == 5:
            raise KeyboardInterrupt
        return write(self, *arguments)

    monkeypatch.setattr(FusedStepper, "write", interrupted)
    found, condition = [], {2: letter(dictated, "e")}
    with pytest.raises(KeyboardInterrupt):
        for new in seqgen.generate(dictated, 2, condition=condition, candidates=4):
            found.append(new)
    assert [(new.stopped_by, len(new.ids), new.piece[2]) for new in found] == [
        ("interrupt", 5, "e")
    ]


def test_candidates_end_apart(dictated) -> None:
    """Some have ended before the next letter is given: nothing is compared any more."""
    end = dictated.vocab.end
    new = list(
        seqgen.generate(
            dictated,
            4,
            condition={2: end, 200: letter(dictated, "e")},
            sample=SampleConfig(bias=("<end>=6",)),
            candidates=5,
        )
    )
    assert all(piece.stopped_by == "end" and len(piece.ids) <= 2 for piece in new)


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-80, 0)),
    st.floats(0, 1, exclude_max=True),
)
def test_each_is_drawn_anew_as_often_as_is_due_to_it(weights, draw) -> None:
    counts = np.bincount(resampled(weights, draw), minlength=len(weights))
    assert counts.sum() == len(weights)
    assert (np.abs(counts - len(weights) * _shares(weights)) < 1 + 1e-6).all()


def test_no_candidate_at_all_is_refused(run) -> None:
    with pytest.raises(ConfigError, match="candidates must be from 1 to 65,536, found 0"):
        list(seqgen.generate(run, candidates=0))


@pytest.mark.parametrize("seed", range(3))
def test_a_watched_piece_is_the_chosen_candidate(dictated, watched, monkeypatch, seed) -> None:
    monkeypatch.setattr(
        type(dictated.codec), "candidates", lambda self, condition: 6, raising=False
    )
    asked = {"condition": {1: letter(dictated, "7"), 9: letter(dictated, "b")}, "seed": seed}
    asked |= {"sample": AS_IT_IS, "limit": LimitConfig(length=60)}
    ids, logs, piece = watched(dictated, **asked)
    [expected] = seqgen.generate(dictated, **asked)
    assert ids == piece.ids.tolist() == expected.ids.tolist()
    assert len(logs) == len(ids) and logs[0] is not None
