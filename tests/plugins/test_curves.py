"""Curves through the points of a pen."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from seqgen_handwriting import curves as curves_module
from seqgen_handwriting.cleaning import resampled
from seqgen_handwriting.curves import fitted, flattened
from seqgen_handwriting.demo import Writer, write_line
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files.gcode_writing import gcode
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.paper import on_paper
from seqgen_handwriting.write_options import WriteOptions

from seqgen.errors import ConfigError

DOMAIN = Handwriting()
LINE = write_line("every word of it", Writer.number(2), 0)


def distance(points: np.ndarray, curves: np.ndarray) -> float:
    """Return the largest distance of points from a curve, measured along many short lines."""
    share = np.linspace(0, 1, 400)[:, None]
    weights = [(1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3]
    drawn = np.concatenate(
        [sum(w * at for w, at in zip(weights, one, strict=True)) for one in curves]
    )
    begin, step = drawn[:-1], np.diff(drawn, axis=0)
    length = np.maximum((step**2).sum(axis=1), 1e-300)
    worst = 0.0
    for point in points:
        along = np.clip(((point - begin) * step).sum(axis=1) / length, 0, 1)[:, None]
        worst = max(worst, float(np.hypot(*(begin + along * step - point).T).min()))
    return worst


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12),
    tolerance=st.sampled_from([0.01, 0.5, 5.0]),
)
def test_no_point_is_missed_by_more_than_the_tolerance(points: list, tolerance: float) -> None:
    stroke = np.array(points, float)
    curves = fitted(stroke, tolerance)
    if not np.ptp(stroke, axis=0).any():
        assert len(curves) == 0
        return
    assert np.isfinite(curves).all()
    np.testing.assert_array_equal(curves[0, 0], stroke[0])
    np.testing.assert_array_equal(curves[-1, 3], stroke[-1])
    for one, other in pairwise(curves):
        np.testing.assert_array_equal(one[3], other[0])
    assert distance(stroke, curves) <= tolerance + 1e-6


def test_a_circle_is_few_curves_and_a_corner_stays() -> None:
    angles = np.linspace(0, 2 * np.pi, 60)
    circle = 20 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    curves = fitted(circle, 0.1)
    assert len(curves) <= 8
    assert np.abs(np.hypot(*flattened(curves).T) - 20).max() < 0.2
    # Where two curves meet, the direction is the same.
    for one, other in pairwise(curves):
        before, after = one[3] - one[2], other[1] - other[0]
        assert before @ after > 0.999 * np.hypot(*before) * np.hypot(*after)
    corner = np.array([[0.0, 0], [5, 0], [10, 0], [10, 5], [10, 10]])
    first, second = fitted(corner, 0.5)
    assert first[3].tolist() == second[0].tolist() == [10, 0]
    np.testing.assert_allclose(first[:, 1], 0, atol=1e-9)


@pytest.mark.parametrize("sides, straight", [(4, True), (6, True), (8, True), (24, False)])
def test_polygons_keep_their_corners_and_circles_are_round(sides: int, straight: bool) -> None:
    angles = np.linspace(0, 2 * np.pi, sides + 1)
    polygon = 20 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    curves = fitted(polygon, 0.1)
    assert (len(curves) == sides) == straight
    if straight:
        lines = np.linspace(polygon[:-1], polygon[1:], 9)[1:].transpose(1, 0, 2).reshape(-1, 2)
        assert np.hypot(*(flattened(curves)[1:] - lines).T).max() < 1.5
        inside = np.hypot(*flattened(curves).T)
        assert inside.min() == pytest.approx(20 * np.cos(np.pi / sides), abs=0.01)
    # A small one is round: its lines are as short as those of a letter.
    assert len(fitted(polygon / 60, 0.1)) < sides or sides < 6


def test_svg_has_curves_within_the_tolerance(tmp_path: Path) -> None:
    # A line as a tablet records it: the curves need less room than its many points.
    line = resampled(LINE, 1.0)
    options = WriteOptions(curve=0.1, colour="navy")
    [file] = DOMAIN.write(line, tmp_path / "a.svg", options)
    [straight] = DOMAIN.write(line, tmp_path / "b.svg")
    text = file.read_text()
    assert 'stroke="navy"' in text and " C" not in text and "C" in text
    assert len(text) < len(straight.read_text())
    [again] = DOMAIN.read(file)
    assert isinstance(again, Ink) and again.text == line.text and again.letters is None
    sheet = on_paper(line, options)
    assert len(again.strokes) == len(sheet.ink.strokes)
    for drawn, stroke in zip(again.strokes, sheet.ink.strokes, strict=True):
        for point in stroke:
            assert np.hypot(*(drawn - point).T).min() * sheet.scale < 0.3


def test_plotters_and_pictures_get_smooth_lines(tmp_path: Path) -> None:
    straight, smooth = (on_paper(LINE, WriteOptions(curve=curve)) for curve in (0.0, 0.05))
    assert straight.lines is straight.strokes
    assert sum(map(len, smooth.lines)) > sum(map(len, smooth.strokes))
    assert gcode(smooth).count("G1") > gcode(straight).count("G1")
    turns = []
    for sheet in (straight, smooth):
        steps = [np.diff(stroke, axis=0) for stroke in sheet.lines]
        angles = [np.unwrap(np.arctan2(step[:, 1], step[:, 0])) for step in steps]
        turns.append(np.median(np.abs(np.concatenate([np.diff(angle) for angle in angles]))))
    assert turns[1] < turns[0] / 2


def test_curves_stay_on_the_paper(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        ink = Ink((np.cumsum(rng.normal(0, 3, (12, 2)), axis=0),))
        sheet = on_paper(ink, WriteOptions(margin=0, curve=5))
        [file] = DOMAIN.write(ink, tmp_path / "a.svg", sheet.options)
        [drawn] = DOMAIN.read(file)
        assert isinstance(drawn, Ink)
        for points in (sheet.lines[0], (drawn.strokes[0] - sheet.origin) * sheet.scale):
            assert (points >= -1e-3).all()
            assert (points <= np.array([sheet.width, sheet.height]) + 1e-3).all()


def test_a_long_wave_is_fitted_in_parts(monkeypatch) -> None:
    """All peaks are missed alike, so a cut at the worst point cuts off only the first one."""
    fits: list[int] = []
    fit = curves_module._curve

    def counted(points: np.ndarray, *rest: Any) -> Any:
        fits.append(len(points))
        return fit(points, *rest)

    monkeypatch.setattr(curves_module, "_curve", counted)
    across = np.arange(3000.0)
    wave = np.stack([across, np.where(across % 2, 0.2, 0)], axis=1)
    curves = fitted(wave, 1e-3)
    assert max(fits) <= curves_module.LONGEST and sum(fits) < 200 * len(wave)
    assert curves[-1, 3].tolist() == wave[-1].tolist()


def test_large_paper_makes_no_large_picture(tmp_path: Path) -> None:
    [file] = DOMAIN.write(LINE, tmp_path / "a.png", WriteOptions(paper="2000x2000"))
    with Image.open(file) as picture:
        assert 2000 < picture.width < 4000


@pytest.mark.parametrize("colour", ['"/><script>', "#12", "Red", "rgb(1,2,3)", ""])
def test_a_colour_is_a_colour(colour: str) -> None:
    with pytest.raises(ConfigError, match="colour must be a name"):
        WriteOptions(colour=colour)
