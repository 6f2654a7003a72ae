"""Write a sentence in your own hand: ``python examples/sentence.py my-lines.json "any text"``.

The file holds lines with their text, as the capture page saves them; start with a hundred lines.
They are cleaned first: level, and with no more points than letters need. Nobody has to mark the
letters: they are spread evenly over the ink, and the training finds them better.
"""

import sys
from pathlib import Path

from seqgen_handwriting.cleaning import cleaned

import seqgen


def main(
    lines: Path, sentence: str, minutes: float = 9.0, out: Path = Path("out/sentence")
) -> None:
    domain = seqgen.load_domain("handwriting")[0]
    recorded = list(domain.read(lines, domain.read_options()))
    inks = [cleaned(ink) for ink in recorded]
    counts = (sum(ink.points for ink in part) for part in (recorded, inks))
    print("recorded {:,} points, cleaned {:,}".format(*counts))
    corpus = seqgen.write_corpus(
        out / "corpus", "handwriting", {"train": inks}, options={"text": "spread"}, overwrite=True
    )
    run = seqgen.create_run(
        out / "run", corpus, train=seqgen.TrainConfig(minutes=minutes), overwrite=True
    )
    for report in seqgen.train(run, corpus):
        print(f"{report.fraction:4.0%}  {report.loss:.3f} nats per token  {report.message}")

    for new in seqgen.generate(run, 3, condition=sentence):
        path = out / f"sentence-{new.index + 1}.svg"
        for written in domain.write(new.piece, path, domain.write_options()):
            print(written)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:4]))
