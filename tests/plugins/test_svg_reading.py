"""SVG as other programs write it: what is visible, where it stands, and limits."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files import svg_paths, svg_reading
from seqgen_handwriting.files.svg_paths import Pen, length_of, matrix_of
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.write_options import WriteOptions
from svgelements import Matrix, Move
from svgelements import Path as Judge

from seqgen.errors import DataError
from seqgen.plugin import Note

DOMAIN = Handwriting()
SPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def read(folder: Path, content: str, about: str = 'viewBox="0 0 100 100"') -> tuple[Ink, str]:
    """Return the drawing of a document with this content, and what is left out of it."""
    path = folder / "a.svg"
    path.write_text(f"<svg {SPACES} {about}>{content}</svg>", "utf-8")
    ink, *notes = DOMAIN.read(path)
    assert isinstance(ink, Ink) and all(isinstance(note, Note) for note in notes)
    return ink, " ".join(note.text.removeprefix("left out: ") for note in notes)


def strokes(folder: Path, content: str, about: str = 'viewBox="0 0 100 100"') -> list:
    ink, said = read(folder, content, about)
    assert not said
    return [np.round(stroke, 6).tolist() for stroke in ink.strokes]


# Paths, with svgelements as the judge

NUMBERS = st.integers(-99, 99).map(lambda number: number / 4)


@st.composite
def path_data(draw) -> str:
    """Any commands with any numbers, which begin with a move."""
    words = [f"M{draw(NUMBERS)} {draw(NUMBERS)}"]
    sizes = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "z": 0}
    for command in draw(st.lists(st.sampled_from([*sizes, "a"]), min_size=1, max_size=6)):
        name = draw(st.sampled_from([command, command.upper()]))
        if command == "a":
            radii = [draw(st.integers(1, 30)) for _ in range(2)]
            flags = [draw(st.integers(0, 1)) for _ in range(2)]
            ends = [draw(NUMBERS) for _ in range(2)]
            values = [*radii, draw(NUMBERS), *flags, *ends]
        else:
            values = [draw(NUMBERS) for _ in range(sizes[command])]
        if command in "st":
            # svgelements mirrors the control point of the other kind of curve too.
            before = [draw(NUMBERS) for _ in range(sizes["c" if command == "s" else "q"])]
            words.append(("C" if command == "s" else "Q") + " ".join(map(str, before)))
        words.append(name + " ".join(map(str, values)))
    return " ".join(words)


@settings(max_examples=60, deadline=None)
@given(data=path_data())
def test_paths_are_drawn_as_svgelements_draws_them(data: str) -> None:
    found = np.concatenate([*Pen().path(data), np.zeros((0, 2))])
    expected: list = []
    begun = None
    for segment in Judge(data):
        kind = type(segment).__name__
        if isinstance(segment, Move):
            begun = segment.end
            continue
        if kind == "Arc" and segment.start == segment.end:
            continue
        if begun is not None:
            expected.append((begun.x, begun.y))
            begun = None
        shares = [1.0] if kind in ("Line", "Close") else np.linspace(0, 1, 17)[1:]
        expected += [(at.x, at.y) for at in map(segment.point, shares)]
    np.testing.assert_allclose(found, np.reshape(expected, (-1, 2)), atol=1e-6)


def test_a_smooth_curve_mirrors_its_own_kind_only() -> None:
    for smooth, other in (("T 8 0", "C 0 4 4 4 4 0"), ("S 8 0 8 0", "Q 2 4 4 0")):
        [stroke] = Pen().path(f"M0 0{other}{smooth}")
        assert (stroke[17:, 1] == 0).all() and stroke[16].tolist() == [4, 0]


@pytest.mark.parametrize(
    "data, points",
    [
        ("M1 1L2 2 Z", [[1, 1], [2, 2], [1, 1]]),
        ("M0 0L3 4 5Z", None),
        ("M0 0 5", None),
        ("L1 1", None),
        ("M0 0L1 1 X2 2", None),
        ("M0 0L1 1 pear", None),
        ("M0 0A1 1 0 2 0 3 3", None),
        ("M0 0A1 1 0", None),
        ("M0 0h", None),
        ("M0 0 L 1e99 0", None),
        ("M0 0a0 5 0 0 1 3 4", [[0, 0], [3, 4]]),
    ],
)
def test_a_bad_path_costs_only_itself(data: str, points, tmp_path: Path) -> None:
    content = f'<path d="M9 9L8 8"/><path d="{data}"/><path d="M7 7L6 6"/>'
    ink, said = read(tmp_path, content)
    found = [stroke.tolist() for stroke in ink.strokes]
    assert found[0] == [[9, 9], [8, 8]] and found[-1] == [[7, 7], [6, 6]]
    assert found[1:-1] == ([points] if points else [])
    assert said == ("" if points else "shapes that cannot be read (1)")


def test_shapes_without_size_draw_nothing(tmp_path: Path) -> None:
    content = """<path d=""/><path d="none"/><path/><rect width="0" height="5"/><circle r="0"/>
    <polyline points=""/><line/><ellipse rx="3"/><path d="M1 1L2 2"/>"""
    [ellipse, line] = strokes(tmp_path, content)
    assert line == [[1, 1], [2, 2]] and len(ellipse) == 65
    for bad in ('<polyline points="1,2 3"/>', '<polygon points="1 2 x"/>', '<rect width="a"/>'):
        assert read(tmp_path, bad + '<path d="M1 1L2 2"/>')[1] == "shapes that cannot be read (1)"


# Units and transforms


@pytest.mark.parametrize(
    "text, pixels",
    [
        *[("10", 10), ("1in", 96), ("25.4mm", 96), ("2.54CM", 96), ("72pt", 96), ("6pc", 96)],
        *[("5em", 80), ("50%", 100), (" -1e1px ", -10), (".5", 0.5), ("101.6Q", 96)],
    ],
)
def test_lengths_have_units(text: str, pixels: float) -> None:
    assert length_of(text, 200) == pytest.approx(pixels)


@pytest.mark.parametrize("text", ["", "x", "1 2", "1furlong", "calc(1px)"])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read the length"):
        length_of(text, 200)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["matrix", "translate", "scale", "rotate", "skewX", "skewY", "turn"]),
            st.lists(st.integers(-80, 80), min_size=6, max_size=6),
        ),
        max_size=4,
    )
)
def test_transforms_are_those_of_svgelements(parts: list) -> None:
    sizes = {"matrix": 6, "translate": 2, "scale": 2, "rotate": 3, "skewX": 1, "skewY": 1}
    text = ", ".join(
        f"{'rotate' if name == 'turn' else name}({' '.join(map(str, v[: sizes.get(name, 1)]))})"
        for name, v in parts
    )
    judge = Matrix(text)
    expected = [judge.a, judge.b, judge.c, judge.d, judge.e, judge.f]
    np.testing.assert_allclose(matrix_of(text), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "scale(x)",
        "scale(2",
        "foo(1)",
        "matrix(1 2 3)",
        "translate(50%)",
        "scale(1) 3",
        "translate3d(1px, 2px, 0)",
    ],
)
def test_other_transforms_change_nothing_and_are_counted(text: str, tmp_path: Path) -> None:
    content = f'<g transform="{text}"><path d="M0 0L9 9"/></g><path d="M1 1L2 2"/>'
    ink, said = read(tmp_path, content)
    assert [stroke.tolist() for stroke in ink.strokes] == [[[0, 0], [9, 9]], [[1, 1], [2, 2]]]
    assert said == "transforms that cannot be read (1)"


def test_transforms_of_css_are_applied(tmp_path: Path) -> None:
    content = """<g style="transform: translate(10px,20px) rotate(0.25turn)">
    <path d="M0 0L10 0"/></g><path transform="rotate(90 10 10)" d="M10 10L20 10"/>"""
    assert strokes(tmp_path, content) == [[[10, 20], [10, 30]], [[10, 10], [10, 20]]]


# What is visible


@pytest.mark.parametrize(
    "shape, said",
    [
        ('<g style="display:none">{0}</g>', "hidden elements (1)"),
        ('<g display="none">{0}</g>', "hidden elements (1)"),
        ('<g visibility="hidden">{0}</g>', "hidden elements (1)"),
        ('<g opacity="0">{0}</g>', "hidden elements (1)"),
        ('<g style="opacity:0%">{0}</g>', "hidden elements (1)"),
        ('<g class="a">{0}</g>', "hidden elements (1)"),
        ('<g id="b">{0}</g>', "hidden elements (1)"),
        ('<g fill="none">{0}</g>', "shapes without line and fill (1)"),
        ('<g fill="#0000">{0}</g>', "shapes without line and fill (1)"),
        ('<g style="fill-opacity: 0 !important">{0}</g>', "shapes without line and fill (1)"),
        (
            '<g fill="none" stroke="red" stroke-width="0mm">{0}</g>',
            "shapes without line and fill (1)",
        ),
        ('<g fill="white">{0}</g>', "white shapes (1)"),
        ('<g style="fill: rgb(255, 255, 255)">{0}</g>', "white shapes (1)"),
        ('<g fill="none" stroke="#fff">{0}</g>', "white shapes (1)"),
        ('<g fill="white" stroke="white">{0}</g>', "white shapes (1)"),
        ('<rect width="100" height="100" fill="#888"/>', "backgrounds (1)"),
        ('<rect width="100%" height="100%" fill="#eee"/>', "backgrounds (1)"),
        ('<path d="M-1 -1H101V101H-1z"/>', "backgrounds (1)"),
        ("<text>a</text><image/><foreignObject/>", "texts (1), images (1), foreign objects (1)"),
        ("<clipPath>{0}</clipPath><defs>{0}</defs><symbol>{0}</symbol>", ""),
        ('<o:g xmlns:o="other">{0}</o:g>', ""),
        ('<use href="#nowhere"/>', "uses of what is not in the file (1)"),
        ('<use href="b.svg#a"/>', "uses of what is not in the file (1)"),
    ],
)
def test_what_is_not_seen_is_not_read(shape: str, said: str, tmp_path: Path) -> None:
    sheet = "<style>/* {.a{} */ .a, #b { display: none; color: red } svg { fill: black }</style>"
    content = shape.format('<path d="M3 3L4 4H9"/>')
    ink, found = read(tmp_path, f'{sheet}{content}<path d="M1 1L2 2"/>')
    assert [stroke.tolist() for stroke in ink.strokes] == [[[1, 1], [2, 2]]] and found == said
    if said:
        path = tmp_path / "only.svg"
        path.write_text(f'<svg {SPACES} viewBox="0 0 100 100">{sheet}{content}</svg>')
        with pytest.raises(DataError, match="it has no stroke; left out: "):
            list(DOMAIN.read(path))


@pytest.mark.parametrize(
    "content",
    [
        '<g visibility="hidden"><path visibility="visible" d="M1 1L2 2"/></g>',
        '<path fill="white" stroke="red" d="M1 1L2 2"/>',
        '<path fill="red" stroke="white" d="M1 1L2 2"/>',
        '<path style="fill:none;stroke:#000" d="M1 1L2 2"/>',
        '<g stroke-width="0"><path stroke="red" stroke-width="1" fill="none" d="M1 1L2 2"/></g>',
        '<g fill="none"><path style="fill:red" d="M1 1L2 2"/></g>',
        '<g class="c"><path class="x d" d="M1 1L2 2"/></g>',
        '<switch><g requiredExtensions="x"><path d="M9 9L1 1"/></g><path d="M1 1L2 2"/></switch>',
        '<switch><g systemLanguage="de"/><path d="M1 1L2 2"/><path d="M9 9L1 1"/></switch>',
    ],
)
def test_what_is_seen_is_read(content: str, tmp_path: Path) -> None:
    sheet = "<style>.c{fill:none} .d{fill:white} .d{fill:blue}</style>"
    assert strokes(tmp_path, sheet + content) == [[[1, 1], [2, 2]]]


def test_a_frame_is_no_background_and_white_is_seen_on_black(tmp_path: Path) -> None:
    frame = '<rect width="100" height="100" fill="none" stroke="red"/>'
    assert len(strokes(tmp_path, frame)) == 1
    dark = '<rect width="100" height="100"/><path fill="white" d="M1 1L2 2"/>'
    ink, said = read(tmp_path, dark)
    assert len(ink.strokes) == 1 and said == "backgrounds (1)"
    line = '<path fill="none" stroke="white" d="M1 1L2 2"/>'
    for about in ('style="background: #000"', 'style="background-color:rgb(0,0,40)"'):
        assert strokes(tmp_path, line, about) == [[[1, 1], [2, 2]]]
    for about in ('style="background: white"', 'style="background: none"'):
        both = f'{line}<path d="M3 3L4 4"/>'
        assert read(tmp_path, both, about)[1] == "white shapes (1)"


def test_our_own_files_may_be_white(tmp_path: Path) -> None:
    drawing = Ink((np.array([[0.0, 0.0], [9.0, 9.0]]),))
    [file] = DOMAIN.write(drawing, tmp_path / "a.svg", WriteOptions(colour="white"))
    [again] = DOMAIN.read(file)
    assert isinstance(again, Ink) and again.strokes[0].tolist() == drawing.strokes[0].tolist()


def test_clips_and_rules_that_are_not_applied_are_said(tmp_path: Path) -> None:
    content = """<style>g > path { fill: none } @media print { .a { display: none } }
    .b { color: red }</style><path clip-path="url(#c)" class="a" d="M1 1L2 2"/>"""
    _, said = read(tmp_path, content)
    assert said == (
        "style rules with long selectors (1), style rules with conditions (1), clips and masks (1)"
    )


# Viewports and uses


def test_nested_documents_have_viewports(tmp_path: Path) -> None:
    line = '<path d="M0 0L10 10"/>'
    inner = f'<svg x="50" y="50" width="50" height="50" viewBox="0 0 10 10">{line}</svg>'
    assert strokes(tmp_path, inner) == [[[50, 50], [100, 100]]]
    plain = f'<svg x="5" y="10%">{line}<line x2="100%"/></svg>'
    assert strokes(tmp_path, plain) == [[[5, 10], [15, 20]], [[5, 10], [105, 10]]]
    wide = f'<svg width="40" height="20" viewBox="0 0 10 10">{line}</svg>'
    assert strokes(tmp_path, wide) == [[[10, 0], [30, 20]]]
    stretched = wide.replace("viewBox", 'preserveAspectRatio="none" viewBox')
    assert strokes(tmp_path, stretched) == [[[0, 0], [40, 20]]]
    empty = f'<svg width="0">{line}</svg>{line}'
    assert read(tmp_path, empty)[1] == "hidden elements (1)"


@pytest.mark.parametrize("box", ["0 0 100", "0 0 a b", "none", "0 0 nan 1", "0 0 -1 5"])
def test_a_bad_view_box_costs_only_itself(box: str, tmp_path: Path) -> None:
    line, said = '<path d="M1 1L2 2"/>', "view boxes that cannot be read (1)"
    for content, about in (
        (line, f'viewBox="{box}"'),
        (f'<svg viewBox="{box}" x="furlong">{line}</svg>', 'viewBox="0 0 100 100"'),
    ):
        ink, found = read(tmp_path, content, about)
        assert [stroke.tolist() for stroke in ink.strokes] == [[[1, 1], [2, 2]]] and found == said


def test_a_stretched_page_keeps_its_proportions(tmp_path: Path) -> None:
    about = 'width="200" height="100" viewBox="0 0 10 10" preserveAspectRatio="none"'
    assert strokes(tmp_path, '<path d="M0 0L10 10"/>', about) == [[[0, 0], [10, 5]]]


def test_anything_can_be_used(tmp_path: Path) -> None:
    content = """<defs><g id="g" transform="scale(2)"><path d="M0 0L1 1"/></g></defs>
    <symbol id="s" viewBox="0 0 10 10"><path d="M0 0L10 10"/></symbol>
    <use href="#g" x="5" y="6"/><use xlink:href="#s" width="20" height="20" x="1"/>
    <g id="twice"><use href="#g" transform="translate(9 9)"/></g><use href="#twice" y="10"/>"""
    assert strokes(tmp_path, content) == [
        [[5, 6], [7, 8]],
        [[1, 0], [21, 20]],
        [[9, 9], [11, 11]],
        [[9, 19], [11, 21]],
    ]


def test_uses_in_a_circle_end(tmp_path: Path) -> None:
    content = """<g id="a"><path d="M0 0L1 1"/><use href="#b"/></g>
    <g id="b"><use href="#a"/></g>"""
    ink, said = read(tmp_path, content)
    assert len(ink.strokes) == 3 and said == "uses of themselves (2)"


def test_a_long_chain_of_uses_is_cut(tmp_path: Path) -> None:
    """Each use compares itself with all uses around it."""
    line = '<path d="M1 1L2 2"/>'
    for count, said in ((99, ""), (100, "uses in more than 100 uses (1)")):
        chain = [f'<use id="u{n}" href="#u{n + 1}"/>' for n in range(count)]
        defined = f'<defs>{"".join(chain)}<g id="u{count}">{line}</g></defs>'
        ink, found = read(tmp_path, f'{defined}<use href="#u0"/>{line}')
        assert found == said and len(ink.strokes) == (1 if said else 2)


@pytest.mark.parametrize("size", ["auto", "100vw", "calc(100% - 2px)"])
def test_a_page_whose_size_is_calculated_is_read(size: str, tmp_path: Path) -> None:
    about = f'width="{size}" height="{size}" viewBox="0 0 100 100"'
    assert strokes(tmp_path, '<path d="M1 1L2 2"/>', about) == [[[1, 1], [2, 2]]]


def test_namespaces_of_illustrator_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text(
        """<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd" [
        <!ENTITY ns_svg "http://www.w3.org/2000/svg"><!ENTITY ns_ai "http://ns.adobe.com/ai">]>
        <svg xmlns="&ns_svg;" xmlns:i="&ns_ai;"><switch>
        <foreignObject requiredExtensions="&ns_ai;"/><g i:extraneous="self">
        <path d="M1 1L2 2"/></g></switch></svg>"""
    )
    [ink] = DOMAIN.read(path)
    assert isinstance(ink, Ink) and ink.strokes[0].tolist() == [[1, 1], [2, 2]]


# Limits


@pytest.mark.parametrize(
    "content, module, name, limit, match",
    [
        ('<path d="M0 0L1 1 2 2 3 3"/>', svg_paths, "MOST_POINTS", 2, "more than 2 points"),
        ('<path d="M0 0a1 1 0 0 0 2 2"/>', svg_paths, "MOST_POINTS", 9, "more than 9 points"),
        ('<circle r="2"/>', svg_paths, "MOST_POINTS", 9, "more than 9 points"),
        ('<polyline points="0 0 1 1 2 2 3 3"/>', svg_paths, "MOST_POINTS", 2, "2 points"),
        ('<path d="M0 0M0 0M0 0M0 0"/>', svg_paths, "MOST_COMMANDS", 3, "more than 3 commands"),
        ('<path d="M0 0h1M0 0h1M0 0h1"/>', svg_paths, "MOST_STROKES", 2, "more than 2 strokes"),
        ("<g/>" * 9, svg_reading, "MOST_VISITS", 5, "more than 5 elements"),
        ('<path d="M0 0     "/>', svg_reading, "MOST_CHARACTERS", 19, "elements, or long"),
    ],
)
def test_drawings_are_limited_while_they_are_drawn(
    content: str, module, name: str, limit: int, match: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(module, name, limit)
    with pytest.raises(DataError, match=match):
        read(tmp_path, content)


def test_uses_of_uses_are_limited(tmp_path: Path, monkeypatch) -> None:
    """Ten uses in each of twelve levels would be a million million lines."""
    monkeypatch.setattr(svg_reading, "MOST_VISITS", 1000)
    uses = [f'<use href="#g{n}"/>' * 10 for n in range(12)]
    levels = [f'<g id="g{n + 1}">{use}</g>' for n, use in enumerate(uses)]
    content = f'<defs><g id="g0"/>{"".join(levels)}</defs><use href="#g12"/>'
    with pytest.raises(DataError, match="with its uses it has more than 1,000"):
        read(tmp_path, content)


def test_long_styles_and_transforms_are_left_out(tmp_path: Path) -> None:
    line = '<path d="M1 1L2 2"/>'
    sheet = f"<style>{'a{' * 2**19}b</style>"
    assert read(tmp_path, sheet + line)[1] == "long style sheets (1)"
    turned = f'<g transform="{"scale(1)" * 2**12}">{line}</g>'
    assert read(tmp_path, turned + line)[1] == "transforms that cannot be read (1)"
