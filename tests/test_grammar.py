"""The grammar in the loss: allowed ids alone share the probability, everywhere in the same way."""

import copy
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from seqgen_text.codecs.characters import CharacterCodec
from seqgen_text.domain import Text

import seqgen
from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Label, Labelled
from seqgen.conformance.subject import NothingToCheck, Promise
from seqgen.conformance.trackers import PROMISES as TRACKER_PROMISES
from seqgen.conformance.trackers import masks_allow_real_pieces, masks_as_it_tracks
from seqgen.data.batches import FRAMINGS, IGNORE, TrainingStream
from seqgen.errors import DataError
from seqgen.evaluation.loss import evaluate
from seqgen.evaluation.nats import target_nats, under_grammar
from seqgen.evaluation.ngram import NgramModel, baseline
from seqgen.grammar import PART, IndexedMasks, packed, packed_in_parts, unpacked
from seqgen.network.model import SequenceModel
from seqgen.plugin import Codec
from seqgen.vocab import Vocab

LETTERS, DIGITS = "abcdefgh", "01234567"


class GroupCodec(CharacterCodec):
    """Pieces of groups such as "a1;": a letter allows four digits, ";" is forced, then the end."""

    @property
    def rows(self) -> np.ndarray:
        """The packed mask ``(V + 1, W)`` after each character, and at the start."""
        names = [*self.vocab, "<end>"]
        table = np.array([[follows(before, after) for after in names] for before in names])
        return packed(table)

    def masks(self, ids: np.ndarray) -> np.ndarray:
        return self.rows[np.append(-1, ids)]

    def tracker(self, condition: object = None) -> "GroupTracker":
        return GroupTracker(self)


class IndexedCodec(GroupCodec):
    """The same masks as few rows, and which of them each position has."""

    def masks(self, ids: np.ndarray) -> IndexedMasks:
        return IndexedMasks(self.rows, np.append(len(self.rows) - 1, ids))


class FreeCodec(GroupCodec):
    """The same pieces without masks."""

    def masks(self, ids: np.ndarray) -> None:
        return None


class GroupTracker:
    def __init__(self, codec: GroupCodec) -> None:
        self.codec, self.last = codec, -1

    def features(self) -> tuple[int, ...]:
        return ()

    def allowed(self) -> np.ndarray:
        return unpacked(self.codec.rows[self.last], len(self.codec.vocab) + 1)

    def forced(self) -> int | None:
        is_digit = self.last >= 0 and self.codec.vocab[self.last] in DIGITS
        return self.codec.vocab.index(";") if is_digit else None

    def push(self, token: int) -> None:
        self.last = token


def follows(before: str, after: str) -> bool:
    if before in DIGITS:
        return after == ";"
    if before in LETTERS:
        return after in DIGITS and (DIGITS.index(after) - LETTERS.index(before)) % 8 < 4
    return after in LETTERS or (before == ";" and after == "<end>")


def text(rng: np.random.Generator, groups: int) -> str:
    letters, steps = rng.integers(0, 8, groups), rng.integers(0, 4, groups)
    return "".join(
        f"{LETTERS[letter]}{DIGITS[(letter + step) % 8]};"
        for letter, step in zip(letters.tolist(), steps.tolist(), strict=True)
    )


@pytest.fixture
def codecs(monkeypatch) -> None:
    monkeypatch.setattr(Text, "codecs", {"group": GroupCodec, "free": FreeCodec})


def corpus_of(folder: Path, codec: str, valid: list[str] | None = None) -> seqgen.Corpus:
    rng = np.random.default_rng(0)
    pieces = {"train": [text(rng, 30) for _ in range(20)], "valid": [text(rng, 30) for _ in "abc"]}
    pieces["valid"] = valid or pieces["valid"]
    return seqgen.write_corpus(folder, "text", pieces, codec=codec)


