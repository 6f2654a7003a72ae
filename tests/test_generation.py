import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from seqgen_music.codecs.chorale.grammar import NO_LIMITS

import seqgen
from seqgen.conditions.labels import Labelled
from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import ConfigError, DataError, RunError, SeqgenError
from seqgen.evaluation.scoring import score_ids
from seqgen.following import STRIDE
from seqgen.generation.writer import Writer
from seqgen.grammar import unpacked
from seqgen.report.samples import write_samples
from seqgen.stepping.stepper import choose_stepper

LIMIT = LimitConfig(length=150)


def ticking(monkeypatch) -> None:
    """Let the engine's clock go on by a second whenever it is looked at."""
    clock = itertools.count()
    stand_in = SimpleNamespace(monotonic=lambda: float(next(clock)))
    for module in ("limits", "pieces"):
        monkeypatch.setattr(f"seqgen.generation.{module}.time", stand_in)


def texts(run: seqgen.Run, count: int, **options) -> list[str]:
    return [new.piece for new in seqgen.generate(run, count, limit=LIMIT, **options)]


def test_a_long_piece_is_the_same_alone_and_in_a_batch(run) -> None:
    sample = SampleConfig(ban=("<end>",), no_repeat_ngram=40)
    options = {"limit": LimitConfig(length=500), "sample": sample}
    alone = [new.ids for new in seqgen.generate(run, 2, batch_size=1, **options)]
    together = [new.ids for new in seqgen.generate(run, 2, batch_size=2, **options)]
    np.testing.assert_array_equal(alone, together)
    assert len(alone[0]) == 500


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_a_piece_is_the_same_whatever_the_batch(run, batch: int) -> None:
    assert texts(run, 7, batch_size=batch) == texts(run, 7)


def test_a_piece_depends_on_seed_and_index(run) -> None:
    assert texts(run, 5)[:3] == texts(run, 3)
    assert len(set(texts(run, 5))) == 5
    assert texts(run, 3, seed=1) != texts(run, 3)


def test_a_trained_model_writes_what_it_has_read(run) -> None:
    for text in texts(run, 5, sample=SampleConfig(temperature=0.3)):
        assert "green bottles" in text


def test_pieces_end_by_themselves_or_at_the_limit(run) -> None:
    free = list(seqgen.generate(run, 10))
    assert any(new.stopped_by == "end" for new in free)
    short = list(seqgen.generate(run, 10, limit=LimitConfig(length=5)))
    assert all(new.stopped_by == "length" and len(new.ids) == 5 for new in short)


def test_a_time_limit_keeps_what_is_there(run, monkeypatch) -> None:
    ticking(monkeypatch)
    [new] = seqgen.generate(run, 1, limit=LimitConfig(seconds=3))
    assert new.stopped_by == "time" and len(new.ids) == STRIDE


def test_after_the_time_limit_no_piece_is_begun(run, monkeypatch) -> None:
    ticking(monkeypatch)
    new = list(seqgen.generate(run, 40, batch_size=4, limit=LimitConfig(seconds=9)))
    assert len(new) == 4 and all(len(piece.ids) for piece in new)


def test_lengths_do_not_count_the_prompt(run) -> None:
    limit = LimitConfig(length=6, least_length=6)
    for prompt in ("", "g", "green bottles hanging on the wall"):
        [new] = seqgen.generate(run, 1, prompt=prompt, limit=limit)
        assert (new.prompt, len(new.piece)) == (len(prompt), len(prompt) + 6)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"batch_size": 0}, {"seed": -1}])
def test_impossible_numbers_are_refused(run, wrong: dict) -> None:
    with pytest.raises(ConfigError, match=r"must be from [01] to"):
        next(seqgen.generate(run, **wrong))


def test_the_log_probability_is_the_score(run) -> None:
    for new in seqgen.generate(run, 4):
        [scored] = seqgen.score(run, [new.piece])
        ended = scored.end_nats if new.stopped_by == "end" else 0.0
        assert -new.log_probability == pytest.approx(scored.nats + ended, rel=1e-4)


