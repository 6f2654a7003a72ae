"""Letters that are drawn again: the share that another reader misreads, by the number of tries.

A model of the demo of handwriting writes twenty sentences with 1, 2, 4 and 8 tries. The letters are
chosen by the proofreader of the run, which learned from training lines. They are judged by a reader
of its own, which learned the held-out lines. ``--run`` takes a trained run.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from harness import Benchmark
from sentence import SENTENCES
from seqgen_handwriting.measures.legibility import Reader

import seqgen
from seqgen.evaluation.probing import worded_pieces
from seqgen.evaluation.proofreading import proofreader_for

#: Sentences, numbers of tries, and updates of the reader that judges.
TEXTS, TRIES, UPDATES = SENTENCES[:20], (1, 2, 4, 8), 3000


def trained(benchmark: Benchmark, folder: Path) -> seqgen.Run:
    """Return the given run, or a new one on the demo."""
    if benchmark.given.run:
        return seqgen.load(benchmark.given.run, "cpu")
    corpus = seqgen.prepare("handwriting")
    config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed, device="cpu")
    run = seqgen.create_run(folder / "run", corpus, train=config)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return run


def figures(run: seqgen.Run, reader: Reader, tries: int, seed: int) -> dict[str, Any]:
    """Return what is misread, and the time, with so many tries."""
    chooser = proofreader_for(run) if tries > 1 else None
    misread = letters = 0
    began, found = time.process_time(), list[Any]()
    for number, text in enumerate(TEXTS):
        [new] = seqgen.generate(
            run, condition=text, tries=tries, proofreader=chooser, seed=seed + number
        )
        judged = reader.judge(new.piece, text)
        misread += sum(not right for _, right in judged)
        letters += len(judged)
        found.append(new.words)
    words = sum(len(text.split()) for text in TEXTS)
    row = {
        "misread": misread / letters,
        "letters": letters,
        "CPU seconds per word": (time.process_time() - began) / words,
    }
    if tries > 1:
        names = ("again", "misread")
        row |= {f"words {name}": sum(getattr(one, name) for one in found) / words for name in names}
    return row


def main() -> None:
    options = {"run": {"type": Path, "help": "a trained run of handwriting"}}
    benchmark = Benchmark("tries", "share of letters misread with 4 tries", 2.0, options)
    with tempfile.TemporaryDirectory() as folder:
        run = trained(benchmark, Path(folder))
        held_out = list(worded_pieces(run.corpus()))
        reader = Reader.learn(held_out, UPDATES)
        figures(run, reader, 2, 0)  # Compiles.
        rows = {tries: figures(run, reader, tries, benchmark.seed) for tries in TRIES}
        for tries, row in rows.items():
            benchmark.say(f"{tries}: {row}")
        benchmark.finish(
            rows[4]["misread"],
            baselines={"as they come": rows[1]["misread"]},
            **{f"{tries} tries": row for tries, row in rows.items()},
            tokens=run.info["result"]["tokens"],
            held_out=len(held_out),
        )


if __name__ == "__main__":
    main()
