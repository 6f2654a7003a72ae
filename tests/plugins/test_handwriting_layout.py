"""Texts on paper: level lines of words that fit, on pages, in a chosen size."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from seqgen_handwriting.demo import Writer, write_line
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files import pictures
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.levelling import STANDING, written
from seqgen_handwriting.paper import on_paper, pages
from seqgen_handwriting.sheet import LONGEST, Sheet
from seqgen_handwriting.write_options import MARGIN, PAPERS, SIDE, WriteOptions

from seqgen.errors import ConfigError

DOMAIN = Handwriting()

LETTER = """Dear Anna,

the quick brown fox (who jumps) over the lazy dog is “gauged” by Jürgen & Co.; happily jogging \
along the foggy quay, nobody knew when five jugs of égalité would be 50 % off. Every evening the \
river runs into the sea, and yet: why?

Yours, Zoë"""


def text_ink(text: str, writer: int = 0, slope: float = 0.0, wave: float = 0.0) -> Ink:
    """Write each line of a text as one endless line that rises, falls and swings."""
    strokes, letters, begin = [], [], 0
    for number, line in enumerate(text.split("\n")):
        ink = write_line(line, Writer.number(writer), number) if line.strip() else Ink((), line, ())
        for stroke, own in zip(ink.strokes, ink.letters or (), strict=True):
            off = slope * stroke[:, 0] + wave * np.sin(stroke[:, 0] / 600)
            strokes.append(stroke + np.stack([0 * off, off + 60 * number], axis=1))
            letters.append(own + begin)
        begin += len(line) + 1
    return Ink(tuple(strokes), text, tuple(letters), "me")


LINE = text_ink(LETTER, 0)


def lines_of(sheet: Sheet) -> list[np.ndarray]:
    """Return the points of each line with ink, in millimetres."""
    assert sheet.ink.letters is not None
    breaks = np.append(0, np.cumsum([letter == "\n" for letter in sheet.ink.text]))
    rows = [int(breaks[own[0]]) for own in sheet.ink.letters]
    found: dict[int, list[np.ndarray]] = {}
    for row, stroke in zip(rows, sheet.strokes, strict=True):
        found.setdefault(row, []).append(stroke)
    return [np.concatenate(found[row]) for row in sorted(found)]


def assert_inside(sheet: Sheet) -> None:
    points, margin = np.concatenate(sheet.strokes), sheet.options.margin - 1e-2
    assert (points >= margin).all()
    assert (points <= np.array([sheet.width, sheet.height]) - margin).all()


def feet(ink: Ink) -> np.ndarray:
    """Return the lowest points of letters that stand on the line, in heights of a capital."""
    own = np.concatenate(ink.letters)
    heights = np.concatenate(ink.strokes)[:, 1]
    standing = [at for at in np.unique(own).tolist() if ink.text[at] in STANDING]
    return np.array([heights[own == at].max() for at in standing]) / written(ink).capital


@pytest.mark.parametrize("paper", ["a5", "postcard", "100x70"])
@pytest.mark.parametrize("writer", [0, 1, 2, 3])
def test_a_letter_fits_its_pages(paper: str, writer: int) -> None:
    ink = text_ink(LETTER, writer, slope=-0.05, wave=20)
    sheets = pages(ink, WriteOptions(paper=paper, letter=4, margin=12))
    assert [(sheet.width, sheet.height) for sheet in sheets] == [
        WriteOptions(paper=paper).size
    ] * len(sheets)
    assert len(sheets) > 1 or paper != "100x70"
    texts = "\n".join(sheet.ink.text for sheet in sheets)
    assert texts.split() == LETTER.split()
    for sheet in sheets:
        assert_inside(sheet)
    # The pen keeps its order.
    begins = [own[0] for sheet in sheets for own in sheet.ink.letters or ()]
    assert len(begins) >= len(ink.strokes) and begins[0] == 0


@pytest.mark.parametrize("writer", [0, 1, 2, 3])
def test_lines_do_not_touch(writer: int) -> None:
    ink = text_ink(LETTER.replace("\n", " ") * 2, writer, wave=20)
    for options in (WriteOptions(), WriteOptions(letter=9), WriteOptions(paper="a6", margin=5)):
        for sheet in pages(ink, options):
            for above, below in itertools.pairwise(lines_of(sheet)):
                for x, y in above:
                    beside = below[np.abs(below[:, 0] - x) < 1.0]
                    assert not len(beside) or y < beside[:, 1].min()


def test_lines_become_level() -> None:
    wild = text_ink("the dozen others who live here measure a rather wide river " * 4, 0, 0.06, 25)
    level, as_is = (
        pages(wild, WriteOptions(level=on, paper="2000x300"))[0].ink for on in (True, False)
    )
    assert np.std(feet(wild)) > 0.5 and np.std(feet(as_is)) > 0.5
    assert np.std(feet(level)) < 0.05
    # A hand that is level stays as it is.
    still = text_ink("the dozen others who live here measure a rather wide river ", 0)
    moved = [
        a - b
        for a, b in zip(
            pages(still, WriteOptions(paper="2000x300"))[0].ink.strokes, still.strokes, strict=True
        )
    ]
    assert np.ptp(np.concatenate(moved)[:, 1]) < 0.1 * written(still).capital


def test_slants_become_even() -> None:
    straight = text_ink("hill " * 40, 2)
    leaning = tuple(
        np.stack([stroke[:, 0] + stroke[:, 1] * stroke[:, 0] / 20_000, stroke[:, 1]], axis=1)
        for stroke in straight.strokes
    )
    uneven = replace(straight, strokes=leaning)

    def spread(ink: Ink) -> float:
        """Return how much the stems of the first and of the last words differ in slant."""
        steps = np.concatenate([np.diff(stroke, axis=0) for stroke in ink.strokes])
        steep = steps[np.abs(steps[:, 1]) > 3 * np.abs(steps[:, 0])]
        quarter, signs = len(steep) // 4, np.sign(steep[:, 1:])
        # By length: short steps belong to curves.
        first, last = (steep * signs)[:quarter].sum(axis=0), (steep * signs)[-quarter:].sum(axis=0)
        return float(abs(first[0] / first[1] - last[0] / last[1]))

    [sheet] = pages(uneven, WriteOptions(paper="2000x300"))
    assert spread(uneven) > 0.1 and spread(sheet.ink) < 0.03


def test_letters_have_the_chosen_size() -> None:
    for text in ("hi", "Hello you", LETTER):
        for writer in (0, 2):
            [sheet] = pages(text_ink(text, writer), WriteOptions(letter=4))
            points, own = np.concatenate(sheet.strokes), np.concatenate(sheet.ink.letters)
            tall = [at for at in np.unique(own).tolist() if sheet.ink.text[at] in "hldkbH"]
            heights = [float(np.ptp(points[own == at, 1])) for at in tall]
            assert np.median(heights) == pytest.approx(4, rel=0.08)
    hi = pages(text_ink("hi"))[0]
    assert hi.width < 2 * MARGIN + 12 and hi.height < 2 * MARGIN + 8
    # Text in lines of a given distance has letters of half of it.
    assert (
        pages(LINE, WriteOptions(line=8))[0].scale == pages(LINE, WriteOptions(letter=4))[0].scale
    )


def test_lines_have_the_chosen_distance() -> None:
    ink = text_ink("\n".join(["nnn mmm"] * 60), 2)
    sheets = pages(ink, WriteOptions(paper="a4", line=9, letter=4))
    assert len(sheets) == 2
    for sheet in sheets:
        bottoms = [line[:, 1].max() for line in lines_of(sheet)]
        assert np.abs(np.diff(bottoms) - 9).max() < 0.6 and np.mean(
            np.diff(bottoms)
        ) == pytest.approx(9, abs=0.05)
    assert sum(sheet.ink.text.count("n") for sheet in sheets) == 180


def test_lines_are_aligned() -> None:
    edges = {}
    for align in ("left", "center", "right", "justify"):
        [sheet] = pages(LINE, WriteOptions(paper="a4", align=align, letter=6, margin=30))
        lines = [line for line in lines_of(sheet) if np.ptp(line[:, 0]) > 90]
        edges[align] = np.array([[line[:, 0].min(), line[:, 0].max()] for line in lines])
    assert len(edges["left"]) > 3
    np.testing.assert_allclose(edges["left"][:, 0], 30, atol=0.01)
    np.testing.assert_allclose(edges["right"][:, 1], 180, atol=0.01)
    np.testing.assert_allclose(edges["center"].mean(axis=1), 105, atol=0.01)
    # The last line of a paragraph stays as it is.
    np.testing.assert_allclose(edges["justify"][:, 0], 30, atol=0.01)
    full = edges["justify"][:-1, 1]
    np.testing.assert_allclose(full[full > 150], 180, atol=0.01)
    assert np.ptp(edges["left"][:, 1]) > 1


def test_blanks_at_the_beginning_of_a_line_indent_it() -> None:
    lines = [pages(text_ink(text), WriteOptions())[0] for text in ("on\non", "on\n    on")]
    lefts = [lines_of(sheet)[1][:, 0].min() for sheet in lines]
    assert lefts[0] == pytest.approx(MARGIN, abs=0.01) and lefts[1] > lefts[0] + 5
    first = pages(text_ink("    on\non"), WriteOptions())[0]
    assert lines_of(first)[0][:, 0].min() == pytest.approx(lefts[1], abs=0.5)


@pytest.mark.parametrize("align", ["left", "center", "right", "justify"])
def test_a_long_indent_stays_on_the_paper(align: Any) -> None:
    ink = text_ink("on\n" + " " * 90 + "we go\n" + " " * 12 + "incomprehensibilities")
    for sheet in pages(ink, WriteOptions(paper="postcard", align=align)):
        assert_inside(sheet)
        assert sheet.ink.text.split() == ink.text.split()


def test_a_word_that_is_a_little_wider_than_the_paper_makes_all_smaller() -> None:
    whole = pages(text_ink("incomprehensible"), WriteOptions(paper="200x50", margin=5))[0]
    width = np.ptp(np.concatenate(whole.strokes)[:, 0])
    paper = f"{0.85 * width + 10:.0f}x50"
    [sheet] = pages(text_ink("incomprehensible"), WriteOptions(paper=paper, margin=5))
    assert np.concatenate(sheet.strokes)[:, 0].max() == pytest.approx(sheet.width - 5, abs=0.01)
    assert sheet.scale == pytest.approx(0.85 * whole.scale, rel=0.01)
    [sheet] = pages(text_ink("no"), WriteOptions(paper="40x12", letter=100, margin=2))
    assert_inside(sheet)


@pytest.mark.parametrize("align", ["left", "center", "right", "justify"])
def test_a_long_word_is_cut_and_the_rest_keeps_its_size(align: Any) -> None:
    long = "on " + "incomprehensibilities" * 9 + " we go"
    ink = text_ink(long)
    capital = pages(ink, WriteOptions(paper="a6"))[0].scale * written(ink).capital
    assert capital == pytest.approx(4)
    sheets = pages(text_ink(long), WriteOptions(paper="100x50", margin=10, align=align))
    assert len(sheets) > 2
    assert "".join(sheet.ink.text for sheet in sheets).split() == long.split()
    letters = 0
    for sheet in sheets:
        assert_inside(sheet)
        own = np.concatenate(sheet.ink.letters or ())
        letters += len(np.unique(own))
        assert own.max() < len(sheet.ink.text)
    assert letters == len(long.replace(" ", ""))


def test_lines_that_overlap_are_refused() -> None:
    with pytest.raises(ConfigError, match="found line=3 and letter=8; line=16 leaves room"):
        WriteOptions(letter=8, line=3)
    assert WriteOptions(letter=8, line=8).line == 8


@pytest.mark.parametrize("writer", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "text", ["...", "— —", "?!", "…", "gypq", "jjj", "“”", "-", "(%)", "é è", "ñ", ".."]
)
def test_texts_without_plain_letters_have_the_size_of_others(text: str, writer: int) -> None:
    hello = written(text_ink("Hello", writer)).capital
    assert 0.55 < written(text_ink(text, writer)).capital / hello < 1.75


@pytest.mark.parametrize("text, twin", [("Боже НЕТ", "Tone HEN"), ("Ωδή ΝΑΙ", "Old NAN")])
def test_capitals_of_other_alphabets_are_measured(text: str, twin: str) -> None:
    latin = text_ink(twin, 2)
    assert len(text) == len(twin) and latin.letters is not None
    other = replace(latin, text=text)
    assert written(other).capital == pytest.approx(written(latin).capital, rel=0.05)


def test_a_line_of_tails_stands_on_its_line() -> None:
    ink = text_ink("hunt\ngypq\nhunt", 2)
    tails, standing = [], []
    level = written(ink, level=True)
    for letter in np.unique(level.letters).tolist():
        heights = level.points[level.letters == letter, 1]
        (tails if ink.text[letter] in "gypq" else standing).append(heights.max() / level.capital)
    assert np.median(standing) == pytest.approx(0, abs=0.1)
    assert 0.3 < np.median(tails) < 0.7


def test_a_stroke_that_goes_on_in_another_line_is_cut(tmp_path: Path) -> None:
    x = np.arange(40.0)
    ink = Ink(
        (np.stack([10 * x, 9 * (x % 2)], axis=1),),
        "aaaa bbbbb",
        (np.repeat([0, 6], 20),),
        times=(x,),
    )
    [sheet] = pages(ink, WriteOptions(paper="60x60", letter=9, margin=5, line=20))
    assert sheet.ink.text == "aaaa\nbbbbb" and [len(part) for part in sheet.strokes] == [20, 20]
    assert sheet.ink.times is not None and sheet.ink.times[1].tolist() == x[20:].tolist()
    files = DOMAIN.write(ink, tmp_path / "a.svg", sheet.options)
    assert [piece.text for file in files for piece in DOMAIN.read(file)] == [sheet.ink.text]


def test_a_text_gets_a_sheet_of_its_size_or_pages_of_a4(tmp_path: Path) -> None:
    [sheet] = pages(LINE)
    points = np.concatenate(sheet.strokes)
    assert_inside(sheet)
    np.testing.assert_allclose(points.min(axis=0), MARGIN, atol=2)
    size = np.array([sheet.width, sheet.height])
    np.testing.assert_allclose(points.max(axis=0), size - MARGIN, atol=2)
    long = text_ink("\n".join(["on we go"] * 70))
    files = DOMAIN.write(long, tmp_path / "ink.svg")
    assert [file.name for file in files] == ["ink.svg", "ink-page-2.svg", "ink-page-3.svg"]
    roots = [ElementTree.parse(file).getroot() for file in files]
    assert {(root.get("width"), root.get("height")) for root in roots} == {("210.00mm", "297.00mm")}
    whole = on_paper(long)
    assert whole.height > 600 and whole.ink.text == long.text
    assert on_paper(long, WriteOptions(paper="a5")).width == 148


def test_a_drawing_lies_in_the_middle_of_a_chosen_paper() -> None:
    drawing = Ink((np.array([[0.0, 0.0], [10.0, 5.0], [20.0, 0.0]]),), "roof")
    assert on_paper(drawing).width == pytest.approx(SIDE + 2 * MARGIN)
    for paper, side in (("a3", 150), ("a6", 105 - 2 * MARGIN)):
        sheet = on_paper(drawing, WriteOptions(paper=paper))
        points = np.concatenate(sheet.strokes)
        assert (sheet.width, sheet.height) == PAPERS[paper]
        np.testing.assert_allclose(points.min(0) + points.max(0), PAPERS[paper])
        assert np.ptp(points[:, 0]) == pytest.approx(side)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".gif"])
def test_a_flat_drawing_without_margin_has_a_sheet(suffix: str, tmp_path: Path) -> None:
    flat = Ink((np.array([[0.0, 0.0], [10.0, 0.0]]),))
    for pen in (0.05, 0.5):
        [file] = DOMAIN.write(flat, tmp_path / f"a{suffix}", WriteOptions(margin=0, pen=pen))
        if suffix == ".svg":
            size = ElementTree.parse(file).getroot().get("viewBox", "").split()[2:]
        else:
            size = Image.open(file).size
        assert all(float(side) > 0 for side in size)


def test_pictures_of_large_sheets_have_fewer_pixels(tmp_path: Path, monkeypatch) -> None:
    ink = text_ink("hi")
    for suffix, name in ((".png", "MOST_PIXELS"), (".gif", "MOST_MOVING")):
        monkeypatch.setattr(pictures, name, 90_000)
        [file] = DOMAIN.write(ink, tmp_path / f"a{suffix}", WriteOptions(paper="2000x1000"))
        width, height = Image.open(file).size
        assert 9_000 < width * height <= 10_500 and width == pytest.approx(2 * height, abs=2)


def test_pen_and_speed_are_chosen(tmp_path: Path) -> None:
    [sheet] = pages(LINE, WriteOptions(pen=0.3))
    [file] = DOMAIN.write(LINE, tmp_path / "ink.svg", sheet.options)
    root = ElementTree.parse(file).getroot()
    scale = sheet.width / float(root.get("viewBox", "").split()[2])
    assert float(root.get("stroke-width", "")) * scale == pytest.approx(0.3, rel=1e-4)
    slow, fast = (
        on_paper(text_ink("hi"), WriteOptions(speed=speed)).pace()[1] for speed in (6, 60)
    )
    assert min(slow) >= min(fast) and sum(slow) > 2 * sum(fast)
    begins, lasts = on_paper(text_ink("on we go " * 99)).pace()
    assert begins[-1] + lasts[-1] == pytest.approx(LONGEST, rel=0.01)
    thin, thick = tmp_path / "thin.png", tmp_path / "thick.png"
    for file, pen in ((thin, 0.05), (thick, 3.0)):
        DOMAIN.write(text_ink("hi"), file, WriteOptions(pen=pen))
    inks = [255 - np.array(Image.open(file).convert("L")).astype(int) for file in (thin, thick)]
    assert 0 < inks[0].sum() < inks[1].sum() / 5


@pytest.mark.parametrize(
    "options, message",
    [
        ({"paper": "b5"}, "paper must be auto, a3, .* such as 100x70; found 'b5'"),
        ({"paper": "5x5"}, "from 10 to 2000 mm"),
        ({"paper": "9999x9999"}, "from 10 to 2000 mm"),
        ({"paper": "1e3x100"}, "paper must be"),
        ({"paper": "a6", "margin": 60}, "less than half of the paper, which is 105 x 148 mm"),
        ({"margin": -1}, "margin must be"),
        ({"letter": 0.1}, "letter must be 0, or from 0.5"),
        ({"pen": -1}, r"pen must be from 0\.05 to 100"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        WriteOptions(**options)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_letters_stay_on_the_paper(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    number = st.floats(-1e9, 1e9) | st.floats(-5, 5)
    strokes = tuple(
        np.array(data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=5)))
        for _ in range(count)
    )
    text = data.draw(st.text("ab (\n ég", min_size=1, max_size=8))
    places = st.integers(0, len(text) + 3)
    letters = tuple(np.array([data.draw(places) for _ in stroke]) for stroke in strokes)
    align = data.draw(st.sampled_from(["left", "center", "right", "justify"]))
    options = WriteOptions(paper="postcard", align=align)
    for sheet in pages(Ink(strokes, text, letters), options):
        assert_inside(sheet)
        assert sum(map(len, sheet.strokes)) > 0