@pytest.mark.parametrize("prompted", [False, True])
def test_features_reach_the_model_as_in_training(
    chorales: seqgen.Run, prompted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tracker and many features, what was drawn has the probability that scoring gives."""
    # Scores know nothing of the limits on new pieces.
    monkeypatch.setattr(chorales.codec, "limits", NO_LIMITS)
    [whole] = seqgen.generate(chorales, 1, limit=LimitConfig(length=200), seed=3)
    prompt = chorales.codec.decode(whole.ids[: 2 + 16 * 4]) if prompted else None
    limit = LimitConfig(length=200 if prompted else 202)
    for new in seqgen.generate(chorales, 3, prompt=prompt, limit=limit):
        # The plan of a piece that is cut is known from its ids only.
        [scored] = score_ids(chorales, [new.ids])
        nats = scored.nats + (scored.end_nats if new.stopped_by == "end" else 0.0)
        if prompt is not None:
            nats -= next(seqgen.score(chorales, [prompt])).nats
        assert -new.log_probability == pytest.approx(nats, rel=1e-3)


def test_given_tokens_have_the_probability_among_those_of_the_grammar(chorales: seqgen.Run) -> None:
    """Of a model that learned under a grammar, other ids have none, also beside a given token."""
    [melody] = seqgen.generate(chorales, 1, limit=LimitConfig(length=100), seed=3)
    writer = Writer(
        choose_stepper(chorales, 1), chorales, None, melody.piece, None, None, (), seed=0
    )
    # The melody is cut within a phrase, so its plan is unknown.
    draft, header = writer.draft(0), 3
    draft.add(chorales.codec.encode(melody.piece)[:header].tolist(), [0.0] * header)
    positions = writer.positions([draft])
    grammar = unpacked(chorales.codec.masks(np.array(draft.ids)), chorales.vocab.targets)
    assert positions.allowed.sum() == 1 < positions.possible.sum()
    assert (positions.possible >= positions.allowed).all()
    assert (positions.possible <= grammar[-1]).all()


def test_a_condition_reaches_every_tracker(run, monkeypatch) -> None:
    given = []
    monkeypatch.setattr(
        "seqgen_text.codecs.characters.CharacterCodec.tracker",
        lambda self, condition=None: given.append(condition),
        raising=False,
    )
    list(seqgen.generate(run, 2, condition="a melody", limit=LimitConfig(length=3)))
    # The tracker is built once; pieces get copies of it.
    assert given == ["a melody"]


def test_progress_counts_every_token_and_piece(run) -> None:
    seen = []
    limit = LimitConfig(length=4)

    def progress(ended: int, drawn: int, ids: list[int]) -> None:
        seen.append((ended, drawn, list(ids)))

    new = list(seqgen.generate(run, 5, batch_size=2, limit=limit, progress=progress))
    drawn = sum(len(piece.ids) + (piece.stopped_by == "end") for piece in new)
    assert seen[-1] == (5, drawn, new[4].ids.tolist())
    assert [now[:2] for now in seen] == sorted(now[:2] for now in seen)


def test_ctrl_c_hands_over_what_exists(run) -> None:
    options = {"sample": SampleConfig(temperature=1.2, min_p=0.0), "limit": LimitConfig(length=90)}
    free = list(seqgen.generate(run, 20, **options))
    half = sum(len(piece.ids) for piece in free) // 2

    def interrupt(ended: int, drawn: int, ids: list[int]) -> None:
        if drawn > half:
            raise KeyboardInterrupt

    kept = []
    with pytest.raises(KeyboardInterrupt):
        for piece in seqgen.generate(run, 20, progress=interrupt, **options):
            kept.append(piece)
    assert len(kept) == 20 and "interrupt" in {piece.stopped_by for piece in kept}
    for piece in kept:
        whole = free[piece.index].ids.tolist()
        assert len(piece.ids) > 0 and piece.ids.tolist() == whole[: len(piece.ids)]


def test_greedy_is_the_likeliest_step_by_step(run) -> None:
    [new] = seqgen.generate(run, 1, sample=SampleConfig(temperature=0), limit=LIMIT)
    ids = torch.tensor([[run.vocab.start, *new.ids.tolist()]])
    with torch.no_grad():
        logits, _ = run.model.eval()(ids, torch.zeros((*ids.shape, 0), dtype=torch.int64))
    likeliest = logits[0].argmax(1).tolist()
    assert likeliest[: len(new.ids)] == new.ids.tolist()


def test_a_prompt_is_continued(run) -> None:
    prompt = "7 green bottles hang"
    for text in texts(run, 3, prompt=prompt, sample=SampleConfig(temperature=0.3)):
        assert text.startswith("7 green bottles hanging on the wall")


def test_the_prompt_is_read_as_if_it_had_been_drawn(run) -> None:
    [whole] = seqgen.generate(run, 1, sample=SampleConfig(temperature=0), limit=LIMIT)
    for cut in (1, 10, 30):
        [again] = seqgen.generate(
            run, 1, prompt=whole.piece[:cut], sample=SampleConfig(temperature=0), limit=LIMIT
        )
        assert again.piece == whole.piece


def test_an_unknown_character_in_a_prompt_is_named(run) -> None:
    with pytest.raises(DataError, match="character 'é' at position 3 is not in this model's"):
        texts(run, 1, prompt="abé")


class Follower:
    """Allows a fixed word over and over, forces its first letter, and records what comes."""

    def __init__(self, word: list[int], size: int) -> None:
        self.word, self.size, self.pushed, self.copies = word, size, [], []

    def features(self) -> tuple[int, ...]:
        return ()

    def allowed(self) -> np.ndarray:
        mask = np.zeros(self.size, bool)
        if len(self.pushed) < 20:
            mask[self.word[len(self.pushed) % len(self.word)]] = True
        else:
            mask[-1] = True
        return mask

    def forced(self) -> int | None:
        begins = len(self.pushed) % len(self.word) == 0 and len(self.pushed) < 20
        return self.word[0] if begins else None

    def push(self, token: int) -> None:
        self.pushed.append(token)

    def __deepcopy__(self, memo: dict) -> "Follower":
        copy = type(self)(self.word, self.size)
        copy.pushed = self.pushed[:]
        self.copies.append(copy)
        return copy


def test_a_tracker_masks_forces_and_ends(run, monkeypatch) -> None:
    word = run.codec.encode("wall").tolist()
    built = []

    def track(self, condition):
        built.append(Follower(word, len(self.vocab) + 1))
        return built[-1]

    monkeypatch.setattr(
        "seqgen_text.codecs.characters.CharacterCodec.tracker", track, raising=False
    )
    for new in seqgen.generate(run, 3):
        assert new.piece == "wall" * 5 and new.stopped_by == "end"
    # One tracker reads the prompt, which is empty; each piece pushes its tokens to a copy.
    [tracker] = built
    assert [each.pushed for each in (tracker, *tracker.copies)] == [
        [],
        word * 5,
        word * 5,
        word * 5,
    ]
    [primed] = seqgen.generate(run, 1, prompt="wa")
    assert primed.piece == "wall" * 5


class Bracketed(Follower):
    """Opens a bracket at every second token; closes all of them before the limit."""

    def allowed(self) -> np.ndarray:
        mask = np.zeros(self.size, bool)
        mask[self.word[:2]] = True
        mask[-1] = not self.depth
        return mask

    def forced(self) -> None:
        return None

    def closing(self, room: int) -> np.ndarray:
        mask = self.allowed()
        opening, closing = self.word[:2]
        mask[opening] &= self.depth + 2 <= room
        mask[closing] &= self.depth > 0
        return mask

    @property
    def depth(self) -> int:
        return sum(1 if token == self.word[0] else -1 for token in self.pushed)


@pytest.mark.parametrize("length", [1, 2, 5, 12])
def test_pieces_are_closed_before_a_limit(run, monkeypatch, length: int) -> None:
    word = run.codec.encode("al").tolist()
    codec = "seqgen_text.codecs.characters.CharacterCodec"
    monkeypatch.setattr(
        f"{codec}.tracker",
        lambda self, condition: Bracketed(word, len(self.vocab) + 1),
        raising=False,
    )
    for new in seqgen.generate(run, 20, limit=LimitConfig(length=length)):
        assert len(new.ids) <= length and new.piece.count("a") == new.piece.count("l")
        assert new.stopped_by == "end" or len(new.ids) == length


def test_a_mask_that_allows_nothing_names_the_codec(run, monkeypatch) -> None:
    class Stuck(Follower):
        def allowed(self) -> np.ndarray:
            return np.zeros(self.size, bool)

        def forced(self) -> None:
            return None

    monkeypatch.setattr(
        "seqgen_text.codecs.characters.CharacterCodec.tracker",
        lambda self, condition: Stuck([0], len(self.vocab) + 1),
        raising=False,
    )
    with pytest.raises(DataError, match="CharacterCodec allows no token at position 1"):
        texts(run, 1)


def test_samples_are_files_with_a_manifest(run, tmp_path: Path) -> None:
    samples = write_samples(run, seqgen.generate(run, 3, limit=LIMIT), tmp_path / "out")
    assert [path.name for path in samples.paths] == ["text-1.txt", "text-2.txt", "text-3.txt"]
    assert [path.read_text() for path in samples.paths] == texts(run, 3)
    entry = samples.manifest["pieces"][1]
    assert samples.manifest["seqgen"] == "samples"
    assert entry["index"] == 1 and entry["tokens"] == len(samples.paths[1].read_text())
    with pytest.raises(RunError, match="already there"):
        write_samples(run, [], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"text is written as \.txt, not \.mid"):
        write_samples(run, [], tmp_path / "other", "mid")


def test_ctrl_c_keeps_the_pieces_that_exist(run, tmp_path: Path) -> None:
    def interrupted():
        yield from seqgen.generate(run, 2, limit=LIMIT)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_samples(run, interrupted(), tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["manifest.json", "text-1.txt", "text-2.txt"]


def test_a_stop_sequence_ends_a_piece_and_stays_in_it(run) -> None:
    free = texts(run, 8)
    stop = run.codec.encode("wall")
    stopped = list(seqgen.generate(run, 8, limit=LIMIT, stop=[stop]))
    for whole, new in zip(free, stopped, strict=True):
        end = whole.find("wall")
        assert new.piece == (whole if end < 0 else whole[: end + 4])
    assert {"stop"} <= {new.stopped_by for new in stopped}


def test_a_stop_sequence_in_the_prompt_does_not_count(run) -> None:
    [new] = seqgen.generate(run, prompt="on the wall", stop=[run.codec.encode("all")], limit=LIMIT)
    assert len(new.piece) > len("on the wall")


def test_a_length_may_be_given_in_units_of_the_codec(chorales) -> None:
    limit = LimitConfig(length=5, unit="quarters")
    sample = SampleConfig(ban=("<end>",))
    for new in seqgen.generate(chorales, 3, limit=limit, sample=sample):
        assert chorales.codec.units(new.ids)["quarters"] == 5
        assert new.stopped_by == "length"
    with pytest.raises(ConfigError, match=r"unit must be one of tokens, frames, .*found 'pages'"):
        next(seqgen.generate(chorales, limit=LimitConfig(length=5, unit="pages")))


def test_a_length_in_units_does_not_count_the_prompt(chorales) -> None:
    [whole] = seqgen.generate(chorales, 1, limit=LimitConfig(length=40), seed=3)
    sample, limit = SampleConfig(ban=("<end>",)), LimitConfig(length=5, unit="quarters")
    prompt = chorales.codec.decode(whole.ids)
    [new] = seqgen.generate(chorales, 1, prompt=prompt, limit=limit, sample=sample)
    units = [chorales.codec.units(ids)["quarters"] for ids in (new.ids, new.ids[: new.prompt])]
    assert units[0] - units[1] == 5


@pytest.mark.parametrize("unit", ["tokens", "characters", "words"])
@pytest.mark.parametrize("least", [1, 31, 32, 33, 150])
def test_a_piece_does_not_end_before_its_least_length(run, unit: str, least: int) -> None:
    limit = LimitConfig(length=200, least_length=least, unit=unit)
    free = list(seqgen.generate(run, 8, limit=LimitConfig(length=200, unit=unit), seed=2))
    long = list(seqgen.generate(run, 8, limit=limit, seed=2))
    lengths = [run.codec.units(new.ids) | {"tokens": len(new.ids)} for new in long]
    assert min(length[unit] for length in lengths) >= least
    # Up to the moment at which END was forbidden, nothing changes.
    for before, after in zip(free, long, strict=True):
        kept = before.ids.tolist()
        assert after.ids[: len(kept)].tolist() == kept
    assert {new.stopped_by for new in long} <= {"end", "length"}


def test_end_is_possible_right_at_the_least_length(run) -> None:
    """What ends by itself ends there if that is the least length, and later if it is one more."""
    free = next(new for new in seqgen.generate(run, 50, limit=LIMIT) if new.stopped_by == "end")
    limits = [LimitConfig(length=150, least_length=len(free.ids) + more) for more in (0, 1)]
    same, longer = ([*seqgen.generate(run, 50, limit=each)][free.index] for each in limits)
    assert same.ids.tolist() == free.ids.tolist() and same.stopped_by == "end"
    assert len(longer.ids) > len(free.ids)


def test_a_least_length_holds_in_a_beam(run) -> None:
    limit = LimitConfig(length=60, least_length=40)
    assert all(len(new.ids) >= 40 for new in seqgen.search(run, 4, 4, limit=limit))


def test_a_stop_before_the_least_length_does_not_count(run) -> None:
    stop = run.codec.encode("wall")
    sample = SampleConfig(temperature=0, ban=("<end>",))
    [free] = seqgen.generate(run, limit=LIMIT, sample=sample)
    first = free.piece.index("wall") + 4
    second = free.piece.index("wall", first) + 4
    for least, length in ((first, first), (first + 1, second)):
        limit = LimitConfig(length=150, least_length=least)
        [new] = seqgen.generate(run, limit=limit, sample=sample, stop=[stop])
        assert (len(new.ids), new.stopped_by) == (length, "stop")


def test_a_grammar_that_must_end_ends_with_its_reason(run, monkeypatch) -> None:
    word = run.codec.encode("wall").tolist()
    monkeypatch.setattr(
        "seqgen_text.codecs.characters.CharacterCodec.tracker",
        lambda self, condition: Follower(word, len(self.vocab) + 1),
        raising=False,
    )
    for least, reason in ((20, "end"), (21, "grammar")):
        limit = LimitConfig(length=99, least_length=least)
        [new] = seqgen.generate(run, limit=limit)
        assert (new.piece, new.stopped_by) == ("wall" * 5, reason)
        # END counts in both cases.
        assert new.log_probability_per_token == pytest.approx(new.log_probability / 21)


def test_a_least_length_above_the_length_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the least length \(9\) is above the length \(8\)"):
        LimitConfig(length=8, least_length=9)
    assert LimitConfig(least_length=9).length == 0


def test_units_and_tokens_cut_alike(run) -> None:
    for length in (1, 32, 33, 70):
        by_tokens = texts_of(run, LimitConfig(length=length))
        assert by_tokens == texts_of(run, LimitConfig(length=length, unit="characters"))


def texts_of(run, limit: LimitConfig) -> list[tuple[str, str, float]]:
    new = seqgen.generate(run, 6, limit=limit)
    return [(piece.piece, piece.stopped_by, piece.log_probability) for piece in new]


def test_what_is_streamed_or_shown_is_not_taken_back(chorales) -> None:
    limit, sample = LimitConfig(length=5, unit="quarters"), SampleConfig(ban=("<end>",))
    shown: list[int] = []

    def progress(ended: int, drawn: int, ids: list[int]) -> None:
        shown.extend(ids[len(shown) :])

    [new] = seqgen.generate(chorales, limit=limit, sample=sample, progress=progress)
    streamed = list(seqgen.stream(chorales, limit=limit, sample=sample))
    assert new.ids.tolist() == streamed == shown


def test_streaming_writes_the_same_piece(run) -> None:
    for index, new in enumerate(seqgen.generate(run, 4, prompt="5 ", limit=LIMIT)):
        streamed = list(seqgen.stream(run, prompt="5 ", limit=LIMIT, index=index))
        assert streamed == new.ids[new.prompt :].tolist()


@pytest.mark.parametrize("window", [0, 7])
def test_streaming_looks_back_as_far_as_it_has_to(run, window: int) -> None:
    sample = SampleConfig(repetition_penalty=1.5, no_repeat_ngram=4, repetition_window=window)
    [new] = seqgen.generate(run, sample=sample, limit=LIMIT)
    assert list(seqgen.stream(run, sample=sample, limit=LIMIT)) == new.ids.tolist()


def test_streaming_forgets_what_it_needs_no_more(run) -> None:
    import gc
    import tracemalloc

    endless = seqgen.stream(run, sample=SampleConfig(ban=("<end>",)))
    tracemalloc.start()
    held = []
    for _ in range(4):
        for _ in itertools.islice(endless, 20_000):
            pass
        # Empties the interpreter's store of small objects that it keeps to use again.
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # A leak grows in every stretch by a pointer a token at least, which is 8 bytes. Caches and the
    # test runner's threads grow in some.
    grown = [after - before for before, after in itertools.pairwise(held)]
    assert min(grown) < 20_000, grown


def test_a_piece_may_come_without_its_prompt(run) -> None:
    for with_prompt, without in zip(
        seqgen.generate(run, 3, prompt="7 green", limit=LIMIT),
        seqgen.generate(run, 3, prompt="7 green", limit=LIMIT, with_prompt=False),
        strict=True,
    ):
        assert with_prompt.piece == "7 green" + without.piece
        assert with_prompt.ids.tolist() == without.ids.tolist()


def test_banning_everything_is_told(run) -> None:
    everything = (*run.vocab.names, "<end>")
    with pytest.raises(ConfigError, match="all tokens that may come at position 3 are banned"):
        next(seqgen.generate(run, prompt="7 ", sample=SampleConfig(ban=everything)))


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_model_that_predicts_no_numbers_is_told(run, monkeypatch, int8: bool) -> None:
    broken = {name: np.full_like(value, np.nan) for name, value in run.weights.items()}
    monkeypatch.setattr(type(run), "weights", broken)
    with pytest.raises(SeqgenError, match="not numbers; train it again"):
        texts(run, 1, int8=int8)


def test_a_codec_that_rewrites_no_pieces_says_so(run) -> None:
    kept = seqgen.Kept("9 green bottles", "words 1-2")
    for condition in (kept, seqgen.Labelled({}, kept)):
        with pytest.raises(DataError, match="this model's codec cannot keep parts of a piece"):
            next(seqgen.generate(run, condition=condition))


def test_a_codec_that_takes_no_condition_says_so(run) -> None:
    with pytest.raises(
        DataError, match="this model's codec follows nothing; leave out `condition`"
    ):
        next(seqgen.generate(run, condition="a melody"))
    for condition in ("author=bach", Labelled({"author": "bach"})):
        with pytest.raises(DataError, match="has no labels and cannot follow 'author=bach'; leave"):
            next(seqgen.generate(run, condition=condition))
