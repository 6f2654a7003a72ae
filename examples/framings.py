"""Train one model under every framing of the same text, at the same budget, and compare them."""

import argparse
from pathlib import Path

import seqgen

# Set by hand, so that all runs are the same but for their framing.
LEARNED = seqgen.ModelConfig(hidden=256, dropout=0.2)
ONE_HOT = seqgen.ModelConfig(hidden=256, dropout=0.2, embedding=0)
SETTINGS = {"batch_size": 16, "window": 128, "learning_rate": 6e-3, "epochs": 1e6, "threads": 1}
RUNS = {
    "carried": ("carried", LEARNED),
    "carried, one-hot": ("carried", ONE_HOT),
    "windows": ("windows", LEARNED),
    "many-to-one": ("many-to-one", LEARNED),
    "one-to-many": ("one-to-many", LEARNED),
    "one-to-one": ("one-to-one", LEARNED),
}


def main(minutes: float, out: Path, paths: list[Path], prompt: str) -> None:
    corpus = seqgen.prepare("text", paths)
    print(corpus)
    print("| trained as | its own loss | carried loss | targets a second | what it writes |")
    print("|---|---|---|---|---|")
    for name, (framing, model) in RUNS.items():
        # One evaluation, at the end: it takes time from the budget.
        config = seqgen.TrainConfig(minutes=minutes, framing=framing, evaluations=1, **SETTINGS)
        run = seqgen.create_run(out / name.replace(", ", "-"), corpus, model, config)
        *_, last = seqgen.train(run, corpus)
        limit = seqgen.LimitConfig(length=len(prompt) + 70)
        [new] = seqgen.generate(run, 1, prompt=prompt, limit=limit)
        line = " ".join(new.piece.split()).replace("|", "/")
        print(
            f"| {name} | {last.valid_loss:.2f} | {last.carried_loss:.2f} "
            f"| {last.tokens / last.seconds:,.0f} | {line} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="texts; Python's own by default")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each framing")
    parser.add_argument("--out", type=Path, default=Path("out/framings"), help="for the runs")
    parser.add_argument("--prompt", default="The ", help="what the new texts begin with")
    given = parser.parse_args()
    main(given.minutes, given.out, given.paths, given.prompt)
