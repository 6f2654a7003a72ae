"""Handwriting in and out of files, and made comparable."""

import contextlib
import io
import json
import pickle
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import seqgen_handwriting
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from seqgen_handwriting import ink as ink_module
from seqgen_handwriting.cleaning import (
    ReadOptions,
    body_height,
    cleaned,
    levelled,
    placed,
    resampled,
    without_jumps,
)
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files.json_files import as_json
from seqgen_handwriting.files.json_parts import Parts
from seqgen_handwriting.files.numeric_pickle import arrays_of
from seqgen_handwriting.files.text_files import bounded_lines
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.paper import on_paper, pages
from seqgen_handwriting.write_options import MARGIN, PEN, SIDE

from seqgen.conditions.labels import content_of
from seqgen.errors import DataError
from seqgen.plugin import Note

DOMAIN = Handwriting()

#: What holds all that ink does; SVG holds it as it lies on paper.
ON_PAPER = [".svg", ".anim.svg"]
LOSSLESS = [".inkml", ".npz", ".json", *ON_PAPER]

#: Two strokes and a dot.
SAMPLE = Ink(
    (
        np.array([[0.0, 0.0], [10.0, 5.0], [20.0, 0.0]]),
        np.array([[5.0, 30.0], [25.0, 32.5]]),
        np.array([[12.0, 14.0]]),
    ),
    'a <b> & "c"',
    (np.array([0, 0, 3]), np.array([3, 3]), np.array([10])),
    "me",
    (np.array([0.0, 0.1, 0.25]), np.array([0.5, 0.75]), np.array([1.0])),
)

#: The same as a drawing, which is not laid out.
DRAWING = replace(SAMPLE, letters=None)


def read(path: Path) -> list[Ink | DataError]:
    """Return the drawings of a file without their labels."""
    return list(map(content_of, DOMAIN.read(path)))


def read_text(folder: Path, name: str, text: str) -> Ink:
    """Read the one drawing of a file with this content."""
    path = folder / name
    path.write_text(text, "utf-8")
    [ink] = (piece for piece in read(path) if not isinstance(piece, Note))
    assert isinstance(ink, Ink), ink
    return ink


def written(ink: Ink, path: Path) -> Ink:
    """Write a drawing and read it again."""
    assert DOMAIN.write(ink, path) == [path]
    [again] = read(path)
    assert isinstance(again, Ink), again
    return again


def assert_same(one: Ink, two: Ink, tolerance: float = 1e-6) -> None:
    assert [stroke.shape for stroke in one.strokes] == [stroke.shape for stroke in two.strokes]
    for left, right in zip(one.strokes, two.strokes, strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=tolerance)


def assert_all_same(one: Ink, two: Ink, tolerance: float) -> None:
    assert_same(one, two, tolerance)
    assert (one.text, one.writer) == (two.text, two.writer)
    assert one.of_points.keys() == two.of_points.keys()
    for name, values in one.of_points.items():
        for mine, other in zip(values, two.of_points[name], strict=True):
            assert mine.dtype == other.dtype
            np.testing.assert_allclose(mine, other, rtol=1e-9)


@st.composite
def inks(draw) -> Ink:
    """Any drawing of a few strokes, whose points lie on a grid of thousandths."""
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    whole = st.integers(-50_000, 50_000)
    strokes = tuple(
        np.array(draw(st.lists(st.tuples(whole, whole), min_size=n, max_size=n))) / 1000
        for n in lengths
    )
    signs = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"))
    text = draw(st.text(signs, max_size=5)).strip()
    letters = times = pressure = None
    if draw(st.booleans()):
        letters = tuple(np.arange(n) % (len(text) or 9) for n in lengths)
    if draw(st.booleans()):
        times = tuple(np.arange(n) / 8 for n in lengths)
    if draw(st.booleans()):
        pressure = tuple((1 + np.arange(n)) / 8 for n in lengths)
    return Ink(strokes, text, letters, draw(st.text("abc", max_size=3)), times, pressure)


# The piece


def test_ink_says_what_it_is() -> None:
    assert SAMPLE.points == 6 and SAMPLE.bounds == (0.0, 0.0, 25.0, 32.5) and SAMPLE.size == 32.5
    assert repr(SAMPLE) == ("Ink(3 strokes, 6 points, 25 x 32.5, 'a <b> & \"c\"', by me)")
    shown = SAMPLE._repr_html_()
    assert shown.count("<path") == 3 and "a &lt;b&gt; &amp;" in shown
    empty = Ink(())
    assert empty.bounds == (0, 0, 0, 0) and empty.points == 0 and "<svg" in empty._repr_html_()


@pytest.mark.parametrize(
    "strokes, letters",
    [
        ((np.zeros((0, 2)),), None),
        ((np.zeros((3, 3)),), None),
        ((np.zeros(4),), None),
        ((np.zeros((3, 2)),), (np.zeros(2, np.int64),)),
        ((np.zeros((3, 2)),), ()),
    ],
)
def test_ink_of_shapes_that_do_not_fit_is_refused(strokes, letters) -> None:
    with pytest.raises(DataError):
        Ink(strokes, "", letters)


# Round trips


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_what_ink_holds_is_kept(suffix: str, tmp_path: Path) -> None:
    kept = DRAWING if suffix in ON_PAPER else SAMPLE
    assert_all_same(written(kept, tmp_path / f"ink{suffix}"), kept, 1e-9)


@pytest.mark.parametrize("suffix", LOSSLESS)
@settings(max_examples=25, deadline=None)
@given(ink=inks())
def test_any_ink_is_kept(suffix: str, tmp_path_factory, ink: Ink) -> None:
    path = tmp_path_factory.mktemp("ink") / f"ink{suffix}"
    if suffix not in ON_PAPER:
        assert_all_same(written(ink, path), ink, 1e-6)
        return
    for file, sheet in zip(DOMAIN.write(ink, path), pages(ink), strict=True):
        [again] = read(file)
        assert isinstance(again, Ink)
        assert_all_same(again, sheet.ink, 0)
    # A drawing keeps its place.
    drawing = replace(ink, letters=None)
    assert_all_same(written(drawing, path), drawing, 0)


def test_an_edited_svg_keeps_its_strokes(tmp_path: Path) -> None:
    DOMAIN.write(SAMPLE, tmp_path / "ink.svg")
    text = re.sub(r"L\S+ \S+ ", "L", (tmp_path / "ink.svg").read_text(), count=1)
    again = read_text(tmp_path, "edited.svg", text)
    assert len(again.strokes[0]) == 2 and again.letters is None and again.times is None
    assert (again.text, again.writer) == (SAMPLE.text, SAMPLE.writer)
    text = (tmp_path / "ink.svg").read_text().replace('data-letters="3 3"', 'data-letters="3 e"')
    (tmp_path / "bad.svg").write_text(text)
    with pytest.raises(DataError, match="cannot read data-letters"):
        read(tmp_path / "bad.svg")


