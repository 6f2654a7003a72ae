"""Drawings that a person begins, in any unit, and a model goes on with; drawings by class."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_handwriting.cleaning import MOST_COMPARED, simplified, with_lines_divided
from seqgen_handwriting.codecs.beginnings import Begun, Usual
from seqgen_handwriting.codecs.grid import GridOptions
from seqgen_handwriting.codecs.pen_states import ANGLE, MOVE, MOVE_LENGTH
from seqgen_handwriting.codecs.points import PointOptions, PointsCodec
from seqgen_handwriting.codecs.polar import PolarOptions
from seqgen_handwriting.codecs.tracker import _step
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.ink import Ink

import seqgen
from seqgen.conditions.labels import content_of

DOMAIN = Handwriting()


def house(seed: int, scale: float = 1.0) -> Ink:
    """Draw a wall, a roof and a window."""
    rng = np.random.default_rng(seed)
    wide, tall = rng.integers(60, 120, 2)
    wall = np.array([[0, 0], [0, tall], [wide, tall], [wide, 0]])
    roof = np.array([[0, 0], [wide / 2, -40], [wide, 0], [0, 0]])
    window = np.array([[20, 20], [35, 20], [35, 40], [20, 40], [20, 20]])
    return Ink(
        tuple((part + rng.normal(0, 2, part.shape)) * scale for part in (wall, roof, window))
    )


def ring(seed: int) -> Ink:
    angles = np.linspace(0, 2 * np.pi, 14)
    circle = 50 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Ink((circle + np.random.default_rng(seed).normal(0, 2, circle.shape),))


HOUSES = [house(seed) for seed in range(30)]
CODEC = PointsCodec.fit(HOUSES, PointOptions(draw=60, move=20))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A run of houses and rings from files of Quick, Draw!."""
    folder = tmp_path_factory.mktemp("begun")
    for word, draw in (("house", house), ("ring", ring)):
        lines = [
            json.dumps({"word": word, "drawing": [part.T.tolist() for part in draw(seed).strokes]})
            for seed in range(30)
        ]
        (folder / f"{word}s.ndjson").write_text("\n".join(lines))
    corpus = seqgen.prepare("handwriting", [folder], labels={"class": ""})
    made = seqgen.create_run(
        folder / "run",
        corpus,
        seqgen.ModelConfig(hidden=48, embedding=16),
        seqgen.TrainConfig(epochs=25, batch_size=8, window=16, evaluations=1, device="cpu"),
    )
    for _ in seqgen.train(made, corpus):
        pass
    return made


def test_points_on_nearly_straight_lines_are_left_out() -> None:
    stroke = np.array([[0.0, 0.0], [1, 0.1], [2, 0], [2, 1], [2, 2]])
    ink = Ink((stroke, stroke[:1]), times=(np.arange(5.0), np.zeros(1)))
    found = simplified(ink, 0.2)
    assert found.strokes[0].tolist() == [[0, 0], [2, 0], [2, 2]] and len(found.strokes[1]) == 1
    assert found.times is not None and found.times[0].tolist() == [0, 2, 4]
    assert len(simplified(ink, 0.05).strokes[0]) == 4
    long = np.stack([np.arange(3 * MOST_COMPARED), np.arange(3 * MOST_COMPARED) % 2], axis=1)
    assert len(simplified(Ink((long * 1.0,)), 2.0).strokes[0]) <= 8


points = st.tuples(st.integers(0, 30), st.integers(0, 30))


@settings(max_examples=80, deadline=None)
@given(st.lists(points, min_size=1, max_size=20), st.sampled_from([0.0, 0.5, 4.0]))
def test_no_point_is_left_out_far_from_the_line(made: list, tolerance: float) -> None:
    stroke = np.array(made, float)
    kept = simplified(Ink((stroke,)), tolerance).strokes[0]
    assert kept[0].tolist() == stroke[0].tolist() and kept[-1].tolist() == stroke[-1].tolist()
    begin, step = kept[:-1], np.diff(kept, axis=0)
    for point in stroke if len(kept) > 1 else stroke[:0]:
        share = ((point - begin) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), 1e-300)
        nearest = begin + np.clip(share, 0, 1)[:, None] * step
        assert np.hypot(*(nearest - point).T).min() <= tolerance + 1e-9


