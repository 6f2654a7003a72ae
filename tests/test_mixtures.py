"""Mixtures of adaptive scoring, against slow ones in plain Python."""

import copy
from collections import Counter, defaultdict

import numpy as np
import pytest

from seqgen.data.lanes import Steps, piece_steps
from seqgen.evaluation import match_model
from seqgen.evaluation.geometric_mixture import LEAST, LOWER, GeometricMixture
from seqgen.evaluation.geometric_mixture import LONGEST as ORDER
from seqgen.evaluation.linear_mixture import mix
from seqgen.evaluation.match_model import LONGEST, SHORTEST
from seqgen.evaluation.mixture_weights import FINAL_VARIANCE, GROWTH, VARIANCE, weights_of
from seqgen.evaluation.ngram import CountTable
from seqgen.evaluation.ngram_table import (
    COLUMNS,
    DISCOUNT,
    advance,
    count_all,
    open_context,
    spread,
)
from seqgen.grammar import packed
from seqgen.vocab import Vocab

VOCAB = Vocab.of("abAB .")
START, END, IDS = VOCAB.start, VOCAB.end, VOCAB.targets
#: "A" is a capital "a"; the last two are between words.
NUMBERS = (1, 2, 1, 2, 0, 0)


class Letters:
    """All that a mixture asks of a codec."""

    word_numbers = NUMBERS


def pieces() -> list[np.ndarray]:
    """Return pieces that hold repeats longer than the longest match, and much else."""
    rng = np.random.default_rng(0)
    block = rng.integers(0, 6, LONGEST + 8)
    made = [
        rng.integers(0, 6, 5),
        np.tile(block, 3),
        rng.integers(0, 6, 30),
        block[3:30],
        block[:0],
    ]
    return [np.asarray(piece, np.int64) for piece in made]


def steps_of(piece: np.ndarray, masked: bool, seed: int) -> tuple[Steps, np.ndarray]:
    """Return the steps of a piece, with random masks or none, and log-probabilities (T, 2, V')."""
    rng = np.random.default_rng(seed)
    inputs, targets = piece_steps(VOCAB, piece, 0, len(piece) + 1)
    count = len(inputs)
    masks = rng.random((count, IDS)) < 0.6
    # Most targets are allowed, some are alone, and some are forbidden.
    masks[np.arange(count), targets] |= rng.random(count) < 0.9
    alone = rng.random(count) < 0.1
    masks[alone] = np.arange(IDS) == targets[alone, None]
    allowed = packed(masks) if masked else np.zeros((count, 0), np.uint8)
    free = np.ones(count, bool) if not masked else ~masks[np.arange(count), targets]
    scores = rng.normal(0, 3, (count, 2, IDS))
    possible = masks | free[:, None]
    scores = np.where(possible[:, None], scores, -np.inf)
    networks = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return Steps(inputs, targets, np.zeros((count, 0), np.int64), allowed), networks