@pytest.mark.parametrize("suffix", Handwriting.formats)
def test_every_format_is_written_for_every_drawing(suffix: str, tmp_path: Path) -> None:
    dot = Ink((np.array([[3.0, 4.0]]),))
    line = Ink((np.array([[1.0, 1.0], [1.0, 9.0]]),), "|")
    for number, ink in enumerate((SAMPLE, dot, line, Ink(()))):
        [path] = DOMAIN.write(ink, tmp_path / f"{number}{suffix}")
        first = path.read_bytes()
        DOMAIN.write(ink, path)
        assert first and path.read_bytes() == first


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write ink as '\.doc'; use \.svg"):
        DOMAIN.write(SAMPLE, tmp_path / "ink.doc")


# Written files, as others see them


def test_svg_is_of_single_lines_in_millimetres(tmp_path: Path) -> None:
    DOMAIN.write(DRAWING, tmp_path / "ink.svg")
    root = ElementTree.parse(tmp_path / "ink.svg").getroot()
    assert root.get("height") == "180.00mm" and root.get("fill") == "none"
    paths = root.findall("{http://www.w3.org/2000/svg}path")
    assert len(paths) == 3 and paths[0].get("d") == "M0.0 0.0L10.0 5.0 20.0 0.0"
    # Programs for plotters leave out a path whose ends are one point.
    begin, end = paths[2].get("d", "M").removeprefix("M").split("L")
    assert paths[2].get("class") == "dot" and begin == "12.0 14.0" and begin != end
    left, top, width, height = map(float, root.get("viewBox", "").split())
    # The ink is 25 wide and 32.5 high, which is the longer side.
    assert 180 * 32.5 / height == pytest.approx(SIDE)
    for edge in (-left, -top, width + left - 25, height + top - 32.5):
        assert edge * 180 / height == pytest.approx(MARGIN)
    assert float(root.get("stroke-width", "")) * 180 / height == pytest.approx(PEN, rel=1e-4)


def test_animated_svg_writes_in_the_order_of_the_pen(tmp_path: Path) -> None:
    DOMAIN.write(SAMPLE, tmp_path / "ink.anim.svg")
    text = (tmp_path / "ink.anim.svg").read_text()
    delays = [float(found) for found in re.findall(r"animation-delay:([\d.]+)s", text)]
    assert len(delays) == 3 and delays[0] == 0 and delays == sorted(set(delays))
    assert "prefers-reduced-motion" in text and "<script" not in text
    # Beside other pictures on one page it moves nothing but itself.
    assert not re.search(r"^ *path", text, re.MULTILINE)


def test_pictures_show_the_strokes(tmp_path: Path) -> None:
    for suffix in (".png", ".gif"):
        DOMAIN.write(DRAWING, tmp_path / f"ink{suffix}")
    with Image.open(tmp_path / "ink.png") as picture:
        grey = np.array(picture.convert("L"))
    assert grey[0, 0] == 255 and grey.shape[0] == 180 * 7
    for stroke in on_paper(DRAWING).strokes:
        x, y = (stroke[0] * 7).astype(int)
        assert grey[y, x] < 100
    with Image.open(tmp_path / "ink.gif") as moving:
        darkness = []
        for number in range(moving.n_frames):
            moving.seek(number)
            darkness.append(int((255 - np.array(moving.convert("L")).astype(int)).sum()))
    assert len(darkness) > 5 and darkness[0] == 0 and darkness == sorted(darkness)


# InkML


def test_inkml_of_formulas_is_read(tmp_path: Path) -> None:
    ink = read_text(
        tmp_path,
        "formula.inkml",
        """<ink xmlns="http://www.w3.org/2003/InkML">
        <traceFormat><channel name="X" type="decimal"/><channel name="Y" type="decimal"/>
        <channel name="T" type="integer" units="ms"/></traceFormat>
        <annotation type="UI">one</annotation>
        <annotation type="truth">$x^2$</annotation><annotation type="writer">leo</annotation>
        <trace id="0">
        1 2 100, 3 4 200
        </trace>
        <trace id="1">5.5 -6e1 1000</trace>
        <traceGroup><annotation type="truth">Segmentation</annotation>
        <traceGroup><annotation type="truth">x</annotation><traceView traceDataRef="0"/>
        </traceGroup></traceGroup></ink>""",
    )
    assert (ink.text, ink.writer) == ("x^2", "leo")
    assert_same(ink, Ink((np.array([[1.0, 2], [3, 4]]), np.array([[5.5, -60.0]]))))
    assert ink.times is not None
    np.testing.assert_allclose(np.concatenate(ink.times), [0.1, 0.2, 1.0])


def test_inkml_values_may_be_relative(tmp_path: Path) -> None:
    """The example of the recommendation, 1125 18432,'23'43,"7"-8,3-5,7 -3,6 2,6 8,3 6 ..."""
    ink = read_text(
        tmp_path,
        "relative.inkml",
        """<ink><trace>1125 18432,'23'43,"7"-8,3-5,7 -3,6 2,6 8,3 6,!2000 *</trace></ink>""",
    )
    x = np.cumsum(np.cumsum([23, 7, 3, 7, 6, 6, 3])) + 1125
    y = np.cumsum(np.cumsum([43, -8, -5, -3, 2, 8, 6])) + 18432
    np.testing.assert_allclose(ink.strokes[0][:8], np.column_stack([[1125, *x], [18432, *y]]))
    # The last second difference goes on.
    assert ink.strokes[0][8].tolist() == [2000, y[-1] + (y[-1] - y[-2]) + 6]


def test_inkml_contexts_scale_and_turn(tmp_path: Path) -> None:
    ink = read_text(
        tmp_path,
        "contexts.inkml",
        """<ink xmlns="http://www.w3.org/2003/InkML"><definitions>
        <context xml:id="a"><inkSource xml:id="s"><traceFormat>
        <channel name="Y" orientation="-ve"/><channel name="F"/><channel name="X"/></traceFormat>
        <channelProperties><channelProperty channel="X" name="resolution" value="10"/>
        <channelProperty channel="Y" name="resolution" value="20"/></channelProperties>
        </inkSource></context>
        <context xml:id="b"><traceFormat><channel name="X"/><channel name="Y"/></traceFormat>
        </context></definitions>
        <trace contextRef="#a">40 7 30, 60 7 10</trace>
        <trace contextRef="#b">1 2, 3 4</trace>
        <trace contextRef="#b" type="penUp">9 9, 9 9</trace>
        <trace contextRef="#b" continuation="end">5 6</trace></ink>""",
    )
    expected = (np.array([[3.0, -2.0], [1.0, -3.0]]), np.array([[1.0, 2], [3, 4], [5, 6]]))
    assert_same(ink, Ink(expected))