def test_long_lines_are_divided() -> None:
    stroke = np.array([[0.0, 0.0], [3, 0], [3, 0], [3, 1], [3, 3.5]])
    found = with_lines_divided(Ink((stroke, stroke[:1])), 1.0)
    across = [0, 1, 2, 3, 3, 3, 3, 3, 3]
    down = [0, 0, 0, 0, 0, 1, 1 + 2.5 / 3, 1 + 5 / 3, 3.5]
    np.testing.assert_allclose(found.strokes[0].T, [across, down])
    far = with_lines_divided(Ink((np.array([[0.0, 0.0], [1e9, 0.0]]),)), 1e-6)
    assert far.points <= 1_000_002


@pytest.mark.parametrize("factor", [1e-6, 0.03, 40.0, 1e6])
def test_a_begun_drawing_of_any_unit_gets_the_size_of_the_corpus(factor: float) -> None:
    for strokes in (1, 2, 3):
        begun = Ink(tuple(part * factor + 7 for part in house(99).strokes[:strokes]))
        mended = CODEC.mend_prompt(begun, "skip")
        sizes = [Ink(ink.strokes[:strokes]).size for ink in HOUSES]
        assert not mended.changes
        assert mended.piece.size == pytest.approx(np.median(sizes), rel=0.01)
        assert mended.piece.given is begun


def test_a_usual_size_stays() -> None:
    begun = Ink(house(99).strokes[:2])
    assert CODEC.mend_prompt(begun, "skip").piece.factor == 1


def test_the_points_become_like_those_of_the_corpus() -> None:
    curve = np.stack([np.arange(400.0), 60 * np.sin(np.arange(400) / 60)], axis=1)
    corpus = [simplified(Ink((curve + seed,)), 4) for seed in range(5)]
    codec = PointsCodec.fit(corpus, PointOptions(draw=20, move=5))
    thinned = codec.mend_prompt(Ink((curve * 9,)), "skip").piece
    assert abs(thinned.points - corpus[0].points) <= 4
    # A corpus of dense points gets lines of many points.
    dense = PointsCodec.fit([Ink((curve,))] * 5, PointOptions(draw=20, move=5))
    line = dense.mend_prompt(Ink((np.array([[0.0, 0.0], [9.0, 0.0]]),)), "skip").piece
    assert line.points > 200


def test_nothing_to_measure_stays_as_it_is() -> None:
    dot = Ink((np.zeros((3, 2)),))
    assert CODEC.mend_prompt(dot, "nearest").piece is dot
    assert Usual.from_state(json.loads(json.dumps(CODEC.usual.state()))) == CODEC.usual


def test_a_drawing_begun_in_svg_comes_back_exactly_and_goes_on(
    run: seqgen.Run, tmp_path: Path, command
) -> None:
    wall, roof, _ = house(77, scale=13.7).strokes
    data = [f'<path d="M{" ".join(f"{x!r},{y!r}" for x, y in s.tolist())}"/>' for s in (wall, roof)]
    (tmp_path / "begun.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2000 2000" fill="none" stroke="red">'
        f"{''.join(data)}</svg>"
    )
    arguments = ("--prompt", tmp_path / "begun.svg", "--given", "class=house", "-n", 4)
    assert command("generate", run.folder, *arguments, "-o", tmp_path / "out") == 0
    more = 0
    for number in range(1, 5):
        [ink] = DOMAIN.read(tmp_path / "out" / f"handwriting-{number}.svg")
        for stroke, mine in zip(ink.strokes, (wall, roof), strict=False):
            np.testing.assert_array_equal(stroke, mine)
        # The pen was lifted, so a new stroke begins elsewhere.
        assert all(stroke[0].tolist() != roof[-1].tolist() for stroke in ink.strokes[2:])
        more += len(ink.strokes) - 2
        # What is added is of the size of the beginning, and near it.
        assert ink.size < 3 * Ink((wall, roof)).size
    assert more >= 2


