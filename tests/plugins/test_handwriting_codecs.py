"""Codecs of pen strokes, dictation, and likelihoods."""

import string
import unicodedata
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from weakref import ref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_handwriting import demo
from seqgen_handwriting.codecs import sample
from seqgen_handwriting.codecs.codebook import Books, k_means
from seqgen_handwriting.codecs.grid import GridCodec, GridOptions
from seqgen_handwriting.codecs.pen_states import LEVEL
from seqgen_handwriting.codecs.points import PointOptions, PointsCodec
from seqgen_handwriting.codecs.polar import PolarCodec, PolarOptions
from seqgen_handwriting.demo import Writer, demo_lines, write_line
from seqgen_handwriting.demo_glyphs import (
    ACCENTED,
    ALPHABETS,
    BASELINE,
    BELOW,
    HEIGHT,
    SIGNS,
    SMALL_LETTER,
    glyphs_of,
)
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files.json_files import read_json
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.likelihood import (
    WIDENING,
    D,
    cell_nats,
    ink_nats,
    mixture,
    soft_nats,
)

from seqgen.conditions.dictation_states import DONE
from seqgen.config import ModelConfig
from seqgen.conformance import codecs, trackers
from seqgen.conformance.subject import Subject
from seqgen.errors import ConfigError, DataError
from seqgen.evaluation import loss, predictor
from seqgen.evaluation.ngram import NgramModel
from seqgen.evaluation.predictor import NetworkPredictor
from seqgen.grammar import unpacked
from seqgen.network.model import SequenceModel
from seqgen.plugin import DomainSpec
from seqgen.plugins.checks import next_mask
from seqgen.vocab import Vocab

SMALL = {
    PointsCodec: PointOptions(draw=60, move=20),
    GridCodec: GridOptions(),
    PolarCodec: PolarOptions(directions=48, lengths=32),
}
CODECS = pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.__name__)

#: What of the contract concerns a codec alone.
PROMISES = [
    *(codecs.fits_in_any_order, codecs.names_its_tokens, codecs.encodes_into_its_vocabulary),
    *(codecs.round_trips, codecs.decodes_all_of_its_tokens, codecs.saves_its_state),
    *(codecs.augments_within_its_vocabulary, trackers.has_features_in_range),
    *(trackers.has_features_of_the_past, trackers.tracks_its_features),
    *(trackers.allows_real_pieces, trackers.always_allows_something, codecs.continues_pieces),
    *(trackers.masks_as_it_tracks, trackers.follows_as_it_tracks),
]

LINES = list(demo_lines(60))[::5]


def drawings(count: int) -> list[Ink]:
    """Make drawings of a wavy line, an arc and a dot."""
    rng = np.random.default_rng(3)
    made = []
    for _ in range(count):
        steps = rng.normal([6, 0], 4, (30, 2)).cumsum(axis=0)
        angles = np.linspace(0, rng.uniform(2, 6), 20)
        arc = rng.uniform(20, 60) * np.stack([np.cos(angles), np.sin(angles)], 1)
        made.append(Ink((steps, arc + rng.normal(0, 50, 2), rng.normal(0, 50, (1, 2)))))
    return made


DRAWINGS = drawings(12)
FITTED = {
    (kind, corpus): kind.fit(pieces, options)
    for kind, options in SMALL.items()
    for corpus, pieces in (("lines", LINES), ("drawings", DRAWINGS))
}


@CODECS
@pytest.mark.parametrize("corpus", ["lines", "drawings"])
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_contract(kind, corpus: str, promise, tmp_path: Path) -> None:
    pieces = LINES[:3] if corpus == "lines" else DRAWINGS[:3]
    codec = FITTED[kind, corpus]
    spec = DomainSpec("handwriting", "ink", (".json",), "no:module", contract=2)
    ids = [codec.encode(piece) for piece in pieces]
    promise(Subject("handwriting", spec, None, "any", codec, pieces, ids), tmp_path)


@CODECS
def test_text_and_letters_come_back(kind) -> None:
    codec = FITTED[kind, "lines"]
    for line in LINES:
        again = codec.decode(codec.encode(line))
        assert again.text == line.text
        assert [len(stroke) for stroke in again.strokes] == [len(each) for each in line.strokes]
        for found, expected in zip(again.letters, line.letters, strict=True):
            np.testing.assert_array_equal(found, expected)