class Reference:
    """The geometric mixture, one dictionary and one formula at a time."""

    def __init__(self) -> None:
        self.came = [defaultdict(Counter), defaultdict(Counter)]  # whole, recent: context -> ids
        self.preceded = [defaultdict(set), defaultdict(set)]  # context and id -> ids before
        self.spelled = defaultdict(Counter)
        self.read: list[int] = []
        self.places: dict[tuple[int, ...], int] = {}
        self.right, self.tried = np.full(LONGEST + 1, 0.5), np.ones(LONGEST + 1)
        models = 2 + 1 + len(LOWER) + 1 + 3 + 1
        first = weights_of(models, VOCAB.size).weights[0]
        self.rows = defaultdict(lambda: [first.copy(), VARIANCE * np.eye(models)])
        self.final = [np.full(2, 0.5), FINAL_VARIANCE * np.eye(2)]
        self.open()

    def open(self) -> None:
        self.past = [START] * ORDER
        self.words, self.inside = [("gap",)] * 3, False

    def follow(self, token: int) -> None:
        """Read an id."""
        if token in (START, END):
            self.open()
        else:
            self.past.append(token)
            number = NUMBERS[token]
            if number:
                begun = self.words[0] if self.inside else ("word",)
                self.words[0] = (*begun, number)
            elif self.inside:
                self.words = [("gap", token), self.words[0], self.words[1]]
            else:
                self.words[0] = (*self.words[0], token)
            self.inside = number > 0
        self.read.append(token)
        self.length, self.guess = 0, -1
        key = tuple(self.read[-SHORTEST:])
        if len(key) == SHORTEST:
            place = self.places.get(key)
            self.places[key] = len(self.read)
            if place is not None:
                self.guess = self.read[place]
                pairs = zip(self.read[:place][::-1], self.read[::-1], strict=False)
                for self.length, (one, other) in enumerate(pairs):
                    if one != other or self.length == LONGEST:
                        break
                else:
                    self.length = place

    def ngrams(self, table: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Return Witten and Bell's distribution of each order, and Kneser and Ney's of the last."""
        plain = continued = np.full(IDS, 1 / IDS)
        orders = []
        for length in range(ORDER):
            context = tuple(self.past[len(self.past) - length :])
            followers = self.came[table].get(context)
            if followers:
                counts = np.array([followers[token] for token in range(IDS)], float)
                different = (counts > 0).sum()
                plain = (counts + different * plain) / (counts.sum() + different)
                if length < ORDER - 1:
                    counts = np.array(
                        [len(self.preceded[table][context, token]) for token in range(IDS)], float
                    )
                taken = np.maximum(counts - DISCOUNT, 0)
                continued = (taken + DISCOUNT * different * continued) / counts.sum()
            orders.append(plain)
            assert plain.sum() == pytest.approx(1) and continued.sum() == pytest.approx(1)
        return orders, continued

    def contexts(self) -> list[tuple]:
        return [tuple(self.words[: number + 1]) for number in range(3)]

    def given(self, networks: np.ndarray) -> np.ndarray:
        """Return what each model gives all ids ``(M, V')``."""
        orders, continued = self.ngrams(0)
        rows = [continued, *(orders[order - 1] for order in LOWER), self.ngrams(1)[1]]
        for context in self.contexts():
            counts = np.array([self.spelled[context][token] for token in range(IDS)], float)
            different = (counts > 0).sum()
            rows.append(
                (counts + different / IDS) / (counts.sum() + different)
                if different
                else np.full(IDS, 1 / IDS)
            )
        match = np.zeros(IDS)
        if self.length and self.guess < IDS:
            share = self.right[self.length] / self.tried[self.length]
            match[self.guess] = np.log(share / (1 - share) * (IDS - 1))
        return np.maximum([*networks, *np.log(rows), match], LEAST)

    def nats(self, steps: Steps, networks: np.ndarray, ids: list[np.ndarray]) -> list[float]:
        found = []
        for step, (token, target) in enumerate(zip(steps.inputs, steps.targets, strict=True)):
            self.follow(int(token))
            some = ids[step]
            given = self.given(networks[step])[:, some]
            rows = [self.rows[-1], self.rows[int(token)]]
            each = [weights @ given for weights, _ in rows]
            each = np.array([row - np.log(np.exp(row).sum()) for row in each])
            mixed = self.final[0] @ each
            mixed -= np.log(np.exp(mixed).sum())
            place = int(np.flatnonzero(some == target)[0])
            if len(some) > 1:
                found.append(-mixed[place])
                for (weights, variance), models, mixture in (
                    (self.final, each, mixed),
                    *((row, given, own) for row, own in zip(rows, each, strict=True)),
                ):
                    gradient = models[:, place] - models @ np.exp(mixture)
                    move = variance @ gradient
                    scale = 1 + move @ gradient
                    weights += move / scale
                    variance -= np.outer(move, move) / scale
                    if np.trace(variance) < len(weights) * VARIANCE:
                        variance *= GROWTH
            else:
                found.append(0.0)
            self.learn(int(target))
        return found

    def learn(self, target: int) -> None:
        for table in range(2):
            for length in range(ORDER):
                context = tuple(self.past[len(self.past) - length :])
                self.came[table][context][target] += 1
                left = self.past[len(self.past) - length - 1]
                self.preceded[table][context, target].add(left)
        for context in self.contexts():
            self.spelled[context][target] += 1
        if self.length:
            self.tried[self.length] += 1
            self.right[self.length] += self.guess == target


@pytest.mark.parametrize("masked", [False, True])
def test_the_geometric_mixture_is_the_reference(masked) -> None:
    mixture, reference = GeometricMixture(Letters(), VOCAB, 2), Reference()
    matched = 0
    for number, piece in enumerate(pieces()):
        steps, networks = steps_of(piece, masked, number)
        ids = [np.flatnonzero(np.isfinite(row[0])) for row in networks]
        mixture.forget()
        reference.open()
        got = mixture.nats(steps, networks)
        assert got == pytest.approx(reference.nats(steps, networks, ids), rel=1e-9)
        matched += reference.tried.sum() - LONGEST - 1
    assert matched > 20 and reference.tried[LONGEST] > 2


def test_probabilities_sum_to_one_at_every_step(monkeypatch) -> None:
    monkeypatch.setattr(match_model, "REMEMBERED", 2**6)  # The oldest tokens are overwritten.
    monkeypatch.setattr(match_model, "PLACES", 2**6)
    mixture = GeometricMixture(Letters(), VOCAB, 2)
    for number, piece in enumerate(pieces()):
        steps, networks = steps_of(piece, False, number)
        mixture.forget()
        for at in range(len(steps.inputs)):
            one = steps.cut(at, at + 1)
            total = 0.0
            for target in range(IDS) if at % 7 == 0 else ():
                guess = copy.deepcopy(mixture)
                [nats] = guess.nats(one._replace(targets=np.array([target])), networks[at : at + 1])
                total += np.exp(-nats)
            assert at % 7 or total == pytest.approx(1, abs=1e-12)
            mixture.nats(one, networks[at : at + 1])


def test_later_tokens_never_change_earlier_ones_and_parts_are_the_whole() -> None:
    piece = pieces()[1]
    steps, networks = steps_of(piece, False, 0)
    whole = GeometricMixture(Letters(), VOCAB, 2).nats(steps, networks)
    for at in (1, 30, 77, len(piece) - 1):
        changed = piece.copy()
        changed[at:] = (changed[at:] + 1) % 6
        other, _ = steps_of(changed, False, 0)
        mixture = GeometricMixture(Letters(), VOCAB, 2)
        first = mixture.nats(other.cut(0, at), networks[:at])
        assert np.array_equal(first, whole[:at])
        rest = mixture.nats(other.cut(at, len(whole)), networks[at:])
        assert rest[0] != whole[at]


def test_tables_stop_growing_and_what_is_full_still_predicts() -> None:
    rng, table = np.random.default_rng(0), CountTable(2**13)
    mixture = GeometricMixture(Letters(), VOCAB, 2)
    mixture._tables = table, CountTable(2**13), CountTable(2**13)
    flat = np.full((500, 2, IDS), -np.log(IDS))
    for number in range(20):
        steps, _ = steps_of(rng.integers(0, 6, 499), False, number)
        nats = mixture.nats(steps, flat)
        assert np.isfinite(nats).all()
    assert [len(each.keys) for each in mixture._tables] == [2**13] * 3
    assert all(each.used <= 2**12 for each in mixture._tables)


def test_counts_that_are_full_are_halved_and_stay_probabilities() -> None:
    rng, (start, end) = np.random.default_rng(0), (20, 21)
    ids = np.where(rng.random(3000) < 0.4, 0, rng.integers(0, start, 3000))
    table, context = CountTable(2**16, COLUMNS, np.uint8), np.empty(3, np.uint64)
    assert table.has_room(2**14)
    open_context(context, start)
    orders, continued = np.empty((3, end + 1)), np.empty(end + 1)
    places, tokens = np.empty(end + 1, np.int64), np.arange(end + 1)
    for token, target in zip([start, *ids], ids, strict=False):
        advance(context, int(token), (start, end))
        given = table.keys, table.table, context
        spread(*given, tokens, end, places, orders, continued)
        assert orders.sum(axis=1) == pytest.approx(1) and continued.sum() == pytest.approx(1)
        count_all(*given, int(target), end + 1)
    # The shortest context was followed 3,000 times, and pairs of ids were more than 255.
    assert len(set(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))) > 255
    assert orders[0, 0] == pytest.approx(0.43, abs=0.08)
    assert 0.015 < orders[0, 1:start].min() <= orders[0, 1:start].max() < 0.06


def test_weights_find_the_better_network() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 6, 3000)
    steps, networks = steps_of(ids, False, 1)
    inside = np.arange(len(ids))
    networks[inside, 1] = np.log(0.05)
    networks[inside, 1, ids] = np.log(0.7)
    mixture = GeometricMixture(Letters(), VOCAB, 2)
    nats = mixture.nats(steps, networks)[:-1]
    assert nats[1000:].mean() < -np.log(0.7) + 0.01
    trained, learning = mixture.weights.weights[0, :2]
    assert abs(trained) < 0.1 and learning > 0.8


def test_the_linear_mixture_follows_the_better_model() -> None:
    good, bad = np.full((2000, 1), 0.5), np.full((2000, 1), 0.1)
    weights = np.full(2, 0.5)
    nats = mix(np.concatenate([bad, good], axis=1), weights, 0)
    assert nats[0] == pytest.approx(-np.log(0.3))
    assert weights.sum() == pytest.approx(1) and weights[1] > 0.95
    assert nats.mean() < -np.log(0.5) + 0.01