def model_of(corpus: seqgen.Corpus) -> SequenceModel:
    torch.manual_seed(0)
    config = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
    return SequenceModel(config, corpus.vocab, tuple(corpus.codec.feature_sizes)).eval()


def plain_nats(logits: torch.Tensor, targets: list[int], masks: np.ndarray) -> list[float]:
    """Return the loss position by position: log-softmax over the allowed ids only."""
    nats = []
    for row, target, mask in zip(logits.double(), targets, masks, strict=True):
        allowed = np.flatnonzero(mask) if mask[target] else np.arange(len(mask))
        place = allowed.tolist().index(target)
        nats.append(-float(row[allowed].log_softmax(0)[place]))
    return nats


@pytest.mark.parametrize("count", [1, 7, 8, 9, 40])
def test_nats_are_those_of_a_plain_loop(count: int) -> None:
    rng = np.random.default_rng(count)
    masks = rng.random((200, count)) < 0.4
    masks[np.arange(200), rng.integers(0, count, 200)] = True
    targets = rng.integers(0, count, 200)
    logits = torch.from_numpy(rng.normal(size=(200, count)))
    wanted = plain_nats(logits, targets.tolist(), masks)
    allowed = torch.from_numpy(packed(masks))
    got = target_nats(logits, torch.from_numpy(targets), allowed)
    assert got.numpy() == pytest.approx(np.array(wanted), abs=1e-12)
    # An ignored target costs nothing, wherever END and id 0 are forbidden.
    ignored = torch.full((200,), IGNORE)
    assert not target_nats(logits, ignored, allowed).any()


def test_forced_targets_cost_and_teach_nothing() -> None:
    logits = torch.randn((3, 10), requires_grad=True)
    masks = np.eye(10, dtype=bool)[[4, 9, 2]]
    masks[2, 5] = True
    targets = torch.tensor([4, 9, 2])
    nats = target_nats(logits, targets, torch.from_numpy(packed(masks)))
    nats.sum().backward()
    assert nats[:2].tolist() == [0, 0] and nats[2] > 0
    assert not logits.grad[:2].any()
    assert np.flatnonzero(logits.grad[2]).tolist() == [2, 5]


def test_a_forbidden_target_costs_what_the_model_says_without_the_grammar() -> None:
    logits, targets = torch.randn((2, 10)), torch.tensor([3, 4])
    masks = np.zeros((2, 10), bool)
    masks[:, 4] = True
    allowed = torch.from_numpy(packed(masks))
    free = target_nats(logits, targets, allowed[:, :0])
    assert target_nats(logits, targets, allowed).tolist() == [free[0], 0]
    assert torch.equal(under_grammar(logits, targets, allowed)[0], logits[0])


def test_no_grammar_is_the_same_tensor() -> None:
    logits = torch.randn((2, 10))
    nothing = torch.zeros((2, 0), dtype=torch.uint8)
    assert under_grammar(logits, torch.tensor([3, 4]), nothing) is logits


@torch.no_grad()
def test_every_evaluation_is_the_plain_loop(codecs, tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "c", "group", ["a1;b3;", "ab;c3"])
    model, end = model_of(corpus), corpus.vocab.end
    wanted, without = [], []
    for segment in corpus.segments("valid"):
        ids = corpus.piece(segment.piece).astype(np.int64)
        inputs = torch.from_numpy(np.insert(ids, 0, corpus.vocab.start))[None]
        logits, _ = model(inputs, torch.zeros((1, len(ids) + 1, 0), dtype=torch.int64))
        masks = unpacked(corpus.codec.masks(ids), corpus.vocab.targets)
        targets = [*ids.tolist(), end]
        wanted += plain_nats(logits[0], targets, masks)
        without += plain_nats(logits[0], targets, np.ones_like(masks))
    assert evaluate(model, corpus) == pytest.approx(np.mean(wanted), rel=1e-6)
    assert evaluate(model, corpus, grammar=False) == pytest.approx(np.mean(without), rel=1e-6)
    # A window longer than all pieces shows the model the same.
    cold = evaluate(model, corpus, window=50, framing=FRAMINGS["windows"])
    assert cold == pytest.approx(np.mean(wanted), rel=1e-6)