def test_a_stroke_that_goes_on_begins_where_the_last_one_ends() -> None:
    begun = Ink(tuple(part * 50 for part in house(5).strokes[:1]))
    fit = CODEC.mend_prompt(begun, "skip").piece
    assert isinstance(fit, Begun)
    ids = CODEC.encode(fit)
    drawn = int(np.flatnonzero(CODEC.pen.mask(0))[0])
    new = CODEC.keep(fit, np.append(ids, [drawn, drawn]), len(ids))
    np.testing.assert_array_equal(new.strokes[0], begun.strokes[0])
    assert len(new.strokes) == 2 and len(new.strokes[1]) == 3
    np.testing.assert_array_equal(new.strokes[1][0], begun.strokes[0][-1])
    # An excerpt of a drawing keeps the points that the model read.
    cut = CODEC.keep(fit, ids[:2], 2)
    np.testing.assert_allclose(cut.strokes[0], begun.strokes[0][:3])
    plain = CODEC.keep(house(5), CODEC.encode(house(5)), len(CODEC.encode(house(5))))
    for stroke, mine in zip(plain.strokes, house(5).strokes, strict=True):
        np.testing.assert_array_equal(stroke, mine)


@pytest.mark.parametrize("kind", ["points", "grid", "polar"])
def test_the_pen_is_lifted_after_a_begun_drawing(kind: str) -> None:
    made = {
        "points": PointOptions(draw=60, move=20),
        "grid": GridOptions(),
        "polar": PolarOptions(),
    }
    codec = DOMAIN.codecs[kind].fit(HOUSES, made[kind])
    begun = codec.mend_prompt(Ink(house(5).strokes[:1]), "skip").piece
    ids = codec.encode(begun)
    lifts, ends = codec.pen.mask(MOVE, MOVE_LENGTH), len(codec.vocab)
    for count in (len(ids), len(ids) - codec.tokens_per_step):
        tracker = codec.tracker()
        for token in ids[:count].tolist():
            tracker.push(token)
        before = tracker.allowed()
        tracker.prompted(begun)
        if count < len(ids):
            # Of an excerpt the stroke is not over.
            np.testing.assert_array_equal(tracker.allowed(), before)
            continue
        # Compiled code follows too; a direction first, for `polar`.
        _, table, state, size = tracker.followed()
        state, possible = state.copy(), np.ones(size + 1, bool)
        allowed = tracker.allowed()
        assert allowed[ends] and allowed[:-1].any()
        while not (allowed[:-1] <= lifts[:-1]).all():
            token = int(np.flatnonzero(allowed)[0])
            assert codec.pen.actions[token] == ANGLE
            tracker.push(token)
            features = np.zeros(len(codec.feature_sizes), np.int64)
            mask = np.ones(size + 1, bool)
            _step(table, state, token, -1, features, possible, mask)
            allowed = tracker.allowed()
            np.testing.assert_array_equal(mask, allowed)
            assert features.tolist() == list(tracker.features())
        lift = int(np.flatnonzero(allowed[:-1])[0])
        mask = np.ones(size + 1, bool)
        _step(table, state, lift, -1, np.zeros(9, np.int64), possible, mask)
        tracker.push(lift)
        np.testing.assert_array_equal(mask, tracker.allowed())
        assert mask.sum() > lifts.sum()


def test_classes_of_quickdraw_are_drawn_apart(run: seqgen.Run) -> None:
    assert [label.name for label in run.codec.labels] == ["class"]
    for word, strokes in (("house", 3), ("ring", 1)):
        drawn = seqgen.generate(run, 8, condition=f"class={word}", seed=3)
        counts = [len(content_of(new.piece).strokes) for new in drawn]
        assert np.median(counts) == strokes, counts