@CODECS
@pytest.mark.parametrize("corpus", ["lines", "drawings"])
def test_what_any_ids_draw_is_kept_by_the_next_encoding(kind, corpus: str) -> None:
    codec = FITTED[kind, corpus]
    rng = np.random.default_rng(5)
    for length in (40, 80, 300):
        for _ in range(5):
            ids = codec.encode(codec.decode(rng.integers(0, len(codec.vocab), length)))
            np.testing.assert_array_equal(codec.encode(codec.decode(ids)), ids)


coordinates = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1e8, 1e8),
    st.floats(-1e-9, 1e-9),
)
strokes = st.lists(
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=6).map(np.array),
    min_size=1,
    max_size=5,
)


@CODECS
@settings(max_examples=60, deadline=None)
@given(parts=strokes)
def test_nasty_ink_keeps_its_strokes(kind, parts: list[np.ndarray]) -> None:
    codec, ink = FITTED[kind, "drawings"], Ink(tuple(parts))
    if ink.points < 2:
        with pytest.raises(DataError, match="two points"):
            codec.encode(ink)
        return
    ids = codec.encode(ink)
    again = codec.decode(ids)
    assert [len(stroke) for stroke in again.strokes] == [len(part) for part in parts]
    np.testing.assert_array_equal(codec.encode(again), ids)
    varied = codec.augment(ids, np.random.default_rng(0))
    assert len(varied) <= len(ids) and (varied < len(codec.vocab)).all()
    tracker = codec.tracker()
    for token in ids:
        assert tracker.allowed()[token]
        tracker.push(int(token))


@CODECS
def test_errors_do_not_add_up(kind) -> None:
    rng = np.random.default_rng(1)
    turns = rng.normal(0, 0.4, 3000).cumsum()
    way = 0.05 * np.stack([np.cos(turns), np.sin(turns)], 1).cumsum(axis=0)
    # Small steps in a codebook for a drawing of side 1: many of them, and far from home.
    ink = Ink((np.concatenate([[[0.0, 0.0]], way]),))
    codec = kind.fit([ink], SMALL[kind])
    off = np.hypot(*(codec.decode(codec.encode(ink)).strokes[0] - ink.strokes[0]).T)
    assert off[2000:].max() < 2 * off[1:1000].max()


def test_errors_are_those_of_the_pieces_it_was_fitted_on() -> None:
    codec = FITTED[PointsCodec, "drawings"]
    assert codec.error == codec.reconstruction_error(map(codec.trace, DRAWINGS))
    fine = PointsCodec.fit(DRAWINGS, PointOptions(draw=240, move=24))
    assert fine.error[0] < codec.error[0] < codec.error[1]
    assert FITTED[PolarCodec, "drawings"].error[0] < FITTED[GridCodec, "drawings"].error[0]


def test_the_median_side_counts_as_one() -> None:
    pieces = [Ink((np.array([[0.0, 0.0], [side, 1.0]]),)) for side in (4.0, 5.0, 900.0)]
    assert PointsCodec.fit(pieces, PointOptions()).scale == 5.0


def test_there_are_no_more_codes_than_steps() -> None:
    square = Ink((np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]),))
    codec = PointsCodec.fit([square], PointOptions())
    assert len(codec.steps.draw) == 4
    assert codec.error == (0.0, 0.0)
    # The pen was never lifted; it can be all the same.
    again = codec.decode(codec.encode(Ink((square.strokes[0], square.strokes[0] + 1))))
    assert [len(stroke) for stroke in again.strokes] == [5, 5]


def test_centres_are_where_the_points_are() -> None:
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    points = np.repeat(middles, 200, axis=0) + rng.normal(0, 0.01, (800, 2))
    centres = k_means(points, 4)
    assert np.abs(centres - middles[np.lexsort(middles.T[::-1])]).max() < 0.01
    np.testing.assert_array_equal(k_means(rng.permutation(points), 4), centres)


def test_variations_keep_strokes_letters_and_text() -> None:
    codec = FITTED[PointsCodec, "lines"]
    lengths = set()
    broken = 0
    for seed in range(20):
        line = LINES[seed % len(LINES)]
        varied = codec.decode(codec.augment(codec.encode(line), np.random.default_rng(seed)))
        assert varied.text.replace("\n", " ") == line.text
        assert len(varied.strokes) == len(line.strokes)
        lengths.add(line.points - varied.points)
        broken += varied.text.count("\n")
    assert min(lengths) >= 0 and len(lengths) > 1 and broken


