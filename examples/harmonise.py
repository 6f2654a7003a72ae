"""Harmonise a melody with a trained model, and keep the two most likely results.

Give the model and the melody:
``python examples/harmonise.py runs/chorales examples/ode-to-joy.abc``.
"""

import sys
from pathlib import Path

import seqgen


def main(folder: Path, melody: Path, out: Path = Path("out/harmonised")) -> None:
    run = seqgen.load(folder, "cpu")
    [given] = run.domain.read(melody)
    new = sorted(
        seqgen.generate(run, 8, condition=given),
        key=lambda piece: -piece.log_probability_per_token,
    )
    out.mkdir(parents=True, exist_ok=True)
    for place, piece in enumerate(new[:2], 1):
        run.domain.write(piece.piece, out / f"harmonised-{place}.mid")
        print(f"{piece.log_probability_per_token:.3f} nats per token in harmonised-{place}.mid")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
