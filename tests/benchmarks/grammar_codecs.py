"""Models trained with the grammar in the loss and without it, for five codecs.

Both have the same pieces, network of 256 units, budget and seeds 0 to N - 1 (``--seeds``). Their
nats per unit on the test split are under the grammar. Then 40 pieces are written, whose grammar is
that of the tracker in both cases: how many end by themselves, and how long they are beside the
corpus. All numbers are medians over the seeds. Data: the demo pieces for `chorale` and `points`,
which has the text of its lines; `music_codecs` names those of the others. The figure is the largest
loss in nats per unit with the grammar in the loss over that without. Speed is measured by
`grammar.py`.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import torch
from harness import BY_TOKENS, Benchmark
from music_codecs import DATA

import seqgen
from seqgen.data.spans import spans_of
from seqgen.evaluation.scoring import score_spans

#: Domain and unit of each codec.
CODECS = {
    "chorale": ("music", "quarters"),
    "multitrack": ("music", "notes"),
    "melody": ("music", "quarters"),
    "performance": ("music", "notes"),
    "points": ("handwriting", "points"),
}
PIECES = 40


def corpus_of(benchmark: Benchmark, codec: str, folder: Path) -> None:
    """Prepare the pieces of a codec."""
    domain, _ = CODECS[codec]
    if codec in DATA:
        paths = [path for pattern in DATA[codec] for path in sorted(benchmark.data.glob(pattern))]
    else:
        paths = list(seqgen.load_domain(domain)[0].demo(folder / f"{codec}-files"))
    seqgen.prepare(domain, paths, folder / codec, codec=codec)


def trained(benchmark: Benchmark, corpus: seqgen.Corpus, seed: int, folder: Path) -> seqgen.Run:
    """Train one model."""
    shape = seqgen.ModelConfig(hidden=256, embedding=64, dropout=0.1)
    train = seqgen.TrainConfig(
        **benchmark.budget, batch_size=16, window=64, device="cpu", seed=seed, threads=1
    )
    run = seqgen.create_run(folder, corpus, model=shape, train=train)
    run.codec.masks = corpus.codec.masks
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return seqgen.load(folder)


def measure(run: seqgen.Run, corpus: seqgen.Corpus, unit: str, seed: int) -> dict[str, float]:
    """Return the loss on the test split, and measures of new pieces."""
    held_out = list(spans_of(corpus, corpus.segments("test")))
    nats, forbidden, amounts = 0.0, 0, Counter[str]()
    for scored in score_spans(run, held_out):
        nats += scored.nats + scored.end_nats
        forbidden += scored.forbidden
        amounts.update(scored.units)
    written = list(seqgen.generate(run, PIECES, seed=seed))
    lengths = [len(piece.ids) for piece in written]
    return {
        "nats per unit": nats / amounts[unit],
        "forbidden tokens": float(forbidden),
        "ended": sum(piece.stopped_by == "end" for piece in written) / PIECES,
        "tokens, median": median(lengths),
        "tokens, mean": sum(lengths) / PIECES,
    }


def compared(benchmark: Benchmark, codec: str, folder: Path) -> dict[str, Any]:
    """Train with and without the grammar with each seed; return the medians."""
    unit = CODECS[codec][1]
    corpus = seqgen.Corpus(folder / codec)
    results: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    for seed in range(benchmark.given.seeds):
        for name, found in results.items():
            trains_on = seqgen.Corpus(folder / codec)
            if name == "without":
                trains_on.codec.masks = lambda ids: None
            run = trained(benchmark, trains_on, seed, folder / f"{codec}-{name}-{seed}")
            found.append(measure(run, corpus, unit, seed))
            benchmark.say(f"{codec}, {name}, seed {seed}: {found[-1]}")
    lengths = [len(corpus.piece(number)) for number in range(corpus.info["pieces"])]
    return {
        "unit": unit,
        "corpus": {"tokens, median": median(lengths), "tokens, mean": sum(lengths) / len(lengths)},
        "seeds": results,
        **{
            name: {key: median(each[key] for each in found) for key in found[0]}
            for name, found in results.items()
        },
    }


def main() -> None:
    options = BY_TOKENS | {
        "seeds": {"type": int, "default": 3, "help": "number of seeds"},
        "only": {"nargs": "*", "default": list(CODECS), "help": "codecs; default all"},
    }
    benchmark = Benchmark("grammar_codecs", "ratio of nats per unit", 1.0, options)
    torch.set_num_threads(1)
    results = {}
    with tempfile.TemporaryDirectory() as place:
        for codec in benchmark.given.only:
            corpus_of(benchmark, codec, Path(place))
            results[codec] = compared(benchmark, codec, Path(place))
    ratios = [
        found["with"]["nats per unit"] / found["without"]["nats per unit"]
        for found in results.values()
    ]
    budget = {"tokens": benchmark.given.tokens} if benchmark.given.tokens else {}
    benchmark.finish(max(ratios), baselines={"without": 1.0}, codecs=results, **budget)


if __name__ == "__main__":
    main()
