"""The best of four pieces beside pieces as they come, on figures that the critic does not use.

Trains on the demos of music and handwriting. With each of five seeds twenty pieces are written as
they come, and twenty with ``--best-of 4``. Music: the share of quarters on a chord, crossed voices,
grooves, and distances of intervals, none of which the critic measures. Handwriting: the letters of
given sentences that are read as intended by a reader of its own, which learned the held-out lines;
the critic's reader learned the training lines. ``--music`` and ``--handwriting`` take trained runs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import Benchmark
from sentence import SENTENCES
from seqgen_handwriting.measures.legibility import Reader
from seqgen_music.measures.metrics import measure

import seqgen
from seqgen.evaluation.comparison import comparisons, reference_pieces
from seqgen.evaluation.probing import worded_pieces
from seqgen.generation.choosing import Critic
from seqgen.generation.pieces import Generated

#: Pieces of each kind, seeds, and pieces written for each one that is kept.
PIECES, SEEDS, TRIES = 20, 5, 4

#: What the critic of music does not look at, and three things that it does.
UNSEEN = ("quarters on a chord", "crossed voices", "ends on a cadence", "groove consistency")
SEEN = ("length", "scale consistency", "pitch range")
OVERLAPS = ("intervals", "pitch classes", "length")


def trained(benchmark: Benchmark, domain: str, folder: Path) -> seqgen.Run:
    """Return the given run, or a new one on the demo of a domain."""
    if given := getattr(benchmark.given, domain):
        return seqgen.load(given, "cpu")
    corpus = seqgen.prepare(domain)
    config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed, device="cpu")
    run = seqgen.create_run(folder / domain, corpus, train=config)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return run


def of_music(run: seqgen.Run, tries: int) -> tuple[dict[str, Any], list[Generated]]:
    """Return the measures of pieces, and the pieces of the first seed."""
    critic, reference = seqgen.learn_critic(run), list(reference_pieces(run.corpus()))
    rows, first = [], list[Generated]()
    began = time.process_time()
    for seed in range(SEEDS):
        new = list(seqgen.generate(run, PIECES, best_of=tries, critic=critic, seed=seed))
        first = first or new
        rows.append(music_row([one.piece for one in new], reference))
        rows[-1] |= critic_row(critic, new, [None] * len(new))
        rows[-1]["do not end"] = float(np.mean([one.stopped_by == "length" for one in new]))
    return summary(rows, began), first


def music_row(new: Sequence[Any], reference: Sequence[Any]) -> dict[str, float]:
    """Return the means of some measures, deviations of the length, and overlaps."""
    found = {one.name: one for one in comparisons(measure(new, reference))}
    row = {name: float(np.nanmean(found[name].metric.generated)) for name in (*UNSEEN, *SEEN)}
    row["deviation of the length"] = float(found["length"].metric.generated.std())
    row["shortest"] = float(found["length"].metric.generated.min())
    return row | {f"overlap of {name}": found[name].overlap or 0.0 for name in OVERLAPS}


def of_handwriting(run: seqgen.Run, tries: int) -> tuple[dict[str, Any], list[Generated]]:
    """Return the share of letters that are read, and the sentences of the first seed."""
    critic, reader = seqgen.learn_critic(run), Reader.learn(worded_pieces(run.corpus()))
    rows, first = [], list[Generated]()
    texts = SENTENCES[:PIECES]
    began = time.process_time()
    for seed in range(SEEDS):
        new = [
            one
            for number, text in enumerate(texts)
            for one in seqgen.generate(
                *(run, 1), condition=text, best_of=tries, critic=critic, seed=100 * seed + number
            )
        ]
        first = first or new
        judged = [reader.judge(one.piece, text) for one, text in zip(new, texts, strict=True)]
        right = [is_right for piece in judged for _, is_right in piece]
        rows.append({"read by another reader": float(np.mean(right))})
        whole = [all(is_right for _, is_right in piece) for piece in judged]
        rows[-1]["read without a mistake"] = float(np.mean(whole))
        rows[-1] |= critic_row(critic, new, texts)
    return summary(rows, began), first


def critic_row(critic: Critic, new: Sequence[Generated], given: Sequence[Any]) -> dict[str, float]:
    """Return what the critic itself says: faults of a piece, and rarity."""
    limit = seqgen.LimitConfig()
    said = [critic(one, condition, limit) for one, condition in zip(new, given, strict=True)]
    return {
        "faults": float(np.mean([len(one.faults) for one in said])),
        "rarity": float(np.mean([one.rarity for one in said])),
    }


def summary(rows: list[dict[str, float]], began: float) -> dict[str, Any]:
    """Return mean and deviation over the seeds of each figure, and seconds of CPU time per seed."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    found: dict[str, Any] = {
        name: [float(np.mean(values)), float(np.std(values))] for name, values in columns.items()
    }
    return found | {"CPU seconds": (time.process_time() - began) / SEEDS}


def keep(new: Sequence[Generated], run: seqgen.Run, folder: Path) -> None:
    """Write pieces with a page."""
    from seqgen.report.page import write_page

    samples = seqgen.write_samples(run, new, folder)
    write_page(run, samples, folder / "index.html")


def main() -> None:
    options = {
        "music": {"type": Path, "help": "a trained run of music"},
        "handwriting": {"type": Path, "help": "a trained run of handwriting"},
        "out": {"type": Path, "help": "keep the pieces of the first seed in this folder"},
    }
    benchmark = Benchmark("best_of", "share of letters read by another reader", 2.0, options)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for domain, figures_of in (("music", of_music), ("handwriting", of_handwriting)):
            run = trained(benchmark, domain, Path(folder))
            for tries in (1, TRIES):
                name = f"{domain}, best of {tries}"
                results[name], new = figures_of(run, tries)
                benchmark.say(f"{name}: {results[name]}")
                if benchmark.given.out:
                    keep(new, run, benchmark.given.out / f"{domain}-{tries}")
    benchmark.finish(
        results["handwriting, best of 4"]["read by another reader"][0],
        baselines={
            "as they come": results["handwriting, best of 1"]["read by another reader"][0],
            "chords, best of 4": results["music, best of 4"]["quarters on a chord"][0],
            "chords, as they come": results["music, best of 1"]["quarters on a chord"][0],
        },
        **results,
    )


if __name__ == "__main__":
    main()
