"""Train on one text under every framing, with the same budget, and compare the results."""

import argparse
from pathlib import Path

import seqgen

# Fixed settings, so the runs differ only in their framing.
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
    print("| framing | its own loss | carried loss | targets per second | generated text |")
    print("|---|---|---|---|---|")
    for name, (framing, model) in RUNS.items():
        # One evaluation, at the end, because evaluations take time from the budget.
        config = seqgen.TrainConfig(minutes=minutes, framing=framing, evaluations=1, **SETTINGS)
        run = seqgen.create_run(out / name.replace(", ", "-"), corpus, model, config)
        *_, last = seqgen.train(run, corpus)
        limit = seqgen.LimitConfig(length=70)
        [new] = seqgen.generate(run, 1, prompt=prompt, limit=limit)
        line = " ".join(new.piece.split()).replace("|", "/")
        print(
            f"| {name} | {last.valid_loss:.2f} | {last.carried_loss:.2f} "
            f"| {last.tokens / last.seconds:,.0f} | {line} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="text files; by default Python's own")
    parser.add_argument("--minutes", type=float, default=1.0, help="training time of each framing")
    parser.add_argument(
        "--out", type=Path, default=Path("out/framings"), help="folder for the runs"
    )
    parser.add_argument("--prompt", default="The ", help="start of the new texts")
    given = parser.parse_args()
    main(given.minutes, given.out, given.paths, given.prompt)
