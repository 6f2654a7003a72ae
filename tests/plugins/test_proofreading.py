"""The proofreader of handwriting: which letters it refuses, and what is drawn again."""

from dataclasses import replace

import numpy as np
import pytest
from seqgen_handwriting.demo import demo_lines
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Reader
from seqgen_handwriting.measures.proofreading import learn, proofreader

import seqgen
from seqgen.errors import DataError
from seqgen.evaluation.scoring import score_ids

LINES = [*demo_lines(1200)]
LEARNED, HELD_OUT = LINES[::4], LINES[2::60]


@pytest.fixture(scope="module")
def learned() -> dict[str, np.ndarray]:
    found = learn(LEARNED)
    assert found is not None
    return found


def up_to(line: Ink, end: int) -> Ink:
    """Return the ink of the first letters of a line."""
    assert line.letters is not None
    kept = [
        (stroke[owners < end], owners[owners < end])
        for stroke, owners in zip(line.strokes, line.letters, strict=True)
        if (owners < end).any()
    ]
    strokes, letters = zip(*kept, strict=True)
    return replace(line, text=line.text[:end], strokes=strokes, letters=letters)


def beginnings(lines: list[Ink]) -> list[Ink]:
    return [
        up_to(line, end)
        for line in lines
        for end in range(1, len(line.text) + 1)
        if line.text[end - 1] != " "
    ]


def test_letters_are_read_while_a_line_is_written(learned) -> None:
    read, parts = proofreader(learned), beginnings(HELD_OUT)
    misread = np.mean([read(part) >= 1 for part in parts])
    # A reader that sees what follows, too.
    known = Reader.of_arrays(learned)
    assert misread < 0.05 + np.mean([not right for line in HELD_OUT for right in known.right(line)])
    first = [part for part in parts if len(part.text) == 1]
    assert np.mean([read(part) >= 1 for part in first]) < 0.4
    other = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
    wrong = [
        replace(part, text=part.text[:-1] + part.text[-1].translate(other))
        for part in parts
        if part.text[-1].islower()
    ]
    assert np.mean([read(part) >= 1 for part in wrong]) > 0.8
    assert all(read(replace(part, text=part.text + " ")) == 0 for part in parts)
    assert all(read(replace(part, text=part.text + "e")) == 2 for part in parts)  # no ink


def test_letters_that_stray_are_refused(learned) -> None:
    read = proofreader(learned)
    line = next(part for part in beginnings(HELD_OUT) if len(part.text) == 9 and read(part) < 0.5)
    assert line.letters is not None
    height = float(learned["usual"][0])

    def changed(move) -> Ink:
        strokes = [
            np.where((owners == 8)[:, None], move(stroke), stroke)
            for stroke, owners in zip(line.strokes, line.letters or (), strict=True)
        ]
        return replace(line, strokes=tuple(strokes))

    assert read(changed(lambda stroke: stroke)) == read(line)
    assert read(changed(lambda stroke: stroke + np.array([0, 1.5 * height]))) >= 1
    scribble = np.random.default_rng(0)
    assert read(changed(lambda stroke: stroke + scribble.normal(0, height, stroke.shape))) >= 1


def test_what_was_learned_is_kept_as_arrays(learned) -> None:
    reader = Reader.learn(LEARNED)
    again = Reader.of_arrays(reader.arrays())
    assert all(again.read(line) == reader.read(line) for line in HELD_OUT)
    assert learn([replace(line, letters=None) for line in LEARNED[:3]]) is None
    assert learn([]) is None
    for name, array in learned.items():
        for other in (None, array[:0], array[None], array.astype(np.float64)):
            altered = {key: value for key, value in learned.items() if key != name}
            altered |= {} if other is None else {name: other}
            with pytest.raises(DataError, match=f"needs {name} as"):
                proofreader(altered)
    for name, bad in (("letters", -1), ("letters", 2**40), ("scale", 0), ("usual", -1)):
        with pytest.raises(DataError, match="above 0"):
            proofreader(learned | {name: np.full_like(learned[name], bad)})


@pytest.mark.parametrize("codec", ["points", "polar"])
def test_compiled_trackers_are_followed_after_letters_are_drawn_again(tmp_path, codec: str) -> None:
    options = {"draw": 60, "move": 20} if codec == "points" else {}
    lines = {"train": LINES[:120:3]}
    corpus = seqgen.write_corpus(
        tmp_path / "corpus", "handwriting", lines, codec=codec, options=options
    )
    config = seqgen.TrainConfig(tokens=2000, evaluations=1, threads=1)
    model = seqgen.ModelConfig(hidden=16, embedding=8)
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    for _ in seqgen.train(run, corpus):
        pass
    run = seqgen.load(run.folder, "cpu")
    text = "it is so is it"
    given = {"condition": text, "tries": 3, "seed": 1}
    new = list(seqgen.generate(run, 3, **given))
    alone = list(seqgen.generate(run, 3, batch_size=1, **given))
    for one, other in zip(new, alone, strict=True):
        assert one.ids.tolist() == other.ids.tolist() and one.words == other.words
        assert one.piece.text == text and one.stopped_by == "end"
        assert one.words is not None and one.words.written == 5
    assert sum(one.words.again for one in new) > 5
    for one, score in zip(new, score_ids(run, [one.ids for one in new]), strict=True):
        assert one.log_probability == pytest.approx(-score.nats - score.end_nats, rel=1e-3)


def test_the_domain_learns_from_lines_with_letters_only() -> None:
    assert Handwriting().learn_proofreader([]) is None
