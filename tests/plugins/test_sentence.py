"""From lines with text to any sentence: letters found, long texts, prompts, the command."""

import importlib
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_handwriting.alignment import spread
from seqgen_handwriting.codecs.points import PointOptions, PointsCodec
from seqgen_handwriting.codecs.polar import PolarCodec, PolarOptions
from seqgen_handwriting.codecs.trace import PITCH, Trace
from seqgen_handwriting.demo import Writer, demo_lines, write_line
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files.json_files import as_json
from seqgen_handwriting.ink import Ink

import seqgen
from seqgen.errors import DataError, RunError
from seqgen.training.realignment import realigned

DOMAIN = Handwriting()
#: Lines of several words; the demo also writes words alone.
LINES = [line for line in demo_lines(150) if " " in line.text][::3]
CODEC = PointsCodec.fit(LINES, PointOptions(draw=60, move=20))
SMALL = seqgen.ModelConfig(hidden=16, embedding=8)


def letters_of(ink: Ink) -> list[int]:
    assert ink.letters is not None
    return np.concatenate(ink.letters).tolist()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A model that has hardly learned anything."""
    folder = tmp_path_factory.mktemp("sentence")
    options = {"draw": 60, "move": 20}
    corpus = seqgen.write_corpus(
        folder / "corpus", "handwriting", {"train": LINES}, options=options
    )
    train = seqgen.TrainConfig(tokens=2000, evaluations=1, threads=1)
    made = seqgen.create_run(folder / "run", corpus, SMALL, train)
    for _ in seqgen.train(made, corpus):
        pass
    return seqgen.load(made.folder, "cpu")


# Lines and pages


def test_lines_of_a_text_stand_below_one_another() -> None:
    line = write_line("men mean moon", Writer.number(0), seed=0)
    text = line.text.replace(" ", "\n")
    ids = CODEC.encode(line)
    # To the pen a line break is a blank.
    blank, line_break = CODEC.dictation.first + CODEC.dictation.numbers(" \n")
    ids[ids == blank] = line_break
    page = CODEC.decode(ids)
    assert page.text == text
    np.testing.assert_array_equal(CODEC.encode(page), ids)
    lines = [[] for _ in range(3)]
    assert page.letters is not None
    for stroke, letters in zip(page.strokes, page.letters, strict=True):
        lines[text[: letters[0]].count("\n")].append(stroke / CODEC.scale)
    heights = [np.median(np.concatenate(part)[:, 1]) for part in lines]
    assert np.diff(heights) == pytest.approx([PITCH, PITCH], abs=0.4)
    lefts = [np.concatenate(part)[:, 0].min() for part in lines]
    assert np.ptp(lefts) < 1


@settings(max_examples=50, deadline=None)
@given(
    points=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=12),
    text=st.text("a \n", min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_a_page_and_an_endless_line_are_the_same(points: list, text: str, seed: int) -> None:
    letters = np.sort(np.random.default_rng(seed).integers(0, len(text), len(points)))
    trace = Trace(np.array(points), np.ones(len(points), bool), letters, text)
    np.testing.assert_allclose(trace.joined().broken().points, trace.points, atol=1e-9)
    np.testing.assert_allclose(trace.broken().joined().points, trace.points, atol=1e-9)


def test_line_breaks_of_a_text_stay_and_no_others_come() -> None:
    given_text = "the rest of it " * 40 + "\nand an end\r\n\n  with  blanks"
    tracker, ids = CODEC.tracker(given_text), []
    while (token := tracker.forced()) != len(CODEC.vocab):
        # Letters of as few points as may be.
        token = int(np.flatnonzero(tracker.allowed())[-1]) if token is None else token
        tracker.push(token)
        ids.append(token)
    assert CODEC.decode(np.array(ids)).text == given_text.replace("\r\n", "\n")


@pytest.mark.parametrize("kind", [PointsCodec, PolarCodec])
def test_a_letter_that_does_not_end_is_left(kind: type[PointsCodec]) -> None:
    options = {PointsCodec: PointOptions(60, 20), PolarCodec: PolarOptions(48, 32)}[kind]
    codec = kind.fit(LINES, options)
    text = "the rest of it " * 6
    tracker, ids = codec.tracker(text), []
    rng, end = np.random.default_rng(0), len(codec.vocab)
    while (token := tracker.forced()) != end:
        if token is None:
            # Never on its own.
            allowed = np.flatnonzero(tracker.allowed())
            token = int(rng.choice(allowed[allowed != codec.dictation.advance]))
        tracker.push(token)
        ids.append(token)
    most = codec.most_tokens(text)
    assert most is not None and 0.8 * most < len(ids) <= most
    counts = np.bincount(letters_of(codec.decode(np.array(ids))))
    assert (
        counts[0] == codec.max_points["t"]
        and codec.decode(np.array(ids)).text.split() == text.split()
    )


def test_a_long_text_is_written_to_its_end(run: seqgen.Run) -> None:
    text = "all of a long text " * 8
    [new] = seqgen.generate(run, 1, condition=text)
    assert new.stopped_by == "end" and len(new.ids) > 2 * run.longest
    assert new.piece.text == text
    [short] = seqgen.generate(run, 1, condition=text, limit=seqgen.LimitConfig(length=50))
    assert short.stopped_by == "length" and len(short.ids) == 50


# Letters that nobody told


def test_letters_are_spread_by_their_width() -> None:
    across = np.arange(61.0)
    ink = Ink((np.stack([across, np.zeros(61)], 1),), "ab mi")
    found = spread(ink)
    # Widths are 1, 1, 0.5, 1.5 and 0.5: of 60, 13.3 each.
    starts = [letters_of(found).index(at) for at in (0, 1, 3, 4)]
    assert starts == [0, 14, 30, 54] and 2 not in letters_of(found)
    assert found.text == ink.text and found.strokes is ink.strokes


def test_lines_are_spread_one_by_one() -> None:
    stroke = np.stack([np.arange(10.0), np.zeros(10)], 1)
    places = [(0, 0), (11, 0), (0, 20), (11, 20), (22, 20)]
    ink = Ink(tuple(stroke + place for place in places), "xo\n\nabc")
    found = spread(ink)
    assert found.letters is not None
    assert [set(part.tolist()) for part in found.letters] == [{0}, {1}, {4}, {5}, {6}]
    with pytest.raises(DataError, match="text of 9 lines"):
        spread(replace(ink, text="\n".join("abcdefghi")))


@settings(max_examples=100, deadline=None)
@given(
    across=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    text=st.text("ail mW,", max_size=12),
)
def test_every_letter_has_a_point(across: list[float], text: str) -> None:
    ink = Ink((np.stack([across, np.zeros(len(across))], 1),), text)
    inked = [at for at, letter in enumerate(text) if letter != " "]
    if len(inked) > len(across):
        with pytest.raises(DataError, match="fewer points"):
            spread(ink)
    elif inked:
        found = letters_of(spread(ink))
        assert found == sorted(found) and sorted(set(found)) == inked


def test_text_without_letters_is_learned_if_it_is_wanted() -> None:
    hidden = [replace(line, letters=None) for line in LINES]
    small = PointOptions(60, 20)
    assert not PointsCodec.fit(hidden, small).pen.alphabet
    codec = PointsCodec.fit(hidden, replace(small, text="spread"))
    again = codec.decode(codec.encode(hidden[0]))
    assert again.text == hidden[0].text
    assert letters_of(again) == letters_of(spread(hidden[0]))
    # Where some letters are known, the others are spread; too few points are left out.
    few = Ink((np.zeros((2, 2)),), "some")
    mixed = PointsCodec.fit([LINES[1], hidden[0], few], small)
    assert mixed.encode(hidden[0]).tolist() == mixed.encode(spread(hidden[0])).tolist()
    with pytest.raises(DataError, match="fewer"):
        mixed.encode(few)


def distance(found: list[Ink], truth: list[Ink]) -> float:
    """Return by how many points letters begin too early or too late, on average."""
    off = []
    for one, other in zip(found, truth, strict=True):
        mine, real = np.array(letters_of(one)), np.array(letters_of(other))
        for letter in np.unique(real)[1:]:
            off.append(abs(int(np.argmax(mine >= letter)) - int(np.argmax(real >= letter))))
    return float(np.mean(off))


def test_a_model_finds_letters_that_nobody_told(tmp_path: Path) -> None:
    texts = ["to be", "or not", "toe root", "bore", "not to", "bet on", "note", "to bet"] * 12
    truth = [write_line(text, Writer.number(0), seed) for seed, text in enumerate(texts)]
    inks = [spread(replace(line, letters=None)) for line in truth]
    before = distance(inks, truth)
    corpus = seqgen.write_corpus(
        tmp_path / "corpus", "handwriting", {"train": inks}, options={"draw": 60, "move": 20}
    )
    train = seqgen.TrainConfig(epochs=20, batch_size=4, evaluations=1, threads=1)
    run = seqgen.create_run(
        tmp_path / "run", corpus, seqgen.ModelConfig(hidden=32, embedding=16), train
    )
    for _ in seqgen.train(run, corpus):
        pass
    found = list(map(run.codec.decode, realigned(run, map(run.codec.encode, inks[:16]))))
    assert distance(found, truth[:16]) < 0.7 * before
    for one, other in zip(found, inks, strict=False):
        assert one.text == other.text and one.points == other.points
        assert sorted(set(letters_of(one))) == sorted(set(letters_of(other)))


def guessed_corpus(folder: Path) -> tuple[seqgen.Corpus, list[Ink]]:
    """Return a corpus of lines whose letters are spread, and the lines with their true letters."""
    texts = ["to be", "or not", "toe root", "bore", "not to", "bet on", "note", "to bet"] * 3
    truth = [write_line(text, Writer.number(2), seed) for seed, text in enumerate(texts)]
    hidden = [replace(line, letters=None) for line in truth]
    options = {"draw": 60, "move": 20, "text": "spread"}
    pieces = {"train": hidden[8:], "valid": hidden[:8]}
    corpus = seqgen.write_corpus(folder, "handwriting", pieces, options=options)
    return corpus, truth[8:] + truth[:8]


def test_a_training_finds_letters_in_rounds(tmp_path: Path) -> None:
    corpus, truth = guessed_corpus(tmp_path / "corpus")
    model = seqgen.ModelConfig(hidden=32, embedding=16)
    config = seqgen.TrainConfig(
        epochs=30, batch_size=4, evaluations=5, learning_rate=0.006, threads=1
    )
    as_it_was = {path: path.read_bytes() for path in corpus.folder.iterdir()}
    whole, killed = (
        seqgen.create_run(tmp_path / "whole", corpus, model, config),
        tmp_path / "killed",
    )
    messages = []
    for report in seqgen.train(whole, corpus):
        messages.append(report.message)
        if "round 2" in report.message:
            shutil.copytree(whole.folder, killed)
    assert (
        sum("realigned 24 of 24 training and validation pieces" in text for text in messages) == 2
    )
    assert as_it_was == {path: path.read_bytes() for path in corpus.folder.iterdir()}
    # Only the corpus of the last round is left.
    [place] = whole.folder.glob("aligned-*")
    aligned = seqgen.Corpus(place)
    aligned.verify()
    found = [whole.codec.decode(aligned.piece(number)) for number in range(len(truth))]
    before = [whole.codec.decode(corpus.piece(number)) for number in range(len(truth))]
    assert distance(found, truth) < 0.75 * distance(before, truth)
    again = seqgen.load(whole.folder, "cpu")
    assert [entry["round"] for entry in again.info["realigned"]] == [1, 2]
    assert all(entry["after"] < entry["before"] for entry in again.info["realigned"])
    most = np.max([again.codec.dictation.units(aligned.piece(n)) for n in range(len(truth))], 0)
    assert (again.codec.dictation.most >= most).all()
    card = (whole.folder / "README.md").read_text()
    assert "24 of 24 training and validation pieces" in card

    # A training that is killed, or left, in the middle of a round ends the same way.
    for stop in ("round 2", "realigned", None):
        for report in seqgen.train(seqgen.Run(killed, "cpu"), corpus):
            if stop is not None and stop in report.message:
                break
    ended = seqgen.load(killed, "cpu")
    assert [row for row in ended.metrics if not row["loss"]] == []
    for name, weights in again.weights.items():
        np.testing.assert_array_equal(weights, ended.weights[name])


def test_a_round_ends_when_its_time_is_used_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.training.rounds.MOST_TIME", 1e-9)
    corpus, _ = guessed_corpus(tmp_path / "corpus")
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    # Compiling on a slow machine leaves time for the round; the epochs end the training.
    config = seqgen.TrainConfig(minutes=99, epochs=20, batch_size=4, evaluations=5, threads=1)
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    messages = [report.message for report in seqgen.train(run, corpus)]
    assert any("realigned 5 of 24 training and validation pieces" in text for text in messages)


def test_a_round_keeps_the_better_model(tmp_path: Path) -> None:
    """What training has spoiled since does not take the place of the best model."""
    corpus, _ = guessed_corpus(tmp_path / "corpus")
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    config = seqgen.TrainConfig(epochs=20, batch_size=4, evaluations=5, threads=1)
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    kept = None
    for report in seqgen.train(run, corpus):
        if "realigned" in report.message:
            break
        if report.valid_loss is not None:
            kept, loss = run.weights, report.valid_loss
            with torch.no_grad():
                for weight in run.model.parameters():
                    weight += torch.randn_like(weight)
    assert kept is not None and not report.improved and report.valid_loss > loss + 1
    for name, weights in seqgen.Run(run.folder, "cpu").weights.items():
        np.testing.assert_array_equal(weights, kept[name])
    result = run.info["result"]
    assert result["chosen_loss"] == result["valid_loss"] != pytest.approx(loss, abs=1e-6)
    assert result["chosen_loss"] < report.valid_loss


def test_a_model_that_writes_goes_on_with_lines_without_letters(
    run: seqgen.Run, tmp_path: Path
) -> None:
    hidden = [
        replace(line, letters=None, strokes=tuple(3 * stroke for stroke in line.strokes))
        for line in LINES[:10]
    ]
    new = replace(hidden[0], text=f"\u03a9{hidden[0].text[1:]}")
    pieces = {"train": [*hidden[1:], new], "valid": hidden[:1]}
    corpus = seqgen.write_corpus(tmp_path / "c", "handwriting", pieces, before=run.codec)
    before, after = run.codec, corpus.codec
    # The steps and letters are those of the model, in the size of the new lines.
    assert after.options == before.options and after.steps.state() == before.steps.state()
    assert set(after.pen.alphabet) == {*before.pen.alphabet, "\u03a9"}
    assert 2 * before.scale < after.scale < 4 * before.scale
    assert after.is_guess and not after.fit_note
    again = after.decode(corpus.piece(0))
    assert letters_of(again) == letters_of(spread(hidden[1]))
    # Its letters are looked for before anything is learned.
    config = seqgen.TrainConfig(tokens=3000, evaluations=5, threads=1)
    tuned = seqgen.create_run(tmp_path / "run", corpus, train=config, start=run)
    assert tuned.info["from"]["new"] == 1 and tuned.info["from"]["dropped"] == 0
    [first, *_] = [
        report for report in seqgen.train(tuned, corpus) if "realigned" in report.message
    ]
    assert first.step == 0 and "realigned 11 of 11" in first.message
    assert [entry["round"] for entry in tuned.info["realigned"]] == [1, 2, 3]


def test_texts_that_are_not_learned_are_told() -> None:
    hidden = [replace(line, letters=None) for line in LINES[:9]]
    words = [replace(line, text="cat") for line in hidden]
    codec = PointsCodec.fit(hidden, PointOptions(60, 20))
    assert re.search(r"pieces have a text.* draw freely.*`start`.*spread", codec.fit_note)
    assert not PointsCodec.fit(words, PointOptions(60, 20)).fit_note
    for text in ("off", "spread"):
        assert not PointsCodec.fit(hidden, PointOptions(60, 20, text=text)).fit_note
    assert not CODEC.fit_note


def test_letters_that_are_marked_are_not_realigned(tmp_path: Path) -> None:
    corpus = seqgen.write_corpus(tmp_path / "corpus", "handwriting", {"train": LINES[:8]})
    assert not corpus.codec.dictation.is_guess
    config = seqgen.TrainConfig(tokens=2000, evaluations=5, threads=1)
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, config)
    assert not any("realign" in report.message for report in seqgen.train(run, corpus))
    assert "realigned" not in run.info and not list(run.folder.glob("aligned-*"))


def test_drawings_are_not_realigned(run: seqgen.Run, tmp_path: Path) -> None:
    wordless = replace(LINES[0], text="", letters=None)
    ids = run.codec.encode(wordless)
    [same] = realigned(run, [ids])
    np.testing.assert_array_equal(same, ids)
    corpus = seqgen.write_corpus(tmp_path / "corpus", "handwriting", {"train": [wordless]})
    free = seqgen.create_run(tmp_path / "run", corpus, SMALL, seqgen.TrainConfig(tokens=100))
    with pytest.raises(RunError, match="without dictation"):
        next(realigned(free, [ids]))


# The command


@pytest.mark.parametrize("suffix", [".svg", ".json", ".inkml"])
@pytest.mark.parametrize("told", [True, False])
def test_a_text_is_written_in_the_hand_of_a_prompt(
    run: seqgen.Run, tmp_path: Path, suffix: str, told: bool, command
) -> None:
    sample = LINES[7] if told else replace(LINES[7], letters=None)
    [path] = DOMAIN.write(sample, tmp_path / f"sample{suffix}")
    arguments = ("generate", run.folder, "--prompt", path, "--given", "to the end")
    assert command(*arguments, "-o", tmp_path / "out", "--page") == 0
    [ink] = DOMAIN.read(tmp_path / "out" / "handwriting-1.svg")
    assert ink.text == f"{sample.text}\nto the end"
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count('class="written"') == 1 and "animation-delay" in page
    assert command(*arguments, "-o", tmp_path / "own", "--without-prompt") == 0
    [own] = DOMAIN.read(tmp_path / "own" / "handwriting-1.svg")
    assert own.text == "to the end"
    # It begins with ink of its own, not with the end of the prompt.
    assert len(own.strokes) == len(ink.strokes) - len(sample.strokes)


def test_a_prompt_without_text_is_ink_all_the_same(run: seqgen.Run) -> None:
    sample = replace(LINES[7], text="", letters=None)
    [new] = seqgen.generate(run, 1, prompt=sample, condition="to the end")
    assert new.piece.text == "to the end" and new.stopped_by == "end"


def test_a_prompt_of_other_letters_is_refused(
    run: seqgen.Run, tmp_path: Path, capsys, command
) -> None:
    (tmp_path / "a.json").write_text(as_json(Ink((np.arange(20.0).reshape(10, 2),), "a£")))
    arguments = ("generate", run.folder, "--prompt", tmp_path / "a.json", "--given", "to")
    assert command(*arguments, "-o", tmp_path / "out") != 0
    assert "does not know the symbol '£'" in re.sub(r"\s+", " ", capsys.readouterr().err)


def test_a_prompt_is_made_to_fit(run: seqgen.Run, tmp_path: Path, command) -> None:
    line = LINES[7]
    large = tuple(stroke * 7 + 300 for stroke in line.strokes)
    assert line.text[2] != " " and line.letters is not None
    odd = replace(line, strokes=large, text=f"{line.text[:2]}£{line.text[3:]}")
    fit = run.codec.mend_prompt(odd, "skip").piece
    assert fit.text == line.text[:2] + line.text[3:]
    assert fit.points == line.points - letters_of(line).count(2)
    assert letters_of(fit) == [at - (at > 2) for at in letters_of(line) if at != 2]
    heights = np.ptp(np.concatenate(fit.strokes)[:, 1])
    assert heights == pytest.approx(run.codec.scale)
    (tmp_path / "a.json").write_text(as_json(odd))
    arguments = ("--prompt", tmp_path / "a.json", "--unknown", "skip", "--given", "to")
    assert command("generate", run.folder, *arguments, "-o", tmp_path / "out") == 0
    with pytest.raises(DataError, match="no ink"):
        run.codec.mend_prompt(replace(line, text="£" * len(line.text)), "skip")
    drawing = replace(line, text="", letters=None)
    assert run.codec.mend_prompt(drawing, "nearest").piece is drawing


def test_unknown_letters_take_the_ink_of_the_nearest() -> None:
    line = LINES[7]
    known = frozenset(CODEC.pen.alphabet)
    assert line.letters is not None and line.text[2] in known and not {"é", "ß"} & known
    odd = replace(line, text=f"{line.text[:2]}éß{line.text[4:]}")
    mended = CODEC.mend_prompt(odd, "nearest")
    assert mended.piece.text == f"{line.text[:2]}e{line.text[4:]}"
    # There is one letter's ink for two letters.
    assert mended.piece.points == line.points - letters_of(line).count(3)
    assert mended.changes == {("é", "e"): 1, ("ß", ""): 1}


def test_unknown_letters_of_a_given_text_are_adapted() -> None:
    given_text = "thē end‥\n„of„ it\t日"
    assert CODEC.mend_condition("the end\nof it", "skip").changes == {}
    for unknown, wanted in (("skip", "th end\nof it"), ("nearest", "the end..\nof it ")):
        mended = CODEC.mend_condition(given_text, unknown)
        plain = "".join(sign for sign in mended.piece if sign not in "'\"“”")
        assert plain == wanted and sum(mended.changes.values()) == 6
        CODEC.tracker(mended.piece)
    assert CODEC.mend_condition(replace(LINES[0], text="thē"), "nearest").piece == "the"


def test_a_file_of_text_may_be_given_and_a_missing_one_is_told(
    run, tmp_path, capsys, command
) -> None:
    (tmp_path / "letter.txt").write_bytes(b"\xef\xbb\xbfto the\r\nend\r\n")
    arguments = ("generate", run.folder, "--given", tmp_path / "letter.txt", "-o", tmp_path / "out")
    assert command(*arguments) == 0
    [ink] = DOMAIN.read(tmp_path / "out" / "handwriting-1.svg")
    assert ink.text == "to the\nend"
    capsys.readouterr()
    assert command("generate", run.folder, "--given", "nosuch.txt", "-o", tmp_path / "no") == 4
    assert "there is no file nosuch.txt" in " ".join(capsys.readouterr().err.split())
    assert command("generate", run.folder, "--prompt", tmp_path / "letter.txt") == 4
    err = " ".join(capsys.readouterr().err.split())
    assert (
        "not a file of ink, found .txt; give a text to be written with --given" in err
        and "end in .inkml, .xml" in err
    )
    assert not (tmp_path / "no").exists()


def test_pages_are_files_of_their_own(run: seqgen.Run, tmp_path: Path, command) -> None:
    text = "\n".join(["to"] * 60)
    assert command("generate", run.folder, "--given", text, "-o", tmp_path / "out") == 0
    more = sorted(path.name for path in (tmp_path / "out").glob("*-page-*.svg"))
    assert more[0] == "handwriting-1-page-2.svg"
    parts = [DOMAIN.read(tmp_path / "out" / name) for name in ("handwriting-1.svg", *more)]
    assert "\n".join(ink.text for inks in parts for ink in inks) == text


@pytest.mark.slow
def test_the_example_writes_in_a_given_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent.parent / "examples"))
    main: Callable[..., None] = importlib.import_module("sentence").main
    lines = [as_json(replace(line, letters=None)) for line in LINES[:12]]
    (tmp_path / "lines.json").write_text(f"[{','.join(lines)}]")
    main(tmp_path / "lines.json", "the best", 0.02, tmp_path / "out")
    for number in (1, 2, 3):
        [ink] = DOMAIN.read(tmp_path / "out" / f"sentence-{number}.svg")
        # A wide hand fills a line with one word: then a line break takes the place of the blank.
        assert ink.text.split() == ["the", "best"]