def assert_masks_are_those_of_the_tracker(codec, ids: np.ndarray) -> np.ndarray:
    """Compare `masks` with the tracker at every position; return them as bool (N + 1, V + 1)."""
    masks, tracker = unpacked(codec.masks(ids), len(codec.vocab) + 1), codec.tracker()
    for position, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, next_mask(codec, tracker), str(position))
        if position < len(ids):
            tracker.push(int(ids[position]))
    return masks


@CODECS
@pytest.mark.parametrize("corpus", ["lines", "drawings"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_masks_are_those_of_the_tracker_after_any_ids(kind, corpus: str, data) -> None:
    codec, pen = FITTED[kind, corpus], FITTED[kind, corpus].pen
    # A few ids of each action, so that letters are begun, left and announced in any order.
    kinds = [np.flatnonzero(pen.actions == action)[-3:] for action in range(7)]
    token = st.sampled_from([part for part in kinds if len(part)]).flatmap(st.sampled_from)
    ids = np.array(data.draw(st.lists(token, max_size=40)), np.int64)
    assert_masks_are_those_of_the_tracker(codec, ids)


@CODECS
@pytest.mark.parametrize("corpus", ["lines", "drawings"])
def test_masks_allow_real_pieces_and_their_variations(kind, corpus: str) -> None:
    codec, end = FITTED[kind, corpus], len(FITTED[kind, corpus].vocab)
    for seed, piece in enumerate(LINES[:4] if corpus == "lines" else DRAWINGS):
        ids, rng = codec.encode(piece), np.random.default_rng(seed)
        # A drawing is allowed in a corpus of lines as well, and the rest of a piece that was cut.
        drawing = codec.encode(replace(piece, text="", letters=None))
        rest = codec.continuation(ids, int(rng.integers(1, len(ids))))
        for whole in (ids, codec.augment(ids, rng), drawing, rest):
            masks = assert_masks_are_those_of_the_tracker(codec, whole)
            assert masks[np.arange(len(whole) + 1), np.append(whole, end)].all()
            cut = int(rng.integers(len(whole)))
            np.testing.assert_array_equal(
                codec.masks(whole[:cut]), codec.masks(whole)[: cut + 1], "looks ahead"
            )


@CODECS
def test_masks_tell_the_situations_of_a_word_apart(kind) -> None:
    codec = FITTED[kind, "lines"]
    pen = codec.dictation
    steps = codec.encode(DRAWINGS[0])[: codec.tokens_per_step].tolist()
    word = [
        *pen.announce("at ")[0],
        *steps,
        pen.advance,
        *steps,
        pen.advance,
        pen.advance,
    ]
    ids = [*word, *steps]
    aim, draw = ("direction",) if kind is PolarCodec else ("draw", "move"), codec.vocab
    groups = {"symbol": "symbol", "advance": "advance", "END": "END"} | {
        name.split()[0]: "step" for name in draw if name.startswith(aim)
    }
    found = [
        {groups.get(name.split()[0], "length") for name in np.array([*draw, "END"])[mask]}
        for mask in assert_masks_are_those_of_the_tracker(codec, np.array(ids))
    ]
    length = [{"length"}] * (codec.tokens_per_step - 1)
    assert found == [
        {"step", "symbol"},  # nothing yet
        *[{"symbol", "advance"}] * 3,  # a, t and the blank are announced
        # The first point of a piece has no token: it belongs to a. t has no point yet.
        *[{"step", "advance"}, *length, {"step", "advance"}],
        *[{"step"}, *length, {"step", "advance"}],
        *[{"advance"}, {"step", "symbol", "END"}],  # the blank, and the end of the word
        *[*length, {"step", "symbol", "END"}],
    ]


@CODECS
def test_places_are_strokes_and_points_of_them(kind) -> None:
    codec, ink = FITTED[kind, "drawings"], DRAWINGS[0]
    ids = codec.encode(ink)
    # Of two tokens per point the second makes it.
    made = range(1 if kind is PolarCodec else 0, len(ids), len(ids) // (ink.points - 1))
    expected = [
        f"stroke {stroke}, point {point}"
        for stroke, part in enumerate(ink.strokes, 1)
        for point in range(1, len(part) + 1)
    ]
    assert [codec.place(ids, at) for at in made] == expected[1:]


def test_no_variation_is_wanted() -> None:
    codec = PointsCodec.fit(DRAWINGS, replace(SMALL[PointsCodec], vary=0.0))
    ids = codec.encode(DRAWINGS[0])
    np.testing.assert_array_equal(codec.augment(ids, np.random.default_rng(0)), ids)
    with pytest.raises(ConfigError, match="vary"):
        PointOptions(vary=-1)


def write_at_random(codec, tracker, seed: int, hurry: bool = False) -> list[int]:
    """Draw what the tracker lets come, until the end; ADVANCE whenever it may come, if wanted."""
    rng, ids, end = np.random.default_rng(seed), [], len(codec.vocab)
    while len(ids) < 5000:
        token = tracker.forced()
        if token is None:
            allowed = np.flatnonzero(tracker.allowed())
            token = int(rng.choice(allowed))
            if codec.pen.dictation.advance in allowed and (hurry or rng.random() < 0.2):
                token = codec.pen.dictation.advance
        if token == end:
            return ids
        tracker.push(token)
        ids.append(token)
    raise AssertionError("there is no end")


@CODECS
@pytest.mark.parametrize("hurry", [False, True])
def test_a_sentence_is_spelled_to_its_end(kind, hurry: bool) -> None:
    codec = FITTED[kind, "lines"]
    letters = [letter for letter in codec.pen.alphabet if not letter.isspace()]
    for seed in range(4):
        words = np.random.default_rng(seed).choice(letters, (4, 3))
        text = " ".join(map("".join, words))
        ids = write_at_random(codec, codec.tracker(text), seed, hurry)
        written = codec.decode(np.array(ids))
        assert written.text == text
        inked = {int(letter) for part in written.letters for letter in part}
        assert inked == {at for at, letter in enumerate(text) if letter != " "}


def test_what_is_given_comes_after_the_prompt() -> None:
    codec = FITTED[PointsCodec, "lines"]
    prompt, given = codec.encode(LINES[0]), LINES[1]
    tracker = codec.tracker(given)
    for token in prompt.tolist():
        tracker.push(token)
    ids = np.append(prompt, write_at_random(codec, tracker, 0))
    assert codec.decode(ids).text == f"{LINES[0].text}\n{given.text}"
    assert codec.decode(codec.continuation(ids, len(prompt))).text == given.text


def test_a_continuation_says_the_letters_that_are_left() -> None:
    codec = FITTED[PointsCodec, "lines"]
    ids = codec.encode(LINES[0])
    middle = len(ids) // 2
    left = codec.decode(codec.continuation(ids, middle)).text
    begun = codec.decode(ids[:middle]).text
    # The letter in the making is in both.
    assert begun[-1] == left[0] and begun[:-1] + left == LINES[0].text


def test_what_cannot_be_written_is_refused() -> None:
    writing, drawing = FITTED[PointsCodec, "lines"], FITTED[PointsCodec, "drawings"]
    with pytest.raises(DataError, match=r"symbols 'ß' at position 1, '£' at position 3"):
        writing.tracker("ß £")
    with pytest.raises(DataError, match="empty"):
        writing.tracker("  ")
    with pytest.raises(DataError, match="draws freely"):
        drawing.tracker("sheep")
    with pytest.raises(DataError, match=r"letters of .abcde. have to be spread"):
        writing.encode(Ink((np.arange(8.0).reshape(4, 2),), "abcde"))
    with pytest.raises(DataError, match="two points"):
        PointsCodec.fit([Ink((np.zeros((1, 2)),))], PointOptions())
    with pytest.raises(DataError, match="different places"):
        PointsCodec.fit([Ink((np.zeros((3, 2)),))], PointOptions())


def test_a_large_corpus_is_learned_from_a_sample_but_for_its_letters(monkeypatch) -> None:
    monkeypatch.setattr(sample, "ENOUGH", 200)
    forth, back = sample.Sample(), sample.Sample()
    for line in LINES:
        forth.add(line)
    for line in LINES[::-1]:
        back.add(line)
    kept = forth.inks()
    assert kept == back.inks() and set(kept) < set(LINES)
    assert 200 <= sum(line.points for line in kept) < 200 + max(line.points for line in kept)
    codec = PointsCodec.fit(iter(LINES), SMALL[PointsCodec])
    assert codec.state() == PointsCodec.fit(LINES[::-1], SMALL[PointsCodec]).state()
    assert set(codec.max_points) == {"\n", *"".join(line.text for line in LINES)}
    for line in LINES:
        assert codec.decode(codec.encode(line)).text == line.text


def test_text_can_be_left_out() -> None:
    codec = PointsCodec.fit(LINES, replace(SMALL[PointsCodec], text="off"))
    assert not codec.pen.alphabet and len(codec.feature_sizes) == 5
    assert codec.most_tokens("some text") is None
    assert codec.decode(codec.encode(LINES[0])).text == ""


def test_a_dot_goes_with_the_letter_that_the_pen_had_got_to() -> None:
    parts = (np.array([[0.0, 0], [0, 9]]), np.array([[5.0, 0], [5, 9]]), np.array([[0.0, -5]]))
    ink = Ink(parts, "in", (np.array([0, 0]), np.array([1, 1]), np.array([0])))
    codec = PointsCodec.fit([ink], PointOptions())
    again = codec.decode(codec.encode(ink))
    assert [part.tolist() for part in again.letters] == [[0, 0], [1, 1], [1]]


def test_a_stray_point_on_a_blank_goes_with_the_letter_before() -> None:
    def ab(on_blank: int) -> Ink:
        parts = np.array([[0.0, 0], [0, 9]]), np.array([[1.0, 9]]), np.array([[5.0, 0], [5, 9]])
        letters = np.array([0, 0]), np.array([on_blank]), np.array([2, 2])
        return Ink(parts, "a b", letters)

    codec = PointsCodec.fit([ab(0), ab(0), ab(1)], SMALL[PointsCodec])
    assert codec.max_points[" "] == 0
    assert codec.encode(ab(0)).tolist() == codec.encode(ab(1)).tolist()


def test_a_mixture_of_one_is_the_normal_distribution() -> None:
    spread = np.array([[4e-4, 1e-4, 2e-4], [9e-4, 0.0, 9e-4]])
    books = Books(np.array([[0.1, -0.2]]), np.array([[1.0, 0.5]]), spread)
    over = np.array([[0.12, -0.19], [1.05, 0.45]])
    log_weights = np.log([[0.7, 0.3], [0.2, 0.8]])
    found = mixture(books, log_weights, over, np.array([False, True]))
    for row, (mean, (xx, xy, yy), weight) in enumerate(
        [(books.draw[0], spread[0], 0.7), (books.move[0], spread[1], 0.8)]
    ):
        covariance = WIDENING * np.array([[xx, xy], [xy, yy]]) + np.eye(2) * D**2 / 12
        off = over[row] - mean
        expected = -off @ np.linalg.solve(covariance, off) / 2
        expected -= np.log(2 * np.pi * np.sqrt(np.linalg.det(covariance)))
        assert found[row] == pytest.approx(expected + np.log(weight), abs=1e-12)


def test_a_mixture_is_a_density() -> None:
    books = FITTED[PointsCodec, "drawings"].steps
    codes = len(books.spread)
    axis = np.linspace(-3, 3, 301)
    grid = np.stack(np.meshgrid(axis, axis), 2).reshape(-1, 2)
    rng = np.random.default_rng(0)
    total = 0.0
    log_weights = np.log(rng.dirichlet(np.ones(codes)))
    # Wide enough for the grid that adds it up.
    books = replace(books, spread=np.maximum(books.spread, [1e-3, 0.0, 1e-3]))
    for lifted in (False, True):
        rows = np.broadcast_to(log_weights, (len(grid), codes))
        density = np.exp(mixture(books, rows, grid, np.full(len(grid), lifted)))
        total += density.sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=0.01)


def test_hard_nats_are_those_of_codes_and_cells() -> None:
    codec = FITTED[PointsCodec, "drawings"]
    size = len(codec.vocab)
    ids = codec.encode(DRAWINGS[0])
    uniform = np.full((len(ids) + 1, size + 1), -np.log(size + 1))
    found = ink_nats(codec, DRAWINGS[0], uniform)
    expected = (len(ids) + 1) * np.log(size + 1) + cell_nats(codec.steps)[ids].sum()
    assert found.hard == pytest.approx(expected)
    assert (found.drawings, found.points) == (1, DRAWINGS[0].points - 1)


def test_noise_takes_from_a_lattice_what_its_points_have_for_nothing() -> None:
    """Every code is sure of its point: with noise a density is worth no more than the square."""
    lattice = Ink((np.cumsum(np.tile([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]], (40, 1)), axis=0),))
    codec = PointsCodec.fit([lattice], PointOptions(draw=3, move=1, vary=0.0))
    ids = codec.encode(lattice)
    sure = np.full((len(ids) + 1, len(codec.vocab) + 1), -50.0)
    sure[np.arange(len(ids) + 1), np.append(ids, len(codec.vocab))] = 0.0
    exact = ink_nats(codec, lattice, sure).soft_per_point
    noisy = [
        ink_nats(codec, lattice, sure, np.random.default_rng(0)).soft_per_point for _ in range(2)
    ]
    assert exact < -0.5 and noisy[0] == noisy[1] and noisy[0] > 0


def test_announced_letters_are_given_and_advancing_counts() -> None:
    codec = FITTED[PointsCodec, "lines"]
    line, size = LINES[0], len(codec.vocab)
    ids = codec.encode(line)
    known = np.full((len(ids) + 1, size + 1), -1.0)
    rows = known.copy()
    dictation = codec.dictation
    rows[:-1][(ids >= dictation.first) & (ids < dictation.advance)] = -9.0
    one, other = (ink_nats(codec, line, each) for each in (known, rows))
    assert one.soft == other.soft
    rows[:-1][ids == codec.pen.dictation.advance] = -2.0
    more = ink_nats(codec, line, rows)
    assert more.soft - one.soft == pytest.approx(float((ids == codec.pen.dictation.advance).sum()))


def untrained(codec: PointsCodec) -> NetworkPredictor:
    """Return a small network that predicts."""
    torch.manual_seed(0)
    vocab = Vocab.of(codec.vocab)
    model = SequenceModel(ModelConfig(hidden=8, embedding=4), vocab, codec.feature_sizes)
    run = SimpleNamespace(folder="run", codec=codec, vocab=vocab, model=model)
    return NetworkPredictor(run, grammar=False)


def test_a_network_is_scored_alike_in_any_company(monkeypatch) -> None:
    codec = FITTED[PointsCodec, "drawings"]
    network = untrained(codec)
    pieces = [replace(ink, strokes=ink.strokes[:count]) for count in (1, 2, 3) for ink in DRAWINGS]
    together = soft_nats(codec, network, pieces)
    alone = [soft_nats(codec, network, [ink]) for ink in pieces]
    assert together.soft == pytest.approx(sum(each.soft for each in alone), rel=1e-5)
    assert together.hard == pytest.approx(sum(each.hard for each in alone), rel=1e-5)
    assert together.points == sum(ink.points - 1 for ink in pieces)
    monkeypatch.setattr(predictor, "HELD", 10_000)
    assert soft_nats(codec, network, pieces).soft == pytest.approx(together.soft, rel=1e-5)
    with pytest.raises(DataError, match="one token per point"):
        ink_nats(FITTED[PolarCodec, "drawings"], DRAWINGS[0], np.zeros((1, 1)))


def test_likelihoods_count_ids_that_the_grammar_forbids() -> None:
    codec = FITTED[PointsCodec, "lines"]
    ids = codec.encode(LINES[0])
    [found] = untrained(codec).log_probabilities([ids])
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)
    forbidden = ~unpacked(codec.masks(ids), len(codec.vocab) + 1)
    assert forbidden.any(axis=1).all() and (found[forbidden] > -10).all()


