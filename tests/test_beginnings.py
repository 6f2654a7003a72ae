"""Training on long pieces begins anew inside them: at offered places, and nothing is lost."""

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from seqgen_text.codecs.bytes import ByteCodec, ByteOptions
from seqgen_text.codecs.characters import CharacterCodec, CharacterOptions
from seqgen_text.codecs.subwords import SubwordCodec, SubwordOptions
from seqgen_text.codecs.words import WordCodec, WordOptions

import seqgen
from seqgen.conditions.labels import Labelled
from seqgen.data.batches import IGNORE, TrainingStream, held_out_stream
from seqgen.data.corpus import Corpus
from seqgen.errors import PluginError

PARAGRAPHS = "".join(f"Speaker {number}:\nsays the words\n\n" for number in range(200))


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A corpus of one long piece of paragraphs."""
    folder = tmp_path_factory.mktemp("play") / "corpus"
    return seqgen.write_corpus(folder, "text", {"train": [PARAGRAPHS], "valid": [PARAGRAPHS]})


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin anew once in a hundred tokens."""
    monkeypatch.setattr("seqgen.data.lanes.BEGIN_EVERY", 100)


def epoch(corpus: Corpus, lanes: int, window: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets (B, T) of a little more than the first epoch."""
    stream = TrainingStream(corpus, lanes, window, seed)
    batches = []
    while all(place[0] == 0 for place in stream.place().values()):
        batches.append(next(stream))
    inputs, targets = (
        np.concatenate([getattr(batch, name) for batch in batches], axis=1)
        for name in ("inputs", "targets")
    )
    return inputs, targets


@pytest.mark.parametrize("lanes", [1, 3])
def test_every_start_comes_after_a_reset_and_before_a_paragraph(play, often, lanes) -> None:
    inputs, targets = epoch(play, lanes, 64)
    start, end = play.vocab.start, play.vocab.end
    lane, at = np.nonzero(inputs == start)
    # About one in a hundred tokens: 6,292 characters in this epoch.
    assert 40 <= len(at) <= 90
    assert (inputs[lane[at > 0], at[at > 0] - 1] == end).all()
    assert {play.codec.vocab[token] for token in targets[lane, at]} == {"S"}
    assert (targets[inputs == end] == IGNORE).all()
    # A piece ends only where it ends, however often it begins.
    assert (targets == end).sum() <= lanes


def test_every_token_is_still_a_target_once(play: Corpus, often: None) -> None:
    [inputs], [targets] = epoch(play, 1, 1)
    expected = [*play.piece(0).tolist(), play.vocab.end]
    counted = targets[targets != IGNORE][: len(expected)]
    assert counted.tolist() == expected
    # What follows an input is its target, unless the state is reset between them.
    followed = inputs[1:]
    assert ((targets[:-1] == followed) | (followed == play.vocab.end))[targets[:-1] != IGNORE].all()


def test_beginnings_are_drawn_afresh_but_repeatably(play: Corpus, often: None) -> None:
    def places(seed: int) -> list[int]:
        return np.flatnonzero(epoch(play, 1, 1, seed)[0][0] == play.vocab.start).tolist()

    assert places(1) == places(1) != places(2)


def test_a_stream_goes_on_from_any_place(play: Corpus, often: None) -> None:
    stream = TrainingStream(play, 3, 50, 7)
    for _ in range(40):
        place = json.loads(json.dumps(stream.place()))
        resumed = TrainingStream(play, 3, 50, 7, place=place)
        one, two = next(stream), next(resumed)
        assert np.array_equal(one.inputs, two.inputs) and np.array_equal(one.targets, two.targets)


def test_held_out_and_short_pieces_begin_once(play: Corpus, often: None, tmp_path: Path) -> None:
    inputs = np.concatenate([batch.inputs[0] for batch in held_out_stream(play, "valid", 1, 64)])
    assert (inputs == play.vocab.start).sum() == 1
    pieces = [f"a{number}\n\nb\n\nc" for number in range(40)]
    short = seqgen.write_corpus(tmp_path / "short", "text", {"train": pieces})
    inputs, _ = epoch(short, 1, 1)
    # The last step is the first one of the next epoch.
    assert (inputs[:, :-1] == short.vocab.start).sum() == len(pieces)


def test_a_beginning_has_the_labels_of_its_piece(often: None, tmp_path: Path) -> None:
    pieces = [
        Labelled({"who": who}, PARAGRAPHS.replace("Speaker", who)) for who in ("Anna", "Berta")
    ]
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", {"train": pieces})
    [inputs], [targets] = epoch(corpus, 1, 1)
    names = [corpus.codec.vocab[token] for token in targets[inputs == corpus.vocab.start]]
    assert len(names) > 80
    kinds = Counter(names)
    assert kinds["who=Anna"] > 20 and kinds["who=Berta"] > 20
    for at in np.flatnonzero(inputs[:-1] == corpus.vocab.start):
        label, first = (corpus.codec.vocab[token] for token in targets[at : at + 2])
        assert label in ("who=?", f"who={ {'A': 'Anna', 'B': 'Berta'}[first] }")


def test_wrong_beginnings_of_a_plugin_are_its_fault(
    play: Corpus, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, found in (([3, 3], "rise from 1"), ([0], "rise from 1"), ([[1]], "in one row")):
        monkeypatch.setattr(CharacterCodec, "beginnings", lambda self, ids, w=wrong: np.array(w))
        with pytest.raises(PluginError, match=found):
            next(TrainingStream(play, 1, 10, 0))


def slow_beginnings(text: str) -> list[int]:
    """Return where paragraphs begin."""
    return [
        at for at in range(1, len(text)) if text[:at].endswith("\n\n") and not text[at].isspace()
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text("ab \n", max_size=60))
@example("\n\na")
@example("a\n\n\n\nb\n \nc")
def test_paragraphs_are_found_whatever_the_codec(monkeypatch, text) -> None:
    monkeypatch.setattr("seqgen_text.codecs.text_codec.FEWEST", 10**9)
    paragraph = CharacterOptions(boundary="paragraph")
    codecs = (
        CharacterCodec.fit([text], CharacterOptions()),
        CharacterCodec.fit([text], paragraph),
        ByteCodec(ByteOptions()),
        WordCodec.fit([text], WordOptions()),
        SubwordCodec.fit([text], SubwordOptions()),
    )
    wanted = slow_beginnings(text)
    for codec in codecs if wanted else ():
        ids = codec.encode(text)
        found = codec.beginnings(ids).tolist()
        assert [len(codec.decode(ids[:at])) for at in found] == wanted


def test_a_text_without_paragraphs_begins_at_its_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(2000))
    codec = CharacterCodec.fit([text], CharacterOptions())
    found = codec.beginnings(codec.encode(text))
    assert found.tolist() == list(itertools.accumulate(map(len, text.splitlines(True))))[:-1]