@pytest.mark.parametrize("name", FRAMINGS)
def test_framings_keep_the_masks_of_their_targets(codecs, tmp_path: Path, name: str) -> None:
    corpus = corpus_of(tmp_path / "c", "group")
    stream = TrainingStream(corpus, 3, 20, 0, FRAMINGS[name])
    for _ in range(30):
        batch = next(stream)
        counted = batch.targets != IGNORE
        masks = unpacked(batch.allowed[counted], corpus.vocab.targets)
        targets = batch.targets[counted]
        assert counted.any() and masks[np.arange(len(targets)), targets].all()
        assert (masks.sum(axis=1) <= 9).all()


def test_ngrams_share_the_probability_among_allowed_ids() -> None:
    vocab, rng = Vocab.of("abcdefghi"), np.random.default_rng(0)
    model = NgramModel(vocab, 4).fit([rng.integers(0, 9, 60) for _ in range(5)])
    inputs = np.array([vocab.start, *rng.integers(0, 9, 40)])
    masks = rng.random((41, 10)) < 0.4
    masks[np.arange(41), rng.integers(0, 10, 41)] = True
    allowed = packed(masks)
    total, free = np.zeros((41, 4)), np.zeros((10, 41, 4))
    for target in range(10):
        model.forget()
        free[target] = model.read(inputs, np.full(41, target), learn=False)
    for target in range(10):
        model.forget()
        found = model.read(inputs, np.full(41, target), allowed, learn=False)
        inside = masks[:, target]
        total += np.where(inside[:, None], found, 0)
        shared = free[target] / (free * masks.T[:, :, None]).sum(axis=0)
        np.testing.assert_allclose(found[inside], shared[inside], rtol=1e-12)
        np.testing.assert_array_equal(found[~inside], free[target][~inside])
        alone = inside & (masks.sum(axis=1) == 1)
        assert (found[alone] == 1).all()
    assert total == pytest.approx(np.ones((41, 4)))


def test_indexed_masks_are_the_same_grammar(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Text, "codecs", {"group": GroupCodec, "indexed": IndexedCodec})
    whole, indexed = (corpus_of(tmp_path / name, name) for name in ("group", "indexed"))
    model = model_of(whole)
    assert evaluate(model, whole) == evaluate(model, indexed)
    label = Label("site", "", {"x": 1})
    ids = LabelledCodec(whole.codec, [label]).encode(Labelled({"site": "x"}, "a1;b1;"))
    for piece in (ids, ids[:1], ids[:0], ids[::-1]):
        one, two = (
            LabelledCodec(corpus.codec, [label]).masks(piece) for corpus in (whole, indexed)
        )
        assert isinstance(two, IndexedMasks) and len(two) == len(piece) + 1
        np.testing.assert_array_equal(two, one)
        np.testing.assert_array_equal(two[-1], one[-1])


def test_both_baselines_know_the_grammar(codecs, tmp_path: Path) -> None:
    found, free = (baseline(corpus_of(tmp_path / name, name)) for name in ("group", "free"))
    # Of a group, nine or eight letters and END, four digits and one semicolon may come.
    groups, ends = 3 * 30, 3
    nats = ends * math.log(8) + groups * (math.log(4) + math.log(9))
    assert found.uniform == pytest.approx(nats / (3 * groups + ends))
    assert free.uniform == pytest.approx(math.log(18))
    assert found.nats_per_token < free.nats_per_token