def test_drawings_are_scored_while_they_come(monkeypatch) -> None:
    monkeypatch.setattr(loss, "LANES", 4)
    given: list[ref[Ink]] = []

    def pieces():
        for ink in DRAWINGS * 3:
            copy = replace(ink)
            given.append(ref(copy))
            # Those before, and those that are read now.
            assert sum(each() is not None for each in given) <= 2 * 4
            yield copy

    codec = FITTED[PointsCodec, "drawings"]
    assert soft_nats(codec, untrained(codec), pieces()).drawings == 36


@CODECS
def test_codecs_of_one_token_a_point_have_likelihoods(kind) -> None:
    codec = FITTED[kind, "drawings"]
    network = untrained(codec)
    found = Handwriting().likelihoods(codec, network, iter(DRAWINGS))
    if kind is PolarCodec:
        assert found == {}
    else:
        nats = soft_nats(codec, network, DRAWINGS)
        assert list(found.values()) == [nats.soft_per_point, nats.soft_per_drawing]


def test_counting_beats_knowing_nothing() -> None:
    codec = FITTED[PointsCodec, "drawings"]
    vocab = Vocab.of(codec.vocab)
    counted = NgramModel(vocab, 2).fit([codec.encode(ink) for ink in DRAWINGS[:8]])
    nothing = NgramModel(vocab, 2)
    test = DRAWINGS[8:]
    assert soft_nats(codec, counted, test).soft < soft_nats(codec, nothing, test).soft


