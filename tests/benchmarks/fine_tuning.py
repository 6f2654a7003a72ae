"""Learning rates of trainings that start from another run: the validation loss, with equal tokens.

Models that come along go on with other pieces: that of texts, which has read Python's reference,
with 50,000 characters of Tiny Shakespeare, with 500,000, and with C source; that of handwriting
with twenty recorded lines of a made-up person (``own_hand.py``). Each is trained with the default
for a new model, and with shares of it. The figure is the mean gain from the default to `SHARE` of
it, in nats per token. ``--only`` takes some of the corpora.
"""

from __future__ import annotations

from pathlib import Path

from harness import Benchmark
from own_hand import Person, recorded_lines

import seqgen
from seqgen.training.autopilot import learning_rate_for

#: Shares of the default, and the one of the figure.
SHARES, SHARE = (1.0, 1 / 3, 1 / 10, 1 / 30), 1 / 10

#: Tokens to learn from, by corpus, and its characters.
TOKENS = {"little prose": 600_000, "prose": 1_000_000, "source": 600_000, "hand": 340_000}
CHARACTERS = {"little prose": 50_000, "prose": 500_000, "source": 200_000}


def files_of(benchmark: Benchmark, name: str, folder: Path) -> Path:
    """Write the pieces of a corpus, and return the place."""
    place = folder / "pieces"
    place.mkdir()
    if name == "hand":
        (place / "lines.json").write_text(recorded_lines(Person("printed")), encoding="utf-8")
        return place
    texts = benchmark.data / "text"
    sources = texts / "c-source" if name == "source" else texts / "tinyshakespeare"
    text = "".join(
        path.read_text("utf-8", errors="replace")
        for path in sorted(sources.rglob("*"))
        if path.suffix in {".c", ".h", ".txt"}
    )
    # Chapters of 5,000 characters, so that a tenth is held out.
    text = text[: CHARACTERS[name]]
    for start in range(0, len(text), 5000):
        (place / f"{start:07}.txt").write_text(text[start : start + 5000], encoding="utf-8")
    return place


def losses(benchmark: Benchmark, name: str) -> dict[str, float]:
    """Return the validation loss for each share of the default learning rate."""
    domain = "handwriting" if name == "hand" else "text"
    base, found = seqgen.load(domain, "cpu"), {}
    with benchmark.folder(name) as folder:
        place = files_of(benchmark, name, folder)
        corpus = seqgen.prepare(domain, [place], folder / "corpus", before=base.codec)
        for share in SHARES:
            # As the training itself would choose it for a new model.
            steps = TOKENS[name] / (16 * 64)
            rate = share * learning_rate_for(base.model_config.hidden, steps)
            config = seqgen.TrainConfig(
                tokens=TOKENS[name], learning_rate=rate, seed=benchmark.seed, device="cpu"
            )
            run = seqgen.create_run(folder / f"run-{share:.2f}", corpus, train=config, start=base)
            best = [report.valid_loss for report in seqgen.train(run, corpus) if report.improved]
            found[f"{share:.3f}"] = round(float(best[-1] or 0.0), 4)
            benchmark.say(f"{name}, {rate:.5f}: {found[f'{share:.3f}']}")
    return found


def main() -> None:
    options = {"only": {"nargs": "+", "choices": list(TOKENS), "default": list(TOKENS)}}
    benchmark = Benchmark("fine_tuning", "nats per token gained", 0.0, options)
    found = {name: losses(benchmark, name) for name in benchmark.given.only}
    gains = [each["1.000"] - each[f"{SHARE:.3f}"] for each in found.values()]
    benchmark.finish(sum(gains) / len(gains), {"the default of a new model": 0.0}, losses=found)


if __name__ == "__main__":
    main()