def test_a_known_grammar_is_better_than_a_learned_one(codecs, tmp_path: Path) -> None:
    losses = {}
    judge = corpus_of(tmp_path / "judge", "group")
    for name in ("group", "free"):
        corpus = corpus_of(tmp_path / f"{name}-corpus", name)
        model = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
        config = seqgen.TrainConfig(tokens=4000, batch_size=4, window=20, device="cpu")
        run = seqgen.create_run(tmp_path / name, corpus, model, config)
        uniform = seqgen.measure_baseline(run, corpus)["uniform"]
        for report in seqgen.train(run, corpus):
            assert report.loss < uniform + 0.5
        losses[name] = evaluate(run.model, judge)
        saved = json.loads((tmp_path / name / "run.json").read_text())["baseline"]
        assert saved["uniform"] == uniform
    # The best possible loss: a letter, one of four digits.
    best = (math.log(8) + math.log(4)) / 3
    assert best < losses["group"] < losses["free"] - 0.02


def test_scores_count_forbidden_tokens(codecs, tmp_path: Path, seqgen_command) -> None:
    corpus = corpus_of(tmp_path / "c", "group", ["a1;b3;", "ab;c3"])
    model = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
    config = seqgen.TrainConfig(tokens=1000, batch_size=4, window=20, device="cpu")
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    for _ in seqgen.train(run, corpus):
        pass
    right, wrong = seqgen.score(run, ["a1;b3;", "ab;c3"])
    # In the second piece a letter and a semicolon follow a letter, and END follows a digit.
    assert (right.forbidden, wrong.forbidden) == (0, 3)
    assert right.free[0] > right.nats and right.free[1] > right.end_nats
    assert wrong.free[1] == pytest.approx(wrong.end_nats)
    table = seqgen.score_table(run, split="valid", adaptive=True)
    assert list(table.total.nats) == ["network", "no grammar", "baseline", "adaptive"]
    assert table.total.forbidden == 3
    assert all(np.isfinite(row.loss(name)) for row in table.rows for name in row.nats)
    ids = run.codec.encode("a1;b3;")
    [found] = seqgen.NetworkPredictor(run).log_probabilities([ids])
    np.testing.assert_array_equal(np.isfinite(found), unpacked(run.codec.masks(ids), 18))
    assert found[2].max() == 0
    status, out, err = seqgen_command("score", run.folder, "--split", "valid")
    assert not status and "no grammar" in out
    assert "the codec's grammar forbids 3 of 13 tokens" in err
    status, out, _ = seqgen_command("info", run.folder)
    assert not status


def check_of(codec: CharacterCodec, promise: Promise = masks_as_it_tracks) -> None:
    pieces = ["a1;b3;", "c3;"]
    ids = [np.asarray(codec.encode(piece), np.int64) for piece in pieces]
    promise(SimpleNamespace(codec=codec, ids=ids, pieces=pieces), Path())


def test_the_kit_compares_masks_with_the_tracker(monkeypatch) -> None:
    codec = GroupCodec.fit([text(np.random.default_rng(0), 100)], GroupCodec.options_type())
    check_of(codec)
    rows = GroupCodec.masks
    codec.limited = True
    monkeypatch.setattr(GroupCodec, "masks", lambda self, ids: np.roll(rows(self, ids), 1, axis=0))
    with pytest.raises(AssertionError, match=r"the tracker allows ids .* more at position"):
        check_of(codec)
    only = lambda self, ids: rows(self, ids) if len(ids) < 5 else None  # noqa: E731
    monkeypatch.setattr(GroupCodec, "masks", only)
    with pytest.raises(seqgen.errors.PluginError, match="for every piece or for none"):
        check_of(codec)
    for promise in (masks_as_it_tracks, masks_allow_real_pieces):
        with pytest.raises(NothingToCheck):
            check_of(FreeCodec(*(codec._characters, "", codec.options)), promise)


