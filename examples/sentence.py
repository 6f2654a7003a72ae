"""Write a sentence in your own hand: ``python examples/sentence.py my-lines.json "any text"``.

The file holds lines with their text, as the capture page saves them; start with a hundred lines.
They are cleaned first: level, and with no more points than letters need. Nobody has to mark the
letters. They are spread evenly over the ink, and each model finds them better for the next one.
"""

import sys
from pathlib import Path

from seqgen_handwriting.alignment import spread
from seqgen_handwriting.cleaning import cleaned

import seqgen
from seqgen.training.realignment import realigned


def main(
    lines: Path,
    sentence: str,
    minutes: float = 3.0,
    rounds: int = 3,
    out: Path = Path("out/sentence"),
) -> None:
    domain = seqgen.load_domain("handwriting")[0]
    recorded = list(domain.read(lines))
    inks = [spread(cleaned(ink)) for ink in recorded]
    counts = (sum(ink.points for ink in part) for part in (recorded, inks))
    print("recorded {:,} points, cleaned {:,}".format(*counts))
    for number in range(1, rounds + 1):
        corpus = seqgen.write_corpus(
            out / f"corpus-{number}", "handwriting", {"train": inks}, overwrite=True
        )
        run = seqgen.create_run(
            out / f"run-{number}",
            corpus,
            train=seqgen.TrainConfig(minutes=minutes),
            overwrite=True,
        )
        for report in seqgen.train(run, corpus):
            print(f"round {number}  {report.fraction:4.0%}  {report.loss:.3f} nats per token")
        if number < rounds:
            ids = realigned(run, map(run.codec.encode, inks))
            inks = list(map(run.codec.decode, ids))

    for new in seqgen.generate(run, 3, condition=sentence):
        for path in domain.write(new.piece, out / f"sentence-{new.index + 1}.svg"):
            print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:4]))
