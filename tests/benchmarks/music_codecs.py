"""Three codecs of music: loss on held-out pieces per token, note and time, and new pieces.

Data: ``music/maestro`` and ``music/piano-midi`` for `performance`, ``music/multitrack`` (Freedoom)
for `multitrack`, ``music/abc/nottingham`` for `melody`, without its chord symbols and with them.
Each of the four is trained for a quarter of the time, or those of one codec (``--only``) share all
of it; all settings are automatic. The test split is scored without END, beside the n-gram model
that predicts the validation split best. The held-out end of a long piece is predicted from what
precedes it. The validation split, which chose the model, is scored as well. With chords, the nats
of the melody given the chords so far are summed apart; the two corpora of melodies hold out
different tunes. Then eight pieces are written: how many the model ends, how like the corpus they
are, what is copied. A line for each codec sums it up. The figure is the network's nats per note of
`multitrack`, or of the first that was trained.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import torch
from harness import Benchmark

import seqgen
from seqgen.data.spans import spans_of
from seqgen.data.splits import Split
from seqgen.evaluation.loss import grouped, read
from seqgen.evaluation.ngram import baseline
from seqgen.evaluation.scoring import score_spans, span_units
from seqgen.report.page import write_page
from seqgen.report.samples import write_samples

#: The folders of pieces for each codec, below the data folder.
DATA = {
    "performance": ("music/maestro", "music/piano-midi"),
    "multitrack": ("music/multitrack",),
    "melody": ("music/abc/nottingham/*.abc",),
}

#: What is trained: a codec and its options.
TRAINED: dict[str, tuple[str, dict[str, str]]] = {
    "performance": ("performance", {}),
    "multitrack": ("multitrack", {}),
    "melody": ("melody", {"chords": "off"}),
    "melody, chords": ("melody", {"chords": "on"}),
}

HEADLINE = "multitrack"

PIECES = 8

#: The metrics that are reported of new pieces and of the corpus.
METRICS = (
    *("length", "notes per bar", "polyphony", "pitch range", "pitch class entropy"),
    *("scale consistency", "groove consistency", "repeated bars"),
)


#: The metrics of the summary: bars that come again, keys and groove.
OF_FORM = ("repeated bars", "scale consistency", "groove consistency")


def prepare(
    benchmark: Benchmark, codec: str, folder: Path, options: dict[str, str]
) -> seqgen.Corpus:
    """Encode the pieces for a codec; the program ends if some are missing."""
    paths: list[Path] = []
    for pattern in DATA[codec]:
        found = sorted(benchmark.data.glob(pattern))
        if not found:
            sys.exit(f"there is no {pattern} in {benchmark.data}, which {codec} is trained on")
        paths += found
    return seqgen.prepare("music", paths, folder, codec=codec, options=options)


def losses(run: seqgen.Run, corpus: seqgen.Corpus, split: Split) -> dict[str, dict[str, float]]:
    """Return nats per token, note and second (or quarter) of each model on a split."""
    counts = baseline(corpus)
    held_out = list(spans_of(corpus, corpus.segments(split)))
    amounts: Counter[str] = Counter()
    nats: Counter[str] = Counter()
    for span, scored in zip(held_out, score_spans(run, held_out), strict=True):
        amounts.update(scored.units)
        counted, _ = counts.model.span_nats(span)
        nats.update({"network": scored.nats, f"{counts.order}-gram": counted})
    units = ("tokens", "notes", "seconds" if "seconds" in amounts else "quarters")
    per = {
        model: {unit.removesuffix("s"): nats[model] / amounts[unit] for unit in units}
        for model in nats
    }
    return per | {"held out": {unit: amounts[unit] for unit in units}}


@torch.no_grad()
def shares(run: seqgen.Run, corpus: seqgen.Corpus, split: Split) -> dict[str, float]:
    """Return nats per quarter of the melody given the chords so far, and of the chords."""
    nats, quarters = Counter[str](), 0.0
    for group in grouped(spans_of(corpus, corpus.segments(split))):
        quarters += sum(span_units(run, span)["quarters"] for span in group)
        for predicted in read(run.model.eval(), group):
            found, targets = predicted.nats, predicted.targets
            is_chord = (targets >= run.codec.layout.same_chord) & (targets < run.vocab.end)
            nats["chords"] += float(found[is_chord].sum())
            nats["melody"] += float(found[~is_chord & (targets != run.vocab.end)].sum())
    return {name: amount / quarters for name, amount in nats.items()}


def pieces(run: seqgen.Run, corpus: seqgen.Corpus, seed: int, page: bool) -> dict[str, Any]:
    """Write new pieces into the run's folder; return their measures."""
    new = seqgen.generate(run, PIECES, seed=seed)
    samples = write_samples(run, new, compare=corpus)
    compared = seqgen.compare(run, [piece.piece for piece in samples.pieces], corpus)
    if page:
        write_page(run, samples, run.folder / "index.html", compared)
    copied = [entry["novelty"]["longest"] for entry in samples.manifest["pieces"]]
    return {
        "ended": sum(piece.stopped_by == "end" for piece in samples.pieces) / PIECES,
        "tokens": [len(piece.ids) for piece in samples.pieces],
        "seconds": samples.manifest["seconds"],
        "copied tokens, longest": max(copied),
        "copied tokens, median": median(copied),
        "metrics": {
            one.name: {
                "new": float(one.metric.generated.mean()),
                "corpus": float(one.metric.reference.mean()),
                "overlap": one.overlap,
            }
            for one in compared
            if one.name in METRICS
        },
    }