def test_a_tracker_that_allows_less_than_masks_must_say_so(monkeypatch) -> None:
    codec = GroupCodec.fit([text(np.random.default_rng(0), 100)], GroupCodec.options_type())
    allowed = GroupTracker.allowed

    def less(self) -> np.ndarray:
        """Allow the first of the allowed ids only."""
        mask = allowed(self)
        return np.arange(len(mask)) == mask.argmax()

    monkeypatch.setattr(GroupTracker, "allowed", less)
    with pytest.raises(AssertionError, match=r"forbids ids .* at position 0.*limited = True"):
        check_of(codec)
    codec.limited = True
    check_of(codec)
    monkeypatch.setattr(GroupTracker, "allowed", lambda self: ~allowed(self))
    with pytest.raises(AssertionError, match=r"the tracker allows ids .* more"):
        check_of(codec)


def test_masks_that_forbid_a_token_of_a_real_piece_fail(monkeypatch) -> None:
    codec = GroupCodec.fit([text(np.random.default_rng(0), 100)], GroupCodec.options_type())
    check_of(codec, masks_allow_real_pieces)
    rows = GroupCodec.masks

    def without_digits_after_c(self, ids: np.ndarray) -> np.ndarray:
        table = unpacked(rows(self, ids), len(self.vocab) + 1).copy()
        table[np.append(-1, ids) == self.vocab.index("c")] = False
        table[:, self.vocab.index("h")] = True
        return packed(table)

    monkeypatch.setattr(GroupCodec, "masks", without_digits_after_c)
    with pytest.raises(AssertionError, match=r"forbid id .* at position 1 of piece 1"):
        check_of(codec, masks_allow_real_pieces)


class UntrackedCodec(GroupCodec):
    """The same grammar with a feature, the number of ids so far, and no tracker of its own."""

    feature_sizes = (7,)
    tracker = Codec.tracker

    def features(self, ids: np.ndarray) -> np.ndarray:
        return np.arange(len(ids) + 1)[:, None] % 7


def untracked() -> UntrackedCodec:
    return UntrackedCodec.fit([LETTERS + DIGITS + ";"], UntrackedCodec.options_type())


@pytest.mark.parametrize("count", [0, 1, 64, 65, 300])
def test_the_derived_tracker_is_that_of_the_author(count: int) -> None:
    codec, ids = untracked(), np.random.default_rng(count).integers(0, 17, count)
    derived, own = codec.tracker(), GroupTracker(codec)
    for position in range(count + 1):
        assert derived.features() == [position % 7]
        np.testing.assert_array_equal(derived.allowed(), own.allowed())
        assert derived.forced() is None
        if position < count:
            derived.push(int(ids[position]))
            own.push(int(ids[position]))
    with pytest.raises(DataError, match="follows nothing"):
        codec.tracker("a1;")


def test_the_kit_checks_a_derived_tracker(tmp_path: Path) -> None:
    codec = untracked()
    ids = [np.asarray(codec.encode(piece), np.int64) for piece in ("a1;b3;", "c3;")]
    subject = SimpleNamespace(codec=codec, ids=ids, pieces=["a1;b3;", "c3;"])
    kept = []
    for promise in TRACKER_PROMISES:
        with suppress(NothingToCheck):
            promise(subject, tmp_path)
            kept.append(promise)
    assert {masks_as_it_tracks, masks_allow_real_pieces} <= set(kept) and len(kept) > 5


def test_copies_of_a_derived_tracker_are_independent_and_share_the_codec() -> None:
    codec = untracked()
    tracker = codec.tracker()
    tracker.push(0)
    copied = copy.deepcopy(tracker)
    tracker.push(9)
    copied.push(10)
    assert copied._codec is codec
    for each, last in ((tracker, 9), (copied, 10)):
        expected = codec.masks(np.array([0, last]))[-1]
        np.testing.assert_array_equal(each.allowed(), unpacked(expected, 18))


def test_a_derived_tracker_does_not_let_the_codec_alter_ids(monkeypatch) -> None:
    monkeypatch.setattr(UntrackedCodec, "features", lambda self, ids: ids.sort())
    tracker = untracked().tracker()
    tracker.push(0)
    with pytest.raises(ValueError, match="read-only"):
        tracker.features()


