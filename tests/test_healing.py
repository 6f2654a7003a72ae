"""Prompts that end inside a token, and stop texts that begin or end inside one."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import seqgen
from seqgen.config import LimitConfig, SampleConfig
from seqgen.drawing.filters import log_softmax
from seqgen.errors import DataError
from seqgen.generation.beam import search
from seqgen.generation.pieces import Draft, Primed
from seqgen.generation.stops import Stop, Stops
from seqgen.generation.writer import Writer
from seqgen.stepping.stepper import choose_stepper

LIMIT = LimitConfig(length=110)
VERSE = "9 green bottles hanging on the wall,\nand if one green bottle should fall.\n"
CODECS = {
    "subwords": {"rarest": 20},
    "words": {"most": 12},
    "characters": {"boundary": "paragraph"},
}


@pytest.fixture(scope="module", params=CODECS)
def model(request, verses: Path, tmp_path_factory) -> seqgen.Run:
    return trained(request.param, verses, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def subwords(verses: Path, tmp_path_factory) -> seqgen.Run:
    return trained("subwords", verses, tmp_path_factory.mktemp("only"))


def trained(codec: str, verses: Path, folder: Path, **options) -> seqgen.Run:
    """Return a model that has seen a little."""
    corpus = seqgen.prepare("text", [verses], codec=codec, options=CODECS[codec], **options)
    network = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
    config = seqgen.TrainConfig(tokens=6000, batch_size=8, learning_rate=3e-2, device="cpu")
    run = seqgen.create_run(folder / "run", corpus, network, config)
    for _ in seqgen.train(run, corpus):
        pass
    return seqgen.load(run.folder, "cpu")


def ways_of(run: seqgen.Run, prompt: str, **options) -> dict[tuple[int, ...], float]:
    """Return the ways of a prompt with their log-probabilities."""
    writer = Writer(choose_stepper(run, 1), run, prompt, None, None, None, (), 0)
    return {tuple(way.ids): way.log_probability for way in writer._ways}


def by_the_definition(run: seqgen.Run, prompt: str) -> dict[tuple[int, ...], float]:
    """Return all ways to spell the end of a prompt, each read from START on."""
    codec, stepper = run.codec, choose_stepper(run, 1)
    ids = codec.encode(prompt)
    end = codec.open_end(ids)
    kept = ids[: end.kept].tolist()
    before = codec.decode(ids[: end.kept])
    found: dict[tuple[int, ...], float] = {}
    waiting = [((), 0.0)]
    while waiting:
        way, likelihood = waiting.pop()
        read = np.array([run.vocab.start, *kept, *way], np.int64)
        features = np.zeros((1, len(read), 0), np.int64)
        logits, _ = stepper.read(read[None], features, stepper.start(1))
        tracker = codec.tracker()
        for token in (*kept, *way):
            if tracker is not None:
                tracker.push(token)
        if tracker is not None:
            logits[0, ~tracker.allowed()] = -np.inf
        for token, score in enumerate(log_softmax(logits[0])[:-1].tolist()):
            longer = (*way, token)
            text = codec.decode(np.array([*kept, *longer], np.int64)).removeprefix(before)
            if score == -np.inf or codec.vocab[token].startswith("0x"):
                continue  # A part of another character spells nothing here.
            if text.startswith(end.text):
                found[longer] = likelihood + score
            elif end.text.startswith(text) and len(longer) < 5:
                waiting.append((longer, likelihood + score))
    total = np.logaddexp.reduce([*found.values()])
    return {way: likelihood - total for way, likelihood in found.items()}


@pytest.mark.parametrize("prompt", ["9 gre", "on th", "on the wall,", "if one gree"])
def test_ways_have_the_probability_that_the_model_gives_them(subwords, prompt: str) -> None:
    wanted, found = by_the_definition(subwords, prompt), ways_of(subwords, prompt)
    assert len(found) > 1
    missing = sum(np.exp(wanted[way]) for way in wanted.keys() - found.keys())
    assert missing < 1e-4
    for way, likelihood in found.items():
        assert likelihood == pytest.approx(wanted[way], abs=1e-3)


def test_ways_are_drawn_by_their_probability(subwords) -> None:
    plain = SampleConfig(temperature=1.0, min_p=0.0)
    new = list(seqgen.generate(subwords, 400, prompt="9 gre", sample=plain, limit=LIMIT))
    kept = subwords.codec.open_end(subwords.codec.encode("9 gre")).kept
    drawn = [tuple(one.ids[kept : one.prompt].tolist()) for one in new]
    for way, likelihood in ways_of(subwords, "9 gre").items():
        share = float(np.exp(likelihood))
        deviation = (share * (1 - share) / len(drawn)) ** 0.5
        assert abs(drawn.count(way) / len(drawn) - share) < 5 * deviation + 1e-3
    for one in new:
        assert one.log_probability < 0
        again = [
            *seqgen.stream(subwords, prompt="9 gre", sample=plain, limit=LIMIT, index=one.index)
        ]
        assert again == one.ids[kept:].tolist()
        if one.index == 20:
            break


@pytest.mark.parametrize("end", range(1, len(VERSE), 5))
def test_the_text_of_a_prompt_stays(model, end: int) -> None:
    prompt = VERSE[:end]
    whole = list(seqgen.generate(model, 4, prompt=prompt, limit=LIMIT))
    rest = list(seqgen.generate(model, 4, prompt=prompt, limit=LIMIT, with_prompt=False))
    for one, other in zip(whole, rest, strict=True):
        assert one.piece.startswith(prompt) and one.piece == prompt + other.piece


def test_a_prompt_inside_a_word_goes_on_inside_it(subwords) -> None:
    greedy = SampleConfig(temperature=0.0)
    for prompt in ("9 g", "9 gr", "9 gree"):
        [new] = seqgen.generate(subwords, prompt=prompt, sample=greedy, limit=LIMIT)
        assert new.piece.startswith("9 green")


def test_a_newline_may_begin_a_paragraph(verses: Path, tmp_path: Path) -> None:
    run = trained("characters", verses, tmp_path)
    paragraph = run.codec.vocab.index("\n\n")
    ways = ways_of(run, "wall,\n")
    assert ways.keys() == {(paragraph,), (run.codec.vocab.index("\n"),)}
    assert not ways_of(run, "wall,\n\n") and not ways_of(run, "wall")


def test_a_primed_prompt_goes_on_in_the_same_way(model, tmp_path: Path) -> None:
    primed = seqgen.prime(model, "9 green bott")
    primed.save(tmp_path / "primed")
    wanted = [new.piece for new in seqgen.generate(model, 4, prompt="9 green bott", limit=LIMIT)]
    for given in (primed, Primed.load(tmp_path / "primed")):
        assert [n.piece for n in seqgen.generate(model, 4, prompt=given, limit=LIMIT)] == wanted


def test_batches_candidates_and_beams_keep_the_text(model) -> None:
    prompt = "9 green bott"
    apart = [new.piece for new in seqgen.generate(model, 5, prompt=prompt, limit=LIMIT)]
    few = seqgen.generate(model, 5, prompt=prompt, limit=LIMIT, batch_size=2)
    assert [new.piece for new in few] == apart
    some = seqgen.generate(model, 2, prompt=prompt, limit=LIMIT, candidates=3)
    best = search(model, 4, 3, prompt=prompt, limit=LIMIT)
    for new in itertools.chain(some, best):
        assert new.piece.startswith(prompt)


def test_labels_come_before_an_open_end(verses: Path, tmp_path: Path) -> None:
    run = trained("subwords", verses, tmp_path, labels={"count": "{}*.txt"})
    [new] = seqgen.generate(run, prompt="9 gre", condition="count=3", limit=LIMIT)
    assert new.piece.startswith("9 gre") and new.ids[0] >= len(run.codec.codec.vocab)
    [new] = seqgen.generate(run, prompt="9 gre", limit=LIMIT, stop=[run.codec.encode("e")])
    assert new.piece in ("9 gree", "9 gre") or new.piece.endswith("e")


@pytest.mark.parametrize("stop", ["e", "n b", "ott", ",\nan", "ing", ".", "\n", " ", "l,\na"])
def test_a_stop_is_found_in_the_text_and_cut_exactly(model, stop: str) -> None:
    ids = model.codec.encode(stop)
    free = list(seqgen.generate(model, 6, limit=LIMIT))
    stopped = list(seqgen.generate(model, 6, limit=LIMIT, stop=[ids, model.codec.encode("gllw")]))
    for whole, new in zip(free, stopped, strict=True):
        end = whole.piece.find(stop)
        assert new.piece == (whole.piece if end < 0 else whole.piece[: end + len(stop)])
        assert (new.stopped_by == "stop") == (end >= 0)
        assert model.codec.decode(new.ids) == new.piece


def test_a_stop_without_text_is_found_as_ids(subwords) -> None:
    """A byte that is part of a character adds no text."""
    run = subwords
    part = run.codec.encode("é")[:1]
    stop = Stops(run.codec, [part])
    draft = Draft(0, run.codec.encode("One"), None, 0)
    draft.add(run.codec.encode("green é").tolist(), [])
    found = stop.found(draft, draft.count - draft.prompt, lambda count: True)
    assert found == Stop(draft.count - 1, [])


def test_a_stop_counts_after_the_text_of_the_prompt(model) -> None:
    prompt = "9 green bottles han"
    for stop in ("n", "g", "in", " on"):
        ids = model.codec.encode(stop)
        free = seqgen.generate(model, 6, prompt=prompt, limit=LIMIT)
        new = seqgen.generate(model, 6, prompt=prompt, limit=LIMIT, stop=[ids])
        for whole, one in zip(free, new, strict=True):
            end = whole.piece.find(stop, len(prompt))
            assert one.piece == (whole.piece if end < 0 else whole.piece[: end + len(stop)])


def test_a_limit_does_not_change_how_a_prompt_is_spelled(model) -> None:
    """One new token is enough, although a word or character of the prompt may take many."""
    stepper = choose_stepper(model, 1)
    one, many = (
        [
            (way.ids, way.log_probability)
            for way in Writer(stepper, model, VERSE[:8], None, None, limit, (), 0)._ways
        ]
        for limit in (LimitConfig(length=1), LimitConfig(length=500))
    )
    assert one == many


def test_a_limit_does_not_cut_the_prompt(model) -> None:
    limit = LimitConfig(length=13, unit="characters")
    for new in seqgen.generate(model, 4, prompt="9 green bott", limit=limit):
        assert new.piece.startswith("9 green bott")


def test_turns_of_a_text_go_on_inside_a_token(model) -> None:
    text = seqgen.Manuscript(model)
    for typed in ("9 gre", "en bott", "\n", "on the wa"):
        text.type(typed)
        before = text.text
        assert before.endswith(typed)
        new = "".join(text.write(limit=LimitConfig(length=9)))
        assert text.text == before + new
        text.take_back()
        assert text.text == before
        next(text.write(limit=LimitConfig(length=9)))
        assert text.text.startswith(before)
    while text.turns:
        text.undo()
    assert text.text == ""


def test_a_primed_state_that_keeps_other_ids_is_refused(subwords) -> None:
    primed = seqgen.prime(subwords, "9 gre")
    assert primed.kept < len(primed.ids)
    with pytest.raises(DataError, match="made by another version of the codec"):
        next(seqgen.generate(subwords, prompt=replace(primed, kept=0)))


def test_a_watched_piece_is_the_one_that_is_generated(subwords: seqgen.Run, watched) -> None:
    asked = {"prompt": "7 gre", "sample": SampleConfig(temperature=1.0), "seed": 4}
    ids, logs, piece = watched(subwords, **asked)
    [expected] = seqgen.generate(subwords, **asked)
    assert ids == piece.ids.tolist() == expected.ids.tolist() and piece.piece == expected.piece
    assert piece.log_probability == expected.log_probability
    assert [log is None for log in logs] == [at < expected.prompt for at in range(len(ids))]
