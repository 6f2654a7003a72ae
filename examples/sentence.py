"""Write a sentence in a hand of your own: ``python examples/sentence.py my-lines.json "any text"``.

The file holds lines with their text, as the capture page saves them; a hundred lines are a good
beginning. Nobody has to say which points belong to which letter. At first the letters are spread
evenly over the ink; a model that learns from that tells better where they are, and so on.
"""

import sys
from pathlib import Path

from seqgen_handwriting.alignment import spread
from seqgen_handwriting.realignment import realigned

import seqgen


def main(
    lines: Path,
    sentence: str,
    minutes: float = 3.0,
    rounds: int = 3,
    out: Path = Path("out/sentence"),
) -> None:
    domain = seqgen.load_domain("handwriting")[0]
    inks = [spread(ink) for ink in domain.read(lines)]
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
            inks = list(realigned(run, inks))

    for new in seqgen.generate(run, 3, condition=sentence):
        for path in domain.write(new.piece, out / f"sentence-{new.index + 1}.svg"):
            print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:4]))
