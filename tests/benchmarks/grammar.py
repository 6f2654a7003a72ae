"""What the grammar costs and gains in training, for every codec with masks.

Two networks of 256 units learn the same demo pieces by turns, a few seconds each: one with the
masks of its codec, one without. The figure is the lowest share of training speed that a codec
keeps. Both losses on held-out pieces are under the mask, in nats per unit of the codec. The even
guess among allowed tokens stands beside them. Learning rate 3e-3, batch size 16, windows of 64
tokens, dropout 0.1.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from harness import Benchmark
from train_speed import rate

import seqgen
from seqgen.data.spans import evaluated, spans_of
from seqgen.evaluation.loss import evaluate
from seqgen.evaluation.ngram import baseline
from seqgen.network.model import SequenceModel
from seqgen.training.autopilot import plan
from seqgen.training.learner import Learner

DOMAINS = ("music", "handwriting")
LEARNING_RATE = 3e-3


def learner_of(corpus: seqgen.Corpus, seed: int) -> Learner:
    """Return a learner of fixed shape."""
    shape = seqgen.ModelConfig(hidden=256, embedding=64, dropout=0.1)
    config = seqgen.TrainConfig(tokens=10**9, batch_size=16, window=64, device="cpu", seed=seed)
    chosen = plan(corpus, shape, config)
    sizes = tuple(corpus.codec.feature_sizes)
    torch.manual_seed(seed)
    return Learner(SequenceModel(chosen.model, corpus.vocab, sizes), corpus, chosen.train)


def updates(learner: Learner) -> Iterator[int]:
    """Train forever; yield the tokens of each update."""
    while True:
        before = learner.counts.tokens
        learner.update(LEARNING_RATE)
        yield learner.counts.tokens - before


def tokens_per_unit(corpus: seqgen.Corpus) -> dict[str, float]:
    """Return held-out tokens, END included, for each unit of the codec."""
    tokens, units = 0, dict.fromkeys(corpus.info["units"], 0.0)
    for span in spans_of(corpus, evaluated(corpus)):
        tokens += span.stop - span.start + span.ends
        for stop, sign in ((span.stop, 1), (span.start, -1)):
            for name, amount in corpus.codec.units(span.until(stop)).items() if stop else ():
                units[name] += sign * amount
    return {name: tokens / amount for name, amount in units.items() if amount}


def compared(benchmark: Benchmark, folder: Path) -> dict[str, object]:
    """Train with and without masks by turns and return the figures of a codec."""
    masked, free = seqgen.Corpus(folder), seqgen.Corpus(folder)
    free.codec.masks = lambda ids: None
    learners = [learner_of(corpus, benchmark.seed) for corpus in (masked, free)]
    streams = [updates(learner) for learner in learners]
    for stream in streams:
        next(stream)
    rates = [[rate(stream) for stream in streams] for _ in range(round(benchmark.minutes * 15))]
    with_masks, without = (evaluate(each.model, masked) for each in learners)
    found = baseline(masked)
    losses = {
        "with masks": with_masks,
        "without masks": without,
        "without masks, not masked": evaluate(learners[1].model, masked, grammar=False),
        "n-grams": found.nats_per_token,
        "even guess": found.uniform,
    }
    per_unit = tokens_per_unit(masked)
    return {
        "speed kept": float(np.median([one / other for one, other in rates])),
        "tokens a second": np.median(rates, axis=0).tolist(),
        "tokens read": [learner.counts.tokens for learner in learners],
        "nats per token": losses,
        "nats per unit": {
            name: {column: loss * factor for column, loss in losses.items()}
            for name, factor in per_unit.items()
        },
    }


def main() -> None:
    options = {"codecs": {"nargs": "*", "default": [], "help": "names of codecs; default all"}}
    benchmark = Benchmark("grammar", "lowest share of training speed kept", 1.0, options)
    torch.set_num_threads(1)
    results = {}
    with tempfile.TemporaryDirectory() as place:
        for name in DOMAINS:
            domain, _ = seqgen.load_domain(name)
            files = domain.demo(Path(place) / name)
            for codec in domain.codecs:
                if benchmark.given.codecs and codec not in benchmark.given.codecs:
                    continue
                folder = Path(place) / f"{name}-{codec}"
                corpus = seqgen.prepare(name, files, folder, codec=codec)
                if corpus.mask_width:
                    results[codec] = compared(benchmark, folder)
                    benchmark.say(f"{codec}: {results[codec]}")
    if not results:
        raise SystemExit("no codec has masks")
    kept = min(result["speed kept"] for result in results.values())
    benchmark.finish(kept, baselines={"without masks": 1.0}, codecs=results)


if __name__ == "__main__":
    main()