@pytest.mark.parametrize(
    "content, match",
    [
        ("<ink><trace>1 2, 3", "not XML"),
        ("", "empty"),
        ("<ink></ink>", "no stroke"),
        ("<ink><trace>1 2, 3</trace></ink>", r"trace 1: the point '3' has 1 values; its"),
        ("<ink><trace>1 2, 3 pear</trace></ink>", r"cannot read the point '3 pear'"),
        ("<ink><trace>1 2, NaN 3</trace></ink>", r"cannot read the point 'NaN 3'"),
        ("<ink><trace>1 2, 1e300 3</trace></ink>", r"point 2 of stroke 1 is \(1e\+300, 3\)"),
        ("<ink><trace>1 2, 1e999 3</trace></ink>", r"point 2 of stroke 1 is \(inf, 3\)"),
        (
            '<ink><traceFormat><channel name="X"/></traceFormat><trace>1, 2</trace></ink>',
            "no channel Y",
        ),
        ("<page/>", r"root of its XML is <page>; expected <ink>"),
        ('<?xml version="1.0" encoding="klingon"?><ink/>', "not XML|decoded"),
    ],
)
def test_broken_inkml_is_refused(content: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.inkml"
    path.write_text(content)
    with pytest.raises(DataError, match=match):
        read(path)


@pytest.mark.parametrize("suffix", [".inkml", ".xml", ".svg"])
def test_xml_bombs_and_references_are_refused(suffix: str, tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{level + 1} "{f"&e{level};" * 10}">' for level in range(1, 12))
    bomb = f'<!DOCTYPE ink [<!ENTITY e1 "ha">{entities}]><ink><trace>&e12;</trace></ink>'
    outside = (
        '<!DOCTYPE ink [<!ENTITY x SYSTEM "file:///etc/passwd">]><ink><trace>&x;</trace></ink>'
    )
    for content in (bomb, outside):
        path = tmp_path / f"bomb{suffix}"
        path.write_text(content)
        with pytest.raises(DataError, match="declares entities"):
            read(path)


# IAM-OnDB and UNIPEN

SESSION = """<?xml version="1.0" encoding="ISO-8859-1"?>
<WhiteboardCaptureSession>
<General><Form id="a01-000u" writerID="10011"/></General>
{transcription}
<WhiteboardDescription><SensorLocation corner="top_left"/></WhiteboardDescription>
<StrokeSet>
<Stroke colour="black" start_time="1.5" end_time="2"><Point x="1073" y="1058" time="1.5"/>
<Point x="1072" y="1085" time="2.0"/></Stroke>
<Stroke colour="black" start_time="3" end_time="3"><Point x="1100" y="1058" time="3.0"/></Stroke>
</StrokeSet></WhiteboardCaptureSession>"""


def test_iam_forms_are_read_with_their_text(tmp_path: Path) -> None:
    said = """<Transcription><Text>It's\ntwo</Text><TextLine id="1" text="It&amp;apos;s"/>
    <TextLine id="2" text="two"/></Transcription>"""
    ink = read_text(tmp_path, "strokesz.xml", SESSION.format(transcription=said))
    assert (ink.text, ink.writer) == ("It's\ntwo", "10011")
    assert_same(ink, Ink((np.array([[1073.0, 1058], [1072, 1085]]), np.array([[1100.0, 1058]]))))
    assert ink.times is not None and np.concatenate(ink.times).tolist() == [1.5, 2.0, 3.0]


def test_iam_lines_find_their_text_in_the_folder_beside(tmp_path: Path) -> None:
    strokes, texts = (tmp_path / name / "a01/a01-000" for name in ("lineStrokes", "ascii"))
    strokes.mkdir(parents=True)
    line = SESSION.format(transcription="")
    assert read_text(strokes, "a01-000u-02.xml", line).text == ""
    texts.mkdir(parents=True)
    (texts / "a01-000u.txt").write_text("OCR:\n\nA M0VE\n\nCSR:\n\nA MOVE to stop\nMr. Gaitskell\n")
    assert read_text(strokes, "a01-000u-02.xml", line).text == "Mr. Gaitskell"
    assert read_text(strokes, "a01-000u-03.xml", line).text == ""


def test_iam_points_without_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(SESSION.format(transcription="").replace('x="1072"', ""))
    with pytest.raises(DataError, match="a point of stroke 1 has no x or y"):
        read(tmp_path / "a.xml")


UNIPEN = """.VERSION 1.0
.HIERARCHY WORD CHARACTER
.WRITER_ID bob
.COORD X Y T
.SEGMENT WORD 0-1 OK "hi"
.SEGMENT CHARACTER 0 OK "h"
.SEGMENT WORD 1:1-2:0 ? "a \\"b\\""
.PEN_DOWN
1 2 10
3 4 20
.PEN_UP
8 8 25
.PEN_DOWN
5 6 30
7 8 40
.DT 100
.PEN_DOWN
9 10 50
11 12 60
.PEN_UP
"""


def test_unipen_segments_of_the_highest_level_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.unp").write_text(UNIPEN)
    first, second = read(tmp_path / "a.unp")
    assert isinstance(first, Ink) and isinstance(second, Ink)
    assert (first.text, first.writer, second.text) == ("hi", "bob", 'a "b"')
    assert_same(first, Ink((np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8]]))))
    assert_same(second, Ink((np.array([[7.0, 8]]), np.array([[9.0, 10]]))))
    assert first.times is not None and first.times[1].tolist() == [0.03, 0.04]


def test_unipen_without_segments_is_one_drawing(tmp_path: Path) -> None:
    plain = re.sub(r"(?m)^\.SEGMENT.*\n", "", UNIPEN).replace(".PEN_DOWN\n1 2", ".PEN_DOWN 1 2")
    assert [len(stroke) for stroke in read_text(tmp_path, "a.dat", plain).strokes] == [2, 2, 2]


@pytest.mark.parametrize(
    "content, match",
    [
        (".VERSION 1.0\n", "no .PEN_DOWN"),
        (".INCLUDE apa/data/one\n.SEGMENT WORD 0 OK hi\n", "includes apa/data/one; read that"),
        (".COORD X Y\n.PEN_DOWN\n1 2\n3\n", r"line 4: expected X Y, found '3'"),
        (".COORD A B\n.PEN_DOWN\n1 2\n", "must name X and Y, found 'A B'"),
        (".PEN_DOWN\nnan 2\n", "point 1 of stroke 1"),
    ],
)
def test_broken_unipen_is_refused(content: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "a.unp").write_text(content)
    with pytest.raises(DataError, match=match):
        read(tmp_path / "a.unp")