def measure(benchmark: Benchmark, name: str, minutes: float, folder: Path) -> dict[str, Any]:
    """Train a codec, score the held-out pieces and write new ones; return all results."""
    codec, options = TRAINED[name]
    corpus = prepare(benchmark, codec, folder / f"{name}-corpus", options)
    keep = benchmark.given.out
    config = seqgen.TrainConfig(minutes=minutes, seed=benchmark.seed)
    run = seqgen.create_run((keep or folder) / name, corpus, train=config)
    seqgen.measure_baseline(run, corpus)
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
    return {
        "minutes": minutes,
        "pieces": corpus.info["pieces"],
        "left out": len(corpus.info["skipped"]),
        "training tokens": corpus.size("train"),
        "weights": sum(weights.numel() for weights in run.model.parameters()),
        "chosen": run.info["plan"],
        "tokens_per_second": report.tokens / report.seconds,
        "nats per": losses(run, corpus, "test"),
        "nats per, validation": losses(run, corpus, "valid"),
        **({"nats per quarter": shares(run, corpus, "test")} if codec == "melody" else {}),
        "generated": pieces(run, corpus, benchmark.seed, page=keep is not None),
    }


def summary(name: str, found: dict[str, Any]) -> str:
    """Return the nats per note, the pieces that ended and the overlaps of `OF_FORM` in a line."""
    nats, new = found["nats per"]["network"]["note"], found["generated"]
    known = [metric for metric in OF_FORM if metric in new["metrics"]]
    # One piece with a value has no overlap.
    found_of = {metric: new["metrics"][metric]["overlap"] for metric in known}
    overlaps = (
        f"{metric} {'n/a' if overlap is None else f'{overlap:.2f}'}"
        for metric, overlap in found_of.items()
    )
    ended = f"{round(new['ended'] * PIECES)} of {PIECES} pieces ended"
    return f"{name}: {nats:.3f} nats per note; {ended}; overlap of {', '.join(overlaps)}"


def main() -> None:
    options = {
        "only": {"choices": tuple(DATA), "help": "train this codec alone"},
        "out": {"type": Path, "help": "folder to keep the runs in, with a page each"},
    }
    benchmark = Benchmark("music_codecs", "nats per note, test", 20.0, options)
    only = benchmark.given.only
    chosen = [name for name, (codec, _) in TRAINED.items() if only in (None, codec)]
    with tempfile.TemporaryDirectory() as folder:
        results = {
            name: measure(benchmark, name, benchmark.minutes / len(chosen), Path(folder))
            for name in chosen
        }
    for name, found in results.items():
        benchmark.say(summary(name, found))
    headline = HEADLINE if HEADLINE in chosen else chosen[0]
    per_note = {
        model: amounts["note"]
        for model, amounts in results[headline]["nats per"].items()
        if "note" in amounts
    }
    benchmark.finish(per_note.pop("network"), baselines=per_note, codec=headline, codecs=results)


if __name__ == "__main__":
    main()
