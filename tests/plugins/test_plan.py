"""The plan of a chorale: phrases end at fermatas, and the piece ends with its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.layout import MOST_PHRASES
from seqgen_music.codecs.chorale.plan import fitting_masks
from seqgen_music.codecs.chorale.raster import STEPS, Raster, raster_of
from seqgen_music.music import Music

from seqgen.conformance.subject import fitted
from seqgen.errors import DataError

SATB = ((72, 74, 76), (67, 69, 65), (60, 59, 62), (48, 50, 47))


def piece(*phrases: int, metre: tuple[int, int] = (4, 4)) -> Music:
    """Return four voices in quarters, with phrases of so many quarters."""
    ends = STEPS * np.cumsum(phrases)
    quarter = np.arange(ends[-1])[:, None] // STEPS
    sounding = np.array(SATB).T[quarter[:, 0] % 3]
    begins = np.broadcast_to(np.arange(ends[-1])[:, None] % STEPS == 0, sounding.shape)
    return Raster(sounding, begins, metre, 0, tuple(ends.tolist())).to_music()


PIECES = [piece(4, 4, 6), piece(4, 5), piece(3, 3, 3, metre=(3, 4)), replace(piece(4), fermatas=())]
CODEC = fitted(ChoraleCodec, PIECES, ChoraleOptions())


def names(codec: ChoraleCodec, music: Music) -> list[str]:
    """Return the names of the tokens of the header."""
    ids = codec.encode(music)
    return [codec.vocab[token] for token in ids[: codec.layout.header_size(ids)]]


def written(codec: ChoraleCodec, condition: Any, seed: int, begun: Sequence[int] = ()) -> list[int]:
    """Return random ids up to the end, of those that the tracker allows; a hold is likely."""
    rng, ids, hold = np.random.default_rng(seed), [*begun], codec.table.id("hold")
    tracker = codec.tracker(condition)
    for token in begun:
        tracker.push(token)
    while len(ids) < 3000:
        token = tracker.forced()
        if token is None:
            choices = np.flatnonzero(tracker.allowed())
            token = hold if hold in choices and rng.random() < 0.7 else int(rng.choice(choices))
        if token == len(codec.vocab):
            return ids
        ids.append(token)
        tracker.push(token)
    raise AssertionError("it does not end")


def test_phrases_end_at_fermatas() -> None:
    assert CODEC.layout.phrases == (12, 16, 20, 24)
    header = ["metre 4/4", "upbeat 0", "phrase 16", "phrase 16", "phrase 24", "plan end"]
    assert names(CODEC, PIECES[0]) == header
    assert names(CODEC, PIECES[3]) == ["metre 4/4", "upbeat 0", "plan end"]
    for music in PIECES:
        again = CODEC.decode(CODEC.encode(music))
        assert again.fermatas == music.fermatas
        assert again.notes.tolist() == music.notes.tolist()
    assert len(PIECES[0].fermatas) == 3 * 4


def test_one_voice_may_have_the_fermatas() -> None:
    whole = CODEC.encode(PIECES[0])
    for voice in range(4):
        mine = tuple(fermata for fermata in PIECES[0].fermatas if fermata[1] == voice)
        np.testing.assert_array_equal(CODEC.encode(replace(PIECES[0], fermatas=mine)), whole)


@pytest.mark.parametrize(
    "music",
    [
        # No fermata at the end; a phrase of a length that no other piece has; too many phrases.
        replace(PIECES[0], fermatas=PIECES[0].fermatas[:-4]),
        piece(4, 7, 4),
        piece(*[3] * (MOST_PHRASES + 1)),
    ],
    ids=["open", "another length", "too many"],
)
def test_other_pieces_have_no_plan(music: Music) -> None:
    ids = CODEC.encode(music)
    assert not len(CODEC.layout.read_plan(ids)) and CODEC.layout.header_size(ids) == 3
    np.testing.assert_array_equal(CODEC.encode(CODEC.decode(ids)), ids)


def test_features_count_down_to_the_end_of_the_phrase() -> None:
    rows = CODEC.features(CODEC.encode(PIECES[0]))
    # In the plan: the length of the last phrase, and how many there are.
    assert rows[:6, -2:].tolist() == [[0, 0], [0, 0], [0, 0], [16, 1], [16, 2], [24, 3]]
    soprano = rows[6::4]
    assert soprano[:, -2].tolist() == [*range(16, 0, -1)] * 2 + [*range(24, -1, -1)]
    assert soprano[:, -1].tolist() == [2] * 16 + [1] * 16 + [0] * 25
    assert not CODEC.features(CODEC.encode(PIECES[3]))[:, -2:].any()


@pytest.mark.parametrize("seed", range(6))
def test_new_pieces_end_with_their_plan(seed: int) -> None:
    ids = np.array(written(CODEC, None, seed))
    plan = CODEC.layout.read_plan(ids)
    assert len(plan) and len(ids) - CODEC.layout.header_size(ids) == 4 * plan[-1]
    assert CODEC.raster(ids).ends == tuple(plan.tolist())
    # An open plan is for pieces without fermatas.
    free = written(CODEC, None, seed, CODEC.encode(PIECES[3])[:3].tolist())
    assert CODEC.decode(np.array(free)).fermatas == ()


@pytest.mark.parametrize(
    ("asked", "lengths"),
    [
        ("phrases=3", None),
        ("phrases=4+5+3", [16, 20, 12]),
        ("metre=3/4, phrases=3+3", [12, 12]),
        ("phrases=3, bars=4, metre=3/4", None),
        ("bars=4", None),
        ("bars=5, phrases=5+5+5+5, metre=4/4", [20] * 4),
    ],
)
def test_phrases_can_be_requested(asked: str, lengths: list[int] | None) -> None:
    for seed in range(3):
        ids = np.array(written(CODEC, asked, seed))
        (metre, _), ends = CODEC.layout.read_header(ids), CODEC.layout.read_plan(ids)
        found = np.diff(ends, prepend=0).tolist()
        assert lengths is None or found == lengths
        assert not asked.startswith("phrases=3") or len(found) == 3
        assert "metre=3/4" not in asked or metre == (3, 4)
        steps = len(CODEC.raster(ids).sounding)
        assert steps == sum(found)
        if "bars" in asked:
            assert steps == int(asked.split("bars=")[1][0]) * 16 * metre[0] // metre[1]


def test_bars_that_no_phrases_fill_have_no_plan() -> None:
    ids = np.array(written(CODEC, "bars=2, metre=4/4", 0))
    assert CODEC.layout.read_plan(ids).tolist() in ([16, 32], [12, 32], [20, 32])
    ids = np.array(written(CODEC, "bars=2, metre=3/4", 0))
    assert CODEC.layout.read_plan(ids).tolist() in ([12, 24], [24])
    short = np.array(written(CODEC, "bars=1, metre=4/4", 0))
    assert CODEC.layout.read_plan(short).tolist() == [16]
    lone = fitted(ChoraleCodec, [piece(3)], ChoraleOptions())
    assert written(lone, "bars=1", 0)[2] == lone.table.id("plan end")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("phrases=4+7", r"no phrase of this model's corpus has 7 quarters; its phrases have 3, 4"),
        ("phrases=33", "33 phrases; 32 is the most"),
        ("phrases=2, bars=4", "give the metre too"),
        ("phrases=2, bars=4, metre=4/4", "do not fill 4 bars of 4/4, 16 quarters"),
        ("phrases=4+4, bars=4, metre=4/4", "do not fill 4 bars of 4/4, 16 quarters"),
        ("phrases=4+", r"expected a number of phrases, such as 4, or quarters, such as 8\+8\+12"),
        ("phrases=0", "from 1 to 100,000"),
    ],
)
def test_phrases_that_cannot_be_are_refused(asked: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CODEC.tracker(asked)


def test_a_model_without_fermatas_knows_no_phrases() -> None:
    codec = fitted(ChoraleCodec, PIECES[3:], ChoraleOptions())
    assert "phrases" not in codec.requests and "phrases" in CODEC.requests
    assert codec.layout.read_plan(np.array(written(codec, "bars=2", 0))).tolist() == []
    grid = fitted(ChoraleCodec, PIECES, ChoraleOptions("grid"))
    assert len(grid.encode(PIECES[0])) == 4 * 56 and "phrases" not in grid.requests


@pytest.mark.parametrize(("count", "steps"), [(None, 60), (3, None), (2, 44), (4, 60)])
def test_a_phrase_may_come_where_others_fill_the_rest(count: int | None, steps: int | None) -> None:
    masks, rows = fitting_masks(CODEC.layout, count, steps)
    end = CODEC.table.id("plan end")
    reached: set[tuple[int, ...]] = set()
    pending: list[tuple[int, ...]] = [()]
    while pending:
        plan = pending.pop()
        j = 0 if count is None else count - len(plan)
        mask = masks[rows[j, 0 if steps is None else steps - sum(plan)]]
        assert mask.any() and mask[end] != bool(mask[:end].any())
        if mask[end]:
            reached.add(plan)
        pending += [
            (*plan, length)
            for length in CODEC.layout.phrases
            if mask[CODEC.table.id("phrase", length)]
        ]
    expected = [plan for plan in every_plan(5) if count in (None, len(plan)) and len(plan)]
    assert reached == {plan for plan in expected if steps in (None, sum(plan))}


def every_plan(most: int) -> list[tuple[int, ...]]:
    """Return all plans of at most so many phrases."""
    plans: list[tuple[int, ...]] = [()]
    for plan in plans:
        if len(plan) < most:
            plans += [(*plan, length) for length in CODEC.layout.phrases]
    return plans


def test_a_continuation_has_the_rest_of_the_plan() -> None:
    ids = CODEC.encode(PIECES[0])
    for steps, rest in ((16, [16, 40]), (32, [24]), (4, [12, 28, 52]), (2, [])):
        later = CODEC.continuation(ids, 6 + 4 * steps)
        assert CODEC.layout.read_plan(later).tolist() == rest
        np.testing.assert_array_equal(
            CODEC.raster(later).sounding, CODEC.raster(ids).sounding[steps:]
        )


def test_the_soprano_of_a_new_piece_begins_anew_with_each_phrase() -> None:
    hold = CODEC.table.id("hold")
    for seed in range(6):
        ids = np.array(written(CODEC, None, seed))
        cells = ids[CODEC.layout.header_size(ids) :].reshape(-1, 4)
        ends = CODEC.layout.read_plan(ids)[:-1]
        assert (cells[ends, 0] != hold).all()


def test_some_training_pieces_lose_their_plan() -> None:
    ids = CODEC.encode(PIECES[0])
    lengths = [len(CODEC.augment(ids, np.random.default_rng(seed))) for seed in range(60)]
    assert set(lengths) == {len(ids), len(ids) - 3} and lengths.count(len(ids)) > 40


def test_a_finished_prompt_ends_unless_more_bars_are_requested() -> None:
    begun = CODEC.encode(PIECES[1]).tolist()
    assert written(CODEC, None, 0, begun) == begun
    longer = np.array(written(CODEC, "bars=5", 0, begun))
    assert len(CODEC.raster(longer).sounding) == 5 * 16
    start = len(begun)
    kept = CODEC.keep(PIECES[1], longer, start)
    assert set(PIECES[1].fermatas) <= set(kept.fermatas)
    open_end = CODEC.encode(replace(PIECES[1], fermatas=PIECES[1].fermatas[:4])).tolist()
    tracker = CODEC.tracker()
    for token in open_end:
        tracker.push(token)
    assert tracker.forced() is None and tracker.allowed()[:-1].any()


def test_given_voices_give_their_phrases() -> None:
    melody = PIECES[0].notes[PIECES[0].notes["track"] == 0]
    given = replace(PIECES[0], notes=melody, tracks=PIECES[0].tracks[:1])
    given = replace(given, fermatas=tuple(each for each in given.fermatas if each[1] == 0))
    ids = np.array(written(CODEC, given, 0))
    assert CODEC.layout.read_plan(ids).tolist() == [16, 32, 56]
    answered = CODEC.answer(CODEC.decode(ids), given)
    assert raster_of(answered).ends == (16, 32, 56)
    plain = np.array(written(CODEC, replace(given, fermatas=()), 0))
    assert not len(CODEC.layout.read_plan(plain))