def test_the_level_of_a_line_is_known_from_its_letters() -> None:
    texts = ["happy bird", "dry gulch", "type by hand", "Pup glad by you", "hat lid gap"] * 4
    lines = [write_line(text, Writer.number(0), seed) for seed, text in enumerate(texts)]
    codec = PointsCodec.fit(lines, PointOptions())
    below = {letter: mean for letter, (mean, _) in codec.levels.items()}
    # Of an h about half of the points are those of its arch, so its mean is less high than an l.
    assert below["p"] > below["a"] + 0.02 and below["h"] < below["a"] - 0.05
    assert below["l"] < below["a"] - 0.1
    trace = codec.trace(lines[-1])
    states, _, followed = codec.pen._follow(codec.encode(lines[-1]))
    baseline = np.median([trace.points[trace.letters == at, 1].max() for at in (0, 1, 4, 9)])
    # From the second letter on, the level keeps its distance from the baseline.
    levels = states[followed.states[:, DONE] > 1, LEVEL]
    assert np.ptp(levels) < 0.12 and baseline - 0.6 < levels.mean() < baseline
    # All of it moves with the line.
    moved = replace(lines[-1], strokes=tuple(np.add(each, (0, 90)) for each in lines[-1].strokes))
    np.testing.assert_array_equal(codec.encode(moved), codec.encode(lines[-1]))


