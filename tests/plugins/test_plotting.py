"""G-code on a simulated plotter: what it draws, where it draws it, and how it travels."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files.gcode_writing import gcode
from seqgen_handwriting.files.pen_travel import joined, nearest_first
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.paper import on_paper
from seqgen_handwriting.write_options import WriteOptions

from seqgen.errors import ConfigError

#: Characters that Grbl acts on wherever they stand, and those that end a comment elsewhere.
REAL_TIME = {*b"!~?%()", *range(9), *range(11, 32), *range(127, 256)}


@dataclass
class Plotter:
    """A plotter that follows G-code line by line.

    Attributes
    ----------
    options : WriteOptions
        With the height, or the value of the servo, of the lowered pen.
    width, height : float
        The paper in millimetres; the pen must not leave it.
    strokes : list
        What was drawn, as lists of places.
    travelled : float
        Millimetres with the pen up.
    waited : float
        Seconds.
    """

    options: WriteOptions
    width: float
    height: float
    strokes: list[list[tuple[float, float]]] = field(default_factory=list)
    travelled: float = 0.0
    waited: float = 0.0
    feeds: set[float] = field(default_factory=set)
    at: tuple[float, float] = (0.0, 0.0)
    level: float | None = None
    is_metric: bool = False
    is_absolute: bool = False
    is_on: bool = False
    ended: bool = False
    moves_done: bool = True

    @property
    def down(self) -> float:
        return self.options.lower if self.options.lifting == "z" else self.options.servo_down

    @property
    def is_down(self) -> bool:
        return self.level == self.down

    def run(self, data: bytes) -> "Plotter":
        assert not set(data) & REAL_TIME
        for line in data.decode("ascii").splitlines():
            assert len(line) < 80 and not self.ended
            words = [(word[0], float(word[1:])) for word in line.split(";")[0].split()]
            if words:
                self._follow(words)
        assert self.ended and not self.is_down
        return self

    def _follow(self, words: list[tuple[str, float]]) -> None:
        (letter, number), values = words[0], dict(words[1:])
        match letter, int(number):
            case "G", 21:
                self.is_metric = True
            case "G", 90:
                self.is_absolute = True
            case "G", 0 | 1:
                self._move(int(number), values)
            case "G", 4:
                self.waited += values["S" if self.options.lifting == "m280" else "P"]
            case "M", 400:
                self.moves_done = True
            case "M", 3:
                assert self.options.lifting == "m3"
                self.is_on = True
                self._set(values["S"])
            case "M", 280:
                assert self.options.lifting == "m280" and values["P"] == 0 and self.moves_done
                self._set(values["S"])
            case "M", 5:
                # The servo may go anywhere.
                assert self.options.lifting == "m3" and not self.is_down and self.at == (0, 0)
                self.is_on = False
            case "M", 2:
                assert not self.is_on
                self.ended = True
            case other:
                raise AssertionError(other)

    def _set(self, level: float) -> None:
        self.level = level
        if self.is_down:
            self.strokes.append([self.at])

    def _move(self, number: int, values: dict[str, float]) -> None:
        assert self.is_metric and self.is_absolute
        self.moves_done = False
        place = (values.get("X", self.at[0]), values.get("Y", self.at[1]))
        assert 0 <= place[0] <= self.width and 0 <= place[1] <= self.height
        if number == 1:
            assert values["F"] > 0
        moves = place != self.at
        assert self.level is not None or not moves
        was_down = self.is_down
        self.level = values.get("Z", self.level)
        if was_down and self.is_down:
            assert number == 1
            self.feeds.add(values["F"])
            self.strokes[-1].append(place)
        else:
            self.travelled += float(np.hypot(place[0] - self.at[0], place[1] - self.at[1]))
        self.at = place
        if self.is_down and not was_down:
            self.strokes.append([place])


def drawing(count: int = 6) -> Ink:
    """Make zigzags and a dot in random places."""
    rng = np.random.default_rng(5)
    strokes = [rng.uniform(0, 10, (4, 2)) + rng.uniform(0, 90, 2) for _ in range(count)]
    return Ink((*strokes, np.array([[50.0, 20.0]])), "Ready? Go! ~100 % (µm) \x18\n" + "word " * 99)


def plotted(ink: Ink, **options: Any) -> tuple[Plotter, list[np.ndarray]]:
    """Plot ink, and return the plotter and the strokes that it should draw."""
    sheet = on_paper(ink, WriteOptions(**options))
    plotter = Plotter(sheet.options, sheet.width, sheet.height)
    plotter.run(gcode(sheet).encode("utf-8"))
    return plotter, [stroke * (1, -1) + (0, sheet.height) for stroke in sheet.strokes]


def assert_drawn(plotter: Plotter, strokes: list[np.ndarray]) -> None:
    assert len(plotter.strokes) == len(strokes)
    for drawn, stroke in zip(plotter.strokes, strokes, strict=True):
        np.testing.assert_allclose(drawn, stroke, atol=6e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lift": 3, "lower": -0.4, "plunge": 300},
        {"lead": 1.5},
        {"lead": 40},
        {"lifting": "m3", "servo_up": 0, "servo_down": 1000},
        {"lifting": "m280", "dwell": 0.5, "lead": 2},
    ],
)
def test_a_plotter_draws_what_the_ink_holds(options: dict[str, Any]) -> None:
    plotter, strokes = plotted(drawing(), feed=900, **options)
    assert_drawn(plotter, strokes)
    assert plotter.feeds == {900}
    times = 2 * len(strokes) + 1 if "lifting" in options else 0
    times += options.get("lifting") == "m3"
    assert plotter.waited == pytest.approx(times * plotter.options.dwell)


def test_the_pen_lands_and_lifts_on_the_way() -> None:
    line = Ink((np.array([[0.0, 0.0], [100.0, 0.0]]),))
    text = gcode(on_paper(line, WriteOptions(side=100, lead=2, lift=5, plunge=600)))
    landing, ramp = re.findall(r"G0 X(\S+) .*\nG1 X(\S+) Y\S+ Z0 F(\d+)", text)[0][:2]
    assert (float(landing), float(ramp)) == (13, 15)
    [(end, feed)] = re.findall(r"G1 X(\S+) Y\S+ Z5 F(\d+)", text)
    # The pen moves 2 mm sideways while it rises 5 mm at 600 mm/min.
    assert float(end) == 117 and int(feed) == int(600 * np.hypot(2, 5) / 5)


def test_the_order_of_writing_is_kept_or_sorted() -> None:
    ink = drawing(150)
    written, strokes = plotted(ink)
    assert_drawn(written, strokes)
    short, _ = plotted(ink, order="nearest")
    assert short.travelled < written.travelled / 3
    either = [np.array(stroke) for stroke in short.strokes]
    for stroke in strokes:
        assert any(
            len(one) == len(stroke)
            and min(abs(one - stroke).max(), abs(one[::-1] - stroke).max()) < 1e-3
            for one in either
        )
    assert len(either) == len(strokes)


def test_near_strokes_are_sought_among_the_next_ones() -> None:
    """Time grows with the number of strokes only, and each stroke comes once."""
    rng = np.random.default_rng(3)
    strokes = [rng.uniform(0, 100, (1, 2)) for _ in range(5000)]
    found = nearest_first(strokes, (0.0, 0.0))
    assert len(found) == len(strokes)
    assert {tuple(one[0]) for one in found} == {tuple(one[0]) for one in strokes}
    assert nearest_first([], (0.0, 0.0)) == []


def test_strokes_that_touch_are_joined() -> None:
    chain = [np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[1.05, 0.0], [2.0, 0.0]])]
    apart = np.array([[2.5, 0.0], [3.0, 0.0]])
    one, other = joined([*chain, apart], 0.1)
    assert len(one) == 4 and other is not None and len(other) == 2
    ink = Ink(tuple(np.array(stroke) for stroke in [*chain, apart]))
    assert [len(plotted(ink, side=3, join=gap)[0].strokes) for gap in (0, 0.1, 0.6)] == [3, 2, 1]


def test_a_pen_is_lifted_above_the_paper() -> None:
    with pytest.raises(ConfigError, match="lower must be less than lift"):
        WriteOptions(lift=2, lower=2)
    with pytest.raises(ConfigError, match="servo_up and servo_down must differ"):
        WriteOptions(lifting="m3", servo_up=90)
    assert WriteOptions(servo_up=90).lifting == "z"
    with pytest.raises(ConfigError, match="lifting"):
        WriteOptions(lifting="m5")  # type: ignore[arg-type]


def test_comments_are_short_and_harmless(tmp_path: Path) -> None:
    Handwriting().write(drawing(), tmp_path / "a.gcode")
    first, *rest = (tmp_path / "a.gcode").read_bytes().splitlines()
    assert first.startswith(b"; Ready_ Go_ _100") and len(first) <= 72
    assert not set(first) & REAL_TIME and b"word" not in b"".join(rest)
    assert all(len(line) < 80 for line in rest)
