import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_text.domain import Text
from seqgen_text.measures.metrics import (
    LONGEST,
    WINDOW,
    distinct,
    line_length,
    longest_run,
    measure,
    repeated,
    words_per_sentence,
)

import seqgen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("One two. Three four five six!", 3),
        ('He said: "Stop!" Then he went.', 3),
        ("3.5 metres", 3),
        ("A heading\n\nand three words", 2.5),
        ("", math.nan),
        ("...", math.nan),
        # A run of marks is read once, not from each of them.
        ("." * 2**16 + "x", 1),
    ],
)
def test_words_per_sentence(text: str, words: float) -> None:
    assert words_per_sentence(text) == pytest.approx(words, nan_ok=True)


def test_lines_and_runs() -> None:
    assert line_length("four\n\nsevenx7\n") == 5.5
    assert math.isnan(line_length("\n\n"))
    assert longest_run("abbb\n\na") == 3 and longest_run("") == 0


def test_repetition() -> None:
    words = [*"abcdabcde"]
    assert distinct(words, 1) == 5 / 9 and distinct(words, 2) == 5 / 8
    assert repeated(words, 4) == pytest.approx(1 / 6)
    assert math.isnan(distinct([], 1)) and math.isnan(repeated(["a", "b", "c"], 4))


@given(st.integers(1, 4), st.integers(1, 5))
def test_a_text_of_many_windows_is_as_varied_as_one(windows: int, count: int) -> None:
    words = [str(number % 50) for number in range(WINDOW)]
    assert distinct(words * windows, count) == distinct(words, count)


def test_known_words_are_those_of_other_texts() -> None:
    found = measure(["the cat zzz THE", "..."], ["the cat the dog", "a dog sleeps"])
    known = found["words of the corpus"]
    np.testing.assert_array_equal(known.generated, [0.75, np.nan])
    # "the" is in both halves of its piece, "dog" in both pieces.
    np.testing.assert_array_equal(known.reference, [0.75, 1 / 3])


def test_every_piece_has_its_row_and_long_ones_are_cut() -> None:
    long = "ab " * LONGEST
    found = measure([long, ""], iter([long, "x", ""]))
    assert all(metric.generated.shape == (2,) for metric in found.values())
    assert all(metric.reference.shape == (3,) for metric in found.values())
    assert found["length"].reference.tolist() == [len(long), 1, 0]


def test_a_loop_is_seen_by_compare(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"word{number}" for number in range(300)]
    texts = [" ".join(rng.choice(names, 60)) + ".\n" for _ in range(30)]
    pieces = {"train": texts[:20], "valid": texts[20:]}
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", pieces)
    run = seqgen.create_run(tmp_path / "run", corpus)
    compared = {
        one.name: one for one in seqgen.compare(run, ["word1 word2 word3 word4 " * 15] * 3, corpus)
    }
    assert compared["repeated 4-grams of words"].metric.generated.mean() > 0.9
    assert compared["repeated 4-grams of words"].metric.reference.mean() == 0
    assert compared["repeated 4-grams of words"].overlap < 0.1
    assert compared["words of the corpus"].metric.generated.mean() == 1
    assert Text().metrics([], []).keys() >= compared.keys()