def test_lines_are_english_by_several_made_up_writers() -> None:
    again = list(demo_lines(60))[::5]
    assert len({line.writer for line in again}) == 5
    assert Handwriting().labels(again[0]) == {"writer": "1"}
    assert Handwriting().labels(replace(again[0], writer="")) == {}
    for line, same in zip(LINES, again, strict=True):
        assert line.text == same.text
        for one, two in zip(line.strokes, same.strokes, strict=True):
            np.testing.assert_array_equal(one, two)
        inked = {int(letter) for part in line.letters for letter in part}
        assert inked == {at for at, letter in enumerate(line.text) if letter != " "}


def test_pages_hold_the_lines(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(demo, "PAGES", 2)
    first, second = demo.write_pages(tmp_path)
    texts = [line.text for line in (*read_json(first), *read_json(second))]
    assert texts == [line.text for line in demo_lines(2 * demo.LINES)]
    assert demo.write_pages(tmp_path) == [first, second]


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_letters_have_their_accents(alphabet: str) -> None:
    glyphs = glyphs_of(alphabet)
    for letter in ACCENTED:
        base, accent = unicodedata.normalize("NFD", letter)
        drawn, plain = (np.concatenate(glyphs[one][0]) for one in (letter, base))
        height = (SMALL_LETTER / HEIGHT) * drawn[:, 1]
        if accent == BELOW:
            assert height.max() > BASELINE + 3 and drawn[:, 1].min() == plain[:, 1].min()
        elif base != "i":
            assert drawn[:, 1].min() < plain[:, 1].min() - 2
        assert glyphs[letter][1] == glyphs[base][1]
    # Every sign has ink of its own, and dashes are longer than the hyphen.
    assert len({tuple(np.concatenate(glyphs[sign][0]).ravel()) for sign in SIGNS}) == len(SIGNS)
    hyphen, dash, long_dash = (np.ptp(glyphs[sign][0][0][:, 0]) for sign in "-–—")
    assert hyphen < dash < long_dash


def test_the_demo_has_what_people_type() -> None:
    known = {letter for line in demo_lines(1200) for letter in line.text}
    assert known >= {*string.ascii_letters, *string.digits, *ACCENTED, *SIGNS, *".,;:?! "}


def test_the_same_writer_never_writes_twice_alike() -> None:
    first, second = (write_line("to be", Writer.number(0), seed) for seed in (0, 1))
    assert first.text == second.text
    assert not np.array_equal(first.strokes[0], second.strokes[0])
