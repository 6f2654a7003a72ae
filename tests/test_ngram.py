import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from seqgen.data import spans
from seqgen.data.batches import IGNORE, held_out_stream
from seqgen.data.lanes import Steps
from seqgen.evaluation import ngram
from seqgen.evaluation.ngram import NgramModel, baseline, uniform_nats
from seqgen.grammar import packed
from seqgen.vocab import Vocab

VOCAB = Vocab.of("abc")
PIECE = st.lists(st.integers(0, 2), min_size=1, max_size=12)
PIECES = st.lists(PIECE, min_size=1, max_size=4)


def reference(train: list[list[int]], order: int, context: list[int], target: int) -> float:
    """Interpolate Witten-Bell counts, one n-gram at a time."""
    if order == 0:
        return 1 / VOCAB.targets
    followers = []
    for piece in train:
        padded = [VOCAB.start] * (order - 1) + piece + [VOCAB.end]
        for at in range(order - 1, len(padded)):
            if padded[at - order + 1 : at] == context:
                followers.append(padded[at])
    shorter = reference(train, order - 1, context[1:], target)
    if not followers:
        return shorter
    different = len(set(followers))
    return (followers.count(target) + different * shorter) / (len(followers) + different)


# The first call compiles.
@settings(deadline=None)
@given(PIECES, PIECES, st.integers(1, 4))
def test_the_ngram_model_is_the_reference(train, held_out, order) -> None:
    model = NgramModel(VOCAB, order).fit([np.array(piece) for piece in train])
    for piece in held_out:
        got = model.losses(np.array(piece))
        padded = [VOCAB.start] * (order - 1) + piece + [VOCAB.end]
        for at, loss in enumerate(got):
            context = padded[at : at + order - 1]
            wanted = reference(train, order, context, padded[at + order - 1])
            assert math.exp(-loss) == pytest.approx(wanted)
        assert model.nats(np.array(piece)) == pytest.approx(got[:-1].sum())


@settings(deadline=None)
@given(PIECES, PIECE)
def test_lower_orders_come_from_the_same_tables(train, piece) -> None:
    train, piece = [np.array(each) for each in train], np.array(piece)
    largest = NgramModel(VOCAB, 5).fit(train)
    for order in (4, 2, 1):
        largest.shorten(order)
        alone = NgramModel(VOCAB, order).fit(train)
        assert np.array_equal(largest.losses(piece), alone.losses(piece))


@settings(deadline=None)
@given(PIECES, st.lists(st.integers(0, 3), max_size=8))
def test_every_context_gives_a_distribution(train, before) -> None:
    model = NgramModel(VOCAB, 3).fit([np.array(piece) for piece in train])
    inputs = np.array([VOCAB.start, *before])
    targets = np.full(len(inputs), IGNORE)
    total = np.zeros(3)
    for target in range(VOCAB.targets):
        targets[-1] = target
        total += model.read(inputs, targets, learn=False)[-1]
    assert total == pytest.approx(np.ones(3))


def test_pairs_are_interpolated_by_hand() -> None:
    model = NgramModel(VOCAB, 2).fit([np.array([0, 1, 0, 1])])
    pair, single = model.log_probabilities([np.array([0, 1]), np.array([0])])
    assert np.exp(pair).sum(axis=1) == pytest.approx(1)
    # After 0 came 1, twice; of five in all, two were 1, and three were different.
    below = (2 + 3 / 4) / (5 + 3)
    assert np.exp(single[1, 1]) == pytest.approx((2 + below) / 3)


@settings(deadline=None)
@given(PIECES, PIECES, st.integers(1, 4))
def test_distributions_hold_the_loss_of_every_id(train, held_out, order) -> None:
    model = NgramModel(VOCAB, order).fit([np.array(piece) for piece in train])
    pieces = [np.array(piece) for piece in held_out]
    for ids, found in zip(pieces, model.log_probabilities(iter(pieces)), strict=True):
        assert found.shape == (len(ids) + 1, VOCAB.targets)
        targets = np.append(ids, VOCAB.end)
        assert np.array_equal(-found[np.arange(len(targets)), targets], model.losses(ids))


