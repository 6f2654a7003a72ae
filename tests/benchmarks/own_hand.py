"""One's own hand from twenty lines: the share of letters that are read as intended.

Two made-up people write the sentences of the capture page. Their letters are other fonts than the
demo's, and every letter is bent in its own way. A simulated pen records them as a browser does: 40
points a letter, slower in bends, with a trembling hand, on lines that rise or fall. So the points
are not the demo's, and nobody marks which point belongs to which letter. ``seqgen train --from``
with a model of the demo learns from the file of each; then the model writes the forty sentences of
``sentence.py``. A reader that has learned 1,200 other lines of this hand reads them. The figure is
the mean over both people.

Baselines are a model from scratch with the same time (``text=spread``), and the reader on the same
sentences as these people would write them. ``theirs`` is the share of sentences that a classifier
gives to their writer, among the writers of the demo. ``--base`` takes a trained model of the demo.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import seqgen_handwriting
from hands import Classifier
from harness import Benchmark
from numpy.typing import NDArray
from sentence import LENGTH, SENTENCES, read_shares
from seqgen_handwriting.cleaning import body_height, cleaned
from seqgen_handwriting.demo import WRITERS, Writer, demo_texts, drawn_line
from seqgen_handwriting.demo_glyphs import BASELINE, HEIGHT, SMALL_LETTER, Glyph, glyphs_of
from seqgen_handwriting.files.json_files import as_json
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Reader

import seqgen

#: The two people: one prints and leans back, the other joins letters and leans forward. No writer
#: of the demo is so slanted.
PEOPLE = {
    "printed": Writer("me", "print", slant=-0.25, width=0.9, size=1.1, unsteadiness=0.3),
    "joined": Writer("me", "mixed", slant=0.5, width=0.85, size=0.9, unsteadiness=0.3),
}

#: How much every letter is bent: standard deviation of its stretch, slant and curl.
BENT = 0.12

#: The simulated pen: pixels for a unit of the demo, seconds between points, units between points
#: on a straight line, and standard deviations of the tremble in units and of a line's slope.
PIXELS, SECONDS, STEP, TREMBLE, SLOPE = 1.6, 0.008, 1.7, 0.2, 0.015

#: Learning rate of a training that starts from another model, as the documentation advises.
RATE = 0.001

#: Distance of points at which a stroke is measured, in units.
FINE = 0.4

#: Lines that each of them records, and lines of each from which reader and classifier learn.
LINES, READ, UPDATES, TOLD_APART = 20, 1200, 3000, 40

Rows = NDArray[np.float64]


class Person:
    """Somebody who is no writer of the demo."""

    def __init__(self, name: str) -> None:
        self._writer = PEOPLE[name]
        seed = [*PEOPLE].index(name)
        known = glyphs_of(self._writer.alphabet)
        self.glyphs = {letter: _bent(letter, glyph, seed) for letter, glyph in known.items()}

    def line(self, text: str, seed: int) -> Ink:
        """Return a line with letters, drawn with many points."""
        return drawn_line(text, self._writer, seed, self.glyphs)

    def recorded(self, text: str, seed: int) -> Ink:
        """Return a line as the capture page saves it: without letters, with times."""
        rng = np.random.default_rng([3, seed])
        slope, strokes, times, now = rng.normal(0, SLOPE), list[Rows](), list[Rows](), 0.0
        for stroke in self.line(text, seed).strokes:
            points = _with_a_pen(stroke, rng)
            points[:, 1] += slope * points[:, 0]
            strokes.append((points * PIXELS).round(1))
            times.append((now + np.arange(len(points)) * SECONDS).round(3))
            now = times[-1][-1] + 0.15
        return Ink(tuple(strokes), text, None, self._writer.name, tuple(times))


def _bent(letter: str, glyph: Glyph, seed: int) -> Glyph:
    """Return a letter stretched, slanted and curled in a way that is its own."""
    strokes, width = glyph
    rng = np.random.default_rng([seed, ord(letter)])
    stretched = np.eye(2) + rng.normal(0, BENT, (2, 2)) * [[1, 0.5], [1, 0.7]]
    curl = rng.normal(0, BENT * 0.015, 2)
    foot = np.array([width / 2, BASELINE * HEIGHT / SMALL_LETTER])
    wider = (1 + stretched[0, 0]) / 2
    new = []
    for stroke in strokes:
        around = stroke - foot
        squares = around[:, ::-1] ** 2 * (0.5, 1.0)
        new.append(around @ stretched + squares * curl + foot * (wider, 1.0))
    return new, width * wider


def _with_a_pen(stroke: Rows, rng: np.random.Generator) -> Rows:
    """Return the points that a device records of a stroke, at equal times ``(M, 2)``.

    The speed falls with the third root of the curvature, as people's does (Lacquaniti, Terzuolo
    and Viviani, *The law relating the kinematic and figural aspects of drawing movements*, 1983).
    """
    if len(stroke) < 2:
        return stroke + rng.normal(0, TREMBLE, (3, 2))
    along = np.append(0.0, np.cumsum(np.hypot(*np.diff(stroke, axis=0).T)))
    places = np.linspace(0, along[-1], max(int(along[-1] / FINE), 4))  # (F,)
    fine = np.stack([np.interp(places, along, column) for column in stroke.T], axis=1)
    fine = _mean_beside(fine, np.ones(5))
    x, y = np.diff(fine, axis=0).T
    turns = np.abs(np.diff(np.unwrap(np.arctan2(y, x)), append=0.0)) / FINE
    turns[-1] = 0.0
    slowness = np.cbrt(0.15 + _mean_beside(turns[:, None], np.ones(13))[:, 0]) * FINE / STEP * 1.9
    clock = np.append(0.0, np.cumsum(slowness))
    ticks = np.linspace(0, clock[-1], max(int(clock[-1]), 3))
    at = np.interp(ticks, clock, places)
    points = np.stack([np.interp(at, places, column) for column in fine.T], axis=1)
    window = np.hanning(9)
    noise = _mean_beside(rng.normal(0, 1, points.shape), window)
    return np.asarray(points + TREMBLE * noise * window.sum() / np.sqrt((window**2).sum()))


def _mean_beside(rows: Rows, window: Rows) -> Rows:
    """Return the weighted mean of the rows around each ``(N, C)``; ends are repeated."""
    reach = len(window) // 2
    padded = np.pad(rows, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(column, window / window.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1)


def sentences_of_the_page(known: Mapping[str, Glyph]) -> list[str]:
    """Return the sentences that the capture page shows, if they can be written."""
    page = Path(str(seqgen_handwriting.__file__)).with_name("capture.html").read_text("utf-8")
    [listed] = re.findall(r"const SENTENCES = \[(.*?),?\s*\];", page, re.DOTALL)
    return [text for text in json.loads(f"[{listed}]") if known.keys() >= set(text)]


def recorded_lines(person: Person) -> str:
    """Return what somebody writes on the capture page, as the content of its file."""
    texts = sentences_of_the_page(person.glyphs)[:LINES]
    recorded = [person.recorded(text, number) for number, text in enumerate(texts)]
    return f"[{','.join(map(as_json, recorded))}]"


def learned(
    benchmark: Benchmark, lines: Path, folder: Path, start: seqgen.Run | None
) -> seqgen.Run:
    """Return a run that has learned a file of lines, from another run or from scratch."""
    options: dict[str, Any] = (
        {"options": {"text": "spread"}} if start is None else {"before": start.codec}
    )
    corpus = seqgen.prepare("handwriting", [lines], folder / "corpus", **options)
    rate = RATE if start else 0.0
    config = seqgen.TrainConfig(seed=benchmark.seed, learning_rate=rate, **benchmark.budget)
    run = seqgen.create_run(folder / "run", corpus, train=config, start=start)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return run


def written(run: seqgen.Run, seed: int) -> Iterator[Ink]:
    """Yield every sentence as the model writes it; letters that it does not know are left out."""
    limit = seqgen.LimitConfig(length=LENGTH)
    for number, sentence in enumerate(SENTENCES):
        text = run.codec.mend_condition(sentence, "skip").piece
        for new in seqgen.generate(run, 1, condition=text, seed=seed + number, limit=limit):
            yield new.piece


def of_one_size(ink: Ink) -> Ink:
    """Return ink with small letters of the height 1."""
    height = body_height(ink) or 1.0
    return replace(ink, strokes=tuple(stroke / height for stroke in ink.strokes))


def told_apart(person: Person, texts: list[str]) -> Classifier:
    """Return a classifier of hands; class 0 is the person, the others are those of the demo."""
    hands = [Writer.number(number) for number in range(WRITERS)]
    rows = [[person.line(text, 10**5 + at) for at, text in enumerate(texts)]]
    rows += [
        [drawn_line(text, hand, at, glyphs_of(hand.alphabet)) for at, text in enumerate(texts)]
        for hand in hands
    ]
    return Classifier.learn([[of_one_size(cleaned(ink)) for ink in each] for each in rows])


def figures(
    benchmark: Benchmark, name: str, folder: Path, base: seqgen.Run
) -> dict[str, dict[str, float] | float]:
    """Return the shares for one person."""
    person = Person(name)
    texts = list(islice(demo_texts(), 6000, 6000 + READ))
    folder.mkdir(parents=True, exist_ok=True)
    lines = folder / "lines.json"
    lines.write_text(recorded_lines(person), encoding="utf-8")
    reader = Reader.learn((person.line(text, 10**6 + at) for at, text in enumerate(texts)), UPDATES)
    classifier = told_apart(person, [text for text in texts if len(text) > 12][:TOLD_APART])
    found: dict[str, dict[str, float] | float] = {}
    real = [person.line(text, 2 * 10**6 + number) for number, text in enumerate(SENTENCES)]
    found["real"] = read_shares(reader, real, SENTENCES)
    for way, start in (("from", base), ("scratch", None)):
        new = list(written(learned(benchmark, lines, folder / way, start), benchmark.seed))
        found[way] = read_shares(reader, new, SENTENCES)
        hands = [classifier.recognise(of_one_size(ink)) == 0 for ink in new]
        found[f"theirs {way}"] = float(np.mean(hands))
        domain, _ = seqgen.load_domain("handwriting")
        for number, ink in enumerate(new if benchmark.given.runs else ()):
            domain.write(ink, folder / way / f"{number + 1:02}.svg")
    benchmark.say(f"{name}: {found}")
    return found


def base_of(benchmark: Benchmark, folder: Path) -> seqgen.Run:
    """Return the given model of the demo, or a new one."""
    if benchmark.given.base:
        return seqgen.load(benchmark.given.base, "cpu")
    corpus = seqgen.prepare("handwriting")
    minutes = benchmark.given.base_minutes
    config = seqgen.TrainConfig(minutes=minutes, seed=benchmark.seed, device="cpu")
    return benchmark.trained(folder, corpus, config)


def main() -> None:
    options: dict[str, dict[str, Any]] = {
        "base": {"type": Path, "help": "a trained model of the demo"},
        "base-minutes": {"type": float, "default": 3.0, "help": "or the minutes to train one"},
    }
    benchmark = Benchmark("own_hand", "share of letters read as intended", 2.0, options)
    with benchmark.folder() as folder:
        base = base_of(benchmark, folder / "base")
        found = {name: figures(benchmark, name, folder / name, base) for name in PEOPLE}
        shares = {
            way: float(np.mean([each[way]["all"] for each in found.values()]))  # type: ignore[index]
            for way in ("from", "scratch", "real")
        }
        benchmark.finish(
            shares["from"],
            baselines={"from scratch": shares["scratch"], "real lines": shares["real"]},
            people=found,
        )


if __name__ == "__main__":
    main()
