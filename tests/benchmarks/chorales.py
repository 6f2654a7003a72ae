"""Generated chorales as a listener with a score would judge them, beside Bach's own.

Trains on the chorales of music21 and writes 48 new ones with each of some sampling settings. On
every quarter: is what sounds a triad or a seventh chord? Do voices cross? From quarter to
quarter: do two voices move in parallel fifths, octaves or unisons? At the end: does the piece end
by itself, on a chord of all four voices that lasts a quarter or more? The baseline is the same
of the validation pieces; the figure is the share of chords with the default settings.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
from harness import Benchmark
from seqgen_music.raster import REST, STEPS, Raster, raster_of

import seqgen

PIECES = 48

SETTINGS = {
    "default": seqgen.SampleConfig(),
    "model as it is": seqgen.SampleConfig(temperature=1.0, min_p=0.0),
    "temperature 0.9": seqgen.SampleConfig(temperature=0.9, min_p=0.0),
    "temperature 0.9, min_p 0.05": seqgen.SampleConfig(temperature=0.9, min_p=0.05),
}

#: Major, minor, diminished and augmented triads, and the common seventh chords.
KINDS = (
    *((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8)),
    *((0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 3, 6, 9), (0, 3, 6, 10)),
)
CHORDS = [{(root + step) % 12 for step in kind} for root in range(12) for kind in KINDS]


def is_chord(pitches: np.ndarray) -> bool:
    """Tell whether the pitches that sound belong to one chord."""
    classes = {int(pitch) % 12 for pitch in pitches if pitch != REST}
    return bool(classes) and any(classes <= chord for chord in CHORDS)


def parallels(before: np.ndarray, after: np.ndarray) -> int:
    """Count pairs of voices that move alike from one perfect interval to the same."""
    count = 0
    for high, low in itertools.combinations(range(4), 2):
        pitches = (before[high], before[low], after[high], after[low])
        moved = before[high] != after[high] and before[low] != after[low]
        interval = (before[high] - before[low]) % 12
        same = interval == (after[high] - after[low]) % 12
        alike = (after[high] - before[high]) * (after[low] - before[low]) > 0
        count += bool(REST not in pitches and moved and alike and same and interval in (0, 7))
    return count


def judge(rasters: list[Raster]) -> dict[str, float]:
    """Return the measures over all pieces."""
    beats = [raster.sounding[::STEPS] for raster in rasters]
    count = sum(map(len, beats))
    ends = [raster.sounding[-1] for raster in rasters]
    return {
        "chords": sum(is_chord(beat) for piece in beats for beat in piece) / count,
        "parallels per 100 quarters": 100
        * sum(parallels(*pair) for piece in beats for pair in itertools.pairwise(piece))
        / count,
        "crossings": sum(
            bool(((beat[:-1] < beat[1:]) & (beat[:-1] != REST)).any())
            for piece in beats
            for beat in piece
        )
        / count,
        "notes per quarter": sum(
            int((raster.begins & (raster.sounding != REST)).sum()) for raster in rasters
        )
        / count,
        "last chord of four": sum(is_chord(end) and REST not in end for end in ends) / len(ends),
        "last chord lasts": sum(bool(raster.lasted()[-1].min() >= STEPS) for raster in rasters)
        / len(ends),
        "median quarters": float(np.median([len(raster.sounding) / STEPS for raster in rasters])),
    }


def main() -> None:
    benchmark = Benchmark("chorales", "share of quarters on a chord", minutes=3.0)
    corpus = seqgen.prepare("music")
    bach = [
        raster_of(corpus.codec.decode(np.asarray(corpus.piece(segment.piece), np.int64)))
        for segment in corpus.segments("valid")
    ]
    with tempfile.TemporaryDirectory() as folder:
        config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed)
        run = seqgen.create_run(Path(folder) / "run", corpus, train=config)
        for report in run.train(corpus):
            benchmark.watch(report)
        results = {}
        for name, sample in SETTINGS.items():
            new = list(seqgen.generate(run, PIECES, sample=sample, batch=PIECES))
            ended = sum(piece.stopped_by == "end" for piece in new) / PIECES
            results[name] = judge([raster_of(piece.piece) for piece in new]) | {"ended": ended}
    by_bach = judge(bach)
    benchmark.finish(
        results["default"]["chords"],
        baselines={"Bach": by_bach["chords"]},
        valid_loss=run.info["result"]["valid_loss"],
        bach=by_bach,
        **results,
    )


if __name__ == "__main__":
    main()
