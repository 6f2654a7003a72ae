import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from seqgen.evaluation.novelty import build, copied_lengths, follow, longest_passage

SYMBOLS = st.lists(st.integers(0, 2), min_size=1, max_size=30)


def occurs(part: list[int], whole: list[int]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


@given(SYMBOLS, SYMBOLS)
@settings(deadline=None)
def test_copied_lengths_are_those_of_trying_everything(piece, corpus) -> None:
    automaton = build(np.array(piece), 3)
    _, _, longest, (state, at) = follow(automaton, np.array(corpus), 0, 0)
    wanted = [
        max(n for n in range(end + 2) if occurs(piece[end + 1 - n : end + 1], corpus))
        for end in range(len(piece))
    ]
    assert longest == max(wanted)
    end = int(automaton.ends[state])
    assert piece[end + 1 - longest : end + 1] == corpus[at + 1 - longest : at + 1]
    assert copied_lengths(automaton, np.array(piece)).tolist() == wanted


def test_a_copied_span_is_found_with_its_source(corpus) -> None:
    segment = corpus.segments("train")[3]
    copied = np.asarray(corpus.piece(segment.piece)[5:45], np.int64)
    rng = np.random.default_rng(0)
    odd = rng.integers(0, len(corpus.vocab.names), 60)
    found = seqgen.measure_novelty(corpus, np.concatenate([odd, copied, odd]))
    assert 40 <= found.longest < 45
    assert found.start in range(56, 61)
    assert found.source.endswith(".txt") and list(found.copied) == [4, 8, 16, 32]
    begin = found.source_start
    where = [s.piece for s in corpus.segments("train") if corpus.source(s.piece) == found.source]
    there = corpus.piece(where[0])[begin : begin + found.longest].tolist()
    mine = np.concatenate([odd, copied, odd])[found.start : found.start + found.longest]
    assert there == mine.tolist()
    passage = longest_passage(corpus, np.concatenate([odd, copied, odd]))
    assert passage == (found.longest, found.start, where[0], found.source_start)
    assert found.copied[32] == pytest.approx((found.longest - 31) / 129)


def test_places_are_told_in_words_of_the_codec(corpus) -> None:
    segment = corpus.segments("train")[3]
    ids = np.asarray(corpus.piece(segment.piece), np.int64)
    text = corpus.codec.decode(ids)
    copied = ids[text.index("\nand") + 1 :]
    found = seqgen.measure_novelty(corpus, copied)
    assert (found.place, found.source_place) == ("line 1", "line 2")
    # What was given is not compared, and the place is that in the whole piece.
    whole = seqgen.measure_novelty(corpus, ids, prompt=len(ids) - len(copied))
    assert (whole.longest, whole.place) == (found.longest, "line 2")
    assert whole.start == len(ids) - len(copied)


def test_a_training_piece_is_copied_throughout(corpus) -> None:
    segment = corpus.segments("train")[0]
    ids = np.asarray(corpus.piece(segment.piece), np.int64)
    found = seqgen.measure_novelty(corpus, ids)
    assert found.longest == len(ids) and set(found.copied.values()) == {1.0}


def test_what_is_unlike_anything_is_new(corpus) -> None:
    found = seqgen.measure_novelty(corpus, np.zeros(0, np.int64))
    assert (found.longest, found.source, found.copied) == (0, "", {})
