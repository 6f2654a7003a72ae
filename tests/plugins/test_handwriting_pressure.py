"""The pressure of a pen: read, kept, and drawn as the width of the pen."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seqgen_handwriting.cleaning import cleaned, resampled, simplified
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.paper import pages
from seqgen_handwriting.write_options import WriteOptions

from seqgen.errors import DataError

DOMAIN = Handwriting()

#: A line that the pen presses on harder and harder, and a light one below it.
WEDGE = np.stack([np.arange(0.0, 101.0), np.zeros(101)], axis=1)
INK = Ink((WEDGE, np.add(WEDGE, (0, 50))), pressure=(np.linspace(0, 1, 101), np.full(101, 0.25)))


def read(path: Path, content: str) -> Ink:
    path.write_text(content, encoding="utf-8")
    [found] = DOMAIN.read(path)
    if isinstance(found, DataError):
        raise found
    assert isinstance(found, Ink)
    return found


@pytest.mark.parametrize(
    ("channel", "values", "expected"),
    [
        ('<channel name="F" max="1023"/>', (0, 1023, 2046), [0, 0.5, 1]),
        ('<channel name="F" max="1000"/>', (0, 250, 500), [0, 0.25, 0.5]),
        ('<channel name="F"/>', (30, 60, 120), [0.25, 0.5, 1]),
        ('<channel name="F"/>', (0.25, -0.5, 0.75), [0.25, 0, 0.75]),
        ('<channel name="F"/>', (0, 0, 0), None),
        ('<channel name="F"/>', (0, "1e999", 0), None),
        ('<channel name="OTx"/>', (1, 2, 3), None),
    ],
)
def test_the_force_of_inkml_becomes_a_share(channel, values, expected, tmp_path: Path) -> None:
    form = f'<traceFormat><channel name="X"/><channel name="Y"/>{channel}</traceFormat>'
    points = ", ".join(f"{x} 0 {value}" for x, value in enumerate(values))
    ink = read(tmp_path / "a.inkml", f"<ink>{form}<trace>{points}</trace></ink>")
    assert (ink.pressure and ink.pressure[0].tolist()) == expected


def test_json_has_pressure_with_and_without_times(tmp_path: Path) -> None:
    strokes = [[[0, 0, 0.5, 0.25], [1, 0, 0.75, 1]]]
    ink = read(tmp_path / "a.json", json.dumps({"strokes": strokes}))
    assert ink.pressure is not None and ink.pressure[0].tolist() == [0.25, 1]
    assert ink.times is not None and ink.times[0].tolist() == [0.5, 0.75]
    without = read(tmp_path / "b.json", '{"strokes": [[[0, 0, null, 0.25]]]}')
    assert without.times is None and without.pressure is not None
    some = read(tmp_path / "c.json", '{"strokes": [[[0, 0, 1, 0.25]], [[0, 0, 2]]]}')
    assert some.times is not None and some.pressure is None
    with pytest.raises(DataError, match=r"the pressure 512; expected 0 to 1"):
        read(tmp_path / "d.json", '{"strokes": [[[0, 0, 1, 512]]]}')


def test_points_keep_their_pressure() -> None:
    timed = Ink(INK.strokes, "ab", times=(np.arange(101.0), 200 + np.arange(101.0)))
    line = Ink(timed.strokes, timed.text, times=timed.times, pressure=INK.pressure)
    for changed in (resampled(line, 7.0), simplified(line, 0.1), cleaned(line)):
        assert changed.pressure is not None and changed.points < line.points
        first, times = changed.pressure[0], changed.times
        assert times is not None
        np.testing.assert_allclose(first, times[0] / 100, atol=1e-9)
    letters = (np.repeat([0, 6], [50, 51]), np.full(101, 6))
    text = Ink(INK.strokes, "aaaa bbbbb", letters, pressure=INK.pressure)
    [sheet] = pages(text, WriteOptions(paper="60x60", letter=9, margin=5, line=20))
    assert sheet.ink.pressure is not None
    pressed = np.sort(np.concatenate(sheet.ink.pressure))
    assert pressed.tolist() == np.sort(np.concatenate(INK.pressure or ())).tolist()


@pytest.mark.parametrize("curve", [0, 0.1])
def test_the_pen_is_wider_where_it_presses(curve: float, tmp_path: Path) -> None:
    options = WriteOptions(curve=curve, pen=2)
    DOMAIN.write(INK, tmp_path / "a.png", options)
    black = np.asarray(Image.open(tmp_path / "a.png")) < 128  # (H, W)
    columns = np.flatnonzero(black.any(axis=0))
    upper = black[: len(black) // 2, columns].sum(axis=0)
    assert upper[-20] > 2.5 * upper[20] > 0
    DOMAIN.write(INK, tmp_path / "a.svg", options)
    widths = re.findall(r'<path[^>]* stroke-width="([^"]+)"', (tmp_path / "a.svg").read_text())
    # 150 mm are 100 units: half the pressure is the usual width, a quarter 0.7 of it.
    assert [float(width) for width in widths] == pytest.approx([2 / 1.5, 0.7 * 2 / 1.5], rel=1e-4)


def test_ink_without_pressure_has_one_width(tmp_path: Path) -> None:
    DOMAIN.write(Ink(INK.strokes), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().count("stroke-width") == 1