def test_unipen_has_limits(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.unp"
    path.write_text(UNIPEN + ".SEGMENT WORD 0-2 OK x\n")
    monkeypatch.setattr("seqgen_handwriting.files.unipen_reading.MOST_STROKES_IN_FILE", 4)
    first, second, third = read(path)
    assert isinstance(first, Ink) and isinstance(second, Ink)
    assert "repeat too many points" in str(third)
    for name, limit, match in (
        ("MOST_IN_FILE", 5, "more than 5 points"),
        ("MOST_SEGMENTS", 2, "more than 2 segments"),
        ("LONGEST_SEGMENT", 9, "more than 9 characters"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"seqgen_handwriting.files.unipen_reading.{name}", limit)
            with pytest.raises(DataError, match=match):
                read(path)


def test_a_segment_of_strokes_that_are_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.unp").write_text(UNIPEN.replace("0-1 OK", "0-9 OK"))
    first, second = read(tmp_path / "a.unp")
    assert isinstance(second, Ink) and "ends at stroke 9; the file has 3" in str(first)


# Stroke-3


def objects(*items) -> np.ndarray:
    """Return an array of objects."""
    array = np.empty(len(items), object)
    for number, item in enumerate(items):
        array[number] = item
    return array


def pickled(path: Path, **drawings: list[np.ndarray]) -> Path:
    """Write drawings as sketch-rnn does: arrays of objects."""
    np.savez(path, **{name: objects(*rows) for name, rows in drawings.items()})
    return path


@pytest.mark.parametrize("dtype", [np.int16, np.float64, ">i4", np.float16])
def test_stroke3_of_sketch_rnn_is_read_without_pickle(dtype, tmp_path: Path) -> None:
    one = np.array([[1, 2, 0], [3, 4, 1], [0, 1, 0], [5, 5, 0]], dtype)
    two = np.asfortranarray(one[1:])
    five = np.array([[1, 1, 1, 0, 0], [2, 0, 0, 1, 0], [0, 9, 1, 0, 0], [0, 0, 0, 0, 1]], dtype)
    path = pickled(tmp_path / "a.npz", train=[one, two], test=[five])
    last, first, second = read(path)
    assert isinstance(first, Ink) and isinstance(second, Ink) and isinstance(last, Ink)
    assert_same(first, Ink((np.array([[1.0, 2], [4, 6]]), np.array([[4.0, 7], [9, 12]]))))
    assert_same(second, Ink((np.array([[3.0, 4]]), np.array([[3.0, 5], [8, 10]]))))
    assert_same(last, Ink((np.array([[1.0, 1], [3, 1]]), np.array([[3.0, 10]]))))


def test_a_pickle_of_protocol_2_is_read() -> None:
    """Python 2 wrote the files that go round."""
    rows = np.arange(6.0).reshape(2, 3)
    arrays = objects(rows, rows[:1].astype(np.int16))
    one, two = arrays_of(pickle.dumps(arrays, protocol=2))
    assert one.tolist() == [[0, 1, 2], [3, 4, 5]] and two.tolist() == [[0, 1, 2]]


class Malicious:
    """Makes a folder when it comes out of a pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "broken-into"
    rows: list = [np.zeros((2, 3)), Malicious(marker)]
    path = pickled(tmp_path / "a.npz", train=rows)
    with pytest.raises(DataError, match=r"its pickle asks for \w+\.mkdir; only arrays of numbers"):
        read(path)
    assert not marker.exists()


@pytest.mark.parametrize("inner", [["a", "b"], [np.array(["a"])], [np.array([1j])], [None]])
def test_a_pickle_of_other_things_is_refused(inner: list) -> None:
    outer = objects(*inner)
    with pytest.raises(DataError, match="its pickle"):
        arrays_of(pickle.dumps(outer))


def test_a_pickle_cut_short_is_refused_at_every_byte() -> None:
    arrays = objects(np.arange(6).reshape(2, 3))
    whole = pickle.dumps(arrays)
    for end in range(len(whole) - 1):
        with pytest.raises(DataError):
            arrays_of(whole[:end])


def test_a_pickle_that_claims_much_memory_is_refused() -> None:
    """Where to note what it read, and how long a string is, are numbers that it names itself."""
    note, length = b"\x80\x02]r\xff\xff\xff\x7f.", b"\x80\x04\x8e" + b"\xff" * 6 + b"\x00\x00."
    for content in (note, length):
        with pytest.raises(DataError, match="its pickle"):
            arrays_of(content)


def test_a_pickle_of_many_parts_is_refused(monkeypatch) -> None:
    """A list takes one byte of the file and 56 of memory."""
    monkeypatch.setattr("seqgen_handwriting.files.numeric_pickle.MOST_READS", 1000)
    with pytest.raises(DataError, match="its pickle has more than 1,000 parts"):
        arrays_of(b"\x80\x02(" + b"]" * 2000 + b"l.")


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_pickle_never_does_more_than_fail(at: int, byte: int) -> None:
    arrays = objects(np.arange(6).reshape(2, 3))
    damaged = bytearray(pickle.dumps(arrays))
    damaged[at % len(damaged)] = byte
    with contextlib.suppress(DataError):
        assert all(isinstance(found, np.ndarray) for found in arrays_of(bytes(damaged)))


def test_drawings_that_cannot_be_used_are_told_among_the_others(tmp_path: Path) -> None:
    good = np.array([[1.0, 2, 0], [3, 4, 1]])
    drawings = [good, good * np.nan, np.zeros((0, 3)), good[:, :2], good]
    found = read(pickled(tmp_path / "a.npz", train=drawings))
    assert [isinstance(one, Ink) for one in found] == [True, False, False, False, True]
    assert str(found[1]).startswith("drawing 2 of train: point 1 of stroke 1 is (nan")
    assert "no stroke" in str(found[2]) and "rows of 3 or 5" in str(found[3])


def test_other_npz_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    with pytest.raises(DataError, match=r"its array x\.npy holds no drawings"):
        read(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"no zip")
    with pytest.raises(DataError, match="not an npz file"):
        read(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("train.npy", b"not an array")
    with pytest.raises(DataError, match=r"train\.npy cannot be read"):
        read(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", rows=np.zeros((3, 3)), offsets=np.array([0, 2, 9]))
    good, bad = read(tmp_path / "d.npz")
    assert isinstance(good, Ink) and "not within 3 rows" in str(bad)


def test_drawings_in_npz_are_limited_before_they_are_copied(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_handwriting.files.stroke3.MOST_POINTS", 2)
    np.savez(tmp_path / "a.npz", rows=np.zeros((4, 3), np.int16), offsets=np.array([0, 3, 4]))
    error, ink = read(tmp_path / "a.npz")
    assert "3 points; 2 is the most" in str(error) and ink.points == 1


def test_offsets_that_go_back_are_refused(tmp_path: Path) -> None:
    """Each drawing would be the whole file again."""
    np.savez(tmp_path / "a.npz", rows=np.zeros((3, 3)), offsets=np.array([0, 3, 0, 3]))
    with pytest.raises(DataError, match="its offset 0 follows 3"):
        read(tmp_path / "a.npz")


def test_npz_files_have_a_limit_of_drawings(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_handwriting.files.stroke3.MOST_DRAWINGS", 2)
    np.savez(tmp_path / "a.npz", rows=np.zeros((3, 3)), offsets=np.arange(4))
    with pytest.raises(DataError, match="3 drawings; 2 is the most"):
        read(tmp_path / "a.npz")


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_handwriting.files.stroke3.MOST_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", rows=np.zeros((1000, 3)), offsets=np.array([0, 1000]))
    with pytest.raises(DataError, match="1,000 is the most"):
        read(tmp_path / "a.npz")


# Quick, Draw!, JSON, CSV


def test_quickdraw_raw_and_simplified_are_read(tmp_path: Path) -> None:
    lines = [
        {"word": "cat", "drawing": [[[1.5, 2], [3, 4], [0, 16]], [[5], [6], [100]]]},
        {"word": "dog", "drawing": [[[1, 2], [3, 4]]]},
    ]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    labels = [each.labels for each in DOMAIN.read(tmp_path / "a.ndjson")]
    assert labels == [{"class": "cat"}, {"class": "dog"}]
    cat, dog = read(tmp_path / "a.ndjson")
    assert isinstance(cat, Ink) and isinstance(dog, Ink)
    assert (cat.text, dog.text, dog.times) == ("cat", "dog", None)
    assert_same(cat, Ink((np.array([[1.5, 3], [2, 4]]), np.array([[5.0, 6]]))))
    assert cat.times is not None and cat.times[0].tolist() == [0, 0.016]


def test_quickdraw_is_read_drawing_by_drawing(tmp_path: Path) -> None:
    good = json.dumps({"word": "cat", "drawing": [[[1, 2], [3, 4]]]})
    bad = ["{", "[]", '{"drawing": 3}', '{"drawing": []}', '{"drawing": [[[1, NaN], [1, 2]]]}']
    bad += ['{"drawing": [[[1, 2], [1]]]}', '{"drawing": [[["a"], [1]]]}', '{"word": "cat"}']
    (tmp_path / "a.ndjson").write_text("\n".join([good, *bad, good]))
    found = DOMAIN.read(tmp_path / "a.ndjson")
    assert isinstance(content_of(next(iter(found))), Ink)
    *errors, last = found
    assert isinstance(content_of(last), Ink)
    for number, error in enumerate(errors, 2):
        assert isinstance(error, DataError) and str(error).startswith(f"line {number}: ")


def test_quickdraw_lines_have_a_limit(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_handwriting.files.quickdraw_reading.LONGEST_LINE", 100)
    good = '{"drawing": [[[1, 2], [3, 4]]]}\n'
    (tmp_path / "a.ndjson").write_text("[" * 1000 + "\n" + good)
    error, ink = read(tmp_path / "a.ndjson")
    assert "line 1 is longer than 100" in str(error) and isinstance(ink, Ink)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_line_of_quickdraw_that_is_not_utf8_costs_only_itself(mark: bytes, tmp_path) -> None:
    lines = [b'{"word": "%s", "drawing": [[[1, 2], [3, 4]]]}' % word for word in (b"a", b"\xe9")]
    (tmp_path / "b.ndjson").write_bytes(mark + b"\n".join([*lines, lines[0]]))
    one, error, two = read(tmp_path / "b.ndjson")
    assert one.text == two.text == "a" and str(error) == "line 2: it is not UTF-8"


def test_json_that_would_take_much_memory_is_refused_before(tmp_path: Path, monkeypatch) -> None:
    for module in ("json_files", "quickdraw_reading"):
        monkeypatch.setattr(f"seqgen_handwriting.files.{module}.MOST_LISTS", 20)
    monkeypatch.setattr("seqgen_handwriting.files.text_files.MOST_COMMAS", 50)
    monkeypatch.setattr("seqgen_handwriting.files.text_files.MOST_QUOTES", 50)
    for content, match in (
        ('{"strokes": [[' + "[]," * 30 + "[]]]}", "34 lists; 20 is the most"),
        ("[" + "{}," * 30 + "{}]", "32 lists; 20 is the most"),
        ("[" + "1," * 60 + "1]", "60 commas; 50 is the most"),
        ('["' + 'a""' * 60 + '"]', "122 quotation marks; 50 is the most"),
    ):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(DataError, match=match):
            read(tmp_path / "a.json")
        (tmp_path / "a.ndjson").write_text(content)
        [error] = read(tmp_path / "a.ndjson")
        assert match in str(error)


@pytest.mark.parametrize(
    "good, bad",
    [
        ('{"drawing": [[[1, 2], [3, 4]]]}\n', "[" * 300 + "\n"),
        ("1,1,0,0\n", "x" * 300 + "\n"),
        ("1,1,0,0\n", "2,1,0," + "0" * 300 + "\n"),
    ],
)
def test_a_line_that_is_too_long_is_never_held(good: str, bad: str) -> None:
    class Limited(io.StringIO):
        def readline(self, size: int | None = -1) -> str:
            assert size is not None and 0 < size <= 100
            return super().readline(size)

        def __next__(self) -> str:
            raise AssertionError("it reads a whole line")

    lines = list(bounded_lines(Limited(good + bad + good), 100, 9))
    assert lines == [good, None, good]
    with pytest.raises(DataError, match="more than 2 lines; split it"):
        list(bounded_lines(Limited(good * 3), 100, 2))
    assert list(bounded_lines(Limited("a" * 100 + "\n" + "b" * 99), 100, 9)) == [None, "b" * 99]


def test_csv_goes_on_after_a_line_that_is_too_long(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_handwriting.files.csv_reading.LONGEST_LINE", 100)
    rows = "drawing,stroke,x,y\n1,1,0,0\n1,1,2,2\n{}\n3,1,0,0\n3,1,1,1\n"
    (tmp_path / "a.csv").write_text(rows.format("2,1,0," + "0" * 200_000))
    error, ink = read(tmp_path / "a.csv")
    assert "line 4: it has 100000 characters or more" in str(error) and ink.points == 2
    (tmp_path / "a.csv").write_text("drawing,stroke,x,y\n" + "1,1,0,0\n2,1,0,0\n")
    monkeypatch.setattr("seqgen_handwriting.files.csv_reading.MOST_DRAWINGS", 1)
    with pytest.raises(DataError, match="more than 1 drawings; split it"):
        read(tmp_path / "a.csv")


def test_json_is_cut_into_parts() -> None:
    content = b' {"a": [[1, [2]], {"b": "]"}, 3], "c\\"[": [], "d": [[]]} '
    parts = Parts(content, 2)
    stubs = parts.frame
    assert json.loads(parts.content(stubs["a"][0])) == [1, [2]]
    assert json.loads(parts.content(stubs["a"][1])) == {"b": "]"}
    assert stubs["a"][2] == 3 and stubs['c"['] == []
    assert json.loads(parts.content(stubs["d"][0])) == []
    with pytest.raises(TypeError):
        parts.content(3)
    for bad in (b"[[[1]", b"[[1]]]", b'["' + b"a\\" * 9, b"[1,]", b"\xff", b'{"a": [[1] [2]]}'):
        with pytest.raises(ValueError):
            Parts(bad, 2)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
        max_leaves=12,
    ),
    st.integers(0, 3),
)
def test_parts_put_together_are_the_whole(value: object, depth: int) -> None:
    parts = Parts(json.dumps(value, ensure_ascii=False).encode(), depth)

    def whole(frame: Any, around: int) -> Any:
        if around == depth and isinstance(frame, list):
            return json.loads(parts.content(frame))
        if isinstance(frame, list):
            return [whole(each, around + 1) for each in frame]
        if isinstance(frame, dict):
            return {name: whole(each, around + 1) for name, each in frame.items()}
        return frame

    assert whole(parts.frame, 0) == value


def test_a_stroke_of_json_has_a_limit(tmp_path: Path, monkeypatch) -> None:
    """A point takes five times the bytes in memory, so a stroke is read at a time."""
    monkeypatch.setattr("seqgen_handwriting.files.json_files.MOST_OF_STROKE", 3)
    (tmp_path / "a.json").write_text(json.dumps({"strokes": [[[0, 1]] * 4, [[0, 1]]]}))
    [error] = read(tmp_path / "a.json")
    assert "stroke 1 has more than 3 points; split it" in str(error)
    (tmp_path / "a.json").write_text(json.dumps({"strokes": [[[0, 1]] * 2] * 4}))
    [ink] = read(tmp_path / "a.json")
    assert ink.points == 8


def test_letters_that_are_not_of_the_text_are_refused(tmp_path: Path) -> None:
    drawings = [
        {"text": "ab", "strokes": [[[0, 1], [2, 3]]], "letters": [[0, n]]} for n in (1, 2, -1)
    ]
    (tmp_path / "a.json").write_text(json.dumps(drawings))
    good, large, negative = read(tmp_path / "a.json")
    assert isinstance(
        good, Ink
    ) and "a point has the letter 2; its text has the letters 0 to 1" in str(large)
    assert "the letter -1" in str(negative)


def test_json_may_hold_one_drawing_or_many(tmp_path: Path) -> None:
    one = {"text": "ä", "strokes": [[[0, 1, 0.5], [2, 3, 0.75]], []]}
    ink = read_text(tmp_path, "one.json", json.dumps(one))
    assert ink.text == "ä" and len(ink.strokes) == 1 and ink.times is not None
    other = {"strokes": [[[0, 1]]], "letters": [[7]], "writer": "w"}
    (tmp_path / "two.json").write_text(json.dumps([one, other]))
    _, second = read(tmp_path / "two.json")
    assert isinstance(second, Ink) and second.writer == "w" and second.times is None
    assert second.letters is not None and second.letters[0].tolist() == [7]
    unknown = {"strokes": [[[0, 1]]], "text": None, "writer": None}
    ink = read_text(tmp_path, "three.json", json.dumps(unknown))
    assert (ink.text, ink.writer) == ("", "")


@pytest.mark.parametrize(
    "drawing",
    [
        "{}",
        '{"strokes": 1}',
        '{"strokes": [[[1]]]}',
        '{"strokes": [[1, 2]]}',
        '{"strokes": [[[1, 2], [3]]]}',
        '{"strokes": [[[1, "x"]]]}',
        '{"strokes": [[[1, NaN]]]}',
        '{"strokes": [[[1, 2]]], "letters": [[1, 2]]}',
        '{"strokes": [[[1, 1e400]]]}',
        '{"strokes": []}',
        '{"strokes": [[[1, 2]]], "text": "\\ud800"}',
        "3",
    ],
)
def test_drawings_in_json_that_cannot_be_used_are_told(drawing: str, tmp_path: Path) -> None:
    good = '{"strokes": [[[1, 2]]]}'
    (tmp_path / "a.json").write_text(f"[{good}, {drawing}, {good}]")
    one, error, two = read(tmp_path / "a.json")
    assert isinstance(one, Ink) and isinstance(two, Ink)
    assert isinstance(error, DataError) and str(error).startswith("drawing 2: ")


@pytest.mark.parametrize("content", ["{", "[]", "\x00", "[" * 200_000])
def test_broken_json_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError):
        read(tmp_path / "a.json")


def test_csv_is_read_by_drawings_and_strokes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "drawing, stroke, x, y, t, text\na,0,1,2,0,hi\na,0,3,4,0.5,\na,1,5,6,1,\nb,1,7,8,0,\n"
    )
    first, second = read(tmp_path / "a.csv")
    assert isinstance(first, Ink) and isinstance(second, Ink)
    assert_same(first, Ink((np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]]))))
    assert first.text == "hi" and first.times is not None and first.times[0].tolist() == [0, 0.5]
    assert second.points == 1


def test_in_csv_times_may_be_known_of_some_drawings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("drawing,stroke,x,y,t\na,0,1,2,\na,0,3,4,5\nb,1,7,8,9\n")
    first, second = read(tmp_path / "a.csv")
    assert first.points == 2 and first.times is None
    assert second.times[0].tolist() == [9]


def test_times_since_1970_keep_their_fractions(tmp_path: Path) -> None:
    times = 1.7e9 + np.arange(3) / 128
    ink = Ink((np.arange(6.0).reshape(3, 2),), times=(times,))
    for suffix in LOSSLESS:
        assert written(ink, tmp_path / f"ink{suffix}").times[0].tolist() == times.tolist()


def test_broken_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("drawing,x,y\n1,2,3\n")
    with pytest.raises(DataError, match="no column stroke"):
        read(path)
    path.write_text("drawing,stroke,x,y\n1,1,2,pear\n1,1,2,3\n2,1,2\n3,1,nan,0\n4,1,0,0\n")
    found = read(path)
    assert [isinstance(one, DataError) for one in found] == [True, True, True, False]
    path.write_text("drawing,stroke,x,y\n")
    with pytest.raises(DataError, match="no drawing"):
        read(path)


def test_a_bad_line_of_csv_costs_only_its_drawing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = b"1,1,0,0,a\n1,1,1,1,a\n"
    for bad, reason in (
        (b"2,1,0,0,caf\xe9\n2,1,1,1,\n", "drawing '2', up to line 5: line 4 is not UTF-8"),
        (b"2,1,0,0,x\n\xff\n2,1,1,1,\n", "line 5: it has 1 values; expected 4 or more"),
        (b'2,1,0,0,x\n2,1,"0"1,1,\n', "line 5: "),
    ):
        path.write_bytes(b"drawing,stroke,x,y,text\n" + good + bad + good.replace(b"1,1,", b"3,1,"))
        first, error, last = read(path)
        assert isinstance(first, Ink) and isinstance(last, Ink) and reason in str(error)


@pytest.mark.parametrize(
    "content",
    [
        "Drawing,Stroke,X,Y\n1,1,0.5,1\n1,1,2,3\n",
        "drawing;stroke;x;y\n1;1;0,5;1\n1;1;2;3\n",
        '"drawing"\t"stroke"\t"x"\t"y"\r\n1\t1\t0.5\t1\r\n1\t1\t2\t3\r\n',
        "y, x, stroke, drawing\n1,0.5,1,1\n\n3,2,1,1",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_of_other_programs_is_read(content: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode(encoding))
    [ink] = read(tmp_path / "a.csv")
    assert isinstance(ink, Ink) and ink.strokes[0].tolist() == [[0.5, 1], [2, 3]]


def test_rows_of_a_stroke_are_joined_and_drawings_in_pieces_refused(tmp_path: Path) -> None:
    rows = "1,a,0,0\n1,b,5,5\n1,a,1,1\n1,b,6,6\n2,a,0,0\n2,a,1,1\n1,a,9,9\n"
    (tmp_path / "a.csv").write_text("drawing,stroke,x,y\n" + rows)
    first, second, error, note = read(tmp_path / "a.csv")
    assert [stroke.tolist() for stroke in first.strokes] == [[[0, 0], [1, 1]], [[5, 5], [6, 6]]]
    assert second.points == 2 and "sort them" in str(error)
    assert note == Note("strokes whose rows are not together are joined (2)")


def test_drawings_of_csv_have_limits(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_handwriting.files.csv_reading.MOST_POINTS", 3)
    rows = "1,a,0,0\n" * 5 + "2,a,0,0\n" * 3
    (tmp_path / "a.csv").write_text("drawing,stroke,x,y\n" + rows)
    error, ink = read(tmp_path / "a.csv")
    assert "more than 3 points" in str(error) and ink.points == 3


# SVG


def test_svg_shapes_are_strokes_under_their_transforms(tmp_path: Path) -> None:
    ink = read_text(
        tmp_path,
        "a.svg",
        """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title> hi </title>
        <defs><path d="M0 0L99 99"/></defs><path display="none" d="M0 0L99 99"/>
        <g transform="translate(10 20)"><g transform="scale(2)">
        <path d="M1 1 l1 0 m5 5 h1 v1 z"/></g><line x1="1" y1="2" x2="3" y2="4"/></g>
        <polyline points="1,2 3,4 5,6"/><polygon points="0,0 1,0 1,1"/></svg>""",
    )
    expected = (
        [[12, 22], [14, 22]],
        [[24, 32], [26, 32], [26, 34], [24, 32]],
        [[11, 22], [13, 24]],
        [[1, 2], [3, 4], [5, 6]],
        [[0, 0], [1, 0], [1, 1], [0, 0]],
    )
    assert ink.text == "hi"
    assert_same(ink, Ink(tuple(np.array(stroke, float) for stroke in expected)))


def test_a_move_of_the_pen_draws_nothing(tmp_path: Path) -> None:
    circle = "M 50 50 m -10 0 a 10 10 0 1 0 20 0 a 10 10 0 1 0 -20 0 M 1 1 M 2 2 L 2 2 M 9 9"
    ink = read_text(tmp_path, "a.svg", f'<svg><path d="{circle}"/></svg>')
    assert [len(stroke) for stroke in ink.strokes] == [33, 1]


def test_svg_curves_are_followed(tmp_path: Path) -> None:
    circle = read_text(tmp_path, "a.svg", '<svg><circle cx="3" cy="4" r="2"/></svg>')
    assert len(circle.strokes) == 1 and circle.points > 40
    np.testing.assert_allclose(np.hypot(*(circle.strokes[0] - [3, 4]).T), 2, atol=1e-6)
    curve = read_text(tmp_path, "b.svg", '<svg><path d="M0 0C0 4 8 4 8 0Q8 -4 4 0"/></svg>')
    np.testing.assert_allclose(curve.strokes[0][8], [4, 3])
    np.testing.assert_allclose(curve.strokes[0][-1], [4, 0])


@pytest.mark.parametrize(
    "content",
    [
        "<svg/>",
        '<svg><path d="M1 2L3 pear"/></svg>',
        '<svg><path d="M1e99 2L3 4"/></svg>',
        '<svg><path d="M0 0L1 1" transform="scale(nan)"/></svg>',
        "<svg><use href='#a'/></svg>",
        f"<svg>{'<g>' * 3000}{'</g>' * 3000}</svg>",
    ],
)
def test_svg_that_cannot_be_used_is_refused_or_read_in_part(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text(content)
    try:
        [ink, *_] = read(tmp_path / "a.svg")
    except DataError:
        return
    assert isinstance(ink, Ink) and np.isfinite(np.concatenate(ink.strokes)).all()


# Limits


def test_drawings_have_a_limit_of_points(tmp_path: Path, monkeypatch) -> None:
    for suffix in (".inkml", ".npz", ".json", ".svg"):
        DOMAIN.write(SAMPLE, tmp_path / f"a{suffix}")
    monkeypatch.setattr(ink_module, "MOST_POINTS", 5)
    for suffix in (".inkml", ".npz", ".json", ".svg"):
        try:
            [found] = read(tmp_path / f"a{suffix}")
        except DataError as error:
            found = error
        assert "6 points; 5 is the most" in str(found), suffix


def test_files_have_a_limit_of_bytes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_handwriting.files.xml_files.MOST_BYTES", 10)
    for suffix in (".inkml", ".json", ".svg", ".unp"):
        path = tmp_path / f"a{suffix}"
        path.write_text("x" * 11)
        with pytest.raises(DataError, match="holds 11 bytes; 10 is the most"):
            read(path)


def test_other_suffixes_are_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "a.scgink").write_text("SCG_INK\n1\n1\n0 0\n")
    with pytest.raises(DataError, match="SCG ink is not read; convert it to InkML"):
        read(tmp_path / "a.scgink")
    for name, found in (("letter.txt", r"\.txt"), ("letter", "no suffix")):
        path = tmp_path / name
        path.write_text("Dear reader")
        with pytest.raises(DataError, match=f"not a file of ink, found {found}; give a text"):
            read(path)


# Cleaning


def test_the_height_of_a_line_is_not_its_length() -> None:
    """Letters of a height of 10, one with a long tail, and many more of them."""
    letters = [np.array([[x, 0.0], [x, 10.0]]) for x in range(0, 400, 10)]
    short = body_height(resampled(Ink(tuple(letters[:8])), 0.1))
    tail = np.array([[401.0, 0.0], [401.0, 30.0]])
    long = body_height(resampled(Ink((*letters, tail)), 0.1))
    assert short == pytest.approx(8, abs=0.3) and long == pytest.approx(8.5, abs=0.7)
    assert body_height(Ink((np.zeros((1, 2)),))) == 0


def test_resampled_points_are_at_equal_distances() -> None:
    corner = np.array([[0.0, 0], [0, 0], [3, 0], [3, 5.0], [3, 5.0]])
    dots = np.array([[7.0, 7], [7, 7]])
    ink = Ink(
        (corner, dots),
        "ab",
        (np.array([0, 0, 0, 1, 1]), np.array([1, 1])),
        times=(np.arange(5.0), np.arange(2.0)),
    )
    new = resampled(ink, 1.1)
    steps = np.hypot(*np.diff(new.strokes[0], axis=0).T)
    assert len(steps) == 7 and new.strokes[0][0].tolist() == [0, 0]
    assert new.strokes[0][-1].tolist() == [3, 5] and steps.max() <= 8 / 7 + 1e-9
    assert len(new.strokes[1]) == 1 and new.times is not None and new.letters is not None
    assert (np.diff(new.times[0]) > 0).all() and new.letters[0].tolist() == [0] * 7 + [1]


def test_jumps_are_cut_and_counted() -> None:
    walk = np.column_stack([np.arange(10.0), np.zeros(10)])
    jump = walk.copy()
    jump[5:] += 1000
    outlier = walk.copy()
    outlier[4] += 5000
    ink, jumps = without_jumps(Ink((walk, jump, outlier), "x", times=(np.arange(10.0),) * 3))
    assert jumps == 3 and [len(stroke) for stroke in ink.strokes] == [10, 5, 5, 4, 5]
    assert ink.times is not None and ink.times[4].tolist() == [5, 6, 7, 8, 9]
    assert without_jumps(Ink((walk,)))[1] == 0 and without_jumps(Ink(()))[1] == 0


def test_lines_are_levelled() -> None:
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    straight = [np.array([[x, 0.0], [x, 10.0]]) for x in range(0, 200, 8)]
    level = levelled(Ink(tuple(stroke @ turn for stroke in straight)))
    for stroke in level.strokes:
        assert stroke[0, 0] == pytest.approx(stroke[1, 0], abs=1e-6)
    assert levelled(Ink(())).points == 0


def test_cleaned_lines_are_level_and_have_as_many_points_as_letters_need() -> None:
    upright = [np.column_stack([np.full(200, x), np.linspace(0, 10, 200)]) for x in range(0, 90, 9)]
    turn = np.array([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]])
    dots = Ink((np.zeros((1, 2)),))
    ink = cleaned(Ink(tuple(stroke @ turn for stroke in upright), "ten digits"))
    # A straight line keeps a point in its middle, because it is longer than letters are high.
    assert ink.text == "ten digits" and {len(stroke) for stroke in ink.strokes} == {3}
    assert np.ptp([stroke[0, 1] for stroke in ink.strokes]) < 1e-6
    assert cleaned(dots).points == 1 and cleaned(Ink(())).points == 0


def test_cleaned_strokes_keep_their_corners_and_bends() -> None:
    places = np.linspace(0, 3, 300)
    hook = np.column_stack(
        [np.interp(places, [0, 1, 3], [0, 10, 10]), np.maximum(places - 1, 0) * 5]
    )
    angles = np.linspace(0, 2 * np.pi, 300)
    circle = np.column_stack([20 + 5 * np.cos(angles), 5 + 5 * np.sin(angles)])
    dot = np.column_stack([np.full(30, 30.0), np.linspace(4, 4.2, 30)])
    ink = cleaned(Ink((hook, circle, dot), "Lo."))
    corner, round_, point = ink.strokes
    assert len(corner) <= 6 and 8 <= len(round_) <= 20 and len(point) == 1
    size = body_height(ink)
    for stroke in (corner, round_):
        steps = np.hypot(*np.diff(stroke, axis=0).T)
        assert steps.max() <= size
    # The corner itself is a point, at equal distances from both ends of the stroke.
    ends = [np.hypot(*(corner - corner[end]).T) for end in (0, -1)]
    assert np.min(np.abs(ends[0] - 10) + np.abs(ends[1] - 10)) < 0.1


def test_points_follow_from_the_shape_and_not_from_the_device() -> None:
    def hill(places: NDArray[np.float64]) -> Ink:
        """Return an arch with a sharp corner after it."""
        over = np.column_stack([5 - 5 * np.cos(places), -5 * np.sin(places)])
        stroke = np.concatenate([over, [[10.0, 0.0], [20.0, 0.0]]])
        return Ink((stroke,), "n", (np.arange(len(stroke)) // len(places),))

    even = np.linspace(0, np.pi, 300)
    slow_at_first = np.pi * np.linspace(0, 1, 90) ** 2
    first, second = (placed(hill(places), 10.0) for places in (even, slow_at_first))
    [one], [two] = first.strokes, second.strokes
    assert len(one) == len(two) and np.hypot(*(one - two).T).max() < 0.1
    # The corner and the top are points, and each belongs to its letter.
    for wanted in ([10.0, 0.0], [5.0, -5.0]):
        assert np.hypot(*(one - wanted).T).min() < 0.3
    assert first.letters is not None and second.letters is not None
    np.testing.assert_array_equal(first.letters[0], second.letters[0])
    assert first.letters[0].tolist() == sorted(first.letters[0]) and first.letters[0][-1] == 1


def test_a_line_that_is_endless_in_heights_takes_no_endless_points() -> None:
    long = Ink((np.array([[0.0, 0.0], [1e9, 1e-9], [0.0, 2e-9]]),) * 50, "endless")
    assert placed(long, 1e-9).points < 200_000


def test_lines_of_the_capture_page_are_cleaned_for_a_corpus(tmp_path: Path) -> None:
    along = np.linspace(0, 60, 700)
    stroke = np.column_stack([along, 5 * np.sin(along) + 0.05 * along])
    line = Ink((stroke,), "a wave", times=(along,))
    path = tmp_path / "mine.json"
    path.write_text(f"[{as_json(line)},{as_json(replace(line, text=''))}]")
    options, reason = DOMAIN.choose_reading([path], ReadOptions())
    assert options == ReadOptions("yes") and "recorded lines" in reason
    ink, drawing, note = DOMAIN.read(path, options)
    assert drawing.points == 700 and ink.points < 140 and ink.times is not None
    assert note.text == f"recorded lines cleaned: 1; 700 points became {ink.points}"
    # As it is: if the user says so, in Python, and with letters or without times.
    assert DOMAIN.choose_reading([path], ReadOptions("no")) == (ReadOptions("no"), "")
    assert [ink.points for ink in DOMAIN.read(path)] == [700, 700]
    for other in (replace(line, times=None), replace(line, letters=(np.zeros(700, int),))):
        path.write_text(as_json(other))
        assert DOMAIN.choose_reading([path], ReadOptions()) == (ReadOptions("no"), "")
        assert [ink.points for ink in DOMAIN.read(path, ReadOptions("yes"))] == [700]
    for hostile in ("{", "[]", "[" * 100_000, '{"strokes": [[[NaN, 1]]]}'):
        path.write_text(hostile)
        assert DOMAIN.choose_reading([path, tmp_path / "no.json"], ReadOptions())[1] == ""


# The capture page


def test_the_capture_page_needs_nothing_else() -> None:
    page = Path(str(seqgen_handwriting.__file__)).with_name("capture.html").read_text("utf-8")
    assert not re.search(r"(src|href)=|https?:|@import|fetch\(|XMLHttpRequest", page)
    # What it saves is what `read_json` takes.
    assert re.search(r"kept\.push\(\{ text: .*, writer: .*, strokes \}\)", page)
    for name in ("undo", "next", "own", "save"):
        assert f'id="{name}"' in page
    buffer = io.StringIO(page)
    assert buffer.readline().strip() == "<!DOCTYPE html>"


TEXTS = {
    "a.json": '{"strokes":\n[[[0, 0], [1, 2], [3, 4]]]}\n',
    "a.ndjson": '{"word": "a", "drawing": [[[0, 1, 3], [0, 2, 4]]]}\n',
    "a.csv": "drawing,stroke,x,y\n1,1,0,0\n1,1,1,2\n1,1,3,4\n",
    "a.unp": ".PEN_DOWN\n0 0\n1 2\n3 4\n.PEN_UP\n",
    "a.svg": '<svg xmlns="http://www.w3.org/2000/svg">\n<path d="M0 0L1 2L3 4"/>\n</svg>\n',
    "a.inkml": '<ink xmlns="http://www.w3.org/2003/InkML">\n<trace>0 0, 1 2, 3 4</trace>\n</ink>\n',
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(("mark", "line_end"), [(b"\xef\xbb\xbf", "\r\n"), (b"", "\r\n")])
def test_marks_and_line_ends_of_other_systems_are_read(name, mark, line_end, tmp_path) -> None:
    plain, other = tmp_path / name, tmp_path / f"other-{name}"
    plain.write_text(TEXTS[name])
    other.write_bytes(mark + TEXTS[name].replace("\n", line_end).encode())
    [one], [two] = read(plain), read(other)
    np.testing.assert_array_equal(one.strokes[0], two.strokes[0])
    assert one.points == two.points == 3