def test_reading_in_parts_and_after_growing_is_the_same(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    vocab = Vocab.of([str(number) for number in range(50)])
    piece = rng.integers(0, 50, 4000)
    whole = NgramModel(vocab, 4).fit([piece])
    monkeypatch.setattr(ngram, "CHUNK", 37)
    parts = NgramModel(vocab, 4).fit([piece])
    assert np.array_equal(whole.losses(piece), parts.losses(piece))


def test_a_token_is_counted_after_it_is_predicted() -> None:
    model, fresh = NgramModel(VOCAB, 2), 1 / VOCAB.targets
    first, second = (model.read(np.array([0, 0]), np.array([1, 1]), learn=True)[:, 1]).tolist()
    assert first == fresh and second > fresh
    before = model.losses(np.array([0, 1]))
    assert np.array_equal(model.losses(np.array([0, 1])), before)


def test_the_baseline_is_the_best_order_on_validation(corpus) -> None:
    found = baseline(corpus)
    losses = {}
    for order in range(1, ngram.LONGEST + 1):
        train = [corpus.piece(segment.piece) for segment in corpus.segments("train")]
        model = NgramModel(corpus.vocab, order).fit(train)
        held_out = [corpus.piece(segment.piece) for segment in corpus.segments("valid")]
        costs = np.concatenate([model.losses(piece) for piece in held_out])
        losses[order] = costs.mean()
    assert found.order == min(losses, key=losses.__getitem__) == found.model.order
    assert found.nats_per_token == pytest.approx(losses[found.order])
    assert found.tokens == corpus.size("train")


def test_the_baseline_predicts_the_end_of_a_piece_from_what_comes_before(tmp_path) -> None:
    text = "one thing and another thing and one more thing. " * 20
    (tmp_path / "a.txt").write_text(text)
    corpus = seqgen.prepare("text", [tmp_path / "a.txt"], tmp_path / "corpus")
    found = baseline(corpus)
    ids = corpus.piece(0).astype(np.int64)
    [segment] = corpus.segments("valid")
    # END belongs to the test split, which is the end of the piece.
    costs = found.model.losses(ids)[segment.start : segment.stop]
    assert len(costs) == corpus.size("valid")
    assert found.nats_per_token == pytest.approx(costs.mean())


@pytest.mark.parametrize("forbidden", [range(3), range(4, 20), range(3, 50), [*range(1, 50)]])
def test_the_allowed_ids_share_the_probability(forbidden) -> None:
    """Many are forbidden or few, and these may be nearly all that comes."""
    rng = np.random.default_rng(0)
    vocab = Vocab.of([str(number) for number in range(50)])
    # Nearly all ids are below 3.
    piece = np.where(rng.random(20_000) < 0.9999, rng.integers(0, 3, 20_000), 7)
    model = NgramModel(vocab, 3).fit([piece])
    ids = np.array([0, 1, 2, 7, 0, 1])
    everything = np.exp(next(model.log_probabilities([ids])))  # (N + 1, V')
    mask = ~np.isin(np.arange(vocab.targets), forbidden)
    targets = np.full(len(ids) + 1, np.flatnonzero(mask)[0])
    inputs = np.array([vocab.start, *ids])
    allowed = np.tile(packed(mask), (len(inputs), 1))
    found = model.read(inputs, targets, allowed, learn=False)[:, -1]
    wanted = everything[:, targets[0]] / everything[:, mask].sum(axis=1)
    assert found == pytest.approx(wanted, rel=1e-9)


def test_even_guesses_count_the_allowed_ids() -> None:
    rng, count = np.random.default_rng(0), 21
    masks = rng.random((200, count)) < 0.5
    targets = np.where(rng.random(200) < 0.2, IGNORE, rng.integers(0, count, 200))
    wanted = [
        np.log(row.sum() if row[target] else count)
        for row, target in zip(masks, targets, strict=True)
        if target != IGNORE
    ]
    steps = Steps(np.zeros(200, np.int64), targets, np.zeros((200, 0), np.int64), packed(masks))
    assert uniform_nats(steps, count) == pytest.approx(sum(wanted))


def test_what_is_counted_is_what_lanes_read(corpus) -> None:
    everything = corpus.segments("train").repeated(corpus.weights, 0, 0)
    [lanes] = held_out_stream(corpus, everything, 1, 2 * (corpus.size("train") + len(everything)))
    inputs, targets = map(np.concatenate, zip(*ngram.training_steps(corpus), strict=True))
    assert np.array_equal(lanes.inputs[0, : len(inputs)], inputs)
    assert np.array_equal(lanes.targets[0, : len(inputs)], targets)
    assert (lanes.targets[0, len(inputs) :] == IGNORE).all()


def test_large_masks_are_read_in_small_parts(tmp_path, monkeypatch) -> None:
    text = "one thing and another thing and one more thing. " * 20
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", {"train": [text]}, codec="words")
    whole = baseline(corpus)
    monkeypatch.setattr(spans, "MASK_BYTES", 7 * corpus.mask_width)
    [span] = spans.spans_of(corpus, corpus.segments("train"))
    assert max(len(steps.inputs) for steps in span.chunks(1000)) == 7
    assert baseline(corpus).nats_per_token == whole.nats_per_token


def test_the_baseline_reads_no_more_than_it_may(corpus, monkeypatch) -> None:
    monkeypatch.setattr(ngram, "CHUNK", 100)
    monkeypatch.setattr(ngram, "COUNTED", 200)
    found = baseline(corpus)
    steps = list(ngram.training_steps(corpus))
    assert sum(len(inputs) for inputs, _ in steps) == 200
    targets = np.concatenate([targets for _, targets in steps])
    assert found.tokens == np.isin(targets, range(len(corpus.vocab.names))).sum()


def test_a_full_table_counts_no_more_and_still_predicts(monkeypatch) -> None:
    monkeypatch.setattr(ngram, "MOST_SLOTS", 2**13)
    model = NgramModel(Vocab.of([str(number) for number in range(1000)]), 3)
    pieces = np.random.default_rng(0).integers(0, 1000, (100, 100))
    model.fit(pieces)
    taken, rest = divmod(model.counted, 100)
    assert 0 < taken < len(pieces) and not rest
    costs = [model.losses(piece).mean() for piece in pieces]
    assert max(costs[:taken]) < min(costs[taken:])


def test_where_nothing_is_held_out_training_pieces_stand_in(tmp_path) -> None:
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", {"train": ["abcabc"]})
    assert baseline(corpus).nats_per_token > 0
