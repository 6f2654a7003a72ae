"""New chorales as a listener with a score would judge them, beside Bach's own.

Trains on the chorales of music21. Writes 48 new ones with each of some sampling settings, and 100
with the default ones. On every quarter: is the sound a triad or a seventh chord? Do voices cross?
From quarter to quarter: do two voices move in parallel fifths, octaves or unisons? In each piece:
how long are the longest note, the longest stay of a voice on one pitch, and the piece? How many
phrases has it, and of how many quarters, and which share of these distributions is that of the
training pieces? At the end: does the model end the piece, on a chord of all four voices that lasts
a quarter or more? The baseline is the validation pieces; the figure is the share of chords with the
default settings. Then the melodies of the validation pieces are harmonised with several numbers of
candidates.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from harness import Benchmark
from seqgen_music.codecs.chorale.parallels import parallels
from seqgen_music.codecs.chorale.raster import REST, STEPS, Raster, raster_of
from seqgen_music.measures.voice_leading import beats, crossed, on_chord
from seqgen_music.music import Music

import seqgen

PIECES, MORE_PIECES = 48, 100

SETTINGS = {
    "default": seqgen.SampleConfig(),
    "model as it is": seqgen.SampleConfig(temperature=1.0, min_p=0.0),
    "temperature 0.7": seqgen.SampleConfig(temperature=0.7),
    "temperature 0.3": seqgen.SampleConfig(temperature=0.3),
}

#: The best setting without token groups.
ONE_GROUP = {"one group, temperature 0.9": seqgen.SampleConfig(temperature=0.9)}

#: Candidates for each harmony, one setting after another.
CANDIDATES = (1, 8, 32, 128)


def judge(rasters: list[Raster]) -> dict[str, float]:
    """Return the measures over all pieces."""
    quarters = [beats(raster) for raster in rasters]
    count = sum(map(len, quarters))
    ends = np.stack([raster.sounding[-1] for raster in rasters])
    full = on_chord(ends) & (ends != REST).all(axis=1)
    return {
        "chords": sum(int(on_chord(piece).sum()) for piece in quarters) / count,
        "parallels per 100 quarters": 100
        * sum(int(parallels(piece).sum()) for piece in quarters)
        / count,
        "crossings": sum(int(crossed(piece).sum()) for piece in quarters) / count,
        "notes per quarter": sum(
            int((raster.begins & (raster.sounding != REST)).sum()) for raster in rasters
        )
        / count,
        "last chord of four": float(full.mean()),
        "last chord lasts": sum(bool(raster.lasted()[-1].min() >= STEPS) for raster in rasters)
        / len(ends),
        "median quarters": float(np.median([len(raster.sounding) / STEPS for raster in rasters])),
        "quarters, 90th percentile": ninth([len(raster.sounding) for raster in rasters]),
        "longest note, 90th percentile": ninth([max(one.longest_notes()) for one in rasters]),
        "longest stay, 90th percentile": ninth([max(one.longest_stays()) for one in rasters]),
    }


def ninth(steps: list[int]) -> float:
    """Return the 90th percentile in quarters."""
    return float(np.percentile(steps, 90)) / STEPS


def form(rasters: list[Raster]) -> tuple[Counter[int], Counter[int]]:
    """Return how often each number of phrases, and each length of a phrase in steps, comes."""
    planned = [raster.ends for raster in rasters if raster.ends]
    lengths = [length for ends in planned for length in np.diff(ends, prepend=0).tolist()]
    return Counter(map(len, planned)), Counter(lengths)


def overlap(one: Counter[int], other: Counter[int]) -> float:
    """Return the share that two distributions have in common."""
    return sum(min(one[key] / one.total(), other[key] / other.total()) for key in one)


def listen(
    run: seqgen.Run, sample: seqgen.SampleConfig, known: list[Raster], count: int = PIECES
) -> dict[str, float]:
    """Return the measures of new pieces, their forms, and the share that the model ended."""
    new = list(seqgen.generate(run, count, sample=sample, batch_size=count))
    ended = sum(piece.stopped_by == "end" for piece in new) / count
    rasters = [raster_of(piece.piece) for piece in new]
    return judge(rasters) | forms(rasters, known) | {"ended": ended}


def forms(rasters: list[Raster], known: list[Raster]) -> dict[str, float]:
    """Return how much the forms of pieces overlap with those of training pieces."""
    pairs = zip(form(rasters), form(known), strict=True)
    numbers, lengths = (overlap(one, other) for one, other in pairs)
    return {"overlap of numbers of phrases": numbers, "overlap of lengths of phrases": lengths}


def harmonise(run: seqgen.Run, originals: list[Music], candidates: int) -> dict[str, float]:
    """Return the measures of melodies with new lower voices, and how much equals Bach's."""
    new = [
        next(seqgen.generate(run, condition=piece, candidates=candidates, seed=number)).piece
        for number, piece in enumerate(originals)
    ]
    same = [
        (raster_of(piece).sounding[:, 1:] == raster_of(original).sounding[:, 1:]).mean()
        for piece, original in zip(new, originals, strict=True)
    ]
    return judge([raster_of(piece) for piece in new]) | {"as Bach": float(np.mean(same))}


def main() -> None:
    benchmark = Benchmark("chorales", "share of quarters on a chord", minutes=3.0)
    corpus = seqgen.prepare("music")
    known, held_out = (
        [
            corpus.codec.decode(np.asarray(corpus.piece(segment.piece), np.int64))
            for segment in corpus.segments(split)
        ]
        for split in ("train", "valid")
    )
    learned = [*map(raster_of, known)]
    with tempfile.TemporaryDirectory() as folder:
        config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed)
        run = seqgen.create_run(Path(folder) / "run", corpus, train=config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        results = {name: listen(run, sample, learned) for name, sample in SETTINGS.items()}
        more = listen(run, SETTINGS["default"], learned, MORE_PIECES)
        harmonised = {number: harmonise(run, held_out, number) for number in CANDIDATES}
        run.codec.groups = ()
        results |= {name: listen(run, sample, learned) for name, sample in ONE_GROUP.items()}
    bach = [*map(raster_of, held_out)]
    by_bach = judge(bach) | forms(bach, learned)
    benchmark.finish(
        results["default"]["chords"],
        baselines={"Bach": by_bach["chords"]},
        valid_loss=run.info["result"]["valid_loss"],
        bach=by_bach,
        hundred=more,
        harmonised=harmonised,
        **results,
    )


if __name__ == "__main__":
    main()