def test_a_codec_without_features_and_masks_needs_no_tracker() -> None:
    class PlainCodec(FreeCodec):
        tracker = Codec.tracker

    assert PlainCodec.fit(["ab"], PlainCodec.options_type()).tracker() is None


@pytest.mark.parametrize("count", [0, 1, PART - 1, PART, PART + 1, 2 * PART])
def test_masks_packed_in_parts_are_those_of_the_whole(count: int) -> None:
    rng = np.random.default_rng(count)
    ids, table = rng.integers(0, 9, count), rng.random((10, 11)) < 0.5
    state, sizes = [-1], []

    def follow(part: np.ndarray, rows: np.ndarray) -> None:
        assert not rows.any()
        sizes.append(len(rows))
        rows[:] = table[np.append(state[-1], part)]
        state.extend(part.tolist())

    expected = packed(table[np.append(-1, ids)])
    np.testing.assert_array_equal(packed_in_parts(ids, 11, follow), expected)
    assert max(sizes) <= PART + 1 and state[1:] == ids.tolist()


class SeenCodec(GroupCodec):
    """A grammar that is learned: which character followed which in training pieces."""

    tracker = Codec.tracker
    seen: tuple[list[int], ...] = ()

    def learn_grammar(self, pieces: Iterable[np.ndarray]) -> None:
        count = len(self.vocab)
        pairs = {pair for ids in pieces for pair in itertools.pairwise([-1, *ids.tolist(), count])}
        self.seen = tuple(map(list, sorted(pairs)))

    def masks(self, ids: np.ndarray) -> np.ndarray:
        count = len(self.vocab)
        table = np.ones((count + 1, count + 1), bool)
        for before in {before for before, _ in self.seen}:
            table[before] = [[before, after] in self.seen for after in range(count + 1)]
        return packed(table)[np.append(-1, ids)]

    def state(self) -> dict[str, object]:
        return super().state() | {"seen": list(self.seen)}

    @classmethod
    def from_state(cls, state: Mapping[str, object], options: object) -> "SeenCodec":
        codec = super().from_state(state, options)
        codec.seen = tuple(state["seen"])
        return codec


@pytest.fixture
def seen(monkeypatch) -> None:
    monkeypatch.setattr(Text, "codecs", {"seen": SeenCodec})


def test_held_out_pieces_decide_no_mask(seen, tmp_path: Path) -> None:
    states = []
    for name, held_out in (("one", "aabbcc"), ("two", "abcabc")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "train.txt").write_text("aabbccaa")
        (folder / "valid.txt").write_text(held_out)
        made = seqgen.prepare(
            "text", [folder], tmp_path / f"{name} corpus", valid=[folder / "valid.txt"]
        )
        states.append(made.codec.state())
        pieces = {"train": ["aabbccaa"], "valid": [held_out]}
        given = seqgen.write_corpus(tmp_path / f"{name} given", "text", pieces)
        assert given.codec.seen == made.codec.seen
    assert states[0] == states[1]
    found = evaluate(model_of(made), made, grammar=True)
    assert np.isfinite(found)


def test_drawn_splits_and_held_out_ends_decide_no_mask(seen, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    many = ["".join(rng.choice(list(LETTERS), 6)) for _ in range(12)]
    for pieces in (many, ["".join(rng.choice(list(LETTERS), 200))]):
        folder = tmp_path / str(len(pieces))
        folder.mkdir()
        for number, piece in enumerate(pieces):
            (folder / f"{number}.txt").write_text(piece)
        made = seqgen.prepare("text", [folder], tmp_path / f"corpus {len(pieces)}")
        expected = SeenCodec.fit(pieces, made.codec.options)
        expected.learn_grammar(
            np.asarray(made.piece(each.piece)[each.start : each.stop], np.int64)
            for each in made.segments("train")
        )
        assert made.codec.seen == expected.seen
        everything = SeenCodec.fit(pieces, made.codec.options)
        everything.learn_grammar(map(expected.encode, pieces))
        assert len(made.codec.seen) < len(everything.seen)
